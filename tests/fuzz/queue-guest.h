/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers of queues share: a guest that writes what it likes into its ring, between the
 * steps of a device that behaves.
 */
#ifndef TESTS_FUZZ_QUEUE_GUEST_H
#define TESTS_FUZZ_QUEUE_GUEST_H

#include "fuzz.h"
#include "queue-fixture.h"

/* The device's and the guest's steps, up to the input's end.  What the device holds stays within
 * its bounds, and the queue's counts add up. */
void fuzz_queue(QueueFixture *fixture, FuzzInput *input);

/* Features, size and base of a ring of one format. */
QueueOptions fuzz_queue_options(FuzzInput *input, bool packed);

#endif
