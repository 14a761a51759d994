/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupt lines and messages. */
#include "system/irq.h"

#include "system/memory.h"

struct IrqSource {
    guint line;
    gboolean high;
};

static guint line_sources[IRQ_LINES]; /* number of sources that drive the line high */
static IrqListener *line_listener;
static gpointer line_listener_opaque;

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
    if ((before > 0) != (line_sources[source->line] > 0) && line_listener) {
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

void irq_send_msi(guint64 address, guint32 data)
{
    guint32 little = GUINT32_TO_LE(data);

    /* An address outside RAM is the guest's mistake: a message nobody receives. */
    memory_copy_out(address, &little, sizeof(little));
}
