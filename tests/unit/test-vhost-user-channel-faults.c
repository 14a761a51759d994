/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel against a peer that misbehaves at every point, a kernel that does not want to send, and
 * callers that ask for nonsense.  Afterwards no descriptor may be left over.
 */
#include "channel-fixture.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Milliseconds that nothing takes. */
#define PATIENCE 10000

/* Misbehaviour: how one request is answered, and what is said about it. */

static void peer_hangs_up_after(int socket)
{
    peer_read_one(socket);
}

static void peer_half_header(int socket)
{
    VhostUserHeader header = {VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8};

    peer_read_one(socket);
    peer_write(socket, &header, 6, 0);
}

static void peer_half_header_hangs(int socket)
{
    peer_half_header(socket);
    peer_silent(socket);
}

static void peer_half_payload(int socket)
{
    VhostUserHeader header = {VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8};
    uint32_t half = 0;

    peer_read_one(socket);
    peer_write(socket, &header, sizeof(header), 0);
    peer_write(socket, &half, sizeof(half), 0);
}

/* In one write: once a byte of it has come, all of it has. */
static void peer_half_payload_hangs(int socket)
{
    struct {
        VhostUserHeader header;
        uint32_t half;
    } part = {{VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8}, 0};

    peer_read_one(socket);
    peer_write(socket, &part, sizeof(part), 0);
    peer_silent(socket);
}

/* One wrong answer, then nothing: the channel must not wait for more. */
#define WRONG_ANSWER(name, request, flags, size, fds)                                              \
    static void name(int socket)                                                                   \
    {                                                                                              \
        peer_read_one(socket);                                                                     \
        peer_answer(socket, request, flags, 0, size, fds);                                         \
        peer_silent(socket);                                                                       \
    }
WRONG_ANSWER(peer_wrong_request, VHOST_USER_REM_MEM_REG, REPLY_FLAGS, 8, 0)
WRONG_ANSWER(peer_unknown_request, 4711, REPLY_FLAGS, 8, 0)
WRONG_ANSWER(peer_no_flag, VHOST_USER_ADD_MEM_REG, VHOST_USER_VERSION, 8, 0)
WRONG_ANSWER(peer_wrong_version, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS ^ 3, 8, 0)
WRONG_ANSWER(peer_empty, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 0, 0)
WRONG_ANSWER(peer_short, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 4, 0)
WRONG_ANSWER(peer_long, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 40, 0)
WRONG_ANSWER(peer_one_fd, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8, 1)
WRONG_ANSWER(peer_many_fds, VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8, 8)

static void peer_huge(int socket)
{
    VhostUserHeader header = {VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, UINT32_MAX};

    peer_read_one(socket);
    peer_write(socket, &header, sizeof(header), 0);
    peer_silent(socket);
}

/* Both in one write, so that the channel sees them in one read. */
static void peer_two_answers(int socket)
{
    struct {
        VhostUserHeader header;
        uint32_t value[2];
    } answers[2] = {{{VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8}, {0, 0}},
                    {{VHOST_USER_ADD_MEM_REG, REPLY_FLAGS, 8}, {0, 0}}};

    peer_read_one(socket);
    peer_write(socket, answers, sizeof(answers), 0);
    peer_silent(socket);
}

