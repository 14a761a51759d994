/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and answers in order: pipelining, windows, refusals, barriers, descriptors, idling. */
#include "channel-fixture.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static void test_pipeline(void)
{
    Fixture fixture;
    Acks acks = {0};
    uint64_t value = 0;

    fixture_begin(&fixture, peer_good);
    for (guint i = 0; i < 1000; i++) {
        g_assert_true(fixture_add_region(&fixture, i, NULL));
    }
    g_assert_true(fixture_get_u64(&fixture, VHOST_USER_GET_MAX_MEM_SLOTS, &value, NULL));
    g_assert_cmpuint(value, ==, 42);
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.accepted, ==, 1000);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_ADD_MEM_REG)->sent, ==, 1000);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_ADD_MEM_REG)->answered, ==, 1000);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_GET_FEATURES)->sent, ==, 0);
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.calls, ==, 1000);
    g_assert_true(vhost_user_channel_idle(fixture.channel, NULL));
    fixture_end(&fixture);
}

static void peer_refuses_third(int socket)
{
    PeerRequest request;

    for (guint i = 0; peer_read(socket, &request); i++) {
        peer_ack(socket, request.header.request, i == 3 ? 22 : 0);
    }
}

static void on_refused_text(gpointer opaque, uint32_t request, gpointer tag, const GError *error)
{
    (void)request;
    (void)tag;
    if (error) {
        *(char **)opaque = g_strdup(error->message);
    }
}

static void test_refused(void)
{
    g_autofree char *text = NULL;
    Fixture fixture;
    Acks acks = {0};

    fixture_begin(&fixture, peer_refuses_third);
    for (guint i = 0; i < 10; i++) {
        g_assert_true(fixture_add_region(&fixture, i, NULL));
    }
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.accepted, ==, 9);
    g_assert_cmpuint(acks.last_refused, ==, 3);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_ADD_MEM_REG)->refused, ==, 1);
    g_assert_false(vhost_user_channel_broken(fixture.channel));
    fixture_end(&fixture);

    fixture_begin(&fixture, peer_refuses_third);
    for (guint i = 0; i < 4; i++) {
        g_assert_true(fixture_add_region(&fixture, i, NULL));
    }
    g_assert_true(vhost_user_channel_flush(fixture.channel, on_refused_text, &text, NULL));
    g_assert_cmpstr(text, ==, "vhost-user device 'b0': ADD_MEM_REG: backend refused (code 22)");
    fixture_end(&fixture);
}

/* Reads as long as requests come within 100 ms, then answers what came: the window's size. */
static gint requests_in_window;

static void peer_counts_window(int socket)
{
    struct pollfd readable = {.fd = socket, .events = POLLIN};
    PeerRequest request;
    gint unanswered = 0;

    while (poll(&readable, 1, 100) == 1 && peer_read(socket, &request)) {
        unanswered++;
    }
    g_atomic_int_set(&requests_in_window, unanswered);
    for (gint i = 0; i < unanswered; i++) {
        peer_ack(socket, VHOST_USER_ADD_MEM_REG, 0);
    }
    peer_good(socket);
}

static void test_window(void)
{
    const guint windows[] = {1, 4, 64};

    for (guint i = 0; i < G_N_ELEMENTS(windows); i++) {
        Fixture fixture;
        Acks acks = {0};

        fixture_begin(&fixture, peer_counts_window);
        vhost_user_channel_set_window(fixture.channel, windows[i]);
        for (guint number = 0; number < 100; number++) {
            g_assert_true(fixture_add_region(&fixture, number, NULL));
        }
        g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
        g_assert_cmpuint(acks.accepted, ==, 100);
        g_assert_cmpint(g_atomic_int_get(&requests_in_window), ==, (gint)windows[i]);
        fixture_end(&fixture);
    }
}

static void test_window_timeout(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    Acks acks = {0};

    fixture_begin(&fixture, peer_silent);
    fixture_deadline(&fixture, 50);
    vhost_user_channel_set_window(fixture.channel, 2);
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    g_assert_true(fixture_add_region(&fixture, 1, NULL));
    g_assert_false(fixture_add_region(&fixture, 2, &error));
    g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_TIMEOUT);
    g_assert_false(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.unknown, ==, 2);
    fixture_end(&fixture);
}

