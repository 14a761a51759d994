/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session against a small backend in a thread: which messages go out, in which order, and what
 * happens when the backend refuses, hangs or hangs up.
 */
#include "hw/virtio/vhost-user.h"
#include "session-backend.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "util/fd.h"
#include "util/json.h"

#include <linux/virtio_config.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define BIT(number) (UINT64_C(1) << (number))

/* --- the device --- */

static guint reply_timeout; /* of sessions, 0: the default */

typedef struct Fixture {
    Backend backend;
    VhostUserSession *session;
    VhostUserNeeds needs;
    guint configs, lost, failed_starts, answers;
    char *message; /* of the last error that anything reported */
    GPtrArray *blocks;
    int kick, call;
} Fixture;

static void keep_message(Fixture *f, const GError *error)
{
    g_clear_pointer(&f->message, g_free);
    f->message = error != NULL ? g_strdup(error->message) : NULL;
}

static void on_config(gpointer opaque)
{
    ((Fixture *)opaque)->configs++;
}

static void on_start_failed(gpointer opaque, const GError *error)
{
    ((Fixture *)opaque)->failed_starts++;
    keep_message(opaque, error);
}

static void on_lost(gpointer opaque, const GError *error)
{
    ((Fixture *)opaque)->lost++;
    g_assert_nonnull(error);
}

static void on_done(gpointer opaque, const GError *error)
{
    ((Fixture *)opaque)->answers++;
    keep_message(opaque, error);
}

static void wait_for(guint *counter, guint value)
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

/* Until the backend has seen @request @value times. */
static void wait_for_count(Fixture *f, uint32_t request, guint value)
{
    while (backend_count(&f->backend, request) < value) {
        g_timeout_add(1, wake_up, NULL);
        main_loop_turn();
    }
}

static MemorySection new_section(Fixture *f, const char *name, uint64_t address)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    RamBlock *block;

    g_assert_cmpint(ftruncate(fd, MIB), ==, 0);
    block = ram_block_new(name, fd, 0, MIB, 4096, 0, TRUE, FALSE, NULL);
    g_ptr_array_add(f->blocks, block);
    return (MemorySection){.guest_address = address, .size = MIB, .block = block};
}

#define ALL_PROTOCOL                                                                               \
    (BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                        \
     BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |                  \
     BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

static const VhostUserCallbacks callbacks = {on_config, on_start_failed, on_lost, NULL};

static void connect_backend(Fixture *f, VhostUserSession *before)
{
    VhostUserConnection connection = {.name = "b0",
                                      .chardev = "c0",
                                      .reply_timeout = reply_timeout,
                                      .may_return = TRUE,
                                      .before = before};
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    f->backend.socket = ends[0];
    f->backend.thread = g_thread_new("backend", backend_thread, &f->backend);
    connection.socket = ends[1];
    f->session = vhost_user_session_new(&connection, &f->needs, &callbacks, f);
}

static void begin_device(Fixture *f, uint64_t protocol_features, uint64_t slots)
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
    connect_backend(f, NULL);
}

static void begin(Fixture *f, uint64_t protocol_features, uint64_t slots)
{
    MemorySection boot;

    begin_device(f, protocol_features, slots);
    boot = new_section(f, "boot", 0);
    g_assert_true(memory_add_boot(&boot, NULL));
}

static void connect_session(Fixture *f)
{
    vhost_user_session_connect(f->session, on_done, f);
    wait_for(&f->answers, f->answers + 1);
}

static void start(Fixture *f)
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

/* Stops, and thereby waits for everything before. */
static void stop(Fixture *f)
{
    vhost_user_session_stop(f->session, TRUE, on_done, f);
    wait_for(&f->answers, f->answers + 1);
}