static const struct {
    const char *name;
    PeerScript *script;
    guint deadline; /* milliseconds, from when the request is sent */
    VhostUserErrorCode code;
    const char *message; /* glob, behind the name */
} misbehaviours[] = {
    {"silent", peer_silent, 50, VHOST_USER_ERROR_TIMEOUT, "ADD_MEM_REG: no answer within 50 ms"},
    {"hangs-up-before", peer_hangs_up_before, PATIENCE, VHOST_USER_ERROR_CLOSED,
     "backend hung up *"},
    {"hangs-up-after", peer_hangs_up_after, PATIENCE, VHOST_USER_ERROR_CLOSED,
     "backend hung up while waiting for the answer to ADD_MEM_REG"},
    {"half-header", peer_half_header, PATIENCE, VHOST_USER_ERROR_CLOSED,
     "backend hung up while waiting for the answer to ADD_MEM_REG"},
    {"half-header-hangs", peer_half_header_hangs, 50, VHOST_USER_ERROR_TIMEOUT,
     "ADD_MEM_REG: no answer within 50 ms"},
    {"half-payload", peer_half_payload, PATIENCE, VHOST_USER_ERROR_CLOSED,
     "backend hung up while waiting for the answer to ADD_MEM_REG"},
    {"half-payload-hangs", peer_half_payload_hangs, 50, VHOST_USER_ERROR_TIMEOUT,
     "ADD_MEM_REG: no answer within 50 ms"},
    {"wrong-request", peer_wrong_request, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered request 38 (REM_MEM_REG) where the answer to ADD_MEM_REG is due"},
    {"unknown-request", peer_unknown_request, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered request 4711 (unknown) where the answer to ADD_MEM_REG is due"},
    {"no-reply-flag", peer_no_flag, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with flags 0x1 where *"},
    {"wrong-version", peer_wrong_version, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with flags 0x6 where *"},
    {"empty", peer_empty, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with 0 bytes where 8 are due"},
    {"short", peer_short, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with 4 bytes where 8 are due"},
    {"long", peer_long, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with 40 bytes where 8 are due"},
    {"huge", peer_huge, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with 4294967295 bytes where 8 are due"},
    {"one-descriptor", peer_one_fd, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with more descriptors than the 0 allowed"},
    {"many-descriptors", peer_many_fds, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "answered ADD_MEM_REG with more descriptors than the 0 allowed"},
    {"two-answers", peer_two_answers, PATIENCE, VHOST_USER_ERROR_PROTOCOL,
     "backend sent a message that nobody asked for"},
};

/* Not before the peer has said its part: on a slow machine it would speak to a channel that has
 * given it up. */
static void begin_short_deadline(Fixture *fixture, guint row)
{
    if (misbehaviours[row].script != peer_silent) {
        struct pollfd answer = {.fd = vhost_user_channel_fd(fixture->channel), .events = POLLIN};

        g_assert_cmpint(poll(&answer, 1, PATIENCE), ==, 1);
    }
    fixture_deadline(fixture, misbehaviours[row].deadline);
}

static void test_misbehaviour(gconstpointer data)
{
    guint row = GPOINTER_TO_UINT(data);
    gboolean two = misbehaviours[row].script == peer_two_answers;
    g_autofree char *pattern =
        g_strconcat("vhost-user device 'b0': ", misbehaviours[row].message, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) again = NULL;
    Fixture fixture;
    Acks acks = {0};

    fixture_begin(&fixture, misbehaviours[row].script);
    if (fixture_add_region(&fixture, 0, &error)) {
        if (misbehaviours[row].deadline < PATIENCE) {
            begin_short_deadline(&fixture, row);
        }
        g_assert_false(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, &error));
        g_assert_cmpuint(two ? acks.accepted : acks.unknown, ==, 1);
    }
    g_assert_error(error, VHOST_USER_ERROR, (gint)misbehaviours[row].code);
    if (!g_pattern_match_simple(pattern, error->message)) {
        g_error("'%s' is not '%s'", error->message, pattern);
    }
    g_assert_true(vhost_user_channel_broken(fixture.channel));
    g_assert_cmpint(vhost_user_channel_fd(fixture.channel), ==, -1);
    g_assert_false(fixture_add_region(&fixture, 1, &again));
    g_assert_cmpstr(again->message, ==, error->message);
    g_assert_false(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
    g_assert_cmpuint(acks.calls, <=, 1);
    fixture_end(&fixture);
}

static void test_reply_size(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    uint8_t reply[16];
    uint32_t length = 0;

    fixture_begin(&fixture, peer_good);
    g_assert_false(vhost_user_channel_call(fixture.channel, VHOST_USER_GET_FEATURES, NULL, 0, reply,
                                           12, 16, &length, NULL, &error));
    g_assert_cmpstr(error->message, ==,
                    "vhost-user device 'b0': answered GET_FEATURES with 8 bytes where 12 to 16 "
                    "are due");
    fixture_end(&fixture);
}

static void test_bad_requests(void)
{
    const VhostUserMemRegMsg empty = {0};
    const struct {
        uint32_t request, size;
        const void *payload;
        gboolean call;
        const char *message;
    } rows[] = {
        {0, 0, NULL, FALSE, "unknown: not sent: there is no such request"},
        {UINT32_MAX, 0, NULL, FALSE, "unknown: not sent: there is no such request"},
        {VHOST_USER_REM_MEM_REG, sizeof(empty), &empty, FALSE,
         "REM_MEM_REG: not sent: the region's size is 0"},
        {VHOST_USER_REM_MEM_REG, 36, &empty, FALSE,
         "REM_MEM_REG: not sent: the payload has a wrong size"},
        {VHOST_USER_ADD_MEM_REG, sizeof(empty), &empty, FALSE,
         "ADD_MEM_REG: not sent: the number of descriptors is wrong"},
        {VHOST_USER_GET_FEATURES, 0, NULL, FALSE,
         "GET_FEATURES: not sent: has an answer that must be waited for"},
        {VHOST_USER_SET_OWNER, 0, NULL, TRUE, "SET_OWNER: not sent: has no answer of its own"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Fixture fixture;
        uint64_t value;

        fixture_begin(&fixture, peer_good);
        if (rows[i].call) {
            g_assert_false(fixture_get_u64(&fixture, rows[i].request, &value, &error));
        } else {
            g_assert_false(vhost_user_channel_send(fixture.channel, rows[i].request,
                                                   rows[i].payload, rows[i].size, NULL, 0, NULL,
                                                   &error));
        }
        g_assert_cmpstr(error->message + strlen("vhost-user device 'b0': "), ==, rows[i].message);
        fixture_end(&fixture);
    }
}

/* The kernel's moods: nothing goes through at first, or only some bytes at a time. */
static void test_sending(void)
{
    const int moods[] = {ETOOMANYREFS, EAGAIN, EINTR, 0};

    for (guint mood = 0; mood < G_N_ELEMENTS(moods); mood++) {
        for (guint most = 0; most < 14; most += 3) {
            Fixture fixture;
            Acks acks = {0};

            fixture_begin(&fixture, peer_good);
            sendmsg_most = most;
            for (guint i = 0; i < 20; i++) {
                sendmsg_errno = moods[mood];
                sendmsg_fail_count = moods[mood] ? i % 4 : 0;
                g_assert_true(fixture_add_region(&fixture, i, NULL));
            }
            g_assert_true(vhost_user_channel_flush(fixture.channel, fixture_on_ack, &acks, NULL));
            g_assert_cmpuint(acks.accepted, ==, 20);
            sendmsg_most = 0;
            fixture_end(&fixture);
        }
    }
}

static void test_sending_fails(void)
{
    const struct {
        int code;
        VhostUserErrorCode expected;
        const char *text;
    } rows[] = {
        {ETOOMANYREFS, VHOST_USER_ERROR_TIMEOUT,
         "ADD_MEM_REG: too many descriptors in flight, cannot be sent within 20 ms"},
        {EPIPE, VHOST_USER_ERROR_CLOSED, "backend hung up before ADD_MEM_REG was sent"},
        {ENOMEM, VHOST_USER_ERROR_SYSTEM, "ADD_MEM_REG: cannot be sent: Cannot allocate memory"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        Fixture fixture;

        fixture_begin(&fixture, peer_good);
        fixture_deadline(&fixture, 20);
        sendmsg_errno = rows[i].code;
        sendmsg_fail_count = G_MAXINT;
        g_assert_false(fixture_add_region(&fixture, 0, &error));
        sendmsg_fail_count = 0;
        g_assert_error(error, VHOST_USER_ERROR, (gint)rows[i].expected);
        g_assert_cmpstr(error->message + strlen("vhost-user device 'b0': "), ==, rows[i].text);
        fixture_end(&fixture);
    }
}

static void peer_never_reads(int socket)
{
    struct pollfd hangup = {.fd = socket, .events = 0};

    poll(&hangup, 1, -1);
}

static void test_full_socket(void)
{
    g_autoptr(GError) error = NULL;
    Fixture fixture;
    guint sent = 0;

    fixture_begin(&fixture, peer_never_reads);
    vhost_user_channel_set_reply_ack(fixture.channel, FALSE);
    fixture_deadline(&fixture, 50);
    while (vhost_user_channel_send(fixture.channel, VHOST_USER_SET_OWNER, NULL, 0, NULL, 0, NULL,
                                   &error)) {
        sent++;
    }
    g_assert_cmpuint(sent, >, 0);
    g_assert_cmpstr(error->message, ==,
                    "vhost-user device 'b0': SET_OWNER: cannot be sent within 50 ms");
    fixture_end(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(misbehaviours); i++) {
        g_autofree char *path =
            g_strconcat("/vhost-user-channel-faults/peer/", misbehaviours[i].name, NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), test_misbehaviour);
    }
    g_test_add_func("/vhost-user-channel-faults/reply-size", test_reply_size);
    g_test_add_func("/vhost-user-channel-faults/bad-requests", test_bad_requests);
    g_test_add_func("/vhost-user-channel-faults/sending", test_sending);
    g_test_add_func("/vhost-user-channel-faults/sending-fails", test_sending_fails);
    g_test_add_func("/vhost-user-channel-faults/full-socket", test_full_socket);
    return g_test_run();
}
