/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taps of a network namespace of the test's own. */
#include "tools/host-network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_ADDRESS "10.77.0.1" /* as in net-frames.c */
#define GUEST_ADDRESS "10.77.0.2"

const char *host_network_enter(void)
{
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return "no network namespace can be made";
    }
    int fd = host_tap_new("probe", 0);
    if (fd < 0) {
        return "no tap can be made";
    }
    close(fd);
    return NULL;
}

int host_tap_new(const char *name, short flags)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void host_network_set_up(const char *name)
{
    struct ifreq request = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&request.ifr_addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    address->sin_family = AF_INET;
    g_assert_cmpint(inet_pton(AF_INET, HOST_ADDRESS, &address->sin_addr), ==, 1);
    g_assert_cmpint(ioctl(fd, SIOCSIFADDR, &request), ==, 0);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
}

void host_network_add_neighbour(const char *name)
{
    static const guint8 mac[] = {0x52, 0x54, 0, 0, 0, 1};
    struct arpreq request = {.arp_flags = ATF_COM | ATF_PERM};
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&request.arp_pa;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.arp_dev, name, sizeof(request.arp_dev));
    request.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(request.arp_ha.sa_data, mac, sizeof(mac));
    address->sin_family = AF_INET;
    g_assert_cmpint(inet_pton(AF_INET, GUEST_ADDRESS, &address->sin_addr), ==, 1);
    g_assert_cmpint(ioctl(fd, SIOCSARP, &request), ==, 0);
    close(fd);
}
