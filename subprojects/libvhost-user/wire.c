/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The message table of the vhost-user protocol, and the validators that both
 * ends run before anything else sees a byte of a message.
 */
#include "libvhost-user/wire.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The parts of a row: sizes and descriptors of request and reply. */
#define ROW(prefix, suffix, ...)                                                                   \
    [prefix##suffix] = {.request = prefix##suffix, .name = #suffix, __VA_ARGS__}
#define EMPTY .size_minimum = 0, .size_maximum = 0
#define SIZE(bytes) .size_minimum = (bytes), .size_maximum = (bytes)
#define SIZES(least, most) .size_minimum = (least), .size_maximum = (most)
#define FDS(least, most) .fds_minimum = (least), .fds_maximum = (most)
#define REPLY_SIZES(least, most)                                                                   \
    .reply = VHOST_USER_REPLY_ALWAYS, .reply_size_minimum = (least), .reply_size_maximum = (most)
#define REPLY(bytes) REPLY_SIZES(bytes, bytes)
#define REPLY_FDS(least, most) .reply_fds_minimum = (least), .reply_fds_maximum = (most)
#define POSTCOPY_REPLY(least, most)                                                                \
    .reply = VHOST_USER_REPLY_POSTCOPY, .reply_size_minimum = (least), .reply_size_maximum = (most)
#define CHANGES .changes_state = true
#define ALWAYS .allowed_by = VHOST_USER_ALLOWED_ALWAYS
#define BIT_30 .allowed_by = VHOST_USER_ALLOWED_BY_BIT_30
#define WITH(feature) .allowed_by = VHOST_USER_PROTOCOL_F_##feature

#define U64 8
#define STATE sizeof(VhostUserVringState)

/*
 * "Front-end message types".  An empty reply where the table allows it is how a back-end says that
 * it failed (GET_CONFIG, GET_SHARED_OBJECT) or leaves out what nobody reads (SET_LOG_BASE).
 */
static const VhostUserMessageInfo messages[VHOST_USER_REQUEST_COUNT] = {
    ROW(VHOST_USER_, GET_FEATURES, EMPTY, REPLY(U64), ALWAYS),
    ROW(VHOST_USER_, SET_FEATURES, SIZE(U64), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_OWNER, EMPTY, CHANGES, ALWAYS),
    ROW(VHOST_USER_, RESET_OWNER, EMPTY, CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_MEM_TABLE, SIZES(VHOST_USER_MEMORY_HEAD, sizeof(VhostUserMemory)),
        FDS(0, VHOST_USER_MAX_REGIONS_IN_MESSAGE),
        POSTCOPY_REPLY(VHOST_USER_MEMORY_HEAD, sizeof(VhostUserMemory)), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_LOG_BASE, SIZE(sizeof(VhostUserLog)), FDS(1, 1), REPLY_SIZES(0, U64),
        WITH(LOG_SHMFD)),
    ROW(VHOST_USER_, SET_LOG_FD, EMPTY, FDS(1, 1), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_NUM, SIZE(STATE), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_ADDR, SIZE(sizeof(VhostUserVringAddr)), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_BASE, SIZE(STATE), CHANGES, ALWAYS),
    ROW(VHOST_USER_, GET_VRING_BASE, SIZE(STATE), REPLY(STATE), ALWAYS),
    ROW(VHOST_USER_, SET_VRING_KICK, SIZE(U64), FDS(0, 1), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_CALL, SIZE(U64), FDS(0, 1), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_ERR, SIZE(U64), FDS(0, 1), CHANGES, ALWAYS),
    ROW(VHOST_USER_, GET_PROTOCOL_FEATURES, EMPTY, REPLY(U64), BIT_30),
    ROW(VHOST_USER_, SET_PROTOCOL_FEATURES, SIZE(U64), CHANGES, BIT_30),
    ROW(VHOST_USER_, GET_QUEUE_NUM, EMPTY, REPLY(U64), WITH(MQ)),
    ROW(VHOST_USER_, SET_VRING_ENABLE, SIZE(STATE), CHANGES, BIT_30),
    ROW(VHOST_USER_, SEND_RARP, SIZE(U64), CHANGES, WITH(RARP)),
    ROW(VHOST_USER_, NET_SET_MTU, SIZE(U64), CHANGES, WITH(NET_MTU)),
    ROW(VHOST_USER_, SET_BACKEND_REQ_FD, EMPTY, FDS(1, 1), CHANGES, WITH(BACKEND_REQ)),
    ROW(VHOST_USER_, IOTLB_MSG, SIZE(sizeof(VhostUserIotlb)), CHANGES, ALWAYS),
    ROW(VHOST_USER_, SET_VRING_ENDIAN, SIZE(STATE), CHANGES, WITH(CROSS_ENDIAN)),
    ROW(VHOST_USER_, GET_CONFIG, SIZES(VHOST_USER_CONFIG_HEAD, sizeof(VhostUserConfig)),
        REPLY_SIZES(0, sizeof(VhostUserConfig)), WITH(CONFIG)),
    ROW(VHOST_USER_, SET_CONFIG, SIZES(VHOST_USER_CONFIG_HEAD, sizeof(VhostUserConfig)), CHANGES,
        WITH(CONFIG)),
    ROW(VHOST_USER_, CREATE_CRYPTO_SESSION, SIZES(U64, VHOST_USER_PAYLOAD_MAXIMUM),
        REPLY_SIZES(U64, VHOST_USER_PAYLOAD_MAXIMUM), WITH(CRYPTO_SESSION)),
    ROW(VHOST_USER_, CLOSE_CRYPTO_SESSION, SIZE(U64), CHANGES, WITH(CRYPTO_SESSION)),
    ROW(VHOST_USER_, POSTCOPY_ADVISE, EMPTY, REPLY(0), REPLY_FDS(1, 1), WITH(PAGEFAULT)),
    ROW(VHOST_USER_, POSTCOPY_LISTEN, EMPTY, CHANGES, WITH(PAGEFAULT)),
    ROW(VHOST_USER_, POSTCOPY_END, EMPTY, REPLY(U64), WITH(PAGEFAULT)),
    ROW(VHOST_USER_, GET_INFLIGHT_FD,
        SIZES(VHOST_USER_INFLIGHT_SIZE_MINIMUM, sizeof(VhostUserInflight)),
        REPLY_SIZES(VHOST_USER_INFLIGHT_SIZE_MINIMUM, sizeof(VhostUserInflight)), REPLY_FDS(0, 1),
        WITH(INFLIGHT_SHMFD)),
    ROW(VHOST_USER_, SET_INFLIGHT_FD,
        SIZES(VHOST_USER_INFLIGHT_SIZE_MINIMUM, sizeof(VhostUserInflight)), FDS(1, 1), CHANGES,
        WITH(INFLIGHT_SHMFD)),
    ROW(VHOST_USER_, GPU_SET_SOCKET, EMPTY, FDS(1, 1), CHANGES, ALWAYS),
    ROW(VHOST_USER_, RESET_DEVICE, EMPTY, CHANGES, WITH(RESET_DEVICE)),
    ROW(VHOST_USER_, VRING_KICK, SIZE(STATE), CHANGES, WITH(INBAND_NOTIFICATIONS)),
    ROW(VHOST_USER_, GET_MAX_MEM_SLOTS, EMPTY, REPLY(U64), WITH(CONFIGURE_MEM_SLOTS)),
    ROW(VHOST_USER_, ADD_MEM_REG, SIZE(sizeof(VhostUserMemRegMsg)), FDS(1, 1),
        POSTCOPY_REPLY(sizeof(VhostUserMemRegMsg), sizeof(VhostUserMemRegMsg)), CHANGES,
        WITH(CONFIGURE_MEM_SLOTS)),
    ROW(VHOST_USER_, REM_MEM_REG, SIZE(sizeof(VhostUserMemRegMsg)), CHANGES,
        WITH(CONFIGURE_MEM_SLOTS)),
    ROW(VHOST_USER_, SET_STATUS, SIZE(U64), CHANGES, WITH(STATUS)),
    ROW(VHOST_USER_, GET_STATUS, EMPTY, REPLY(U64), WITH(STATUS)),
    ROW(VHOST_USER_, GET_SHARED_OBJECT, SIZE(sizeof(VhostUserShared)),
        REPLY_SIZES(0, sizeof(VhostUserShared)), REPLY_FDS(0, 1), WITH(SHARED_OBJECT)),
    ROW(VHOST_USER_, SET_DEVICE_STATE_FD, SIZE(sizeof(VhostUserDeviceState)), FDS(1, 1), REPLY(U64),
        REPLY_FDS(0, 1), WITH(DEVICE_STATE)),
    ROW(VHOST_USER_, CHECK_DEVICE_STATE, EMPTY, REPLY(U64), WITH(DEVICE_STATE)),
};

/* "Back-end message types". */
static const VhostUserMessageInfo backend_messages[VHOST_USER_BACKEND_REQUEST_COUNT] = {
    ROW(VHOST_USER_BACKEND_, IOTLB_MSG, SIZE(sizeof(VhostUserIotlb)), CHANGES, WITH(BACKEND_REQ)),
    ROW(VHOST_USER_BACKEND_, CONFIG_CHANGE_MSG, EMPTY, CHANGES, WITH(CONFIG)),
    ROW(VHOST_USER_BACKEND_, VRING_HOST_NOTIFIER_MSG, SIZE(sizeof(VhostUserVringArea)), FDS(0, 1),
        CHANGES, WITH(HOST_NOTIFIER)),
    ROW(VHOST_USER_BACKEND_, VRING_CALL, SIZE(STATE), CHANGES, WITH(INBAND_NOTIFICATIONS)),
    ROW(VHOST_USER_BACKEND_, VRING_ERR, SIZE(STATE), CHANGES, WITH(INBAND_NOTIFICATIONS)),
    ROW(VHOST_USER_BACKEND_, SHARED_OBJECT_ADD, SIZE(sizeof(VhostUserShared)), CHANGES,
        WITH(SHARED_OBJECT)),
    ROW(VHOST_USER_BACKEND_, SHARED_OBJECT_REMOVE, SIZE(sizeof(VhostUserShared)), CHANGES,
        WITH(SHARED_OBJECT)),
    ROW(VHOST_USER_BACKEND_, SHARED_OBJECT_LOOKUP, SIZE(sizeof(VhostUserShared)), REPLY(U64),
        REPLY_FDS(0, 1), WITH(SHARED_OBJECT)),
};

static const char *const protocol_features[VHOST_USER_PROTOCOL_F_COUNT] = {
    [VHOST_USER_PROTOCOL_F_MQ] = "MQ",
    [VHOST_USER_PROTOCOL_F_LOG_SHMFD] = "LOG_SHMFD",
    [VHOST_USER_PROTOCOL_F_RARP] = "RARP",
    [VHOST_USER_PROTOCOL_F_REPLY_ACK] = "REPLY_ACK",
    [VHOST_USER_PROTOCOL_F_NET_MTU] = "NET_MTU",
    [VHOST_USER_PROTOCOL_F_BACKEND_REQ] = "BACKEND_REQ",
    [VHOST_USER_PROTOCOL_F_CROSS_ENDIAN] = "CROSS_ENDIAN",
    [VHOST_USER_PROTOCOL_F_CRYPTO_SESSION] = "CRYPTO_SESSION",
    [VHOST_USER_PROTOCOL_F_PAGEFAULT] = "PAGEFAULT",
    [VHOST_USER_PROTOCOL_F_CONFIG] = "CONFIG",
    [VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD] = "BACKEND_SEND_FD",
    [VHOST_USER_PROTOCOL_F_HOST_NOTIFIER] = "HOST_NOTIFIER",
    [VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD] = "INFLIGHT_SHMFD",
    [VHOST_USER_PROTOCOL_F_RESET_DEVICE] = "RESET_DEVICE",
    [VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS] = "INBAND_NOTIFICATIONS",
    [VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS] = "CONFIGURE_MEM_SLOTS",
    [VHOST_USER_PROTOCOL_F_STATUS] = "STATUS",
    [VHOST_USER_PROTOCOL_F_XEN_MMAP] = "XEN_MMAP",
    [VHOST_USER_PROTOCOL_F_SHARED_OBJECT] = "SHARED_OBJECT",
    [VHOST_USER_PROTOCOL_F_DEVICE_STATE] = "DEVICE_STATE",
};

const VhostUserMessageInfo *vhost_user_message_info(uint32_t request)
{
    return request < COUNT(messages) && messages[request].name ? &messages[request] : NULL;
}

const VhostUserMessageInfo *vhost_user_backend_message_info(uint32_t request)
{
    return request < COUNT(backend_messages) && backend_messages[request].name
               ? &backend_messages[request]
               : NULL;
}

const char *vhost_user_request_name(uint32_t request)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);

    return info ? info->name : "unknown";
}

