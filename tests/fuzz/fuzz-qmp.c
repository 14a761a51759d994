/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the client of a QMP session over a machine.  Each value gets exactly one answer,
 * the session lives on, and nothing remains once devices, objects and chardevs are removed.
 * Inputs that would end the program or touch files and sockets outside are left out.
 */
#include "../unit/qmp-client.h"
#include "fuzz-machine.h"
#include "system/memory.h"
#include "util/trace.h"

#include <sys/eventfd.h>

#define VALUES_MAX 64 /* a schema is long: no input shall take seconds */

typedef struct Script {
    guint values;
    gboolean harmful;
} Script;

/* --- what may be run --- */

static const char *member_text(json_object *object, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(object, name, &value) &&
                   json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : "";
}

static gboolean is_harmful(const char *command, json_object *arguments)
{
    json_object *backend;

    if (g_str_equal(command, "quit")) {
        return TRUE;
    }
    if (g_str_equal(command, "chardev-add")) {
        return json_object_object_get_ex(arguments, "backend", &backend) &&
               !g_str_equal(member_text(backend, "type"), "null");
    }
    if (g_str_equal(command, "object-add")) {
        return g_str_equal(member_text(arguments, "qom-type"), "memory-backend-file") ||
               json_object_object_get_ex(arguments, "prealloc", NULL);
    }
    return FALSE;
}

static void look(json_object *value, GError *error, gpointer opaque)
{
    Script *script = opaque;
    json_object *arguments = NULL;

    script->values++;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_get_ex(value, "arguments", &arguments);
        script->harmful |= is_harmful(member_text(value, "execute"), arguments) ||
                           is_harmful(member_text(value, "exec-oob"), arguments);
    }
    json_object_put(value);
    g_clear_error(&error);
}

/* The session's own reader says how many values there are; the fuzzer of that one is another. */
static Script preview(const FuzzInput *input, const char *tail)
{
    g_autoptr(JsonReader) reader = json_reader_new();
    Script script = {0};

    json_reader_feed(reader, (const char *)input->data, input->size, look, &script);
    json_reader_feed(reader, tail, strlen(tail), look, &script);
    return script;
}

/* --- the conversation --- */

/* Descriptors come with a blank, which changes no value. */
static void send_fds(Client *client)
{
    int fds[4];

    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
    }
    client_send_fds(client, " ", fds, G_N_ELEMENTS(fds));
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        close(fds[i]);
    }
}

static void send_slices(Client *client, const FuzzInput *input, size_t slice)
{
    for (size_t at = 0, length; at < input->size; at += length) {
        length = MIN(slice, input->size - at);
        client_write(client, (const char *)input->data + at, length);
        client_receive(client);
    }
}

/* Counts the answers that are there. */
static guint take_answers(Client *client, const char **last_id)
{
    static char id[16];
    guint answers = 0;

    for (json_object *line; (line = client_line(client)); json_object_put(line)) {
        gboolean good = json_object_object_get_ex(line, "return", NULL);
        gboolean bad = json_object_object_get_ex(line, "error", NULL);
        gboolean other = json_object_object_get_ex(line, "event", NULL) ||
                         json_object_object_get_ex(line, "QMP", NULL);

        fuzz_require(good + bad + other == 1);
        answers += !other;
        if (!other) {
            g_strlcpy(id, member_text(line, "id"), sizeof(id));
        }
    }
    *last_id = id;
    return answers;
}

static void converse(const FuzzInput *input, uint8_t mode, const char *tail, guint values)
{
    Client *client = client_new();
    const char *id;

    if (mode & 1) {
        client_negotiate(client, (mode & 2) != 0);
    }
    if (mode & 4) {
        send_fds(client);
    }
    send_slices(client, input, mode >> 3 ? mode >> 3 : SIZE_MAX);
    client_send(client, tail);
    fuzz_require(take_answers(client, &id) == values);
    client_send(client, "{\"execute\":\"query-status\",\"id\":\"alive\"}");
    fuzz_require(take_answers(client, &id) == 1 && g_str_equal(id, "alive"));
    fuzz_require(client->disconnects == 0);
    client_free(client);
}

/* --- afterwards --- */

static void restore(void)
{
    fuzz_machine_restore();
    trace_enable_pattern("*", FALSE);
    fd_names_clear();
    fuzz_machine_clear(NULL);
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    fuzz_machine_make();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Whatever the input leaves open is ended: by a line end in a string, by a stray byte. */
    static const char tail[] = "\n\xff\n";
    FuzzInput input = {data, size};
    uint8_t mode = fuzz_byte(&input);
    Script script = preview(&input, tail);
    guint sections = memory_section_count();
    guint fds = fuzz_open_fds();

    if (script.harmful || script.values > VALUES_MAX) {
        return 0;
    }
    converse(&input, mode, tail, script.values);
    restore();
    fuzz_require(memory_section_count() == sections);
    fuzz_require(fuzz_open_fds() == fds);
    return 0;
}
