/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether KVM truly runs a guest.  A device that opens, makes machines and even enters them proves
 * little: in some hosts it is a paravirtual one that interprets an ordinary guest's instructions
 * one by one, a thousand times slower than a processor.  So a small machine counts down and its
 * time is taken.
 */
#include "kvm-internal.h"

#include "util/error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The machine's memory: descriptors, page tables of one large page, code. */
#define PROBE_GDT 0x500
#define PROBE_ROOT 0x1000
#define PROBE_POINTERS 0x2000
#define PROBE_DIRECTORY 0x3000
#define PROBE_CODE 0x4000
#define PROBE_MEMORY 0x5000
#define PAGE_PRESENT_WRITABLE 0x3u
#define PAGE_LARGE 0x80u

#define PROBE_PORT 0x80
/* 20,000 instructions: some microseconds on a processor, below a millisecond where one is itself
 * emulated by translation, 18 milliseconds where each is interpreted. */
#define PROBE_ROUNDS 10000u
#define PROBE_MOST_NANOSECONDS 6000000
#define PROBE_ATTEMPTS 3 /* the best counts: others use the processor, too */

/* Everything of the small machine; -1 and MAP_FAILED where it is not there yet. */
typedef struct Probe {
    int vm_fd, vcpu_fd;
    void *memory;
    struct kvm_run *run;
    gsize run_size;
} Probe;

static gboolean step(int result, const char *name, GError **error)
{
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: /dev/kvm makes no machine: %s", name);
    }
    return result >= 0;
}

/* mmap(2), whose failure is an error of @name. */
static void *map(gsize size, int flags, int fd, const char *name, GError **error)
{
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    step(mapping == MAP_FAILED ? -errno : 0, name, error);
    return mapping;
}

static void fill_memory(uint8_t *memory)
{
    static const uint8_t code[] = {
        0xb9,
        PROBE_ROUNDS & 0xff,
        PROBE_ROUNDS >> 8,
        0,
        0, /* mov ecx, PROBE_ROUNDS */
        0xff,
        0xc9, /* dec ecx */
        0x75,
        0xfc, /* jnz to dec */
        0xe6,
        PROBE_PORT, /* out PROBE_PORT, al */
        0xf4,       /* hlt */
    };
    const uint64_t root = PROBE_POINTERS | PAGE_PRESENT_WRITABLE;
    const uint64_t pointer = PROBE_DIRECTORY | PAGE_PRESENT_WRITABLE;
    const uint64_t page = PAGE_PRESENT_WRITABLE | PAGE_LARGE;
    uint64_t descriptors[VCPU_BOOT_DESCRIPTORS];

    vcpu_boot_descriptors(TRUE, descriptors);
    memcpy(memory + PROBE_GDT, descriptors, sizeof(descriptors));
    memcpy(memory + PROBE_ROOT, &root, sizeof(root));
    memcpy(memory + PROBE_POINTERS, &pointer, sizeof(pointer));
    memcpy(memory + PROBE_DIRECTORY, &page, sizeof(page));
    memcpy(memory + PROBE_CODE, code, sizeof(code));
}

