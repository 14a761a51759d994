/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors to and from a socket's control messages; each that arrives has an owner at once. */
#include "descriptors.h"

#include <string.h>
#include <unistd.h>

void vhost_user_descriptors_put(struct msghdr *header, VhostUserDescriptorControl *control,
                                const int *fds, unsigned count)
{
    if (count == 0) {
        header->msg_control = NULL;
        header->msg_controllen = 0;
        return;
    }
    memset(control, 0, sizeof(*control));
    control->head.cmsg_level = SOL_SOCKET;
    control->head.cmsg_type = SCM_RIGHTS;
    control->head.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control->head), fds, count * sizeof(int));
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

bool vhost_user_descriptors_take(struct msghdr *header, int *fds, unsigned room, unsigned *count)
{
    bool all = !(header->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t came = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < came; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
            if (*count < room) {
                fds[(*count)++] = fd;
            } else {
                close(fd);
                all = false;
            }
        }
    }
    return all;
}
