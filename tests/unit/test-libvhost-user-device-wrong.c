/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every message of the protocol, wrong in each way that the message table knows: sizes,
 * descriptors, header, each word of the payload, without its feature.  What has to come out: an
 * error ack or the end of the connection with an error, every queue back, no descriptor left.
 */
#include "device-message.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL (~0ull)
#define NONE 0ull

/* One sample in a session of its own. */
static Outcome try(DeviceMessage *sample, guint size)
{
    DeviceFixture fixture;
    Outcome result;

    device_message_begin(&fixture);
    device_message_send(&fixture, sample, size);
    result = device_message_outcome(&fixture, sample->bytes.header.request);
    if (result != OUTCOME_END) {
        /* It has not got out of step, and the queue that ran still does if nobody stopped it. */
        g_assert_cmphex(device_fixture_get(&fixture, VHOST_USER_GET_FEATURES), !=, 0);
        if (fixture.running[0] &&
            !vhost_user_queue_error(vhost_user_device_queue(fixture.device, 0))) {
            device_fixture_drive(&fixture, 0, TRUE);
        }
    }
    device_fixture_tear_down(&fixture);
    device_message_clear(sample);
    return result;
}

static Outcome try_whole(DeviceMessage *sample)
{
    return try(sample, DEVICE_HEADER + sample->bytes.header.size);
}

/* What the session of device_message_begin() says to a valid message: OUTCOME_REFUSAL where the
 * library has no such thing, or where it is out of place. */
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
        DeviceMessage sample;

        device_message_make(&sample, request);
        g_assert_cmpint(try_whole(&sample), ==,
                        refused   ? OUTCOME_END
                        : replies ? OUTCOME_ANSWER
                                  : OUTCOME_SILENCE);
        device_message_make(&sample, request);
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
            DeviceMessage sample;
            Outcome expected;

            device_fixture_set_up(&fixture, NONE, 16);
            device_fixture_negotiate(&fixture, FIXTURE_FEATURES,
                                     acks ? 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK : 0);
            device_message_make(&sample, request);
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            device_message_send(&fixture, &sample, DEVICE_HEADER + sample.bytes.header.size);
            if (info->allowed_by >= 0 || is_refused(request)) {
                expected = acks && info->changes_state ? OUTCOME_REFUSAL : OUTCOME_END;
            } else {
                expected = !info->changes_state || acks ||
                                   request == VHOST_USER_SET_PROTOCOL_FEATURES /* negotiates it */
                               ? OUTCOME_ANSWER
                               : OUTCOME_SILENCE;
            }
            g_assert_cmpint(device_message_outcome(&fixture, request), ==, expected);
            device_message_clear(&sample);
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
            DeviceMessage sample = {.bytes.header = {numbers[i], VHOST_USER_VERSION, 100}};

            sample.bytes.header.flags |= acks ? VHOST_USER_FLAG_NEED_REPLY : 0;
            for (guint fd = 0; fd < 8; fd++) {
                device_message_add_fd(&sample);
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
            DeviceMessage sample;

            device_message_make(&sample, request);
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
            DeviceMessage sample;

            if (sizes[i] >= info->size_minimum && sizes[i] <= info->size_maximum) {
                continue;
            }
            device_message_make(&sample, request);
            sample.bytes.header.size = sizes[i];
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            g_assert_cmpint(try(&sample, DEVICE_HEADER + MIN(sizes[i], VHOST_USER_PAYLOAD_MAXIMUM)),
                            ==, OUTCOME_END);
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
            DeviceMessage sample;

            device_message_make(&sample, request);
            if (counts[i] == sample.fd_count) {
                device_message_clear(&sample);
                continue;
            }
            sample.bytes.header.flags |= VHOST_USER_FLAG_NEED_REPLY;
            while (sample.fd_count < counts[i]) {
                device_message_add_fd(&sample);
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
        DeviceMessage sample;

        device_message_begin(&fixture);
        device_message_make(&sample, VHOST_USER_SET_FEATURES);
        while (sample.fd_count < each) {
            device_message_add_fd(&sample);
        }
        for (guint i = 0; i < DEVICE_HEADER + 8; i++) {
            /* It may have hung up in the middle. */
            vhost_user_front_end_send_bytes(fixture.front, (guint8 *)&sample.bytes + i, 1,
                                            sample.fds, sample.fd_count);
            device_fixture_process(&fixture);
        }
        g_assert_nonnull(vhost_user_device_error(fixture.device));
        device_message_clear(&sample);
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
        DeviceMessage size;

        device_message_make(&size, request);
        device_message_clear(&size);
        for (guint at = 0; at < MIN(size.bytes.header.size, 48); at += 2) {
            for (guint i = 0; i < G_N_ELEMENTS(values) * 3; i++) {
                guint width = 2u << i % 3;
                DeviceMessage sample;
                gboolean valid;
                Outcome result;

                if (at % width || at + width > size.bytes.header.size) {
                    continue;
                }
                device_message_make(&sample, request);
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

    device_message_begin(&fixture);
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

/* All that a table needs, and one more than any message may have. */
static void test_surplus_descriptor(void)
{
    for (guint surplus = 0; surplus < 2; surplus++) {
        VhostUserMemory table = {.num_regions = VHOST_USER_MAX_REGIONS_IN_MESSAGE};
        DeviceMessage sample;

        device_message_make(&sample, VHOST_USER_SET_MEM_TABLE);
        for (guint i = 0; i < table.num_regions; i++) {
            table.regions[i] = (VhostUserMemoryRegion){
                .guest_address = (1 + i) << 20, .size = 4096, .user_address = (1 + i) << 20};
        }
        device_message_put(&sample, &table, sizeof(table));
        while (sample.fd_count < table.num_regions + surplus) {
            device_message_add_fd(&sample);
        }
        g_assert_cmpint(try_whole(&sample), ==, surplus ? OUTCOME_END : OUTCOME_SILENCE);
    }
}

/* The program runs out of descriptors: the message that brings one is malformed, nothing else. */
static void test_no_descriptors_left(void)
{
    DeviceFixture fixture;
    g_autoptr(GArray) ballast = g_array_new(FALSE, FALSE, sizeof(int));
    DeviceMessage sample;
    int fd;

    device_message_begin(&fixture);
    device_message_make(&sample, VHOST_USER_ADD_MEM_REG);
    device_message_send(&fixture, &sample, DEVICE_HEADER + sample.bytes.header.size);
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
    device_message_clear(&sample);
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
    g_test_add_func("/libvhost-user/device-wrong/no-descriptors-left", test_no_descriptors_left);
    return g_test_run();
}
