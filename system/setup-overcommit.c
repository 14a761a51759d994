/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -overcommit: what the guest shall have for itself alone, its memory and the host's CPUs. */
#include "setup-internal.h"

#include "accel/vcpu.h"
#include "util/error.h"
#include "util/options.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>

/*
 * All that this process has mapped, and will map: the guest's RAM and DIMMs that come later, which
 * fail to be made where the limit is reached (mlockall(2)).
 */
static gboolean lock_memory(const char *how, int flags, GError **error)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (mlockall(MCL_CURRENT | MCL_FUTURE | flags) == 0) {
        return TRUE;
    }
    int saved = errno;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    g_autofree char *kilobytes =
        limit.rlim_cur == RLIM_INFINITY
            ? g_strdup("unlimited")
            : g_strdup_printf("%" PRIu64 " KiB", (uint64_t)limit.rlim_cur / 1024);
    vm_error_set_errno(error, saved,
                       "-overcommit mem-lock=%s: memory cannot be locked; the limit (ulimit -l) is "
                       "%s, and has to hold the guest's RAM and the program",
                       how, kilobytes);
    return FALSE;
}

static gboolean apply_memory_lock(const char *how, GError **error)
{
    if (!how || !strcmp(how, "off")) {
        return TRUE;
    }
    if (!strcmp(how, "on")) {
        return lock_memory(how, 0, error);
    }
    if (!strcmp(how, "on-fault")) {
        return lock_memory(how, MCL_ONFAULT, error);
    }
    vm_error_set(error, "-overcommit mem-lock=%s: expected on, off or on-fault", how);
    return FALSE;
}

static gboolean apply_overcommit(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("overcommit", value, NULL, error);
    gboolean own_cpus = FALSE;

    if (!options) {
        return FALSE;
    }
    g_autofree char *lock = options_take(options, "mem-lock");
    if (!options_take_bool(options, "-overcommit", "cpu-pm", &own_cpus, error) ||
        !options_check_empty(options, "-overcommit", "mem-lock, cpu-pm", error)) {
        return FALSE;
    }
    vcpu_set_own_power_management(own_cpus);
    return apply_memory_lock(lock, error);
}

gboolean setup_overcommit(const GArray *items, GError **error)
{
    return setup_each(items, "overcommit", apply_overcommit, error);
}
