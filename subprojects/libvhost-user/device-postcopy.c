/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Post-copy migration: the front-end fills our memory page by page while queues run already.  It
 * reads the faults from our userfaultfd and so has to know our addresses: they are the answer to
 * SET_MEM_TABLE and ADD_MEM_REG between LISTEN and END, and its ack says that it is ready for
 * faults there.
 */
#include "device-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Faults that the kernel takes for us, in a read into guest memory, count as well: so not
 * UFFD_USER_MODE_ONLY.  An unprivileged process may be allowed by /dev/userfaultfd alone. */
static int open_userfaultfd(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

#ifdef USERFAULTFD_IOC_NEW
    if (fd == -1) {
        int control = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

        if (control != -1) {
            fd = ioctl(control, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
            close(control);
        }
    }
#endif
    if (fd == -1) {
        return -errno;
    }
    if (ioctl(fd, UFFDIO_API, &api) == -1) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

bool vhost_user_device_postcopy_possible(void)
{
    int fd = open_userfaultfd();

    if (fd < 0) {
        return false;
    }
    close(fd);
    return true;
}

void vhost_user_device_postcopy_clear(VhostUserDevice *device)
{
    if (device->userfaultfd != -1) {
        close(device->userfaultfd);
    }
    device->userfaultfd = -1;
    device->postcopy_listening = false;
    device->postcopy_ack = VHOST_USER_POSTCOPY_ACK_NONE;
}

int vhost_user_device_handle_postcopy_advise(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message, const char **reason)
{
    int fd;

    if (device->userfaultfd != -1) {
        *reason = "a post-copy migration is going on already";
        return -EBUSY;
    }
    fd = open_userfaultfd();
    if (fd < 0) {
        *reason = "the kernel does not give us a userfaultfd";
        return fd;
    }
    device->userfaultfd = fd;
    message->reply_fd = fd;
    return 0;
}

int vhost_user_device_handle_postcopy_listen(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message, const char **reason)
{
    int result;

    (void)message;
    if (device->userfaultfd == -1 || device->postcopy_listening) {
        *reason = device->postcopy_listening ? "it has come before"
                                             : "POSTCOPY_ADVISE has not come before";
        return -EINVAL;
    }
    result = vhost_user_map_set_userfaultfd(device->map, device->userfaultfd);
    if (result < 0) {
        *reason = "memory cannot be registered with the userfaultfd";
        return result;
    }
    device->postcopy_listening = true;
    return 0;
}

int vhost_user_device_handle_postcopy_end(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                          const char **reason)
{
    int result;

    if (device->userfaultfd == -1) {
        *reason = "POSTCOPY_ADVISE has not come before";
        return -EINVAL;
    }
    result = vhost_user_map_set_userfaultfd(device->map, -1);
    vhost_user_device_postcopy_clear(device);
    return vhost_user_device_message_reply_u64(message, (uint64_t)-result);
}

void vhost_user_device_postcopy_reply_table(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message)
{
    VhostUserMemory *memory = &message->payload.memory;

    for (uint32_t i = 0; i < memory->num_regions; i++) {
        memory->regions[i].user_address =
            vhost_user_map_base(device->map, memory->regions[i].guest_address);
    }
    message->reply_size = message->header.size;
    device->postcopy_ack = VHOST_USER_POSTCOPY_ACK_TABLE;
}

void vhost_user_device_postcopy_reply_region(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message)
{
    VhostUserMemoryRegion *region = &message->payload.region.region;

    region->user_address = vhost_user_map_base(device->map, region->guest_address);
    message->reply_size = message->header.size;
    device->postcopy_ack = VHOST_USER_POSTCOPY_ACK_REGIONS;
}

/*
 * The ack is a u64 under the number of the request that it ends.  A table's comes next and at once
 * (an empty table looks the same); one for regions comes behind each or behind the last, as
 * front-ends do both.
 */
bool vhost_user_device_postcopy_take_ack(VhostUserDevice *device,
                                         const VhostUserDeviceMessage *message)
{
    const VhostUserHeader *header = &message->header;
    bool table = device->postcopy_ack == VHOST_USER_POSTCOPY_ACK_TABLE;
    bool same = table ? header->request == VHOST_USER_SET_MEM_TABLE
                      : header->request == VHOST_USER_ADD_MEM_REG ||
                            header->request == VHOST_USER_REM_MEM_REG;

    if (device->postcopy_ack == VHOST_USER_POSTCOPY_ACK_NONE ||
        (!table && !(same && header->size == VHOST_USER_ACK_SIZE))) {
        return false;
    }
    if (!same || header->size != VHOST_USER_ACK_SIZE || message->fd_count > 0 ||
        (header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION) {
        vhost_user_device_fail(device, "%s (%u): the ack of the post-copy answer was due",
                               vhost_user_request_name(header->request), header->request);
    } else if (message->payload.u64 != 0) {
        vhost_user_device_fail(device, "%s (%u): the front-end does not take the post-copy answer",
                               vhost_user_request_name(header->request), header->request);
    }
    device->postcopy_ack = VHOST_USER_POSTCOPY_ACK_NONE;
    return true;
}
