/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI register blocks as a guest's AML and drivers use them: memory and PCI hot-plug,
 * general-purpose events and their interrupt; what QMP then says; and values nobody would write.
 */
#include "qtest/rig.h"

#include <string.h>

/* Published register blocks; ACPI 6.4, 4.8.4 and 6.3.5 for events and _OST. */
enum {
    MEMORY_BASE = 0xa00,
    MEMORY_SELECT = 0xa00,
    MEMORY_ADDRESS = 0xa00,
    MEMORY_OST_EVENT = 0xa04,
    MEMORY_OST_STATUS = 0xa08,
    MEMORY_SIZE = 0xa08,
    MEMORY_NODE = 0xa10,
    MEMORY_FLAGS = 0xa14,
    PCI_UP = 0xae00,
    PCI_DOWN = 0xae04,
    PCI_EJECT = 0xae08,
    PCI_REMOVABLE = 0xae0c,
    PCI_BUS = 0xae10,
    GPE_STATUS = 0xafe0,
    GPE_ENABLE = 0xafe2,
    PM_BASE = 0x600,
};
enum { ENABLED = 1, INSERTING = 2, REMOVING = 4, EJECT = 8 };
enum { GPE_PCI = 1 << 1, GPE_MEMORY = 1 << 3 };
enum { OST_EJECT_REQUEST = 3, OST_FAILURE = 1, OST_SUCCESS = 0 };
#define SCI_LINE 9
#define EVENT_WAIT 10000

static uint8_t memory_flags(Rig *rig, uint32_t slot)
{
    qtest_outl(rig->qtest, MEMORY_SELECT, slot);
    return qtest_inb(rig->qtest, MEMORY_FLAGS);
}

static uint64_t memory_number(Rig *rig, uint16_t port)
{
    return qtest_inl(rig->qtest, port) | (uint64_t)qtest_inl(rig->qtest, port + 4) << 32;
}

static void request_unplug(Rig *rig, const char *id)
{
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'device_del','arguments':{'id':'%s'}}", id));
}

/* The event with the device's id, and nothing of the kind after it. */
static json_object *device_event(Rig *rig, const char *name, const char *id)
{
    return qmp_event_where_or_fail(rig->qmp, name, "device", id, EVENT_WAIT);
}

static void expect_deleted(Rig *rig, const char *id)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    json_object *event = device_event(rig, "DEVICE_DELETED", id);

    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, path);
    json_object_put(event);
}

static void expect_no_event(Rig *rig, const char *name)
{
    qmp_expect_no_event(rig->qmp, name, 100);
}

/* --- memory --- */

static void check_empty(Rig *rig, uint32_t slot)
{
    qtest_outl(rig->qtest, MEMORY_SELECT, slot);
    for (uint16_t port = MEMORY_BASE; port < MEMORY_BASE + 0x18; port += 4) {
        g_assert_cmphex(qtest_inl(rig->qtest, port), ==, 0);
    }
}