static void test_barrier(void)
{
    Fixture fixture;
    Acks acks = {0};
    uint64_t value;

    fixture_begin(&fixture, peer_good);
    vhost_user_channel_set_reply_ack(fixture.channel, FALSE);
    for (guint i = 0; i < 100; i++) {
        g_assert_true(fixture_add_region(&fixture, i, NULL));
    }
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.accepted, ==, 100);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_GET_FEATURES)->answered, ==, 1);

    /* A call is a barrier of its own; nothing sent needs none. */
    acks.calls = 0;
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    g_assert_true(fixture_get_u64(&fixture, VHOST_USER_GET_QUEUE_NUM, &value, NULL));
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.calls, ==, 1);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_GET_FEATURES)->sent, ==, 1);

    /* REPLY_ACK in the middle of a batch: the first ack settles what came before. */
    acks.calls = 0;
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    vhost_user_channel_set_reply_ack(fixture.channel, TRUE);
    g_assert_true(fixture_add_region(&fixture, 1, NULL));
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.calls, ==, 2);
    g_assert_cmpuint(fixture_counts(&fixture, VHOST_USER_GET_FEATURES)->sent, ==, 1);
    fixture_end(&fixture);
}

static void peer_drips(int socket)
{
    PeerRequest request;

    while (peer_read(socket, &request)) {
        struct {
            VhostUserHeader header;
            uint32_t value[2];
        } answer = {{request.header.request, REPLY_FLAGS, 8}, {7, 0}};

        for (guint i = 0; i < sizeof(answer); i++) {
            peer_write(socket, (uint8_t *)&answer + i, 1, 0);
            g_usleep(200);
        }
    }
}

static void test_drip(void)
{
    Fixture fixture;
    Acks acks = {0};
    uint64_t value = 0;

    fixture_begin(&fixture, peer_drips);
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    g_assert_true(fixture_add_region(&fixture, 1, NULL));
    g_assert_true(fixture_get_u64(&fixture, VHOST_USER_GET_FEATURES, &value, NULL));
    g_assert_cmpuint(value, ==, 7);
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.refused, ==, 2);
    fixture_end(&fixture);
}

/* Acks, and GET_INFLIGHT_FD with as many descriptors as the low byte of its size asks for. */
static void peer_gives_fds(int socket)
{
    PeerRequest request;

    while (peer_read(socket, &request)) {
        if (request.header.request == VHOST_USER_GET_INFLIGHT_FD) {
            peer_answer(socket, request.header.request, REPLY_FLAGS, 0x1000, 24,
                        request.payload.inflight.queue_size);
        } else {
            peer_ack(socket, request.header.request, 0);
        }
    }
}

static gboolean get_inflight(Fixture *fixture, guint fds, int *fd, GError **error)
{
    VhostUserInflight request = {.num_queues = 1, .queue_size = fds};
    VhostUserInflight reply;

    return vhost_user_channel_call(fixture->channel, VHOST_USER_GET_INFLIGHT_FD, &request,
                                   sizeof(request), &reply, sizeof(reply), sizeof(reply), NULL, fd,
                                   error);
}

/* The peer's answer says 0 queues, which the validator minds once a descriptor is there. */
static void test_descriptors(void)
{
    const guint given[] = {1, 2, 4, 5, 8};

    for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
        g_autoptr(GError) error = NULL;
        Fixture fixture;
        int fd = -2;

        fixture_begin(&fixture, peer_gives_fds);
        g_assert_true(fixture_add_region(&fixture, 0, NULL));
        g_assert_false(get_inflight(&fixture, given[i], &fd, &error));
        g_assert_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_PROTOCOL);
        g_assert_nonnull(strstr(error->message, given[i] == 1
                                                    ? "the number of queues or their size is 0"
                                                    : "more descriptors than the 1 allowed"));
        g_assert_cmpint(fd, ==, -1);
        fixture_end(&fixture);
    }
}

