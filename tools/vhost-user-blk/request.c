/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-blk requests, virtio 1.2, 5.2.6: from buffers to work, from results to status bytes. */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include "config.h"

/*
 * A chain can name the same memory many times over and so ask for terabytes of zeroes, while its
 * queue's other requests, and whoever stops the queue, wait.  More than this is not filled.
 */
#define FILL_MAX (1u << 20)

#define SEGMENT_SIZE sizeof(struct virtio_blk_discard_write_zeroes)

void blk_request_rules_init(BlkRequestRules *rules, BlkDisk *disk, const char *serial)
{
    *rules = (BlkRequestRules){.disk = disk};
    memcpy(rules->id, serial, strnlen(serial, sizeof(rules->id)));
}

static BlkRequestNext answer(BlkRequest *request, uint8_t status)
{
    request->status = status;
    return BLK_REQUEST_ANSWER;
}

/* Whether [@sector, @sector + @bytes) lies on the disk, and the disk can do just that range. */
static gboolean range_is_valid(const BlkDisk *disk, uint64_t sector, uint64_t bytes)
{
    uint64_t sectors = blk_disk_size(disk) / BLK_SECTOR_SIZE;
    uint64_t alignment = MAX(blk_disk_offset_alignment(disk), BLK_SECTOR_SIZE);

    return sector <= sectors && bytes / BLK_SECTOR_SIZE <= sectors - sector &&
           bytes % alignment == 0 && sector * BLK_SECTOR_SIZE % alignment == 0;
}

/*
 * Copies the pieces of [@from, @from + @size) of @source, which lies in it: what is transferred
 * begins behind the header or ends before the status, wherever the driver has cut its buffers.
 */
static void cut_pieces(BlkRequest *request, const struct iovec *source, unsigned count,
                       uint64_t from, uint64_t size)
{
    struct iovec *to = request->pieces;

    if (count > BLK_REQUEST_PIECES) {
        to = request->allocation = g_new(struct iovec, count);
    }
    request->io.pieces = to;
    request->io.count = 0;
    for (unsigned i = 0; i < count && size > 0; i++) {
        size_t length = source[i].iov_len;

        if (from >= length) {
            from -= length;
            continue;
        }
        length = MIN(length - from, size);
        to[request->io.count++] = (struct iovec){(uint8_t *)source[i].iov_base + from, length};
        size -= length;
        from = 0;
    }
}

static BlkRequestNext parse_transfer(BlkRequest *request, const BlkRequestRules *rules)
{
    const VhostUserElement *element = request->element;
    gboolean reading = request->operation == BLK_OPERATION_READ;

    /* Behind the header, or before the status. */
    request->bytes = reading ? element->writable_size - 1
                             : element->readable_size - sizeof(struct virtio_blk_outhdr);
    if ((!reading && blk_disk_read_only(rules->disk)) ||
        !range_is_valid(rules->disk, request->sector, request->bytes)) {
        return answer(request, VIRTIO_BLK_S_IOERR);
    }
    if (request->bytes == 0) {
        return answer(request, VIRTIO_BLK_S_OK);
    }
    if (reading) {
        cut_pieces(request, element->writable, element->writable_count, 0, request->bytes);
    } else {
        cut_pieces(request, element->readable, element->readable_count,
                   sizeof(struct virtio_blk_outhdr), request->bytes);
    }
    request->io.offset = request->sector * BLK_SECTOR_SIZE;
    request->io.length = request->bytes;
    return BLK_REQUEST_EXECUTE;
}

/* VIRTIO_BLK_S_OK if a segment can be done. */
static uint8_t check_segment(const BlkDisk *disk, BlkOperation operation,
                             const struct virtio_blk_discard_write_zeroes *segment)
{
    uint32_t allowed =
        operation == BLK_OPERATION_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

    if ((segment->flags & ~allowed) != 0) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    if (segment->num_sectors > BLK_DISCARD_SECTORS_MAX ||
        !range_is_valid(disk, segment->sector, (uint64_t)segment->num_sectors * BLK_SECTOR_SIZE)) {
        return VIRTIO_BLK_S_IOERR;
    }
    return VIRTIO_BLK_S_OK;
}

/* DISCARD and WRITE_ZEROES: the data are segments. All are checked before one is done. */
static BlkRequestNext parse_segments(BlkRequest *request, const BlkRequestRules *rules)
{
    uint64_t size = request->element->readable_size - sizeof(struct virtio_blk_outhdr);
    struct virtio_blk_discard_write_zeroes *segments;

    if (blk_disk_read_only(rules->disk)) {
        return answer(request, VIRTIO_BLK_S_IOERR);
    }
    if (size == 0 || size % SEGMENT_SIZE != 0 || size / SEGMENT_SIZE > BLK_DISCARD_SEGMENTS_MAX) {
        return answer(request, VIRTIO_BLK_S_IOERR);
    }
    request->allocation = segments = g_malloc(size);
    vhost_user_element_read(request->element, sizeof(struct virtio_blk_outhdr), segments, size);
    request->io.segments = segments;
    request->io.segment_count = (unsigned)(size / SEGMENT_SIZE);
    for (unsigned i = 0; i < request->io.segment_count; i++) {
        uint8_t status = check_segment(rules->disk, request->operation, &segments[i]);

        if (status != VIRTIO_BLK_S_OK) {
            return answer(request, status);
        }
        request->bytes += (uint64_t)segments[i].num_sectors * BLK_SECTOR_SIZE;
    }
    return BLK_REQUEST_EXECUTE;
}