/* What a guest reads of a DIMM, and the two events it acknowledges. */
static void test_memory_registers(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Qtest *qtest = rig->qtest;

    check_empty(rig, 0);
    check_empty(rig, 599);
    check_empty(rig, 600);
    check_empty(rig, UINT32_MAX);
    for (guint i = 0; i < 3; i++) {
        rig_plug(rig, i);
    }
    for (guint i = 0; i < 3; i++) {
        g_assert_cmphex(memory_flags(rig, i), ==, ENABLED | INSERTING);
        g_assert_cmphex(memory_number(rig, MEMORY_ADDRESS), ==, rig_dimm_address(rig, i));
        g_assert_cmphex(memory_number(rig, MEMORY_ADDRESS), ==, RIG_AREA + i * RIG_DIMM);
        g_assert_cmphex(memory_number(rig, MEMORY_SIZE), ==, RIG_DIMM);
        g_assert_cmpuint(qtest_inl(qtest, MEMORY_NODE), ==, 0);
        g_assert_cmphex(qtest_inl(qtest, MEMORY_FLAGS), ==, ENABLED | INSERTING);
        g_assert_cmphex(qtest_inb(qtest, MEMORY_ADDRESS + 4), ==, RIG_AREA >> 32);
        qtest_outb(qtest, MEMORY_FLAGS, INSERTING);
        g_assert_cmphex(memory_flags(rig, i), ==, ENABLED);
    }
    check_empty(rig, 3);
    request_unplug(rig, "d1");
    g_assert_cmphex(memory_flags(rig, 1), ==, ENABLED | REMOVING);
    g_assert_cmphex(memory_flags(rig, 0), ==, ENABLED);
    qtest_outl(qtest, MEMORY_SELECT, 1);
    qtest_outb(qtest, MEMORY_FLAGS, REMOVING);
    g_assert_cmphex(memory_flags(rig, 1), ==, ENABLED);
    expect_no_event(rig, "DEVICE_DELETED"); /* only acknowledged */
    qtest_outb(qtest, MEMORY_FLAGS, EJECT);
    check_empty(rig, 1); /* at once */
    expect_deleted(rig, "d1");
    g_assert_cmpuint(rig_dimms(rig), ==, 2);
    g_assert_cmphex(memory_flags(rig, 2), ==, ENABLED);
    rig_end(rig);
}

/* A DIMM of the command line is no news. */
static void test_memory_cold(void)
{
    RigOptions options = {.arguments = "-object memory-backend-memfd,id=m0,size=2M "
                                       "-device pc-dimm,id=d0,memdev=m0,slot=7"};
    Rig *rig = rig_start(NULL, &options);

    g_assert_cmphex(memory_flags(rig, 7), ==, ENABLED);
    g_assert_cmphex(memory_number(rig, MEMORY_ADDRESS), ==, RIG_AREA);
    g_assert_cmphex(qtest_inw(rig->qtest, GPE_STATUS), ==, 0);
    rig_unplug(rig, 0);
    check_empty(rig, 7);
    rig_end(rig);
}

static void report_ost(Rig *rig, uint32_t slot, uint32_t event, uint32_t status)
{
    qtest_outl(rig->qtest, MEMORY_SELECT, slot);
    qtest_outl(rig->qtest, MEMORY_OST_EVENT, event);
    qtest_outl(rig->qtest, MEMORY_OST_STATUS, status);
}

static void expect_ost(Rig *rig, const char *id, const char *slot, gint64 source, gint64 status)
{
    g_autoptr(json_object) event = qmp_event(rig->qmp, "ACPI_DEVICE_OST", EVENT_WAIT);

    if (!event) {
        vmm_fail("no ACPI_DEVICE_OST");
    }
    g_assert_cmpstr(qmp_get_string(event, "data/info/device"), ==, id);
    g_assert_cmpstr(qmp_get_string(event, "data/info/slot"), ==, slot);
    g_assert_cmpstr(qmp_get_string(event, "data/info/slot-type"), ==, "DIMM");
    g_assert_cmpint(qmp_get_int(event, "data/info/source", -1), ==, source);
    g_assert_cmpint(qmp_get_int(event, "data/info/status", -1), ==, status);
}

