/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of a QMP session in the same process: both ends of a socket pair, and the main loop. */
#ifndef TESTS_UNIT_QMP_CLIENT_H
#define TESTS_UNIT_QMP_CLIENT_H

#include "../../monitor/qmp-internal.h"
#include "system/main-loop.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Client {
    QmpSession *session; /* NULL: the monitor of a chardev */
    int ours;            /* the client's end, non-blocking */
    int theirs;          /* the session's end */
    GString *read;       /* received, not yet taken */
    guint disconnects;
} Client;

static void client_disconnected(gpointer opaque)
{
    Client *client = opaque;

    client->disconnects++;
    close(client->theirs);
    client->theirs = -1;
}

static inline void client_connect(Client *client)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), ==,
                    0);
    client->ours = pair[0];
    client->theirs = pair[1];
    g_string_truncate(client->read, 0);
    qmp_session_connect(client->session, client->theirs, client->theirs);
}

static inline Client *client_new(void)
{
    Client *client = g_new0(Client, 1);

    client->read = g_string_new(NULL);
    client->session = qmp_session_new("test", FALSE, client_disconnected, client);
    qmp_sessions_start();
    client_connect(client);
    return client;
}

static inline void client_free(Client *client)
{
    if (client->session) {
        qmp_session_free(client->session);
    }
    close(client->ours);
    if (client->theirs >= 0) {
        close(client->theirs);
    }
    g_string_free(client->read, TRUE);
    g_free(client);
}

/* A client of whoever listens at @path. */
static inline Client *client_new_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    Client *client = g_new0(Client, 1);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    client->read = g_string_new(NULL);
    client->theirs = -1;
    client->ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(client->ours, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_true(fd_set_nonblocking(client->ours, TRUE, NULL));
    return client;
}

/* Lets the session do all that it can do without more from us. */
static inline void client_settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* Takes in what the session has written. */
static inline void client_receive(Client *client)
{
    char bytes[65536];
    ssize_t count;

    client_settle();
    while ((count = read(client->ours, bytes, sizeof(bytes))) > 0) {
        g_string_append_len(client->read, bytes, count);
        client_settle();
    }
}

/* The next line, parsed; NULL if there is none.  Checks that it ends in CR LF. */
static inline json_object *client_line(Client *client)
{
    char *end = strstr(client->read->str, "\r\n");
    g_autofree char *line = NULL;
    json_object *value;

    if (!end) {
        client_receive(client);
        end = strstr(client->read->str, "\r\n");
    }
    if (!end) {
        g_assert_cmpuint(client->read->len, ==, 0);
        return NULL;
    }
    line = g_strndup(client->read->str, end - client->read->str);
    g_string_erase(client->read, 0, end + 2 - client->read->str);
    value = json_parse(line, NULL);
    g_assert_nonnull(value);
    return value;
}

static inline void client_write(Client *client, const char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t count = write(client->ours, bytes, length);

        if (count > 0) {
            bytes += count;
            length -= count;
        } else {
            g_assert_cmpint(errno, ==, EAGAIN);
            client_receive(client);
        }
    }
}

static inline void client_send(Client *client, const char *text)
{
    client_write(client, text, strlen(text));
}

/* Sends @text with descriptors. */
static inline void client_send_fds(Client *client, const char *text, const int *fds, guint number)
{
    char control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec vector = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(number * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(number * sizeof(int));
    memcpy(CMSG_DATA(header), fds, number * sizeof(int));
    g_assert_cmpint(sendmsg(client->ours, &message, 0), ==, strlen(text));
    client_settle();
}

/* The next line, in json-c's plain spelling; caller frees. "" if there is none. */
static inline char *client_text(Client *client)
{
    json_object *line = client_line(client);
    char *text = g_strdup(line ? json_object_to_json_string_ext(
                                     line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                               : "");

    json_object_put(line);
    return text;
}

/* Sends @request and checks the next line. */
static inline void client_expect(Client *client, const char *request, const char *answer)
{
    g_autofree char *text = NULL;

    client_send(client, request);
    text = client_text(client);
    g_assert_cmpstr(text, ==, answer);
}

/* Takes the greeting and ends negotiation. */
static inline void client_negotiate(Client *client, gboolean oob)
{
    g_autofree char *greeting = client_text(client);

    g_assert_true(g_str_has_prefix(greeting, "{\"QMP\":"));
    client_expect(client,
                  oob ? "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"
                      : "{\"execute\":\"qmp_capabilities\"}",
                  "{\"return\":{}}");
}

#endif
