/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session against a small backend in a thread: which messages go out, in which order, and what
 * happens when the backend hangs, hangs up or changes its configuration.
 */
#include "session-fixture.h"
#include "system/main-loop.h"
#include "util/fd.h"
#include "util/json.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t config_byte(SessionFixture *f, guint offset)
{
    uint8_t bytes[60];

    vhost_user_session_config(f->session, bytes, sizeof(bytes));
    return bytes[offset];
}

static void test_negotiation(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    g_assert_null(f.message);
    g_assert_cmpstr(f.backend.log->str, ==,
                    "GET_FEATURES GET_PROTOCOL_FEATURES SET_PROTOCOL_FEATURES SET_OWNER "
                    "GET_QUEUE_NUM GET_MAX_MEM_SLOTS SET_BACKEND_REQ_FD GET_CONFIG ");
    g_assert_cmpuint(vhost_user_session_queues(f.session), ==, 2);
    g_assert_cmpuint(vhost_user_session_features(f.session), ==, BIT(VIRTIO_F_VERSION_1));
    g_assert_cmpuint(config_byte(&f, 59), ==, 0x11);
    session_end(&f);
}

static void test_start_and_stop(void)
{
    SessionFixture f;
    json_object *info;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    g_string_truncate(f.backend.log, 0);
    session_start(&f);
    session_stop(&f);
    g_assert_cmpstr(f.backend.log->str, ==,
                    "SET_FEATURES ADD_MEM_REG SET_VRING_NUM SET_VRING_BASE SET_VRING_ADDR "
                    "SET_VRING_CALL SET_VRING_KICK SET_VRING_ENABLE SET_VRING_ENABLE "
                    "GET_VRING_BASE ");
    g_assert_cmpuint(vhost_user_session_ring_base(f.session, 0), ==, 7);
    g_assert_true(event_fd_clear(f.kick));

    /* The table outlives the stop. */
    session_start(&f);
    session_stop(&f);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 1);
    info = vhost_user_session_info(f.session);
    g_assert_cmpint(json_object_get_int(json_object_object_get(info, "slots-used")), ==, 1);
    json_object_put(info);
    session_end(&f);
}

/* A session follows a lost one: ring positions, the driver's bytes and the limit go on. */
static void test_follow(void)
{
    VhostUserRing ring = {.index = 0, .device_area = 0x3000};
    VhostUserSession *before;
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *now = NULL, *then = NULL;
    MemorySection third;
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 2);
    session_connect(&f);
    session_start(&f);
    vhost_user_session_config_write(f.session, 3, "\x42", 1, FALSE);
    session_stop(&f);
    shutdown(f.backend.socket, SHUT_RDWR);
    session_wait(&f.lost, 1);
    g_thread_join(f.backend.thread);
    fd_clear(&f.backend.socket);
    fd_clear(&f.backend.requests);

    session_add_memory(&f, "meanwhile", 256 * MIB);
    g_assert_null(f.message);
    third = session_new_section(&f, "third", 512 * MIB);
    g_assert_false(memory_add(&third, session_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 2 memory slots, 2 in use");

    before = f.session;
    session_connect_backend(&f, before);
    session_connect(&f);
    g_assert_null(f.message);
    vhost_user_session_configs(f.session, before, &now, &then);
    g_assert_cmpmem(now, 60, then, 60);
    g_assert_cmphex(now[3], ==, 0x42);
    g_assert_true(vhost_user_session_resume_ring(f.session, &ring, FALSE, NULL));
    g_assert_cmpuint(ring.base, ==, 7); /* where GET_VRING_BASE left it */
    vhost_user_session_end(before, session_done, &f);
    session_start(&f);
    vhost_user_session_adopt(f.session);
    session_stop(&f);
    session_wait(&f.answers, 6); /* of connect twice, memory, both stops, the end of the first */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 1 + 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_CONFIG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 2);

    /* After a reset nothing of the past counts. */
    vhost_user_session_reset(f.session);
    ring.base = 0;
    g_assert_true(vhost_user_session_resume_ring(f.session, &ring, FALSE, NULL));
    g_assert_cmpuint(ring.base, ==, 0);
    session_end(&f);
}

static void test_hang(void)
{
    SessionFixture f;

    session_reply_timeout = 100;
    session_begin(&f, SESSION_PROTOCOL, 32);
    session_reply_timeout = 0;
    session_connect(&f);
    session_start(&f);
    session_stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_true(g_str_has_prefix(f.message, "vhost-user device 'b0': ADD_MEM_REG of region "
                                              "0x10000000+0x100000 (memory backend 'mem1')"));
    session_wait(&f.lost, 1);
    /* Dead, but in nobody's way. */
    session_add_memory(&f, "mem2", 512 * MIB);
    g_assert_null(f.message);
    session_stop(&f);
    g_assert_nonnull(f.message);
    session_end(&f);
    g_assert_cmpuint(f.lost, ==, 1);
}

