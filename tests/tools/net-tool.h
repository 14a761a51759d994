/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-net without a network of the host, and frames of a guest that all follow from a seed.
 * What goes wrong ends the test program.  One thread.
 */
#ifndef TESTS_TOOLS_NET_TOOL_H
#define TESTS_TOOLS_NET_TOOL_H

#include "tools/names.h"
#include "tools/net-guest.h"
#include "tools/program.h"

typedef struct NetTool {
    ToolNames *names;
    ToolProgram *program;
} NetTool;

/* @network: the option that says where frames go; NULL: to a second guest, at names->second. */
NetTool *net_tool_start(const char *network, const char *arguments);
void net_tool_end(NetTool *tool);

/* Sends a frame, or waits for it: in as few buffers as it fits into, and with nothing to complete.
 */
void net_tool_send(NetGuest *guest, guint pair, gsize size, guint seed);
void net_tool_expect(NetGuest *guest, guint pair, gsize size, guint seed);
void net_tool_expect_none(NetGuest *guest, guint pair);

/* A frame there and back shows that the first pair goes on, and that nothing came before it. */
void net_tool_check_goes_on(NetGuest *guest);

#endif
