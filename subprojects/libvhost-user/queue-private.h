/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a queue, shared by its files: queue.c (life), queue-element.c (requests),
 * queue-split.c and queue-packed.c (the two formats of a ring).  Nobody else includes it.
 */
#ifndef VHOST_USER_QUEUE_PRIVATE_H
#define VHOST_USER_QUEUE_PRIVATE_H

#include <stdatomic.h>
#include <string.h>

#include "inflight-track.h"
#include "queue-internal.h"

/* virtio 1.2, 2.7.5 and 2.8: flags of a descriptor. */
#define VHOST_USER_DESCRIPTOR_NEXT 0x1u
#define VHOST_USER_DESCRIPTOR_WRITE 0x2u
#define VHOST_USER_DESCRIPTOR_INDIRECT 0x4u
#define VHOST_USER_DESCRIPTOR_SIZE 16u /* bytes, in either format */

/*
 * The longest chain, in descriptors, is the ring's size, as virtio 1.2, 2.7.5.3.1 demands of
 * drivers, but never below this: real drivers size their indirect tables by the device's seg_max
 * and not by the ring, so that a short ring comes with longer tables.
 */
#define VHOST_USER_CHAIN_FLOOR 1024u

#define VHOST_USER_PIECES_INLINE 6u /* in an element without further memory */

/* One element as the queue sees it.  @shown comes first: the two are one address. */
typedef struct VhostUserRequestElement {
    VhostUserElement shown;
    struct VhostUserRequestElement *next; /* spare, given back, or pushed */
    struct VhostUserRequestElement *next_of_all;
    struct iovec *pieces;      /* readable ones, then writable ones */
    uint64_t *guest_addresses; /* of each piece */
    uint32_t pieces_allocated;
    uint32_t token;   /* of the reader: keeps the pieces mapped */
    uint64_t order;   /* how many elements were popped before */
    uint64_t total;   /* bytes of all descriptors, also of those outside guest memory */
    uint32_t written; /* as pushed */
    uint32_t descriptors;
    uint32_t slots; /* descriptors in the ring itself, of a packed ring */
    uint16_t id;    /* split: first descriptor; packed: buffer id */
    uint16_t entry; /* first entry of the in-flight area, packed */
    bool writable_seen;
    struct iovec inline_pieces[VHOST_USER_PIECES_INLINE];
    uint64_t inline_guest_addresses[VHOST_USER_PIECES_INLINE];
} VhostUserRequestElement;

/* What a ring's format does.  All but start run on the queue thread between begin and end. */
typedef struct VhostUserRingFormat {
    /* Bytes of the three areas, and the alignment of each (virtio 1.2, 2.7 and 2.8). */
    uint64_t (*descriptor_size)(const VhostUserQueue *queue);
    uint64_t (*driver_size)(const VhostUserQueue *queue);
    uint64_t (*device_size)(const VhostUserQueue *queue);
    uint32_t driver_alignment, device_alignment;

    /* Positions from the base, the used index and the in-flight area; *@recovered: an earlier
     * back-end had written to the area.  Control thread. */
    int (*start)(VhostUserQueue *queue, bool *recovered, const char **reason);
    /* The base that goes on here. */
    uint32_t (*base)(const VhostUserQueue *queue);

    /* The next element of the ring, or NULL. */
    VhostUserRequestElement *(*pop)(VhostUserQueue *queue);
    /* An element that was in flight at the start, or NULL if memory is short or it is broken. */
    VhostUserRequestElement *(*pop_recovered)(VhostUserQueue *queue, uint16_t index);
    /* The ring as if the element, the youngest of all that were popped, had not been. */
    void (*rewind)(VhostUserQueue *queue, const VhostUserRequestElement *element);
    bool (*pending)(VhostUserQueue *queue);
    void (*suppress_kicks)(VhostUserQueue *queue);
    /* Tells the driver of these elements. Whether it wants an interrupt. */
    bool (*publish)(VhostUserQueue *queue, const VhostUserRequestElement *elements);
    /* Whether it has not suppressed all interrupts. */
    bool (*wants_interrupts)(const VhostUserQueue *queue);
} VhostUserRingFormat;

extern const VhostUserRingFormat vhost_user_split_format;
extern const VhostUserRingFormat vhost_user_packed_format;

typedef enum VhostUserKicks {
    VHOST_USER_KICKS_UNKNOWN, /* what an earlier back-end left in the ring */
    VHOST_USER_KICKS_WANTED,
    VHOST_USER_KICKS_SUPPRESSED,
} VhostUserKicks;

/* One of the three areas of a ring. */
typedef struct VhostUserRingArea {
    uint8_t *host;
    uint64_t guest_address;
    VhostUserRegion *region; /* pinned; NULL: not started */
} VhostUserRingArea;

typedef struct VhostUserSplitState {
    uint16_t available;     /* next index to pop */
    uint16_t available_end; /* the driver's index when we looked last */
    uint16_t used;          /* next index to use */
    uint16_t armed;         /* what the event index asks for, if kicks are wanted */
} VhostUserSplitState;

typedef struct VhostUserPackedState {
    uint16_t available, used; /* positions, below the size */
    bool available_wrap, used_wrap;
    uint32_t armed; /* the event structure as written, if kicks are wanted */
} VhostUserPackedState;

struct VhostUserQueue {
    /* Between the threads. */
    _Atomic uint32_t inside; /* queue thread: between begin and end */
    _Atomic uint32_t held;   /* control thread: stay out */
    _Atomic bool running;
    _Atomic bool broken;