const char *vhost_user_backend_request_name(uint32_t request)
{
    const VhostUserMessageInfo *info = vhost_user_backend_message_info(request);

    return info ? info->name : "unknown";
}

const char *vhost_user_protocol_feature_name(unsigned bit)
{
    return bit < COUNT(protocol_features) ? protocol_features[bit] : "unknown";
}

VhostUserAnswer vhost_user_answer_due(const VhostUserHeader *request, bool postcopy)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request->request);

    if (!info) {
        return VHOST_USER_ANSWER_NONE;
    }
    if (info->reply == VHOST_USER_REPLY_ALWAYS ||
        (info->reply == VHOST_USER_REPLY_POSTCOPY && postcopy)) {
        return VHOST_USER_ANSWER_REPLY;
    }
    return request->flags & VHOST_USER_FLAG_NEED_REPLY ? VHOST_USER_ANSWER_ACK
                                                       : VHOST_USER_ANSWER_NONE;
}

/* A range whose end would not fit 64 bits. */
static bool wraps(uint64_t start, uint64_t size)
{
    return size > UINT64_MAX - start;
}

const char *vhost_user_validate_region(const VhostUserMemoryRegion *region)
{
    if (region->size == 0) {
        return "the region's size is 0";
    }
    if (wraps(region->guest_address, region->size)) {
        return "the region's guest address plus its size wraps";
    }
    if (wraps(region->user_address, region->size)) {
        return "the region's user address plus its size wraps";
    }
    if (wraps(region->mmap_offset, region->size)) {
        return "the region's mmap offset plus its size wraps";
    }
    return NULL;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static const char *validate_memory(const VhostUserMemory *memory, uint32_t size, unsigned fds)
{
    if (memory->num_regions > VHOST_USER_MAX_REGIONS_IN_MESSAGE) {
        return "more than 8 regions";
    }
    if (size != VHOST_USER_MEMORY_HEAD + memory->num_regions * sizeof(memory->regions[0])) {
        return "the payload's size does not fit the number of regions";
    }
    if (fds != memory->num_regions) {
        return "the number of descriptors is not the number of regions";
    }
    for (uint32_t i = 0; i < memory->num_regions; i++) {
        const VhostUserMemoryRegion *region = &memory->regions[i];
        const char *problem = vhost_user_validate_region(region);

        if (problem) {
            return problem;
        }
        for (uint32_t other = 0; other < i; other++) {
            if (overlap(region->guest_address, region->size, memory->regions[other].guest_address,
                        memory->regions[other].size)) {
                return "two regions overlap in guest memory";
            }
        }
    }
    return NULL;
}

static const char *validate_state(uint32_t request, const VhostUserVringState *state,
                                  uint32_t queues)
{
    if (state->index >= queues) {
        return "there is no queue of this index";
    }
    if (request == VHOST_USER_SET_VRING_NUM &&
        (state->num == 0 || state->num > VHOST_USER_MAX_VRING_SIZE)) {
        return "the queue's size is not between 1 and 32768";
    }
    if (request == VHOST_USER_SET_VRING_ENABLE && state->num > 1) {
        return "the value is neither 0 nor 1";
    }
    if (request == VHOST_USER_SET_VRING_ENDIAN && state->num > 1) {
        return "the byte order is neither 0 nor 1";
    }
    return NULL;
}

static const char *validate_address(const VhostUserVringAddr *address, uint32_t queues)
{
    if (address->index >= queues) {
        return "there is no queue of this index";
    }
    if (address->flags & ~VHOST_USER_VRING_ADDR_F_LOG) {
        return "the address has unknown flags";
    }
    return NULL;
}

static const char *validate_vring_fd(uint64_t value, unsigned fds, uint32_t queues)
{
    if (value & ~(uint64_t)(VHOST_USER_VRING_IDX_MASK | VHOST_USER_VRING_NOFD_MASK)) {
        return "the queue index has unknown bits";
    }
    if ((value & VHOST_USER_VRING_IDX_MASK) >= queues) {
        return "there is no queue of this index";
    }
    if (fds != (value & VHOST_USER_VRING_NOFD_MASK ? 0 : 1)) {
        return "the number of descriptors contradicts bit 8";
    }
    return NULL;
}

static const char *validate_config(const VhostUserConfig *config, uint32_t size)
{
    if (config->size == 0 || config->size > VHOST_USER_MAX_CONFIG_SIZE) {
        return "the configuration's size is not between 1 and 256";
    }
    if (size != VHOST_USER_CONFIG_HEAD + config->size) {
        return "the payload's size does not fit the configuration's size";
    }
    if (config->offset > UINT32_MAX - config->size) {
        return "the configuration's offset plus its size wraps";
    }
    if (config->flags > VHOST_USER_CONFIG_MIGRATION) {
        return "the configuration has unknown flags";
    }
    return NULL;
}

static const char *validate_inflight(const VhostUserInflight *inflight, bool mapped)
{
    if (inflight->num_queues == 0 || inflight->queue_size == 0) {
        return "the number of queues or their size is 0";
    }
    if (mapped && inflight->mmap_size == 0) {
        return "the buffer's size is 0";
    }
    if (wraps(inflight->mmap_offset, inflight->mmap_size)) {
        return "the buffer's offset plus its size wraps";
    }
    return NULL;
}

static const char *validate_log(const VhostUserLog *log)
{
    if (log->size == 0) {
        return "the log's size is 0";
    }
    return wraps(log->offset, log->size) ? "the log's offset plus its size wraps" : NULL;
}

static const char *validate_area(const VhostUserVringArea *area, unsigned fds, uint32_t queues)
{
    const char *problem = validate_vring_fd(area->index, fds, queues);

    if (!problem && wraps(area->offset, area->size)) {
        problem = "the area's offset plus its size wraps";
    }
    return problem;
}

/* An invalidation of everything reaches to 2^64 - 1, so only the sum's true overflow is wrong. */
static const char *validate_iotlb(const VhostUserIotlb *iotlb)
{
    if (iotlb->type < VHOST_USER_IOTLB_MISS || iotlb->type > VHOST_USER_IOTLB_ACCESS_FAIL) {
        return "the IOTLB message has an unknown type";
    }
    if (wraps(iotlb->address, iotlb->size) || wraps(iotlb->user_address, iotlb->size)) {
        return "the IOTLB range wraps";
    }
    return NULL;
}

static const char *validate_device_state(const VhostUserDeviceState *state)
{
    if (state->direction > 1) {
        return "the direction is neither 0 nor 1";
    }
    return state->phase ? "the phase is not 0" : NULL;
}

/* Header and counts against the table's row. */
static const char *validate_frame(const VhostUserMessageInfo *info, const VhostUserHeader *header,
                                  unsigned fds)
{
    if (!info) {
        return "there is no such request";
    }
    if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION) {
        return "the protocol version is not 1";
    }
    if (header->flags & VHOST_USER_FLAG_REPLY) {
        return "a request carries the flag of answers";
    }
    if (header->size < info->size_minimum || header->size > info->size_maximum) {
        return "the payload has a wrong size";
    }
    if (fds < info->fds_minimum || fds > info->fds_maximum) {
        return "the number of descriptors is wrong";
    }
    return NULL;
}

