/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight buffer as a whole: made, mapped and cut into one area a queue (vhost-user,
 * "Inflight I/O tracking").  What is in an area: inflight-split.c and inflight-packed.c.
 */
#include "inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file-mapping.h"
#include "inflight-track.h"
#include "libvhost-user/device.h"

/* Areas begin at cache lines, so that queues served by different threads share none. */
#define AREA_ALIGNMENT 64u

static uint64_t area_size(uint16_t queue_size, bool packed)
{
    uint64_t size = packed ? sizeof(VhostUserInflightPackedArea) +
                                 queue_size * sizeof(VhostUserInflightPackedEntry)
                           : sizeof(VhostUserInflightSplitArea) +
                                 queue_size * sizeof(VhostUserInflightSplitEntry);

    return (size + AREA_ALIGNMENT - 1) / AREA_ALIGNMENT * AREA_ALIGNMENT;
}

static bool description_fits(const VhostUserInflight *description)
{
    return description->num_queues > 0 &&
           description->num_queues <= VHOST_USER_DEVICE_QUEUES_MAXIMUM &&
           description->queue_size > 0 && description->queue_size <= VHOST_USER_MAX_VRING_SIZE;
}

int vhost_user_inflight_create(VhostUserInflight *description, bool packed)
{
    uint64_t size;
    int fd;

    if (!description_fits(description)) {
        return -EINVAL;
    }
    size = description->num_queues * area_size(description->queue_size, packed);
    fd = memfd_create("vhost-user-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    /* Nobody can cut it behind our mapping. */
    if (ftruncate(fd, (off_t)size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    description->mmap_size = size;
    description->mmap_offset = 0;
    return fd;
}

/* NULL, or why the description does not fit itself. */
static const char *check(const VhostUserInflight *description, uint64_t needed)
{
    if (!description_fits(description)) {
        return "number of queues not from 1 to 256, or queue size not from 1 to 32768";
    }
    if (description->mmap_size < needed) {
        return "mmap size is too small for the queues";
    }
    if (description->mmap_offset % sizeof(uint64_t) != 0) {
        return "mmap offset is not a multiple of 8";
    }
    return NULL;
}

int vhost_user_inflight_set(VhostUserInflightBuffer *buffer, const VhostUserInflight *description,
                            int fd, bool packed, const char **reason)
{
    uint64_t stride = area_size(description->queue_size, packed);
    uint64_t needed = description->num_queues * stride;
    VhostUserFileMapping mapping;
    struct stat file;
    int result;

    *reason = check(description, needed);
    if (*reason) {
        return -EINVAL;
    }
    result = vhost_user_file_map(&mapping, fd, description->mmap_offset, needed, &file, reason);
    if (result != 0) {
        return result;
    }
    if (!S_ISREG(file.st_mode)) { /* what we write has to be there for the next back-end */
        vhost_user_file_unmap(&mapping);
        *reason = "the descriptor is not a file";
        return -EINVAL;
    }
    vhost_user_inflight_clear(buffer);
    buffer->mapping = mapping.pages;
    buffer->mapping_size = mapping.pages_size;
    buffer->areas = mapping.bytes;
    buffer->area_size = stride;
    buffer->num_queues = description->num_queues;
    buffer->queue_size = description->queue_size;
    return 0;
}

void vhost_user_inflight_clear(VhostUserInflightBuffer *buffer)
{
    if (buffer->mapping) {
        vhost_user_file_unmap(
            &(VhostUserFileMapping){.pages = buffer->mapping, .pages_size = buffer->mapping_size});
    }
    *buffer = (VhostUserInflightBuffer){0};
}

void *vhost_user_inflight_area(const VhostUserInflightBuffer *buffer, uint32_t queue)
{
    return buffer->mapping && queue < buffer->num_queues ? buffer->areas + queue * buffer->area_size
                                                         : NULL;
}

bool vhost_user_inflight_recover_fault(const VhostUserInflightBuffer *buffer, void *address)
{
    return vhost_user_file_recover_fault(buffer->mapping, buffer->mapping_size, address);
}
