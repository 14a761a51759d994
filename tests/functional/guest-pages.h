/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a page of this process lies, for programs that run in a guest as root. */
#ifndef GUEST_PAGES_H
#define GUEST_PAGES_H

#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE 4096
#define HOT_AREA (UINT64_C(4) << 30) /* hot-added memory lies above */

/* The guest physical address of the page at @place by /proc/self/pagemap (an entry a page, its
 * frame number in the lower 55 bits); 0 if it cannot be told. */
static inline uint64_t physical_address(int pagemap, const void *place)
{
    uint64_t entry = 0;
    off_t offset = (off_t)((uintptr_t)place / PAGE * sizeof(entry));

    if (pread(pagemap, &entry, sizeof(entry), offset) != sizeof(entry)) {
        return 0;
    }
    return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

#endif
