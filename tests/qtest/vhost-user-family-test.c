/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of vhost-user device: identity, features, configuration, requests through each ring,
 * memory that grows, and the device's own coming and going.
 */
#include "qtest/family-rig.h"

#include <linux/pci_regs.h>
#include <string.h>

#define ACPI_PCI_EJECT 0xae08
#define HOT_SLOT 9

/* Of rings and transport (virtio 1.2, 6): these go through to every device. */
#define TRANSPORT                                                                                  \
    (BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
     BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) |          \
     BIT(VIRTIO_F_IN_ORDER) | BIT(VIRTIO_F_ORDER_PLATFORM) | BIT(FAMILY_RING_RESET))

/* --- identity, features --- */

static uint32_t config_register(FamilyRun *run, uint8_t offset)
{
    return pci_config_readl(run->driver->pci, offset);
}

static gboolean shows_feature(FamilyRun *run)
{
    json_object *all = qmp_command_or_fail(run->rig->qmp, "{'execute':'x-query-vhost-user'}");
    json_object *features = qmp_get(all, "0/features");
    gboolean found = FALSE;

    g_assert_cmpstr(qmp_get_string(all, "0/type"), ==, run->member->type);
    g_assert_cmpstr(qmp_get_string(all, "0/path"), ==, "/machine/peripheral/b0");
    for (gsize i = 0; i < json_object_array_length(features); i++) {
        found |= g_strcmp0(json_object_get_string(json_object_array_get_idx(features, i)),
                           run->member->feature) == 0;
    }
    json_object_put(all);
    return found;
}

static void check_identity(FamilyRun *run)
{
    const FamilyMember *member = run->member;
    guint queues = member->queues + member->local;

    g_assert_cmphex(config_register(run, PCI_VENDOR_ID), ==,
                    (uint32_t)member->pci_id << 16 | 0x1af4);
    g_assert_cmphex(config_register(run, PCI_CLASS_REVISION) >> 16, ==, member->pci_class);
    g_assert_cmpuint(virt_device_queues(run->driver), ==, queues);
    g_assert_cmpuint(run->driver->pci->vectors, ==, queues + 1);
    g_assert_cmphex(virt_device_offered(run->driver), ==, member->features | TRANSPORT);
    g_assert_true(member->feature == NULL || shows_feature(run));
}

/* --- configuration --- */

static void check_config(FamilyRun *run)
{
    const FamilyMember *member = run->member;
    uint64_t asked = member->source == FAMILY_FROM_BACKEND ? 1 : 0;

    g_assert_cmpuint(backend_count(rig_backend(run->rig, 0), VHOST_USER_GET_CONFIG), ==, asked);
    for (guint i = 0; i < member->config_size && member->source == FAMILY_FROM_BACKEND; i++) {
        g_assert_cmphex(family_config_byte(run, i), ==, FAMILY_BYTE(i));
    }
    for (const FamilyBytes *bytes = member->config; bytes->size != 0; bytes++) {
        g_assert_cmphex(qtest_readl(run->rig->qtest, run->driver->config + bytes->offset), ==,
                        bytes->value);
    }
    for (guint i = member->config_size; i < member->config_size + 16u; i++) {
        g_assert_cmphex(family_config_byte(run, i), ==, 0);
    }
}

/* Each byte is written: those that are the driver's reach the backend and are read back. */
static void check_config_writes(FamilyRun *run)
{
    const FamilyMember *member = run->member;
    Backend *backend = rig_backend(run->rig, 0);

    backend_clear(backend);
    for (guint i = 0; i < member->config_size; i++) {
        uint8_t before = family_config_byte(run, i);

        qtest_writeb(run->rig->qtest, run->driver->config + i, (uint8_t)~before);
        g_assert_cmphex(family_config_byte(run, i), ==,
                        i < member->writable ? (uint8_t)~before : before);
    }
    qtest_writel(run->rig->qtest, run->driver->config + member->config_size, 0x55);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_CONFIG), ==, member->writable);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_GET_CONFIG), ==, member->writable);
}

/* --- requests --- */

/* The backend never hears of a queue that is ours, and buffers stay in it. */
static void check_local_queues(FamilyRun *run)
{
    const FamilyMember *member = run->member;
    BackendMessage message;
    guint rings = 0;

    for (guint i = 0; backend_message(rig_backend(run->rig, 0), i, &message); i++) {
        if (message.header.request == VHOST_USER_SET_VRING_NUM) {
            g_assert_cmpuint(message.payload.state.index, <, member->queues);
            rings++;
        }
    }
    g_assert_cmpuint(rings, ==, member->queues);
    for (guint i = member->queues; i < member->queues + member->local; i++) {
        VirtBuffer buffer = {guest_memory_alloc(&run->rig->memory, 64, 64), 64, TRUE};
        VirtRing *ring = run->rings->pdata[i];

        virt_ring_add(ring, &buffer, 1);
        virt_ring_notify(ring);
        g_assert_cmpint(virt_ring_wait(ring, NULL, 20), ==, -1);
    }
}

