/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP sessions: order, asynchronous and out-of-band commands, several clients, rude clients. */
#include "qmp-client.h"

#include <sys/mman.h>
#include <sys/stat.h>

static GQueue started = G_QUEUE_INIT; /* QmpRequest of test-wait */

static void wait_start(QmpRequest *request, json_object *arguments G_GNUC_UNUSED)
{
    g_queue_push_tail(&started, request);
}

static void wait_finish(GError *error)
{
    json_object *result = NULL;

    if (!error) {
        result = json_object_new_object();
        json_add_string(result, "waited", "yes");
    }
    qmp_request_answer(g_queue_pop_head(&started), result, error);
}

/* Answers from within start. */
static void at_once(QmpRequest *request, json_object *arguments)
{
    qmp_request_answer(request, json_object_get(arguments), NULL);
}

static json_object *big(json_object *arguments, GError **error G_GNUC_UNUSED)
{
    g_autofree char *text = g_strnfill(qmp_uint(arguments, "size", 0), 'x');

    return json_object_new_string(text);
}

static guint executed;

static json_object *count(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    executed++;
    return NULL;
}

/* The inode of the descriptor that came, or -1. */
static json_object *take(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    int fd = qmp_request_take_fd(NULL);
    struct stat status;
    gint64 inode = -1;

    if (fd >= 0) {
        g_assert_cmpint(fstat(fd, &status), ==, 0);
        g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        inode = status.st_ino;
        close(fd);
    }
    return json_object_new_int64(inode);
}

static const QmpCommand commands[] = {
    {.name = "test-wait", .doc = "Waits.", .start = wait_start},
    {.name = "test-at-once", .arguments = "**", .doc = "Does not wait.", .start = at_once},
    {.name = "test-big", .arguments = "size:size", .returns = "str", .doc = "Much.", .run = big},
    {.name = "test-count", .doc = "Counts.", .run = count, .flags = QMP_COMMAND_OOB},
    {.name = "test-take", .returns = "int", .doc = "Takes a descriptor.", .run = take},
    {.name = NULL},
};

static const QmpEvent events[] = {{"TEST_EVENT", "text:str", "For tests."}, {.name = NULL}};

QMP_REGISTER(commands, events, NULL);

static void expect_nothing(Client *client)
{
    g_assert_null(client_line(client));
}

static void expect_line(Client *client, const char *line)
{
    g_autofree char *text = client_text(client);

    g_assert_cmpstr(text, ==, line);
}

static void send_event(gsize size)
{
    g_autofree char *text = g_strnfill(size, 'e');
    json_object *data = json_object_new_object();

    json_add_string(data, "text", text);
    qmp_event_send("TEST_EVENT", data);
}

static guint open_descriptors(void)
{
    guint number = 0;

    for (int fd = 0; fd < 1024; fd++) {
        number += fcntl(fd, F_GETFD) >= 0;
    }
    return number;
}

/* An asynchronous command holds up its own session and no other. */
static void test_order(void)
{
    Client *first = client_new(), *second = client_new();

    client_negotiate(first, FALSE);
    client_negotiate(second, FALSE);
    executed = 0;
    client_send(first, "{\"execute\":\"test-wait\",\"id\":1}{\"execute\":\"test-count\",\"id\":2}"
                       "{\"execute\":\"test-wait\",\"id\":3}{\"execute\":\"nothing\",\"id\":4}"
                       "{\"id\":5}{\"execute\":\"test-at-once\",\"id\":6}");
    expect_nothing(first);
    g_assert_cmpuint(executed, ==, 0);
    client_expect(second, "{\"execute\":\"test-count\"}", "{\"return\":{}}");
    wait_finish(NULL);
    expect_line(first, "{\"return\":{\"waited\":\"yes\"},\"id\":1}");
    expect_line(first, "{\"return\":{},\"id\":2}");
    expect_nothing(first);
    g_assert_cmpuint(executed, ==, 2);
    wait_finish(g_error_new(VM_ERROR, VM_ERROR_DEVICE_NOT_ACTIVE, "no"));
    expect_line(first, "{\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"no\"},\"id\":3}");
    expect_line(first, "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command nothing "
                       "has not been found\"},\"id\":4}");
    expect_line(first, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input lacks member "
                       "'execute'\"},\"id\":5}");
    expect_line(first, "{\"return\":{},\"id\":6}");
    expect_nothing(first);
    client_free(first);
    client_free(second);
}

/* Commands that end within start, many in a row, neither recurse nor starve. */
static void test_at_once(void)
{
    Client *client = client_new();
    g_autoptr(GString) many = g_string_new(NULL);

    client_negotiate(client, FALSE);
    for (guint i = 0; i < 20000; i++) {
        g_string_append(many, "{\"execute\":\"test-at-once\"}");
    }
    client_write(client, many->str, many->len);
    for (guint i = 0; i < 20000; i++) {
        expect_line(client, "{\"return\":{}}");
    }
    expect_nothing(client);
    client_free(client);
}

