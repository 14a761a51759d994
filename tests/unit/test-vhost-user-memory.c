/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory that changes while sessions run: which messages go out, and what a backend has
 * when it, or another one, refuses, is slow or is stopped meanwhile.
 */
#include "session-fixture.h"
#include "system/main-loop.h"

#include <string.h>

static void test_transactions(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_add_memory(&f, "early", 16 * MIB); /* before the first start: nothing is sent */
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    session_start(&f);
    session_add_memory(&f, "m1", 32 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);

    g_assert_true(memory_remove(16 * MIB, session_done, &f, NULL));
    session_wait(&f.answers, f.answers + 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 1);
    session_end(&f);
}

static void test_refusal(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_start(&f);
    session_stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, REFUSE);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_true(g_str_has_prefix(f.message, "vhost-user device 'b0': ADD_MEM_REG of region "
                                              "0x10000000+0x100000 (memory backend 'mem1')"));
    g_assert_nonnull(strstr(f.message, "refused"));
    g_assert_cmpuint(memory_section_count(), ==, 1);
    g_assert_cmpuint(f.lost, ==, 0);

    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, ACCEPT);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    /* Boot memory, refused, accepted: never compared anew. */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    session_end(&f);
}

/* After a failed start the map is compared: a region that was accepted along with one that was
 * refused goes back. */
static void test_refusal_of_another(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_add_memory(&f, "early", 16 * MIB);
    f.backend.refused_address = 16 * MIB;
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, REFUSE);
    session_start(&f);
    session_wait(&f.failed_starts, 1);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_assert_nonnull(f.message);
    g_assert_nonnull(strstr(f.message, "0x1000000+0x100000 (memory backend 'early')"));
    g_assert_cmpuint(memory_section_count(), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 4);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);

    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, ACCEPT);
    session_add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 6);
    session_end(&f);
}

/* What the backend does not let go of stays mapped, and is asked for again with the next change. */
static void test_refused_removal(void)
{
    SessionFixture f;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_start(&f);
    session_add_memory(&f, "m1", 32 * MIB);
    backend_set_behaviour(&f.backend, VHOST_USER_REM_MEM_REG, REFUSE);
    g_assert_true(memory_remove(32 * MIB, session_done, &f, NULL));
    session_wait(&f.answers, f.answers + 1);
    g_assert_null(f.message);
    backend_set_behaviour(&f.backend, VHOST_USER_REM_MEM_REG, ACCEPT);
    session_add_memory(&f, "m2", 64 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    session_end(&f);
}

/* One device refuses: the others give back what they took, and agree with the map afterwards. */
static void test_two_devices(void)
{
    SessionFixture f, other;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_begin_device(&other, SESSION_PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
                         0);
    session_connect(&f);
    session_connect(&other);
    session_start(&f);
    session_stop(&f);
    session_start(&other);
    session_stop(&other);
    backend_set_behaviour(&other.backend, VHOST_USER_SET_MEM_TABLE, REFUSE);
    /* The table that is sent to restore the old one is refused as well: that backend is lost. */
    session_add_memory(&f, "mem1", 256 * MIB);
    g_test_message("%s", f.message);
    g_assert_nonnull(strstr(f.message, "SET_MEM_TABLE of region 0x10000000+0x100000"));
    session_wait(&other.lost, 1);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 2);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);

    session_add_memory(&f, "mem1", 256 * MIB);
    g_assert_null(f.message);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 3);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_REM_MEM_REG), ==, 1);
    session_end_device(&other);
    session_end(&f);
}

