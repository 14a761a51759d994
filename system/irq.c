/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines and messages. */
#include "system/irq.h"

#include "system/memory.h"

struct IrqSource {
    guint line;
    gboolean high;
};

struct IrqRoute {
    int event_fd;
    gint number; /* the accelerator's */
    gboolean connected;
};

static guint line_sources[IRQ_LINES]; /* number of sources that drive the line high */
static IrqListener *line_listener;
static gpointer line_listener_opaque;
static const IrqAccelerator *accelerator; /* NULL: none */
static GSList *controllers;               /* of IrqController, borrowed */
static guint8 (*external_acknowledge)(gpointer opaque);
static gpointer external_opaque;

IrqSource *irq_source_new(guint line)
{
    IrqSource *source = g_new0(IrqSource, 1);

    g_assert(line < IRQ_LINES);
    source->line = line;
    return source;
}

void irq_source_free(IrqSource *source)
{
    irq_source_set(source, FALSE);
    g_free(source);
}

void irq_source_set(IrqSource *source, gboolean high)
{
    guint before = line_sources[source->line];

    high = high != FALSE;
    if (source->high == high) {
        return;
    }
    source->high = high;
    line_sources[source->line] = high ? before + 1 : before - 1;
    if ((before > 0) == (line_sources[source->line] > 0)) {
        return;
    }
    for (const GSList *item = controllers; item; item = item->next) {
        const IrqController *controller = item->data;
        controller->set_line(controller->opaque, source->line, high);
    }
    if (!controllers && accelerator && accelerator->set_line) {
        accelerator->set_line(source->line, high);
    }
    if (line_listener) {
        line_listener(source->line, high, line_listener_opaque);
    }
}

gboolean irq_line_level(guint line)
{
    return line < IRQ_LINES && line_sources[line] > 0;
}

void irq_listener_set(IrqListener *listener, gpointer opaque)
{
    line_listener = listener;
    line_listener_opaque = opaque;
}

gboolean irq_send_msi(guint64 address, guint32 data)
{
    guint32 little = GUINT32_TO_LE(data);

    if (accelerator) {
        return accelerator->send_msi(address, data);
    }
    /* An address outside RAM is the guest's mistake: a message nobody receives. */
    return memory_copy_out(address, &little, sizeof(little));
}

/* --- controllers among our devices --- */

void irq_controller_add(const IrqController *controller)
{
    controllers = g_slist_append(controllers, (gpointer)controller);
}

void irq_controller_remove(const IrqController *controller)
{
    controllers = g_slist_remove(controllers, controller);
}

void irq_end(guint8 vector)
{
    for (const GSList *item = controllers; item; item = item->next) {
        const IrqController *controller = item->data;
        controller->end(controller->opaque, vector);
    }
}

void irq_watch_end(guint pin, guint64 address, guint32 data)
{
    if (accelerator && accelerator->watch_end) {
        accelerator->watch_end(pin, address, data);
    }
}

void irq_set_external(gboolean high)
{
    if (accelerator && accelerator->set_external) {
        accelerator->set_external(high);
    }
}

void irq_external_connect(guint8 (*acknowledge)(gpointer opaque), gpointer opaque)
{
    external_acknowledge = acknowledge;
    external_opaque = opaque;
}

guint8 irq_external_acknowledge(void)
{
    return external_acknowledge(external_opaque);
}

/* --- accelerator --- */

void irq_set_accelerator(const IrqAccelerator *chosen)
{
    accelerator = chosen;
}

IrqRoute *irq_route_new(int event_fd)
{
    gint number = accelerator ? accelerator->route_add() : -1;

    if (number < 0) {
        return NULL;
    }
    IrqRoute *route = g_new(IrqRoute, 1);
    *route = (IrqRoute){event_fd, number, FALSE};
    return route;
}

gboolean irq_route_connect(IrqRoute *route, guint64 address, guint32 data)
{
    irq_route_disconnect(route);
    route->connected = accelerator->route_connect(route->number, route->event_fd, address, data);
    return route->connected;
}

void irq_route_disconnect(IrqRoute *route)
{
    if (route->connected) {
        route->connected = FALSE;
        accelerator->route_disconnect(route->number, route->event_fd);
    }
}

gboolean irq_route_is_connected(const IrqRoute *route)
{
    return route->connected;
}

void irq_route_free(IrqRoute *route)
{
    if (route) {
        irq_route_disconnect(route);
        accelerator->route_remove(route->number);
        g_free(route);
    }
}
