/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of sockets and files in the directory of a test, and whether they are there. */
#ifndef TESTS_TOOLS_NAMES_H
#define TESTS_TOOLS_NAMES_H

#include <glib.h>

typedef struct ToolNames {
    char *socket, *second, *pidfile; /* not there yet */
    char *image;                     /* NULL: the test's to make; removed at the end */
} ToolNames;

ToolNames *tool_names_new(void);
void tool_names_free(ToolNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ToolNames, tool_names_free)

gboolean tool_name_exists(const char *path);
/* Until it is there no longer, or fails after 20 s. */
void tool_name_wait_gone(const char *path);

#endif
