/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each message does to the scripted backend, and what it holds against the front end.
 */
#include "qtest/backend-session.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void session_violation(Backend *backend, const char *where, const char *what)
{
    if (!backend->violation) {
        backend->violation = g_strdup_printf("%s: %s", where, what);
    }
}

static gboolean negotiated(Backend *backend, VhostUserProtocolFeature feature)
{
    return !!(backend->protocol_features & (1ull << feature));
}

static int take(int *fds, guint count)
{
    int fd = count ? fds[0] : -1;

    if (count) {
        fds[0] = -1;
    }
    return fd;
}

/* --- rings --- */

static BackendRing *ring_at(Backend *backend, uint32_t index)
{
    if (backend->rings->len <= index) {
        g_ptr_array_set_size(backend->rings, index + 1);
    }
    if (!backend->rings->pdata[index]) {
        backend->rings->pdata[index] = ring_new();
    }
    return backend->rings->pdata[index];
}

/* Whether rings are looked at. */
static gboolean serves(Backend *backend)
{
    return (backend->disk.size || backend->config.echo || backend->config.network) &&
           !backend->config.count_only;
}

static guint index_of(Backend *backend, BackendRing *ring)
{
    guint index = 0;

    g_ptr_array_find(backend->rings, ring, &index);
    return index;
}

static void serve(Backend *backend, BackendRing *ring)
{
    gboolean event_index = !!(backend->features & (1ull << VIRTIO_RING_F_EVENT_IDX));
    const char *wrong;

    if (!ring->running || !ring->enabled || ring->packed || !serves(backend)) {
        return;
    }
    if (backend->config.network) {
        wrong = network_serve(&backend->network, ring, index_of(backend, ring), &backend->memory,
                              event_index);
        g_cond_broadcast(&backend->changed);
    } else {
        wrong =
            ring_serve(ring, &backend->memory, event_index, UINT_MAX, disk_execute, &backend->disk);
    }
    if (wrong) {
        session_violation(backend, "ring", wrong);
        ring->running = FALSE;
    }
}

void session_add_kicks(Backend *backend, GArray *pollers)
{
    for (guint i = 0; i < backend->rings->len && serves(backend); i++) {
        BackendRing *ring = backend->rings->pdata[i];

        if (ring && ring->running && !ring->packed && ring->kick >= 0 &&
            !backend->config.count_only) {
            struct pollfd poller = {.fd = ring->kick, .events = POLLIN};

            g_array_append_val(pollers, poller);
        }
    }
}

void session_kick(Backend *backend, int fd)
{
    g_mutex_lock(&backend->lock);
    for (guint i = 0; i < backend->rings->len; i++) {
        BackendRing *ring = backend->rings->pdata[i];

        if (ring && ring->kick == fd) {
            uint64_t kicks;

            if (read(fd, &kicks, sizeof(kicks)) == sizeof(kicks)) {
                serve(backend, ring);
            }
        }
    }
    g_mutex_unlock(&backend->lock);
}

/* Replaces one of a ring's descriptors by that of the message. */
static void set_fd(int *place, int *fds, guint fd_count)
{
    if (*place >= 0) {
        close(*place);
    }
    *place = take(fds, fd_count);
}

static const char *start_ring(Backend *backend, BackendRing *ring, int *fds, guint fd_count)
{
    set_fd(&ring->kick, fds, fd_count);
    ring->packed = !!(backend->features & (1ull << VIRTIO_F_RING_PACKED));
    if (!backend->config.count_only && !ring_resolve(ring, &backend->memory)) {
        return "a ring is started that lies outside the memory that is mapped";
    }
    ring->running = TRUE;
    /* "Ring states": without bit 30 a ring is enabled from the start. */
    ring->enabled |= !(backend->features & (1ull << VHOST_USER_F_PROTOCOL_FEATURES));
    serve(backend, ring);
    return NULL;
}

static void stop_ring(BackendRing *ring)
{
    ring->running = FALSE;
    ring->generation = 0;
    if (ring->kick >= 0) {
        close(ring->kick);
        ring->kick = -1;
    }
}

static void stop_all(Backend *backend)
{
    for (guint i = 0; i < backend->rings->len; i++) {
        if (backend->rings->pdata[i]) {
            stop_ring(backend->rings->pdata[i]);
        }
    }
}