/* Ends the session; @expected answers come until it has ended. */
static void end_device_with(Fixture *f, guint expected)
{
    guint answers = f->answers;

    vhost_user_session_end(f->session, on_done, f);
    wait_for(&f->answers, answers + expected);
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

static void end_device(Fixture *f)
{
    end_device_with(f, 1);
}

static void end(Fixture *f)
{
    end_device(f);
    memory_clear();
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static void add_memory(Fixture *f, const char *name, uint64_t address)
{
    MemorySection section = new_section(f, name, address);
    g_autoptr(GError) error = NULL;

    g_assert_true(memory_add(&section, on_done, f, &error));
    wait_for(&f->answers, f->answers + 1);
}

/* --- tests --- */

static uint8_t config_byte(Fixture *f, guint offset)
{
    uint8_t bytes[60];

    vhost_user_session_config(f->session, bytes, sizeof(bytes));
    return bytes[offset];
}

static void test_negotiation(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    g_assert_null(f.message);
    g_assert_cmpstr(f.backend.log->str, ==,
                    "GET_FEATURES GET_PROTOCOL_FEATURES SET_PROTOCOL_FEATURES SET_OWNER "
                    "GET_QUEUE_NUM GET_MAX_MEM_SLOTS SET_BACKEND_REQ_FD GET_CONFIG ");
    g_assert_cmpuint(vhost_user_session_queues(f.session), ==, 2);
    g_assert_cmpuint(vhost_user_session_features(f.session), ==, BIT(VIRTIO_F_VERSION_1));
    g_assert_cmpuint(config_byte(&f, 59), ==, 0x11);
    end(&f);
}

static void test_start_and_stop(void)
{
    Fixture f;
    json_object *info;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    g_string_truncate(f.backend.log, 0);
    start(&f);
    stop(&f);
    g_assert_cmpstr(f.backend.log->str, ==,
                    "SET_FEATURES ADD_MEM_REG SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR "
                    "SET_VRING_CALL SET_VRING_KICK SET_VRING_ENABLE SET_VRING_ENABLE "
                    "GET_VRING_BASE ");
    g_assert_cmpuint(vhost_user_session_ring_base(f.session, 0), ==, 7);
    g_assert_true(event_fd_clear(f.kick));

    /* The table outlives the stop. */
    start(&f);
    stop(&f);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 1);
    info = vhost_user_session_info(f.session);
    g_assert_cmpint(json_object_get_int(json_object_object_get(info, "slots-used")), ==, 1);
    json_object_put(info);
    end(&f);
}

static void test_transactions(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    add_memory(&f, "early", 16 * MIB); /* before the first start: nothing is sent */
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    start(&f);
    add_memory(&f, "m1", 32 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);

    g_assert_true(memory_remove(16 * MIB, on_done, &f, NULL));
    wait_for(&f.answers, f.answers + 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    end(&f);
}

static void test_refusal(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    start(&f);
    stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, REFUSE);
    add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_true(g_str_has_prefix(f.message, "vhost-user device 'b0': ADD_MEM_REG of region "
                                              "0x10000000+0x100000 (memory backend 'mem1')"));
    g_assert_nonnull(strstr(f.message, "refused"));
    g_assert_cmpuint(memory_section_count(), ==, 1);
    g_assert_cmpuint(f.lost, ==, 0);

    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, ACCEPT);
    add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    /* Boot memory, refused, accepted: never compared anew. */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    end(&f);
}

/* After a failed start the map is compared: a region that was accepted along with one that was
 * refused goes back. */
static void test_refusal_of_another(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    add_memory(&f, "early", 16 * MIB);
    f.backend.refused_address = 16 * MIB;
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, REFUSE);
    start(&f);
    wait_for(&f.failed_starts, 1);
    add_memory(&f, "mem1", 256 * MIB);
    g_assert_nonnull(f.message);
    g_assert_nonnull(strstr(f.message, "0x1000000+0x100000 (memory backend 'early')"));
    g_assert_cmpuint(memory_section_count(), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 4);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);

    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, ACCEPT);
    add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 6);
    end(&f);
}

