/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames, and their way from guest to guest: one copy. */
#include "tools/vhost-user-net/frame.h"

#include "tools/vhost-user-net/segment.h"

#include <string.h>

NetDrop net_frame_parse(NetFrame *frame, const VhostUserElement *element, uint64_t features,
                        guint mtu)
{
    gsize header_size = net_header_size(features);

    if (element->fault || element->readable_size < header_size ||
        element->readable_size - header_size > G_MAXUINT32) {
        return NET_DROP_MALFORMED;
    }
    *frame = (NetFrame){.pieces = element->readable,
                        .piece_count = element->readable_count,
                        .header_size = header_size,
                        .size = element->readable_size - header_size};
    vhost_user_element_read(element, 0, &frame->header, sizeof(frame->header));
    return net_header_check(&frame->header, frame->size, features,
                            features & NET_FEATURE(VIRTIO_NET_F_MTU) ? mtu : 0);
}

/* RFC 903: a reverse ARP request, by which a switch learns behind which port the address is. */
void net_announcement(guint8 bytes[NET_ANNOUNCEMENT_SIZE], const guint8 address[6])
{
    static const guint8 request[] = {0x80, 0x35, /* type: reverse ARP */
                                     0,    1,    /* hardware: Ethernet */
                                     8,    0,    /* protocol: IPv4 */
                                     6,    4,    /* length of their addresses */
                                     0,    3};   /* request */

    memset(bytes, 0, NET_ANNOUNCEMENT_SIZE);
    memset(bytes, 0xff, 6);
    memcpy(bytes + 6, address, 6);
    memcpy(bytes + 12, request, sizeof(request));
    memcpy(bytes + 22, address, 6); /* sender and target are the guest */
    memcpy(bytes + 32, address, 6);
}

NetFrame net_frame_of_bytes(const guint8 *bytes, gsize size, struct iovec *piece)
{
    *piece = (struct iovec){.iov_base = (void *)(guintptr)bytes, .iov_len = size};
    return (NetFrame){.pieces = piece, .piece_count = 1, .size = size};
}

/* --- copying --- */

/* A place in pieces of memory. */
typedef struct Cursor {
    const struct iovec *piece, *end;
    gsize offset; /* into *piece */
} Cursor;

static Cursor cursor_at(const struct iovec *pieces, guint count, gsize offset)
{
    Cursor cursor = {pieces, pieces + count, offset};

    while (cursor.piece < cursor.end && cursor.offset >= cursor.piece->iov_len) {
        cursor.offset -= cursor.piece->iov_len;
        cursor.piece++;
    }
    return cursor;
}

/* The bytes that lie together at the cursor. */
static gsize cursor_run(const Cursor *cursor)
{
    return cursor->piece < cursor->end ? cursor->piece->iov_len - cursor->offset : 0;
}

static guint8 *cursor_bytes(const Cursor *cursor)
{
    return (guint8 *)cursor->piece->iov_base + cursor->offset;
}

static void cursor_move(Cursor *cursor, gsize bytes)
{
    cursor->offset += bytes;
    while (cursor->piece < cursor->end && cursor->offset >= cursor->piece->iov_len) {
        cursor->offset -= cursor->piece->iov_len;
        cursor->piece++;
    }
}

static void copy(Cursor *to, Cursor *from, gsize size)
{
    while (size > 0) {
        gsize part = MIN(size, MIN(cursor_run(to), cursor_run(from)));

        if (part == 0) {
            return;
        }
        /* A guest may have put both into the same memory. */
        memmove(cursor_bytes(to), cursor_bytes(from), part);
        cursor_move(to, part);
        cursor_move(from, part);
        size -= part;
    }
}

static void flatten(const NetFrame *frame, guint8 *bytes)
{
    struct iovec piece = {bytes, frame->size};
    Cursor to = cursor_at(&piece, 1, 0);
    Cursor from = cursor_at(frame->pieces, frame->piece_count, frame->header_size);

    copy(&to, &from, frame->size);
}

/* --- delivery --- */