static void test_oob(void)
{
    Client *client = client_new();

    client_negotiate(client, TRUE);
    client_send(client, "{\"execute\":\"test-wait\",\"id\":1}");
    client_send(client,
                "{\"execute\":\"test-count\",\"id\":2}{\"exec-oob\":\"test-count\",\"id\":3}");
    expect_line(client, "{\"return\":{},\"id\":3}");
    client_expect(client, "{\"exec-oob\":\"test-wait\",\"id\":4}",
                  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"The command test-wait does "
                  "not support OOB\"},\"id\":4}");
    client_expect(client, "{\"exec-oob\":\"none\",\"id\":5}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command none has not "
                  "been found\"},\"id\":5}");
    client_send(client, "{\"exec-oob\":\"test-count\",\"execute\":\"test-count\"}");
    expect_nothing(client);
    wait_finish(NULL);
    expect_line(client, "{\"return\":{\"waited\":\"yes\"},\"id\":1}");
    expect_line(client, "{\"return\":{},\"id\":2}");
    expect_line(client, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input members "
                        "'execute' and 'exec-oob' exclude each other\"}}");
    client_free(client);
}

static void test_events(void)
{
    Client *client = client_new(), *late = client_new();
    g_autoptr(json_object) line = NULL;
    json_object *timestamp;

    client_negotiate(client, FALSE);
    send_event(3);
    line = client_line(client);
    g_assert_cmpstr(qmp_string(line, "event"), ==, "TEST_EVENT");
    g_assert_cmpstr(qmp_string(json_object_object_get(line, "data"), "text"), ==, "eee");
    timestamp = json_object_object_get(line, "timestamp");
    g_assert_cmpint(qmp_int(timestamp, "seconds", -1), >, 1500000000);
    g_assert_cmpint(qmp_int(timestamp, "microseconds", -1), >=, 0);
    g_assert_cmpint(qmp_int(timestamp, "microseconds", -1), <, 1000000);
    client_negotiate(late, FALSE); /* its first lines are greeting and answer, not the event */
    expect_nothing(late);
    client_free(client);
    client_free(late);
}

/* A client that waits for nothing: what it sends stays in the socket. */
static void test_back_pressure(void)
{
    Client *client = client_new();
    const char *request = "{\"execute\":\"test-count\"}";
    gsize sent = 0, answered = 0;
    ssize_t written;

    client_negotiate(client, FALSE);
    client_send(client, "{\"execute\":\"test-wait\"}");
    executed = 0;
    while ((written = write(client->ours, request, strlen(request))) == (ssize_t)strlen(request)) {
        sent++;
        client_settle();
        g_assert_cmpuint(sent, <, 1000000);
    }
    g_assert_cmpint(written, <, 0);
    g_assert_cmpuint(executed, ==, 0);
    wait_finish(NULL);
    expect_line(client, "{\"return\":{\"waited\":\"yes\"}}");
    while (answered < sent) {
        expect_line(client, "{\"return\":{}}");
        answered++;
    }
    g_assert_cmpuint(executed, ==, sent);
    expect_nothing(client);
    client_free(client);
}

/* A client that never reads: events are dropped, then its commands are not run; nobody else
 * notices. */
static void test_never_reads(void)
{
    Client *rude = client_new(), *other = client_new();
    const guint requests = 60;
    gsize received = 0;
    guint answers = 0;

    client_negotiate(rude, FALSE);
    client_negotiate(other, FALSE);
    executed = 0;
    for (guint i = 0; i < requests; i++) {
        client_send(rude, "{\"execute\":\"test-big\",\"arguments\":{\"size\":1048576}}"
                          "{\"execute\":\"test-count\"}");
        client_settle();
    }
    g_assert_cmpuint(executed, >=, QMP_OUTPUT_LIMIT / 1048576 - 1);
    g_assert_cmpuint(executed, <=, QMP_OUTPUT_LIMIT / 1048576 + 2);
    for (guint i = 0; i < 100; i++) {
        send_event(1048576);
        g_autoptr(json_object) event = client_line(other);
        g_assert_cmpstr(qmp_string(event, "event"), ==, "TEST_EVENT");
    }
    client_expect(other, "{\"execute\":\"test-count\"}", "{\"return\":{}}");
    /* It reads at last: every answer is there, in order. */
    while (answers < 2 * requests) {
        g_autoptr(json_object) line = client_line(rude);

        g_assert_nonnull(line);
        g_assert_null(json_object_object_get(line, "event"));
        received += json_object_get_string_len(json_object_object_get(line, "return"));
        answers++;
    }
    expect_nothing(rude);
    client_expect(rude, "{\"execute\":\"test-count\"}", "{\"return\":{}}");
    g_assert_cmpuint(received, ==, requests * (gsize)1048576);
    client_free(rude);
    client_free(other);
}

