/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as somebody at the human monitor: typed at its line editor, or as lines of QMP's
 * human-monitor-command.  Each line is answered once, the monitor lives on, and nothing remains.
 * Lines that would end the program or touch files and sockets outside are not run.
 */
#include "../../monitor/hmp-internal.h"
#include "../unit/qmp-client.h"
#include "chardev/chardev.h"
#include "fuzz-machine.h"
#include "monitor/monitor.h"
#include "system/memory.h"
#include "util/trace.h"

#include <glib/gstdio.h>

#define LINES_MAX 100 /* some print much: no input shall take seconds */
#define MONITOR "monitor"

/* ncurses keeps what it read of a terminal where LeakSanitizer does not look. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libtinfo";
}

static char *socket_path;
static guint lines_run;

/* --- what may be run --- */

static gboolean is_harmful(const char *line)
{
    g_autoptr(GPtrArray) words = hmp_split(line, NULL, NULL);
    const char *name = words && words->len > 0 ? words->pdata[0] : "";
    const char *options = words && words->len > 1 ? words->pdata[1] : "";

    if (g_str_equal(name, "chardev-add")) {
        return !g_str_has_prefix(options, "null,") || strstr(options, "backend") ||
               strstr(options, "logfile");
    }
    if (g_str_equal(name, "object_add")) { /* as JSON they may be spelled with escapes */
        return *options == '{' || strstr(options, "memory-backend-file") ||
               strstr(options, "prealloc");
    }
    return g_str_equal(name, "quit") || g_str_equal(name, "q") || g_str_equal(name, "logfile");
}

/* The linker puts this in the place of hmp_run() (--wrap): only here are a typed line's words
 * known, after all editing. */
typedef void Finished(const char *output, gpointer opaque);
void __real_hmp_run(const char *line, Finished *finished, gpointer opaque);
void __wrap_hmp_run(const char *line, Finished *finished, gpointer opaque);

void __wrap_hmp_run(const char *line, Finished *finished, gpointer opaque)
{
    if (++lines_run > LINES_MAX || is_harmful(line)) {
        finished("", opaque);
    } else {
        __real_hmp_run(line, finished, opaque);
    }
}

/* --- the two ways in --- */

static void type(const FuzzInput *input, size_t slice)
{
    Client *client = client_new_at(socket_path);

    for (size_t at = 0, length; at < input->size; at += length) {
        length = MIN(slice, input->size - at);
        client_write(client, (const char *)input->data + at, length);
        client_receive(client);
    }
    /* Ends what is open: a quoted key, an escape sequence, a search, a line. */
    client_send(client, "\r\r\x03");
    client_receive(client);
    lines_run = 0;
    g_string_truncate(client->read, 0);
    client_send(client, "help alive\r");
    client_receive(client);
    fuzz_require(strstr(client->read->str, "unknown command: 'alive'; help lists them\r\n"));
    client_free(client);
    fuzz_settle();
}

static void run_line(Client *client, const char *line)
{
    g_autoptr(json_object) request = json_object_new_object();
    json_object *arguments = json_object_new_object(), *text;
    guint answers = 0;

    json_add_string(request, "execute", "human-monitor-command");
    json_object_object_add(request, "arguments", arguments);
    json_add_string(arguments, "command-line", line);
    client_send(client, json_object_to_json_string(request));
    for (json_object *answer; (answer = client_line(client)); json_object_put(answer)) {
        if (json_object_object_get_ex(answer, "return", &text)) {
            const char *output = json_object_get_string(text);
            fuzz_require(!*output || g_str_has_suffix(output, "\n"));
            answers++;
        }
        fuzz_require(!json_object_object_get_ex(answer, "error", NULL));
    }
    fuzz_require(answers == 1);
}

static void run_lines(FuzzInput *input)
{
    g_autofree char *bytes = fuzz_text(input);
    g_autofree char *text = g_utf8_make_valid(bytes, -1);
    g_auto(GStrv) lines = g_strsplit(text, "\n", LINES_MAX);
    Client *client = client_new();

    client_negotiate(client, FALSE);
    for (guint i = 0; lines[i]; i++) {
        run_line(client, lines[i]);
    }
    client_free(client);
}

/* --- afterwards --- */

static void restore(void)
{
    fuzz_machine_restore();
    trace_enable_pattern("*", FALSE);
    fuzz_machine_clear(MONITOR);
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    g_autofree char *folder = g_dir_make_tmp("fuzz-hmp-XXXXXX", NULL);
    g_autofree char *text = NULL;
    Chardev *chardev;

    fuzz_machine_make();
    socket_path = g_build_filename(folder, MONITOR, NULL);
    text = g_strdup_printf("unix:%s,server=on,wait=off", socket_path);
    chardev = chardev_create_short(MONITOR, text, NULL);
    fuzz_require(chardev && monitor_hmp_new(chardev, NULL));
    hmp_sessions_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    uint8_t mode = fuzz_byte(&input);
    guint sections = memory_section_count();
    guint fds = fuzz_open_fds();

    lines_run = 0;
    if (mode & 1) {
        run_lines(&input);
    } else {
        type(&input, mode >> 1 ? mode >> 1 : SIZE_MAX);
    }
    restore();
    fuzz_require(memory_section_count() == sections);
    fuzz_require(fuzz_open_fds() == fds);
    return 0;
}
