/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every message of the protocol, wrong in each way that the message table knows: sizes,
 * descriptors, header, each word of the payload, without its feature, cut off anywhere.  What has
 * to come out: an error ack or the end of the connection with an error, every queue back, no
 * descriptor left.
 */
#include "device-fixture.h"
#include "device-sample.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL (~0ull)
#define NONE 0ull
#define HEADER sizeof(VhostUserHeader)

/* A whole message with descriptors of its own. */
typedef struct Sample {
    struct {
        VhostUserHeader header;
        guint8 payload[VHOST_USER_PAYLOAD_MAXIMUM];
    } bytes;
    int fds[16];
    guint fd_count;
} Sample;

static void put(Sample *sample, const void *payload, guint size)
{
    memcpy(sample->bytes.payload, payload, size);
    sample->bytes.header.size = size;
}

static void add_fd(Sample *sample)
{
    g_assert_cmpuint(sample->fd_count, <, G_N_ELEMENTS(sample->fds));
    sample->fds[sample->fd_count++] = device_sample_fd(sample->bytes.header.request);
}

/* A valid message for queue 1, which is idle, and for memory that is not there yet. */
static void sample_make(Sample *sample, uint32_t request)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    VhostUserPayload payload;
    uint32_t size = device_sample_payload(request, &payload);

    if (request == VHOST_USER_SET_FEATURES) {
        payload.u64 |= FIXTURE_FEATURES; /* those of the ring that runs */
    }
    memset(sample, 0, sizeof(*sample));
    sample->bytes.header = (VhostUserHeader){.request = request, .flags = VHOST_USER_VERSION};
    put(sample, &payload, size);
    for (guint i = 0; i < MAX(info->fds_minimum, MIN(info->fds_maximum, 1)); i++) {
        add_fd(sample);
    }
}

static void sample_clear(Sample *sample)
{
    for (guint i = 0; i < sample->fd_count; i++) {
        close(sample->fds[i]);
    }
}

/* Sends the bytes there are, which need not be as many as the header says, with more descriptors
 * than a front-end would. */
static void sample_send(DeviceFixture *fixture, const Sample *sample, guint size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(sample->fds))];
        struct cmsghdr header;
    } control = {{0}};
    struct iovec part = {(void *)&sample->bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (sample->fd_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sample->fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sample->fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), sample->fds, sample->fd_count * sizeof(int));
    }
    g_assert_cmpint(sendmsg(vhost_user_front_end_socket(fixture->front), &message, MSG_NOSIGNAL),
                    ==, size);
}

/* A session with all features, memory, and queue 0 running. */
static void begin(DeviceFixture *fixture)
{
    device_fixture_set_up(fixture, NONE, 16);
    device_fixture_negotiate(fixture, FIXTURE_FEATURES, ALL);
    device_fixture_add_area(fixture, 0);
    device_fixture_start_ring(fixture, 0);
}

typedef enum Outcome {
    OUTCOME_ANSWER,  /* success */
    OUTCOME_SILENCE, /* done or ignored, and nothing is due */
    OUTCOME_REFUSAL, /* an ack that is not 0, and the session goes on */
    OUTCOME_END,     /* with an error */
} Outcome;

/* What the device makes of what was sent. All is there already, so nothing waits. */
static Outcome outcome(DeviceFixture *fixture, uint32_t request)
{
    VhostUserState state = device_fixture_process(fixture);
    VhostUserFrontEndMessage answer;
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    Outcome result = OUTCOME_ANSWER;

    if (state == VHOST_USER_ENDED) {
        g_assert_nonnull(vhost_user_device_error(fixture->device));
        g_assert_false(device_fixture_answered(fixture));
        return OUTCOME_END;
    }
    g_assert_null(vhost_user_device_error(fixture->device));
    if (!device_fixture_answered(fixture)) {
        return OUTCOME_SILENCE;
    }
    g_assert_cmpint(vhost_user_front_end_receive(fixture->front, &answer), ==, 0);
    g_assert_cmpuint(answer.header.request, ==, request);
    g_assert_cmphex(answer.header.flags, ==, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
    if (!info || info->reply != VHOST_USER_REPLY_ALWAYS) {
        g_assert_cmpuint(answer.header.size, ==, VHOST_USER_ACK_SIZE);
        result = answer.content.payload.u64 ? OUTCOME_REFUSAL : OUTCOME_ANSWER;
    } else {
        g_assert_null(vhost_user_validate_reply(request, VHOST_USER_ANSWER_REPLY, &answer.header,
                                                answer.content.bytes, answer.fd_count));
    }
    vhost_user_front_end_message_clear(&answer);
    g_assert_false(device_fixture_answered(fixture));
    return result;
}

/* One sample in a session of its own. */
static Outcome try(Sample *sample, guint size)
{
    DeviceFixture fixture;
    Outcome result;

    begin(&fixture);
    sample_send(&fixture, sample, size);
    result = outcome(&fixture, sample->bytes.header.request);
    if (result != OUTCOME_END) {
        /* It has not got out of step, and the queue that ran still does if nobody stopped it. */
        g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_FEATURES), !=, 0);
        if (fixture.running[0] &&
            !vhost_user_queue_error(vhost_user_device_queue(fixture.device, 0))) {
            device_fixture_drive(&fixture, 0, TRUE);
        }
    }
    device_fixture_tear_down(&fixture);
    sample_clear(sample);
    return result;
}