/* The guest refuses; the next request succeeds. */
static void test_memory_refused(void)
{
    Rig *rig = rig_start(NULL, NULL);
    json_object *event, *status;

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    report_ost(rig, 0, 1, OST_SUCCESS); /* device check: inserted */
    expect_ost(rig, "d0", "0", 1, OST_SUCCESS);
    request_unplug(rig, "d0");
    g_assert_cmphex(memory_flags(rig, 0) & REMOVING, ==, REMOVING);
    report_ost(rig, 0, OST_EJECT_REQUEST, OST_FAILURE);
    expect_ost(rig, "d0", "0", OST_EJECT_REQUEST, OST_FAILURE);
    event = device_event(rig, "DEVICE_UNPLUG_GUEST_ERROR", "d0");
    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, "/machine/peripheral/d0");
    json_object_put(event);
    event = device_event(rig, "MEM_UNPLUG_ERROR", "d0");
    g_assert_nonnull(qmp_get_string(event, "data/msg"));
    json_object_put(event);
    g_assert_cmphex(memory_flags(rig, 0) & (ENABLED | REMOVING), ==, ENABLED);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    status = qmp_command_or_fail(rig->qmp, "{'execute':'query-acpi-ospm-status'}");
    g_assert_cmpstr(qmp_get_string(status, "0/device"), ==, "d0");
    g_assert_cmpint(qmp_get_int(status, "0/status", -1), ==, OST_FAILURE);
    json_object_put(status);
    rig_unplug(rig, 0);
    report_ost(rig, 0, OST_EJECT_REQUEST, OST_SUCCESS);
    expect_ost(rig, NULL, "0", OST_EJECT_REQUEST, OST_SUCCESS);
    expect_no_event(rig, "DEVICE_UNPLUG_GUEST_ERROR");
    report_ost(rig, 5000, OST_EJECT_REQUEST, OST_FAILURE); /* no such slot */
    expect_no_event(rig, "ACPI_DEVICE_OST");
    rig_end(rig);
}

/* A reset of the machine completes an unplug that the guest never answered. */
static void test_memory_reset(void)
{
    Rig *rig = rig_start(NULL, NULL);

    rig_plug(rig, 0);
    rig_plug(rig, 1);
    request_unplug(rig, "d0");
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    expect_deleted(rig, "d0");
    g_assert_cmphex(memory_flags(rig, 1), ==, ENABLED);
    check_empty(rig, 0);
    g_assert_cmpuint(rig_dimms(rig), ==, 1);
    rig_end(rig);
}

/* A guest may let go of a DIMM that nobody asked for, and of one twice. */
static void test_memory_eject(void)
{
    Rig *rig = rig_start(NULL, NULL);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    qtest_outl(rig->qtest, MEMORY_SELECT, 0);
    for (guint i = 0; i < 5; i++) {
        qtest_outb(rig->qtest, MEMORY_FLAGS, EJECT);
    }
    expect_deleted(rig, "d0");
    expect_no_event(rig, "DEVICE_DELETED");
    g_assert_cmpuint(backend_count(rig_backend(rig, 0), VHOST_USER_REM_MEM_REG), ==, 1);
    rig_plug(rig, 1);
    g_assert_cmpint(rig_dimm_slot(rig, 1), ==, 0);
    g_assert_cmphex(memory_flags(rig, 0), ==, ENABLED | INSERTING);
    rig_end(rig);
}

/* --- general-purpose events --- */

static void test_gpe(void)
{
    Rig *rig = rig_start(NULL, NULL);
    Qtest *qtest = rig->qtest;

    qtest_irq_intercept_in(qtest, "ioapic");
    g_assert_cmphex(qtest_inw(qtest, GPE_STATUS), ==, 0);
    g_assert_cmphex(qtest_inw(qtest, GPE_ENABLE), ==, 0);
    rig_plug(rig, 0);
    g_assert_cmphex(qtest_inb(qtest, GPE_STATUS), ==, GPE_MEMORY);
    g_assert_cmpuint(qtest_irq_raised(qtest, SCI_LINE), ==, 0); /* not enabled */
    qtest_outb(qtest, GPE_ENABLE, GPE_PCI);
    g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    qtest_outb(qtest, GPE_ENABLE, GPE_PCI | GPE_MEMORY);
    g_assert_cmphex(qtest_inb(qtest, GPE_ENABLE), ==, GPE_PCI | GPE_MEMORY);
    g_assert_true(qtest_irq_level(qtest, SCI_LINE));
    qtest_outb(qtest, GPE_STATUS, (uint8_t)~GPE_MEMORY);
    g_assert_cmphex(qtest_inb(qtest, GPE_STATUS), ==, GPE_MEMORY); /* only ones clear */
    qtest_outb(qtest, GPE_STATUS, GPE_MEMORY);
    g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    for (guint i = 1; i < 4; i++) {
        rig_plug(rig, i);
        qtest_inb(qtest, GPE_STATUS);
        g_assert_true(qtest_irq_level(qtest, SCI_LINE));
        qtest_outw(qtest, GPE_STATUS, 0xffff);
        g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    }
    request_unplug(rig, "d0");
    qtest_inb(qtest, GPE_STATUS);
    g_assert_true(qtest_irq_level(qtest, SCI_LINE));
    g_assert_cmpuint(qtest_irq_raised(qtest, SCI_LINE), ==, 5);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    qmp_expect_event(rig->qmp, "RESET", EVENT_WAIT);
    g_assert_cmphex(qtest_inl(qtest, GPE_STATUS), ==, 0);
    g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    rig_end(rig);
}

