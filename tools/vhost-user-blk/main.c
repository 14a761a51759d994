/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-blk, a disk for virtual machines: the program's life. */
#include "tools/common/janitor.h"
#include "tools/vhost-user-blk/server.h"

#include "util/daemon.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <stdio.h>

/* A queue has three event fds, its worker up to five descriptors of its own; memory regions keep
 * none. */
#define DESCRIPTORS_OF_QUEUE 8
#define DESCRIPTORS_OF_PROGRAM 128

/* What exists between the start and the end, in this order. */
typedef struct Program {
    BlkOptions options;
    Pidfile pidfile;
    Listener listener;
    BlkServer *server;
    Service *service;
    int janitor; /* -1 without --sandbox, or without a file to remove */
} Program;

static gboolean print_only(ServiceAction action)
{
    switch (action) {
    case SERVICE_PRINT_HELP:
        blk_options_print_help();
        return TRUE;
    case SERVICE_PRINT_VERSION:
        printf("vhost-user-blk (hotslot) %s\n", HOTSLOT_VERSION);
        return TRUE;
    case SERVICE_PRINT_CAPABILITIES:
        /* "Backend program conventions" of the vhost-user protocol */
        printf("{\n  \"type\": \"block\",\n  \"features\": [\"read-only\", \"blk-file\"]\n}\n");
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean write_pidfile(Program *program, GError **error)
{
    const char *path = program->options.service.pidfile;

    if (path && !pidfile_write(&program->pidfile, path, error)) {
        g_prefix_error(error, "--pidfile %s: ", path);
        return FALSE;
    }
    return TRUE;
}

static gboolean start_janitor(Program *program, GError **error)
{
    gboolean files = program->listener.file.path || program->pidfile.path;

    if (!program->options.service.sandbox || !files) {
        return TRUE;
    }
    program->janitor = janitor_start(&program->listener.file, &program->pidfile, error);
    return program->janitor >= 0;
}

/* The last steps of the start: from here on nothing is opened by name. */
static gboolean close_behind(const ServiceOptions *options, GError **error)
{
    if (!daemon_prepare(error)) {
        g_prefix_error(error, "--daemonize: ");
        return FALSE;
    }
    if (options->sandbox && !blk_server_enter_sandbox(error)) {
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
    const BlkOptions *options = &program->options;
    guint64 descriptors = DESCRIPTORS_OF_PROGRAM + DESCRIPTORS_OF_QUEUE * options->num_queues;

    if (!service_options_open_log(&options->service, error)) {
        return FALSE;
    }
    if (!fd_limit_raise(descriptors, error)) {
        g_prefix_error(error, "--num-queues %u: ", options->num_queues);
        return FALSE;
    }
    program->server = blk_server_new(options, error);
    if (!program->server) {
        return FALSE;
    }
    program->service =
        service_new(&program->listener, &blk_server_operations, program->server, error);
    return program->service && write_pidfile(program, error) &&
           listener_open(&program->listener, &options->service, error) &&
           start_janitor(program, error) && blk_server_start(program->server, error) &&
           close_behind(&options->service, error);
}

static gboolean serve(Program *program, GError **error)
{
    gboolean good = service_run(program->service);

    if (program->options.service.stats) {
        service_log_statistics(program->service);
    }
    return blk_server_flush(program->server, error) && good;
}

/* The names go last: when they are gone the image is whole. */
static void tear_down(Program *program)
{
    listener_close(&program->listener);
    blk_server_free(program->server);
    service_free(program->service);
    if (program->janitor >= 0) {
        janitor_finish(program->janitor);
        g_clear_pointer(&program->listener.file.path, g_free);
        g_clear_pointer(&program->pidfile.path, g_free);
    } else {
        unix_socket_file_remove(&program->listener.file);
        pidfile_remove(&program->pidfile);
    }
}

static gboolean run(Program *program, GError **error)
{
    if (program->options.service.daemonize && !daemon_fork(error)) {
        g_prefix_error(error, "--daemonize: ");
        return FALSE;
    }
    gboolean good = set_up(program, error) && serve(program, error);
    tear_down(program);
    return good;
}

int main(int argc, char **argv)
{
    Program program = {.listener = {.fd = -1, .connected = -1}, .janitor = -1};
    g_autoptr(GError) error = NULL;

    g_set_prgname("vhost-user-blk");
    if (!blk_options_parse(&program.options, argc, argv, &error)) {
        report_error("%s", error->message);
        return 1;
    }
    if (print_only(program.options.service.action)) {
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
