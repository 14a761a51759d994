/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backend of each kind goes and comes back: its configuration, its rings where they were, memory
 * that was plugged meanwhile; those that do not fit stay out; and one that dies by a fault is
 * named.
 */
#include "qtest/family-rig.h"
#include "qtest/reconnect.h"

static Backend *backend_of(FamilyRun *run)
{
    return rig_backend(run->rig, 0);
}

static uint64_t new_buffer(FamilyRun *run)
{
    return guest_memory_alloc(&run->rig->memory, 4096, 4096);
}

static FamilyRun *start(const FamilyMember *member, const char *chardev)
{
    FamilyRun *run = family_start(member, family_configure, chardev);

    family_boot(run);
    return run;
}

/* Base of the last SET_VRING_BASE of ring @index. */
static uint32_t last_base(FamilyRun *run, guint index)
{
    BackendMessage message;
    uint32_t base = UINT32_MAX;

    for (guint i = 0; backend_message(backend_of(run), i, &message); i++) {
        if (message.header.request == VHOST_USER_SET_VRING_BASE &&
            message.payload.state.index == index) {
            base = message.payload.state.num;
        }
    }
    return base;
}

/* --- it comes back --- */

static void test_returns(gconstpointer data)
{
    const FamilyMember *member = data;
    FamilyRun *run = start(member, RECONNECT_CHARDEV);
    uint64_t fetches = member->source == FAMILY_FROM_BACKEND ? 1 : 0;

    rig_plug(run->rig, 0);
    for (guint round = 0; round < 3; round++) {
        family_request_everywhere(run, rig_dimm_address(run->rig, 0));
    }
    if (member->writable > 0) {
        qtest_writeb(run->rig->qtest, run->driver->config, 0x5a);
    }
    rig_settle(run->rig);
    backend_clear(backend_of(run));
    reconnect_shut_out_idle(run->rig);
    rig_plug(run->rig, 1); /* it has not been told of these */
    rig_unplug(run->rig, 0);
    rig_plug(run->rig, 2);
    backend_clear(backend_of(run));
    reconnect_let_in(run->rig, member->queues);
    rig_settle(run->rig);

    g_assert_cmpuint(backend_regions(backend_of(run)), ==, 1 + 2);
    g_assert_cmpuint(backend_count(backend_of(run), VHOST_USER_GET_CONFIG), >=, fetches);
    g_assert_cmpuint(backend_count(backend_of(run), VHOST_USER_SET_CONFIG), ==,
                     member->writable > 0 ? 1 : 0);
    if (member->writable > 0) {
        g_assert_cmphex(family_config_byte(run, 0), ==, 0x5a);
    }
    for (guint i = 0; i < member->queues; i++) {
        g_assert_cmpuint(last_base(run, i), ==, 3); /* behind the three requests */
    }
    g_assert_cmpuint(backend_count(backend_of(run), VHOST_USER_SET_VRING_KICK), ==, member->queues);
    family_request_everywhere(run, rig_dimm_address(run->rig, 2));
    family_request_everywhere(run, rig_dimm_address(run->rig, 1));
    reconnect_assert(run->rig, "connections", "2");
    reconnect_assert(run->rig, "losses", "1");
    reconnect_expect_nothing(run->rig);
    family_end(run);
}

/* --- it does not fit --- */

typedef struct Misfit {
    const char *name;
    void (*change)(BackendConfig *config, const FamilyMember *member);
    gboolean (*concerns)(const FamilyMember *member);
    const char *words;
} Misfit;

static void lack_event_index(BackendConfig *config, const FamilyMember *member G_GNUC_UNUSED)
{
    config->features &= ~BIT(VIRTIO_RING_F_EVENT_IDX);
}

static gboolean every(const FamilyMember *member G_GNUC_UNUSED)
{
    return TRUE;
}

static void lack_own_features(BackendConfig *config, const FamilyMember *member)
{
    config->features &= ~member->features;
}

static gboolean has_features(const FamilyMember *member)
{
    return member->features != 0;
}

/* The last byte that a driver reads and does not write. */
static void change_config(BackendConfig *config, const FamilyMember *member)
{
    config->config[member->config_size - 1] ^= 0xff;
}

/* What a driver may write can change what it reads: it is not compared. */
static gboolean has_config(const FamilyMember *member)
{
    return member->source == FAMILY_FROM_BACKEND && member->writable == 0;
}

static void lack_queues(BackendConfig *config, const FamilyMember *member)
{
    config->queues = member->queues - 1;
}

/* Their number is the user's; where the kind fixes it nobody asks. */
static gboolean has_queues(const FamilyMember *member)
{
    return strstr(member->properties, ",num") != NULL;
}

static void lack_slots(BackendConfig *config, const FamilyMember *member G_GNUC_UNUSED)
{
    config->slots = 1;
}