/* The payloads that mean the same in a request and in the answer that brings it back. */
static void copy_payload(VhostUserPayload *copy, const void *payload, uint32_t size)
{
    memset(copy, 0, sizeof(*copy));
    if (size > 0) {
        memcpy(copy, payload, size < sizeof(*copy) ? size : sizeof(*copy));
    }
}

static const char *validate_u64(uint32_t request, uint64_t value)
{
    if (request == VHOST_USER_SET_STATUS && value > 0xff) {
        return "the status has more than 8 bits";
    }
    if (request == VHOST_USER_NET_SET_MTU && (value < 68 || value > 65535)) {
        return "the MTU is not between 68 and 65535"; /* virtio 1.2, 5.1.4.1 */
    }
    return NULL;
}

const char *vhost_user_validate_request(const VhostUserHeader *header, const void *payload,
                                        unsigned fds, uint32_t queues)
{
    const char *problem = validate_frame(vhost_user_message_info(header->request), header, fds);
    VhostUserPayload copy;

    if (problem) {
        return problem;
    }
    copy_payload(&copy, payload, header->size);
    switch (header->request) {
    case VHOST_USER_SET_MEM_TABLE:
        return validate_memory(&copy.memory, header->size, fds);
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_REM_MEM_REG:
        return vhost_user_validate_region(&copy.region.region);
    case VHOST_USER_SET_LOG_BASE:
        return validate_log(&copy.log);
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_ENABLE:
    case VHOST_USER_SET_VRING_ENDIAN:
    case VHOST_USER_VRING_KICK:
        return validate_state(header->request, &copy.state, queues);
    case VHOST_USER_SET_VRING_ADDR:
        return validate_address(&copy.address, queues);
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
        return validate_vring_fd(copy.u64, fds, queues);
    case VHOST_USER_GET_CONFIG:
    case VHOST_USER_SET_CONFIG:
        return validate_config(&copy.config, header->size);
    case VHOST_USER_GET_INFLIGHT_FD:
    case VHOST_USER_SET_INFLIGHT_FD:
        return validate_inflight(&copy.inflight, header->request == VHOST_USER_SET_INFLIGHT_FD);
    case VHOST_USER_IOTLB_MSG:
        return validate_iotlb(&copy.iotlb);
    case VHOST_USER_SET_DEVICE_STATE_FD:
        return validate_device_state(&copy.device_state);
    default:
        return validate_u64(header->request, copy.u64);
    }
}

