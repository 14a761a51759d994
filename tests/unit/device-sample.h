/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A valid message of each request, from which tests and fuzzers make wrong ones. */
#ifndef TESTS_UNIT_DEVICE_SAMPLE_H
#define TESTS_UNIT_DEVICE_SAMPLE_H

#include "libvhost-user/wire.h"

/* For queue 1, and for a region that no table has.  Returns the payload's size. */
uint32_t device_sample_payload(uint32_t request, VhostUserPayload *payload);

/* A new descriptor of the kind that goes with the request. */
int device_sample_fd(uint32_t request);

#endif
