/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * telnet=on: the TELNET protocol (RFC 854) as a server that echoes (RFC 857), suppresses go-ahead
 * (RFC 858) and sends binary (RFC 856).  What the client wants otherwise is not heard.
 */
#include "relay.h"

#include <arpa/telnet.h>

typedef struct Telnet {
    Chardev *chardev;
    enum { TELNET_DATA, TELNET_COMMAND, TELNET_OPTION, TELNET_SUB, TELNET_SUB_COMMAND } state;
    gboolean carriage_return; /* the last byte of data was one */
} Telnet;

static gpointer telnet_begin(Chardev *chardev, GString *greeting)
{
    static const char offers[] = {(char)IAC,     (char)WILL, TELOPT_ECHO, (char)IAC,
                                  (char)WILL,    TELOPT_SGA, (char)IAC,   (char)WILL,
                                  TELOPT_BINARY, (char)IAC,  (char)DO,    TELOPT_BINARY};
    Telnet *telnet = g_new0(Telnet, 1);

    g_string_append_len(greeting, offers, sizeof(offers));
    telnet->chardev = chardev;
    return telnet;
}

/* A carriage return comes as CR NUL or CR LF: the second byte is none of the user's (RFC 854). */
static void take_data(Telnet *telnet, guint8 byte, GByteArray *output)
{
    if (!(telnet->carriage_return && (byte == '\0' || byte == '\n'))) {
        g_byte_array_append(output, &byte, 1);
    }
    telnet->carriage_return = byte == '\r';
}

static void take_command(Telnet *telnet, guint8 byte, GByteArray *output)
{
    telnet->state = byte >= WILL && byte <= DONT ? TELNET_OPTION
                    : byte == SB                 ? TELNET_SUB
                                                 : TELNET_DATA;
    if (byte == IAC) {
        take_data(telnet, byte, output);
    } else if (byte == BREAK) {
        chardev_break(telnet->chardev);
    }
}

static gsize telnet_input(gpointer state, const guint8 *bytes, gsize length, GByteArray *output)
{
    Telnet *telnet = state;

    for (gsize i = 0; i < length; i++) {
        guint8 byte = bytes[i];

        switch (telnet->state) {
        case TELNET_DATA:
            if (byte == IAC) {
                telnet->state = TELNET_COMMAND;
            } else {
                take_data(telnet, byte, output);
            }
            break;
        case TELNET_COMMAND:
            take_command(telnet, byte, output);
            break;
        case TELNET_OPTION:
            telnet->state = TELNET_DATA;
            break;
        case TELNET_SUB:
            telnet->state = byte == IAC ? TELNET_SUB_COMMAND : TELNET_SUB;
            break;
        case TELNET_SUB_COMMAND:
            telnet->state = byte == SE ? TELNET_DATA : TELNET_SUB;
            break;
        }
    }
    return length;
}

static gsize telnet_output(gpointer state G_GNUC_UNUSED, const guint8 *bytes, gsize length,
                           GByteArray *output)
{
    for (gsize i = 0; i < length; i++) {
        g_byte_array_append(output, bytes + i, 1);
        if (bytes[i] == IAC) {
            g_byte_array_append(output, bytes + i, 1);
        }
    }
    return length;
}

const RelayProtocol telnet_protocol = {telnet_begin, telnet_input, telnet_output};
