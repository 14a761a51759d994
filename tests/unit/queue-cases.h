/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tests that both formats of a ring go through: random work against a model, rings made by hand
 * that are broken or point outside memory, and starts that are refused.  A format brings its tables
 * of cases.
 */
#ifndef TESTS_UNIT_QUEUE_CASES_H
#define TESTS_UNIT_QUEUE_CASES_H

#include "inflight-track.h"
#include "queue-fixture.h"

#define QUEUE_CASE_SIZE 8      /* of a ring made by hand */
#define QUEUE_CASE_TABLE 4096u /* where its indirect table lies, from the data's start on */

/* What the driver's memory holds (virtio 1.2, 2.7.5); little-endian like the ring. */
typedef struct QueueSplitDescriptor {
    uint64_t address; /* in a case: from the data's start on */
    uint32_t length;
    uint16_t flags, next;
} QueueSplitDescriptor;

/* A ring made by hand, in the members of its format. */
typedef struct QueueCase {
    const char *name;
    const char *reason; /* why it is broken */
    uint64_t without;   /* feature that is not negotiated */
    union {
        QueueSplitDescriptor split[QUEUE_CASE_SIZE];
        VhostUserPackedDescriptor packed[QUEUE_CASE_SIZE];
    };
    union {
        QueueSplitDescriptor split_table[4];
        VhostUserPackedDescriptor packed_table[4];
    };
    uint16_t heads[2]; /* of the available ring, split only */
    uint16_t index;
} QueueCase;

/* A start that is refused for @reason. */
typedef struct QueueStartCase {
    const char *name;
    uint32_t size;                       /* 0: QUEUE_CASE_SIZE */
    int64_t descriptor, available, used; /* moved by so much */
    uint32_t base;
    const char *reason;
} QueueStartCase;

/* The tables end with a case without a name. */
typedef struct QueueFormat {
    const char *name;      /* in the tests' paths */
    uint64_t features;     /* VHOST_USER_RING_F_..., always */
    uint32_t base;         /* of a new ring */
    uint32_t wrap_base;    /* of a ring of 256 in which indices soon wrap */
    const uint32_t *sizes; /* of rings for the model; the last is 0 */
    const QueueCase *broken;
    const QueueCase *faults;
    const QueueStartCase *starts;
} QueueFormat;

/* Adds the tests of the one format that this program tests, under /queue/NAME/. */
void queue_cases_add(const QueueFormat *format);

/* The ring of @made, and a second queue, in the format that was added. */
QueueFixture *queue_case_fixture(const QueueCase *made);

/* The available ring of a split ring: flags, index, heads. */
uint16_t *queue_case_available(const QueueFixture *fixture);

#endif