static Outcome try_whole(Sample *sample)
{
    return try(sample, HEADER + sample->bytes.header.size);
}

/* What the session of begin() says to a valid message: OUTCOME_REFUSAL where the library has no
 * such thing, or where it is out of place. */
static gboolean is_refused(uint32_t request)
{
    switch (request) {
    case VHOST_USER_IOTLB_MSG:
    case VHOST_USER_SET_VRING_ENDIAN:
    case VHOST_USER_CREATE_CRYPTO_SESSION:
    case VHOST_USER_CLOSE_CRYPTO_SESSION:
    case VHOST_USER_GPU_SET_SOCKET:
    case VHOST_USER_VRING_KICK:
    case VHOST_USER_GET_SHARED_OBJECT:
    case VHOST_USER_REM_MEM_REG:         /* of a region that is not there */
    case VHOST_USER_POSTCOPY_LISTEN:     /* without ADVISE */
    case VHOST_USER_POSTCOPY_END:        /* without ADVISE */
    case VHOST_USER_SET_INFLIGHT_FD:     /* a queue runs */
    case VHOST_USER_SET_DEVICE_STATE_FD: /* a queue runs */
    case VHOST_USER_CHECK_DEVICE_STATE:  /* without SET_DEVICE_STATE_FD */
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean is_possible(uint32_t request)
{
    DeviceFixture fixture;
    guint64 offer;

    if (request != VHOST_USER_POSTCOPY_ADVISE) {
        return TRUE;
    }
    device_fixture_set_up(&fixture, NONE, 0);
    offer = device_fixture_get(&fixture, VHOST_USER_GET_PROTOCOL_FEATURES);
    device_fixture_tear_down(&fixture);
    return offer >> VHOST_USER_PROTOCOL_F_PAGEFAULT & 1;
}

/* Rightly, with and without need_reply. */
static void test_right(void)
{
    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        gboolean replies = vhost_user_message_info(request)->reply == VHOST_USER_REPLY_ALWAYS;
        gboolean refused = is_refused(request) || !is_possible(request);
        Sample sample;

        sample_make(&sample, request);
        g_assert_cmpint(try_whole(&sample), ==,
                        refused   ? OUTCOME_END
                        : replies ? OUTCOME_ANSWER
                                  : OUTCOME_SILENCE);
        sample_make(&sample, request);
        sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
        g_assert_cmpint(try_whole(&sample), ==,
                        !refused  ? OUTCOME_ANSWER
                        : replies ? OUTCOME_END
                                  : OUTCOME_REFUSAL);
    }
}

/* need_reply means nothing as long as REPLY_ACK was not negotiated; of a feature that was not
 * negotiated, no message. */
static void test_without_features(void)
{
    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        const VhostUserMessageInfo *info = vhost_user_message_info(request);

        for (guint acks = 0; acks < 2; acks++) {
            DeviceFixture fixture;
            Sample sample;
            Outcome expected;

            device_fixture_set_up(&fixture, NONE, 16);
            device_fixture_negotiate(&fixture, FIXTURE_FEATURES,
                                     acks ? 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK : 0);
            sample_make(&sample, request);
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            sample_send(&fixture, &sample, HEADER + sample.bytes.header.size);
            if (info->allowed_by >= 0 || is_refused(request)) {
                expected = acks && info->changes_state ? OUTCOME_REFUSAL : OUTCOME_END;
            } else {
                expected = !info->changes_state || acks ||
                                   request == VHOST_USER_SET_PROTOCOL_FEATURES /* negotiates it */
                               ? OUTCOME_ANSWER
                               : OUTCOME_SILENCE;
            }
            g_assert_cmpint(outcome(&fixture, request), ==, expected);
            sample_clear(&sample);
            device_fixture_tear_down(&fixture);
        }
    }
}

