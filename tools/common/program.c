/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a back-end program. */
#include "tools/common/program.h"

#include "tools/common/janitor.h"
#include "util/daemon.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <stdio.h>

#define DESCRIPTORS_OF_PROGRAM 128
#define LISTENERS 2 /* a program has one or two sockets */

/* What exists between the start and the end, in this order. */
typedef struct Program {
    const ProgramKind *kind;
    const ProgramOptions *options;
    Pidfile pidfile;
    Listener listeners[LISTENERS];
    guint listener_count;
    gpointer server;
    Service *service;
    int janitor; /* -1 without --sandbox, or without a file to remove */
} Program;

static gboolean print_only(const ProgramKind *kind, ServiceAction action)
{
    switch (action) {
    case SERVICE_PRINT_HELP:
        kind->print_help();
        return TRUE;
    case SERVICE_PRINT_VERSION:
        printf("%s (hotslot) %s\n", kind->name, HOTSLOT_VERSION);
        return TRUE;
    case SERVICE_PRINT_CAPABILITIES:
        printf("%s\n", kind->capabilities);
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean write_pidfile(Program *program, GError **error)
{
    const char *path = program->options->service->pidfile;

    if (path && !pidfile_write(&program->pidfile, path, error)) {
        g_prefix_error(error, "--pidfile %s: ", path);
        return FALSE;
    }
    return TRUE;
}

static gboolean listen_all(Program *program, GError **error)
{
    const ProgramOptions *options = program->options;

    return listener_open(&program->listeners[0], options->service, error) &&
           (!options->second_path ||
            listener_open_at(&program->listeners[1], options->second_option, options->second_path,
                             error));
}

static gboolean start_janitor(Program *program, GError **error)
{
    gboolean files =
        program->listeners[0].file.path || program->listeners[1].file.path || program->pidfile.path;

    if (!program->options->service->sandbox || !files) {
        return TRUE;
    }
    program->janitor =
        janitor_start(program->listeners, program->listener_count, &program->pidfile, error);
    return program->janitor >= 0;
}

/* The last steps of the start: from here on nothing is opened by name. */
static gboolean close_behind(const Program *program, GError **error)
{
    if (!daemon_prepare(error)) {
        g_prefix_error(error, "--daemonize: ");
        return FALSE;
    }
    if (program->options->service->sandbox && !program->kind->enter_sandbox(error)) {
        return FALSE;
    }
    if (!daemon_ready(error)) {
        g_prefix_error(error, "--daemonize: ");
        return FALSE;
    }
    return TRUE;
}

/* Opens everything that has a name, then starts everything that runs. */
static gboolean set_up(Program *program, GError **error)
{
    const ProgramOptions *options = program->options;
    const ProgramKind *kind = program->kind;
    guint64 descriptors =
        DESCRIPTORS_OF_PROGRAM + (guint64)options->descriptors_of_queue * options->queues;

    if (!service_options_open_log(options->service, error)) {
        return FALSE;
    }
    if (!fd_limit_raise(descriptors, error)) {
        g_prefix_error(error, "%s %u: ", options->queues_option, options->queues);
        return FALSE;
    }
    program->server = kind->open(options->device, error);
    if (!program->server) {
        return FALSE;
    }
    program->service = service_new(program->listeners, program->listener_count, kind->service,
                                   program->server, error);
    return program->service && write_pidfile(program, error) && listen_all(program, error) &&
           start_janitor(program, error) && kind->start(program->server, error) &&
           close_behind(program, error);
}

static gboolean serve(Program *program, GError **error)
{
    gboolean good = service_run(program->service);

    if (program->options->service->stats) {
        service_log_statistics(program->service);
    }
    return (!program->kind->finish || program->kind->finish(program->server, error)) && good;
}

/* The names go last: when they are gone what the program kept is whole. */
static void tear_down(Program *program)
{
    for (guint i = 0; i < LISTENERS; i++) {
        listener_close(&program->listeners[i]);
    }
    program->kind->free(program->server);
    service_free(program->service);
    if (program->janitor >= 0) {
        janitor_finish(program->janitor);
        g_clear_pointer(&program->listeners[0].file.path, g_free);
        g_clear_pointer(&program->listeners[1].file.path, g_free);
        g_clear_pointer(&program->pidfile.path, g_free);
    } else {
        unix_socket_file_remove(&program->listeners[0].file);
        unix_socket_file_remove(&program->listeners[1].file);
        pidfile_remove(&program->pidfile);
    }
}

static gboolean run(Program *program, GError **error)
{
    if (program->options->service->daemonize && !daemon_fork(error)) {
        g_prefix_error(error, "--daemonize: ");
        return FALSE;
    }
    gboolean good = set_up(program, error) && serve(program, error);
    tear_down(program);
    return good;
}

int program_run(const ProgramKind *kind, const ProgramOptions *options)
{
    Program program = {
        .kind = kind,
        .options = options,
        .listeners = {{.fd = -1, .connected = -1}, {.fd = -1, .connected = -1}},
        .listener_count = options->second_path ? 2 : 1,
        .janitor = -1,
    };
    g_autoptr(GError) error = NULL;

    if (print_only(kind, options->service->action)) {
        return 0;
    }
    if (!run(&program, &error)) {
        if (error) { /* else the log has told what a front end did */
            report_error("%s", error->message);
        }
        return 1;
    }
    return 0;
}
