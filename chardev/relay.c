/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two flows between a connection and its front end, with a log and a protocol on the way. */
#include "relay.h"

#include "flow.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct Relay {
    Chardev *chardev;  /* borrowed */
    int input, output; /* of the connection */
    int near;          /* our end of the front end's pair */
    int log;           /* borrowed; -1: none, or it failed */
    const RelayProtocol *protocol;
    gpointer state;
    Flow *in, *out;
};

gboolean relay_pair(int pair[2], GError **error)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        vm_error_set_errno(error, errno, "no pair of sockets can be made");
        return FALSE;
    }
    return TRUE;
}

static void write_log(Relay *relay, const guint8 *bytes, gsize length)
{
    gsize done = 0;

    while (relay->log >= 0 && done < length) {
        ssize_t count = write(relay->log, bytes + done, length - done);
        if (count < 0 && errno != EINTR) {
            report_warning("chardev '%s': its log file takes no more: %s",
                           relay->chardev->parent.id, g_strerror(errno));
            relay->log = -1;
        }
        done += count > 0 ? (gsize)count : 0;
    }
}

static gsize filter_output(gpointer opaque, const guint8 *bytes, gsize length, GByteArray *output)
{
    Relay *relay = opaque;

    write_log(relay, bytes, length);
    if (relay->protocol) {
        return relay->protocol->output(relay->state, bytes, length, output);
    }
    g_byte_array_append(output, bytes, (guint)length);
    return length;
}

static gsize filter_input(gpointer opaque, const guint8 *bytes, gsize length, GByteArray *output)
{
    Relay *relay = opaque;

    if (relay->protocol) {
        return relay->protocol->input(relay->state, bytes, length, output);
    }
    g_byte_array_append(output, bytes, (guint)length);
    return length;
}

/* The front end sees an end, and says chardev_disconnected() in its turn. */
static void output_ended(gpointer opaque)
{
    shutdown(((Relay *)opaque)->near, SHUT_RDWR);
}

/* A standard input that has ended leaves its output. */
static void input_ended(gpointer opaque)
{
    Relay *relay = opaque;

    if (relay->input == relay->output) {
        output_ended(relay);
    }
}

Relay *relay_new(Chardev *chardev, int input, int output, int log, const RelayProtocol *protocol,
                 int *front, GError **error)
{
    int pair[2];

    if (!relay_pair(pair, error)) {
        return NULL;
    }
    Relay *relay = g_new0(Relay, 1);
    g_autoptr(GString) greeting = g_string_new(NULL);

    *front = pair[0];
    relay->near = pair[1];
    relay->chardev = chardev;
    relay->input = input;
    relay->output = output;
    relay->log = log;
    relay->protocol = protocol;
    relay->state = protocol ? protocol->begin(chardev, greeting) : NULL;
    relay->out = flow_new(relay->near, output, filter_output, output_ended, relay);
    relay->in = input >= 0 ? flow_new(input, relay->near, filter_input, input_ended, relay) : NULL;
    flow_insert(relay->out, greeting->str, greeting->len);
    return relay;
}

void relay_free(Relay *relay)
{
    flow_drain(relay->out, g_get_monotonic_time() + RELAY_DRAIN_MICROSECONDS);
    flow_free(relay->in);
    flow_free(relay->out);
    if (relay->input == relay->output) {
        relay->output = -1;
    }
    fd_clear(&relay->input);
    fd_clear(&relay->output);
    fd_clear(&relay->near);
    g_free(relay->state);
    g_free(relay);
}

int relay_wire(const Relay *relay)
{
    return relay->output;
}
