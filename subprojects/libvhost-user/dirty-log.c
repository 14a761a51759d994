/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of guest pages written during a migration: a bit a page, the lowest bit of the first
 * byte for guest address 0 (vhost-user, "Migration").
 */
#include "dirty-log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "file-mapping.h"

int vhost_user_dirty_log_set(VhostUserDirtyLog *log, const VhostUserLog *description, int fd,
                             const char **reason)
{
    VhostUserFileMapping mapping;
    struct stat file;
    int result;

    if (description->size == 0) {
        *reason = "the log's size is 0";
        return -EINVAL;
    }
    result =
        vhost_user_file_map(&mapping, fd, description->offset, description->size, &file, reason);
    if (result != 0) {
        return result;
    }
    vhost_user_dirty_log_clear(log);
    log->bits = mapping.bytes;
    log->size = description->size;
    log->mapping = mapping.pages;
    log->mapping_size = mapping.pages_size;
    return 0;
}

void vhost_user_dirty_log_clear(VhostUserDirtyLog *log)
{
    if (log->mapping) {
        vhost_user_file_unmap(
            &(VhostUserFileMapping){.pages = log->mapping, .pages_size = log->mapping_size});
    }
    *log = (VhostUserDirtyLog){0};
}

/*
 * The front-end takes the bits and then reads the pages; we wrote the page and then set the bit.
 * That is right only if the bit is always written, in one operation that is a barrier as well: a
 * look whether it is set already could come before the page's bytes are seen.
 */
static void set_bits(const VhostUserDirtyLog *log, uint64_t byte, unsigned mask)
{
    atomic_fetch_or((_Atomic uint8_t *)&log->bits[byte], (uint8_t)mask);
}

void vhost_user_dirty_log_mark(const VhostUserDirtyLog *log, uint64_t guest_address, uint64_t size)
{
    uint64_t end = guest_address + (size - 1); /* the last byte */
    uint64_t first = guest_address / VHOST_USER_LOG_PAGE_SIZE;
    uint64_t last;

    if (size == 0 || first / 8 >= log->size) {
        return;
    }
    last = (end < guest_address ? UINT64_MAX : end) / VHOST_USER_LOG_PAGE_SIZE;
    if (last / 8 >= log->size) {
        last = log->size * 8 - 1;
    }
    for (uint64_t byte = first / 8; byte <= last / 8; byte++) {
        unsigned from = byte == first / 8 ? first % 8 : 0;
        unsigned to = byte == last / 8 ? last % 8 : 7;

        set_bits(log, byte, (0xffu << from) & (0xffu >> (7 - to)));
    }
}

bool vhost_user_dirty_log_recover_fault(const VhostUserDirtyLog *log, void *address)
{
    return vhost_user_file_recover_fault(log->mapping, log->mapping_size, address);
}
