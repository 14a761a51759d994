/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * docs/interop/qmp.rst: the registered tables as a document.  Types of
 * object-add's properties are left to "-object TYPE,help", so that the text
 * does not depend on the host's build.
 */
#include "qmp-internal.h"

#include <string.h>

static const char introduction[] =
    ".. SPDX-License-Identifier: GPL-2.0-or-later\n"
    ".. Made by \"build/qmp-document\" from the tables in the sources; change those instead.\n"
    "\n"
    "QMP: commands, events and types\n"
    "===============================\n"
    "\n"
    "A client controls the virtual machine with JSON (RFC 8259) over a stream: a unix or TCP\n"
    "socket, a terminal or an inherited descriptor (``-qmp``, ``-mon mode=control``, ``-object\n"
    "monitor-qmp``). Several clients may do so at once.\n"
    "\n"
    "The session\n"
    "-----------\n"
    "\n"
    "On connection the program sends a greeting::\n"
    "\n"
    "    {\"QMP\": {\"version\": {...}, \"capabilities\": [\"oob\"]}}\n"
    "\n"
    "The client ends the negotiation with ``qmp_capabilities``; until then nothing else is\n"
    "accepted. From then on it may send any command::\n"
    "\n"
    "    {\"execute\": NAME, \"arguments\": {...}, \"id\": ANY}\n"
    "\n"
    "``arguments`` may be left out where none is needed, ``id`` always; an ``id`` comes back with\n"
    "the answer, which is one of::\n"
    "\n"
    "    {\"return\": VALUE, \"id\": ANY}\n"
    "    {\"error\": {\"class\": CLASS, \"desc\": TEXT}, \"id\": ANY}\n"
    "\n"
    "CLASS is ``GenericError``, ``CommandNotFound``, ``DeviceNotFound`` or ``DeviceNotActive``;\n"
    "TEXT is for people. Events come at any time between answers::\n"
    "\n"
    "    {\"event\": NAME, \"data\": {...}, \"timestamp\": {\"seconds\": N, \"microseconds\": N}}\n"
    "\n"
    "Every line that the program sends ends in CR LF. Commands of one client are carried out and\n"
    "answered in order. One that takes long holds up its own client only. A client that enabled\n"
    "the capability ``oob`` may send commands marked as out of band with ``exec-oob`` in place of\n"
    "``execute``; they are answered at once, before others that wait.\n"
    "\n"
    "A string may stand between single quotes too, as test programs write it: ``{'execute': "
    "'stop'}``.\n"
    "There ``\"`` needs no backslash and ``\\'`` is a single quote. All else is as RFC 8259 has "
    "it; the\n"
    "program itself writes double quotes.\n"
    "\n"
    "Input that is wrong is answered with an error, and the session goes on. Values are limited "
    "to\n"
    "64 MiB and 1,024 levels of nesting. Some requests are kept while one is carried out, further\n"
    "ones wait in the socket. For a client that does not read, events are dropped once 8 MiB wait\n"
    "for it, and commands are no longer read once 16 MiB do.\n"
    "\n"
    "Types\n"
    "-----\n"
    "\n"
    "``str``, ``bool``, ``int`` (64 bits with a sign), ``uint8`` to ``uint64``, ``size`` (bytes, "
    "as\n"
    "uint64), ``number``, ``null`` and ``any`` are built in; ``[T]`` is a list of T. The others "
    "are\n"
    "described under `Named types`_. Unknown members are errors.\n";

static void heading(GString *text, const char *title, char underline)
{
    g_autofree char *line = g_strnfill(strlen(title), underline);

    g_string_append_printf(text, "\n%s\n%s\n\n", title, line);
}

/* Appends @paragraph in lines of at most 99 characters. */
static void paragraph(GString *text, const char *words)
{
    g_auto(GStrv) parts = g_strsplit(words, " ", -1);
    gsize column = 0;

    for (guint i = 0; parts[i]; i++) {
        gsize length = strlen(parts[i]);

        if (length == 0) {
            continue;
        }
        if (column > 0 && column + 1 + length > 99) {
            g_string_append_c(text, '\n');
            column = 0;
        } else if (column > 0) {
            g_string_append_c(text, ' ');
            column++;
        }
        for (const char *byte = parts[i]; *byte; byte++) {
            if (strchr("*`|\\", *byte)) {
                g_string_append_c(text, '\\'); /* reStructuredText would see markup */
            }
            g_string_append_c(text, *byte);
        }
        column += length;
    }
    g_string_append_c(text, '\n');
}

