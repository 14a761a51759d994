/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CPUs are asked for beside running: how often and why they left the guest for this
 * process, and their whole state at one moment.  Main thread, VM lock held.
 */
#ifndef ACCEL_VCPU_STATS_H
#define ACCEL_VCPU_STATS_H

#include <glib.h>

/* Reasons for which a CPU comes to this process. */
typedef enum {
    VCPU_EXIT_PORT,      /* an access to a port that a device here has */
    VCPU_EXIT_MEMORY,    /* the same of memory that is not RAM */
    VCPU_EXIT_INTERRUPT, /* it was called out, for a pause */
    VCPU_EXIT_SHUTDOWN,  /* a triple fault, or a system event */
    VCPU_EXIT_ERROR,     /* what it cannot go on from */
    VCPU_EXIT_OTHER,
    VCPU_EXIT_REASONS,
} VcpuExit;

const char *vcpu_exit_name(VcpuExit reason);
/* How often CPU @index came for @reason since the start; 0 under an accelerator without CPUs. */
guint64 vcpu_exit_count(guint index, VcpuExit reason);

/*
 * The state of all CPUs, interrupt controllers, timer and clock is kept in memory, or is put back
 * as it was kept.  FALSE with @error while CPUs run, without CPUs, and where there is nothing to
 * put back.
 */
gboolean vcpu_state_keep(GError **error);
gboolean vcpu_state_put_back(GError **error);

#endif
