/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The multiplexer: several front ends on one chardev.  All write; what the user types goes to the
 * one that has the focus, except for keys behind Ctrl-A (or the key of -echr).  Each front end has
 * a port, which is a chardev of its own whose connection is a socket pair.
 */
#include "chardev/chardev.h"
#include "flow.h"
#include "relay.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

typedef struct ChardevMux {
    Chardev parent;
    Chardev *base; /* property "chardev": a reference */
    ChardevFrontend base_frontend;
    gboolean attached; /* to base */
    int input, output; /* of base, borrowed; output -1: not connected */
    Flow *in;
    GPtrArray *ports;             /* ChardevMuxPort, borrowed, in order of coming */
    struct ChardevMuxPort *focus; /* one of them; NULL: none is there */
    gboolean escaped;             /* the last key was the escape key */
    gboolean times, line_begins;  /* lines are given the time */
    gint64 times_since;
} ChardevMux;

typedef struct ChardevMuxPort {
    Chardev parent;
    ChardevMux *mux; /* a reference; NULL once closed */
    int end;         /* ours of the pair; -1: not connected */
    Flow *out;
} ChardevMuxPort;

VM_DECLARE_TYPE(ChardevMux, chardev_mux, CHARDEV_MUX)
VM_DECLARE_TYPE(ChardevMuxPort, chardev_mux_port, CHARDEV_MUX_PORT)
VM_DEFINE_TYPE("chardev-mux", ChardevMux, ChardevClass, chardev_mux, chardev_get_type(), 0);
VM_DEFINE_TYPE("chardev-mux-port", ChardevMuxPort, ChardevClass, chardev_mux_port,
               chardev_get_type(), 0);

static const VmField chardev_mux_fields[] = {
    {.name = "chardev",
     .doc = "the chardev that is shared",
     .kind = VM_FIELD_LINK,
     .offset = offsetof(ChardevMux, base),
     .link_type = chardev_get_type,
     .flags = VM_FIELD_REQUIRED},
    {.name = NULL},
};

/* --- output --- */

static void add_time(ChardevMux *mux, GByteArray *output)
{
    gint64 elapsed = (g_get_monotonic_time() - mux->times_since) / 1000;
    g_autofree char *text = g_strdup_printf("[%02d:%02d:%02d.%03d] ", (int)(elapsed / 3600000),
                                            (int)(elapsed / 60000 % 60), (int)(elapsed / 1000 % 60),
                                            (int)(elapsed % 1000));

    g_byte_array_append(output, (const guint8 *)text, (guint)strlen(text));
}

static gsize filter_output(gpointer opaque, const guint8 *bytes, gsize length, GByteArray *output)
{
    ChardevMux *mux = ((ChardevMuxPort *)opaque)->mux;

    if (!mux->times) {
        g_byte_array_append(output, bytes, (guint)length);
        return length;
    }
    for (gsize i = 0; i < length; i++) {
        if (mux->line_begins) {
            add_time(mux, output);
        }
        g_byte_array_append(output, bytes + i, 1);
        mux->line_begins = bytes[i] == '\n';
    }
    return length;
}

/* --- ports --- */

static void port_disconnect(ChardevMuxPort *port)
{
    if (port->out) {
        flow_drain(port->out, g_get_monotonic_time() + RELAY_DRAIN_MICROSECONDS);
        g_clear_pointer(&port->out, flow_free);
    }
    if (port->mux && port->mux->focus == port && port->mux->in) {
        flow_set_sink(port->mux->in, -1);
    }
    fd_clear(&port->end);
}

/* The base takes no more: its own end is seen by its reader. */
static void port_output_ended(gpointer opaque G_GNUC_UNUSED)
{
}

static void port_connect(ChardevMuxPort *port)
{
    ChardevMux *mux = port->mux;
    g_autoptr(GError) error = NULL;
    int pair[2];

    if (mux->output < 0) {
        return;
    }
    if (!relay_pair(pair, &error)) {
        report_warning("chardev '%s': %s", mux->parent.parent.id, error->message);
        return;
    }
    port->end = pair[1];
    port->out = flow_new(port->end, mux->output, filter_output, port_output_ended, port);
    if (mux->focus == port && mux->in) {
        flow_set_sink(mux->in, port->end);
    }
    chardev_set_connection(&port->parent, pair[0], pair[0]);
}

/* --- focus --- */

static void tell_focus(ChardevMuxPort *port, gboolean here)
{
    const ChardevFrontend *frontend = port->parent.frontend;

    if (frontend && frontend->focus) {
        frontend->focus(frontend->opaque, here);
    }
}

