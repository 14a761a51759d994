/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripted backend: its thread, what tests see of it, and its connection.
 */
#include "qtest/backend-session.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void backend_config_init(BackendConfig *config)
{
    struct virtio_blk_config block = {.seg_max = 126,
                                      .blk_size = 512,
                                      .num_queues = 1,
                                      .max_discard_sectors = 65536,
                                      .max_discard_seg = 1,
                                      .discard_sector_alignment = 1,
                                      .max_write_zeroes_sectors = 65536,
                                      .max_write_zeroes_seg = 1};

    memset(config, 0, sizeof(*config));
    config->features = 1ull << VHOST_USER_F_PROTOCOL_FEATURES | 1ull << VIRTIO_F_VERSION_1 |
                       1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX |
                       1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE |
                       1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_MQ |
                       1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
    config->protocol_features =
        1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
        1ull << VHOST_USER_PROTOCOL_F_CONFIG | 1ull << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
        1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ;
    config->slots = 32;
    config->queues = 8;
    config->keep_log = TRUE;
    config->disk_size = 1 << 20;
    memcpy(config->config, &block, sizeof(block));
}

static void wake(Backend *backend)
{
    eventfd_write(backend->wake, 1);
}

/* --- connections: in the thread --- */

static void close_connection(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    close(backend->socket);
    backend->socket = -1;
    session_end(backend);
    g_cond_broadcast(&backend->changed);
    g_mutex_unlock(&backend->lock);
}

static void begin_connection(Backend *backend, int socket)
{
    g_mutex_lock(&backend->lock);
    backend->socket = socket;
    backend->connections++;
    session_begin(backend);
    g_cond_broadcast(&backend->changed);
    g_mutex_unlock(&backend->lock);
}

/* One try. */
static void try_connect(Backend *backend)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, backend->path, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        g_atomic_int_set(&backend->connecting, FALSE);
        begin_connection(backend, fd);
    } else {
        close(fd);
        if (g_get_monotonic_time() > backend->connect_deadline) {
            g_atomic_int_set(&backend->connecting, FALSE);
        }
    }
}

/* Descriptors to wait for; serving a kick or a message is the caller's. */
static void wait_for_work(Backend *backend, GArray *pollers, int timeout)
{
    struct pollfd poller = {.fd = backend->wake, .events = POLLIN};
    gboolean hung = g_atomic_int_get(&backend->hung);

    g_array_set_size(pollers, 0);
    g_array_append_val(pollers, poller);
    poller.fd = backend->socket;
    poller.events = hung ? 0 : POLLIN; /* POLLHUP comes in any case */
    g_array_append_val(pollers, poller);
    poller.fd = backend->socket < 0 ? backend->listener : -1;
    poller.events = POLLIN;
    g_array_append_val(pollers, poller);
    if (!hung) {
        session_add_kicks(backend, pollers);
    }
    poll((struct pollfd *)pollers->data, pollers->len, timeout);
}

static void turn(Backend *backend, GArray *pollers)
{
    const struct pollfd *poller;
    gboolean connecting = g_atomic_int_get(&backend->connecting) && backend->socket < 0;

    wait_for_work(backend, pollers, connecting ? 2 : -1);
    poller = (const struct pollfd *)pollers->data;
    if (poller[0].revents) {
        eventfd_t value;

        eventfd_read(backend->wake, &value);
    }
    if (poller[2].revents) {
        int fd = accept4(backend->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            begin_connection(backend, fd);
        }
        return;
    }
    if (connecting) {
        try_connect(backend);
        return;
    }
    for (guint i = 3; i < pollers->len; i++) {
        if (poller[i].revents) {
            session_kick(backend, poller[i].fd);
        }
    }
    if (poller[1].revents && (g_atomic_int_get(&backend->hung) || !session_message(backend))) {
        close_connection(backend);
    }
}