static gboolean build(Probe *probe, int system_fd, GError **error)
{
    int size = kvm_ioctl(system_fd, KVM_GET_VCPU_MMAP_SIZE, NULL);

    probe->run_size = (gsize)MAX(size, 0);
    probe->vm_fd = kvm_ioctl(system_fd, KVM_CREATE_VM, NULL);
    if (!step(size, "KVM_GET_VCPU_MMAP_SIZE", error) ||
        !step(probe->vm_fd, "KVM_CREATE_VM", error)) {
        return FALSE;
    }
    probe->memory = map(PROBE_MEMORY, MAP_SHARED | MAP_ANONYMOUS, -1, "memory", error);
    if (probe->memory == MAP_FAILED) {
        return FALSE;
    }
    fill_memory(probe->memory);
    struct kvm_userspace_memory_region region = {
        .memory_size = PROBE_MEMORY,
        .userspace_addr = (uint64_t)(uintptr_t)probe->memory,
    };
    if (!step(kvm_ioctl(probe->vm_fd, KVM_SET_USER_MEMORY_REGION, &region),
              "KVM_SET_USER_MEMORY_REGION", error)) {
        return FALSE;
    }
    probe->vcpu_fd = kvm_ioctl(probe->vm_fd, KVM_CREATE_VCPU, NULL);
    if (!step(probe->vcpu_fd, "KVM_CREATE_VCPU", error)) {
        return FALSE;
    }
    probe->run = map(probe->run_size, MAP_SHARED, probe->vcpu_fd, "the CPU's state", error);
    return probe->run != MAP_FAILED;
}

static gboolean place_cpu(const Probe *probe, GError **error)
{
    const VcpuBoot state = {
        .long_mode = TRUE,
        .page_table = PROBE_ROOT,
        .gdt = PROBE_GDT,
        .gdt_limit = VCPU_BOOT_DESCRIPTORS * sizeof(uint64_t) - 1,
        .entry = PROBE_CODE,
    };

    if (!kvm_state_boot(probe->vcpu_fd, &state, error)) {
        g_prefix_error(error, "-accel kvm: ");
        return FALSE;
    }
    return TRUE;
}

/* Nanoseconds of this thread's processor time that the countdown takes; FALSE with @error. */
static gboolean run(const Probe *probe, gint64 *elapsed, GError **error)
{
    struct timespec begin, end;
    int result;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    result = kvm_ioctl(probe->vcpu_fd, KVM_RUN, NULL);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    *elapsed =
        (end.tv_sec - begin.tv_sec) * G_GINT64_CONSTANT(1000000000) + (end.tv_nsec - begin.tv_nsec);
    if (result == 0 && probe->run->exit_reason == KVM_EXIT_IO &&
        probe->run->io.port == PROBE_PORT) {
        return TRUE;
    }
    vm_error_set(error,
                 "-accel kvm: /dev/kvm is there, but it runs no guest (its first instructions end "
                 "with %s %d); use a host with hardware virtualisation, or -accel qtest",
                 result < 0 ? "error" : "exit reason",
                 result < 0 ? -result : (int)probe->run->exit_reason);
    return FALSE;
}

static gboolean measure(const Probe *probe, GError **error)
{
    gint64 best = G_MAXINT64;

    for (guint i = 0; i < PROBE_ATTEMPTS && best > PROBE_MOST_NANOSECONDS; i++) {
        gint64 elapsed;
        if (!place_cpu(probe, error) || !run(probe, &elapsed, error)) {
            return FALSE;
        }
        best = MIN(best, elapsed);
    }
    if (best > PROBE_MOST_NANOSECONDS) {
        vm_error_set(error,
                     "-accel kvm: /dev/kvm is there, but it interprets the guest (%u instructions "
                     "take %" G_GINT64_FORMAT
                     " microseconds); use a host with hardware virtualisation, or -accel qtest",
                     2 * PROBE_ROUNDS, best / 1000);
        return FALSE;
    }
    return TRUE;
}

static void clear(Probe *probe)
{
    if (probe->run != MAP_FAILED) {
        munmap(probe->run, probe->run_size);
    }
    if (probe->vcpu_fd >= 0) {
        close(probe->vcpu_fd);
    }
    if (probe->vm_fd >= 0) {
        close(probe->vm_fd);
    }
    if (probe->memory != MAP_FAILED) {
        munmap(probe->memory, PROBE_MEMORY);
    }
}

gboolean kvm_probe(int system_fd, GError **error)
{
    Probe probe = {-1, -1, MAP_FAILED, MAP_FAILED, 0};
    gboolean good = build(&probe, system_fd, error) && measure(&probe, error);

    clear(&probe);
    return good;
}