static void append_members(GString *text, const QmpMembers *members, const char *open)
{
    for (guint i = 0; i < members->members->len; i++) {
        const QmpMember *member = &g_array_index(members->members, QmpMember, i);
        g_autofree char *use = qmp_type_use_text(&member->use);

        g_string_append_printf(text, "- ``%s``: %s%s\n", member->name, use,
                               member->optional ? ", optional" : "");
    }
    if (members->open) {
        g_string_append_printf(text, "- %s\n", open);
    }
}

/* "Title:" and the list, or nothing if @list has no member. */
static void append_list(GString *text, const char *title, const char *list, const char *open)
{
    g_autoptr(QmpMembers) members = qmp_members_parse(list, NULL);

    if (members && (members->members->len > 0 || members->open)) {
        g_string_append_printf(text, "\n%s:\n\n", title);
        append_members(text, members, open);
    }
}

static void append_command(GString *text, const QmpCommand *command)
{
    heading(text, command->name, '^');
    paragraph(text, command->doc);
    append_list(text, "Arguments", command->arguments,
                "further members: the properties of what is added");
    g_string_append_printf(text, "\nReturns: %s\n",
                           command->returns ? command->returns : "an empty object");
    if (command->flags & QMP_COMMAND_OOB) {
        g_string_append(text, "\nMay be run out of band.\n");
    }
    if (command->features) {
        g_string_append_printf(text, "\nFeatures: %s\n", command->features);
    }
}

static void append_event(GString *text, const QmpEvent *event)
{
    heading(text, event->name, '^');
    paragraph(text, event->doc);
    append_list(text, "Data", event->data, "further members");
}

static void append_variants(GString *text, const QmpTypeInfo *info)
{
    g_string_append_printf(text, "\nBy ``%s`` there are also the members of:\n\n", info->tag);
    for (guint i = 0; i < info->variants->len; i++) {
        const QmpVariant *variant = &g_array_index(info->variants, QmpVariant, i);

        g_string_append_printf(text, "- ``%s``: %s\n", variant->value, variant->type);
    }
}

static void append_type(GString *text, const QmpType *type)
{
    const QmpTypeInfo *info = qmp_type_find(type->name, NULL);

    if (!info) {
        return; /* a mistake in a table, which a unit test finds */
    }
    heading(text, type->name, '^');
    paragraph(text, type->doc);
    if (info->values) {
        g_autofree char *values = g_strjoinv("``, ``", info->values);

        g_string_append_printf(text, "\nOne of ``%s``\n", values);
    } else {
        append_list(text, "Members", info->source->kind == QMP_OBJECT ? type->members : NULL,
                    "further members");
    }
    if (info->variants) {
        g_string_append(text, "\nMembers:\n\n");
        append_members(text, info->members, "further members");
        append_variants(text, info);
    }
    if (type->features) {
        g_string_append_printf(text, "\nFeatures: %s\n", type->features);
    }
}

char *qmp_document(void)
{
    GString *text = g_string_new(introduction);

    heading(text, "Commands", '-');
    g_string_truncate(text, text->len - 1);
    for (guint i = 0; i < qmp_commands()->len; i++) {
        append_command(text, g_ptr_array_index(qmp_commands(), i));
    }
    heading(text, "Events", '-');
    g_string_truncate(text, text->len - 1);
    for (guint i = 0; i < qmp_events()->len; i++) {
        append_event(text, g_ptr_array_index(qmp_events(), i));
    }
    heading(text, "Named types", '-');
    g_string_truncate(text, text->len - 1);
    for (guint i = 0; i < qmp_types()->len; i++) {
        append_type(text, g_ptr_array_index(qmp_types(), i));
    }
    return g_string_free(text, FALSE);
}
