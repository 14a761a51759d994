/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process that is killed leaves in shared memory, for every moment at which it may be
 * killed: runs a function in a child whose memory is write-protected, lets each store through by
 * itself and keeps the state behind it.  x86-64 only, as all of the tree.
 */
#ifndef TESTS_UNIT_STEPPER_H
#define TESTS_UNIT_STEPPER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A range that child and parent share, where the function writes to it.  Begins at a page. */
typedef struct StepperRange {
    void *memory;
    size_t size;
} StepperRange;

#define STEPPER_STATES 4096u /* at most */

typedef struct Stepper {
    const StepperRange *ranges;
    unsigned count;       /* of ranges */
    size_t size;          /* of a state: all ranges, one behind the other */
    unsigned *states;     /* how many; the first one is as it was before */
    uint8_t *state_bytes; /* shared with the child, as the number is */
} Stepper;

Stepper *stepper_run(const StepperRange *ranges, unsigned count, void (*function)(void *opaque),
                     void *opaque);
void stepper_free(Stepper *stepper);

/* Makes the memory what it was in a state. */
void stepper_restore(const Stepper *stepper, unsigned state);

/* Calls a function in a child; what it does to memory that is not shared is gone with it.  Fails
 * the test, with @name, if it does not return. */
void stepper_try(void (*function)(void *opaque), void *opaque, const char *name);

#endif
