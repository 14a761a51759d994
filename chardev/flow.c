/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction between two descriptors. */
#include "flow.h"

#include "system/main-loop.h"

#include <errno.h>
#include <unistd.h>

#define PIECE 4096

struct Flow {
    int source, sink;
    FlowFilter *filter;
    void (*ended)(gpointer opaque);
    gpointer opaque;
    GByteArray *unread;  /* read, not filtered */
    GByteArray *pending; /* filtered, not written */
    gboolean finished;   /* nothing more comes from the source */
    gboolean busy;       /* its filter is on the stack */
    guint source_watch, sink_watch;
};

static void flow_watch(Flow *flow);

/* FALSE if the sink takes no more for ever. */
static gboolean write_pending(Flow *flow)
{
    gsize done = 0;

    while (flow->sink >= 0 && done < flow->pending->len) {
        ssize_t count = write(flow->sink, flow->pending->data + done, flow->pending->len - done);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno != EAGAIN) {
            return FALSE;
        }
        if (count < 0) {
            break;
        }
        done += (gsize)count;
    }
    g_byte_array_remove_range(flow->pending, 0, flow->sink < 0 ? flow->pending->len : (guint)done);
    return TRUE;
}

/* Filters and writes as long as the sink takes it. */
static gboolean move(Flow *flow)
{
    gboolean good = write_pending(flow);

    while (good && flow->unread->len > 0 && flow->pending->len == 0) {
        gsize used = flow->unread->len;

        if (flow->filter) {
            flow->busy = TRUE;
            used = flow->filter(flow->opaque, flow->unread->data, used, flow->pending);
            flow->busy = FALSE;
        } else {
            g_byte_array_append(flow->pending, flow->unread->data, (guint)used);
        }
        g_byte_array_remove_range(flow->unread, 0, (guint)used);
        good = write_pending(flow);
    }
    return good;
}

/* FALSE when there is nothing to read now. */
static gboolean read_piece(Flow *flow)
{
    guint8 bytes[PIECE];
    ssize_t count = read(flow->source, bytes, sizeof(bytes));

    if (count > 0) {
        g_byte_array_append(flow->unread, bytes, (guint)count);
        return TRUE;
    }
    flow->finished = count == 0 || (errno != EAGAIN && errno != EINTR);
    return FALSE;
}

/* Goes on after something has happened. */
static void flow_run(Flow *flow)
{
    gboolean good = move(flow);

    if (good && !(flow->finished && flow->unread->len == 0 && flow->pending->len == 0)) {
        flow_watch(flow);
        return;
    }
    g_clear_handle_id(&flow->source_watch, g_source_remove);
    g_clear_handle_id(&flow->sink_watch, g_source_remove);
    flow->ended(flow->opaque);
}

static gboolean source_ready(gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED,
                             gpointer opaque)
{
    read_piece(opaque);
    flow_run(opaque);
    return G_SOURCE_CONTINUE; /* flow_run() removed the source where that is right */
}

static gboolean sink_ready(gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED,
                           gpointer opaque)
{
    flow_run(opaque);
    return G_SOURCE_CONTINUE;
}

static void flow_watch(Flow *flow)
{
    gboolean full = flow->pending->len > 0, reads = !full && !flow->finished;

    if (reads && !flow->source_watch) {
        flow->source_watch =
            main_loop_watch(flow->source, G_IO_IN | G_IO_HUP | G_IO_ERR, source_ready, flow);
    } else if (!reads) {
        g_clear_handle_id(&flow->source_watch, g_source_remove);
    }
    if (full && !flow->sink_watch) {
        flow->sink_watch = main_loop_watch(flow->sink, G_IO_OUT, sink_ready, flow);
    } else if (!full) {
        g_clear_handle_id(&flow->sink_watch, g_source_remove);
    }
}

Flow *flow_new(int source, int sink, FlowFilter *filter, void (*ended)(gpointer opaque),
               gpointer opaque)
{
    Flow *flow = g_new0(Flow, 1);

    flow->source = source;
    flow->sink = sink;
    flow->filter = filter;
    flow->ended = ended;
    flow->opaque = opaque;
    flow->unread = g_byte_array_new();
    flow->pending = g_byte_array_new();
    flow_watch(flow);
    return flow;
}

void flow_set_sink(Flow *flow, int sink)
{
    g_clear_handle_id(&flow->sink_watch, g_source_remove);
    g_byte_array_set_size(flow->pending, 0); /* nobody is left who wants it */
    flow->sink = sink;
    if (!flow->busy) {
        flow_watch(flow);
    }
}

void flow_insert(Flow *flow, const char *bytes, gsize length)
{
    g_byte_array_append(flow->pending, (const guint8 *)bytes, (guint)length);
    if (!flow->busy && write_pending(flow)) {
        flow_watch(flow);
    }
}

void flow_drain(Flow *flow, gint64 deadline)
{
    gboolean more = TRUE;

    while (more && move(flow)) {
        gint64 left = deadline - g_get_monotonic_time();
        GPollFD poll = {.fd = flow->sink, .events = G_IO_OUT};

        if (flow->pending->len > 0) {
            more = left > 0 && g_poll(&poll, 1, (gint)(left / 1000) + 1) > 0;
        } else {
            more = !flow->finished && read_piece(flow);
        }
    }
}

void flow_free(Flow *flow)
{
    if (!flow) {
        return;
    }
    g_clear_handle_id(&flow->source_watch, g_source_remove);
    g_clear_handle_id(&flow->sink_watch, g_source_remove);
    g_byte_array_unref(flow->unread);
    g_byte_array_unref(flow->pending);
    g_free(flow);
}