/* What the backend does not let go of stays mapped, and is asked for again with the next change. */
static void test_refused_removal(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    start(&f);
    add_memory(&f, "m1", 32 * MIB);
    backend_set_behaviour(&f.backend, VHOST_USER_REM_MEM_REG, REFUSE);
    g_assert_true(memory_remove(32 * MIB, on_done, &f, NULL));
    wait_for(&f.answers, f.answers + 1);
    g_assert_null(f.message);
    backend_set_behaviour(&f.backend, VHOST_USER_REM_MEM_REG, ACCEPT);
    add_memory(&f, "m2", 64 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    end(&f);
}

/* One device refuses: the others give back what they took, and agree with the map afterwards. */
static void test_two_devices(void)
{
    Fixture f, other;

    begin(&f, ALL_PROTOCOL, 32);
    begin_device(&other, ALL_PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS), 0);
    connect_session(&f);
    connect_session(&other);
    start(&f);
    stop(&f);
    start(&other);
    stop(&other);
    backend_set_behaviour(&other.backend, VHOST_USER_SET_MEM_TABLE, REFUSE);
    /* The table that is sent to restore the old one is refused as well: that backend is lost. */
    add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_nonnull(strstr(f.message, "SET_MEM_TABLE of region 0x10000000+0x100000"));
    wait_for(&other.lost, 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);

    add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);
    end_device(&other);
    end(&f);
}

/* The session ends, or its driver is reset, while the backend owes the answer to a change. */
static void test_end_during_change(void)
{
    Fixture f;
    MemorySection section;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    start(&f);
    stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG);
    section = new_section(&f, "mem1", 256 * MIB);
    g_assert_true(memory_add(&section, on_done, &f, NULL));
    wait_for_count(&f, VHOST_USER_ADD_MEM_REG, 2);
    vhost_user_session_stop(f.session, FALSE, NULL, NULL);
    vhost_user_session_reset(f.session);
    end_device_with(&f, 2); /* the change is done without us, and the end is */
    g_assert_cmpuint(memory_section_count(), ==, 2);
    g_assert_cmpuint(f.lost, ==, 0);
    memory_clear();
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static void test_stop_during_change(void)
{
    Fixture f;
    MemorySection section;
    guint answers;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    for (guint i = 1; i <= 20; i++) {
        start(&f);
        section = new_section(&f, "mem", i * 16 * MIB);
        answers = f.answers;
        g_assert_true(memory_add(&section, on_done, &f, NULL));
        vhost_user_session_stop(f.session, TRUE, NULL, NULL);
        vhost_user_session_reset(f.session);
        wait_for(&f.answers, answers + 1);
        g_assert_null(f.message);
        g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, i + 1);
    }
    g_assert_cmpuint(f.failed_starts + f.lost, ==, 0);
    end(&f);
}