/* 5.1.6.4.1: of the sender's header a receiver gets what describes the frame, and no more. */
static struct virtio_net_hdr_mrg_rxbuf receivers_header(const struct virtio_net_hdr *header,
                                                        gsize size)
{
    struct virtio_net_hdr_mrg_rxbuf given = {.num_buffers = 1};

    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        given.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        given.hdr.csum_start = header->csum_start;
        given.hdr.csum_offset = header->csum_offset;
    }
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        given.hdr.gso_type = header->gso_type;
        given.hdr.gso_size = header->gso_size;
        given.hdr.hdr_len = (uint16_t)MIN(header->hdr_len, size);
    }
    return given;
}

static NetOutcome deliver_as_is(const NetFrame *frame, NetReceiver *receiver, NetDrop *drop)
{
    struct virtio_net_hdr_mrg_rxbuf header = receivers_header(&frame->header, frame->size);
    struct iovec header_piece = {&header, receiver->header_size};
    gsize wanted = receiver->header_size + frame->size;

    if (net_receiver_reserve(receiver, wanted) < wanted) {
        *drop = NET_DROP_SHORT_BUFFER;
        return receiver->dry ? NET_WAITS : NET_DROPPED;
    }
    const struct iovec *pieces = (const struct iovec *)(void *)receiver->pieces->data;
    Cursor to = cursor_at(pieces, receiver->pieces->len, 0);
    Cursor from = cursor_at(&header_piece, 1, 0);

    copy(&to, &from, receiver->header_size);
    from = cursor_at(frame->pieces, frame->piece_count, frame->header_size);
    copy(&to, &from, frame->size);
    net_receiver_commit(receiver, wanted);
    return NET_DELIVERED;
}

static NetOutcome deliver_checked(const NetFrame *frame, NetReceiver *receiver, NetScratch *scratch,
                                  NetDrop *drop)
{
    struct iovec piece;
    NetFrame whole = net_frame_of_bytes(scratch->frame, frame->size, &piece);

    flatten(frame, scratch->frame);
    net_checksum_complete(scratch->frame, frame->size, frame->header.csum_start,
                          frame->header.csum_offset);
    NetOutcome outcome = deliver_as_is(&whole, receiver, drop);
    if (outcome == NET_DELIVERED) {
        counter_add(&receiver->statistics->checksums, 1);
    }
    return outcome;
}

/* Waits only before the first segment, so that none comes twice. */
static NetOutcome deliver_segments(const NetFrame *frame, NetReceiver *receiver,
                                   NetScratch *scratch, NetDrop *drop)
{
    NetSegments segments;
    gsize size, delivered = 0;

    flatten(frame, scratch->frame);
    if (!net_segments_begin(&segments, scratch->frame, frame->size, &frame->header)) {
        *drop = NET_DROP_OFFLOAD;
        return NET_DROPPED;
    }
    while ((size = net_segments_next(&segments, scratch->segment)) > 0) {
        struct iovec piece;
        NetFrame segment = net_frame_of_bytes(scratch->segment, size, &piece);
        NetOutcome outcome = deliver_as_is(&segment, receiver, drop);

        if (outcome == NET_WAITS && delivered > 0) {
            *drop = NET_DROP_NO_BUFFERS;
            return NET_DROPPED;
        }
        if (outcome != NET_DELIVERED) {
            return outcome;
        }
        delivered++;
        counter_add(&receiver->statistics->segments, 1);
    }
    return NET_DELIVERED;
}

NetOutcome net_frame_deliver(const NetFrame *frame, NetReceiver *receiver, NetScratch *scratch,
                             NetDrop *drop)
{
    switch (net_header_completion(&frame->header, receiver->features)) {
    case NET_COMPLETE_SEGMENTS:
        return deliver_segments(frame, receiver, scratch, drop);
    case NET_COMPLETE_CHECKSUM:
        return deliver_checked(frame, receiver, scratch, drop);
    default:
        return deliver_as_is(frame, receiver, drop);
    }
}
