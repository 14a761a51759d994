/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backends that refuse, mangle, leave out or stop: a memory change happens everywhere or nowhere,
 * the error says who and what, and everybody else goes on.  Each case has a machine of its own;
 * cases that wait for the front end's deadline run side by side.
 */
#include "qtest/rig.h"

/* Milliseconds: above the front end's deadline of 10 s, with room for a slow machine. */
#define PATIENCE 25000
/* --- a region that one of three backends does not take --- */

typedef enum { FAILS, SUCCEEDS, EITHER } Outcome;

typedef struct AddCase {
    FaultKind kind;
    Outcome outcome;
    gboolean connection_stays;
    gboolean slow; /* ends at the deadline */
} AddCase;

static const AddCase add_cases[] = {
    {FAULT_REFUSE, FAILS, TRUE, FALSE},
    {FAULT_DELAY, SUCCEEDS, TRUE, FALSE},
    {FAULT_HANG, FAILS, FALSE, TRUE},
    {FAULT_NO_ANSWER, FAILS, FALSE, TRUE},
    {FAULT_WRONG_REQUEST, FAILS, FALSE, FALSE},
    {FAULT_SHORT, FAILS, FALSE, FALSE},
    {FAULT_LONG, FAILS, FALSE, FALSE},
    {FAULT_EMPTY, FAILS, FALSE, FALSE},
    {FAULT_HUGE, FAILS, FALSE, FALSE},
    {FAULT_NO_REPLY_FLAG, FAILS, FALSE, FALSE},
    {FAULT_WRONG_VERSION, FAILS, FALSE, FALSE},
    {FAULT_EXTRA_ANSWER, EITHER, FALSE, FALSE},
    {FAULT_EXTRA_FD, FAILS, FALSE, FALSE},
    {FAULT_GARBAGE, FAILS, FALSE, FALSE},
    {FAULT_PARTIAL, FAILS, FALSE, TRUE},
    {FAULT_CLOSE_BEFORE, FAILS, FALSE, FALSE},
    {FAULT_CLOSE_AFTER, SUCCEEDS, FALSE, FALSE},
};

static void wait_disconnected(Rig *rig, guint device)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE * 1000LL;

    while (backend_connected(rig_backend(rig, device))) {
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("backend %u broke the protocol and is still connected", device);
        }
        g_usleep(1000);
    }
}

/* device_add of DIMM 1 while the fault is armed: TRUE if it succeeded. */
static gboolean plug_with_fault(Rig *rig, gboolean slow, char **text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) result = NULL;

    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'m1',"
        "'size':%" G_GUINT64_FORMAT "}}",
        RIG_DIMM));
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d1',"
                       "'memdev':'m1'}}");
    rig_check_other_monitor(rig, slow);
    qmp_set_timeout(rig->qmp, PATIENCE);
    result = qmp_answer(rig->qmp, &error);
    if (error) {
        *text = g_strdup(error->message);
    }
    return result != NULL;
}

/* After the failure: nobody has the region, names are free again, the next try works. */
static void check_rolled_back(Rig *rig, const AddCase *one, const guint *regions)
{
    g_assert_cmpuint(rig_dimms(rig), ==, 1);
    for (guint i = 0; i < rig->devices; i += 2) {
        g_assert_cmpuint(backend_regions(rig_backend(rig, i)), ==, regions[i]);
        g_assert_cmpuint(backend_count(rig_backend(rig, i), VHOST_USER_ADD_MEM_REG), ==,
                         backend_count(rig_backend(rig, i), VHOST_USER_REM_MEM_REG));
    }
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'object-del','arguments':{'id':'m1'}}"));
    if (one->connection_stays) {
        g_assert_true(backend_connected(rig_backend(rig, 1)));
        g_assert_cmpuint(backend_regions(rig_backend(rig, 1)), ==, regions[1]);
    } else {
        wait_disconnected(rig, 1);
    }
    backend_faults_clear(rig_backend(rig, 1));
    rig_plug(rig, 1);
}

static gpointer run_add_case(gpointer data)
{
    const AddCase *one = data;
    RigOptions options = {.devices = 3, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG,
                          .occurrence = 1,
                          .kind = one->kind,
                          .value = 22,
                          .milliseconds = 400};
    g_autofree char *text = NULL;
    guint regions[3];
    gboolean ok;

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    for (guint i = 0; i < 3; i++) {
        regions[i] = backend_regions(rig_backend(rig, i));
    }
    rig_clear(rig);
    backend_fault(rig_backend(rig, 1), &fault);
    ok = plug_with_fault(rig, one->slow, &text);
    g_test_message("%s: %s", fault_name(one->kind), text ? text : "success");
    if (one->outcome != EITHER && ok != (one->outcome == SUCCEEDS)) {
        vmm_fail("%s: device_add: %s", fault_name(one->kind), text ? text : "success");
    }
    if (!ok) {
        /* Whatever went wrong: which device, which request, which region. */
        g_assert_nonnull(strstr(text, "vhost-user device 'b1'"));
        g_assert_nonnull(strstr(text, "ADD_MEM_REG of region 0x"));
        g_assert_nonnull(strstr(text, "(memory backend 'm1')"));
    }
    if (ok) {
        g_assert_cmpuint(rig_dimms(rig), ==, 2);
        if (!one->connection_stays) {
            wait_disconnected(rig, 1);
        }
    } else {
        rig_assert_names(text, "'b1'", NULL);
        if (one->outcome == FAILS) { /* an extra answer is no answer to this request */
            rig_assert_names(text, "ADD_MEM_REG", "0x100200000", NULL);
        }
        check_rolled_back(rig, one, regions);
    }
    rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    rig_check_data(rig, 2, rig_dimm_address(rig, 1));
    if (one->connection_stays) {
        rig_check_data(rig, 1, rig_dimm_address(rig, 1));
    }
    rig_end(rig);
    return NULL;
}

