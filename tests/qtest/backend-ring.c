/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split rings from the device's side (virtio 1.2, 2.7), and a RAM disk behind them (5.2.6).
 */
#include "qtest/backend-internal.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

BackendRing *ring_new(void)
{
    BackendRing *ring = g_new0(BackendRing, 1);

    ring->kick = ring->call = ring->err = -1;
    return ring;
}

void ring_free(BackendRing *ring)
{
    int fds[] = {ring->kick, ring->call, ring->err};

    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    g_free(ring);
}

gboolean ring_resolve(BackendRing *ring, BackendMemory *memory)
{
    /* Virtio 1.2, 2.7.6, 2.7.8 and 2.8.14. */
    uint64_t available = ring->packed ? 4 : 6 + 2ull * ring->size;
    uint64_t used = ring->packed ? 4 : 6 + 8ull * ring->size;

    if (ring->generation == memory->generation) {
        return TRUE;
    }
    ring->descriptors =
        (void *)memory_by_user(memory, ring->address.descriptor, 16ull * ring->size);
    ring->available = (void *)memory_by_user(memory, ring->address.available, available);
    ring->used = (void *)memory_by_user(memory, ring->address.used, used);
    if (!ring->size || !ring->descriptors || !ring->available || !ring->used) {
        return FALSE;
    }
    ring->generation = memory->generation;
    return TRUE;
}

/* --- a request as pieces of host memory --- */

typedef struct Piece {
    uint8_t *bytes;
    uint64_t size;
    gboolean writable;
} Piece;

/* A descriptor's buffer may go over several regions. */
static gboolean add_pieces(GArray *pieces, BackendMemory *memory,
                           const struct vring_desc *descriptor)
{
    uint64_t address = descriptor->addr, size = descriptor->len;

    while (size) {
        uint64_t left;
        Piece piece = {.writable = !!(descriptor->flags & VRING_DESC_F_WRITE)};

        piece.bytes = memory_by_guest(memory, address, &left);
        if (!piece.bytes) {
            return FALSE;
        }
        piece.size = MIN(size, left);
        g_array_append_val(pieces, piece);
        address += piece.size;
        size -= piece.size;
    }
    return TRUE;
}

static const char *collect_chain(GArray *pieces, BackendMemory *memory,
                                 const struct vring_desc *table, uint32_t count, uint16_t index,
                                 gboolean inner)
{
    for (uint32_t hops = 0; hops < count; hops++) {
        struct vring_desc descriptor;

        if (index >= count) {
            return "a descriptor index lies outside the table";
        }
        descriptor = table[index];
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            uint64_t left;
            uint8_t *inside = memory_by_guest(memory, descriptor.addr, &left);

            if (inner || !inside || left < descriptor.len || descriptor.len % 16) {
                return "an indirect table is wrong";
            }
            return collect_chain(pieces, memory, (void *)inside, descriptor.len / 16, 0, TRUE);
        }
        if (!add_pieces(pieces, memory, &descriptor)) {
            return "a buffer lies outside the memory that is mapped";
        }
        if (!(descriptor.flags & VRING_DESC_F_NEXT)) {
            return NULL;
        }
        index = descriptor.next;
    }
    return "a descriptor chain has a loop";
}

uint64_t ring_copy(GArray *pieces, gboolean writable, uint64_t offset, void *bytes, uint64_t size)
{
    uint64_t done = 0;

    for (guint i = 0; i < pieces->len && done < size; i++) {
        Piece *piece = &g_array_index(pieces, Piece, i);
        uint64_t part;

        if (piece->writable != writable) {
            continue;
        }
        if (offset >= piece->size) {
            offset -= piece->size;
            continue;
        }
        part = MIN(piece->size - offset, size - done);
        if (writable) {
            memcpy(piece->bytes + offset, (uint8_t *)bytes + done, part);
        } else {
            memcpy((uint8_t *)bytes + done, piece->bytes + offset, part);
        }
        done += part;
        offset = 0;
    }
    return done;
}

static uint64_t total(GArray *pieces, gboolean writable)
{
    uint64_t size = 0;

    for (guint i = 0; i < pieces->len; i++) {
        Piece *piece = &g_array_index(pieces, Piece, i);

        size += piece->writable == writable ? piece->size : 0;
    }
    return size;
}

/* --- the disk --- */

static gboolean in_disk(const BackendDisk *disk, uint64_t sector, uint64_t size)
{
    return sector <= disk->size / 512 && size <= disk->size - sector * 512;
}

static uint8_t zero_ranges(BackendDisk *disk, GArray *pieces, uint64_t size)
{
    struct virtio_blk_discard_write_zeroes range;

    for (uint64_t offset = 0; offset + sizeof(range) <= size; offset += sizeof(range)) {
        ring_copy(pieces, FALSE, 16 + offset, &range, sizeof(range));
        if (!in_disk(disk, range.sector, range.num_sectors * 512ull)) {
            return VIRTIO_BLK_S_IOERR;
        }
        memset(disk->bytes + range.sector * 512, 0, range.num_sectors * 512ull);
    }
    return VIRTIO_BLK_S_OK;
}

