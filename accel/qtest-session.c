/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread of a qtest connection: lines in, answers out.
 *
 * Interrupt lines may change in any thread while a command is being answered.
 * They are queued and go out between two answers, so that they never cut one in
 * two and nobody who changes a line waits for the client.
 */
#include "qtest-session.h"

#include "system/irq.h"
#include "system/main-loop.h"
#include "system/vm-lock.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)
/* Interrupt lines that a client leaves unread before it counts as gone. */
#define IRQ_BACKLOG_MAX (4 * 1024 * 1024)

struct QtestSession {
    int input, output;
    int wake; /* event fd: stop, or interrupt lines to send */
    FILE *log;
    gint64 started;
    void (*ended)(gpointer opaque);
    GThread *thread;
    gint stopping; /* atomic */
    gint gone;     /* atomic: the thread has left */

    /* The thread's own. */
    gboolean lost;     /* nothing can be sent any more */
    GString *in;       /* read, not yet run */
    gsize scanned;     /* bytes of it that hold no line end */
    gboolean skipping; /* in a line that is too long */
    GString *out;      /* not yet sent */
    gboolean in_line;  /* the rest of an answer is still to come */

    gboolean intercepting; /* under the VM lock */
    pthread_mutex_t irq_lock;
    GString *irq_lines; /* under irq_lock */
};

static __thread QtestSession *own_session; /* in its thread */

/* --- output --- */

static gboolean stopping(QtestSession *session)
{
    return g_atomic_int_get(&session->stopping);
}

/* Waits until @fd is ready for @events, the wake fd is signalled or @fd has failed. */
static short wait_for(QtestSession *session, int fd, short events)
{
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = session->wake, .events = POLLIN}};

    while (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno == EINTR) {
    }
    if (fds[1].revents) {
        event_fd_clear(session->wake);
    }
    return fds[0].revents;
}

static void flush(QtestSession *session)
{
    gsize sent = 0;

    while (sent < session->out->len && !session->lost) {
        ssize_t count = write(session->output, session->out->str + sent, session->out->len - sent);

        if (count >= 0) {
            sent += (gsize)count;
        } else if (errno == EAGAIN) {
            wait_for(session, session->output, POLLOUT);
            session->lost = stopping(session);
        } else if (errno != EINTR) {
            session->lost = TRUE;
        }
    }
    g_string_truncate(session->out, 0);
}

static void log_stamp(QtestSession *session, char direction)
{
    gint64 elapsed = g_get_monotonic_time() - session->started;

    fprintf(session->log, "[%c +%" G_GINT64_FORMAT ".%06d] ", direction, elapsed / G_USEC_PER_SEC,
            (int)(elapsed % G_USEC_PER_SEC));
}

static void put_raw(QtestSession *session, const char *text, gsize length)
{
    gboolean begins = !session->in_line;

    session->in_line = text[length - 1] != '\n';
    if (session->log) {
        if (begins) {
            log_stamp(session, 'S');
        }
        fwrite(text, 1, length, session->log);
        if (!session->in_line) {
            fflush(session->log);
        }
    }
    g_string_append_len(session->out, text, (gssize)length);
    if (session->out->len >= QTEST_PIECE) {
        flush(session);
    }
}

/* --- interrupt lines --- */

/* VM lock held; any thread. */
static void irq_changed(guint line, gboolean high, gpointer opaque)
{
    QtestSession *session = opaque;

    pthread_mutex_lock(&session->irq_lock);
    if (session->irq_lines->len < IRQ_BACKLOG_MAX) {
        g_string_append_printf(session->irq_lines, "IRQ %s %u\n", high ? "raise" : "lower", line);
    }
    pthread_mutex_unlock(&session->irq_lock);
    if (own_session != session) {
        event_fd_signal(session->wake);
    }
}

void qtest_intercept_irqs(QtestSession *session)
{
    session->intercepting = TRUE;
    irq_listener_set(irq_changed, session);
}

/* Sends interrupt lines that wait; a client that lets them pile up is given up. */
static void put_irq_lines(QtestSession *session)
{
    g_autoptr(GString) lines = NULL;

    pthread_mutex_lock(&session->irq_lock);
    if (session->irq_lines->len > 0) {
        lines = session->irq_lines;
        session->irq_lines = g_string_new(NULL);
    }
    pthread_mutex_unlock(&session->irq_lock);
    if (!lines) {
        return;
    }
    if (lines->len >= IRQ_BACKLOG_MAX) {
        session->lost = TRUE;
        return;
    }
    for (const char *line = lines->str; *line;) {
        gsize length = (gsize)(strchr(line, '\n') - line) + 1;

        put_raw(session, line, length);
        line += length;
    }
}