static void test_hang_at_end(void)
{
    SessionFixture f;
    gint64 before;

    session_begin(&f, SESSION_PROTOCOL, 32);
    backend_set_behaviour(&f.backend, VHOST_USER_GET_VRING_BASE, HANG);
    session_connect(&f);
    session_start(&f);
    vhost_user_session_stop(f.session, FALSE, NULL, NULL);
    before = g_get_monotonic_time();
    session_end(&f);
    g_assert_cmpint(g_get_monotonic_time() - before, <,
                    VHOST_USER_REPLY_TIMEOUT / 2 * INT64_C(1000));
}

static void test_hang_up(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    shutdown(f.backend.socket, SHUT_RDWR); /* while idle */
    session_wait(&f.lost, 1);
    session_end(&f);

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_start(&f);
    session_stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG_UP);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_nonnull(strstr(f.message, "region 0x10000000+0x100000"));
    session_wait(&f.lost, 1);
    g_assert_cmpuint(memory_section_count(), ==, 1);
    session_end(&f);

    session_begin(&f, SESSION_PROTOCOL, 32);
    backend_set_behaviour(&f.backend, VHOST_USER_GET_QUEUE_NUM, HANG_UP);
    session_connect(&f);
    g_assert_nonnull(f.message);
    session_end(&f);
    g_assert_cmpuint(f.lost, ==, 0);
}

static void test_without_bit_30(void)
{
    SessionFixture f;

    session_begin(&f, 0, 0);
    f.backend.features &= ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    session_connect(&f);
    g_assert_nonnull(strstr(f.message, "CONFIG"));
    session_end(&f);

    session_begin(&f, 0, 0);
    f.backend.features &= ~BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    f.needs.needs_config = FALSE;
    session_connect(&f);
    g_assert_null(f.message);
    session_start(&f);
    session_stop(&f);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_VRING_ENABLE), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 1);
    session_end(&f);
}

static void test_ring_outside_of_ram(void)
{
    SessionFixture f;
    VhostUserRing ring = {.size = 8, .descriptor_area = MIB - 16, .kick = -1, .call = -1};

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    vhost_user_session_start(f.session, BIT(VIRTIO_F_VERSION_1), &ring, 1);
    session_wait(&f.failed_starts, 1);
    g_test_message("%s", f.message);
    g_assert_cmpuint(f.lost, ==, 0);
    session_start(&f);
    session_stop(&f);
    g_assert_cmpuint(f.failed_starts, ==, 1);
    session_end(&f);
}

static void test_config_change(void)
{
    SessionFixture f;
    VhostUserHeader change = {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                              VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, 0};
    struct {
        VhostUserHeader header;
        uint64_t result;
    } __attribute__((packed)) acknowledgement;
    uint8_t byte = 1;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    pthread_mutex_lock(&f.backend.lock);
    f.backend.config_byte = 0x22;
    pthread_mutex_unlock(&f.backend.lock);
    g_assert_cmpint(write(f.backend.requests, &change, sizeof(change)), ==, sizeof(change));
    session_wait(&f.configs, 1);
    g_assert_cmpuint(config_byte(&f, 0), ==, 0x22);
    g_assert_cmpint(
        recv(f.backend.requests, &acknowledgement, sizeof(acknowledgement), MSG_WAITALL), ==,
        sizeof(acknowledgement));
    g_assert_cmpuint(acknowledgement.result, ==, 0);

    vhost_user_session_config_write(f.session, 32, &byte, 1, FALSE);
    vhost_user_session_config_write(f.session, 60, &byte, 1, FALSE); /* outside: ignored */
    session_wait_request(&f, VHOST_USER_SET_CONFIG, 1);
    session_end(&f);
    g_assert_cmpuint(f.backend.counts[VHOST_USER_SET_CONFIG], ==, 1);
}

/* What a driver reads after such a write is what the backend says then. */
static void test_live_config(void)
{
    SessionFixture f;
    uint8_t byte = 1;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    pthread_mutex_lock(&f.backend.lock);
    f.backend.config_byte = 0x33;
    pthread_mutex_unlock(&f.backend.lock);
    vhost_user_session_config_write(f.session, 0, &byte, 1, TRUE);
    g_assert_cmpuint(config_byte(&f, 0), ==, 0x33);
    g_assert_cmpuint(config_byte(&f, 59), ==, 0x33);
    g_assert_cmpuint(f.backend.counts[VHOST_USER_SET_CONFIG], ==, 1);
    session_end(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/vhost-user/negotiation", test_negotiation);
    g_test_add_func("/vhost-user/start-and-stop", test_start_and_stop);
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