static gpointer run(gpointer opaque)
{
    Backend *backend = opaque;
    g_autoptr(GArray) pollers = g_array_new(FALSE, FALSE, sizeof(struct pollfd));

    while (!g_atomic_int_get(&backend->ending)) {
        int next = g_atomic_int_exchange(&backend->next_socket, -1);

        if (next >= 0) {
            if (backend->socket >= 0) {
                close_connection(backend);
            }
            begin_connection(backend, next);
        }
        turn(backend, pollers);
    }
    if (backend->socket >= 0) {
        close_connection(backend);
    }
    return NULL;
}

/* --- life --- */

static void make_disk(Backend *backend, uint64_t size)
{
    backend->disk.size = size;
    if (size) {
        backend->disk.bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (backend->disk.bytes == MAP_FAILED) {
            vmm_fail("backend: RAM disk: %s", g_strerror(errno));
        }
    }
}

Backend *backend_new(const BackendConfig *config)
{
    Backend *backend = g_new0(Backend, 1);

    g_mutex_init(&backend->lock);
    g_cond_init(&backend->changed);
    backend->config = *config;
    backend->socket = backend->listener = backend->next_socket = backend->channel = -1;
    backend->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    backend->log = g_array_new(FALSE, FALSE, sizeof(BackendMessage));
    backend->faults = g_array_new(FALSE, FALSE, sizeof(ArmedFault));
    backend->rings = g_ptr_array_new_with_free_func((GDestroyNotify)ring_free);
    memory_init(&backend->memory);
    make_disk(backend, config->disk_size);
    return backend;
}

/* The thread starts with the first way to a connection. */
static void start_thread(Backend *backend)
{
    if (!backend->thread) {
        backend->thread = g_thread_new("backend", run, backend);
    }
    wake(backend);
}

void backend_free(Backend *backend)
{
    if (!backend) {
        return;
    }
    g_atomic_int_set(&backend->ending, TRUE);
    backend_hang_up(backend);
    wake(backend);
    if (backend->thread) {
        g_thread_join(backend->thread);
    }
    if (backend->listener >= 0) {
        close(backend->listener);
        unlink(backend->path);
    }
    if (backend->next_socket >= 0) {
        close(backend->next_socket);
    }
    if (backend->disk.bytes) {
        munmap(backend->disk.bytes, backend->disk.size);
    }
    close(backend->wake);
    memory_free(&backend->memory);
    g_ptr_array_free(backend->rings, TRUE);
    g_array_free(backend->log, TRUE);
    g_array_free(backend->faults, TRUE);
    network_clear(&backend->network);
    g_free(backend->violation);
    g_free(backend->path);
    g_mutex_clear(&backend->lock);
    g_cond_clear(&backend->changed);
    g_free(backend);
}

gboolean backend_listen(Backend *backend, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 8)) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "backend '%s': %s", path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return FALSE;
    }
    backend->path = g_strdup(path);
    backend->listener = fd;
    start_thread(backend);
    return TRUE;
}

gboolean backend_connect(Backend *backend, const char *path, GError **error)
{
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG, "backend '%s': too long", path);
        return FALSE;
    }
    if (g_strcmp0(backend->path, path)) {
        g_free(backend->path);
        backend->path = g_strdup(path);
    }
    backend->connect_deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    g_atomic_int_set(&backend->connecting, TRUE);
    start_thread(backend);
    return TRUE;
}

void backend_take_socket(Backend *backend, int socket)
{
    g_atomic_int_set(&backend->next_socket, socket);
    start_thread(backend);
}

Backend *backend_start(const BackendConfig *config)
{
    static gint number;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strdup_printf("backend%d", g_atomic_int_add(&number, 1));
    g_autofree char *path = vmm_temporary_path(name);
    Backend *backend = backend_new(config);

    if (!backend_listen(backend, path, &error)) {
        vmm_fail("%s", error->message);
    }
    return backend;
}

const char *backend_path(Backend *backend)
{
    return backend->path;
}

void backend_set_config(Backend *backend, const BackendConfig *config)
{
    g_mutex_lock(&backend->lock);
    backend->config = *config;
    g_mutex_unlock(&backend->lock);
}

