/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest accelerator and its connection.  There is no CPU: a test program
 * on the other end of a chardev makes the guest's accesses.
 *
 * A client that goes away ends the program, so that a test harness that dies
 * leaves no process behind; a listening chardev waits for the next client.
 */
#include "accel/accel.h"
#include "chardev/chardev.h"
#include "qtest-session.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/report.h"

#include <errno.h>
#include <string.h>

typedef struct QtestAccel {
    Accel parent;
} QtestAccel;

GType qtest_accel_get_type(void);
VM_DEFINE_TYPE("qtest-accel", QtestAccel, AccelClass, qtest_accel, accel_get_type(), 0);

static void qtest_accel_class_init(AccelClass *class)
{
    VM_OBJECT_CLASS(class)->description = "no CPU: a test program makes the accesses";
    class->name = "qtest";
}

static void qtest_accel_init(QtestAccel *accel G_GNUC_UNUSED)
{
}

/* --- the connection --- */

static Chardev *chardev; /* NULL: not open */
static FILE *log_file;   /* NULL: no log */
static int connection_input = -1;
static int connection_output = -1;
static gboolean serving; /* qtest_start() was called */
static QtestSession *session;

/* A server is there for the next client, for everybody else this was the only connection. */
static gboolean is_server(void)
{
    g_autofree char *filename = chardev_filename(chardev);

    return filename && strstr(filename, ",server=on") != NULL;
}

static void client_gone(gpointer opaque G_GNUC_UNUSED)
{
    if (!session || !qtest_session_has_ended(session)) {
        return; /* stopped meanwhile */
    }
    g_clear_pointer(&session, qtest_session_free);
    connection_input = -1;
    connection_output = -1;
    if (is_server()) {
        chardev_disconnected(chardev);
    } else {
        run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_ERROR);
    }
}

static void serve_connection(void)
{
    g_autoptr(GError) error = NULL;

    session = qtest_session_new(connection_input, connection_output, log_file, client_gone, &error);
    if (!session) {
        report_error("-qtest: cannot serve the connection: %s", error->message);
        run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_ERROR);
    }
}

static void opened(gpointer opaque G_GNUC_UNUSED, int input, int output)
{
    connection_input = input;
    connection_output = output;
    if (serving) {
        serve_connection();
    }
}

/* /dev/null and "none" cost nothing: not even the text is made. */
static gboolean open_log(const char *path, GError **error)
{
    if (!path) {
        log_file = stderr;
        return TRUE;
    }
    if (g_str_equal(path, "/dev/null") || g_str_equal(path, "none")) {
        return TRUE;
    }
    log_file = fopen(path, "we");
    if (!log_file) {
        vm_error_set_errno(error, errno, "-qtest-log %s: cannot be written", path);
    }
    return log_file != NULL;
}

static void close_log(void)
{
    if (log_file && log_file != stderr) {
        fclose(log_file);
    }
    log_file = NULL;
}

gboolean qtest_open(const char *text, const char *log, GError **error)
{
    static const ChardevFrontend frontend = {.opened = opened, .user = "-qtest"};
    Chardev *created;

    if (!open_log(log, error)) {
        return FALSE;
    }
    created = chardev_create_short("qtest", text, error);
    if (!created) {
        g_prefix_error(error, "-qtest %s: ", text);
        close_log();
        return FALSE;
    }
    chardev = created;
    if (!chardev_attach(chardev, &frontend, error)) {
        g_prefix_error(error, "-qtest %s: ", text);
        chardev = NULL;
        close_log();
        return FALSE;
    }
    return TRUE;
}

gboolean qtest_is_open(void)
{
    return chardev != NULL;
}

void qtest_start(void)
{
    serving = TRUE;
    if (connection_input >= 0 && !session) {
        serve_connection();
    }
}

void qtest_stop(void)
{
    serving = FALSE;
    g_clear_pointer(&session, qtest_session_free);
    connection_input = -1;
    connection_output = -1;
    if (chardev) {
        chardev_detach(chardev);
        chardev = NULL;
    }
    close_log();
}
