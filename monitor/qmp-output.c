/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leaves for a client: one line a value, written at once where the
 * client reads, else kept in a queue that the session drains.
 */
#include "qmp-internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void qmp_output_init(QmpOutput *output, int fd, gboolean pretty)
{
    struct stat status;

    *output = (QmpOutput){
        .fd = fd,
        .socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode),
        .pretty = pretty,
        .queue = g_byte_array_new(),
    };
}

void qmp_output_clear(QmpOutput *output)
{
    if (output->queue) {
        g_byte_array_unref(output->queue);
    }
    *output = (QmpOutput){.fd = -1};
}

gsize qmp_output_pending(const QmpOutput *output)
{
    return output->queue ? output->queue->len - output->sent : 0;
}

/* Writes what the peer takes now; the number of bytes, 0 when it takes none. */
static gsize output_write(QmpOutput *output, const guint8 *bytes, gsize length)
{
    gsize done = 0;

    while (done < length) {
        ssize_t count = output->socket ? send(output->fd, bytes + done, length - done, MSG_NOSIGNAL)
                                       : write(output->fd, bytes + done, length - done);

        if (count >= 0) {
            done += count;
        } else if (errno != EINTR) {
            output->failed = errno != EAGAIN;
            break;
        }
    }
    return done;
}

/* The part that has left goes, and a queue that was long gives its memory back. */
static void output_compact(QmpOutput *output)
{
    if (output->failed) {
        output->sent = output->queue->len;
    }
    if (output->sent == output->queue->len) {
        g_byte_array_unref(output->queue);
        output->queue = g_byte_array_new();
        output->sent = 0;
    } else if (output->sent > output->queue->len / 2) {
        g_byte_array_remove_range(output->queue, 0, output->sent);
        output->sent = 0;
    }
}

void qmp_output_flush(QmpOutput *output)
{
    if (output->fd >= 0 && qmp_output_pending(output) > 0) {
        output->sent +=
            output_write(output, output->queue->data + output->sent, qmp_output_pending(output));
        output_compact(output);
    }
}

void qmp_output_drain(QmpOutput *output, gint64 deadline)
{
    while (!output->failed && qmp_output_pending(output) > 0) {
        gint64 left = deadline - g_get_monotonic_time();
        GPollFD poll = {.fd = output->fd, .events = G_IO_OUT};

        if (left <= 0 || g_poll(&poll, 1, (gint)(left / 1000) + 1) < 0) {
            return;
        }
        qmp_output_flush(output);
    }
}

void qmp_output_bytes(QmpOutput *output, const char *bytes, gsize length)
{
    gsize done = 0;

    if (output->fd < 0 || output->failed) {
        return;
    }
    if (qmp_output_pending(output) == 0) {
        done = output_write(output, (const guint8 *)bytes, length);
    }
    if (done < length && !output->failed) {
        g_byte_array_append(output->queue, (const guint8 *)bytes + done, length - done);
    }
}

void qmp_output_send(QmpOutput *output, json_object *value)
{
    int style = JSON_C_TO_STRING_NOSLASHESCAPE |
                (output->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                : JSON_C_TO_STRING_PLAIN);
    gsize length;
    const char *text;
    g_autoptr(GString) line = NULL;

    text = json_object_to_json_string_length(value, style, &length);
    if (g_utf8_validate_len(text, length, NULL)) {
        line = g_string_new_len(text, length);
    } else {
        /* A path or name of the host that is not UTF-8: RFC 8259, 8.1 wants UTF-8. */
        g_autofree char *valid = g_utf8_make_valid(text, length);

        line = g_string_new(valid);
    }
    g_string_append(line, "\r\n");
    qmp_output_bytes(output, line->str, line->len);
}