/* Executes one request; the number of bytes written to the driver's memory, 0 if it is no request
 * at all. */
static uint32_t disk_request(BackendDisk *disk, GArray *pieces)
{
    static const char serial[VIRTIO_BLK_ID_BYTES] = "scripted backend";
    struct virtio_blk_outhdr header;
    uint64_t out = total(pieces, FALSE), in = total(pieces, TRUE);
    uint8_t status = VIRTIO_BLK_S_OK;
    uint64_t written = 0;

    if (out < sizeof(header) || in < 1) {
        return 0;
    }
    ring_copy(pieces, FALSE, 0, &header, sizeof(header));
    out -= sizeof(header);
    in -= 1; /* the status */
    switch (header.type) {
    case VIRTIO_BLK_T_IN:
        if (in_disk(disk, header.sector, in)) {
            written = ring_copy(pieces, TRUE, 0, disk->bytes + header.sector * 512, in);
        } else {
            status = VIRTIO_BLK_S_IOERR;
        }
        break;
    case VIRTIO_BLK_T_OUT:
        if (in_disk(disk, header.sector, out)) {
            ring_copy(pieces, FALSE, 16, disk->bytes + header.sector * 512, out);
        } else {
            status = VIRTIO_BLK_S_IOERR;
        }
        break;
    case VIRTIO_BLK_T_FLUSH:
        break;
    case VIRTIO_BLK_T_GET_ID:
        written = ring_copy(pieces, TRUE, 0, (void *)serial, MIN(in, sizeof(serial)));
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES:
        status = zero_ranges(disk, pieces, out);
        break;
    default:
        status = VIRTIO_BLK_S_UNSUPP;
    }
    ring_copy(pieces, TRUE, in, &status, 1);
    return (uint32_t)written + 1;
}

/* What the driver wrote, in what it wants to read, over and over; 0xa5 if it wrote nothing. */
static uint32_t echo(GArray *pieces)
{
    uint64_t out = MIN(total(pieces, FALSE), 65536), in = total(pieces, TRUE), done = 0;
    g_autofree uint8_t *bytes = g_malloc(MAX(out, 1));

    bytes[0] = 0xa5;
    ring_copy(pieces, FALSE, 0, bytes, out);
    while (done < in) {
        done += ring_copy(pieces, TRUE, done, bytes, MIN(MAX(out, 1), in - done));
    }
    return (uint32_t)in;
}

uint32_t disk_execute(gpointer opaque, GArray *pieces)
{
    BackendDisk *disk = opaque;

    disk->requests++;
    return disk->size ? disk_request(disk, pieces) : echo(pieces);
}

/* --- the ring --- */

static void store_used(BackendRing *ring, uint16_t index, uint16_t head, uint32_t length)
{
    ring->used->ring[index % ring->size].id = head;
    ring->used->ring[index % ring->size].len = length;
    __atomic_store_n(&ring->used->idx, (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

/* Does the driver want to hear of used entries @old to @new (2.7.7, 2.7.8)? */
static gboolean wants_call(BackendRing *ring, gboolean event_index, uint16_t old, uint16_t new)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (event_index) {
        return vring_need_event(ring->available->ring[ring->size], new, old);
    }
    return !(ring->available->flags & VRING_AVAIL_F_NO_INTERRUPT);
}

static gboolean more_available(BackendRing *ring, gboolean event_index)
{
    if (__atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE) != ring->next) {
        return TRUE;
    }
    if (event_index) {
        memcpy(&ring->used->ring[ring->size], &ring->next, sizeof(ring->next));
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE) != ring->next;
}

const char *ring_serve(BackendRing *ring, BackendMemory *memory, gboolean event_index, guint most,
                       RingExecutor *execute, gpointer opaque)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    uint16_t first, used;

    if (!ring_resolve(ring, memory)) {
        return "a ring lies outside the memory that is mapped";
    }
    first = used = ring->used->idx;
    while (most-- > 0 && more_available(ring, event_index)) {
        uint16_t head = ring->available->ring[ring->next % ring->size];
        const char *wrong;

        g_array_set_size(pieces, 0);
        wrong = collect_chain(pieces, memory, ring->descriptors, ring->size, head, FALSE);
        if (wrong) {
            return wrong;
        }
        ring->next++;
        store_used(ring, used++, head, execute(opaque, pieces));
    }
    if (used != first && ring->call >= 0 && wants_call(ring, event_index, first, used)) {
        eventfd_write(ring->call, 1);
    }
    return NULL;
}
