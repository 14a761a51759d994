/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory as its lender sees it: areas over one sealed memfd, and lookups in areas. */
#include "libvhost-user/guest-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *vhost_user_guest_memory_host(const VhostUserMemoryArea *areas, size_t count,
                                   uint64_t guest_address, uint64_t size)
{
    size_t first = 0, behind = count; /* the last area that starts at or below the address */

    while (first < behind) {
        size_t middle = first + (behind - first) / 2;

        if (areas[middle].guest_address <= guest_address) {
            first = middle + 1;
        } else {
            behind = middle;
        }
    }
    if (first == 0) {
        return NULL;
    }
    const VhostUserMemoryArea *area = &areas[first - 1];
    uint64_t offset = guest_address - area->guest_address;

    if (offset >= area->size || size > area->size - offset) {
        return NULL;
    }
    return (uint8_t *)area->host + offset;
}

uint64_t vhost_user_guest_memory_address(const VhostUserMemoryArea *areas, size_t count,
                                         const void *host)
{
    for (size_t i = 0; i < count; i++) {
        uintptr_t offset = (uintptr_t)host - (uintptr_t)areas[i].host;

        if ((uintptr_t)host >= (uintptr_t)areas[i].host && offset < areas[i].size) {
            return areas[i].guest_address + offset;
        }
    }
    return UINT64_MAX;
}

/* Maps the whole file once: seals first, so that nobody can cut it behind the mapping. */
static int map_all(VhostUserGuestMemory *memory, int fd, uint64_t size)
{
    if (ftruncate(fd, (off_t)size) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return -1;
    }
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (mapping == MAP_FAILED) {
        return -1;
    }
    memory->areas[0].host = mapping;
    return 0;
}

static void lay_out(VhostUserGuestMemory *memory, uint64_t guest_address, uint64_t area_size,
                    uint64_t gap, int fd)
{
    uint8_t *mapping = memory->areas[0].host;

    for (size_t i = 0; i < memory->count; i++) {
        memory->areas[i] = (VhostUserMemoryArea){
            .guest_address = guest_address + i * (area_size + gap),
            .size = area_size,
            .host = mapping + i * area_size,
            .fd = fd,
            .offset = i * area_size,
        };
    }
}

/* Neither the file nor the last guest address may reach beyond what 63 or 64 bits hold. */
static bool fits(uint64_t guest_address, uint64_t area_size, size_t count, uint64_t gap)
{
    uint64_t file, step, space, end;

    return !__builtin_mul_overflow(area_size, (uint64_t)count, &file) && file <= INT64_MAX &&
           !__builtin_add_overflow(area_size, gap, &step) &&
           !__builtin_mul_overflow(step, (uint64_t)count, &space) &&
           !__builtin_add_overflow(guest_address, space, &end);
}

VhostUserGuestMemory *vhost_user_guest_memory_new(uint64_t guest_address, uint64_t area_size,
                                                  size_t count, uint64_t gap)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (count == 0 || area_size == 0 || area_size % page != 0 ||
        !fits(guest_address, area_size, count, gap)) {
        errno = EINVAL;
        return NULL;
    }
    VhostUserGuestMemory *memory = calloc(1, sizeof(*memory));
    int fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (memory) {
        memory->areas = calloc(count, sizeof(*memory->areas));
        memory->count = count;
    }
    if (!memory || !memory->areas || fd < 0 || map_all(memory, fd, area_size * count) < 0) {
        int error = errno;

        if (fd >= 0) {
            close(fd);
        }
        if (memory) {
            free(memory->areas);
        }
        free(memory);
        errno = error;
        return NULL;
    }
    lay_out(memory, guest_address, area_size, gap, fd);
    return memory;
}

void vhost_user_guest_memory_free(VhostUserGuestMemory *memory)
{
    if (!memory) {
        return;
    }
    munmap(memory->areas[0].host, memory->areas[0].size * memory->count);
    close(memory->areas[0].fd);
    free(memory->areas);
    free(memory);
}