/* A change of the table must leave running rings where they are. */
static const char *check_rings(Backend *backend)
{
    for (guint i = 0; i < backend->rings->len; i++) {
        BackendRing *ring = backend->rings->pdata[i];

        if (ring && ring->running && !backend->config.count_only &&
            !ring_resolve(ring, &backend->memory)) {
            ring->running = FALSE;
            return "the memory of a running ring is gone";
        }
    }
    return NULL;
}

/* --- memory --- */

static const char *add_region(Backend *backend, const VhostUserMemoryRegion *region, int *fds,
                              guint fd_count)
{
    if (backend->memory.regions->len >= backend->config.slots) {
        return "more regions than slots";
    }
    return memory_add_region(&backend->memory, region, fd_count ? fds[0] : -1);
}

static const char *remove_region(Backend *backend, const VhostUserMemoryRegion *region)
{
    const char *reason = memory_remove_region(&backend->memory, region);

    return reason ? reason : check_rings(backend);
}

static const char *set_table(Backend *backend, const VhostUserMemory *table, int *fds,
                             guint fd_count)
{
    if (negotiated(backend, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
        return "sent although memory slots were negotiated";
    }
    memory_clear(&backend->memory);
    for (uint32_t i = 0; i < table->num_regions && i < fd_count; i++) {
        const char *reason = memory_add_region(&backend->memory, &table->regions[i], fds[i]);

        if (reason) {
            return reason;
        }
    }
    return check_rings(backend);
}

/* --- the rest --- */

static void get_config(Backend *backend, const VhostUserConfig *asked, BackendReply *reply)
{
    VhostUserConfig *config = &reply->payload.config;
    uint64_t sectors = backend->disk.size / 512;

    *config = *asked;
    if (asked->offset > VHOST_USER_MAX_CONFIG_SIZE ||
        asked->size > VHOST_USER_MAX_CONFIG_SIZE - asked->offset) {
        config->size = 0;
        reply->size = VHOST_USER_CONFIG_HEAD;
        return;
    }
    if (sectors) {
        memcpy(backend->config.config + offsetof(struct virtio_blk_config, capacity), &sectors,
               sizeof(sectors));
    }
    memcpy(config->bytes, backend->config.config + asked->offset, asked->size);
    reply->size = VHOST_USER_CONFIG_HEAD + asked->size;
}

static const char *set_config(Backend *backend, const VhostUserConfig *config)
{
    if (config->offset > VHOST_USER_MAX_CONFIG_SIZE ||
        config->size > VHOST_USER_MAX_CONFIG_SIZE - config->offset) {
        return "outside of the configuration space";
    }
    memcpy(backend->config.config + config->offset, config->bytes, config->size);
    if (backend->config.select) {
        backend->config.config[2] = backend->config.config[0] ^ backend->config.config[1];
    }
    return NULL;
}

static uint64_t file_number(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

static const char *get_inflight(Backend *backend, const VhostUserInflight *asked,
                                BackendReply *reply)
{
    VhostUserInflight *inflight = &reply->payload.inflight;

    *inflight = *asked;
    inflight->mmap_size = 4096 + 64ull * asked->num_queues * (asked->queue_size + 1ull);
    inflight->mmap_offset = 0;
    reply->size = sizeof(*inflight);
    reply->fd = backend->config.inflight ? fcntl(backend->config.inflight, F_DUPFD_CLOEXEC, 0)
                                         : memfd_create("inflight", MFD_CLOEXEC);
    backend->inflight = *inflight;
    backend->inflight_file = file_number(reply->fd);
    return !backend->config.inflight && ftruncate(reply->fd, (off_t)inflight->mmap_size)
               ? "no memory"
               : NULL;
}

/* "Inflight I/O tracking": the buffer comes back as it was given. */
static const char *set_inflight(Backend *backend, const VhostUserInflight *inflight, int fd)
{
    const VhostUserInflight *given = &backend->inflight;

    if (inflight->mmap_size != given->mmap_size || inflight->mmap_offset != given->mmap_offset ||
        inflight->num_queues != given->num_queues || inflight->queue_size != given->queue_size) {
        return "not the description that was given";
    }
    return file_number(fd) == backend->inflight_file ? NULL : "not the file that was given";
}

static void reply_number(BackendReply *reply, uint64_t number)
{
    reply->payload.u64 = number;
    reply->size = sizeof(number);
}

static const char *handle_ring(Backend *backend, const VhostUserHeader *header,
                               const VhostUserPayload *payload, int *fds, guint fd_count,
                               BackendReply *reply)
{
    /* The index is the first member of each of these payloads; descriptor messages keep a flag
     * above it. */
    BackendRing *ring = ring_at(backend, payload->state.index & VHOST_USER_VRING_IDX_MASK);

    switch (header->request) {
    case VHOST_USER_SET_VRING_NUM:
        ring->size = payload->state.num;
        ring->generation = 0;
        return NULL;
    case VHOST_USER_SET_VRING_ADDR:
        ring->address = payload->address;
        ring->generation = 0;
        return NULL;
    case VHOST_USER_SET_VRING_BASE:
        ring->base = payload->state.num;
        ring->next = (uint16_t)payload->state.num;
        return NULL;
    case VHOST_USER_GET_VRING_BASE:
        stop_ring(ring);
        reply->payload.state =
            (VhostUserVringState){payload->state.index, ring->packed ? ring->base : ring->next};
        reply->size = sizeof(VhostUserVringState);
        return NULL;
    case VHOST_USER_SET_VRING_KICK:
        if (backend->config.blocking && fd_count > 0) {
            fcntl(fds[0], F_SETFL, 0);
        }
        return start_ring(backend, ring, fds, fd_count);
    case VHOST_USER_SET_VRING_CALL:
        if (backend->config.blocking && fd_count > 0) {
            fcntl(fds[0], F_SETFL, 0);
        }
        set_fd(&ring->call, fds, fd_count);
        return NULL;
    case VHOST_USER_SET_VRING_ERR:
        set_fd(&ring->err, fds, fd_count);
        return NULL;
    default: /* SET_VRING_ENABLE */
        ring->enabled = !!payload->state.num;
        serve(backend, ring);
        return NULL;
    }
}

const char *session_handle(Backend *backend, const VhostUserHeader *header,
                           const VhostUserPayload *payload, int *fds, guint fd_count,
                           BackendReply *reply)
{
    switch (header->request) {
    case VHOST_USER_GET_FEATURES:
        reply_number(reply, backend->config.features);
        return NULL;
    case VHOST_USER_SET_FEATURES:
        backend->features = payload->u64;
        return payload->u64 & ~backend->config.features ? "a feature that was not offered" : NULL;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        reply_number(reply, backend->config.protocol_features);
        return NULL;
    case VHOST_USER_SET_PROTOCOL_FEATURES:
        backend->protocol_features = payload->u64;
        return payload->u64 & ~backend->config.protocol_features ? "a feature that was not offered"
                                                                 : NULL;
    case VHOST_USER_GET_QUEUE_NUM:
        reply_number(reply, backend->config.queues);
        return NULL;
    case VHOST_USER_GET_MAX_MEM_SLOTS:
        reply_number(reply, backend->config.slots);
        return backend->slots_asked++ ? "asked twice in one connection" : NULL;
    case VHOST_USER_ADD_MEM_REG:
        return add_region(backend, &payload->region.region, fds, fd_count);
    case VHOST_USER_REM_MEM_REG:
        return remove_region(backend, &payload->region.region);
    case VHOST_USER_SET_MEM_TABLE:
        return set_table(backend, &payload->memory, fds, fd_count);
    case VHOST_USER_GET_CONFIG:
        get_config(backend, &payload->config, reply);
        return NULL;
    case VHOST_USER_SET_CONFIG:
        return set_config(backend, &payload->config);
    case VHOST_USER_SET_BACKEND_REQ_FD:
        set_fd(&backend->channel, fds, fd_count);
        return NULL;
    case VHOST_USER_GET_INFLIGHT_FD:
        return get_inflight(backend, &payload->inflight, reply);
    case VHOST_USER_SET_INFLIGHT_FD:
        return set_inflight(backend, &payload->inflight, fd_count ? fds[0] : -1);
    case VHOST_USER_RESET_OWNER:
    case VHOST_USER_RESET_DEVICE:
        stop_all(backend);
        return NULL;
    case VHOST_USER_SET_STATUS:
        backend->status = payload->u64;
        return NULL;
    case VHOST_USER_GET_STATUS:
        reply_number(reply, backend->status);
        return NULL;
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_ADDR:
    case VHOST_USER_SET_VRING_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_SET_VRING_KICK:
    case VHOST_USER_SET_VRING_CALL:
    case VHOST_USER_SET_VRING_ERR:
    case VHOST_USER_SET_VRING_ENABLE:
        return handle_ring(backend, header, payload, fds, fd_count, reply);
    default: /* nothing to do, and no reply that this backend could give */
        return NULL;
    }
}
