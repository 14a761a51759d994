/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's life: command line, going to the background, signals, main
 * loop, orderly end.
 */
#include "setup.h"

#include "system/command-line.h"
#include "system/main-loop.h"
#include "system/run-state.h"
#include "util/daemon.h"
#include "util/report.h"

#include <glib-unix.h>
#include <malloc.h>
#include <signal.h>

static gboolean end_on_signal(gpointer opaque G_GNUC_UNUSED)
{
    run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_SIGNAL);
    return G_SOURCE_CONTINUE;
}

static void catch_signals(void)
{
    g_unix_signal_add(SIGTERM, end_on_signal, NULL);
    g_unix_signal_add(SIGINT, end_on_signal, NULL);
    g_unix_signal_add(SIGHUP, end_on_signal, NULL);
}

static gboolean tell_parent(GError **error)
{
    if (!daemon_ready(error)) {
        g_prefix_error(error, "-daemonize: ");
        return FALSE;
    }
    return TRUE;
}

static gboolean run(const GArray *items, GError **error)
{
    const char *path = command_line_last(items, "pidfile");
    Pidfile pidfile = {NULL, -1};

    if (path && !pidfile_write(&pidfile, path, error)) {
        g_prefix_error(error, "-pidfile %s: ", path);
        return FALSE;
    }
    catch_signals();
    gboolean good = setup_machine(items, error) && setup_complete(error) &&
                    setup_privileges_drop(items, error) && tell_parent(error) &&
                    setup_start(items, error);
    if (good) {
        main_loop_run();
    } else if (main_loop_is_quitting()) {
        /* A signal came first, and what it interrupted is no error. */
        g_clear_error(error);
        good = TRUE;
    }
    setup_clear();
    pidfile_remove(&pidfile);
    return good;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) items = NULL;
    int status;

    /* Threads here allocate little: arenas of their own would only cost memory. */
    mallopt(M_ARENA_MAX, 1);
    signal(SIGPIPE, SIG_IGN);
    g_autofree char *name = g_path_get_basename(argv[0]);
    g_set_prgname(name);

    items = command_line_parse(argc, argv, &error);
    if (!items) {
        report_error("%s", error->message);
        return 1;
    }
    if (setup_print_only(items, &status)) {
        return status;
    }
    if (command_line_has(items, "daemonize") && !daemon_fork(&error)) {
        report_error("-daemonize: %s", error->message);
        return 1;
    }
    main_loop_init();
    if (!run(items, &error)) {
        report_error("%s", error->message);
        return 1;
    }
    return run_state_exit_status();
}
