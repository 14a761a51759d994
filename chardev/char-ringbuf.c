/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ringbuf chardev: what is written stays in memory, the oldest bytes give way to new ones. */
#include "chardev/ringbuf.h"

#include "flow.h"
#include "relay.h"
#include "util/error.h"
#include "util/fd.h"

#include <stddef.h>

#define SIZE_DEFAULT 65536
#define SIZE_MAXIMUM (UINT64_C(1) << 30)

typedef struct ChardevRingbuf {
    Chardev parent;
    uint64_t size; /* of the ring, a power of two */
    guint8 *ring;
    uint64_t read, written; /* bytes since the beginning */
    int end;                /* ours of the front end's pair; -1: no front end */
    Flow *flow;
} ChardevRingbuf;

VM_DECLARE_TYPE(ChardevRingbuf, chardev_ringbuf, CHARDEV_RINGBUF)
VM_DEFINE_TYPE("chardev-ringbuf", ChardevRingbuf, ChardevClass, chardev_ringbuf, chardev_get_type(),
               0);

static const VmField chardev_ringbuf_fields[] = {
    {.name = "size",
     .doc = "bytes that are kept, a power of two",
     .kind = VM_FIELD_SIZE,
     .offset = offsetof(ChardevRingbuf, size),
     .default_value = SIZE_DEFAULT,
     .minimum = 1,
     .maximum = SIZE_MAXIMUM},
    {.name = NULL},
};

static void ring_write(ChardevRingbuf *ringbuf, const guint8 *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        ringbuf->ring[ringbuf->written++ & (ringbuf->size - 1)] = bytes[i];
    }
    if (ringbuf->written - ringbuf->read > ringbuf->size) {
        ringbuf->read = ringbuf->written - ringbuf->size;
    }
}

static gsize take_output(gpointer opaque, const guint8 *bytes, gsize length,
                         GByteArray *output G_GNUC_UNUSED)
{
    ring_write(opaque, bytes, length);
    return length;
}

static void front_end_left(gpointer opaque G_GNUC_UNUSED)
{
}

static void disconnect(Chardev *chardev)
{
    ChardevRingbuf *ringbuf = CHARDEV_RINGBUF(chardev);

    if (ringbuf->flow) {
        flow_drain(ringbuf->flow, 0);
        g_clear_pointer(&ringbuf->flow, flow_free);
    }
    fd_clear(&ringbuf->end);
}

static void chardev_ringbuf_disconnected(Chardev *chardev, gboolean refused G_GNUC_UNUSED)
{
    disconnect(chardev);
}

static gboolean connect_front_end(Chardev *chardev, GError **error)
{
    ChardevRingbuf *ringbuf = CHARDEV_RINGBUF(chardev);
    int pair[2];

    if (!relay_pair(pair, error)) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    ringbuf->end = pair[1];
    ringbuf->flow = flow_new(pair[1], -1, take_output, front_end_left, ringbuf);
    chardev_set_connection(chardev, pair[0], pair[0]);
    return TRUE;
}

static gboolean chardev_ringbuf_open(Chardev *chardev, GError **error)
{
    ChardevRingbuf *ringbuf = CHARDEV_RINGBUF(chardev);

    if (ringbuf->size & (ringbuf->size - 1)) {
        vm_error_set(error, "chardev '%s': size=%" G_GUINT64_FORMAT " is no power of two",
                     chardev->parent.id, ringbuf->size);
        return FALSE;
    }
    ringbuf->ring = g_try_malloc(ringbuf->size);
    if (!ringbuf->ring) {
        vm_error_set(error, "chardev '%s': there is no memory for size=%" G_GUINT64_FORMAT,
                     chardev->parent.id, ringbuf->size);
        return FALSE;
    }
    return connect_front_end(chardev, error);
}

static ChardevRingbuf *find_ringbuf(const char *id, GError **error)
{
    Chardev *chardev = chardev_find(id);

    if (!chardev) {
        vm_error_set(error, "Chardev '%s' not found", id);
        return NULL;
    }
    if (!G_TYPE_CHECK_INSTANCE_TYPE(chardev, chardev_ringbuf_get_type())) {
        vm_error_set(error, "chardev '%s' is of type %s, expected ringbuf", id,
                     CHARDEV_GET_CLASS(chardev)->backend);
        return NULL;
    }
    return CHARDEV_RINGBUF(chardev);
}

gboolean chardev_ringbuf_write(const char *id, const guint8 *bytes, gsize length, GError **error)
{
    ChardevRingbuf *ringbuf = find_ringbuf(id, error);

    if (ringbuf) {
        ring_write(ringbuf, bytes, length);
    }
    return ringbuf != NULL;
}

GByteArray *chardev_ringbuf_read(const char *id, gsize size, GError **error)
{
    ChardevRingbuf *ringbuf = find_ringbuf(id, error);

    if (!ringbuf) {
        return NULL;
    }
    if (ringbuf->flow) {
        flow_drain(ringbuf->flow, 0); /* what the front end has written is there */
    }
    GByteArray *bytes = g_byte_array_new();
    for (; bytes->len < size && ringbuf->read < ringbuf->written; ringbuf->read++) {
        g_byte_array_append(bytes, ringbuf->ring + (ringbuf->read & (ringbuf->size - 1)), 1);
    }
    return bytes;
}

static void chardev_ringbuf_finalize(GObject *object)
{
    g_free(CHARDEV_RINGBUF(object)->ring);
    G_OBJECT_CLASS(g_type_class_peek(TYPE_CHARDEV))->finalize(object);
}

static void chardev_ringbuf_class_init(ChardevClass *class)
{
    G_OBJECT_CLASS(class)->finalize = chardev_ringbuf_finalize;
    VM_OBJECT_CLASS(class)->description = "keeps what is written in memory";
    class->backend = "ringbuf";
    class->open = chardev_ringbuf_open;
    class->attached = connect_front_end;
    class->disconnected = chardev_ringbuf_disconnected;
    class->close = disconnect;
    vm_object_class_install_fields(class, chardev_ringbuf_fields);
}

static void chardev_ringbuf_init(ChardevRingbuf *ringbuf)
{
    ringbuf->end = -1;
}