/* The session ends, or its driver is reset, while the backend owes the answer to a change. */
static void test_end_during_change(void)
{
    SessionFixture f;
    MemorySection section;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    session_start(&f);
    session_stop(&f);
    backend_set_behaviour(&f.backend, VHOST_USER_ADD_MEM_REG, HANG);
    section = session_new_section(&f, "mem1", 256 * MIB);
    g_assert_true(memory_add(&section, session_done, &f, NULL));
    session_wait_request(&f, VHOST_USER_ADD_MEM_REG, 2);
    vhost_user_session_stop(f.session, FALSE, NULL, NULL);
    vhost_user_session_reset(f.session);
    session_end_device_with(&f, 2); /* the change is done without us, and the end is */
    g_assert_cmpuint(memory_section_count(), ==, 2);
    g_assert_cmpuint(f.lost, ==, 0);
    memory_clear();
    g_assert_cmpuint(ram_block_count(), ==, 0);
}

static void test_stop_during_change(void)
{
    SessionFixture f;
    MemorySection section;
    guint answers;

    session_begin(&f, SESSION_PROTOCOL, 32);
    session_connect(&f);
    for (guint i = 1; i <= 20; i++) {
        session_start(&f);
        section = session_new_section(&f, "mem", i * 16 * MIB);
        answers = f.answers;
        g_assert_true(memory_add(&section, session_done, &f, NULL));
        vhost_user_session_stop(f.session, TRUE, NULL, NULL);
        vhost_user_session_reset(f.session);
        session_wait(&f.answers, answers + 1);
        g_assert_null(f.message);
        g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, i + 1);
    }
    g_assert_cmpuint(f.failed_starts + f.lost, ==, 0);
    session_end(&f);
}

static void test_limits(void)
{
    SessionFixture f;
    MemorySection section;
    g_autoptr(GError) error = NULL;

    session_begin(&f, SESSION_PROTOCOL, 2);
    session_connect(&f);
    session_add_memory(&f, "m1", 32 * MIB);
    section = session_new_section(&f, "m2", 64 * MIB);
    g_assert_false(memory_add(&section, session_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 2 memory slots, 2 in use");
    session_end(&f);

    session_begin(&f, SESSION_PROTOCOL, 0);
    session_connect(&f);
    g_assert_cmpstr(f.message, ==, "vhost-user device 'b0' allows 0 memory slots, 1 in use");
    session_end(&f);

    session_begin(&f, SESSION_PROTOCOL, UINT64_MAX);
    session_connect(&f);
    g_assert_null(f.message);
    session_end(&f);
}

static void test_whole_table(void)
{
    SessionFixture f;
    MemorySection section;
    g_autoptr(GError) error = NULL;

    session_begin(&f, SESSION_PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS), 0);
    session_connect(&f);
    session_start(&f);
    for (guint i = 1; i < 8; i++) {
        session_add_memory(&f, "m", i * 16 * MIB);
        g_assert_null(f.message);
    }
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_MEM_TABLE), ==, 8);
    /* Once at the start, then after each table that replaced one under the running ring. */
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_SET_VRING_ADDR), ==, 8);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_ADD_MEM_REG), ==, 0);
    g_assert_cmpuint(backend_count(&f.backend, VHOST_USER_GET_MAX_MEM_SLOTS), ==, 0);
    section = session_new_section(&f, "m8", 256 * MIB);
    g_assert_false(memory_add(&section, session_done, &f, &error));
    g_assert_cmpstr(error->message, ==, "vhost-user device 'b0' allows 8 memory slots, 8 in use");
    session_end(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/vhost-user/transactions", test_transactions);
    g_test_add_func("/vhost-user/refusal", test_refusal);
    g_test_add_func("/vhost-user/refusal-of-another", test_refusal_of_another);
    g_test_add_func("/vhost-user/refused-removal", test_refused_removal);
    g_test_add_func("/vhost-user/two-devices", test_two_devices);
    g_test_add_func("/vhost-user/end-during-change", test_end_during_change);
    g_test_add_func("/vhost-user/stop-during-change", test_stop_during_change);
    g_test_add_func("/vhost-user/limits", test_limits);
    g_test_add_func("/vhost-user/whole-table", test_whole_table);
    return g_test_run();
}
