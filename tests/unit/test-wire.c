/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The message table is complete and sound; every validator refuses every wrong value of its own. */
#include "libvhost-user/wire.h"

#include <glib.h>
#include <string.h>

#define QUEUES 4

static void check_table(const VhostUserMessageInfo *(*find)(uint32_t), uint32_t request)
{
    const VhostUserMessageInfo *info = find(request);

    g_assert_nonnull(info);
    g_assert_cmpuint(info->request, ==, request);
    g_assert_cmpuint(info->size_minimum, <=, info->size_maximum);
    g_assert_cmpuint(info->size_maximum, <=, VHOST_USER_PAYLOAD_MAXIMUM);
    g_assert_cmpuint(info->fds_minimum, <=, info->fds_maximum);
    g_assert_cmpuint(info->fds_maximum, <=, VHOST_USER_MAX_REGIONS_IN_MESSAGE);
    g_assert_cmpuint(info->reply_size_minimum, <=, info->reply_size_maximum);
    g_assert_cmpuint(info->reply_size_maximum, <=, VHOST_USER_PAYLOAD_MAXIMUM);
    g_assert_cmpuint(info->reply_fds_minimum, <=, info->reply_fds_maximum);
    g_assert_cmpuint(info->reply_fds_maximum, <=, 1);
    g_assert_true(info->changes_state != (info->reply == VHOST_USER_REPLY_ALWAYS));
    g_assert_cmpint(info->allowed_by, >=, VHOST_USER_ALLOWED_BY_BIT_30);
    g_assert_cmpint(info->allowed_by, <, VHOST_USER_PROTOCOL_F_COUNT);
    if (info->reply == VHOST_USER_REPLY_NONE) {
        g_assert_cmpuint(info->reply_size_maximum, ==, 0);
        g_assert_cmpuint(info->reply_fds_maximum, ==, 0);
    }
}

static void test_table(void)
{
    for (uint32_t request = 1; request < VHOST_USER_REQUEST_COUNT; request++) {
        check_table(vhost_user_message_info, request);
        for (uint32_t other = 1; other < request; other++) {
            g_assert_cmpstr(vhost_user_request_name(request), !=, vhost_user_request_name(other));
        }
    }
    for (uint32_t request = 1; request < VHOST_USER_BACKEND_REQUEST_COUNT; request++) {
        check_table(vhost_user_backend_message_info, request);
    }
    g_assert_null(vhost_user_message_info(0));
    g_assert_null(vhost_user_message_info(VHOST_USER_REQUEST_COUNT));
    g_assert_null(vhost_user_message_info(UINT32_MAX));
    g_assert_null(vhost_user_backend_message_info(0));
    g_assert_null(vhost_user_backend_message_info(VHOST_USER_BACKEND_REQUEST_COUNT));
}

static void test_names(void)
{
    g_assert_cmpstr(vhost_user_request_name(VHOST_USER_ADD_MEM_REG), ==, "ADD_MEM_REG");
    g_assert_cmpstr(vhost_user_request_name(0), ==, "unknown");
    g_assert_cmpstr(vhost_user_backend_request_name(2), ==, "CONFIG_CHANGE_MSG");
    g_assert_cmpstr(vhost_user_backend_request_name(99), ==, "unknown");
    for (unsigned bit = 0; bit < VHOST_USER_PROTOCOL_F_COUNT; bit++) {
        g_assert_cmpstr(vhost_user_protocol_feature_name(bit), !=, "unknown");
    }
    g_assert_cmpstr(vhost_user_protocol_feature_name(15), ==, "CONFIGURE_MEM_SLOTS");
    g_assert_cmpstr(vhost_user_protocol_feature_name(64), ==, "unknown");
}

/* Payloads as rows can write them. */
#define REGION(guest, length, user, offset)                                                        \
    {                                                                                              \
        .region.region = {                                                                         \
            .guest_address = guest,                                                                \
            .size = length,                                                                        \
            .user_address = user,                                                                  \
            .mmap_offset = offset                                                                  \
        }                                                                                          \
    }
#define STATE(queue, value)                                                                        \
    {                                                                                              \
        .state = {.index = queue, .num = value }                                                   \
    }
#define U64(value)                                                                                 \
    {                                                                                              \
        .u64 = value                                                                               \
    }