static void peer_gives_inflight(int socket)
{
    struct {
        VhostUserHeader header;
        uint8_t payload[sizeof(VhostUserInflight)];
    } answer = {.header = {VHOST_USER_GET_INFLIGHT_FD, REPLY_FLAGS, sizeof(VhostUserInflight)}};
    VhostUserInflight inflight = {.mmap_size = 0x1000, .num_queues = 1, .queue_size = 128};
    PeerRequest request;

    memcpy(answer.payload, &inflight, sizeof(inflight));
    for (guint i = 0; i < 3; i++) {
        peer_read_one(socket);
    }
    peer_ack(socket, VHOST_USER_ADD_MEM_REG, 0);
    peer_ack(socket, VHOST_USER_ADD_MEM_REG, 0);
    peer_write(socket, &answer, sizeof(answer), 1);
    while (peer_read(socket, &request)) {
    }
}

/* A descriptor behind two acks in one go belongs to the third answer. */
static void test_descriptor_taken(void)
{
    Fixture fixture;
    int fd = -1;

    fixture_begin(&fixture, peer_gives_inflight);
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    g_assert_true(fixture_add_region(&fixture, 1, NULL));
    g_assert_true(get_inflight(&fixture, 128, &fd, NULL));
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    fixture_end(&fixture);
}

static void peer_speaks_first(int socket)
{
    peer_ack(socket, VHOST_USER_GET_FEATURES, 0);
    peer_silent(socket);
}

static void test_idle(void)
{
    const struct {
        PeerScript *script;
        const char *message;
    } rows[] = {
        {peer_speaks_first, "vhost-user device 'b0': backend sent a message that nobody asked for"},
        {peer_hangs_up_before, "vhost-user device 'b0': backend hung up"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Fixture fixture;
        struct pollfd readable;

        fixture_begin(&fixture, rows[i].script);
        readable = (struct pollfd){.fd = vhost_user_channel_fd(fixture.channel), .events = POLLIN};
        g_assert_cmpint(poll(&readable, 1, 10000), ==, 1);
        g_assert_false(vhost_user_channel_idle(fixture.channel, &error));
        g_assert_cmpstr(error->message, ==, rows[i].message);
        fixture_end(&fixture);
    }
}

static void on_ack_send(gpointer opaque, uint32_t request, gpointer tag, const GError *error)
{
    (void)request;
    (void)tag;
    (void)error;
    g_assert_true(fixture_add_region(opaque, 0, NULL));
}

/* A callback may send: what it sends is the next flush's. */
static void test_send_in_callback(void)
{
    Fixture fixture;
    Acks acks = {0};

    fixture_begin(&fixture, peer_good);
    g_assert_true(fixture_add_region(&fixture, 0, NULL));
    g_assert_true(vhost_user_channel_flush(fixture.channel, on_ack_send, &fixture, NULL));
    g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.calls, ==, 1);
    fixture_end(&fixture);
}

static void test_break(void)
{
    g_autoptr(GError) reason = g_error_new(VHOST_USER_ERROR, VHOST_USER_ERROR_CLOSED, "enough");
    g_autoptr(GError) error = NULL;
    Fixture fixture;

    fixture_begin(&fixture, peer_good);
    vhost_user_channel_break(fixture.channel, reason);
    g_assert_false(vhost_user_channel_idle(fixture.channel, &error));
    g_assert_cmpstr(error->message, ==, "enough");
    g_assert_cmpint(vhost_user_channel_fd(fixture.channel), ==, -1);
    fixture_end(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-channel/pipeline", test_pipeline);
    g_test_add_func("/vhost-user-channel/refused", test_refused);
    g_test_add_func("/vhost-user-channel/window", test_window);
    g_test_add_func("/vhost-user-channel/window-timeout", test_window_timeout);
    g_test_add_func("/vhost-user-channel/barrier", test_barrier);
    g_test_add_func("/vhost-user-channel/drip", test_drip);
    g_test_add_func("/vhost-user-channel/descriptors", test_descriptors);
    g_test_add_func("/vhost-user-channel/descriptor-taken", test_descriptor_taken);
    g_test_add_func("/vhost-user-channel/idle", test_idle);
    g_test_add_func("/vhost-user-channel/send-in-callback", test_send_in_callback);
    g_test_add_func("/vhost-user-channel/break", test_break);
    return g_test_run();
}
