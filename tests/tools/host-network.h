/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taps of a network namespace of the test's own. */
#ifndef TESTS_TOOLS_HOST_NETWORK_H
#define TESTS_TOOLS_HOST_NETWORK_H

/* The calling process, which has one thread, moves to a namespace of its own; without root to one
 * where it is root.  NULL, or why no tap can be had. */
const char *host_network_enter(void);

/* A descriptor of tap @name with @flags of TUNSETIFF, and with headers of virtio; -1 with errno. */
int host_tap_new(const char *name, short flags);

/* Interface @name gets the address to which net_frame_tcp() and others send, and is set up. */
void host_network_set_up(const char *name);

/* The host knows at @name the hardware address from which net_frame_ping() and others come, and
 * will not ask for it. */
void host_network_add_neighbour(const char *name);

#endif
