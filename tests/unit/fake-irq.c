/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake-irq.h"

guint fake_irq_routes, fake_irq_limit;
gboolean fake_irq_refuses;
int fake_irq_event_fd;

static GString **notes;

static void set_line(guint line, gboolean high)
{
    g_string_append_printf(*notes, "line%u%s ", line, high ? "+" : "-");
}

static gboolean send_msi(guint64 address, guint32 data)
{
    g_string_append_printf(*notes, "msi:%" G_GINT64_MODIFIER "x=%x ", address, data);
    return TRUE;
}

static gint route_add(void)
{
    return fake_irq_routes < fake_irq_limit ? (gint)fake_irq_routes++ : -1;
}

static gboolean route_connect(gint number, int event_fd, guint64 address, guint32 data)
{
    g_string_append_printf(*notes, "connect%d:%" G_GINT64_MODIFIER "x=%x ", number, address, data);
    fake_irq_event_fd = event_fd;
    return !fake_irq_refuses;
}

static void route_disconnect(gint number, int event_fd)
{
    g_string_append_printf(*notes, "disconnect%d ", number);
    fake_irq_event_fd = event_fd;
}

static void route_remove(gint number)
{
    g_string_append_printf(*notes, "remove%d ", number);
    fake_irq_routes--;
}

static const IrqAccelerator accelerator = {
    .set_line = set_line,
    .send_msi = send_msi,
    .route_add = route_add,
    .route_connect = route_connect,
    .route_disconnect = route_disconnect,
    .route_remove = route_remove,
};

void fake_irq_begin(GString **trail)
{
    notes = trail;
    fake_irq_routes = 0;
    fake_irq_limit = G_MAXINT;
    irq_set_accelerator(&accelerator);
}

void fake_irq_end(void)
{
    irq_set_accelerator(NULL);
}