/* --- PCI --- */

static void plug_disk(Rig *rig, Backend *backend, const char *id, guint slot)
{
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'c-%s','backend':{'type':'socket','data':"
        "{'server':false,'addr':{'type':'unix','data':{'path':'%s'}}}}}}",
        id, backend_path(backend)));
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'%s',"
        "'chardev':'c-%s','addr':'0x%x'}}",
        id, id, slot));
}

static void test_pci_registers(void)
{
    BackendConfig config;
    g_autoptr(Backend) backend = NULL;
    Rig *rig = rig_start(NULL, NULL);
    Qtest *qtest = rig->qtest;

    backend_config_init(&config);
    backend = backend_start(&config);
    g_assert_cmphex(qtest_inl(qtest, PCI_UP), ==, 0);
    g_assert_cmphex(qtest_inl(qtest, PCI_DOWN), ==, 0);
    g_assert_cmphex(qtest_inl(qtest, PCI_REMOVABLE), ==, 0xfffffffc); /* not the bridges */
    for (guint round = 0; round < 3; round++) {
        guint slot = 9 + round;

        plug_disk(rig, backend, "x", slot);
        g_assert_cmphex(pci_identify(qtest, PCI_SLOT_FUNCTION(slot, 0)), ==, 0x10011af4);
        g_assert_cmphex(qtest_inw(qtest, GPE_STATUS), ==, GPE_PCI);
        qtest_outw(qtest, GPE_STATUS, GPE_PCI);
        qtest_outl(qtest, PCI_BUS, 1);
        g_assert_cmphex(qtest_inl(qtest, PCI_UP), ==, 0);
        g_assert_cmphex(qtest_inl(qtest, PCI_REMOVABLE), ==, 0);
        qtest_outl(qtest, PCI_EJECT, UINT32_MAX);
        g_assert_cmphex(qtest_inl(qtest, PCI_BUS), ==, 1);
        qtest_outl(qtest, PCI_BUS, 0);
        g_assert_cmphex(qtest_inl(qtest, PCI_UP), ==, 1u << slot);
        g_assert_cmphex(qtest_inl(qtest, PCI_UP), ==, 0); /* reading takes it */
        request_unplug(rig, "x");
        g_assert_cmphex(qtest_inw(qtest, GPE_STATUS), ==, GPE_PCI);
        qtest_outw(qtest, GPE_STATUS, GPE_PCI);
        g_assert_cmphex(qtest_inl(qtest, PCI_DOWN), ==, 1u << slot);
        g_assert_cmphex(qtest_inl(qtest, PCI_DOWN), ==, 1u << slot);
        expect_no_event(rig, "DEVICE_DELETED");
        qtest_outl(qtest, PCI_EJECT, 1u << slot);
        g_assert_cmphex(pci_identify(qtest, PCI_SLOT_FUNCTION(slot, 0)), ==, UINT32_MAX);
        g_assert_cmphex(qtest_inl(qtest, PCI_DOWN), ==, 0);
        expect_deleted(rig, "x");
        json_object_put(
            qmp_command_or_fail(rig->qmp, "{'execute':'chardev-remove','arguments':{'id':'c-x'}}"));
    }
    rig_end(rig);
}

