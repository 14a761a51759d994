/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/system/monitor.rst: what stands before the commands, and the commands from their table. */
#include "monitor/monitor.h"

#include "hmp-internal.h"

#include <string.h>

static const char preface[] =
    ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
    ".. Written by build/hmp-document; a test holds it against the program.\n"
    "\n"
    "The human monitor\n"
    "=================\n"
    "\n"
    "A prompt at which a person steers the machine: ``-monitor stdio``,\n"
    "``-monitor unix:PATH,server=on,wait=off``, or ``-mon chardev=ID,mode=readline`` for any\n"
    "character device. As many of them as you like work side by side, beside QMP. Programs use\n"
    ":doc:`/interop/qmp`; for what they lack there, ``human-monitor-command`` runs a line of the\n"
    "human monitor and returns its text.\n"
    "\n"
    "A line is a command and its arguments, separated by blanks. ``\"...\"`` keeps blanks "
    "together,\n"
    "and within it a backslash the character behind. ``device_add``, ``object_add`` and\n"
    "``chardev-add`` take what ``-device``, ``-object`` and ``-chardev`` take. What goes wrong is\n"
    "one line that begins with ``Error:``. A command that has to wait, such as ``device_add`` of\n"
    "memory while the backends map it, brings its prompt back when it is done; other monitors go\n"
    "on meanwhile.\n"
    "\n"
    "Lines are edited by libedit, with the keys of a shell: the cursor keys, Home, End, Delete,\n"
    "Ctrl-A, Ctrl-E, Ctrl-K, Ctrl-U, Ctrl-W, Ctrl-Y and so on. The up and down keys bring back\n"
    "earlier lines, Ctrl-R those that begin with what is typed. Tab completes commands, the\n"
    "subcommands of ``info``, ids of devices, objects and character devices, types and their\n"
    "properties, and paths; pressed again it lists what is possible. Ctrl-C drops the line.\n"
    "On a machine without pseudo-terminals or libedit there are Backspace and Ctrl-U only.\n"
    "\n"
    "Differences from QEMU: commands for what this machine does not have (disks of its own,\n"
    "displays, snapshots, migration) do not exist; ``info mtree`` says who owns each region;\n"
    "``quit`` is the only command that ends the program.\n"
    "\n"
    "Commands\n"
    "--------\n";

static void describe(GString *text, const HmpCommand *command)
{
    g_autofree char *usage = hmp_command_usage(command);

    g_string_append_printf(text, "\n``%s``", usage);
    if (command->alias) {
        g_string_append_printf(text, ", ``%s``", command->alias);
    }
    g_string_append_printf(text, "\n    %c%s.", g_ascii_toupper(*command->help), command->help + 1);
    if (command->qmp) {
        g_string_append_printf(text, " QMP: ``%s``.", command->qmp);
    }
    g_string_append_c(text, '\n');
}

char *monitor_hmp_document(void)
{
    GString *text = g_string_new(preface);
    g_autoptr(GPtrArray) all = hmp_commands();

    for (guint i = 0; i < all->len; i++) {
        describe(text, all->pdata[i]);
    }
    return g_string_free(text, FALSE);
}
