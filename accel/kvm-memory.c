/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's memory slots, one a section of the memory map (api.rst, KVM_SET_USER_MEMORY_REGION).  How
 * many there are is read, not assumed.
 */
#include "kvm-internal.h"

#include "system/memory.h"
#include "util/error.h"
#include "util/report.h"
#include "util/trace.h"

#include <inttypes.h>

TRACE_EVENT(kvm_slot, "a memory slot of KVM is set or removed");

static guint slots_limit;
static guint slots_used;
static GHashTable *slots; /* guest address (uint64_t *) -> slot number */
static GArray *free_list; /* numbers below slots_ever that are free */
static guint slots_ever;  /* numbers from here on were never used */
static gboolean logging;  /* of written pages */

static guint take_number(void)
{
    guint number;

    if (free_list->len == 0) {
        return slots_ever++;
    }
    number = g_array_index(free_list, guint, free_list->len - 1);
    g_array_set_size(free_list, free_list->len - 1);
    return number;
}

/* @size 0 removes. */
static int set_flagged_slot(guint number, uint32_t flags, uint64_t address, uint64_t size,
                            void *host)
{
    struct kvm_userspace_memory_region region = {
        .slot = number,
        .flags = flags,
        .guest_phys_addr = address,
        .memory_size = size,
        .userspace_addr = (uint64_t)(uintptr_t)host,
    };

    trace(kvm_slot, "slot %u address 0x%" PRIx64 " size 0x%" PRIx64, number, address, size);
    return kvm_ioctl(kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/* A slot of guest RAM. */
static int set_slot(guint number, uint64_t address, uint64_t size, void *host)
{
    return set_flagged_slot(number, logging && size ? KVM_MEM_LOG_DIRTY_PAGES : 0, address, size,
                            host);
}

static guint free_slots(void)
{
    return slots_limit - slots_used;
}

static void note_slot(uint64_t address, guint number)
{
    uint64_t *key = g_new(uint64_t, 1);

    *key = address;
    g_hash_table_insert(slots, key, GUINT_TO_POINTER(number));
    slots_used++;
}

/* The slot at @address goes; @name: for a message. */
static void clear_slot(uint64_t address, const char *name)
{
    gpointer value;
    guint number;
    int result;

    if (!g_hash_table_lookup_extended(slots, &address, NULL, &value)) {
        return;
    }
    number = GPOINTER_TO_UINT(value);
    result = set_slot(number, address, 0, NULL);
    if (result < 0) {
        report_warning("memory '%s': KVM does not let go of slot %u: %s", name, number,
                       g_strerror(-result));
    }
    g_hash_table_remove(slots, &address);
    g_array_append_val(free_list, number);
    slots_used--;
}

static gboolean add_section(const MemorySection *section, GError **error)
{
    guint number = take_number();
    int result =
        set_slot(number, section->guest_address, section->size, memory_section_host(section));

    if (result < 0) {
        g_array_append_val(free_list, number);
        vm_error_set_errno(error, -result,
                           "memory '%s': KVM refuses 0x%" PRIx64
                           " bytes at guest address 0x%" PRIx64,
                           section->block->name, section->size, section->guest_address);
        return FALSE;
    }
    note_slot(section->guest_address, number);
    return TRUE;
}

static void remove_section(const MemorySection *section)
{
    clear_slot(section->guest_address, section->block->name);
}

/* --- pages of devices --- */

gboolean kvm_memory_add_page(AddressSpace space, uint64_t address, uint64_t size, void *host)
{
    guint number;

    if (space != ADDRESS_SPACE_MEMORY || free_slots() == 0) {
        return FALSE;
    }
    number = take_number();
    if (set_flagged_slot(number, 0, address, size, host) < 0) {
        g_array_append_val(free_list, number); /* RAM lies there, which hides the device */
        return FALSE;
    }
    note_slot(address, number);
    return TRUE;
}

void kvm_memory_remove_page(AddressSpace space G_GNUC_UNUSED, uint64_t address)
{
    clear_slot(address, "a device's page");
}

/* --- pages that were written to --- */

/* Gives all slots the flag that `logging` says; the first failure as -errno. */
static int flag_all(void)
{
    GArray *sections = memory_sections_copy(NULL);
    int result = 0;

    for (guint i = 0; result == 0 && i < sections->len; i++) {
        const MemorySection *section = &g_array_index(sections, MemorySection, i);
        gpointer number;
        if (g_hash_table_lookup_extended(slots, &section->guest_address, NULL, &number)) {
            result = set_slot(GPOINTER_TO_UINT(number), section->guest_address, section->size,
                              memory_section_host(section));
        }
    }
    memory_sections_free(sections);
    return result;
}

static void log_stop(void)
{
    logging = FALSE;
    flag_all(); /* a slot that keeps the flag is slower, not wrong */
}

static gboolean log_start(GError **error)
{
    logging = TRUE;
    int result = flag_all();

    if (result < 0) {
        log_stop();
        vm_error_set_errno(error, -result, "-accel kvm: KVM_MEM_LOG_DIRTY_PAGES");
    }
    return result == 0;
}

static uint64_t *log_take(const MemorySection *section, GError **error)
{
    uint64_t pages = (section->size + MEMORY_LOG_PAGE - 1) / MEMORY_LOG_PAGE;
    g_autofree uint64_t *bits = g_new0(uint64_t, (pages + 63) / 64);
    struct kvm_dirty_log log = {.dirty_bitmap = bits};
    gpointer number;

    if (!g_hash_table_lookup_extended(slots, &section->guest_address, NULL, &number)) {
        vm_error_set(error, "memory '%s': it is no slot of KVM", section->block->name);
        return NULL;
    }
    log.slot = GPOINTER_TO_UINT(number);
    int result = kvm_ioctl(kvm.vm_fd, KVM_GET_DIRTY_LOG, &log);
    if (result < 0) {
        vm_error_set_errno(error, -result, "memory '%s': KVM_GET_DIRTY_LOG", section->block->name);
        return NULL;
    }
    return g_steal_pointer(&bits);
}

void kvm_memory_start(void)
{
    static const MemoryAccelerator accelerator = {
        .free_slots = free_slots,
        .add = add_section,
        .remove = remove_section,
        .log_start = log_start,
        .log_stop = log_stop,
        .log_take = log_take,
    };

    slots_limit = (guint)kvm_has(KVM_CAP_NR_MEMSLOTS);
    slots = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    free_list = g_array_new(FALSE, FALSE, sizeof(guint));
    memory_set_accelerator(&accelerator);
}
