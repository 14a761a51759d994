/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host behind a socket device (virtio 1.2, 5.10) that listens at one port and echoes what comes,
 * one stream at a time.  It sends no more than the guest has said that it can take, and lets the
 * guest send no more than it can keep.
 */
#include "backend.h"

#include <linux/virtio_vsock.h>
#include <string.h>

enum { TO_GUEST, FROM_GUEST };
enum { HOST = 2, PORT = 1234, KEPT = 64 * 1024, PACKET = 2048 };

typedef struct virtio_vsock_hdr Header;

typedef struct Vsock {
    uint64_t guest;
    gboolean connected;
    uint32_t peer_port;
    GByteArray *kept;           /* came and has not gone back */
    uint32_t returned;          /* bytes that were taken out of it: what the guest may send again */
    uint32_t sent;              /* bytes to the guest */
    uint32_t credit, forwarded; /* as the guest said last */
    GArray *answers;            /* of Header, without bytes */
} Vsock;

static gpointer start(const char *argument)
{
    Vsock *vsock = g_new0(Vsock, 1);

    vsock->guest = g_ascii_strtoull(argument, NULL, 10);
    vsock->kept = g_byte_array_new();
    vsock->answers = g_array_new(FALSE, TRUE, sizeof(Header));
    return vsock;
}

static void forget(Vsock *vsock)
{
    vsock->connected = FALSE;
    vsock->returned = vsock->sent = 0;
    g_byte_array_set_size(vsock->kept, 0);
}

static void connected(gpointer state)
{
    Vsock *vsock = state;

    forget(vsock);
    g_array_set_size(vsock->answers, 0);
}

static void read_config(gpointer state, uint8_t *config)
{
    uint64_t guest = GUINT64_TO_LE(((const Vsock *)state)->guest);

    memcpy(config, &guest, sizeof(guest));
}

/* --- to the guest --- */

static Header header_of(const Vsock *vsock, uint16_t operation, uint32_t port, uint32_t size)
{
    return (Header){
        .src_cid = GUINT64_TO_LE(HOST),
        .dst_cid = GUINT64_TO_LE(vsock->guest),
        .src_port = GUINT32_TO_LE(PORT),
        .dst_port = GUINT32_TO_LE(port),
        .len = GUINT32_TO_LE(size),
        .type = GUINT16_TO_LE(VIRTIO_VSOCK_TYPE_STREAM),
        .op = GUINT16_TO_LE(operation),
        .buf_alloc = GUINT32_TO_LE(KEPT),
        .fwd_cnt = GUINT32_TO_LE(vsock->returned),
    };
}

static void add_answer(Vsock *vsock, uint16_t operation, uint32_t port)
{
    Header header = header_of(vsock, operation, port, 0);

    g_array_append_val(vsock->answers, header);
}

static gboolean send_kept(Backend *backend, Vsock *vsock)
{
    uint32_t allowed = vsock->credit - (vsock->sent - vsock->forwarded);
    uint32_t size = MIN(MIN(allowed, vsock->kept->len), PACKET);
    uint8_t packet[sizeof(Header) + PACKET];
    Header header;

    if (size == 0) {
        return FALSE;
    }
    vsock->returned += size;
    header = header_of(vsock, VIRTIO_VSOCK_OP_RW, vsock->peer_port, size);
    memcpy(packet, &header, sizeof(header));
    memcpy(packet + sizeof(header), vsock->kept->data, size);
    if (!backend_send(backend, TO_GUEST, packet, sizeof(header) + size)) {
        vsock->returned -= size;
        return FALSE;
    }
    vsock->sent += size;
    g_byte_array_remove_range(vsock->kept, 0, size);
    return TRUE;
}

/* --- from the guest --- */

static void open_stream(Vsock *vsock, uint32_t port, uint32_t wanted)
{
    gboolean taken = wanted == PORT && !vsock->connected;

    if (taken) {
        forget(vsock);
        vsock->connected = TRUE;
        vsock->peer_port = port;
    }
    add_answer(vsock, taken ? VIRTIO_VSOCK_OP_RESPONSE : VIRTIO_VSOCK_OP_RST, port);
}

static void keep(Vsock *vsock, const VhostUserElement *element, uint32_t size)
{
    guint before = vsock->kept->len;

    if (size > KEPT - before) {
        backend_fail("the guest sent %u bytes when it had credit for %u", size, KEPT - before);
    }
    g_byte_array_set_size(vsock->kept, before + size);
    vhost_user_element_read(element, sizeof(Header), vsock->kept->data + before, size);
}

static uint32_t serve_packet(gpointer state, const VhostUserElement *element)
{
    Vsock *vsock = state;
    Header header = {0};
    uint32_t port;
    gboolean known;

    vhost_user_element_read(element, 0, &header, sizeof(header));
    port = GUINT32_FROM_LE(header.src_port);
    known = vsock->connected && port == vsock->peer_port;
    if (known || GUINT16_FROM_LE(header.op) == VIRTIO_VSOCK_OP_REQUEST) {
        vsock->credit = GUINT32_FROM_LE(header.buf_alloc);
        vsock->forwarded = GUINT32_FROM_LE(header.fwd_cnt);
    }
    switch (GUINT16_FROM_LE(header.op)) {
    case VIRTIO_VSOCK_OP_REQUEST:
        open_stream(vsock, port, GUINT32_FROM_LE(header.dst_port));
        break;
    case VIRTIO_VSOCK_OP_RST:
        if (known) {
            forget(vsock);
        }
        break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        if (known) {
            forget(vsock);
            add_answer(vsock, VIRTIO_VSOCK_OP_RST, port);
        }
        break;
    default: /* bytes, and words about credit, of a stream: or of one that is not known any more */
        if (!known) {
            add_answer(vsock, VIRTIO_VSOCK_OP_RST, port);
        } else if (GUINT16_FROM_LE(header.op) == VIRTIO_VSOCK_OP_RW) {
            keep(vsock, element, GUINT32_FROM_LE(header.len));
        } else if (GUINT16_FROM_LE(header.op) == VIRTIO_VSOCK_OP_CREDIT_REQUEST) {
            add_answer(vsock, VIRTIO_VSOCK_OP_CREDIT_UPDATE, port);
        }
    }
    return 0;
}

static int serve(Backend *backend, gpointer state)
{
    Vsock *vsock = state;

    backend_serve_queue(backend, FROM_GUEST, UINT_MAX, serve_packet, vsock);
    while (vsock->answers->len > 0 &&
           backend_send(backend, TO_GUEST, vsock->answers->data, sizeof(Header))) {
        g_array_remove_index(vsock->answers, 0);
    }
    while (vsock->answers->len == 0 && vsock->connected && send_kept(backend, vsock)) {
        continue;
    }
    return -1;
}

const Kind vsock_kind = {
    .name = "vsock",
    .argument = "CID",
    .queues = 2,
    .config_size = sizeof(struct virtio_vsock_config),
    .start = start,
    .read_config = read_config,
    .serve = serve,
    .connected = connected,
};
