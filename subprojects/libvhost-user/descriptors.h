/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptors that go with a message's bytes (unix(7), cmsg(3)), at either end.  Private to the
 * library.
 */
#ifndef VHOST_USER_DESCRIPTORS_H
#define VHOST_USER_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "libvhost-user/wire.h"

/* Room for all that may go with one message: msg_control of a recvmsg(), too. */
typedef union VhostUserDescriptorControl {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(VHOST_USER_MAX_REGIONS_IN_MESSAGE * sizeof(int))];
} VhostUserDescriptorControl;

/* Sends @count of @fds, at most VHOST_USER_MAX_REGIONS_IN_MESSAGE, with @header; 0: none. */
void vhost_user_descriptors_put(struct msghdr *header, VhostUserDescriptorControl *control,
                                const int *fds, unsigned count);

/*
 * Adds what came with @header to the *@count of @fds, up to @room of them, and closes the rest.
 * false: there was a rest, or the kernel could not give us all (MSG_CTRUNC), which never became
 * ours.
 */
bool vhost_user_descriptors_take(struct msghdr *header, int *fds, unsigned room, unsigned *count);

#endif