static void test_works(gconstpointer data)
{
    FamilyRun *run = family_start(data, family_configure, NULL);
    uint64_t buffer = guest_memory_alloc(&run->rig->memory, 4096, 4096);

    check_identity(run);
    check_config(run);
    family_boot(run);
    check_local_queues(run);
    for (guint round = 0; round < 3; round++) {
        family_request_everywhere(run, buffer);
    }
    check_config_writes(run);
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'stop'}"));
    json_object_put(qmp_command_or_fail(run->rig->qmp, "{'execute':'cont'}"));
    family_request_everywhere(run, buffer);
    virt_device_reset(run->driver);
    g_assert_cmpuint(backend_rings_running(rig_backend(run->rig, 0)), ==, 0);
    family_boot(run);
    family_request_everywhere(run, buffer);
    family_end(run);
}

/* --- memory --- */

/* Nine DIMMs, more than a table message holds; each by one message; requests in each. */
static void test_memory(gconstpointer data)
{
    enum { DIMMS = 9 };
    FamilyRun *run = family_start(data, family_configure, NULL);
    Backend *backend = rig_backend(run->rig, 0);

    family_boot(run);
    backend_clear(backend);
    for (guint i = 0; i < DIMMS; i++) {
        rig_plug(run->rig, i);
        family_request_everywhere(run, rig_dimm_address(run->rig, i));
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_ADD_MEM_REG), ==, DIMMS);
    g_assert_cmpuint(backend_count(backend, VHOST_USER_SET_MEM_TABLE), ==, 0);
    for (guint i = 0; i < DIMMS; i++) {
        rig_unplug(run->rig, i);
    }
    g_assert_cmpuint(backend_count(backend, VHOST_USER_REM_MEM_REG), ==, DIMMS);
    family_request_everywhere(run, guest_memory_alloc(&run->rig->memory, 4096, 4096));
    family_end(run);
}

/* --- the device comes and goes --- */

static void unplug(FamilyRun *run, const char *id, guint slot)
{
    json_object *event;

    json_object_put(
        qmp_command_or_fail(run->rig->qmp, "{'execute':'device_del','arguments':{'id':'%s'}}", id));
    qtest_outl(run->rig->qtest, ACPI_PCI_EJECT, 1u << slot);
    event = qmp_event_where(run->rig->qmp, "DEVICE_DELETED", "device", id, FAMILY_WAIT);
    g_assert_nonnull(event);
    json_object_put(event);
    g_assert_cmphex(pci_identify(run->rig->qtest, PCI_SLOT_FUNCTION(slot, 0)), ==, 0xffffffff);
    g_clear_pointer(&run->driver, virt_device_free);
}

/* Properties as device_add's arguments: of text, which every property takes. */
static char *json_properties(const char *properties)
{
    g_auto(GStrv) pairs = g_strsplit(properties, ",", -1);
    GString *text = g_string_new(NULL);

    for (guint i = 0; pairs[i]; i++) {
        char *value = strchr(pairs[i], '=');

        if (value) {
            g_string_append_printf(text, ",'%.*s':'%s'", (int)(value - pairs[i]), pairs[i],
                                   value + 1);
        }
    }
    return g_string_free(text, FALSE);
}

static void test_unplug(gconstpointer data)
{
    const FamilyMember *member = data;
    FamilyRun *run = family_start(member, family_configure, NULL);
    g_autofree char *properties = json_properties(member->properties);
    uint64_t buffer = guest_memory_alloc(&run->rig->memory, 4096, 4096);

    family_boot(run);
    family_request_everywhere(run, buffer);
    unplug(run, "b0", RIG_DISK_SLOT);
    for (guint round = 0; round < 2; round++) {
        g_autofree char *chardev = g_strdup_printf("h%u", round);

        json_object_put(qmp_command_or_fail(
            run->rig->qmp,
            "{'execute':'chardev-add','arguments':{'id':'%s','backend':{'type':'socket','data':"
            "{'server':false,'addr':{'type':'unix','data':{'path':'%s'}}}}}}",
            chardev, backend_path(rig_backend(run->rig, 0))));
        json_object_put(qmp_command_or_fail(
            run->rig->qmp,
            "{'execute':'device_add','arguments':{'driver':'%s','id':'hot','chardev':'%s',"
            "'addr':'%x'%s}}",
            member->type, chardev, HOT_SLOT, properties));
        family_find_driver(run, HOT_SLOT);
        family_boot(run);
        family_request_everywhere(run, buffer);
        unplug(run, "hot", HOT_SLOT);
        json_object_put(qmp_command_or_fail(
            run->rig->qmp, "{'execute':'chardev-remove','arguments':{'id':'%s'}}", chardev));
    }
    family_end(run);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {{"works", test_works}, {"memory", test_memory}, {"unplug", test_unplug}};

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; family_members[i].type != NULL; i++) {
        for (guint j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path =
                g_strdup_printf("/family/%s/%u/%s", family_members[i].type, i, tests[j].name);

            g_test_add_data_func(path, &family_members[i], tests[j].function);
        }
    }
    return g_test_run();
}
