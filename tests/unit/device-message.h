/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole messages, right and wrong, to the device of a fixture, and what it makes of them. */
#ifndef TESTS_UNIT_DEVICE_MESSAGE_H
#define TESTS_UNIT_DEVICE_MESSAGE_H

#include "device-fixture.h"

#define DEVICE_HEADER sizeof(VhostUserHeader)

/* With descriptors of its own. */
typedef struct DeviceMessage {
    struct {
        VhostUserHeader header;
        guint8 payload[VHOST_USER_PAYLOAD_MAXIMUM];
    } bytes;
    int fds[16];
    guint fd_count;
} DeviceMessage;

/* A valid message for queue 1, which is idle, and for memory that is not there yet. */
void device_message_make(DeviceMessage *message, uint32_t request);
void device_message_clear(DeviceMessage *message);
void device_message_put(DeviceMessage *message, const void *payload, guint size);
/* One more, of the kind that goes with the request. */
void device_message_add_fd(DeviceMessage *message);
/* Sends @size bytes, which need not be as many as the header says, with more descriptors than a
 * front-end would. */
void device_message_send(DeviceFixture *fixture, const DeviceMessage *message, guint size);

/* A session with all features, memory, and queue 0 running. */
void device_message_begin(DeviceFixture *fixture);

typedef enum Outcome {
    OUTCOME_ANSWER,  /* success */
    OUTCOME_SILENCE, /* done or ignored, and nothing is due */
    OUTCOME_REFUSAL, /* an ack that is not 0, and the session goes on */
    OUTCOME_END,     /* with an error */
} Outcome;

/* What the device makes of what was sent.  All is there already, so nothing waits. */
Outcome device_message_outcome(DeviceFixture *fixture, uint32_t request);

#endif
