/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a front-end asks of a back-end, one call each, over front-end.c. */
#include "front-end-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers that a pipeline may leave unread: well below what fills a socket's buffer. */
#define WINDOW 64u

static bool is_allowed(const VhostUserFrontEnd *front, const VhostUserMessageInfo *info)
{
    return !info || info->allowed_by == VHOST_USER_ALLOWED_ALWAYS ||
           (info->allowed_by == VHOST_USER_ALLOWED_BY_BIT_30
                ? front->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1
                : front->protocol_features >> info->allowed_by & 1);
}

int vhost_user_front_end_submit(VhostUserFrontEnd *front, uint32_t request, const void *payload,
                                uint32_t size, const int *fds, unsigned fd_count)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(request);
    bool ack = info && info->changes_state &&
               vhost_user_front_end_has(front, VHOST_USER_PROTOCOL_F_REPLY_ACK);
    VhostUserHeader header = {request, VHOST_USER_VERSION | (ack ? VHOST_USER_FLAG_NEED_REPLY : 0),
                              size};

    if (!is_allowed(front, info)) {
        const char *needed = info->allowed_by == VHOST_USER_ALLOWED_BY_BIT_30
                                 ? "bit 30"
                                 : vhost_user_protocol_feature_name((unsigned)info->allowed_by);

        return vhost_user_front_end_fail(front, -EOPNOTSUPP, info->name, "%s was not negotiated",
                                         needed);
    }
    VhostUserAnswer due = vhost_user_answer_due(&header, front->postcopy);
    int result =
        vhost_user_front_end_send(front, request, header.flags, payload, size, fds, fd_count);

    return result < 0 ? result : (int)due;
}

/* What both ends now go by. */
static void note_negotiated(VhostUserFrontEnd *front, uint32_t request, const void *payload)
{
    if (request == VHOST_USER_SET_FEATURES) {
        memcpy(&front->features, payload, sizeof(front->features));
    } else if (request == VHOST_USER_SET_PROTOCOL_FEATURES) {
        memcpy(&front->protocol_features, payload, sizeof(front->protocol_features));
    }
}

int vhost_user_front_end_transact(VhostUserFrontEnd *front, uint32_t request, const void *payload,
                                  uint32_t size, const int *fds, unsigned fd_count,
                                  VhostUserFrontEndMessage *message)
{
    VhostUserFrontEndMessage dropped;
    VhostUserFrontEndMessage *answer = message ? message : &dropped;
    int due = vhost_user_front_end_submit(front, request, payload, size, fds, fd_count);
    int result = due < 0 ? due : 0;

    memset(answer, 0, sizeof(*answer)); /* what there is if nothing is due */
    if (due == VHOST_USER_ANSWER_ACK) {
        result = vhost_user_front_end_receive_ack(front, request);
    } else if (due == VHOST_USER_ANSWER_REPLY) {
        result =
            vhost_user_front_end_receive_answer(front, request, VHOST_USER_ANSWER_REPLY, answer);
    }
    if (result == 0) {
        note_negotiated(front, request, payload);
    }
    if (!message) {
        vhost_user_front_end_message_clear(answer);
    }
    return result;
}

int vhost_user_front_end_barrier(VhostUserFrontEnd *front)
{
    uint64_t ignored;

    return vhost_user_front_end_get(front, VHOST_USER_GET_FEATURES, &ignored);
}

int vhost_user_front_end_get(VhostUserFrontEnd *front, uint32_t request, uint64_t *value)
{
    VhostUserFrontEndMessage answer;
    int result = vhost_user_front_end_transact(front, request, NULL, 0, NULL, 0, &answer);

    if (result == 0) {
        *value = answer.content.payload.u64;
        vhost_user_front_end_message_clear(&answer);
    }
    return result;
}

int vhost_user_front_end_set(VhostUserFrontEnd *front, uint32_t request, uint64_t value)
{
    return vhost_user_front_end_transact(front, request, &value, sizeof(value), NULL, 0, NULL);
}

int vhost_user_front_end_command(VhostUserFrontEnd *front, uint32_t request)
{
    return vhost_user_front_end_transact(front, request, NULL, 0, NULL, 0, NULL);
}

/* --- negotiation --- */

