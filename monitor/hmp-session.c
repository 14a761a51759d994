/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Human monitors on chardevs: bytes go to the line editor, lines are run one after the other. A
 * command that answers later holds up its own monitor and nobody else.
 */
#include "monitor/monitor.h"

#include "hmp-internal.h"
#include "qmp-internal.h"

#include "system/main-loop.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define COLUMNS_WITHOUT_TERMINAL 1000 /* a program reads, which wants its lines whole */
#define TYPED_LIMIT (64 * 1024)       /* bytes kept while a command runs */
#define TURN_TIME 2000                /* microseconds of commands in one go */

/* A command that runs for a session; it outlives a client that leaves. */
typedef struct HmpJob {
    struct HmpSession *session; /* NULL: gone */
} HmpJob;

typedef struct HmpSession {
    Chardev *chardev; /* chardev_port() */
    ChardevFrontend frontend;
    HmpEditor *editor; /* NULL without a client */
    int input;         /* borrowed from the chardev; -1 without a client */
    QmpOutput output;
    GString *typed; /* not given to the editor yet */
    HmpJob *job;    /* NULL: none runs */
    gboolean greeted, ended;
    guint input_watch, output_watch, resume_source;
} HmpSession;

static GPtrArray *sessions; /* all, in order of creation */
static gboolean started;

static void session_run(HmpSession *session);
static void session_watch(HmpSession *session);

/* --- output --- */

/* A terminal in raw mode wants its carriage returns. */
static void write_text(const char *bytes, gsize length, gpointer opaque)
{
    HmpSession *session = opaque;
    g_autoptr(GString) text = g_string_sized_new(length + 16);

    for (gsize i = 0; i < length; i++) {
        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) {
            g_string_append_c(text, '\r');
        }
        g_string_append_c(text, bytes[i]);
    }
    qmp_output_bytes(&session->output, text->str, text->len);
}

static guint terminal_columns(const HmpSession *session)
{
    struct winsize size;

    return ioctl(chardev_wire(session->chardev), TIOCGWINSZ, &size) == 0 && size.ws_col > 0
               ? size.ws_col
               : COLUMNS_WITHOUT_TERMINAL;
}

/* --- the connection --- */

static void clear_source(guint *source)
{
    if (*source) {
        g_source_remove(*source);
        *source = 0;
    }
}

/* Forgets the client without closing its descriptors. */
static void session_reset(HmpSession *session)
{
    clear_source(&session->input_watch);
    clear_source(&session->output_watch);
    clear_source(&session->resume_source);
    if (session->job) {
        session->job->session = NULL;
        session->job = NULL;
    }
    g_clear_pointer(&session->editor, hmp_editor_free);
    g_string_truncate(session->typed, 0);
    qmp_output_clear(&session->output);
    session->greeted = session->ended = FALSE;
    session->input = -1;
}

static void session_disconnect(HmpSession *session)
{
    session_reset(session);
    chardev_disconnected(session->chardev);
}

/* --- lines --- */

static gboolean resume(gpointer opaque)
{
    HmpSession *session = opaque;

    session->resume_source = 0;
    session_run(session);
    return G_SOURCE_REMOVE;
}

static void job_finished(const char *output, gpointer opaque)
{
    HmpJob *job = opaque;
    HmpSession *session = job->session;

    g_free(job);
    if (!session) {
        return;
    }
    session->job = NULL;
    write_text(output, strlen(output), session);
    hmp_editor_prompt(session->editor);
    if (!session->resume_source) { /* more may have been typed, or the client has left */
        session->resume_source = g_idle_add_full(G_PRIORITY_DEFAULT, resume, session, NULL);
    }
}

static void run_line(HmpSession *session, const char *line)
{
    session->job = g_new(HmpJob, 1);
    session->job->session = session;
    hmp_run(line, job_finished, session->job);
}

/* Gives the editor what was typed, and runs the lines that come out.  TRUE if all is used. */
static gboolean edit(HmpSession *session)
{
    gint64 until = g_get_monotonic_time() + TURN_TIME;
    gsize used = 1;

    while (session->editor && !session->job && session->typed->len > 0 && used > 0) {
        g_autofree char *line = NULL;

        if (g_get_monotonic_time() >= until) {
            return FALSE;
        }
        used = hmp_editor_feed(session->editor, session->typed->str, session->typed->len, &line);
        g_string_erase(session->typed, 0, (gssize)used);
        if (line) {
            run_line(session, line);
        }
    }
    return TRUE;
}

