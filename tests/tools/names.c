/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/names.h"

#include "qtest/vmm.h"

#include <glib/gstdio.h>

ToolNames *tool_names_new(void)
{
    ToolNames *names = g_new0(ToolNames, 1);

    names->socket = vmm_temporary_path("socket");
    names->second = vmm_temporary_path("second");
    names->pidfile = vmm_temporary_path("pidfile");
    return names;
}

void tool_names_free(ToolNames *names)
{
    if (names->image) {
        g_unlink(names->image);
    }
    g_free(names->image);
    g_free(names->socket);
    g_free(names->second);
    g_free(names->pidfile);
    g_free(names);
}

gboolean tool_name_exists(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

void tool_name_wait_gone(const char *path)
{
    for (guint i = 0; i < 4000 && tool_name_exists(path); i++) {
        g_usleep(5000);
    }
    g_assert_false(tool_name_exists(path));
}