/* A disk that works, ejected at work; reset ends an unplug; bridges stay. */
static void test_pci_eject(void)
{
    BackendConfig config;
    g_autoptr(Backend) backend = NULL;
    RigOptions options = {.devices = 2};
    Rig *rig = rig_start(NULL, &options);
    Qtest *qtest = rig->qtest;

    backend_config_init(&config);
    backend = backend_start(&config);
    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    qtest_outl(qtest, PCI_EJECT, 1u << RIG_DISK_SLOT | 3); /* unasked, and the bridges */
    expect_deleted(rig, "b0");
    g_assert_cmphex(pci_identify(qtest, 0), ==, 0x12378086);
    g_assert_cmphex(pci_identify(qtest, PCI_SLOT_FUNCTION(1, 0)), ==, 0x70008086);
    rig_check_data(rig, 1, rig_dimm_address(rig, 0));
    plug_disk(rig, backend, "y", RIG_DISK_SLOT);
    request_unplug(rig, "y");
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    expect_deleted(rig, "y");
    g_assert_cmphex(pci_identify(qtest, PCI_SLOT_FUNCTION(RIG_DISK_SLOT, 0)), ==, UINT32_MAX);
    g_assert_cmphex(qtest_inl(qtest, PCI_DOWN), ==, 0);
    rig_plug(rig, 1);
    rig_end(rig);
}

/* --- values that nobody would write --- */

static void write_sized(Qtest *qtest, uint16_t port, uint32_t value, guint size)
{
    if (size == 0) {
        qtest_outb(qtest, port, (uint8_t)value);
    } else if (size == 1) {
        qtest_outw(qtest, port, (uint16_t)value);
    } else {
        qtest_outl(qtest, port, value);
    }
}

static void test_wild(void)
{
    static const uint16_t bases[] = {MEMORY_BASE, PCI_UP, GPE_STATUS, PM_BASE + 8, PM_BASE};
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, UINT32_MAX};
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    RigOptions options = {.devices = 2};
    Rig *rig = rig_start(NULL, &options);
    json_object *status;

    rig_boot(rig, NULL);
    for (guint i = 0; i < 8; i++) {
        rig_plug(rig, i);
    }
    for (guint i = 0; i < 6000; i++) {
        uint16_t base = bases[g_rand_int_range(random, 0, G_N_ELEMENTS(bases))];
        uint16_t port = base + g_rand_int_range(random, 0, base == PM_BASE ? 4 : 0x20);
        uint32_t value = g_rand_boolean(random)
                             ? g_rand_int(random)
                             : values[g_rand_int_range(random, 0, G_N_ELEMENTS(values))];

        if (base == PM_BASE && port == PM_BASE + 3) {
            continue; /* a doubleword would reach the sleep bit */
        }
        if (g_rand_boolean(random)) {
            write_sized(rig->qtest, port, value,
                        g_rand_int_range(random, 0, base == PM_BASE ? 1 : 3));
        } else {
            qtest_inl(rig->qtest, port);
        }
        if (i % 1000 == 0) { /* memory goes while more is asked for */
            qtest_outl(rig->qtest, PCI_BUS, 0);
            qmp_events_clear(rig->qmp);
        }
    }
    status = qmp_command_or_fail(rig->qmp, "{'execute':'query-status'}");
    g_assert_cmpstr(qmp_get_string(status, "status"), ==, "running");
    json_object_put(status);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-memory-devices'}"));
    rig_plug(rig, 100);
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/acpi/memory/registers", test_memory_registers);
    g_test_add_func("/acpi/memory/cold", test_memory_cold);
    g_test_add_func("/acpi/memory/refused", test_memory_refused);
    g_test_add_func("/acpi/memory/reset", test_memory_reset);
    g_test_add_func("/acpi/memory/eject", test_memory_eject);
    g_test_add_func("/acpi/gpe", test_gpe);
    g_test_add_func("/acpi/pci/registers", test_pci_registers);
    g_test_add_func("/acpi/pci/eject", test_pci_eject);
    g_test_add_func("/acpi/wild", test_wild);
    return g_test_run();
}
