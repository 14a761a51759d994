/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts and ends a virtual machine monitor under test: any program with QEMU's command line,
 * QMP and qtest.  Needs GLib, json-c and nothing of hotslot.  A Vmm belongs to the thread that
 * started it, and dies with that thread.
 */
#ifndef QTEST_VMM_H
#define QTEST_VMM_H

#include "qtest/qmp.h"
#include "qtest/qtest.h"

#include <sys/types.h>

typedef enum {
    VMM_DETECT,      /* ask the program: does "-accel help" name qtest? */
    VMM_QTEST_ACCEL, /* -accel qtest: hotslot, QEMU as its developers build it */
    VMM_HALTED_TCG, /* no qtest accelerator (Debian's QEMU): -accel tcg and a firmware that halts */
} VmmFlavour;

typedef struct VmmOptions {
    const char *binary; /* NULL: environment variable QTEST_QEMU_BINARY */
    VmmFlavour flavour;
    guint monitors;     /* QMP sessions, 0 means 1; ids of their chardevs are char0, char1, ... */
    guint timeout;      /* seconds for start and for each answer, 0 means 30 */
    gboolean no_qtest;  /* no -qtest and no accelerator option: the arguments say all */
    const int *inherit; /* descriptors that the program gets under the same numbers */
    guint inherit_count;
} VmmOptions;

typedef struct Vmm {
    pid_t pid; /* 0 once it has been waited for */
    char *binary;
    VmmFlavour flavour;  /* never VMM_DETECT */
    Qtest *qtest;        /* NULL with no_qtest */
    GPtrArray *monitors; /* of Qmp, after capability negotiation */
    Qmp *qmp;            /* the first of them, or NULL */
    gint64 started;      /* g_get_monotonic_time() before the program was executed */
    gint64 greeted;      /* when the first greeting was there */
    guint timeout;       /* seconds */
    int pidfd;           /* private */
    int output;          /* private: memfd with standard output and error */
} Vmm;

/*
 * Runs the program with the printf-style @format as further arguments (shell quoting), serves
 * its qtest and QMP sockets and negotiates capabilities.  @options may be NULL.  NULL with @error
 * (which has the program's output) if it ends, or says nothing in time.
 */
Vmm *vmm_start(const VmmOptions *options, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* As vmm_start(), for tests: a failure ends the test program with the error. */
Vmm *vmm_start_or_fail(const VmmOptions *options, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* What the program has written to standard output and error so far. Caller frees. */
char *vmm_output(Vmm *vmm);

/* TRUE if it ended within @milliseconds; @status is as waitpid() gives it (may be NULL). */
gboolean vmm_wait(Vmm *vmm, guint milliseconds, int *status);
void vmm_kill(Vmm *vmm, int signal);

/* QMP "quit", or SIGTERM without a monitor; TRUE if it ended in time with status 0. */
gboolean vmm_quit(Vmm *vmm, GError **error);

/* Kills it if it still runs, waits for it, frees everything.  NULL is fine. */
void vmm_free(Vmm *vmm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vmm, vmm_free)

/* vmm_quit() and vmm_free(); a failure ends the test program. */
void vmm_end(Vmm *vmm);

/* Runs a program to its end, at most @milliseconds (then it is killed: *status is -1).
 * @arguments is shell-quoted; standard output and error are returned apart; caller frees. */
gboolean vmm_run(const char *binary, const char *arguments, guint milliseconds, int *status,
                 char **output, char **errors, GError **error);
/* The same; @prepare is called in the child first (child.h). */
gboolean vmm_run_prepared(const char *binary, const char *arguments, void (*prepare)(void),
                          guint milliseconds, int *status, char **output, char **errors,
                          GError **error);

/* The program's path: @binary, or QTEST_QEMU_BINARY, or an error. */
const char *vmm_binary(const char *binary, GError **error);

/* A fresh file or directory name for sockets and images: in a directory that is removed with all
 * that is in it when this process ends, also by abort().  Caller frees. */
char *vmm_temporary_path(const char *name);

/* device_del, the guest's eject of PCI slot @slot through the ACPI registers, DEVICE_DELETED. */
void vmm_unplug(Vmm *vmm, const char *id, guint slot);

/* Ends the test program: the message, and every running Vmm's output, as TAP's "Bail out!". */
G_NORETURN void vmm_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