static void set_focus(ChardevMux *mux, ChardevMuxPort *port)
{
    ChardevMuxPort *before = mux->focus;

    if (before == port) {
        return;
    }
    mux->focus = port;
    if (mux->in) {
        flow_set_sink(mux->in, port ? port->end : -1);
    }
    if (before) {
        tell_focus(before, FALSE);
    }
    if (port) {
        tell_focus(port, TRUE);
    }
}

static void focus_next(ChardevMux *mux)
{
    guint index;

    if (mux->focus && g_ptr_array_find(mux->ports, mux->focus, &index)) {
        set_focus(mux, mux->ports->pdata[(index + 1) % mux->ports->len]);
    }
}

/* --- input --- */

static guint8 escape = 0x01; /* Ctrl-A */

void chardev_mux_set_escape(guint8 key)
{
    escape = key;
}

/* What people call the key.  Caller frees. */
static char *escape_name(void)
{
    if (escape >= 1 && escape <= 26) {
        return g_strdup_printf("Ctrl-%c", 'A' + escape - 1);
    }
    return g_ascii_isgraph(escape) ? g_strdup_printf("%c", escape)
                                   : g_strdup_printf("key %u", escape);
}

static void print_help(ChardevMux *mux)
{
    g_autofree char *key = escape_name();
    g_autofree char *help = g_strdup_printf("\r\n"
                                            "%s h  this help\r\n"
                                            "%s x  end the program\r\n"
                                            "%s c  switch to the next user of this terminal\r\n"
                                            "%s b  send a break\r\n"
                                            "%s t  switch time stamps on or off\r\n"
                                            "%s %s  send %s\r\n",
                                            key, key, key, key, key, key, key, key);

    if (mux->focus && mux->focus->out) {
        flow_insert(mux->focus->out, help, strlen(help));
    }
}

static void run_key(ChardevMux *mux, guint8 key)
{
    switch (key) {
    case 'h':
    case '?':
        print_help(mux);
        break;
    case 'x':
        run_state_request_shutdown(SHUTDOWN_CAUSE_HOST_UI);
        break;
    case 'b':
        if (mux->focus) {
            chardev_break(&mux->focus->parent);
        }
        break;
    case 'c':
        focus_next(mux);
        break;
    case 't':
        mux->times = !mux->times;
        mux->times_since = g_get_monotonic_time();
        mux->line_begins = TRUE;
        break;
    default: /* nothing, as said by help */
        break;
    }
}

/* Keys before a command leave for the one who has the focus first. */
static gsize filter_input(gpointer opaque, const guint8 *bytes, gsize length, GByteArray *output)
{
    ChardevMux *mux = opaque;

    for (gsize i = 0; i < length; i++) {
        gboolean command = mux->escaped && bytes[i] != escape;

        if (command && output->len > 0) {
            return i;
        }
        if (command) {
            mux->escaped = FALSE;
            run_key(mux, bytes[i]);
            return i + 1;
        }
        if (bytes[i] == escape && !mux->escaped) {
            mux->escaped = TRUE;
        } else {
            mux->escaped = FALSE;
            g_byte_array_append(output, bytes + i, 1);
        }
    }
    return length;
}

/* --- the base --- */

static void base_gone(ChardevMux *mux)
{
    g_clear_pointer(&mux->in, flow_free);
    for (guint i = 0; i < mux->ports->len; i++) {
        port_disconnect(mux->ports->pdata[i]); /* its front end sees the end */
    }
    mux->input = mux->output = -1;
    mux->escaped = FALSE;
}

static void base_ended(gpointer opaque)
{
    ChardevMux *mux = opaque;

    if (mux->input != mux->output) {
        return; /* standard input has ended: the output goes on */
    }
    base_gone(mux);
    chardev_disconnected(mux->base);
}

static void base_opened(gpointer opaque, int input, int output)
{
    ChardevMux *mux = opaque;

    mux->input = input;
    mux->output = output;
    if (input >= 0) {
        mux->in = flow_new(input, mux->focus ? mux->focus->end : -1, filter_input, base_ended, mux);
    }
    for (guint i = 0; i < mux->ports->len; i++) {
        ChardevMuxPort *port = mux->ports->pdata[i];
        if (port->parent.frontend && !port->parent.connected) {
            port_connect(port);
        }
    }
}

static void base_break(gpointer opaque)
{
    ChardevMux *mux = opaque;

    if (mux->focus) {
        chardev_break(&mux->focus->parent);
    }
}

/* --- life of the multiplexer --- */