static int negotiate_protocol(VhostUserFrontEnd *front, uint64_t wanted)
{
    uint64_t offered;
    int result = vhost_user_front_end_get(front, VHOST_USER_GET_PROTOCOL_FEATURES, &offered);

    if (result < 0) {
        return result;
    }
    return vhost_user_front_end_set(front, VHOST_USER_SET_PROTOCOL_FEATURES, offered & wanted);
}

static int ask_limits(VhostUserFrontEnd *front)
{
    int result = 0;

    front->queues = 1;
    front->memory_slots = 0;
    if (vhost_user_front_end_has(front, VHOST_USER_PROTOCOL_F_MQ)) {
        result = vhost_user_front_end_get(front, VHOST_USER_GET_QUEUE_NUM, &front->queues);
    }
    if (result == 0 && vhost_user_front_end_has(front, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
        result =
            vhost_user_front_end_get(front, VHOST_USER_GET_MAX_MEM_SLOTS, &front->memory_slots);
    }
    return result;
}

int vhost_user_front_end_negotiate(VhostUserFrontEnd *front, uint64_t features,
                                   uint64_t protocol_features)
{
    const uint64_t bit_30 = 1ull << VHOST_USER_F_PROTOCOL_FEATURES;
    uint64_t offered;
    int result = vhost_user_front_end_get(front, VHOST_USER_GET_FEATURES, &offered);

    if (result == 0) {
        result = vhost_user_front_end_command(front, VHOST_USER_SET_OWNER);
    }
    /* The offer of bit 30 is enough for these two ("Feature bits"): it is set with the others. */
    front->features |= offered & bit_30;
    if (result == 0 && (offered & bit_30)) {
        result = negotiate_protocol(front, protocol_features);
    }
    if (result == 0) {
        result =
            vhost_user_front_end_set(front, VHOST_USER_SET_FEATURES, offered & (features | bit_30));
    }
    return result < 0 ? result : ask_limits(front);
}

uint64_t vhost_user_front_end_features(const VhostUserFrontEnd *front)
{
    return front->features;
}

uint64_t vhost_user_front_end_protocol_features(const VhostUserFrontEnd *front)
{
    return front->protocol_features;
}

bool vhost_user_front_end_has(const VhostUserFrontEnd *front, VhostUserProtocolFeature feature)
{
    return front->protocol_features >> feature & 1;
}

uint64_t vhost_user_front_end_queues(const VhostUserFrontEnd *front)
{
    return front->queues;
}

uint64_t vhost_user_front_end_memory_slots(const VhostUserFrontEnd *front)
{
    return front->memory_slots;
}

/* --- memory --- */

static VhostUserMemoryRegion region_of(const VhostUserMemoryArea *area)
{
    return (VhostUserMemoryRegion){
        .guest_address = area->guest_address,
        .size = area->size,
        .user_address = (uintptr_t)area->host,
        .mmap_offset = area->offset,
    };
}

static VhostUserMemRegMsg single_of(const VhostUserMemoryArea *area)
{
    return (VhostUserMemRegMsg){.region = region_of(area)};
}

/* "Post-copy": the front-end says that it has read the back-end's addresses; nothing answers. */
static int acknowledge_addresses(VhostUserFrontEnd *front, uint32_t request)
{
    uint64_t done = 0;

    return vhost_user_front_end_send(front, request, 0, &done, sizeof(done), NULL, 0);
}

int vhost_user_front_end_set_table(VhostUserFrontEnd *front, const VhostUserMemoryArea *areas,
                                   size_t count, uint64_t *backend_addresses)
{
    VhostUserMemory memory = {.num_regions = (uint32_t)count};
    int fds[VHOST_USER_MAX_REGIONS_IN_MESSAGE];
    VhostUserFrontEndMessage answer;
    bool postcopy = front->postcopy;

    if (count > VHOST_USER_MAX_REGIONS_IN_MESSAGE) {
        return vhost_user_front_end_fail(front, -E2BIG, "SET_MEM_TABLE",
                                         "%zu regions, at most %u fit a table", count,
                                         VHOST_USER_MAX_REGIONS_IN_MESSAGE);
    }
    for (size_t i = 0; i < count; i++) {
        memory.regions[i] = region_of(&areas[i]);
        fds[i] = areas[i].fd;
    }
    uint32_t size = (uint32_t)(VHOST_USER_MEMORY_HEAD + count * sizeof(memory.regions[0]));
    int result = vhost_user_front_end_transact(front, VHOST_USER_SET_MEM_TABLE, &memory, size, fds,
                                               (unsigned)count, &answer);

    if (result < 0 || !postcopy) {
        return result;
    }
    if (answer.content.payload.memory.num_regions != count) {
        return vhost_user_front_end_fail(front, -EPROTO, "SET_MEM_TABLE",
                                         "%u regions came back of %zu",
                                         answer.content.payload.memory.num_regions, count);
    }
    for (size_t i = 0; backend_addresses && i < count; i++) {
        backend_addresses[i] = answer.content.payload.memory.regions[i].user_address;
    }
    return acknowledge_addresses(front, VHOST_USER_SET_MEM_TABLE);
}

int vhost_user_front_end_add_region(VhostUserFrontEnd *front, const VhostUserMemoryArea *area,
                                    uint64_t *backend_address)
{
    VhostUserMemRegMsg single = single_of(area);
    VhostUserFrontEndMessage answer;
    bool postcopy = front->postcopy;
    int result = vhost_user_front_end_transact(front, VHOST_USER_ADD_MEM_REG, &single,
                                               sizeof(single), &area->fd, 1, &answer);

    if (result < 0 || !postcopy) {
        return result;
    }
    if (backend_address) {
        *backend_address = answer.content.payload.region.region.user_address;
    }
    return acknowledge_addresses(front, VHOST_USER_ADD_MEM_REG);
}

int vhost_user_front_end_remove_region(VhostUserFrontEnd *front, const VhostUserMemoryArea *area)
{
    VhostUserMemRegMsg single = single_of(area);

    return vhost_user_front_end_transact(front, VHOST_USER_REM_MEM_REG, &single, sizeof(single),
                                         NULL, 0, NULL);
}

/* Before the first answer is read a whole window is under way. */
static int add_pipelined(VhostUserFrontEnd *front, const VhostUserMemoryArea *areas, size_t count)
{
    size_t sent = 0, answered = 0;
    int due = 0;

    while (answered < count) {
        if (sent < count && sent - answered < WINDOW) {
            VhostUserMemRegMsg single = single_of(&areas[sent]);

            due = vhost_user_front_end_submit(front, VHOST_USER_ADD_MEM_REG, &single,
                                              sizeof(single), &areas[sent].fd, 1);
            if (due < 0) {
                return due;
            }
            sent++;
            answered += due == VHOST_USER_ANSWER_NONE;
            continue;
        }
        int result = vhost_user_front_end_receive_ack(front, VHOST_USER_ADD_MEM_REG);

        if (result < 0) {
            return result;
        }
        answered++;
    }
    return due == VHOST_USER_ANSWER_NONE ? vhost_user_front_end_barrier(front) : 0;
}

int vhost_user_front_end_add_memory(VhostUserFrontEnd *front, const VhostUserMemoryArea *areas,
                                    size_t count)
{
    int result = 0;

    if (!vhost_user_front_end_has(front, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
        return vhost_user_front_end_set_table(front, areas, count, NULL);
    }
    if (!front->postcopy) {
        return add_pipelined(front, areas, count);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = vhost_user_front_end_add_region(front, &areas[i], NULL);
    }
    return result;
}

/* --- rings --- */

int vhost_user_front_end_set_ring_fd(VhostUserFrontEnd *front, uint32_t request, uint32_t index,
                                     int fd)
{
    uint64_t value =
        (index & VHOST_USER_VRING_IDX_MASK) | (fd < 0 ? VHOST_USER_VRING_NOFD_MASK : 0);

    return vhost_user_front_end_transact(front, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1,
                                         NULL);
}

int vhost_user_front_end_set_ring_state(VhostUserFrontEnd *front, uint32_t request, uint32_t index,
                                        uint32_t value)
{
    VhostUserVringState state = {index, value};

    return vhost_user_front_end_transact(front, request, &state, sizeof(state), NULL, 0, NULL);
}

static int set_addresses(VhostUserFrontEnd *front, const VhostUserRingSetup *ring)
{
    VhostUserVringAddr address = {
        .index = ring->index,
        .flags = ring->flags,
        .descriptor = (uintptr_t)ring->descriptor,
        .used = (uintptr_t)ring->used,
        .available = (uintptr_t)ring->available,
        .log = ring->log,
    };

    return vhost_user_front_end_transact(front, VHOST_USER_SET_VRING_ADDR, &address,
                                         sizeof(address), NULL, 0, NULL);
}

/* The error descriptor is an extra that not every back-end knows: told only if there is one. */
static int set_descriptors(VhostUserFrontEnd *front, const VhostUserRingSetup *ring)
{
    int result = 0;

    if (ring->error >= 0) {
        result = vhost_user_front_end_set_ring_fd(front, VHOST_USER_SET_VRING_ERR, ring->index,
                                                  ring->error);
    }
    if (result == 0) {
        result = vhost_user_front_end_set_ring_fd(front, VHOST_USER_SET_VRING_CALL, ring->index,
                                                  ring->call);
    }
    if (result == 0) {
        result = vhost_user_front_end_set_ring_fd(front, VHOST_USER_SET_VRING_KICK, ring->index,
                                                  ring->kick);
    }
    return result;
}

int vhost_user_front_end_start_ring(VhostUserFrontEnd *front, const VhostUserRingSetup *ring)
{
    int result = vhost_user_front_end_set_ring_state(front, VHOST_USER_SET_VRING_NUM, ring->index,
                                                     ring->size);

    if (result == 0) {
        result = vhost_user_front_end_set_ring_state(front, VHOST_USER_SET_VRING_BASE, ring->index,
                                                     ring->base);
    }
    if (result == 0) {
        result = set_addresses(front, ring);
    }
    if (result == 0) {
        result = set_descriptors(front, ring);
    }
    if (result == 0 && ring->enable && (front->features >> VHOST_USER_F_PROTOCOL_FEATURES & 1)) {
        result =
            vhost_user_front_end_set_ring_state(front, VHOST_USER_SET_VRING_ENABLE, ring->index, 1);
    }
    return result;
}

int vhost_user_front_end_stop_ring(VhostUserFrontEnd *front, uint32_t index, uint32_t *base)
{
    VhostUserVringState state = {index, 0};
    VhostUserFrontEndMessage answer;
    int result = vhost_user_front_end_transact(front, VHOST_USER_GET_VRING_BASE, &state,
                                               sizeof(state), NULL, 0, &answer);

    if (result < 0) {
        return result;
    }
    if (answer.content.payload.state.index != index) {
        return vhost_user_front_end_fail(front, -EPROTO, "GET_VRING_BASE",
                                         "the answer is for queue %u instead of %u",
                                         answer.content.payload.state.index, index);
    }
    *base = answer.content.payload.state.num;
    return 0;
}

/* --- configuration space --- */

int vhost_user_front_end_get_config(VhostUserFrontEnd *front, uint32_t offset, void *bytes,
                                    uint32_t size)
{
    VhostUserConfig config = {.offset = offset, .size = size};
    VhostUserFrontEndMessage answer;

    if (size > VHOST_USER_MAX_CONFIG_SIZE) {
        return vhost_user_front_end_fail(front, -EINVAL, "GET_CONFIG", "%u bytes, at most %u", size,
                                         VHOST_USER_MAX_CONFIG_SIZE);
    }
    int result = vhost_user_front_end_transact(front, VHOST_USER_GET_CONFIG, &config,
                                               VHOST_USER_CONFIG_HEAD + size, NULL, 0, &answer);

    if (result < 0) {
        return result;
    }
    if (answer.header.size == 0 || answer.content.payload.config.size == 0) {
        return vhost_user_front_end_fail(front, -EREMOTEIO, "GET_CONFIG", "the back-end refuses");
    }
    if (answer.content.payload.config.size != size) {
        return vhost_user_front_end_fail(front, -EPROTO, "GET_CONFIG",
                                         "%u bytes came instead of %u",
                                         answer.content.payload.config.size, size);
    }
    memcpy(bytes, answer.content.payload.config.bytes, size);
    return 0;
}

int vhost_user_front_end_set_config(VhostUserFrontEnd *front, uint32_t offset, const void *bytes,
                                    uint32_t size, uint32_t flags)
{
    VhostUserConfig config = {.offset = offset, .size = size, .flags = flags};

    if (size > VHOST_USER_MAX_CONFIG_SIZE) {
        return vhost_user_front_end_fail(front, -EINVAL, "SET_CONFIG", "%u bytes, at most %u", size,
                                         VHOST_USER_MAX_CONFIG_SIZE);
    }
    memcpy(config.bytes, bytes, size);
    return vhost_user_front_end_transact(front, VHOST_USER_SET_CONFIG, &config,
                                         VHOST_USER_CONFIG_HEAD + size, NULL, 0, NULL);
}

/* --- buffers shared beside guest memory --- */

int vhost_user_front_end_get_inflight(VhostUserFrontEnd *front, VhostUserInflight *inflight,
                                      int *fd)
{
    VhostUserFrontEndMessage answer;
    int result = vhost_user_front_end_transact(front, VHOST_USER_GET_INFLIGHT_FD, inflight,
                                               sizeof(*inflight), NULL, 0, &answer);

    if (result < 0) {
        return result;
    }
    if (answer.fd_count == 0) {
        return vhost_user_front_end_fail(front, -EREMOTEIO, "GET_INFLIGHT_FD",
                                         "the back-end has no buffer to give");
    }
    *inflight = answer.content.payload.inflight;
    *fd = answer.fds[0];
    return 0;
}

int vhost_user_front_end_set_inflight(VhostUserFrontEnd *front, const VhostUserInflight *inflight,
                                      int fd)
{
    return vhost_user_front_end_transact(front, VHOST_USER_SET_INFLIGHT_FD, inflight,
                                         sizeof(*inflight), &fd, 1, NULL);
}

int vhost_user_front_end_set_log(VhostUserFrontEnd *front, int fd, uint64_t size, uint64_t offset)
{
    VhostUserLog log = {size, offset};

    return vhost_user_front_end_transact(front, VHOST_USER_SET_LOG_BASE, &log, sizeof(log), &fd, 1,
                                         NULL);
}

/* --- the back-end's own requests --- */

int vhost_user_front_end_open_channel(VhostUserFrontEnd *front)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        return vhost_user_front_end_fail(front, -errno, "SET_BACKEND_REQ_FD", "no sockets: %s",
                                         strerror(errno));
    }
    int result = vhost_user_front_end_transact(front, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0,
                                               &pair[1], 1, NULL);

    close(pair[1]);
    if (result < 0) {
        close(pair[0]);
        return result;
    }
    if (front->channel >= 0) {
        close(front->channel);
    }
    front->channel = pair[0];
    return 0;
}