typedef struct Row {
    uint32_t request, size, fds;
    const char *problem; /* NULL: valid */
    VhostUserPayload payload;
} Row;

#define WRAP UINT64_MAX
#define NO_QUEUE "there is no queue of this index"
#define WRONG_FDS "the number of descriptors contradicts bit 8"

static const Row requests[] = {
    {0, 0, 0, "there is no such request", {0}},
    {VHOST_USER_REQUEST_COUNT, 0, 0, "there is no such request", {0}},
    {VHOST_USER_GET_FEATURES, 0, 0, NULL, {0}},
    {VHOST_USER_GET_FEATURES, 8, 0, "the payload has a wrong size", {0}},
    {VHOST_USER_GET_FEATURES, 0, 1, "the number of descriptors is wrong", {0}},
    {VHOST_USER_SET_FEATURES, 8, 0, NULL, U64(UINT64_MAX)},
    {VHOST_USER_SET_FEATURES, 7, 0, "the payload has a wrong size", {0}},
    {VHOST_USER_SET_FEATURES, UINT32_MAX, 0, "the payload has a wrong size", {0}},

    {VHOST_USER_ADD_MEM_REG, 40, 1, NULL, REGION(0x1000, 0x1000, 0x7000, 0)},
    {VHOST_USER_ADD_MEM_REG, 36, 1, "the payload has a wrong size", REGION(0, 1, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 0, "the number of descriptors is wrong", REGION(0, 1, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 2, "the number of descriptors is wrong", REGION(0, 1, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 1, "the region's size is 0", REGION(0x1000, 0, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 1, "the region's guest address plus its size wraps",
     REGION(WRAP, 1, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 1, "the region's guest address plus its size wraps",
     REGION(1, WRAP, 0, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 1, "the region's user address plus its size wraps",
     REGION(0, 2, WRAP - 1, 0)},
    {VHOST_USER_ADD_MEM_REG, 40, 1, "the region's mmap offset plus its size wraps",
     REGION(0, 2, 0, WRAP - 1)},
    {VHOST_USER_REM_MEM_REG, 40, 0, NULL, REGION(0x1000, 0x1000, 0x7000, 0)},
    {VHOST_USER_REM_MEM_REG, 40, 1, "the number of descriptors is wrong", REGION(0, 1, 0, 0)},
    {VHOST_USER_REM_MEM_REG, 40, 0, "the region's size is 0", REGION(0, 0, 0, 0)},

    {VHOST_USER_SET_MEM_TABLE, 8, 0, NULL, {.memory = {.num_regions = 0}}},
    {VHOST_USER_SET_MEM_TABLE,
     72,
     2,
     NULL,
     {.memory = {.num_regions = 2, .regions = {{0, 0x1000, 0, 0}, {0x1000, 0x1000, 0, 0}}}}},
    {VHOST_USER_SET_MEM_TABLE,
     72,
     2,
     "two regions overlap in guest memory",
     {.memory = {.num_regions = 2, .regions = {{0, 0x1001, 0, 0}, {0x1000, 0x1000, 0, 0}}}}},
    {VHOST_USER_SET_MEM_TABLE,
     72,
     2,
     "the region's size is 0",
     {.memory = {.num_regions = 2, .regions = {{0, 0x1000, 0, 0}}}}},
    {VHOST_USER_SET_MEM_TABLE, 4, 0, "the payload has a wrong size", {0}},
    {VHOST_USER_SET_MEM_TABLE, 296, 8, "the payload has a wrong size", {0}},
    {VHOST_USER_SET_MEM_TABLE,
     40,
     2,
     "the number of descriptors is not the number of regions",
     {.memory = {.num_regions = 1, .regions = {{0, 0x1000, 0, 0}}}}},
    {VHOST_USER_SET_MEM_TABLE, 8, 9, "the number of descriptors is wrong", {0}},
    {VHOST_USER_SET_MEM_TABLE, 264, 8, "more than 8 regions", {.memory = {.num_regions = 9}}},
    {VHOST_USER_SET_MEM_TABLE, 8, 0, "more than 8 regions", {.memory = {.num_regions = 1u << 27}}},
    {VHOST_USER_SET_MEM_TABLE,
     40,
     1,
     "the payload's size does not fit the number of regions",
     {.memory = {.num_regions = 2}}},

    {VHOST_USER_SET_VRING_NUM, 8, 0, NULL, STATE(3, 32768)},
    {VHOST_USER_SET_VRING_NUM, 8, 0, NO_QUEUE, STATE(4, 128)},
    {VHOST_USER_SET_VRING_NUM, 8, 0, NO_QUEUE, STATE(UINT32_MAX, 128)},
    {VHOST_USER_SET_VRING_NUM, 8, 0, "the queue's size is not between 1 and 32768", STATE(0, 0)},
    {VHOST_USER_SET_VRING_NUM, 8, 0, "the queue's size is not between 1 and 32768",
     STATE(0, 32769)},
    {VHOST_USER_SET_VRING_BASE, 8, 0, NULL, STATE(0, UINT32_MAX)},
    {VHOST_USER_SET_VRING_BASE, 8, 0, NO_QUEUE, STATE(4, 0)},
    {VHOST_USER_GET_VRING_BASE, 8, 0, NULL, STATE(0, 0)},
    {VHOST_USER_GET_VRING_BASE, 8, 0, NO_QUEUE, STATE(4, 0)},
    {VHOST_USER_SET_VRING_ENABLE, 8, 0, NULL, STATE(0, 1)},
    {VHOST_USER_SET_VRING_ENABLE, 8, 0, "the value is neither 0 nor 1", STATE(0, 2)},
    {VHOST_USER_SET_VRING_ENDIAN, 8, 0, "the byte order is neither 0 nor 1", STATE(0, 2)},
    {VHOST_USER_VRING_KICK, 8, 0, NO_QUEUE, STATE(4, 0)},
    {VHOST_USER_SET_VRING_ADDR, 40, 0, NULL, {.address = {.index = 3, .flags = 1}}},
    {VHOST_USER_SET_VRING_ADDR, 40, 0, NO_QUEUE, {.address = {.index = 4}}},
    {VHOST_USER_SET_VRING_ADDR, 40, 0, "the address has unknown flags", {.address = {.flags = 2}}},

    {VHOST_USER_SET_VRING_KICK, 8, 1, NULL, U64(3)},
    {VHOST_USER_SET_VRING_KICK, 8, 0, NULL, U64(0x103)},
    {VHOST_USER_SET_VRING_KICK, 8, 1, WRONG_FDS, U64(0x103)},
    {VHOST_USER_SET_VRING_KICK, 8, 0, WRONG_FDS, U64(3)},
    {VHOST_USER_SET_VRING_CALL, 8, 1, NO_QUEUE, U64(4)},
    {VHOST_USER_SET_VRING_CALL, 8, 1, "the queue index has unknown bits", U64(0x200)},
    {VHOST_USER_SET_VRING_ERR, 8, 0, "the queue index has unknown bits", U64(WRAP)},

    {VHOST_USER_GET_CONFIG, 268, 0, NULL, {.config = {.size = 256}}},
    {VHOST_USER_GET_CONFIG, 12, 0, "the configuration's size is not between 1 and 256", {0}},
    {VHOST_USER_GET_CONFIG,
     268,
     0,
     "the configuration's size is not between 1 and 256",
     {.config = {.size = 257}}},
    {VHOST_USER_GET_CONFIG,
     20,
     0,
     "the payload's size does not fit the configuration's size",
     {.config = {.size = 9}}},
    {VHOST_USER_SET_CONFIG,
     20,
     0,
     "the configuration's offset plus its size wraps",
     {.config = {.offset = UINT32_MAX, .size = 8}}},
    {VHOST_USER_SET_CONFIG,
     20,
     0,
     "the configuration has unknown flags",
     {.config = {.size = 8, .flags = 2}}},

    {VHOST_USER_GET_INFLIGHT_FD, 20, 0, NULL, {.inflight = {.num_queues = 1, .queue_size = 1}}},
    {VHOST_USER_GET_INFLIGHT_FD, 24, 0, NULL, {.inflight = {.num_queues = 1, .queue_size = 1}}},
    {VHOST_USER_GET_INFLIGHT_FD, 24, 0, "the number of queues or their size is 0", {0}},
    {VHOST_USER_SET_INFLIGHT_FD,
     24,
     1,
     "the buffer's size is 0",
     {.inflight = {.num_queues = 1, .queue_size = 1}}},
    {VHOST_USER_SET_INFLIGHT_FD,
     24,
     1,
     "the buffer's offset plus its size wraps",
     {.inflight = {.mmap_size = 2, .mmap_offset = WRAP - 1, .num_queues = 1, .queue_size = 1}}},
    {VHOST_USER_SET_LOG_BASE, 16, 1, "the log's size is 0", {0}},
    {VHOST_USER_SET_LOG_BASE,
     16,
     1,
     "the log's offset plus its size wraps",
     {.log = {.size = WRAP, .offset = 1}}},
    {VHOST_USER_IOTLB_MSG, 32, 0, "the IOTLB message has an unknown type", {0}},
    {VHOST_USER_IOTLB_MSG,
     32,
     0,
     "the IOTLB range wraps",
     {.iotlb = {.address = 2, .size = WRAP, .type = 3}}},
    {VHOST_USER_SET_STATUS, 8, 0, NULL, U64(0xff)},
    {VHOST_USER_SET_STATUS, 8, 0, "the status has more than 8 bits", U64(0x100)},
    {VHOST_USER_NET_SET_MTU, 8, 0, "the MTU is not between 68 and 65535", U64(67)},
    {VHOST_USER_SET_DEVICE_STATE_FD, 8, 1, NULL, {.device_state = {.direction = 1}}},
    {VHOST_USER_SET_DEVICE_STATE_FD,
     8,
     1,
     "the direction is neither 0 nor 1",
     {.device_state = {.direction = 2}}},
    {VHOST_USER_SET_DEVICE_STATE_FD, 8, 1, "the phase is not 0", {.device_state = {.phase = 1}}},
};

/* A heap copy of exactly its bytes, at an odd address: sanitizers see every byte too far. */
static const char *validate(const Row *row, uint32_t flags, uint32_t queues)
{
    VhostUserHeader header = {row->request, flags, row->size};
    gsize size = MIN(row->size, sizeof(row->payload));
    g_autofree uint8_t *bytes = g_malloc(size + 1);

    memcpy(bytes + 1, &row->payload, size);
    return vhost_user_validate_request(&header, bytes + 1, row->fds, queues);
}

static void test_requests(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        const Row *row = &requests[i];

        g_test_message("row %u: %s", i, vhost_user_request_name(row->request));
        g_assert_cmpstr(validate(row, VHOST_USER_VERSION, QUEUES), ==, row->problem);
        g_assert_cmpstr(validate(row, VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, QUEUES), ==,
                        row->problem);
    }
    g_assert_cmpstr(validate(&requests[2], 0, QUEUES), ==, "the protocol version is not 1");
    g_assert_cmpstr(validate(&requests[2], 2, QUEUES), ==, "the protocol version is not 1");
    g_assert_cmpstr(validate(&requests[2], 5, QUEUES), ==, "a request carries the flag of answers");
}

static const Row backend_requests[] = {
    {0, 0, 0, "there is no such request", {0}},
    {9, 0, 0, "there is no such request", {0}},
    {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0, 0, NULL, {0}},
    {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 8, 0, "the payload has a wrong size", {0}},
    {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0, 1, "the number of descriptors is wrong", {0}},
    {VHOST_USER_BACKEND_VRING_CALL, 8, 0, NO_QUEUE, STATE(4, 0)},
    {VHOST_USER_BACKEND_VRING_ERR, 8, 0, NULL, STATE(3, 0)},
    {VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG, 24, 0, WRONG_FDS, {.area = {.index = 0}}},
    {VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG,
     24,
     1,
     "the area's offset plus its size wraps",
     {.area = {.index = 0, .size = WRAP, .offset = 1}}},
    {VHOST_USER_BACKEND_IOTLB_MSG, 32, 0, "the IOTLB message has an unknown type", {0}},
};

static void test_backend_requests(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(backend_requests); i++) {
        const Row *row = &backend_requests[i];
        VhostUserHeader header = {row->request, VHOST_USER_VERSION, row->size};

        g_assert_cmpstr(
            vhost_user_validate_backend_request(&header, &row->payload, row->fds, QUEUES), ==,
            row->problem);
    }
}

static void test_answer_due(void)
{
    const struct {
        uint32_t request, flags;
        bool postcopy;
        VhostUserAnswer due;
    } rows[] = {
        {0, 0x9, false, VHOST_USER_ANSWER_NONE},
        {VHOST_USER_GET_FEATURES, 0x1, false, VHOST_USER_ANSWER_REPLY},
        {VHOST_USER_GET_FEATURES, 0x9, false, VHOST_USER_ANSWER_REPLY},
        {VHOST_USER_SET_OWNER, 0x1, false, VHOST_USER_ANSWER_NONE},
        {VHOST_USER_SET_OWNER, 0x9, false, VHOST_USER_ANSWER_ACK},
        {VHOST_USER_ADD_MEM_REG, 0x9, false, VHOST_USER_ANSWER_ACK},
        {VHOST_USER_ADD_MEM_REG, 0x9, true, VHOST_USER_ANSWER_REPLY},
        {VHOST_USER_SET_MEM_TABLE, 0x1, true, VHOST_USER_ANSWER_REPLY},
        {VHOST_USER_REM_MEM_REG, 0x1, true, VHOST_USER_ANSWER_NONE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        VhostUserHeader header = {rows[i].request, rows[i].flags, 0};

        g_assert_cmpint(vhost_user_answer_due(&header, rows[i].postcopy), ==, rows[i].due);
    }
}

static void test_replies(void)
{
    const VhostUserAnswer ack = VHOST_USER_ANSWER_ACK, own = VHOST_USER_ANSWER_REPLY;
    const struct {
        uint32_t request;
        VhostUserAnswer due;
        VhostUserHeader header;
        unsigned fds;
        const char *problem;
        VhostUserPayload payload;
    } rows[] = {
        {37, ack, {37, 5, 8}, 0, NULL, U64(1)},
        {37, ack, {38, 5, 8}, 0, "the answer is for another request", {0}},
        {0, ack, {0, 5, 8}, 0, "the answer is for another request", {0}},
        {37, ack, {37, 4, 8}, 0, "the protocol version is not 1", {0}},
        {37, ack, {37, 1, 8}, 0, "the answer lacks the flag of answers", {0}},
        {37, ack, {37, 5, 4}, 0, "the answer has a wrong size", {0}},
        {37, ack, {37, 5, 40}, 0, "the answer has a wrong size", {0}},
        {37, ack, {37, 5, 8}, 1, "the number of descriptors is wrong", {0}},
        {37, own, {37, 5, 40}, 0, NULL, REGION(0, 1, 0, 0)},
        {37,
         own,
         {37, 5, 40},
         0,
         "the region's user address plus its size wraps",
         REGION(0, 1, WRAP, 0)},
        {5, own, {5, 5, 8}, 0, "more than 8 regions", {.memory = {.num_regions = 9}}},
        {6, own, {6, 5, 0}, 0, NULL, {0}},
        {6, own, {6, 5, 4}, 0, "the answer has a wrong size", {0}},
        {24, own, {24, 5, 0}, 0, NULL, {0}},
        {24, own, {24, 5, 12}, 0, NULL, {0}},
        {24, own, {24, 5, 20}, 0, NULL, {.config = {.size = 8}}},
        {24,
         own,
         {24, 5, 20},
         0,
         "the payload's size does not fit the configuration's size",
         {.config = {.size = 7}}},
        {28, own, {28, 5, 0}, 1, NULL, {0}},
        {28, own, {28, 5, 0}, 0, "the number of descriptors is wrong", {0}},
        {31, own, {31, 5, 24}, 0, NULL, {0}},
        {31, own, {31, 5, 24}, 1, "the number of queues or their size is 0", {0}},
        {42, own, {42, 5, 8}, 0, NULL, U64(0x100)},
        {42, own, {42, 5, 8}, 1, WRONG_FDS, U64(0x100)},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpstr(vhost_user_validate_reply(rows[i].request, rows[i].due, &rows[i].header,
                                                  &rows[i].payload, rows[i].fds),
                        ==, rows[i].problem);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/table", test_table);
    g_test_add_func("/wire/names", test_names);
    g_test_add_func("/wire/requests", test_requests);
    g_test_add_func("/wire/backend-requests", test_backend_requests);
    g_test_add_func("/wire/answer-due", test_answer_due);
    g_test_add_func("/wire/replies", test_replies);
    return g_test_run();
}