void backend_hang_up(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    if (backend->socket >= 0) {
        shutdown(backend->socket, SHUT_RDWR); /* the thread reads the end of the stream */
    }
    g_mutex_unlock(&backend->lock);
}

/* --- what tests see --- */

gboolean backend_connected(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    gboolean connected = backend->socket >= 0;
    g_mutex_unlock(&backend->lock);
    return connected;
}

guint backend_connections(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    guint connections = backend->connections;
    g_mutex_unlock(&backend->lock);
    return connections;
}

uint64_t backend_count(Backend *backend, uint32_t request)
{
    g_mutex_lock(&backend->lock);
    uint64_t count = request < VHOST_USER_REQUEST_COUNT ? backend->counts[request] : 0;
    g_mutex_unlock(&backend->lock);
    return count;
}

uint64_t backend_total(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    uint64_t total = backend->total;
    g_mutex_unlock(&backend->lock);
    return total;
}

gboolean backend_message(Backend *backend, guint index, BackendMessage *message)
{
    g_mutex_lock(&backend->lock);
    gboolean there = index < backend->log->len;
    if (there) {
        *message = g_array_index(backend->log, BackendMessage, index);
    }
    g_mutex_unlock(&backend->lock);
    return there;
}

gboolean backend_find_message(Backend *backend, uint32_t request, guint occurrence,
                              BackendMessage *message)
{
    for (guint i = 0; backend_message(backend, i, message); i++) {
        if (message->header.request == request && --occurrence == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

gboolean backend_wait(Backend *backend, uint32_t request, uint64_t count, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    gboolean ok = TRUE;

    g_mutex_lock(&backend->lock);
    while (ok && backend->counts[request] < count) {
        ok = g_cond_wait_until(&backend->changed, &backend->lock, deadline);
    }
    g_mutex_unlock(&backend->lock);
    return ok;
}

gboolean backend_wait_connections(Backend *backend, guint count, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    gboolean ok = TRUE;

    g_mutex_lock(&backend->lock);
    while (ok && backend->connections < count) {
        ok = g_cond_wait_until(&backend->changed, &backend->lock, deadline);
    }
    g_mutex_unlock(&backend->lock);
    return ok;
}

void backend_clear(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    memset(backend->counts, 0, sizeof(backend->counts));
    backend->total = 0;
    g_array_set_size(backend->log, 0);
    g_mutex_unlock(&backend->lock);
}

const char *backend_violation(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    const char *violation = backend->violation;
    g_mutex_unlock(&backend->lock);
    return violation;
}

guint backend_regions(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    guint count = backend->memory.regions->len;
    g_mutex_unlock(&backend->lock);
    return count;
}

gboolean backend_region(Backend *backend, guint index, VhostUserMemoryRegion *region)
{
    g_mutex_lock(&backend->lock);
    gboolean there = index < backend->memory.regions->len;
    if (there) {
        *region = g_array_index(backend->memory.regions, MappedRegion, index).wire;
    }
    g_mutex_unlock(&backend->lock);
    return there;
}

gboolean backend_memory_read(Backend *backend, uint64_t guest_address, void *bytes, gsize size)
{
    uint64_t left = 0;

    g_mutex_lock(&backend->lock);
    uint8_t *memory = memory_by_guest(&backend->memory, guest_address, &left);
    if (memory && size <= left) {
        memcpy(bytes, memory, size);
    }
    g_mutex_unlock(&backend->lock);
    return memory && size <= left;
}

gboolean backend_memory_write(Backend *backend, uint64_t guest_address, const void *bytes,
                              gsize size)
{
    uint64_t left = 0;

    g_mutex_lock(&backend->lock);
    uint8_t *memory = memory_by_guest(&backend->memory, guest_address, &left);
    if (memory && size <= left) {
        memcpy(memory, bytes, size);
    }
    g_mutex_unlock(&backend->lock);
    return memory && size <= left;
}

guint backend_rings_running(Backend *backend)
{
    guint count = 0;

    g_mutex_lock(&backend->lock);
    for (guint i = 0; i < backend->rings->len; i++) {
        BackendRing *ring = backend->rings->pdata[i];

        count += ring && ring->running && ring->enabled;
    }
    g_mutex_unlock(&backend->lock);
    return count;
}

uint8_t *backend_disk(Backend *backend)
{
    return backend->disk.bytes;
}

uint64_t backend_requests(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    uint64_t requests = backend->disk.requests;
    g_mutex_unlock(&backend->lock);
    return requests;
}

gboolean backend_config_change(Backend *backend, const uint8_t *config)
{
    VhostUserHeader header = {.request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                              .flags = VHOST_USER_VERSION};
    gboolean ok;

    g_mutex_lock(&backend->lock);
    memcpy(backend->config.config, config, sizeof(backend->config.config));
    ok = backend->channel >= 0 &&
         send(backend->channel, &header, sizeof(header), MSG_NOSIGNAL) == sizeof(header);
    g_mutex_unlock(&backend->lock);
    return ok;
}

gboolean backend_send_fds(Backend *backend, const void *bytes, gsize size, const int *fds,
                          guint count)
{
    char control[CMSG_SPACE(sizeof(int) * 16)] __attribute__((aligned(8))) = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    gboolean ok;

    g_assert_cmpuint(count, <=, 16);
    if (count > 0) {
        struct cmsghdr *header = (struct cmsghdr *)(void *)control;

        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    }
    g_mutex_lock(&backend->lock);
    ok = backend->channel >= 0 &&
         sendmsg(backend->channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
    g_mutex_unlock(&backend->lock);
    return ok;
}

gboolean backend_send(Backend *backend, const void *bytes, gsize size)
{
    return backend_send_fds(backend, bytes, size, NULL, 0);
}

gboolean backend_receive(Backend *backend, void *bytes, gsize size, guint milliseconds)
{
    gint64 end = g_get_monotonic_time() + milliseconds * INT64_C(1000);
    gsize have = 0;

    while (have < size && g_get_monotonic_time() < end) {
        ssize_t got;

        g_mutex_lock(&backend->lock);
        got = backend->channel < 0
                  ? 0
                  : recv(backend->channel, (char *)bytes + have, size - have, MSG_DONTWAIT);
        g_mutex_unlock(&backend->lock);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            return FALSE;
        }
        if (got > 0) {
            have += got;
        } else {
            g_usleep(1000);
        }
    }
    return have == size;
}

/* --- faults --- */

void backend_fault(Backend *backend, const BackendFault *fault)
{
    ArmedFault armed = {.fault = *fault};

    g_mutex_lock(&backend->lock);
    g_array_append_val(backend->faults, armed);
    g_mutex_unlock(&backend->lock);
}

void backend_faults_clear(Backend *backend)
{
    g_mutex_lock(&backend->lock);
    g_array_set_size(backend->faults, 0);
    g_atomic_int_set(&backend->hung, FALSE);
    g_mutex_unlock(&backend->lock);
    wake(backend);
}

const char *fault_name(FaultKind kind)
{
    static const char *const names[FAULT_KIND_COUNT] = {
        [FAULT_REFUSE] = "refuse",
        [FAULT_DELAY] = "delay",
        [FAULT_HANG] = "hang",
        [FAULT_NO_ANSWER] = "no answer",
        [FAULT_WRONG_REQUEST] = "wrong request",
        [FAULT_SHORT] = "short",
        [FAULT_LONG] = "long",
        [FAULT_EMPTY] = "empty",
        [FAULT_HUGE] = "huge",
        [FAULT_NO_REPLY_FLAG] = "no reply flag",
        [FAULT_WRONG_VERSION] = "wrong version",
        [FAULT_EXTRA_ANSWER] = "extra answer",
        [FAULT_EXTRA_FD] = "extra descriptor",
        [FAULT_GARBAGE] = "garbage",
        [FAULT_PARTIAL] = "half an answer",
        [FAULT_CLOSE_BEFORE] = "hang up before",
        [FAULT_CLOSE_AFTER] = "hang up after",
    };

    return (guint)kind < FAULT_KIND_COUNT ? names[kind] : "unknown";
}
