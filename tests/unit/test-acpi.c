/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI registers: power management, events, PCI and memory hot-plug. */
#include "hw/acpi/acpi.h"
#include "hw/mem/memory-device.h"
#include "pci-test.h"
#include "system/clock.h"

#define PM1_STATUS ACPI_PM_BASE
#define PM1_ENABLE (ACPI_PM_BASE + 2)
#define PM1_CONTROL (ACPI_PM_BASE + 4)
#define PM_TIMER (ACPI_PM_BASE + 8)
#define GPE_STATUS ACPI_GPE_BASE
#define GPE_ENABLE (ACPI_GPE_BASE + 2)
#define PCI_UP ACPI_PCI_BASE
#define PCI_DOWN (ACPI_PCI_BASE + 4)
#define PCI_EJECT (ACPI_PCI_BASE + 8)
#define PCI_REMOVABLE (ACPI_PCI_BASE + 12)
#define PCI_SELECT (ACPI_PCI_BASE + 16)
#define MEMORY_FLAGS (ACPI_MEMORY_BASE + 0x14)

#define SLOTS 32000
#define DIMM_SIZE (UINT64_C(1) << 27)

static GString *trail;
static PciBus *bus;

/* --- device types --- */

static DeviceProgress card_realize(PciDevice *device, GError **error G_GNUC_UNUSED)
{
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static DeviceProgress card_unrealize(PciDevice *device)
{
    g_string_append_printf(trail, "gone:%s ", VM_OBJECT(device)->id);
    return DEVICE_DONE;
}

static void card_class_init(PciDeviceClass *class)
{
    DEVICE_CLASS(class)->category = "misc";
    class->vendor_id = 0x1234;
    class->realize = card_realize;
    class->unrealize = card_unrealize;
}

static void card_init(PciDevice *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(PciDevice, card, CARD)
VM_DEFINE_TYPE("test-card", PciDevice, PciDeviceClass, card, TYPE_PCI_DEVICE, 0);

/* Memory without memory: what the controller knows of a DIMM. */
typedef struct Stick {
    Device parent;
    uint32_t slot;
    MemoryDevice *reservation;
} Stick;

VM_DECLARE_TYPE(Stick, stick, STICK)

static DeviceProgress stick_realize(Device *device, GError **error)
{
    Stick *stick = STICK(device);

    stick->reservation = memory_device_reserve(device, VM_OBJECT(device)->id, stick->slot, 0,
                                               DIMM_SIZE, DIMM_SIZE, 0, error);
    if (!stick->reservation) {
        return DEVICE_FAILED;
    }
    if (device->hotplugged) {
        memory_device_ops()->plugged(stick->reservation, NULL);
    }
    return DEVICE_DONE;
}

static DeviceProgress stick_unrealize(Device *device)
{
    g_string_append_printf(trail, "gone:%s ", VM_OBJECT(device)->id);
    memory_device_ops()->unplugged(STICK(device)->reservation, NULL);
    memory_device_release(STICK(device)->reservation);
    return DEVICE_DONE;
}

static gboolean stick_unplug_request(Device *device, GError **error)
{
    return memory_device_ops()->unplug_request(STICK(device)->reservation, NULL, error);
}

static void stick_class_init(DeviceClass *class)
{
    class->category = "memory";
    class->hotpluggable = TRUE;
    class->realize = stick_realize;
    class->unrealize = stick_unrealize;
    class->unplug_request = stick_unplug_request;
}

static void stick_init(Stick *stick G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("test-stick", Stick, DeviceClass, stick, TYPE_DEVICE, 0);

static Device *add_stick(const char *id, uint32_t slot)
{
    GError *error = NULL;
    g_autoptr(VmObject) object = vm_object_new(stick_get_type(), id, &error);

    STICK(object)->slot = slot;
    g_assert_true(
        vm_object_add_child(vm_object_container("machine/peripheral"), id, object, &error));
    device_realize_now(DEVICE(object), &error);
    g_assert_no_error(error);
    return DEVICE(object);
}

static PciDevice *add_card(const char *id, const char *address, gboolean multifunction)
{
    GError *error = NULL;
    PciDevice *device = add_device(card_get_type(), id, address, multifunction, &error);

    g_assert_no_error(error);
    return device;
}

static void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

static void note_event(const char *name, ShutdownCause cause)
{
    g_string_append_printf(trail, "%s:%s ", name, shutdown_cause_name(cause));
}

static gboolean sci(void)
{
    return irq_line_level(ACPI_SCI_LINE);
}

/* --- fixed hardware --- */

static void test_power(void)
{
    g_assert_cmphex(port_read(PM1_CONTROL, 2), ==, 1);
    run_state_request_powerdown();
    run_main_loop();
    take_trail("POWERDOWN:none ");
    g_assert_cmphex(port_read(PM1_STATUS, 2), ==, 0x100);
    g_assert_false(sci());
    port_write(PM1_ENABLE, 0xffff, 2);
    g_assert_cmphex(port_read(PM1_ENABLE, 2), ==, 0x521);
    g_assert_cmphex(port_read(PM1_STATUS, 4), ==, 0x05210100);
    g_assert_true(sci());
    port_write(PM1_STATUS, 0xff, 1); /* the other byte */
    g_assert_true(sci());
    port_write(PM1_STATUS + 1, 0x01, 1);
    g_assert_false(sci());
    g_assert_cmphex(port_read(PM1_STATUS, 2), ==, 0);
    port_write(PM1_ENABLE, 0, 2);

    port_write(PM1_CONTROL, 0x3400, 2); /* sleep type 5: none of ours */
    run_main_loop();
    take_trail("");
    g_assert_cmphex(port_read(PM1_CONTROL, 2), ==, 0x1401);
}

static void test_timer(void)
{
    const gint64 carry = 599956 * G_GINT64_CONSTANT(1000000); /* 2^31 ticks take 599.93 s */
    gint64 start = clock_now();

    g_assert_cmpuint(port_read(PM_TIMER, 4), ==, 0);
    clock_advance(start + 1000000000);
    g_assert_cmpuint(port_read(PM_TIMER, 4), ==, 3579545);
    g_assert_cmphex(port_read(PM_TIMER, 1), ==, 3579545 & 0xff);
    port_write(PM_TIMER, 0, 4); /* read-only */
    g_assert_cmpuint(port_read(PM_TIMER, 4), ==, 3579545);
    g_assert_cmpint(clock_next_deadline(), ==, -1); /* nobody waits */
    clock_advance(start + carry);
    g_assert_cmphex(port_read(PM1_STATUS, 2), ==, 1);
    port_write(PM1_STATUS, 1, 2);
    port_write(PM1_ENABLE, 1, 2);
    g_assert_cmpint(clock_next_deadline(), >, clock_now());
    g_assert_false(sci());
    clock_advance(start + 2 * carry);
    g_assert_true(sci());
    port_write(PM1_STATUS, 1, 2);
    g_assert_false(sci());
    port_write(PM1_ENABLE, 0, 2);
    g_assert_cmpint(clock_next_deadline(), ==, -1);
}

static void test_gpe(void)
{
    acpi_gpe_raise(3);
    acpi_gpe_raise(12);
    acpi_gpe_raise(99);
    g_assert_cmphex(port_read(GPE_STATUS, 2), ==, 0x1008);
    g_assert_false(sci());
    port_write(GPE_ENABLE + 1, 0x10, 1);
    g_assert_true(sci());
    port_write(GPE_STATUS, 0x1000, 2);
    g_assert_false(sci());
    g_assert_cmphex(port_read(GPE_STATUS, 4), ==, 0x10000008);
    port_write(GPE_ENABLE, 0x0008, 2);
    g_assert_true(sci());
    port_write(GPE_STATUS, 0xff, 1);
    g_assert_false(sci());
    port_write(GPE_ENABLE, 0, 2);
}

/* --- PCI --- */

static void test_pci(void)
{
    GError *error = NULL;
    PciDevice *card;

    g_assert_cmphex(port_read(PCI_REMOVABLE, 4), ==, 0xfffffffc); /* not the bridges */
    port_write(GPE_ENABLE, 1 << ACPI_GPE_PCI, 2);
    card = add_card("card", "5", FALSE);
    g_assert_true(sci());
    port_write(GPE_STATUS, 0xffff, 2);
    port_write(GPE_ENABLE, 0, 2);
    port_write(GPE_ENABLE, 1 << ACPI_GPE_PCI, 2);
    g_assert_true(sci()); /* it still waits */
    g_assert_cmphex(port_read(PCI_UP, 4), ==, 1 << 5);
    g_assert_cmphex(port_read(PCI_UP, 4), ==, 0);
    port_write(GPE_STATUS, 0xffff, 2);

    g_assert_true(device_delete("card", &error));
    g_assert_true(sci());
    g_assert_cmphex(port_read(PCI_DOWN, 4), ==, 1 << 5);
    g_assert_cmphex(port_read(PCI_DOWN, 4), ==, 1 << 5);
    port_write(PCI_SELECT, 1, 4); /* no such bus */
    g_assert_cmphex(port_read(PCI_DOWN, 4), ==, 0);
    port_write(PCI_EJECT, 0xffffffff, 4);
    port_write(PCI_SELECT, 0, 4);
    port_write(PCI_EJECT, 1 << 5, 4);
    g_assert_cmphex(port_read(PCI_DOWN, 4), ==, 0);
    g_assert_cmphex(config_read(card->devfn, 0, 4), ==, 0xffffffff); /* at once */
    take_trail("");
    run_main_loop();
    take_trail("gone:card ");

    add_card("f1", "6.1", FALSE);
    g_assert_cmphex(port_read(PCI_UP, 4), ==, 0);
    add_card("f0", "6", TRUE);
    g_assert_cmphex(port_read(PCI_UP, 4), ==, 1 << 6);
    g_assert_null(add_device(card_get_type(), "f2", "6.2", FALSE, &error));
    g_assert_nonnull(strstr(error->message, "hot-plug function 0"));
    g_clear_error(&error);
    port_write(PCI_EJECT, 0xffffffff, 4); /* bridges stay */
    port_write(PCI_EJECT, 0xffffffff, 4);
    run_main_loop();
    take_trail("gone:f0 gone:f1 ");
    g_assert_cmphex(config_read(0, 0, 4), ==, 0x12378086);
    g_assert_cmphex(config_read(PCI_DEVFN(1, 0), 0, 4), ==, 0x70008086);

    card = add_card("card", "5", FALSE);
    g_assert_true(device_delete("card", &error));
    run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    run_main_loop();
    g_assert_cmphex(port_read(PCI_DOWN, 4), ==, 0);
    g_assert_cmphex(port_read(GPE_STATUS, 4), ==, 0);
    g_string_truncate(trail, 0);
    device_unplug(DEVICE(card));
    take_trail("gone:card ");
}

/* --- memory --- */

static uint64_t memory_register(unsigned offset, unsigned size)
{
    return port_read(ACPI_MEMORY_BASE + offset, size);
}

static void select_slot(uint32_t slot)
{
    port_write(ACPI_MEMORY_BASE, slot, 4);
}

static void send_ost(uint32_t event, uint32_t status)
{
    port_write(ACPI_MEMORY_BASE + 4, event, 4);
    port_write(ACPI_MEMORY_BASE + 8, status, 4);
}

static void test_memory(void)
{
    GError *error = NULL;
    Device *last, *dimm;

    port_write(GPE_ENABLE, 1 << ACPI_GPE_MEMORY, 2);
    dimm = add_stick("dimm", 0);
    last = add_stick("last", SLOTS - 1);
    g_assert_true(sci());
    port_write(GPE_STATUS, 0xffff, 2);
    port_write(GPE_ENABLE, 0, 2);
    g_assert_false(sci());
    port_write(GPE_ENABLE, 1 << ACPI_GPE_MEMORY, 2); /* both still wait */
    g_assert_true(sci());
    port_write(GPE_STATUS, 0xffff, 2);
    g_assert_cmpuint(memory_register(0x18, 4), ==, 0);
    port_write(MEMORY_FLAGS, 2, 1);
    g_assert_cmpuint(memory_register(0x18, 4), ==, SLOTS - 1);
    g_assert_cmpuint(memory_register(0x1c, 4), ==, 0); /* from the selected slot on */
    select_slot(1);
    g_assert_cmpuint(memory_register(0x1c, 4), ==, SLOTS - 1);
    select_slot(SLOTS);
    g_assert_cmphex(memory_register(0x1c, 4), ==, 0xffffffff);
    select_slot(SLOTS - 1);
    g_assert_cmphex(memory_register(0, 4), ==, DIMM_SIZE);
    g_assert_cmphex(memory_register(4, 4), ==, 1); /* the area begins at 4 GiB */
    g_assert_cmphex(memory_register(8, 4), ==, DIMM_SIZE);
    g_assert_cmphex(memory_register(12, 4), ==, 0);
    g_assert_cmphex(memory_register(16, 4), ==, 0);
    g_assert_cmphex(memory_register(20, 1), ==, 3);
    g_assert_cmphex(memory_register(3, 1), ==, DIMM_SIZE >> 24);
    port_write(MEMORY_FLAGS, 2, 1);
    g_assert_cmphex(memory_register(20, 1), ==, 1);
    g_assert_cmphex(memory_register(0x18, 4), ==, 0xffffffff);
    port_write(GPE_ENABLE, 0, 2);
    port_write(GPE_ENABLE, 1 << ACPI_GPE_MEMORY, 2); /* nothing waits any more */
    g_assert_false(sci());
    static const uint32_t empty[] = {1, SLOTS - 2, SLOTS, 0xffffffff};
    for (unsigned i = 0; i < G_N_ELEMENTS(empty); i++) {
        select_slot(empty[i]);
        g_assert_cmphex(memory_register(20, 4), ==, 0);
        g_assert_cmphex(memory_register(8, 4), ==, 0);
        port_write(MEMORY_FLAGS, 0xff, 1);
        send_ost(3, 1);
    }
    run_main_loop();
    take_trail("");

    select_slot(0);
    g_assert_true(device_delete("dimm", &error));
    g_assert_true(sci());
    g_assert_cmphex(memory_register(20, 1), ==, 5);
    g_assert_cmpuint(memory_register(0x18, 4), ==, 0);
    send_ost(3, 0x84); /* in progress */
    run_main_loop();
    g_assert_true(dimm->unplug_requested);
    send_ost(3, 0x82); /* busy: refused */
    g_assert_cmphex(memory_register(20, 1), ==, 1);
    g_assert_cmphex(memory_register(0x18, 4), ==, 0xffffffff);
    run_main_loop();
    g_assert_false(dimm->unplug_requested);
    send_ost(1, 0); /* a device check that went well */
    run_main_loop();

    g_assert_true(device_delete("dimm", &error));
    port_write(MEMORY_FLAGS, 4, 1);
    g_assert_cmphex(memory_register(20, 1), ==, 1);
    port_write(MEMORY_FLAGS, 8, 1);
    g_assert_cmphex(memory_register(20, 1), ==, 0); /* at once */
    port_write(MEMORY_FLAGS, 8, 1);
    send_ost(3, 0);
    run_main_loop();
    take_trail("gone:dimm ");
    g_assert_cmphex(memory_register(20, 1), ==, 0);
    device_unplug(last);
    take_trail("gone:last ");
    port_write(GPE_ENABLE, 0, 2);
}

static void test_shutdown(void)
{
    port_write(PM1_CONTROL, 0x2000 | ACPI_SLEEP_TYPE_S5 << 10, 2);
    run_main_loop();
    take_trail("SHUTDOWN:guest-shutdown ");
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    trail = g_string_new(NULL);
    run_state_set_event_hook(note_event);
    memory_device_area_set(UINT64_C(4) << 30, UINT64_C(1) << 40, UINT64_C(1) << 40, SLOTS);
    bus = add_bus();
    acpi_init(bus);
    device_set_machine_complete();
    g_test_add_func("/acpi/timer", test_timer);
    g_test_add_func("/acpi/power", test_power);
    g_test_add_func("/acpi/gpe", test_gpe);
    g_test_add_func("/acpi/pci", test_pci);
    g_test_add_func("/acpi/memory", test_memory);
    g_test_add_func("/acpi/shutdown", test_shutdown);
    result = g_test_run();
    device_cleanup_all();
    acpi_free();
    pci_bus_free(bus);
    g_string_free(trail, TRUE);
    return result;
}