/* No such request: it can be refused as long as its frame is right. */
static void test_unknown(void)
{
    static const uint32_t numbers[] = {0, VHOST_USER_REQUEST_COUNT, 1000, G_MAXUINT32};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        for (guint acks = 0; acks < 2; acks++) {
            Sample sample = {.bytes.header = {numbers[i], VHOST_USER_VERSION, 100}};

            sample.bytes.header.flags |= acks ? VHOST_USER_FLAG_NEED_REPLY : 0;
            for (guint fd = 0; fd < 8; fd++) {
                add_fd(&sample);
            }
            g_assert_cmpint(try_whole(&sample), ==, acks ? OUTCOME_REFUSAL : OUTCOME_END);
        }
    }
}

/* Malformed whatever the payload: the connection ends, need_reply or not. */
static void test_header(void)
{
    static const uint32_t flags[] = {0, 2, 3, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY};

    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        for (guint i = 0; i < 2 * G_N_ELEMENTS(flags); i++) {
            Sample sample;

            sample_make(&sample, request);
            sample.bytes.header.flags = flags[i / 2] | (i & 1 ? VHOST_USER_FLAG_NEED_REPLY : 0);
            g_assert_cmpint(try_whole(&sample), ==, OUTCOME_END);
        }
    }
}

static void test_size(void)
{
    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        const VhostUserMessageInfo *info = vhost_user_message_info(request);
        const uint32_t sizes[] = {0,
                                  info->size_minimum - 1,
                                  info->size_maximum + 1,
                                  VHOST_USER_PAYLOAD_MAXIMUM,
                                  VHOST_USER_PAYLOAD_MAXIMUM + 1,
                                  G_MAXINT32,
                                  G_MAXUINT32};

        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
            Sample sample;

            if (sizes[i] >= info->size_minimum && sizes[i] <= info->size_maximum) {
                continue;
            }
            sample_make(&sample, request);
            sample.bytes.header.size = sizes[i];
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            g_assert_cmpint(try(&sample, HEADER + MIN(sizes[i], VHOST_USER_PAYLOAD_MAXIMUM)), ==,
                            OUTCOME_END);
        }
    }
}

/* One descriptor too few, one too many, and as many as the kernel lets through. */
static void test_descriptors(void)
{
    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        const VhostUserMessageInfo *info = vhost_user_message_info(request);
        const guint counts[] = {0, info->fds_maximum + 1, 8, 9, 16};

        for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
            Sample sample;

            sample_make(&sample, request);
            if (counts[i] == sample.fd_count) {
                sample_clear(&sample);
                continue;
            }
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            while (sample.fd_count < counts[i]) {
                add_fd(&sample);
            }
            while (sample.fd_count > counts[i]) {
                close(sample.fds[--sample.fd_count]);
            }
            g_assert_cmpint(try_whole(&sample), ==, OUTCOME_END);
        }
    }
}

/* Descriptors with each single byte. */
static void test_descriptors_everywhere(void)
{
    for (guint each = 1; each <= 8; each += 7) {
        DeviceFixture fixture;
        Sample sample;

        begin(&fixture);
        sample_make(&sample, VHOST_USER_SET_FEATURES);
        while (sample.fd_count < each) {
            add_fd(&sample);
        }
        for (guint i = 0; i < HEADER + 8; i++) {
            /* It may have hung up in the middle. */
            vhost_user_front_end_send_bytes(fixture.front, (guint8 *)&sample.bytes + i, 1,
                                            sample.fds, sample.fd_count);
            device_fixture_process(&fixture);
        }
        g_assert_nonnull(vhost_user_device_error(fixture.device));
        sample_clear(&sample);
        device_fixture_tear_down(&fixture);
    }
}

/* Each 2, 4 and 8 bytes of each payload set to what may lie outside of everything. The validators
 * have their own test; here it is what the handlers behind them do with what passes. */
