/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-net: plays a guest with a network card against a back-end that sends each frame back, with
 * no virtual machine monitor between them: frames a second, the way of one, the back-end's CPU.
 */
#include "net-load.h"
#include "process.h"
#include "times.h"

#include "qtest/vmm.h"

#include <errno.h>
#include <stdio.h>

#define MEMORY_BASE 0x100000u
#define MEMORY_SIZE (16u << 20)
#define DEADLINE 5000 /* milliseconds for an answer */

static char *socket_path, *sizes_text;
static int pid, milliseconds = 500;

static void check(const VhostUserFrontEnd *front, int result)
{
    if (result < 0) {
        vmm_fail("%s", vhost_user_front_end_error(front));
    }
}

static VhostUserFrontEnd *start(const VhostUserGuestMemory *memory, NetLoad *load)
{
    VhostUserFrontEnd *front = vhost_user_front_end_connect(socket_path, DEADLINE);

    if (!front) {
        vmm_fail("%s: %s", socket_path, g_strerror(errno));
    }
    check(front, vhost_user_front_end_negotiate(front, NET_LOAD_FEATURES,
                                                1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
                                                    1ull << VHOST_USER_PROTOCOL_F_MQ));
    check(front, vhost_user_front_end_add_memory(front, memory->areas, memory->count));
    for (guint i = 0; i < NET_LOAD_QUEUES; i++) {
        VhostUserRingSetup setup;

        vhost_user_driver_queue_setup(load->queues[i], &setup);
        check(front, vhost_user_front_end_start_ring(front, &setup));
    }
    return front;
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"socket", 0, 0, G_OPTION_ARG_STRING, &socket_path, "the back-end's", "PATH"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &pid, "the back-end's process", "N"},
        {"sizes", 0, 0, G_OPTION_ARG_STRING, &sizes_text, "bytes of a frame", "N,N,..."},
        {"milliseconds", 0, 0, G_OPTION_ARG_INT, &milliseconds, "of each measurement", "N"},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree guint *sizes = NULL;
    NetLoad load;

    process_parse_options(entries, argc, argv);
    sizes = net_load_sizes(sizes_text ? sizes_text : "64");
    if (!socket_path || pid <= 0 || !sizes || milliseconds < 1) {
        vmm_fail("--socket and --pid are needed; --sizes are from %d to %d", NET_LOAD_FRAME_MIN,
                 NET_LOAD_FRAME_MAX);
    }
    VhostUserGuestMemory *memory = vhost_user_guest_memory_new(MEMORY_BASE, MEMORY_SIZE, 1, 0);
    if (!memory) {
        vmm_fail("guest memory: %s", g_strerror(errno));
    }
    net_load_init(&load, memory->areas, memory->count, MEMORY_BASE);
    VhostUserFrontEnd *front = start(memory, &load);
    net_load_reach(&load);
    net_load_measure(&load, sizes, pid, milliseconds * G_GINT64_CONSTANT(1000000));
    printf("\n");
    vhost_user_front_end_free(front);
    net_load_clear(&load);
    vhost_user_guest_memory_free(memory);
    return 0;
}
