/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that every vhost-user back-end program has. */
#include "tools/common/service-options.h"

#include "util/error.h"
#include "util/report.h"

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#define MEM_SLOTS_DEFAULT 4096
#define MEM_SLOTS_MAXIMUM 32768

gboolean service_path_check(const char *path, GError **error)
{
    gsize longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    if (strlen(path) > longest) {
        vm_error_set(error, "the path has %zu bytes, that of a unix socket at most %zu",
                     strlen(path), longest);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_socket_path(const char *value, gpointer target, GError **error)
{
    ((ServiceOptions *)target)->socket_path = value;
    return service_path_check(value, error);
}

static gboolean apply_log(const char *value, gpointer target, GError **error G_GNUC_UNUSED)
{
    ServiceOptions *options = target;

    if (log_level_parse(value, &options->log_level)) {
        options->log_level_given = TRUE;
    } else {
        options->log_file = value;
    }
    return TRUE;
}

#define PLACE(member) .offset = offsetof(ServiceOptions, member)

const ToolOption service_option_table[] = {
    {"socket-path", "PATH",
     "listen on the unix socket PATH; one that nobody listens on is replaced", TOOL_OPTION_CUSTOM,
     .apply = apply_socket_path},
    {"fd", "N", "serve descriptor N: a listening or a connected unix socket", TOOL_OPTION_NUMBER,
     PLACE(fd), .minimum = 0, .maximum = G_MAXINT},
    {"mem-slots", "N", "memory regions granted to the front end: 1 to 32768, default 4096",
     TOOL_OPTION_NUMBER, PLACE(mem_slots), .minimum = 1, .maximum = MEM_SLOTS_MAXIMUM},
    {"daemonize", NULL,
     "go to the background; the parent ends when the socket listens, with\n"
     "status 0 if it does",
     TOOL_OPTION_CONSTANT, PLACE(daemonize), .constant = TRUE},
    {"pidfile", "PATH", "write the process id to PATH and keep it locked; removed at the end",
     TOOL_OPTION_TEXT, PLACE(pidfile)},
    {"log", "LEVEL|FILE",
     "error, warning (default), info or debug (each message and request); or\n"
     "the file to append to instead of standard error; may be given twice",
     TOOL_OPTION_CUSTOM, .apply = apply_log},
    {"sandbox", NULL, "allow only the system calls needed to serve, once set up",
     TOOL_OPTION_CONSTANT, PLACE(sandbox), .constant = TRUE},
    {"stats", NULL, "log statistics at the end; SIGUSR1 logs them at any time",
     TOOL_OPTION_CONSTANT, PLACE(stats), .constant = TRUE},
    {"print-capabilities", NULL, "print what the program can do as JSON and exit",
     TOOL_OPTION_CONSTANT, PLACE(action), .constant = SERVICE_PRINT_CAPABILITIES},
    {"version", NULL, "print the version and exit", TOOL_OPTION_CONSTANT, PLACE(action),
     .constant = SERVICE_PRINT_VERSION},
    {"help", NULL, "print this text and exit", TOOL_OPTION_CONSTANT, PLACE(action),
     .constant = SERVICE_PRINT_HELP},
    {.name = NULL},
};

void service_options_init(ServiceOptions *options)
{
    *options =
        (ServiceOptions){.fd = -1, .mem_slots = MEM_SLOTS_DEFAULT, .log_level = LOG_LEVEL_WARNING};
}

gboolean service_options_check(const ServiceOptions *options, GError **error)
{
    if (options->socket_path && options->fd >= 0) {
        vm_error_set(error, "--fd %d: excludes --socket-path %s; give one of them", options->fd,
                     options->socket_path);
        return FALSE;
    }
    if (!options->socket_path && options->fd < 0) {
        vm_error_set(error, "--socket-path: missing; give --socket-path PATH or --fd N");
        return FALSE;
    }
    return TRUE;
}

gboolean service_options_open_log(const ServiceOptions *options, GError **error)
{
    gboolean quiet = !options->log_file || options->log_level_given;

    /* Who names a file wants to find something in it. */
    log_set_level(quiet ? options->log_level : LOG_LEVEL_INFO);
    if (options->log_file && !report_log_open(options->log_file, TRUE, error)) {
        g_prefix_error(error, "--log %s: ", options->log_file);
        return FALSE;
    }
    return TRUE;
}