static void test_payload(void)
{
    static const guint64 values[] = {0, 1, 0x7fff, 1ull << 31, 1ull << 63, G_MAXUINT64};

    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        gboolean replies = vhost_user_message_info(request)->reply == VHOST_USER_REPLY_ALWAYS;
        Sample size;

        sample_make(&size, request);
        sample_clear(&size);
        for (guint at = 0; at < MIN(size.bytes.header.size, 48); at += 2) {
            for (guint i = 0; i < G_N_ELEMENTS(values) * 3; i++) {
                guint width = 2u << i % 3;
                Sample sample;
                gboolean valid;
                Outcome result;

                if (at % width || at + width > size.bytes.header.size) {
                    continue;
                }
                sample_make(&sample, request);
                sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
                memcpy(sample.bytes.payload + at, &values[i / 3], width);
                valid = !vhost_user_validate_request(&sample.bytes.header, sample.bytes.payload,
                                                     sample.fd_count, FIXTURE_QUEUES);
                result = try_whole(&sample);
                g_assert_cmpint(result, !=, OUTCOME_SILENCE);
                g_assert_true(valid || result == OUTCOME_END);
                g_assert_true(!valid || replies || result != OUTCOME_END);
                g_assert_true(!valid || !is_refused(request) || result != OUTCOME_ANSWER);
            }
        }
    }
}

/* The handlers' own checks, one each, which leave the session as it was. */
static void test_refusals(void)
{
    DeviceFixture fixture;
    VhostUserMemRegMsg region;
    const VhostUserInflight inflight = {.num_queues = FIXTURE_QUEUES + 1, .queue_size = 16};
    VhostUserFrontEndMessage reply;
    int fd;

    begin(&fixture);
    fd = memfd_create("short", MFD_CLOEXEC);
    region = device_fixture_region(&fixture, 1);
    g_assert_cmpint(ftruncate(fd, FIXTURE_AREA - 4096), ==, 0);
    region.region.mmap_offset = 0;
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), &fd, 1), !=,
        0);
    region = device_fixture_region(&fixture, 0); /* it is there already */
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_ADD_MEM_REG, &region, sizeof(region),
                                        &fixture.memory->areas[0].fd, 1),
                     !=, 0);
    region.region.user_address += FIXTURE_AREA; /* overlaps in guest memory alone */
    region.region.guest_address += FIXTURE_AREA - 4096;
    g_assert_cmpuint(device_fixture_ack(&fixture, VHOST_USER_ADD_MEM_REG, &region, sizeof(region),
                                        &fixture.memory->areas[0].fd, 1),
                     !=, 0);
    region = device_fixture_region(&fixture, 0);
    region.region.size -= 4096;
    g_assert_cmpuint(
        device_fixture_ack(&fixture, VHOST_USER_REM_MEM_REG, &region, sizeof(region), NULL, 0), !=,
        0);
    device_fixture_drive(&fixture, 0, TRUE);
    close(fd);
    /* GET_INFLIGHT_FD has no way to say no. */
    vhost_user_front_end_send(fixture.front, VHOST_USER_GET_INFLIGHT_FD, 0, &inflight,
                              sizeof(inflight), NULL, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_cmpint(vhost_user_front_end_receive(fixture.front, &reply), ==, -ECONNRESET);
    device_fixture_tear_down(&fixture);
}

/* The messages of a session from its first to its last. */
static const uint32_t session[] = {
    VHOST_USER_GET_FEATURES,     VHOST_USER_SET_OWNER,         VHOST_USER_GET_PROTOCOL_FEATURES,
    VHOST_USER_GET_QUEUE_NUM,    VHOST_USER_GET_MAX_MEM_SLOTS, VHOST_USER_SET_BACKEND_REQ_FD,
    VHOST_USER_GET_CONFIG,       VHOST_USER_SET_FEATURES,      VHOST_USER_GET_INFLIGHT_FD,
    VHOST_USER_ADD_MEM_REG,      VHOST_USER_SET_LOG_BASE,      VHOST_USER_SET_VRING_NUM,
    VHOST_USER_SET_VRING_BASE,   VHOST_USER_SET_VRING_CALL,    VHOST_USER_SET_VRING_ERR,
    VHOST_USER_SET_VRING_ENABLE, VHOST_USER_SET_STATUS,        VHOST_USER_SET_CONFIG,
    VHOST_USER_GET_VRING_BASE,   VHOST_USER_REM_MEM_REG,       VHOST_USER_SET_MEM_TABLE,
    VHOST_USER_RESET_DEVICE,
};