/* Puts @size bytes in front of the status, and zeroes behind them. */
static void fill(const BlkRequest *request, const void *bytes, size_t size)
{
    const VhostUserElement *element = request->element;
    uint64_t left = element->writable_size - 1;

    size = MIN(size, left);
    vhost_user_element_write(element, 0, bytes, size);
    left -= size;
    for (uint32_t i = 0; i < element->writable_count && left > 0; i++) {
        size_t skip = MIN(size, element->writable[i].iov_len);
        size_t part = MIN(element->writable[i].iov_len - skip, left);

        if (part > 0) {
            memset((uint8_t *)element->writable[i].iov_base + skip, 0, part);
        }
        size -= skip;
        left -= part;
    }
}

static BlkRequestNext parse_get_id(BlkRequest *request, const BlkRequestRules *rules)
{
    if (request->element->writable_size - 1 > FILL_MAX) {
        return answer(request, VIRTIO_BLK_S_IOERR);
    }
    fill(request, rules->id, sizeof(rules->id));
    return answer(request, VIRTIO_BLK_S_OK);
}

static BlkOperation operation_of(uint32_t type)
{
    switch (type) {
    case VIRTIO_BLK_T_IN:
        return BLK_OPERATION_READ;
    case VIRTIO_BLK_T_OUT:
        return BLK_OPERATION_WRITE;
    case VIRTIO_BLK_T_FLUSH:
        return BLK_OPERATION_FLUSH;
    case VIRTIO_BLK_T_GET_ID:
        return BLK_OPERATION_GET_ID;
    case VIRTIO_BLK_T_DISCARD:
        return BLK_OPERATION_DISCARD;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return BLK_OPERATION_WRITE_ZEROES;
    default:
        return BLK_OPERATION_UNSUPPORTED;
    }
}

static void begin(BlkRequest *request, VhostUserElement *element)
{
    /* All but the pieces, which are most of it and are written before they are read. */
    memset(request, 0, offsetof(BlkRequest, pieces));
    request->element = element;
    request->operation = request->io.operation = BLK_OPERATION_UNSUPPORTED;
}

BlkRequestNext blk_request_parse(BlkRequest *request, const BlkRequestRules *rules,
                                 VhostUserElement *element)
{
    struct virtio_blk_outhdr header;

    begin(request, element);
    /* With a buffer that is not in guest memory, the last byte that is need not be the status. */
    if (element->fault || element->writable_size == 0) {
        return BLK_REQUEST_DROP;
    }
    if (vhost_user_element_read(element, 0, &header, sizeof(header)) < sizeof(header)) {
        return answer(request, VIRTIO_BLK_S_IOERR);
    }
    request->operation = request->io.operation = operation_of(header.type);
    request->sector = header.sector;
    switch (request->operation) {
    case BLK_OPERATION_READ:
    case BLK_OPERATION_WRITE:
        return parse_transfer(request, rules);
    case BLK_OPERATION_DISCARD:
    case BLK_OPERATION_WRITE_ZEROES:
        return parse_segments(request, rules);
    case BLK_OPERATION_FLUSH:
        return BLK_REQUEST_EXECUTE;
    case BLK_OPERATION_GET_ID:
        return parse_get_id(request, rules);
    default:
        return answer(request, VIRTIO_BLK_S_UNSUPP);
    }
}

void blk_request_executed(BlkRequest *request)
{
    request->status = request->io.result == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

uint32_t blk_request_answer(BlkRequest *request)
{
    const VhostUserElement *element = request->element;
    uint64_t length = element->writable_size;
    gboolean filled =
        request->status == VIRTIO_BLK_S_OK &&
        (request->operation == BLK_OPERATION_READ || request->operation == BLK_OPERATION_GET_ID);

    /* The used length says that each byte up to the status was written, so it has to be. */
    if (!filled && length - 1 > FILL_MAX) {
        length = 0;
    } else if (!filled) {
        fill(request, NULL, 0);
    }
    vhost_user_element_write(element, element->writable_size - 1, &request->status, 1);
    g_clear_pointer(&request->allocation, g_free);
    return (uint32_t)MIN(length, UINT32_MAX);
}

static void trace_range(const BlkRequest *request, uint64_t sector, uint64_t bytes,
                        BlkRequestTrace trace, void *opaque)
{
    char line[80];

    snprintf(line, sizeof(line), "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
             blk_operation_name(request->operation), (guint64)sector, (guint64)bytes);
    trace(opaque, line);
}

void blk_request_trace(const BlkRequest *request, BlkRequestTrace trace, void *opaque)
{
    switch (request->operation) {
    case BLK_OPERATION_READ:
    case BLK_OPERATION_WRITE:
        trace_range(request, request->sector, request->bytes, trace, opaque);
        break;
    case BLK_OPERATION_DISCARD:
    case BLK_OPERATION_WRITE_ZEROES:
        for (unsigned i = 0; i < request->io.segment_count; i++) {
            const struct virtio_blk_discard_write_zeroes *segment = &request->io.segments[i];

            trace_range(request, segment->sector, (uint64_t)segment->num_sectors * BLK_SECTOR_SIZE,
                        trace, opaque);
        }
        break;
    default:
        trace(opaque, blk_operation_name(request->operation));
        break;
    }
}
