/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of devices that belongs to the CPUs': what is kept and put back together with theirs
 * (accel/vcpu-stats.h).  Main thread, VM lock held.
 */
#ifndef SYSTEM_KEPT_STATE_H
#define SYSTEM_KEPT_STATE_H

#include <glib.h>

typedef struct KeptState {
    gpointer state; /* plain bytes, without pointers */
    gsize size;
    /* The bytes are those that were kept, @elapsed ns of the virtual clock ago. */
    void (*put_back)(gpointer opaque, gint64 elapsed);
    gpointer opaque;
    gpointer kept; /* private: a copy, or NULL */
} KeptState;

/* @state stays the caller's until it is removed. */
void kept_state_add(KeptState *state);
void kept_state_remove(KeptState *state);

/* For the accelerator, while no CPU is in the guest. */
void kept_state_keep(void);
void kept_state_put_back(void);

#endif
