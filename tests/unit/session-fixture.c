/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session-fixture.h"

#include "system/main-loop.h"
#include "util/fd.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

guint session_reply_timeout;

static void keep_message(SessionFixture *f, const GError *error)
{
    g_clear_pointer(&f->message, g_free);
    f->message = error != NULL ? g_strdup(error->message) : NULL;
}

static void on_config(gpointer opaque)
{
    ((SessionFixture *)opaque)->configs++;
}

static void on_start_failed(gpointer opaque, const GError *error)
{
    ((SessionFixture *)opaque)->failed_starts++;
    keep_message(opaque, error);
}

static void on_lost(gpointer opaque, const GError *error)
{
    ((SessionFixture *)opaque)->lost++;
    g_assert_nonnull(error);
}

void session_done(gpointer opaque, const GError *error)
{
    ((SessionFixture *)opaque)->answers++;
    keep_message(opaque, error);
}

void session_wait(guint *counter, guint value)
{
    gint64 limit = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (*counter < value) {
        g_assert_cmpint(g_get_monotonic_time(), <, limit);
        main_loop_turn();
    }
}

static gboolean wake_up(gpointer opaque G_GNUC_UNUSED)
{
    return G_SOURCE_REMOVE;
}

void session_wait_request(SessionFixture *f, uint32_t request, guint value)
{
    while (backend_count(&f->backend, request) < value) {
        g_timeout_add(1, wake_up, NULL);
        main_loop_turn();
    }
}

MemorySection session_new_section(SessionFixture *f, const char *name, uint64_t address)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    RamBlock *block;

    g_assert_cmpint(ftruncate(fd, MIB), ==, 0);
    block = ram_block_new(name, fd, 0, MIB, 4096, 0, TRUE, FALSE, NULL);
    g_ptr_array_add(f->blocks, block);
    return (MemorySection){.guest_address = address, .size = MIB, .block = block};
}

static const VhostUserCallbacks callbacks = {
    .config_changed = on_config,
    .start_failed = on_start_failed,
    .lost = on_lost,
};

void session_connect_backend(SessionFixture *f, VhostUserSession *before)
{
    VhostUserConnection connection = {.name = "b0",
                                      .chardev = "c0",
                                      .reply_timeout = session_reply_timeout,
                                      .may_return = TRUE,
                                      .before = before};
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    f->backend.socket = ends[0];
    f->backend.thread = g_thread_new("backend", backend_thread, &f->backend);
    connection.socket = ends[1];
    f->session = vhost_user_session_new(&connection, &f->needs, &callbacks, f);
}

void session_begin_device(SessionFixture *f, uint64_t protocol_features, uint64_t slots)
{
    memset(f, 0, sizeof(*f));
    f->blocks = g_ptr_array_new_with_free_func((GDestroyNotify)ram_block_unref);
    f->kick = event_fd_new(NULL);
    f->call = event_fd_new(NULL);

    f->backend = (Backend){
        .log = g_string_new(NULL),
        .features = BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(50),
        .protocol_features = protocol_features | BIT(VHOST_USER_PROTOCOL_F_XEN_MMAP),
        .slots = slots,
        .requests = -1,
        .config_byte = 0x11,
    };
    pthread_mutex_init(&f->backend.lock, NULL);
    f->needs = (VhostUserNeeds){.config_size = 60, .needs_config = TRUE, .queues = 2};
    session_connect_backend(f, NULL);
}

void session_begin(SessionFixture *f, uint64_t protocol_features, uint64_t slots)
{
    MemorySection boot;

    session_begin_device(f, protocol_features, slots);
    boot = session_new_section(f, "boot", 0);
    g_assert_true(memory_add_boot(&boot, NULL));
}

void session_connect(SessionFixture *f)
{
    vhost_user_session_connect(f->session, session_done, f);
    session_wait(&f->answers, f->answers + 1);
}

void session_start(SessionFixture *f)
{
    VhostUserRing ring = {.size = 8,
                          .enabled = TRUE,
                          .descriptor_area = 0x1000,
                          .driver_area = 0x2000,
                          .device_area = 0x3000,
                          .kick = f->kick,
                          .call = f->call};

    vhost_user_session_start(f->session, BIT(VIRTIO_F_VERSION_1), &ring, 1);
}

void session_stop(SessionFixture *f)
{
    vhost_user_session_stop(f->session, TRUE, session_done, f);
    session_wait(&f->answers, f->answers + 1);
}

void session_end_device_with(SessionFixture *f, guint expected)
{
    guint answers = f->answers;

    vhost_user_session_end(f->session, session_done, f);
    session_wait(&f->answers, answers + expected);
    shutdown(f->backend.socket, SHUT_RDWR);
    g_thread_join(f->backend.thread);
    g_ptr_array_unref(f->blocks);
    fd_clear(&f->backend.socket);
    fd_clear(&f->backend.requests);
    fd_clear(&f->kick);
    fd_clear(&f->call);
    g_string_free(f->backend.log, TRUE);
    pthread_mutex_destroy(&f->backend.lock);
    g_free(f->message);
}

void session_end_device(SessionFixture *f)
{
    session_end_device_with(f, 1);
}

void session_end(SessionFixture *f)
{
    session_end_device(f);
    memory_clear();
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

void session_add_memory(SessionFixture *f, const char *name, uint64_t address)
{
    MemorySection section = session_new_section(f, name, address);
    g_autoptr(GError) error = NULL;

    g_assert_true(memory_add(&section, session_done, f, &error));
    session_wait(&f->answers, f->answers + 1);
}
