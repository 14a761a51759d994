/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of libvhost-user between two ends in this process: the test plays the device with
 * queue.h and queue-internal.h, the library's own driver plays the guest.
 */
#ifndef TESTS_UNIT_QUEUE_FIXTURE_H
#define TESTS_UNIT_QUEUE_FIXTURE_H

#include <glib.h>

#include "libvhost-user/driver.h"
#include "queue-internal.h"

#define QUEUE_GUEST_BASE 0x100000u /* where guest memory begins */

typedef struct QueueOptions {
    uint64_t features; /* VHOST_USER_RING_F_... */
    uint32_t size;
    uint32_t base;
    uint32_t indirect_size;
    uint64_t data_size;    /* bytes of guest memory behind the ring; 0: some */
    uint32_t request_size; /* of elements' data */
    bool log;
    bool inflight;
} QueueOptions;

typedef struct QueueFixture {
    QueueOptions options;
    VhostUserGuestMemory *memory; /* several areas without a gap between them */
    uint64_t data, end;           /* guest addresses behind the ring and of the end */
    VhostUserMap *map;
    int wake;
    VhostUserDirtyLog log;
    VhostUserInflightBuffer inflight;
    int inflight_fd;
    VhostUserInflight inflight_description;
    VhostUserQueueEnvironment environment;
    VhostUserQueue *queue;
    VhostUserDriverParameters parameters;
    VhostUserDriverQueue *driver;
    VhostUserQueue *other; /* a second queue with its driver, if asked for */
    VhostUserDriverQueue *other_driver;
    unsigned broken, stopped; /* how often the queue said so */
    char *reason;             /* why it is broken */
} QueueFixture;

/* Guest, memory and a queue that is started. */
QueueFixture *queue_fixture_new(const QueueOptions *options);
void queue_fixture_free(QueueFixture *fixture);

/* A new queue in place of the old one, as after a new connection, that goes on at @base. */
void queue_fixture_replace(QueueFixture *fixture, uint32_t base);

/* As SET_VRING_ADDR sends it; F_LOG if the options say so. */
VhostUserVringAddr queue_fixture_addresses(const QueueFixture *fixture);

/* Where guest memory lies in the driver's mapping. */
void *queue_fixture_host(const QueueFixture *fixture, uint64_t guest_address, uint64_t size);

/* Whether the eventfd was written since the last look, at most once. */
bool queue_fixture_signalled(int fd);

/* begin, pop, end; the element stays with the caller. */
VhostUserElement *queue_fixture_pop(QueueFixture *fixture);
/* begin, push, end. */
void queue_fixture_push(QueueFixture *fixture, VhostUserElement *element, uint32_t written);

/* A second queue in the same memory, and a request through it. */
void queue_fixture_add_other(QueueFixture *fixture);
void queue_fixture_other_goes_on(QueueFixture *fixture);

/* The next pop finds the ring broken for this reason, and says so everywhere, once; the other queue
 * goes on. */
void queue_fixture_expect_broken(QueueFixture *fixture, const char *reason);

/* A bit of the dirty log. */
bool queue_fixture_logged(const QueueFixture *fixture, uint64_t guest_address);

/*
 * Random requests by the driver and random work by the device, each byte, length, order and
 * notification checked against a model; the log too, if there is one.  Stops and starts the queue
 * in between, with the base that it answered.
 */
void queue_model_run(const QueueOptions *options, unsigned steps);

/* With each set of indirect, event index and in-order. */
void queue_model_run_features(uint64_t features, const QueueOptions *options, unsigned steps);

#endif