/* Hung up behind message @index and @more bytes of the next. */
static void hang_up(guint index, guint more)
{
    DeviceFixture fixture;
    Sample sample;

    begin(&fixture);
    for (guint i = 0; i < index; i++) {
        sample_make(&sample, session[i]);
        sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
        sample_send(&fixture, &sample, HEADER + sample.bytes.header.size);
        sample_clear(&sample);
        g_assert_cmpint(outcome(&fixture, session[i]), ==, OUTCOME_ANSWER);
    }
    if (more > 0) {
        sample_make(&sample, session[index]);
        sample_send(&fixture, &sample, MIN(more, HEADER + sample.bytes.header.size - 1));
        sample_clear(&sample);
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    }
    g_assert_cmpint(shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR), ==, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_true((vhost_user_device_error(fixture.device) != NULL) == (more > 0));
    device_fixture_tear_down(&fixture);
}

static void test_hang_up(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(session); i++) {
        hang_up(i, 0);
        hang_up(i, 1);
        hang_up(i, 11);
        hang_up(i, HEADER);
        hang_up(i, HEADER + 1);
        hang_up(i, 1000);
    }
    hang_up(G_N_ELEMENTS(session), 0);
}

/* While a message waits for a queue: it is seen when the queue has stopped. */
static void test_hang_up_while_waiting(void)
{
    DeviceFixture fixture;
    Sample sample;

    begin(&fixture);
    fixture.stop_later = TRUE;
    sample_make(&sample, VHOST_USER_RESET_DEVICE);
    sample_send(&fixture, &sample, HEADER);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_true(fixture.stopping[0]);
    shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    g_assert_null(vhost_user_device_error(fixture.device));
    device_fixture_tear_down(&fixture);
}

/* With queues that take their time: nobody is told of the end before they are back. */
static void test_hang_up_while_running(void)
{
    DeviceFixture fixture;

    begin(&fixture);
    device_fixture_start_ring(&fixture, 3);
    fixture.stop_later = TRUE;
    shutdown(vhost_user_front_end_socket(fixture.front), SHUT_RDWR);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    g_assert_true(fixture.stopping[0] && fixture.stopping[3]);
    device_fixture_report(&fixture, 3);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    device_fixture_report(&fixture, 0);
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
    device_fixture_tear_down(&fixture);
}

/* The whole session byte by byte. */
static void test_one_byte_at_a_time(void)
{
    DeviceFixture fixture;

    begin(&fixture);
    for (guint i = 0; i < G_N_ELEMENTS(session); i++) {
        Sample sample;
        guint size;

        sample_make(&sample, session[i]);
        sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
        size = HEADER + sample.bytes.header.size;
        for (guint at = 0; at < size; at++) {
            g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
            g_assert_false(device_fixture_answered(&fixture));
            g_assert_cmpint(
                vhost_user_front_end_send_bytes(fixture.front, (guint8 *)&sample.bytes + at, 1,
                                                sample.fds, at == 0 ? sample.fd_count : 0),
                ==, 0);
        }
        sample_clear(&sample);
        g_assert_cmpint(outcome(&fixture, session[i]), ==, OUTCOME_ANSWER);
    }
    device_fixture_tear_down(&fixture);
}

/* A front-end that does not read its answers: the device keeps one and reads no more; when the
 * front-end reads at last, all are there. */
static void test_answers_not_read(void)
{
    DeviceFixture fixture;
    const VhostUserHeader question = {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0};
    VhostUserDeviceStatistics statistics;
    VhostUserFrontEndMessage answer;
    guint64 sent = 0, before = 0;
    int socket;

    begin(&fixture);
    vhost_user_device_statistics(fixture.device, &statistics);
    before = statistics.messages;
    socket = vhost_user_front_end_socket(fixture.front);
    while (send(socket, &question, sizeof(question), MSG_DONTWAIT) == sizeof(question)) {
        sent++;
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
        g_assert_cmpuint(sent, <, 1000000);
    }
    g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_GOES_ON);
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.messages - before, <, sent);
    for (guint64 i = 0; i < sent; i++) {
        device_fixture_process(&fixture);
        g_assert_cmpint(vhost_user_front_end_receive_answer(fixture.front, VHOST_USER_GET_FEATURES,
                                                            VHOST_USER_ANSWER_REPLY, &answer),
                        ==, 0);
    }
    g_assert_false(device_fixture_answered(&fixture));
    vhost_user_device_statistics(fixture.device, &statistics);
    g_assert_cmpuint(statistics.messages - before, ==, sent);
    device_fixture_drive(&fixture, 0, TRUE);
    device_fixture_tear_down(&fixture);
}

