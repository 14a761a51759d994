/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An I2C bus (virtio 1.2, 5.21) with one chip: 256 registers of a byte behind a pointer, which the
 * first byte of a write sets and which counts up.
 */
#include "backend.h"

#include <linux/virtio_i2c.h>
#include <string.h>

enum { CHIP = 0x50, REGISTERS = 256 };

typedef struct Bus {
    uint8_t registers[REGISTERS];
    uint8_t pointer;
    gboolean skip; /* the message before failed, and the next one is to fail with it */
} Bus;

static gpointer start(const char *argument G_GNUC_UNUSED)
{
    return g_new0(Bus, 1);
}

static void take(Bus *bus, const VhostUserElement *element, uint64_t size)
{
    g_autofree uint8_t *bytes = g_malloc(size);

    vhost_user_element_read(element, sizeof(struct virtio_i2c_out_hdr), bytes, size);
    for (uint64_t i = 0; i < size; i++) {
        if (i == 0) {
            bus->pointer = bytes[0];
        } else {
            bus->registers[bus->pointer++] = bytes[i];
        }
    }
}

static void give(Bus *bus, const VhostUserElement *element, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        vhost_user_element_write(element, i, &bus->registers[bus->pointer++], 1);
    }
}

/* An address of 7 bits stands above the bit that would say read (5.21.6.1). */
static uint32_t serve_element(gpointer state, const VhostUserElement *element)
{
    Bus *bus = state;
    struct virtio_i2c_out_hdr header = {0};
    struct virtio_i2c_in_hdr end = {VIRTIO_I2C_MSG_OK};
    uint64_t to_give = element->writable_size ? element->writable_size - sizeof(end) : 0;

    vhost_user_element_read(element, 0, &header, sizeof(header));
    if (GUINT16_FROM_LE(header.addr) != CHIP << 1 || bus->skip) {
        end.status = VIRTIO_I2C_MSG_ERR;
    } else if (GUINT32_FROM_LE(header.flags) & VIRTIO_I2C_FLAGS_M_RD) {
        give(bus, element, to_give);
    } else if (element->readable_size > sizeof(header)) {
        take(bus, element, element->readable_size - sizeof(header));
    }
    bus->skip = end.status != VIRTIO_I2C_MSG_OK &&
                GUINT32_FROM_LE(header.flags) & VIRTIO_I2C_FLAGS_FAIL_NEXT;
    vhost_user_element_write(element, to_give, &end, sizeof(end));
    return (uint32_t)(to_give + sizeof(end));
}

static int serve(Backend *backend, gpointer state)
{
    backend_serve_queue(backend, 0, UINT_MAX, serve_element, state);
    return -1;
}

const Kind i2c_kind = {
    .name = "i2c",
    .features = UINT64_C(1) << VIRTIO_I2C_F_ZERO_LENGTH_REQUEST,
    .queues = 1,
    .start = start,
    .serve = serve,
};
