/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that every vhost-user back-end program has. */
#ifndef TOOLS_SERVICE_OPTIONS_H
#define TOOLS_SERVICE_OPTIONS_H

#include "tools/common/log.h"
#include "tools/common/option-table.h"

/* What the program is asked for, other than to serve. */
typedef enum ServiceAction {
    SERVICE_SERVE,
    SERVICE_PRINT_HELP,
    SERVICE_PRINT_VERSION,
    SERVICE_PRINT_CAPABILITIES, /* "Backend program conventions" of the protocol */
} ServiceAction;

/* Strings are borrowed from argv. */
typedef struct ServiceOptions {
    ServiceAction action;
    const char *socket_path; /* NULL with fd */
    int fd;                  /* -1 with socket_path */
    guint mem_slots;         /* 1 to 32768 */
    gboolean daemonize;
    const char *pidfile; /* may be NULL */
    const char *log_file;
    gboolean log_level_given;
    LogLevel log_level;
    gboolean sandbox;
    gboolean stats; /* print statistics at the end */
} ServiceOptions;

extern const ToolOption service_option_table[];

void service_options_init(ServiceOptions *options);

/* Whether @path fits into the address of a unix socket.  @error without the option's name. */
gboolean service_path_check(const char *path, GError **error);

/* What a single option cannot know: exactly one of --socket-path and --fd. */
gboolean service_options_check(const ServiceOptions *options, GError **error);

/* Opens the log as the options say.  Before other threads start. */
gboolean service_options_open_log(const ServiceOptions *options, GError **error);

#endif
