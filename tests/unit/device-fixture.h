/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device of libvhost-user with a scripted front-end at the other end of a socket pair, both on
 * one thread: the front-end sends, the device is processed, the front-end looks at what came.
 * Nothing is timed and nothing runs by itself.
 */
#ifndef TESTS_UNIT_DEVICE_FIXTURE_H
#define TESTS_UNIT_DEVICE_FIXTURE_H

#include <glib.h>

#include "libvhost-user/driver.h"
#include "libvhost-user/front-end.h"
#include "libvhost-user/queue.h"

#define FIXTURE_QUEUES 4u
#define FIXTURE_RING_SIZE 16u
#define FIXTURE_FEATURES                                                                           \
    (VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_INDIRECT_DESC | VHOST_USER_RING_F_EVENT_IDX | \
     VHOST_USER_RING_F_PACKED)
#define FIXTURE_BIT_30 (1ull << VHOST_USER_F_PROTOCOL_FEATURES)
#define FIXTURE_LOG_ALL (1ull << VHOST_USER_F_LOG_ALL)

/* Guest memory: two areas; the rings lie in the first one. */
#define FIXTURE_AREA 0x10000ull
#define FIXTURE_GAP 0x10000ull

typedef struct DeviceFixture {
    VhostUserDevice *device;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *memory;
    VhostUserDriverQueue *rings[FIXTURE_QUEUES];
    gboolean ended;
    guint fds; /* open before there was any of it */

    /* How the program behaves. */
    gboolean stop_later; /* queue_stop leaves vhost_user_queue_stopped() to the test */
    int result;          /* of every operation that may fail */
    gboolean shut_down;  /* every operation ends the connection from inside */

    /* What the program has seen. */
    gboolean running[FIXTURE_QUEUES], stopping[FIXTURE_QUEUES];
    guint starts[FIXTURE_QUEUES], stops[FIXTURE_QUEUES];
    guint resets, features_set, status_set;
    guint64 features;
    guint8 status;
    guint8 config[256];
    guint16 mtu;
    guint8 mac[6];
    int state_fd;
    gboolean state_load;
    GString *log;
} DeviceFixture;

guint open_descriptors(void);

/* @withheld: protocol features not to offer; @slots of memory. */
void device_fixture_set_up(DeviceFixture *fixture, guint64 withheld, guint32 slots);
/* All queues have to be back. Checks that no descriptor is left. */
void device_fixture_tear_down(DeviceFixture *fixture);

/* Lets the device do all that it can do now. */
VhostUserState device_fixture_process(DeviceFixture *fixture);

/* The program reports a queue that it was told to stop. */
void device_fixture_report(DeviceFixture *fixture, guint queue);

/* Whether something came that the front-end has not read; a hang-up counts as nothing. */
gboolean device_fixture_answered(DeviceFixture *fixture);

/* Sends a request with @flags, processes, and returns its ack, which has to come. */
guint64 device_fixture_ack(DeviceFixture *fixture, uint32_t request, const void *payload,
                           uint32_t size, const int *fds, guint fd_count);
/* The same with a u64 as payload, or none. */
guint64 device_fixture_ack_u64(DeviceFixture *fixture, uint32_t request, guint64 value);
guint64 device_fixture_ack_state(DeviceFixture *fixture, uint32_t request, uint32_t index,
                                 uint32_t number);
/* Its reply. */
void device_fixture_reply(DeviceFixture *fixture, uint32_t request, const void *payload,
                          uint32_t size, const int *fds, guint fd_count,
                          VhostUserFrontEndMessage *reply);
guint64 device_fixture_get(DeviceFixture *fixture, uint32_t request);

/* Features (with bit 30), protocol features: those of both that are offered. */
void device_fixture_negotiate(DeviceFixture *fixture, guint64 features, guint64 protocol_features);
/* Lends an area with ADD_MEM_REG. */
void device_fixture_add_area(DeviceFixture *fixture, guint index);
/* A memory region message of an area. */
VhostUserMemRegMsg device_fixture_region(const DeviceFixture *fixture, guint index);
/* All of that with everything that is offered and one area, which has the rings. */
void device_fixture_ready(DeviceFixture *fixture, guint64 features);
/* Sets up a ring, and enables it; the program has it then. */
void device_fixture_start_ring(DeviceFixture *fixture, guint index);
/* The messages of that, one by one, for what goes wrong in between. */
typedef struct RingMessage {
    uint32_t request;
    VhostUserPayload payload;
    uint32_t size;
    int fd; /* -1: none */
} RingMessage;
#define RING_MESSAGES 7
void device_fixture_ring_messages(DeviceFixture *fixture, guint index,
                                  RingMessage messages[RING_MESSAGES]);

/* GET_VRING_BASE: stops the ring. */
uint32_t device_fixture_get_base(DeviceFixture *fixture, guint index);

/* Serves what the driver made available, in the caller's thread: every writable byte becomes the
 * sum of the readable ones. Returns the number of requests. */
guint device_fixture_serve(DeviceFixture *fixture, guint index);
/* The driver sends one request and looks for its answer, if the device is @expected to give one. */
void device_fixture_drive(DeviceFixture *fixture, guint index, gboolean expected);

#endif
