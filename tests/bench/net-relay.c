/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between a virtual machine monitor and its back-end: hands messages on, replaces descriptors. */
#include "net-relay.h"

#include "qtest/vmm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE 10000 /* milliseconds for what is left of a message, and to send one */

struct NetRelay {
    char *path, *back_end;
    int listener;
    GThread *thread;
    const NetLoad *load; /* atomic */
    gint replaced, regions_added;
};

/* The queue's own descriptor for a SET_VRING_KICK or SET_VRING_CALL that brings one, or -1. */
static int own_descriptor(NetRelay *relay, const VhostUserFrontEndMessage *message)
{
    const NetLoad *load = g_atomic_pointer_get(&relay->load);
    guint64 index = message->content.payload.u64 & VHOST_USER_VRING_IDX_MASK;

    if (!load || message->fd_count != 1 || index >= NET_LOAD_QUEUES) {
        return -1;
    }
    switch (message->header.request) {
    case VHOST_USER_SET_VRING_KICK:
        return vhost_user_driver_queue_kick_fd(load->queues[index]);
    case VHOST_USER_SET_VRING_CALL:
        return vhost_user_driver_queue_call_fd(load->queues[index]);
    default:
        return -1;
    }
}

/* One message from @from to @to; FALSE at the end of the connection. */
static gboolean hand_on(NetRelay *relay, VhostUserFrontEnd *from, VhostUserFrontEnd *to)
{
    VhostUserFrontEndMessage message;
    gboolean sent;

    if (vhost_user_front_end_receive(from, &message) < 0) {
        return FALSE;
    }
    int own = own_descriptor(relay, &message);
    const int *fds = own >= 0 ? &own : message.fds;

    sent = vhost_user_front_end_send(
               to, message.header.request, message.header.flags & ~VHOST_USER_VERSION_MASK,
               message.content.bytes, message.header.size, fds, message.fd_count) == 0;
    g_atomic_int_add(&relay->replaced, own >= 0);
    g_atomic_int_add(&relay->regions_added, message.header.request == VHOST_USER_ADD_MEM_REG &&
                                                !(message.header.flags & VHOST_USER_FLAG_REPLY));
    vhost_user_front_end_message_clear(&message);
    return sent;
}

static gpointer serve(gpointer opaque)
{
    NetRelay *relay = opaque;
    int client = accept(relay->listener, NULL, NULL);

    if (client < 0) {
        return NULL; /* net_relay_free() before anybody came */
    }
    VhostUserFrontEnd *monitor = vhost_user_front_end_new(client, DEADLINE);
    VhostUserFrontEnd *back_end = vhost_user_front_end_connect(relay->back_end, DEADLINE);
    if (!monitor || !back_end) {
        vmm_fail("%s: %s", relay->back_end, g_strerror(errno));
    }
    struct pollfd ends[] = {
        {.fd = vhost_user_front_end_socket(monitor), .events = POLLIN},
        {.fd = vhost_user_front_end_socket(back_end), .events = POLLIN},
    };
    gboolean goes_on = TRUE;

    while (goes_on && (poll(ends, G_N_ELEMENTS(ends), -1) >= 0 || errno == EINTR)) {
        goes_on = (!ends[0].revents || hand_on(relay, monitor, back_end)) &&
                  (!ends[1].revents || hand_on(relay, back_end, monitor));
    }
    vhost_user_front_end_free(monitor);
    vhost_user_front_end_free(back_end);
    return NULL;
}

NetRelay *net_relay_start(const char *back_end)
{
    NetRelay *relay = g_new0(NetRelay, 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    relay->back_end = g_strdup(back_end);
    relay->path = vmm_temporary_path("relay");
    relay->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (g_strlcpy(address.sun_path, relay->path, sizeof(address.sun_path)) >=
            sizeof(address.sun_path) ||
        relay->listener < 0 ||
        bind(relay->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(relay->listener, 1) < 0) {
        vmm_fail("%s: %s", relay->path, g_strerror(errno));
    }
    relay->thread = g_thread_new("relay", serve, relay);
    return relay;
}

const char *net_relay_path(const NetRelay *relay)
{
    return relay->path;
}

void net_relay_set_load(NetRelay *relay, const NetLoad *load)
{
    g_atomic_pointer_set(&relay->load, load);
}

guint net_relay_replaced(NetRelay *relay)
{
    return (guint)g_atomic_int_get(&relay->replaced);
}

guint net_relay_regions_added(NetRelay *relay)
{
    return (guint)g_atomic_int_get(&relay->regions_added);
}

void net_relay_free(NetRelay *relay)
{
    shutdown(relay->listener, SHUT_RDWR);
    g_thread_join(relay->thread);
    close(relay->listener);
    unlink(relay->path);
    g_free(relay->path);
    g_free(relay->back_end);
    g_free(relay);
}
