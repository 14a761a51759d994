/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyboard (virtio 1.2, 5.8) with three keys and a light.  Each poke presses and releases the
 * keys; what the driver says of the light is printed.
 */
#include "backend.h"

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <stdio.h>
#include <string.h>

enum { EVENTS, STATUS };

static const uint16_t keys[] = {KEY_A, KEY_B, KEY_C};

typedef struct Input {
    const char *name;
    uint8_t select, subsel;
    GArray *events; /* of struct virtio_input_event, that have not been sent */
} Input;

static gpointer start(const char *argument)
{
    Input *input = g_new0(Input, 1);

    input->name = argument;
    input->events = g_array_new(FALSE, FALSE, sizeof(struct virtio_input_event));
    return input;
}

static void connected(gpointer state)
{
    Input *input = state;

    input->select = input->subsel = 0;
    g_array_set_size(input->events, 0);
}

/* --- configuration (5.8.4) --- */

static void set_bit(struct virtio_input_config *config, unsigned bit)
{
    config->u.bitmap[bit / 8] |= (uint8_t)(1u << bit % 8);
    config->size = MAX(config->size, (uint8_t)(bit / 8 + 1));
}

static void show_codes(struct virtio_input_config *config, unsigned type)
{
    if (type == EV_KEY) {
        for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
            set_bit(config, keys[i]);
        }
    } else if (type == EV_LED) {
        set_bit(config, LED_CAPSL);
    }
}

static void read_config(gpointer state, uint8_t *bytes)
{
    const Input *input = state;
    struct virtio_input_config config = {.select = input->select, .subsel = input->subsel};
    const struct virtio_input_devids ids = {GUINT16_TO_LE(BUS_VIRTUAL), GUINT16_TO_LE(1),
                                            GUINT16_TO_LE(2), GUINT16_TO_LE(3)};

    switch (input->select) {
    case VIRTIO_INPUT_CFG_ID_NAME:
        config.size = (uint8_t)MIN(strlen(input->name), sizeof(config.u.string));
        memcpy(config.u.string, input->name, config.size);
        break;
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        config.size = sizeof(ids);
        config.u.ids = ids;
        break;
    case VIRTIO_INPUT_CFG_EV_BITS:
        show_codes(&config, input->subsel);
        break;
    default:
        break; /* a size of 0 says that there is nothing of it */
    }
    memcpy(bytes, &config, sizeof(config));
}

static void write_config(gpointer state, uint32_t offset, const uint8_t *bytes, uint32_t size)
{
    Input *input = state;

    for (uint32_t i = 0; i < size; i++) {
        if (offset + i == offsetof(struct virtio_input_config, select)) {
            input->select = bytes[i];
        } else if (offset + i == offsetof(struct virtio_input_config, subsel)) {
            input->subsel = bytes[i];
        }
    }
}

/* --- events (5.8.6) --- */

static void add_event(Input *input, uint16_t type, uint16_t code, uint32_t value)
{
    const struct virtio_input_event event = {GUINT16_TO_LE(type), GUINT16_TO_LE(code),
                                             GUINT32_TO_LE(value)};

    g_array_append_val(input->events, event);
}

static void poke(gpointer state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        for (int pressed = 1; pressed >= 0; pressed--) {
            add_event(state, EV_KEY, keys[i], (uint32_t)pressed);
            add_event(state, EV_SYN, SYN_REPORT, 0);
        }
    }
}

static uint32_t take_status(gpointer state G_GNUC_UNUSED, const VhostUserElement *element)
{
    struct virtio_input_event event = {0};

    vhost_user_element_read(element, 0, &event, sizeof(event));
    if (GUINT16_FROM_LE(event.type) == EV_LED) {
        printf("light %u is %u\n", GUINT16_FROM_LE(event.code), GUINT32_FROM_LE(event.value));
    }
    return 0;
}

static int serve(Backend *backend, gpointer state)
{
    Input *input = state;

    while (input->events->len > 0 &&
           backend_send(backend, EVENTS, input->events->data, sizeof(struct virtio_input_event))) {
        g_array_remove_index(input->events, 0);
    }
    backend_serve_queue(backend, STATUS, UINT_MAX, take_status, input);
    return -1;
}

const Kind input_kind = {
    .name = "input",
    .argument = "NAME",
    .queues = 2,
    .config_size = sizeof(struct virtio_input_config),
    .start = start,
    .read_config = read_config,
    .write_config = write_config,
    .serve = serve,
    .poke = poke,
    .connected = connected,
};