/* Hung up while answers are waiting to be read, or to be sent: that is between two messages. */
static void test_answers_never_read(void)
{
    for (guint many = 0; many < 2; many++) {
        DeviceFixture fixture;
        const VhostUserHeader question = {VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0};

        begin(&fixture);
        do {
            device_fixture_process(&fixture);
        } while (send(vhost_user_front_end_socket(fixture.front), &question, sizeof(question),
                      MSG_DONTWAIT) == sizeof(question) &&
                 many);
        device_fixture_process(&fixture);
        vhost_user_front_end_free(fixture.front);
        fixture.front = NULL;
        g_assert_cmpint(device_fixture_process(&fixture), ==, VHOST_USER_ENDED);
        g_assert_null(vhost_user_device_error(fixture.device));
        device_fixture_tear_down(&fixture);
    }
}

/* All that a table needs, and one more than any message may have. */
static void test_surplus_descriptor(void)
{
    for (guint surplus = 0; surplus < 2; surplus++) {
        VhostUserMemory table = {.num_regions = VHOST_USER_MAX_REGIONS_IN_MESSAGE};
        Sample sample;

        sample_make(&sample, VHOST_USER_SET_MEM_TABLE);
        for (guint i = 0; i < table.num_regions; i++) {
            table.regions[i] = (VhostUserMemoryRegion){
                .guest_address = (1 + i) << 20, .size = 4096, .user_address = (1 + i) << 20};
        }
        put(&sample, &table, sizeof(table));
        while (sample.fd_count < table.num_regions + surplus) {
            add_fd(&sample);
        }
        g_assert_cmpint(try_whole(&sample), ==, surplus ? OUTCOME_END : OUTCOME_SILENCE);
    }
}

/* The program runs out of descriptors: the message that brings one is malformed, nothing else. */
static void test_no_descriptors_left(void)
{
    DeviceFixture fixture;
    g_autoptr(GArray) ballast = g_array_new(FALSE, FALSE, sizeof(int));
    Sample sample;
    int fd;

    begin(&fixture);
    sample_make(&sample, VHOST_USER_ADD_MEM_REG);
    sample_send(&fixture, &sample, HEADER + sample.bytes.header.size);
    while ((fd = dup(sample.fds[0])) != -1) {
        g_array_append_val(ballast, fd);
    }
    g_assert_cmpint(errno, ==, EMFILE);
    g_assert_cmpint(vhost_user_device_process(fixture.device), ==, VHOST_USER_ENDED);
    fixture.ended = TRUE;
    for (guint i = 0; i < ballast->len; i++) {
        close(g_array_index(ballast, int, i));
    }
    g_assert_nonnull(vhost_user_device_error(fixture.device));
    sample_clear(&sample);
    device_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/device-wrong/right", test_right);
    g_test_add_func("/libvhost-user/device-wrong/without-features", test_without_features);
    g_test_add_func("/libvhost-user/device-wrong/unknown", test_unknown);
    g_test_add_func("/libvhost-user/device-wrong/header", test_header);
    g_test_add_func("/libvhost-user/device-wrong/size", test_size);
    g_test_add_func("/libvhost-user/device-wrong/descriptors", test_descriptors);
    g_test_add_func("/libvhost-user/device-wrong/descriptors-everywhere",
                    test_descriptors_everywhere);
    g_test_add_func("/libvhost-user/device-wrong/surplus-descriptor", test_surplus_descriptor);
    g_test_add_func("/libvhost-user/device-wrong/payload", test_payload);
    g_test_add_func("/libvhost-user/device-wrong/refusals", test_refusals);
    g_test_add_func("/libvhost-user/device-wrong/hang-up", test_hang_up);
    g_test_add_func("/libvhost-user/device-wrong/hang-up-while-waiting",
                    test_hang_up_while_waiting);
    g_test_add_func("/libvhost-user/device-wrong/hang-up-while-running",
                    test_hang_up_while_running);
    g_test_add_func("/libvhost-user/device-wrong/one-byte-at-a-time", test_one_byte_at_a_time);
    g_test_add_func("/libvhost-user/device-wrong/answers-not-read", test_answers_not_read);
    g_test_add_func("/libvhost-user/device-wrong/answers-never-read", test_answers_never_read);
    g_test_add_func("/libvhost-user/device-wrong/no-descriptors-left", test_no_descriptors_left);
    return g_test_run();
}
