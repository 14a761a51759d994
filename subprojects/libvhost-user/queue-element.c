/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of a queue: the pool that they come from, the pieces of guest memory that their
 * descriptors name, copies from and to these, and the log of what was written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "queue-private.h"

#define DATA_ALIGNMENT 16u

static size_t data_offset(void)
{
    return (sizeof(VhostUserRequestElement) + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
}

static VhostUserRequestElement *element_new(VhostUserQueue *queue)
{
    size_t size = data_offset() + queue->environment->request_size;
    VhostUserRequestElement *element = aligned_alloc(
        DATA_ALIGNMENT, (size + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT);

    if (!element) {
        return NULL;
    }
    memset(element, 0, size);
    element->pieces = element->inline_pieces;
    element->guest_addresses = element->inline_guest_addresses;
    element->pieces_allocated = VHOST_USER_PIECES_INLINE;
    element->shown.data = (uint8_t *)element + data_offset();
    element->next_of_all = queue->all;
    queue->all = element;
    return element;
}

VhostUserRequestElement *vhost_user_element_take(VhostUserQueue *queue)
{
    VhostUserRequestElement *element = queue->spare;

    vhost_user_reader_refresh(queue->reader);
    if (element) {
        queue->spare = element->next;
    } else {
        element = element_new(queue);
        if (!element) {
            return NULL;
        }
    }
    element->next = NULL;
    element->shown.readable_count = 0;
    element->shown.writable_count = 0;
    element->shown.readable_size = 0;
    element->shown.writable_size = 0;
    element->shown.resubmitted = false;
    element->shown.fault = false;
    element->total = 0;
    element->descriptors = 0;
    element->slots = 0;
    element->writable_seen = false;
    return element;
}

void vhost_user_element_spare(VhostUserQueue *queue, VhostUserRequestElement *element)
{
    element->next = queue->spare;
    queue->spare = element;
}

void vhost_user_element_reclaim(VhostUserQueue *queue)
{
    queue->spare = NULL;
    for (VhostUserRequestElement *e = queue->all; e; e = e->next_of_all) {
        vhost_user_element_spare(queue, e);
    }
}

void vhost_user_element_free_all(VhostUserQueue *queue)
{
    while (queue->all) {
        VhostUserRequestElement *element = queue->all;

        queue->all = element->next_of_all;
        if (element->pieces != element->inline_pieces) {
            free(element->pieces);
            free(element->guest_addresses);
        }
        free(element);
    }
    queue->spare = NULL;
}

/* Twice the room for pieces; it stays with the element, so that a busy queue allocates nothing. */
static bool grow(VhostUserRequestElement *element)
{
    uint32_t allocated = element->pieces_allocated * 2;
    struct iovec *pieces = malloc(allocated * sizeof(*pieces));
    uint64_t *guest_addresses = malloc(allocated * sizeof(*guest_addresses));

    if (!pieces || !guest_addresses) {
        free(pieces);
        free(guest_addresses);
        return false;
    }
    memcpy(pieces, element->pieces, element->pieces_allocated * sizeof(*pieces));
    memcpy(guest_addresses, element->guest_addresses,
           element->pieces_allocated * sizeof(*guest_addresses));
    if (element->pieces != element->inline_pieces) {
        free(element->pieces);
        free(element->guest_addresses);
    }
    element->pieces = pieces;
    element->guest_addresses = guest_addresses;
    element->pieces_allocated = allocated;
    return true;
}

/* One buffer as one piece a region.  The first byte outside guest memory ends the pieces. */
static bool add_pieces(VhostUserQueue *queue, VhostUserRequestElement *element,
                       uint64_t guest_address, uint64_t length, bool writable)
{
    VhostUserElement *shown = &element->shown;
    uint32_t *count = writable ? &shown->writable_count : &shown->readable_count;
    uint64_t *size = writable ? &shown->writable_size : &shown->readable_size;

    while (length > 0) {
        uint32_t piece = shown->readable_count + shown->writable_count;
        uint64_t contiguous;
        void *host = vhost_user_reader_translate(queue->reader, guest_address, length, &contiguous);

        if (!host || piece == queue->pieces_maximum) {
            shown->fault = true;
            return true;
        }
        if (piece == element->pieces_allocated && !grow(element)) {
            return false;
        }
        element->pieces[piece].iov_base = host;
        element->pieces[piece].iov_len = contiguous;
        element->guest_addresses[piece] = guest_address;
        (*count)++;
        *size += contiguous;
        guest_address += contiguous;
        length -= contiguous;
    }
    return true;
}

bool vhost_user_element_add(VhostUserQueue *queue, VhostUserRequestElement *element,
                            uint64_t guest_address, uint32_t length, bool writable)
{
    if (++element->descriptors > queue->chain_maximum) {
        vhost_user_queue_break(queue, "a chain has more than %" PRIu32 " descriptors",
                               queue->chain_maximum);
        return false;
    }
    if (element->writable_seen && !writable) {
        /* virtio 1.2, 2.7.4.2. */
        vhost_user_queue_break(queue,
                               "descriptor %" PRIu32 " of a chain is for the device to read,"
                               " behind one to write",
                               element->descriptors);
        return false;
    }
    element->writable_seen = writable;
    element->total += length;
    if (element->total > 1ull << 32) {
        /* virtio 1.2, 2.7.5.2. */
        vhost_user_queue_break(queue, "a chain has more than 2^32 bytes");
        return false;
    }
    /* What follows a fault is checked, but has no pieces: the program's offsets would be wrong. */
    return element->shown.fault || add_pieces(queue, element, guest_address, length, writable);
}

static bool copy_table(VhostUserQueue *queue, uint64_t guest_address, uint64_t length)
{
    uint8_t *to = queue->table;

    while (length > 0) {
        uint64_t contiguous;
        const void *host =
            vhost_user_reader_translate(queue->reader, guest_address, length, &contiguous);

        if (!host) {
            return false;
        }
        memcpy(to, host, contiguous);
        to += contiguous;
        guest_address += contiguous;
        length -= contiguous;
    }
    return true;
}

bool vhost_user_element_read_table(VhostUserQueue *queue, VhostUserRequestElement *element,
                                   uint64_t guest_address, uint32_t length, uint16_t flags,
                                   uint32_t *count)
{
    *count = 0;
    if (flags & VHOST_USER_DESCRIPTOR_NEXT) {
        vhost_user_queue_break(queue, "a descriptor has both INDIRECT and NEXT");
        return false;
    }
    if (!queue->indirect) {
        vhost_user_queue_break(queue, "indirect descriptor, but INDIRECT_DESC is not negotiated");
        return false;
    }
    if (length == 0 || length % VHOST_USER_DESCRIPTOR_SIZE != 0 ||
        length / VHOST_USER_DESCRIPTOR_SIZE > queue->chain_maximum) {
        vhost_user_queue_break(queue,
                               "indirect table of %" PRIu32 " bytes: not a multiple of 16 from 16"
                               " to %" PRIu32,
                               length, queue->chain_maximum * VHOST_USER_DESCRIPTOR_SIZE);
        return false;
    }
    if (length > queue->table_allocated) {
        void *table = realloc(queue->table, length);

        if (!table) {
            return false;
        }
        queue->table = table;
        queue->table_allocated = length;
    }
    if (copy_table(queue, guest_address, length)) {
        *count = length / VHOST_USER_DESCRIPTOR_SIZE;
    } else {
        element->shown.fault = true;
    }
    return true;
}

bool vhost_user_element_finish(VhostUserQueue *queue, VhostUserRequestElement *element, uint16_t id)
{
    uint64_t bit = 1ull << (id % 64);

    if (queue->taken[id / 64] & bit) {
        vhost_user_queue_break(
            queue, "%s %" PRIu16 " is made available while it is in flight",
            queue->format == &vhost_user_packed_format ? "buffer id" : "descriptor", id);
        return false;
    }
    queue->taken[id / 64] |= bit;
    element->id = id;
    element->shown.readable = element->pieces;
    element->shown.writable = element->pieces + element->shown.readable_count;
    element->token = vhost_user_reader_hold(queue->reader);
    element->order = queue->order++;
    return true;
}

void vhost_user_element_log(VhostUserQueue *queue, const VhostUserRequestElement *element,
                            uint64_t offset, uint64_t size)
{
    const uint64_t *guest_addresses = element->guest_addresses + element->shown.readable_count;

    for (uint32_t i = 0; i < element->shown.writable_count && size > 0; i++) {
        uint64_t length = element->shown.writable[i].iov_len;

        if (offset >= length) {
            offset -= length;
            continue;
        }
        length -= offset;
        if (length > size) {
            length = size;
        }
        vhost_user_dirty_log_mark(queue->environment->log, guest_addresses[i] + offset, length);
        offset = 0;
        size -= length;
    }
}

void vhost_user_queue_log(VhostUserQueue *queue, const VhostUserElement *element, uint64_t offset,
                          uint64_t size)
{
    if (queue->log_writes) {
        vhost_user_element_log(queue, (const VhostUserRequestElement *)element, offset, size);
    }
}

/* Calls memcpy for each part of the range; to the pieces or from them. */
static size_t copy(const struct iovec *pieces, uint32_t count, uint64_t offset, uint8_t *bytes,
                   size_t size, bool to_pieces)
{
    size_t done = 0;

    for (uint32_t i = 0; i < count && done < size; i++) {
        size_t length = pieces[i].iov_len;
        uint8_t *host = pieces[i].iov_base;

        if (offset >= length) {
            offset -= length;
            continue;
        }
        host += offset;
        length -= offset;
        if (length > size - done) {
            length = size - done;
        }
        memcpy(to_pieces ? host : bytes + done, to_pieces ? bytes + done : host, length);
        offset = 0;
        done += length;
    }
    return done;
}

size_t vhost_user_element_read(const VhostUserElement *element, uint64_t offset, void *bytes,
                               size_t size)
{
    return copy(element->readable, element->readable_count, offset, bytes, size, false);
}

size_t vhost_user_element_write(const VhostUserElement *element, uint64_t offset, const void *bytes,
                                size_t size)
{
    /* Only read, as the direction says. */
    return copy(element->writable, element->writable_count, offset, (uint8_t *)(uintptr_t)bytes,
                size, true);
}