/* Only events pile up: they are dropped beyond the limit, and the session goes on. */
static void test_events_unread(void)
{
    Client *client = client_new();
    guint events_read = 0;
    json_object *line;

    client_negotiate(client, FALSE);
    for (guint i = 0; i < 100; i++) {
        send_event(1048576);
    }
    while ((line = client_line(client))) {
        json_object_put(line);
        events_read++;
    }
    g_assert_cmpuint(events_read, >=, QMP_OUTPUT_EVENT_LIMIT / 1048576);
    g_assert_cmpuint(events_read, <=, QMP_OUTPUT_EVENT_LIMIT / 1048576 + 2);
    client_expect(client, "{\"execute\":\"test-count\"}", "{\"return\":{}}");
    client_free(client);
}

/* A client that leaves while its command runs, or half a request is sent; the next one is greeted.
 */
static void test_leaves(void)
{
    Client *client = client_new();

    client_negotiate(client, FALSE);
    client_send(client, "{\"execute\":\"test-wait\"}{\"execute\":\"test-count\"}");
    client_settle();
    executed = 0;
    close(client->ours);
    client_settle();
    g_assert_cmpuint(client->disconnects, ==, 1);
    client_connect(client);
    client_negotiate(client, FALSE);
    wait_finish(NULL); /* to nobody */
    expect_nothing(client);
    client_expect(client, "{\"execute\":\"test-count\"}", "{\"return\":{}}");
    g_assert_cmpuint(executed, ==, 1);
    client_send(client, "{\"execute\":\"test-c");
    client_settle();
    close(client->ours);
    client_settle();
    g_assert_cmpuint(client->disconnects, ==, 2);
    client_connect(client);
    client_negotiate(client, TRUE);
    close(client->ours);
    send_event(10);
    client_settle();
    g_assert_cmpuint(client->disconnects, ==, 3);
    client_connect(client);
    client_negotiate(client, FALSE);
    client_free(client);
}

/* A client that closes its sending side still gets its answers. */
static void test_half_close(void)
{
    Client *client = client_new();

    client_negotiate(client, FALSE);
    client_send(client, "{\"execute\":\"test-wait\"}"
                        "{\"execute\":\"test-big\",\"arguments\":{\"size\":1000000}}");
    shutdown(client->ours, SHUT_WR);
    client_settle();
    g_assert_cmpuint(client->disconnects, ==, 0);
    wait_finish(NULL);
    expect_line(client, "{\"return\":{\"waited\":\"yes\"}}");
    json_object_put(client_line(client));
    client_settle();
    g_assert_cmpuint(client->disconnects, ==, 1);
    client_free(client);
}

/* Something with an inode of its own. */
static int memory_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void expect_inode(Client *client, int fd)
{
    struct stat status = {.st_ino = -1};
    g_autofree char *wanted = NULL;

    if (fd >= 0) {
        g_assert_cmpint(fstat(fd, &status), ==, 0);
    }
    wanted = g_strdup_printf("{\"return\":%" G_GINT64_FORMAT "}", (gint64)status.st_ino);
    expect_line(client, wanted);
}

static void test_descriptors(void)
{
    Client *client = client_new();
    const char *request = "{\"execute\":\"test-take\"}";
    int fds[253];
    guint before;

    client_negotiate(client, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++) {
        fds[i] = i < 2 ? memory_file() : fds[0];
    }
    before = open_descriptors();
    client_send_fds(client, request, fds, 1);
    expect_inode(client, fds[0]);
    client_send(client, request); /* none came */
    expect_inode(client, -1);
    /* Each of two pipelined commands gets its own. */
    client_send_fds(client, request, &fds[0], 1);
    client_send_fds(client, request, &fds[1], 1);
    expect_inode(client, fds[0]);
    expect_inode(client, fds[1]);
    /* Surplus ones are closed. */
    client_send_fds(client, request, fds, G_N_ELEMENTS(fds));
    expect_inode(client, fds[0]);
    g_assert_cmpuint(open_descriptors(), ==, before);
    client_send_fds(client, "{\"execute\":\"test-count\"}", fds, 3);
    expect_line(client, "{\"return\":{}}");
    g_assert_cmpuint(open_descriptors(), ==, before);
    /* With the first part of a request. */
    client_send_fds(client, "{\"execute\":", &fds[1], 1);
    client_send(client, "\"test-take\"}");
    expect_inode(client, fds[1]);
    /* A client that leaves takes them along. */
    client_send_fds(client, "{\"execute\":", fds, 5);
    close(client->ours);
    client_settle();
    g_assert_cmpuint(open_descriptors(), ==, before - 2);
    client_connect(client);
    client_free(client);
    close(fds[0]);
    close(fds[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/qmp/order", test_order);
    g_test_add_func("/qmp/at-once", test_at_once);
    g_test_add_func("/qmp/oob", test_oob);
    g_test_add_func("/qmp/events", test_events);
    g_test_add_func("/qmp/back-pressure", test_back_pressure);
    g_test_add_func("/qmp/never-reads", test_never_reads);
    g_test_add_func("/qmp/events-unread", test_events_unread);
    g_test_add_func("/qmp/leaves", test_leaves);
    g_test_add_func("/qmp/half-close", test_half_close);
    g_test_add_func("/qmp/descriptors", test_descriptors);
    return g_test_run();
}