/* Does what can be done now.  May end the connection. */
static void session_run(HmpSession *session)
{
    gboolean all = TRUE;

    if (qmp_output_pending(&session->output) < QMP_OUTPUT_LIMIT) {
        all = edit(session);
    }
    if (!all && !session->resume_source) {
        session->resume_source = g_idle_add_full(G_PRIORITY_DEFAULT, resume, session, NULL);
    }
    if (session->output.failed ||
        (session->ended && all && !session->job && qmp_output_pending(&session->output) == 0)) {
        session_disconnect(session);
        return;
    }
    session_watch(session);
}

/* --- the connection's events --- */

static gboolean input_ready(gint fd, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    HmpSession *session = opaque;
    char bytes[4096];
    ssize_t count = read(fd, bytes, sizeof(bytes));

    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (count <= 0) {
        session->ended = TRUE;
    } else {
        g_string_append_len(session->typed, bytes, count);
    }
    session_run(session);
    return G_SOURCE_CONTINUE; /* session_run() removed the source where that is right */
}

static gboolean output_ready(gint fd G_GNUC_UNUSED, GIOCondition condition, gpointer opaque)
{
    HmpSession *session = opaque;

    qmp_output_flush(&session->output);
    if (condition & (G_IO_ERR | G_IO_HUP)) {
        session->output.failed = TRUE;
    }
    session_run(session);
    return G_SOURCE_CONTINUE;
}

/* Reads while there is room, writes while something is queued. */
static void session_watch(HmpSession *session)
{
    gsize pending = qmp_output_pending(&session->output);
    gboolean read = session->greeted && !session->ended && session->input >= 0 &&
                    pending < QMP_OUTPUT_LIMIT && session->typed->len < TYPED_LIMIT;

    if (read && !session->input_watch) {
        session->input_watch =
            main_loop_watch(session->input, G_IO_IN | G_IO_HUP | G_IO_ERR, input_ready, session);
    } else if (!read) {
        clear_source(&session->input_watch);
    }
    if (pending > 0 && !session->output_watch) {
        session->output_watch =
            main_loop_watch(session->output.fd, G_IO_OUT, output_ready, session);
    } else if (pending == 0) {
        clear_source(&session->output_watch);
    }
}

static void greet(HmpSession *session)
{
    static const char greeting[] =
        "hotslot " HOTSLOT_VERSION " monitor - type 'help' for more information\n";

    session->greeted = TRUE;
    write_text(greeting, strlen(greeting), session);
    hmp_editor_prompt(session->editor);
    session_watch(session);
}

static void opened(gpointer opaque, int input, int output)
{
    HmpSession *session = opaque;
    gboolean terminal = isatty(output) || isatty(chardev_wire(session->chardev));

    session_reset(session);
    session->input = input;
    qmp_output_init(&session->output, output, FALSE);
    session->editor = hmp_editor_new(terminal, terminal_columns(session), write_text, session);
    if (started && chardev_has_focus(session->chardev)) {
        greet(session);
    }
}

/* Others have written since the prompt was shown. */
static void focus(gpointer opaque, gboolean here)
{
    HmpSession *session = opaque;

    if (!here || !session->editor || !started) {
        return;
    }
    write_text("\n", 1, session);
    if (!session->greeted) {
        greet(session);
    } else if (!session->job) {
        hmp_editor_prompt(session->editor);
        session_watch(session);
    }
}

/* --- life --- */

static void session_destroy(HmpSession *session, gboolean attached)
{
    session_reset(session);
    if (attached) {
        chardev_detach(session->chardev);
    }
    g_object_unref(session->chardev);
    g_string_free(session->typed, TRUE);
    g_free(session);
}

gboolean monitor_hmp_new(Chardev *chardev, GError **error)
{
    HmpSession *session = g_new0(HmpSession, 1);

    hmp_editor_load();
    session->chardev = chardev_port(chardev);
    session->typed = g_string_new(NULL);
    session->output.fd = session->input = -1;
    session->frontend = (ChardevFrontend){
        .opened = opened,
        .opaque = session,
        .user = "a human monitor",
        .focus = focus,
    };
    if (!chardev_attach(session->chardev, &session->frontend, error)) {
        session_destroy(session, FALSE);
        return FALSE;
    }
    if (!sessions) {
        sessions = g_ptr_array_new();
    }
    g_ptr_array_add(sessions, session);
    return TRUE;
}

void hmp_sessions_start(void)
{
    started = TRUE;
    for (guint i = 0; sessions && i < sessions->len; i++) {
        HmpSession *session = sessions->pdata[i];
        if (session->editor && !session->greeted && chardev_has_focus(session->chardev)) {
            greet(session);
        }
    }
}

void hmp_sessions_end(gint64 deadline)
{
    while (sessions && sessions->len > 0) {
        HmpSession *session = g_ptr_array_steal_index(sessions, 0);

        qmp_output_drain(&session->output, deadline);
        session_destroy(session, TRUE);
    }
}
