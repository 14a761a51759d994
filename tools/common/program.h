/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a back-end program, from its parsed command line to its exit status. */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include "tools/common/service.h"

/* What a kind of device has of its own.  All on the main thread, in this order. */
typedef struct ProgramKind {
    const char *name;
    const char *capabilities; /* "Backend program conventions" of the protocol: JSON, one object */
    void (*print_help)(void);
    /* Opens everything that has a name.  @options is that of program_run().  NULL with @error. */
    gpointer (*open)(gconstpointer options, GError **error);
    /* Starts every thread. */
    gboolean (*start)(gpointer server, GError **error);
    /* Closes the sandbox behind the threads. */
    gboolean (*enter_sandbox)(GError **error);
    /* The last step of an orderly end, and NULL if there is none. */
    gboolean (*finish)(gpointer server, GError **error);
    void (*free)(gpointer server); /* NULL is fine */
    const ServiceOperations *service;
} ProgramKind;

typedef struct ProgramOptions {
    const ServiceOptions *service;
    gconstpointer device;       /* for .open */
    const char *queues_option;  /* the option that descriptors are needed for */
    guint queues;               /* its value */
    guint descriptors_of_queue; /* beside those of the program itself */
    /* A second socket to listen at, and the option that names it; NULL without. */
    const char *second_option, *second_path;
} ProgramOptions;

/* Prints, or serves until the end.  Returns the exit status; has reported what went wrong. */
int program_run(const ProgramKind *kind, const ProgramOptions *options);

#endif