static void test_limits(void)
{
    Fixture f;
    MemorySection section;
    g_autoptr(GError) error = NULL;

    begin(&f, ALL_PROTOCOL, 2);
    connect_session(&f);
    add_memory(&f, "m1", 32 * MIB);
    section = new_section(&f, "m2", 64 * MIB);
    g_assert_false(memory_add(&section, on_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 2 memory slots, 2 in use");
    end(&f);

    begin(&f, ALL_PROTOCOL, 0);
    connect_session(&f);
    g_assert_cmpstr(f.message, ==, "vhost-user device 'b0' allows 0 memory slots, 1 in use");
    end(&f);

    begin(&f, ALL_PROTOCOL, UINT64_MAX);
    connect_session(&f);
    g_assert_null(f.message);
    end(&f);
}

static void test_whole_table(void)
{
    Fixture f;
    MemorySection section;
    g_autoptr(GError) error = NULL;

    begin(&f, ALL_PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS), 0);
    connect_session(&f);
    start(&f);
    for (guint i = 1; i < 8; i++) {
        add_memory(&f, "m", i * 16 * MIB);
        g_assert_null(f.message);
    }
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 8);
    /* Once at the start, then after each table that replaced one under the running ring. */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_VRING_ADDR), ==, 8);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 0);
    section = new_section(&f, "m8", 256 * MIB);
    g_assert_false(memory_add(&section, on_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 8 memory slots, 8 in use");
    end(&f);
}

/* A session follows a lost one: ring positions, the driver's bytes and the limit go on. */
static void test_follow(void)
{
    VhostUserRing ring = {.index = 0, .device_area = 0x3000};
    VhostUserSession *before;
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *now = NULL, *then = NULL;
    MemorySection third;
    Fixture f;

    begin(&f, ALL_PROTOCOL, 2);
    connect_session(&f);
    start(&f);
    vhost_user_session_config_write(f.session, 3, "\x42", 1, FALSE);
    stop(&f);
    shutdown(f.backend.socket, SHUT_RDWR);
    wait_for(&f.lost, 1);
    g_thread_join(f.backend.thread);
    fd_clear(&f.backend.socket);
    fd_clear(&f.backend.requests);

    add_memory(&f, "meanwhile", 256 * MIB);
    g_assert_null(f.message);
    third = new_section(&f, "third", 512 * MIB);
    g_assert_false(memory_add(&third, on_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 2 memory slots, 2 in use");

    before = f.session;
    connect_backend(&f, before);
    connect_session(&f);
    g_assert_null(f.message);
    vhost_user_session_configs(f.session, before, &now, &then);
    g_assert_cmpmem(now, 60, then, 60);
    g_assert_cmphex(now[3], ==, 0x42);
    g_assert_true(vhost_user_session_resume_ring(f.session, &ring, FALSE, NULL));
    g_assert_cmpuint(ring.base, ==, 7); /* where GET_VRING_BASE left it */
    vhost_user_session_end(before, on_done, &f);
    start(&f);
    vhost_user_session_adopt(f.session);
    stop(&f);
    wait_for(&f.answers, 6); /* of connect twice, memory, both stops, the end of the first */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 1 + 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_CONFIG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 2);

    /* After a reset nothing of the past counts. */
    vhost_user_session_reset(f.session);
    ring.base = 0;
    g_assert_true(vhost_user_session_resume_ring(f.session, &ring, FALSE, NULL));
    g_assert_cmpuint(ring.base, ==, 0);
    end(&f);
}

static void test_hang(void)
{
    Fixture f;

    reply_timeout = 100;
    begin(&f, ALL_PROTOCOL, 32);
    reply_timeout = 0;
    connect_session(&f);
    start(&f);
    stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG);
    add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_true(g_str_has_prefix(f.message, "vhost-user device 'b0': ADD_MEM_REG of region "
                                              "0x10000000+0x100000 (memory backend 'mem1')"));
    wait_for(&f.lost, 1);
    /* Dead, but in nobody's way. */
    add_memory(&f, "mem2", 512 * MIB);
    g_assert_null(f.message);
    stop(&f);
    g_assert_nonnull(f.message);
    end(&f);
    g_assert_cmpuint(f.lost, ==, 1);
}

static void test_hang_at_end(void)
{
    Fixture f;
    gint64 before;

    begin(&f, ALL_PROTOCOL, 32);
    backend_set_behaviour(&f.backend, VHOST_USER_GET_VRING_BASE, HANG);
    connect_session(&f);
    start(&f);
    vhost_user_session_stop(f.session, FALSE, NULL, NULL);
    before = g_get_monotonic_time();
    end(&f);
    g_assert_cmpint(g_get_monotonic_time() - before, <,
                    VHOST_USER_REPLY_TIMEOUT / 2 * INT64_C(1000));
}

static void test_hang_up(void)
{
    Fixture f;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    shutdown(f.backend.socket, SHUT_RDWR); /* while idle */
    wait_for(&f.lost, 1);
    end(&f);

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    start(&f);
    stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG_UP);
    add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_nonnull(strstr(f.message, "region 0x10000000+0x100000"));
    wait_for(&f.lost, 1);
    g_assert_cmpuint(memory_section_count(), ==, 1);
    end(&f);

    begin(&f, ALL_PROTOCOL, 32);
    backend_set_behaviour(&f.backend, VHOST_USER_GET_QUEUE_NUM, HANG_UP);
    connect_session(&f);
    g_assert_nonnull(f.message);
    end(&f);
    g_assert_cmpuint(f.lost, ==, 0);
}

static void test_without_bit_30(void)
{
    Fixture f;

    begin(&f, 0, 0);
    f.backend.features &= ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    connect_session(&f);
    g_assert_nonnull(strstr(f.message, "CONFIG"));
    end(&f);

    begin(&f, 0, 0);
    f.backend.features &= ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    f.needs.needs_config = FALSE;
    connect_session(&f);
    g_assert_null(f.message);
    start(&f);
    stop(&f);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_VRING_ENABLE), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 1);
    end(&f);
}