static const Misfit misfits[] = {
    {"feature", lack_event_index, every, "lacks features 0x20000000"},
    {"own-features", lack_own_features, has_features, "lacks features"},
    {"config", change_config, has_config, "another configuration"},
    {"queues", lack_queues, has_queues, "queues are wanted"},
    {"slots", lack_slots, every, "allows 1 memory slot"},
};

/* One after the other; then the right one comes, and nothing was lost. */
static void test_misfits(gconstpointer data)
{
    const FamilyMember *member = data;
    FamilyRun *run = start(member, RECONNECT_CHARDEV);
    BackendConfig good;
    uint64_t buffer = new_buffer(run);

    rig_plug(run->rig, 0);
    family_request_everywhere(run, buffer);
    backend_config_init(&good);
    family_configure(&good, 0);
    for (guint i = 0; i < G_N_ELEMENTS(misfits); i++) {
        BackendConfig config = good;

        if (!misfits[i].concerns(member)) {
            continue;
        }
        g_test_message("%s", misfits[i].name);
        misfits[i].change(&config, member);
        rig_settle(run->rig);
        backend_set_config(backend_of(run), &config);
        reconnect_hang_up(run->rig);
        reconnect_expect(run->rig, "ignored", NULL, misfits[i].words);
        reconnect_assert(run->rig, "connected", "false");
        backend_set_config(backend_of(run), &good);
        reconnect_await(run->rig, member->queues);
        qmp_events_clear(run->rig->qmp);
        family_request_everywhere(run, buffer);
        g_assert_false(virt_device_status(run->driver) & VIRTIO_CONFIG_S_NEEDS_RESET);
    }
    family_end(run);
}

/* --- it dies --- */

static const FaultKind faults[] = {
    FAULT_CLOSE_BEFORE, FAULT_WRONG_REQUEST, FAULT_WRONG_VERSION, FAULT_SHORT, FAULT_EXTRA_FD,
};

static char *plug_refused(FamilyRun *run, guint number)
{
    json_object_put(qmp_command_or_fail(
        run->rig->qmp,
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
        "'id':'x%u','size':2097152,'share':true}}",
        number));
    return qmp_command_refused(run->rig->qmp,
                               "{'execute':'device_add','arguments':{'driver':'pc-dimm',"
                               "'id':'y%u','memdev':'x%u'}}",
                               number, number);
}

/* By a fault in a request: the event names it, device_add fails, and with a chardev that connects
 * again everything goes on. */
static void test_faults(gconstpointer data)
{
    const FamilyMember *member = data;
    FamilyRun *run = start(member, RECONNECT_CHARDEV);
    uint64_t buffer = new_buffer(run);

    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        BackendFault fault = {VHOST_USER_ADD_MEM_REG, 1, faults[i], 0, 0};
        g_autofree char *refusal = NULL;

        g_test_message("%s", fault_name(faults[i]));
        backend_fault(backend_of(run), &fault);
        refusal = plug_refused(run, i);
        rig_assert_names(refusal, "'b0'", "ADD_MEM_REG", NULL);
        reconnect_expect(run->rig, "reconnecting", "ADD_MEM_REG", "ADD_MEM_REG");
        reconnect_await(run->rig, member->queues);
        family_request_everywhere(run, buffer);
        g_assert_cmpuint(backend_regions(backend_of(run)), ==, 1);
    }
    reconnect_expect_nothing(run->rig);
    g_assert_false(virt_device_status(run->driver) & VIRTIO_CONFIG_S_NEEDS_RESET);
    family_end(run);
}

/* The same with a chardev that does not: the device is dead, and the machine is not; the next
 * driver is told before it relies on the device. */
static void test_dead(gconstpointer data)
{
    FamilyRun *run = start(data, NULL);
    BackendFault fault = {VHOST_USER_ADD_MEM_REG, 1, FAULT_CLOSE_BEFORE, 0, 0};
    g_autofree char *refusal = NULL;

    backend_fault(backend_of(run), &fault);
    refusal = plug_refused(run, 0);
    rig_assert_names(refusal, "'b0'", "ADD_MEM_REG", NULL);
    reconnect_expect(run->rig, "dead", "ADD_MEM_REG", "ADD_MEM_REG");
    g_assert_true(virt_device_status(run->driver) & VIRTIO_CONFIG_S_NEEDS_RESET);
    rig_plug(run->rig, 0);
    g_assert_false(virt_device_negotiate(run->driver, 0, FALSE));
    reconnect_expect_nothing(run->rig);
    family_end(run);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {{"returns", test_returns},
                 {"misfits", test_misfits},
                 {"faults", test_faults},
                 {"dead", test_dead}};

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; family_members[i].type != NULL; i++) {
        for (guint j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path = g_strdup_printf("/family-reconnect/%s/%u/%s",
                                                    family_members[i].type, i, tests[j].name);

            g_test_add_data_func(path, &family_members[i], tests[j].function);
        }
    }
    return g_test_run();
}
