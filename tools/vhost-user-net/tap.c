/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tap device of the host. */
#include "tools/vhost-user-net/tap.h"

#include "tools/vhost-user-net/header.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"
#define MTU_OTHERWISE 1500u

struct NetTap {
    char *label; /* "--tap NAME", which errors begin with */
    char name[IFNAMSIZ];
    guint mtu;
    guint queues;
    int *fds;
    gboolean multiple; /* IFF_MULTI_QUEUE */
};

const SandboxCall net_tap_calls[] = {
    {SCMP_SYS(readv), -1, 0, 0},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, TUNSETOFFLOAD},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, TUNSETVNETHDRSZ},
    {SCMP_SYS(ioctl), 1, UINT64_MAX, TUNSETQUEUE},
};
const gsize net_tap_call_count = G_N_ELEMENTS(net_tap_calls);

static NetTap *tap_new(char *label, guint queues)
{
    NetTap *tap = g_new0(NetTap, 1);

    tap->label = label;
    tap->queues = queues;
    tap->fds = g_new(int, queues);
    for (guint i = 0; i < queues; i++) {
        tap->fds[i] = -1;
    }
    return tap;
}

void net_tap_free(NetTap *tap)
{
    if (tap) {
        for (guint i = 0; i < tap->queues; i++) {
            fd_clear(&tap->fds[i]);
        }
        g_free(tap->fds);
        g_free(tap->label);
        g_free(tap);
    }
}

/* Of the network that this process is in; an inherited tap may lie in another. */
static guint read_mtu(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    guint mtu = MTU_OTHERWISE;

    memcpy(request.ifr_name, name, sizeof(request.ifr_name));
    if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0) {
        mtu = (guint)request.ifr_mtu;
    }
    fd_clear(&fd);
    return mtu;
}

/* What both ways of opening end with; frees @tap if it fails. */
static NetTap *complete(NetTap *tap, GError **error)
{
    struct ifreq request = {0};

    for (guint i = 0; i < tap->queues; i++) {
        if (!fd_set_nonblocking(tap->fds[i], TRUE, error)) {
            g_prefix_error(error, "%s: ", tap->label);
            net_tap_free(tap);
            return NULL;
        }
    }
    if (ioctl(tap->fds[0], TUNGETIFF, &request) == 0) {
        memcpy(tap->name, request.ifr_name, sizeof(tap->name));
        tap->multiple = (request.ifr_flags & IFF_MULTI_QUEUE) != 0;
    }
    tap->mtu = read_mtu(tap->name);
    if (!net_tap_set_features(tap, 0, error)) {
        net_tap_free(tap);
        return NULL;
    }
    for (guint i = 0; i < tap->queues; i++) {
        net_tap_enable(tap, i, FALSE);
    }
    return tap;
}

/* --- by name --- */

static int attach(int fd, const char *name, short flags)
{
    struct ifreq request = {.ifr_flags = flags};

    memcpy(request.ifr_name, name, strlen(name));
    return ioctl(fd, TUNSETIFF, &request);
}

static int open_queue(NetTap *tap, const char *name, GError **error)
{
    const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        vm_error_set_errno(error, errno, "%s: cannot open " DEVICE, tap->label);
        return -1;
    }
    int result = attach(fd, name, tap->queues > 1 ? flags | IFF_MULTI_QUEUE : flags);
    if (result < 0 && errno == EINVAL && tap->queues == 1) {
        /* One that was made for several queues takes a single one, too. */
        result = attach(fd, name, flags | IFF_MULTI_QUEUE);
    }
    if (result == 0) {
        return fd;
    }
    switch (errno) {
    case EINVAL:
        vm_error_set(
            error,
            "%s: the interface is no tap%s of no other program; one is made with 'ip tuntap "
            "add dev %s mode tap%s vnet_hdr'",
            tap->label, tap->queues > 1 ? " with several queues (--queues) and" : ", or one", name,
            tap->queues > 1 ? " multi_queue" : "");
        break;
    case EPERM:
        vm_error_set(error,
                     "%s: not permitted: needs CAP_NET_ADMIN, or 'ip tuntap add dev %s mode tap "
                     "user NAME' by somebody who has it",
                     tap->label, name);
        break;
    default:
        vm_error_set_errno(error, errno, "%s: cannot be attached to", tap->label);
        break;
    }
    fd_clear(&fd);
    return -1;
}