static void test_ring_outside_of_ram(void)
{
    Fixture f;
    VhostUserRing ring = {.size = 8, .descriptor_area = MIB - 16, .kick = -1, .call = -1};

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    vhost_user_session_start(f.session, BIT(VIRTIO_F_VERSION_1), &ring, 1);
    wait_for(&f.failed_starts, 1);
    g_test_message("%s", f.message);
    g_assert_cmpuint(f.lost, ==, 0);
    start(&f);
    stop(&f);
    g_assert_cmpuint(f.failed_starts, ==, 1);
    end(&f);
}

static void test_config_change(void)
{
    Fixture f;
    VhostUserHeader change = {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                              VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, 0};
    struct {
        VhostUserHeader header;
        uint64_t result;
    } __attribute__((packed)) acknowledgement;
    uint8_t byte = 1;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    pthread_mutex_lock(&f.backend.lock);
    f.backend.config_byte = 0x22;
    pthread_mutex_unlock(&f.backend.lock);
    g_assert_cmpint(write(f.backend.requests, &change, sizeof(change)), ==, sizeof(change));
    wait_for(&f.configs, 1);
    g_assert_cmpuint(config_byte(&f, 0), ==, 0x22);
    g_assert_cmpint(
        recv(f.backend.requests, &acknowledgement, sizeof(acknowledgement), MSG_WAITALL), ==,
        sizeof(acknowledgement));
    g_assert_cmpuint(acknowledgement.result, ==, 0);

    vhost_user_session_config_write(f.session, 32, &byte, 1, FALSE);
    vhost_user_session_config_write(f.session, 60, &byte, 1, FALSE); /* outside: ignored */
    wait_for_count(&f, VHOST_USER_SET_CONFIG, 1);
    end(&f);
    g_assert_cmpuint(f.backend.counts[VHOST_USER_SET_CONFIG], ==, 1);
}

/* What a driver reads after such a write is what the backend says then. */
static void test_live_config(void)
{
    Fixture f;
    uint8_t byte = 1;

    begin(&f, ALL_PROTOCOL, 32);
    connect_session(&f);
    pthread_mutex_lock(&f.backend.lock);
    f.backend.config_byte = 0x33;
    pthread_mutex_unlock(&f.backend.lock);
    vhost_user_session_config_write(f.session, 0, &byte, 1, TRUE);
    g_assert_cmpuint(config_byte(&f, 0), ==, 0x33);
    g_assert_cmpuint(config_byte(&f, 59), ==, 0x33);
    g_assert_cmpuint(f.backend.counts[VHOST_USER_SET_CONFIG], ==, 1);
    end(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/vhost-user/negotiation", test_negotiation);
    g_test_add_func("/vhost-user/start-and-stop", test_start_and_stop);
    g_test_add_func("/vhost-user/transactions", test_transactions);
    g_test_add_func("/vhost-user/refusal", test_refusal);
    g_test_add_func("/vhost-user/refusal-of-another", test_refusal_of_another);
    g_test_add_func("/vhost-user/refused-removal", test_refused_removal);
    g_test_add_func("/vhost-user/two-devices", test_two_devices);
    g_test_add_func("/vhost-user/end-during-change", test_end_during_change);
    g_test_add_func("/vhost-user/stop-during-change", test_stop_during_change);
    g_test_add_func("/vhost-user/limits", test_limits);
    g_test_add_func("/vhost-user/whole-table", test_whole_table);
    g_test_add_func("/vhost-user/follow", test_follow);
    g_test_add_func("/vhost-user/hang", test_hang);
    g_test_add_func("/vhost-user/hang-at-end", test_hang_at_end);
    g_test_add_func("/vhost-user/hang-up", test_hang_up);
    g_test_add_func("/vhost-user/without-bit-30", test_without_bit_30);
    g_test_add_func("/vhost-user/ring-outside-of-ram", test_ring_outside_of_ram);
    g_test_add_func("/vhost-user/config-change", test_config_change);
    g_test_add_func("/vhost-user/live-config", test_live_config);
    return g_test_run();
}