static gboolean chardev_mux_open(Chardev *chardev, GError **error)
{
    ChardevMux *mux = CHARDEV_MUX(chardev);

    if (CHARDEV_GET_CLASS(mux->base)->port) {
        vm_error_set(error, "chardev '%s': chardev '%s' is a multiplexer itself",
                     chardev->parent.id, mux->base->parent.id);
        return FALSE;
    }
    mux->base_frontend = (ChardevFrontend){
        .opened = base_opened,
        .opaque = mux,
        .user = "a multiplexer",
        .line_break = base_break,
    };
    if (!chardev_attach(mux->base, &mux->base_frontend, error)) {
        g_prefix_error(error, "chardev '%s': ", chardev->parent.id);
        return FALSE;
    }
    mux->attached = TRUE;
    return TRUE;
}

static void chardev_mux_close(Chardev *chardev)
{
    ChardevMux *mux = CHARDEV_MUX(chardev);

    if (mux->attached) {
        base_gone(mux);
        mux->attached = FALSE;
        chardev_detach(mux->base);
    }
}

static gboolean chardev_mux_attached(Chardev *chardev, GError **error)
{
    vm_error_set(error,
                 "chardev '%s' is a multiplexer, which only serial ports and monitors can share",
                 chardev->parent.id);
    return FALSE;
}

static Chardev *chardev_mux_new_port(Chardev *chardev)
{
    ChardevMux *mux = CHARDEV_MUX(chardev);
    ChardevMuxPort *port =
        CHARDEV_MUX_PORT(vm_object_new(chardev_mux_port_get_type(), chardev->parent.id, NULL));

    port->mux = g_object_ref(mux);
    vm_object_use(&chardev->parent);
    g_ptr_array_add(mux->ports, port);
    set_focus(mux, port);
    return &port->parent;
}

static gboolean chardev_mux_is_used(Chardev *chardev)
{
    return CHARDEV_MUX(chardev)->ports->len > 0;
}

static void chardev_mux_finalize(GObject *object)
{
    g_ptr_array_unref(CHARDEV_MUX(object)->ports);
    G_OBJECT_CLASS(g_type_class_peek(TYPE_CHARDEV))->finalize(object);
}

static void chardev_mux_class_init(ChardevClass *class)
{
    G_OBJECT_CLASS(class)->finalize = chardev_mux_finalize;
    VM_OBJECT_CLASS(class)->description = "shares another chardev among several users";
    class->backend = "mux";
    class->open = chardev_mux_open;
    class->close = chardev_mux_close;
    class->attached = chardev_mux_attached;
    class->port = chardev_mux_new_port;
    class->is_used = chardev_mux_is_used;
    vm_object_class_install_fields(class, chardev_mux_fields);
}

static void chardev_mux_init(ChardevMux *mux)
{
    mux->input = mux->output = -1;
    mux->ports = g_ptr_array_new();
}

/* --- life of a port --- */

static gboolean chardev_mux_port_attached(Chardev *chardev, GError **error G_GNUC_UNUSED)
{
    port_connect(CHARDEV_MUX_PORT(chardev));
    return TRUE;
}

/* A front end that hung up by itself, such as a monitor, may go on at once. */
static void chardev_mux_port_disconnected(Chardev *chardev, gboolean refused G_GNUC_UNUSED)
{
    ChardevMuxPort *port = CHARDEV_MUX_PORT(chardev);

    port_disconnect(port);
    if (chardev->frontend && port->mux) {
        port_connect(port);
    }
}

static void chardev_mux_port_close(Chardev *chardev)
{
    ChardevMuxPort *port = CHARDEV_MUX_PORT(chardev);
    ChardevMux *mux = port->mux;

    if (!mux) {
        return;
    }
    port_disconnect(port);
    if (mux->focus == port) {
        mux->focus = NULL;
    }
    g_ptr_array_remove(mux->ports, port);
    if (!mux->focus && mux->ports->len > 0) {
        set_focus(mux, mux->ports->pdata[0]);
    }
    port->mux = NULL;
    vm_object_release(&mux->parent.parent);
    g_object_unref(mux);
}

static gboolean chardev_mux_port_has_focus(Chardev *chardev)
{
    ChardevMuxPort *port = CHARDEV_MUX_PORT(chardev);

    return port->mux && port->mux->focus == port;
}

static int chardev_mux_port_wire(Chardev *chardev)
{
    ChardevMux *mux = CHARDEV_MUX_PORT(chardev)->mux;

    return mux ? chardev_wire(mux->base) : -1;
}

static void chardev_mux_port_class_init(ChardevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "a place at a multiplexer";
    class->attached = chardev_mux_port_attached;
    class->disconnected = chardev_mux_port_disconnected;
    class->close = chardev_mux_port_close;
    class->has_focus = chardev_mux_port_has_focus;
    class->wire = chardev_mux_port_wire;
}

static void chardev_mux_port_init(ChardevMuxPort *port)
{
    port->end = -1;
}