static void test_add(void)
{
    rig_run_parallel(run_add_case, add_cases, G_N_ELEMENTS(add_cases), sizeof(AddCase));
}

/* --- without REPLY_ACK the barrier is what fails; without slots the table --- */

typedef struct OtherCase {
    VhostUserProtocolFeature without;
    uint32_t request;
    FaultKind kind;
    const char *named; /* request that the error names */
} OtherCase;

static const OtherCase other_cases[] = {
    {VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_GET_FEATURES, FAULT_HANG, "ADD_MEM_REG"},
    {VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_GET_FEATURES, FAULT_GARBAGE, "ADD_MEM_REG"},
    {VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_GET_FEATURES, FAULT_SHORT, "ADD_MEM_REG"},
    {VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_GET_FEATURES, FAULT_CLOSE_BEFORE, "ADD_MEM_REG"},
    {VHOST_USER_PROTOCOL_F_REPLY_ACK, VHOST_USER_ADD_MEM_REG, FAULT_CLOSE_BEFORE, "ADD_MEM_REG"},
    {VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS, VHOST_USER_SET_MEM_TABLE, FAULT_REFUSE,
     "SET_MEM_TABLE"},
    {VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS, VHOST_USER_SET_MEM_TABLE, FAULT_HANG,
     "SET_MEM_TABLE"},
    {VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS, VHOST_USER_SET_MEM_TABLE, FAULT_CLOSE_BEFORE,
     "SET_MEM_TABLE"},
};

static gpointer run_other_case(gpointer data)
{
    const OtherCase *one = data;
    RigOptions options = {.monitors = 2};
    BackendFault fault = {.request = one->request, .occurrence = 1, .kind = one->kind};
    g_autofree char *text = NULL;
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.protocol_features &= ~(1ull << one->without);
    rig = rig_start(&config, &options);
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    backend_fault(rig_backend(rig, 0), &fault);
    if (plug_with_fault(rig, one->kind == FAULT_HANG, &text)) {
        vmm_fail("%s at %s: device_add succeeded", fault_name(one->kind),
                 vhost_user_request_name(one->request));
    }
    g_test_message("%s at %s: %s", fault_name(one->kind), vhost_user_request_name(one->request),
                   text);
    rig_assert_names(text, "'b0'", one->named, NULL);
    g_assert_cmpuint(rig_dimms(rig), ==, 1);
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'object-del','arguments':{'id':'m1'}}"));
    backend_faults_clear(rig_backend(rig, 0));
    rig_plug(rig, 1);
    if (one->kind == FAULT_REFUSE) {
        rig_check_data(rig, 0, rig_dimm_address(rig, 0));
        rig_check_data(rig, 0, rig_dimm_address(rig, 1));
    }
    rig_end(rig);
    return NULL;
}

static void test_other(void)
{
    rig_run_parallel(run_other_case, other_cases, G_N_ELEMENTS(other_cases), sizeof(OtherCase));
}

/* --- unplug: what a backend does not let go of cannot hold up the guest --- */

static const FaultKind remove_cases[] = {FAULT_REFUSE,       FAULT_HANG,        FAULT_GARBAGE,
                                         FAULT_CLOSE_BEFORE, FAULT_CLOSE_AFTER, FAULT_DELAY};

static gpointer run_remove_case(gpointer data)
{
    FaultKind kind = *(const FaultKind *)data;
    RigOptions options = {.devices = 2, .monitors = 2};
    Rig *rig = rig_start(NULL, &options);
    BackendFault fault = {
        .request = VHOST_USER_REM_MEM_REG, .occurrence = 1, .kind = kind, .milliseconds = 400};

    rig_boot(rig, NULL);
    for (guint i = 0; i < 4; i++) {
        rig_plug(rig, i);
    }
    backend_fault(rig_backend(rig, 0), &fault);
    rig_unplug(rig, 2);
    g_assert_cmpuint(rig_dimms(rig), ==, 3);
    rig_check_other_monitor(rig, FALSE);
    backend_faults_clear(rig_backend(rig, 0));
    rig_plug(rig, 5);
    rig_check_data(rig, 1, rig_dimm_address(rig, 5));
    rig_check_data(rig, 1, rig_dimm_address(rig, 3));
    if (kind == FAULT_DELAY) {
        rig_check_data(rig, 0, rig_dimm_address(rig, 5));
    }
    rig_end(rig);
    return NULL;
}

static void test_remove(void)
{
    rig_run_parallel(run_remove_case, remove_cases, G_N_ELEMENTS(remove_cases), sizeof(FaultKind));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vhost-user-faults/add", test_add);
    g_test_add_func("/vhost-user-faults/barrier-and-table", test_other);
    g_test_add_func("/vhost-user-faults/remove", test_remove);
    return g_test_run();
}
