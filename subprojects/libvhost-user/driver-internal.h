/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two ring formats (driver-split.c, driver-packed.c) share with driver.c.  Private to the
 * library. */
#ifndef VHOST_USER_DRIVER_INTERNAL_H
#define VHOST_USER_DRIVER_INTERNAL_H

#include "libvhost-user/driver.h"

/* virtio 1.2, 2.7.5 and 2.8.1: a descriptor's flags. */
#define DESCRIPTOR_NEXT 0x1u
#define DESCRIPTOR_WRITE 0x2u
#define DESCRIPTOR_INDIRECT 0x4u
#define DESCRIPTOR_BYTES 16u /* of both formats */

/* One request, by its id (split: the chain's first descriptor). */
typedef struct DriverRequest {
    void *cookie;
    uint32_t writable;    /* bytes that the device may write */
    uint16_t descriptors; /* of the ring; 0: the device does not have it */
} DriverRequest;

/* The buffers of a request on its way into the ring. */
typedef struct DriverBuffers {
    const VhostUserDriverBuffer *list;
    unsigned readable, count;
} DriverBuffers;

/* What a ring format does; driver.h tells what each means. */
typedef struct DriverRing {
    uint64_t (*available_bytes)(uint32_t size);
    uint64_t (*used_bytes)(uint32_t size);
    int (*init)(VhostUserDriverQueue *queue, uint32_t base); /* the memory is zero */
    /* Puts a request into the ring, of which there is room for, and returns its id. */
    uint16_t (*add)(VhostUserDriverQueue *queue, DriverBuffers buffers);
    uint16_t (*add_indirect)(VhostUserDriverQueue *queue, DriverBuffers buffers);
    void (*publish)(VhostUserDriverQueue *queue);
    bool (*wants_kick)(const VhostUserDriverQueue *queue);
    bool (*pending)(const VhostUserDriverQueue *queue);
    /* Reads the next used element. False: the queue is broken. */
    bool (*read_used)(VhostUserDriverQueue *queue, uint32_t *id, uint32_t *written);
    /* Steps over the element of request @id and takes back its descriptors. */
    void (*release)(VhostUserDriverQueue *queue, uint16_t id, uint16_t descriptors);
    void (*enable_calls)(VhostUserDriverQueue *queue, uint16_t after);
    void (*disable_calls)(VhostUserDriverQueue *queue);
    uint32_t (*base)(const VhostUserDriverQueue *queue);       /* of GET_VRING_BASE */
    uint32_t (*setup_base)(const VhostUserDriverQueue *queue); /* for SET_VRING_BASE */
} DriverRing;

extern const DriverRing vhost_user_driver_split, vhost_user_driver_packed;

/* A place in the ring.  Split: an index that runs to 65535, packed: up to the size, with the wrap
 * counter. */
typedef struct DriverPosition {
    uint16_t index;
    bool wrap;
} DriverPosition;

struct VhostUserDriverQueue {
    const DriverRing *ring;
    uint64_t features;
    uint32_t index, size;

    /* The ring's parts and the indirect tables, in guest memory. */
    void *descriptor, *available, *used;
    uint8_t *indirect;
    uint64_t indirect_address;
    uint32_t indirect_size;

    DriverRequest *requests; /* by id */
    uint32_t free;           /* descriptors of the ring */
    unsigned outstanding;    /* requests that were added and not collected */
    unsigned unpublished;    /* of them */
    uint32_t since_kick;     /* split: requests, packed: descriptors, added since the last kick */

    /*
     * What follows a descriptor (packed: an id), out of the device's reach: in a chain, and among
     * the free ones, which go from first_free to last_free.  What is freed goes to the end: under
     * IN_ORDER the descriptors are then used in the order of the table, as they have to be
     * (virtio 1.2, 2.7.9).
     */
    uint16_t *next;
    uint16_t first_free, last_free;

    /* IN_ORDER: ids in the order of their add, a ring of @size entries, @outstanding in use. */
    uint16_t *order;
    uint32_t oldest;
    bool skipping;         /* the device has used all up to skip_to by one element */
    uint16_t skip_to;      /* an id */
    uint32_t skip_written; /* bytes in that one */

    DriverPosition next_available, next_used;
    /* Packed: the first descriptor that is not published, which holds back all after it. */
    uint16_t held_index, held_flags;

    int kick, call, error_fd;
    const char *error;
    VhostUserDriverStatistics statistics;
};

static inline bool driver_queue_has(const VhostUserDriverQueue *queue, uint64_t feature)
{
    return queue->features & feature;
}

/* virtio 1.2, 2.7.10: whether going from @old to @now passed @event. */
static inline bool driver_passed(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* The guest address of the indirect table of @id; @table is where it lies here. */
static inline uint64_t driver_indirect(const VhostUserDriverQueue *queue, uint16_t id, void **table)
{
    uint64_t offset = (uint64_t)id * queue->indirect_size * DESCRIPTOR_BYTES;

    *table = queue->indirect + offset;
    return queue->indirect_address + offset;
}

#endif