const char *vhost_user_validate_backend_request(const VhostUserHeader *header, const void *payload,
                                                unsigned fds, uint32_t queues)
{
    const char *problem =
        validate_frame(vhost_user_backend_message_info(header->request), header, fds);
    VhostUserPayload copy;

    if (problem) {
        return problem;
    }
    copy_payload(&copy, payload, header->size);
    switch (header->request) {
    case VHOST_USER_BACKEND_IOTLB_MSG:
        return validate_iotlb(&copy.iotlb);
    case VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG:
        return validate_area(&copy.area, fds, queues);
    case VHOST_USER_BACKEND_VRING_CALL:
    case VHOST_USER_BACKEND_VRING_ERR:
        return copy.state.index >= queues ? "there is no queue of this index" : NULL;
    default:
        return NULL;
    }
}

/* The back-end's post-copy bases: no descriptors come back, so only counts and ranges matter. */
static const char *validate_own_reply(uint32_t request, const VhostUserPayload *reply,
                                      uint32_t size, unsigned fds)
{
    switch (request) {
    case VHOST_USER_SET_MEM_TABLE:
        return validate_memory(&reply->memory, size, reply->memory.num_regions);
    case VHOST_USER_ADD_MEM_REG:
        return vhost_user_validate_region(&reply->region.region);
    case VHOST_USER_SET_LOG_BASE:
        return size != 0 && size != U64 ? "the answer has a wrong size" : NULL;
    case VHOST_USER_GET_CONFIG:
        /* No bytes say that the back-end cannot; some send the head in front of them. */
        return size == 0 || (size == VHOST_USER_CONFIG_HEAD && reply->config.size == 0)
                   ? NULL
                   : validate_config(&reply->config, size);
    case VHOST_USER_GET_INFLIGHT_FD:
        /* Without a descriptor the back-end has no buffer to give. */
        return fds == 0 ? NULL : validate_inflight(&reply->inflight, true);
    case VHOST_USER_SET_DEVICE_STATE_FD:
        return fds > 0 && (reply->u64 & VHOST_USER_DEVICE_STATE_NOFD_MASK)
                   ? "the number of descriptors contradicts bit 8"
                   : NULL;
    default:
        return NULL;
    }
}

const char *vhost_user_validate_reply(uint32_t request, VhostUserAnswer due,
                                      const VhostUserHeader *header, const void *payload,
                                      unsigned fds)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    bool ack = due == VHOST_USER_ANSWER_ACK;
    VhostUserPayload copy;

    if (!info || header->request != request) {
        return "the answer is for another request";
    }
    if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION) {
        return "the protocol version is not 1";
    }
    if (!(header->flags & VHOST_USER_FLAG_REPLY)) {
        return "the answer lacks the flag of answers";
    }
    if (header->size < (ack ? VHOST_USER_ACK_SIZE : info->reply_size_minimum) ||
        header->size > (ack ? VHOST_USER_ACK_SIZE : info->reply_size_maximum)) {
        return "the answer has a wrong size";
    }
    if (fds < (ack ? 0 : info->reply_fds_minimum) || fds > (ack ? 0 : info->reply_fds_maximum)) {
        return "the number of descriptors is wrong";
    }
    if (ack) {
        return NULL;
    }
    copy_payload(&copy, payload, header->size);
    return validate_own_reply(request, &copy, header->size, fds);
}
