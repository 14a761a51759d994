/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-net without a network of the host. */
#include "tools/net-tool.h"

#include "tools/net-frames.h"

#define MILLISECONDS 20000
#define SHORTLY 100 /* long enough for what must not come */

NetTool *net_tool_start(const char *network, const char *arguments)
{
    NetTool *tool = g_new0(NetTool, 1);

    tool->names = tool_names_new();
    g_autofree char *pair = g_strdup_printf("--pair %s", tool->names->second);
    tool->program = tool_program_start(NULL, "%s --socket-path %s --stats %s",
                                       network ? network : pair, tool->names->socket, arguments);
    return tool;
}

void net_tool_end(NetTool *tool)
{
    tool_program_end(tool->program);
    tool_names_free(tool->names);
    g_free(tool);
}

static guint8 frame[NET_GUEST_FRAME];

void net_tool_send(NetGuest *guest, guint pair, gsize size, guint seed)
{
    net_frame_fill(frame, size, seed);
    net_guest_send(guest, pair, NULL, frame, (guint32)size);
}

void net_tool_expect(NetGuest *guest, guint pair, gsize size, guint seed)
{
    struct virtio_net_hdr_mrg_rxbuf header;
    gssize got = net_guest_receive(guest, pair, frame, &header, MILLISECONDS);
    gsize buffer = guest->options.buffer_size;

    if (!net_frame_is(frame, got, size, seed)) {
        tool_program_fail("not the frame of %zu bytes: %zd", size, got);
    }
    g_assert_cmpuint(header.hdr.flags, ==, 0);
    g_assert_cmpuint(header.hdr.gso_type, ==, VIRTIO_NET_HDR_GSO_NONE);
    g_assert_cmpuint(header.num_buffers, ==, (size + guest->header_size + buffer - 1) / buffer);
}

void net_tool_expect_none(NetGuest *guest, guint pair)
{
    g_assert_cmpint(net_guest_receive(guest, pair, frame, NULL, SHORTLY), ==, -1);
}

void net_tool_check_goes_on(NetGuest *guest)
{
    net_tool_send(guest, 0, 77, 5);
    net_tool_expect(guest, 0, 77, 5);
}
