/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accelerators: what runs the guest.  qtest has no CPU: a test program makes the accesses. */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include "util/object.h"

typedef struct Accel {
    VmObject parent;
} Accel;

typedef struct AccelClass {
    VmObjectClass parent;
    const char *name;  /* as -accel spells it */
    gboolean has_cpus; /* it runs code; otherwise a test program makes the accesses */
    /* Before the machine is built.  FALSE with @error says why it cannot be used and what would
     * help. */
    gboolean (*init)(Accel *accel, GError **error);
    /* After the machine is built, before it runs. May be NULL. */
    gboolean (*start)(Accel *accel, GError **error);
    /* Threads of the accelerator end; VM lock held, may be released within. May be NULL. */
    void (*stop)(Accel *accel);
    /* CPUID as the host offers it (accel/cpuid.h), a new table; NULL with @error.  May be NULL. */
    GArray *(*host_cpuid)(GError **error);
    /* accel/stats.h.  May be NULL. */
    GPtrArray *(*stats)(gint cpu, GError **error);
} AccelClass;

VM_DECLARE_TYPE(Accel, accel, ACCEL)
#define ACCEL_GET_CLASS(object) (G_TYPE_INSTANCE_GET_CLASS((object), accel_get_type(), AccelClass))

/*
 * Chooses from a list as "-accel" or "-machine accel=" gives it ("kvm:qtest": the first that
 * works). A name that is unknown or not in this build is refused by name.  Where it is not the
 * first of them, @passed_over (may be NULL) says why not.  Main thread.
 */
gboolean accel_select(const char *names, GError **passed_over, GError **error);
/*
 * kernel-irqchip=split: the accelerator has the local APICs, the other interrupt controllers and
 * the timer are devices of the board.  Before accel_select().
 */
void accel_set_split_irqchip(gboolean split);
gboolean accel_has_split_irqchip(void);
/* Writes the names, one a line, for "-accel help". */
void accel_print_help(void);
/* Starts and ends what runs the guest: CPU threads.  VM lock held, released within accel_stop(). */
gboolean accel_start(GError **error);
void accel_stop(void);
Accel *accel_current(void); /* borrowed; NULL before accel_select() */
/* How many CPUs of the machine it runs: none where a test program makes the accesses. */
guint accel_cpu_count(void);

/* The qtest protocol on the chardev option string @chardev ("unix:PATH"); @log is -qtest-log or
 * NULL (stderr). Opens the connection now (it comes before any other), serves it from qtest_start()
 * on in a thread of its own. */
gboolean qtest_open(const char *chardev, const char *log, GError **error);
gboolean qtest_is_open(void);
void qtest_start(void);
/* Ends the thread; VM lock held, released within. */
void qtest_stop(void);

#endif
