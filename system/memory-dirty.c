/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages of RAM the guest's CPUs have written to; the accelerator notes them. */
#include "memory-internal.h"

#include "util/error.h"

static gboolean on;

gboolean memory_log_start(GError **error)
{
    const MemoryAccelerator *accelerator = memory_accelerator();

    if (!accelerator->log_start) {
        vm_error_set(error, "this accelerator does not note which pages are written to");
        return FALSE;
    }
    on = on || accelerator->log_start(error);
    return on;
}

void memory_log_stop(void)
{
    if (on) {
        on = FALSE;
        memory_accelerator()->log_stop();
    }
}

gboolean memory_log_is_on(void)
{
    return on;
}

uint64_t *memory_log_take(const MemorySection *section, GError **error)
{
    if (!on) {
        vm_error_set(error, "memory '%s': written pages are not noted", section->block->name);
        return NULL;
    }
    return memory_accelerator()->log_take(section, error);
}