void qtest_put(QtestSession *session, const char *text, gsize length)
{
    if (length == 0) {
        return;
    }
    /* The interrupts that a command causes are known before its answer. */
    if (!session->in_line) {
        put_irq_lines(session);
    }
    put_raw(session, text, length);
}

void qtest_printf(QtestSession *session, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    qtest_put(session, text, strlen(text));
}

/* --- input --- */

static void run_line(QtestSession *session, char *line, gsize length)
{
    if (length > 0 && line[length - 1] == '\r') {
        line[--length] = '\0';
    }
    if (session->log) {
        log_stamp(session, 'R');
        fwrite(line, 1, length, session->log);
        fputc('\n', session->log);
    }
    qtest_command(session, line);
    flush(session);
}

/* Runs every complete line of what was read. */
static void run_lines(QtestSession *session)
{
    char *start = session->in->str;
    char *end = start + session->in->len;
    char *newline;

    while (!session->lost && !stopping(session) &&
           (newline =
                memchr(start + session->scanned, '\n', (gsize)(end - start) - session->scanned))) {
        *newline = '\0';
        session->scanned = 0;
        if (session->skipping) {
            session->skipping = FALSE;
            qtest_printf(session, "FAIL line is longer than %d bytes\n", QTEST_LINE_MAX);
            flush(session);
        } else {
            run_line(session, start, (gsize)(newline - start));
        }
        start = newline + 1;
    }
    if (start > session->in->str) {
        g_string_erase(session->in, 0, start - session->in->str);
    }
    if (session->in->len == 0 && session->in->allocated_len > 1024 * 1024) {
        g_string_free(session->in, TRUE); /* a long line is rare: its room is given back */
        session->in = g_string_new(NULL);
    }
    session->scanned = session->in->len;
    if (session->in->len > QTEST_LINE_MAX) {
        session->skipping = TRUE;
    }
    if (session->skipping) {
        g_string_truncate(session->in, 0);
        session->scanned = 0;
    }
}

/* FALSE when the client has gone. */
static gboolean read_more(QtestSession *session)
{
    gsize have = session->in->len;
    ssize_t count;

    g_string_set_size(session->in, have + READ_SIZE);
    count = read(session->input, session->in->str + have, READ_SIZE);
    g_string_set_size(session->in, have + (gsize)MAX(count, 0));
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static gpointer serve(gpointer opaque)
{
    QtestSession *session = opaque;

    own_session = session;
    while (!session->lost && !stopping(session)) {
        if (wait_for(session, session->input, POLLIN) && !read_more(session)) {
            break;
        }
        run_lines(session);
        put_irq_lines(session);
        flush(session);
    }
    vm_lock();
    if (session->intercepting) {
        irq_listener_set(NULL, NULL);
    }
    vm_unlock();
    g_atomic_int_set(&session->gone, 1);
    if (!stopping(session)) {
        main_loop_post(session->ended, NULL);
    }
    return NULL;
}

/* --- life --- */

static void release(QtestSession *session)
{
    fd_clear(&session->wake);
    g_string_free(session->in, TRUE);
    g_string_free(session->out, TRUE);
    g_string_free(session->irq_lines, TRUE);
    pthread_mutex_destroy(&session->irq_lock);
    g_free(session);
}

QtestSession *qtest_session_new(int input, int output, FILE *log, void (*ended)(gpointer opaque),
                                GError **error)
{
    int wake = event_fd_new(error);
    QtestSession *session;

    if (wake < 0) {
        return NULL;
    }
    session = g_new0(QtestSession, 1);
    session->input = input;
    session->output = output;
    session->wake = wake;
    session->log = log;
    session->started = g_get_monotonic_time();
    session->ended = ended;
    session->in = g_string_new(NULL);
    session->out = g_string_new(NULL);
    session->irq_lines = g_string_new(NULL);
    pthread_mutex_init(&session->irq_lock, NULL);
    session->thread = g_thread_try_new("qtest", serve, session, error);
    if (!session->thread) {
        release(session);
        return NULL;
    }
    return session;
}

gboolean qtest_session_has_ended(QtestSession *session)
{
    return g_atomic_int_get(&session->gone);
}

void qtest_session_free(QtestSession *session)
{
    g_atomic_int_set(&session->stopping, 1);
    event_fd_signal(session->wake);
    vm_unlock();
    g_thread_join(session->thread);
    vm_lock();
    release(session);
}