    /* Queue thread, or control thread while it stands still. */
    const VhostUserRingFormat *format;
    VhostUserReader *reader;
    VhostUserRingArea descriptors, driver, device;
    uint32_t size;
    uint32_t chain_maximum;               /* descriptors */
    uint32_t pieces_maximum;              /* of an element */
    bool indirect, event_index, in_order; /* negotiated, as of the start */
    bool log_writes, log_ring;            /* as of the start or the last begin */
    bool polling;
    VhostUserKicks kicks;
    union {
        VhostUserSplitState split;
        VhostUserPackedState packed;
    };

    VhostUserRequestElement *spare;      /* elements that nobody uses */
    VhostUserRequestElement *given_back; /* by unpop, the next one first */
    VhostUserRequestElement *pushed, **pushed_end;
    VhostUserRequestElement **early; /* IN_ORDER: pushed, by order modulo size */
    uint64_t next_order;             /* IN_ORDER: the one that the driver hears of next */
    VhostUserRequestElement *all;
    uint64_t order;
    uint32_t in_flight;
    uint64_t *taken; /* a bit for each head or buffer id in flight */
    void *table;     /* copy of an indirect table */
    uint32_t table_allocated;

    VhostUserInflightTrack track;
    VhostUserPackedDescriptor
        *chain;              /* room for the ring's, if there is an area of a packed ring */
    uint32_t recovered_next; /* of track.requests */

    int kick_fd, call_fd, error_fd;
    bool call_due; /* an interrupt for which there was no descriptor yet */
    char error[160];
    void *data;

    /* Control thread. */
    const VhostUserQueueEnvironment *environment;
    uint32_t index;
    uint32_t base;
    VhostUserVringAddr addresses;
    bool addresses_set;
    void *inflight_area;
    uint32_t inflight_descriptors;

    struct {
        _Atomic uint64_t popped, pushed, resubmitted, faults, kicks, calls, calls_spared;
        _Atomic uint64_t lookups, lookup_hits;
        uint64_t lookups_before, hits_before; /* of readers that have ended */
    } statistics;
};

/*
 * One copy of a descriptor of the ring, to @to, which has the layout of the ring's format: what the
 * driver writes there later is not seen.  In both formats a descriptor is two words, of which
 * neither may be torn (2.7.5, 2.8.13).
 */
static inline void vhost_user_queue_copy_descriptor(const VhostUserQueue *queue, uint16_t index,
                                                    void *to)
{
    const uint64_t *from =
        (const uint64_t *)(const void *)(queue->descriptors.host +
                                         index * (size_t)VHOST_USER_DESCRIPTOR_SIZE);
    const uint64_t words[] = {__atomic_load_n(from, __ATOMIC_RELAXED),
                              __atomic_load_n(from + 1, __ATOMIC_RELAXED)};

    memcpy(to, words, sizeof(words));
}

/* One writer: no need for an atomic addition. */
static inline void vhost_user_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* queue.c */

/* Adds 1 to the counter of an eventfd, if there is one; a full one is as good, as its reader has
 * not been there yet. */
void vhost_user_queue_signal(int fd);

/* An interrupt, now or as soon as there is a descriptor for it. */
void vhost_user_queue_call(VhostUserQueue *queue);

/* The ring makes no sense.  The text begins with what is wrong in the ring. */
void vhost_user_queue_break(VhostUserQueue *queue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool vhost_user_queue_is_broken(const VhostUserQueue *queue)
{
    return atomic_load_explicit(&queue->broken, memory_order_relaxed);
}

/* The environment and the addresses may change between two batches. */
static inline void vhost_user_queue_look_for_log(VhostUserQueue *queue)
{
    queue->log_writes = queue->environment->log_writes;
    queue->log_ring = queue->log_writes && (queue->addresses.flags & VHOST_USER_VRING_ADDR_F_LOG);
}

/* queue-element.c */

/* An element without pieces, for a request that the driver has made available: its addresses are
 * looked up in the newest memory table.  NULL: out of memory. */
VhostUserRequestElement *vhost_user_element_take(VhostUserQueue *queue);
/* Nobody uses it any more. */
void vhost_user_element_spare(VhostUserQueue *queue, VhostUserRequestElement *element);
void vhost_user_element_free_all(VhostUserQueue *queue);
/* Makes all elements spare, whoever has them. */
void vhost_user_element_reclaim(VhostUserQueue *queue);

/* Adds the buffer of a descriptor, without NEXT and INDIRECT.  false: broken or no memory. */
bool vhost_user_element_add(VhostUserQueue *queue, VhostUserRequestElement *element,
                            uint64_t guest_address, uint32_t length, bool writable);

/*
 * Copies an indirect table, once, to queue->table; @length and @flags stand in the descriptor that
 * refers to it.  false: broken or no memory.  A table that is
 * not in guest memory makes a fault, and *@count is 0.
 */
bool vhost_user_element_read_table(VhostUserQueue *queue, VhostUserRequestElement *element,
                                   uint64_t guest_address, uint32_t length, uint16_t flags,
                                   uint32_t *count);

/* All descriptors are added: sets what the program sees.  false: the id is in flight already. */
bool vhost_user_element_finish(VhostUserQueue *queue, VhostUserRequestElement *element,
                               uint16_t id);

/* Marks bytes of the writable pieces in the log. */
void vhost_user_element_log(VhostUserQueue *queue, const VhostUserRequestElement *element,
                            uint64_t offset, uint64_t size);

#endif