int vhost_user_front_end_channel(const VhostUserFrontEnd *front)
{
    return front->channel;
}

int vhost_user_front_end_receive_request(VhostUserFrontEnd *front,
                                         VhostUserFrontEndMessage *message)
{
    if (front->channel < 0) {
        return vhost_user_front_end_fail(front, -ENOTCONN, "request of the back-end",
                                         "there is no channel");
    }
    int result = vhost_user_front_end_receive_from(front, front->channel, "request of the back-end",
                                                   message);

    if (result < 0) {
        return result;
    }
    const char *name = vhost_user_backend_request_name(message->header.request);
    const char *problem = vhost_user_validate_backend_request(
        &message->header, message->content.bytes, message->fd_count, UINT32_MAX);

    if (problem) {
        vhost_user_front_end_message_clear(message);
        return vhost_user_front_end_fail(front, -EPROTO, name, "%s", problem);
    }
    if (message->header.flags & VHOST_USER_FLAG_NEED_REPLY) {
        struct {
            VhostUserHeader header;
            uint8_t ack[VHOST_USER_ACK_SIZE];
        } answer = {.header = {message->header.request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
                               VHOST_USER_ACK_SIZE}};

        result = vhost_user_front_end_send_through(front, front->channel, name, &answer,
                                                   sizeof(answer), NULL, 0);
        if (result < 0) {
            vhost_user_front_end_message_clear(message);
        }
    }
    return result;
}
