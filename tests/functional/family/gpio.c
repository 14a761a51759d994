/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two lines (virtio 1.2, 5.18), joined by a wire: what the guest puts on the first it reads from
 * the second, whose changes interrupt it.
 */
#include "backend.h"

#include <linux/virtio_gpio.h>
#include <string.h>

enum { REQUESTS, EVENTS };
enum { OUT, IN, LINES };

static const char names[] = "family-out\0family-in"; /* each with a zero behind it */

typedef struct Lines {
    uint8_t directions[LINES];
    uint8_t level;
    uint8_t irq_type;       /* of the second line */
    gboolean irq_due;       /* an edge has not been told yet */
    gboolean irq_withdrawn; /* what waits for an edge is to be given back */
} Lines;

static gpointer start(const char *argument G_GNUC_UNUSED)
{
    return g_new0(Lines, 1);
}

static void connected(gpointer state)
{
    memset(state, 0, sizeof(Lines));
}

static void read_config(gpointer state G_GNUC_UNUSED, uint8_t *bytes)
{
    const struct virtio_gpio_config config = {
        .ngpio = GUINT16_TO_LE(LINES),
        .gpio_names_size = GUINT32_TO_LE(sizeof(names)),
    };

    memcpy(bytes, &config, sizeof(config));
}

static void set_level(Lines *lines, uint8_t level)
{
    uint8_t edge = level ? VIRTIO_GPIO_IRQ_TYPE_EDGE_RISING : VIRTIO_GPIO_IRQ_TYPE_EDGE_FALLING;

    lines->irq_due |= lines->level != level && (lines->irq_type & edge);
    lines->level = level;
}

/* What the request answers; @valid becomes FALSE if there is no such thing. */
static uint8_t carry_out(Lines *lines, uint16_t type, uint16_t line, uint32_t value,
                         gboolean *valid)
{
    switch (type) {
    case VIRTIO_GPIO_MSG_GET_DIRECTION:
        return lines->directions[line];
    case VIRTIO_GPIO_MSG_SET_DIRECTION:
        *valid = value <= VIRTIO_GPIO_DIRECTION_IN;
        lines->directions[line] = *valid ? (uint8_t)value : lines->directions[line];
        return 0;
    case VIRTIO_GPIO_MSG_GET_VALUE:
        return lines->level;
    case VIRTIO_GPIO_MSG_SET_VALUE:
        if (line == OUT) {
            set_level(lines, value != 0);
        }
        return 0;
    case VIRTIO_GPIO_MSG_IRQ_TYPE:
        *valid = line == IN && value <= VIRTIO_GPIO_IRQ_TYPE_EDGE_BOTH;
        lines->irq_type = *valid ? (uint8_t)value : lines->irq_type;
        lines->irq_withdrawn = lines->irq_type == VIRTIO_GPIO_IRQ_TYPE_NONE;
        lines->irq_due &= !lines->irq_withdrawn;
        return 0;
    default:
        *valid = FALSE;
        return 0;
    }
}

static uint32_t serve_request(gpointer state, const VhostUserElement *element)
{
    struct virtio_gpio_request request = {0};
    struct virtio_gpio_response response = {.status = VIRTIO_GPIO_STATUS_OK};
    gboolean valid = TRUE;
    uint16_t line;

    vhost_user_element_read(element, 0, &request, sizeof(request));
    if (GUINT16_FROM_LE(request.type) == VIRTIO_GPIO_MSG_GET_NAMES) {
        vhost_user_element_write(element, 0, &response.status, 1);
        return 1 + (uint32_t)vhost_user_element_write(element, 1, names, sizeof(names));
    }
    line = GUINT16_FROM_LE(request.gpio);
    if (line < LINES) {
        response.value = carry_out(state, GUINT16_FROM_LE(request.type), line,
                                   GUINT32_FROM_LE(request.value), &valid);
    }
    if (line >= LINES || !valid) {
        response.status = VIRTIO_GPIO_STATUS_ERR;
    }
    return (uint32_t)vhost_user_element_write(element, 0, &response, sizeof(response));
}

/* Only the second line ever has an interrupt, so whatever waits does for that (5.18.6.7). */
static int serve(Backend *backend, gpointer state)
{
    static const struct virtio_gpio_irq_response edge = {VIRTIO_GPIO_IRQ_STATUS_VALID};
    static const struct virtio_gpio_irq_response none = {VIRTIO_GPIO_IRQ_STATUS_INVALID};
    Lines *lines = state;

    backend_serve_queue(backend, REQUESTS, UINT_MAX, serve_request, lines);
    while (lines->irq_withdrawn && backend_send(backend, EVENTS, &none, sizeof(none))) {
        continue;
    }
    lines->irq_withdrawn = FALSE;
    if (lines->irq_due && backend_send(backend, EVENTS, &edge, sizeof(edge))) {
        lines->irq_due = FALSE;
    }
    return -1;
}

const Kind gpio_kind = {
    .name = "gpio",
    .features = UINT64_C(1) << VIRTIO_GPIO_F_IRQ,
    .queues = 2,
    .config_size = sizeof(struct virtio_gpio_config),
    .start = start,
    .read_config = read_config,
    .serve = serve,
    .connected = connected,
};