NetTap *net_tap_open(const char *name, guint queues, GError **error)
{
    NetTap *tap = tap_new(g_strdup_printf("--tap %s", name), queues);

    if (strlen(name) >= IFNAMSIZ) {
        vm_error_set(error, "%s: the name has %zu bytes, that of an interface at most %d",
                     tap->label, strlen(name), IFNAMSIZ - 1);
        net_tap_free(tap);
        return NULL;
    }
    for (guint i = 0; i < queues; i++) {
        tap->fds[i] = open_queue(tap, i ? tap->name : name, error);
        if (tap->fds[i] < 0) {
            net_tap_free(tap);
            return NULL;
        }
        if (i == 0) {
            struct ifreq request = {0};

            /* "tap%d" has become a number. */
            if (ioctl(tap->fds[0], TUNGETIFF, &request) == 0) {
                memcpy(tap->name, request.ifr_name, sizeof(tap->name));
            }
        }
    }
    return complete(tap, error);
}

/* --- inherited --- */

static gboolean check_inherited(const NetTap *tap, int fd, GError **error)
{
    struct ifreq request = {0};

    if (fcntl(fd, F_GETFD) < 0) {
        vm_error_set(error, "%s: there is no descriptor %d", tap->label, fd);
        return FALSE;
    }
    if (ioctl(fd, TUNGETIFF, &request) < 0) {
        vm_error_set(error, "%s: descriptor %d is no queue of a tap", tap->label, fd);
        return FALSE;
    }
    if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_VNET_HDR) ||
        !(request.ifr_flags & IFF_NO_PI)) {
        vm_error_set(error,
                     "%s: descriptor %d: expected a tap that was attached with IFF_TAP | IFF_NO_PI "
                     "| IFF_VNET_HDR",
                     tap->label, fd);
        return FALSE;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return TRUE;
}

static gboolean parse_number(const char *text, int *number)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &value, NULL)) {
        return FALSE;
    }
    *number = (int)value;
    return TRUE;
}

static gboolean take_numbers(NetTap *tap, char **numbers, GError **error)
{
    guint count = g_strv_length(numbers);

    if (count != tap->queues) {
        vm_error_set(error, "%s: %u descriptors for --queues %u; expected one for each, as N,N,...",
                     tap->label, count, tap->queues);
        return FALSE;
    }
    for (guint i = 0; i < count; i++) {
        int fd;

        if (!parse_number(numbers[i], &fd)) {
            vm_error_set(error, "%s: '%s' is not the number of a descriptor", tap->label,
                         numbers[i]);
            return FALSE;
        }
        for (guint j = 0; j < i; j++) {
            if (tap->fds[j] == fd) {
                vm_error_set(error, "%s: descriptor %d is given twice", tap->label, fd);
                return FALSE;
            }
        }
        if (!check_inherited(tap, fd, error)) {
            return FALSE;
        }
        tap->fds[i] = fd;
    }
    return TRUE;
}

NetTap *net_tap_inherit(const char *numbers, guint queues, GError **error)
{
    NetTap *tap = tap_new(g_strdup_printf("--tap-fd %s", numbers), queues);
    g_auto(GStrv) list = g_strsplit(numbers, ",", -1);

    if (!take_numbers(tap, list, error)) {
        net_tap_free(tap);
        return NULL;
    }
    return complete(tap, error);
}

/* --- use --- */

const char *net_tap_name(const NetTap *tap)
{
    return tap->name;
}

guint net_tap_mtu(const NetTap *tap)
{
    return tap->mtu;
}

int net_tap_fd(const NetTap *tap, guint queue)
{
    return tap->fds[queue];
}

static unsigned offloads(uint64_t features)
{
    static const struct {
        guint feature;
        unsigned offload;
    } pairs[] = {
        {VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
        {VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6},
        {VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN},
    };
    unsigned result = 0;

    /* 5.1.3.1: all of them need GUEST_CSUM, and the kernel refuses them without. */
    if (features & NET_FEATURE(VIRTIO_NET_F_GUEST_CSUM)) {
        result = TUN_F_CSUM;
        for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
            result |= features & NET_FEATURE(pairs[i].feature) ? pairs[i].offload : 0;
        }
    }
    return result;
}

gboolean net_tap_set_features(NetTap *tap, uint64_t features, GError **error)
{
    int header_size = (int)net_header_size(features);

    if (ioctl(tap->fds[0], TUNSETVNETHDRSZ, &header_size) < 0 ||
        ioctl(tap->fds[0], TUNSETOFFLOAD, (unsigned long)offloads(features)) < 0) {
        vm_error_set_errno(error, errno, "%s: headers and offloads cannot be set", tap->label);
        return FALSE;
    }
    return TRUE;
}

void net_tap_enable(NetTap *tap, guint queue, gboolean enabled)
{
    struct ifreq request = {.ifr_flags = enabled ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

    /* Fails only where the queue is as wanted already. */
    if (tap->multiple && ioctl(tap->fds[queue], TUNSETQUEUE, &request) < 0) {
        return;
    }
}
