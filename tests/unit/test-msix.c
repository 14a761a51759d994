/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MSI-X: table, masks, pending bits, delivery. */
#include "pci-test.h"

#define DEVFN PCI_DEVFN(4, 0)
#define VECTORS 70
#define BAR 0xe0000000
#define PBA (BAR + 0x800)

static DeviceProgress msix_device_realize(PciDevice *device, GError **error)
{
    if (!msix_init(device, VECTORS, 1, 0, 0x800, 0x1000, error)) {
        return DEVICE_FAILED;
    }
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static void msix_device_class_init(PciDeviceClass *class)
{
    DEVICE_CLASS(class)->category = "misc";
    class->vendor_id = 0x1234;
    class->realize = msix_device_realize;
}

static void msix_device_init(PciDevice *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(PciDevice, msix_device, MSIX_DEVICE)
VM_DEFINE_TYPE("test-msix-device", PciDevice, PciDeviceClass, msix_device, TYPE_PCI_DEVICE, 0);

static uint16_t control(void)
{
    return config_read(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_FLAGS, 2);
}

static void set_control(uint16_t value)
{
    config_write(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_FLAGS, value, 2);
}

static PciDevice *add_msix_device(void)
{
    GError *error = NULL;
    PciDevice *device = add_device(msix_device_get_type(), "m", "4", FALSE, &error);

    g_assert_no_error(error);
    config_write(DEVFN, PCI_BASE_ADDRESS_1, BAR, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    return device;
}

static void set_vector(unsigned vector, uint64_t address, uint32_t data)
{
    mem_write(BAR + 16 * vector, address, 8);
    mem_write(BAR + 16 * vector + 8, data, 4);
}

static void set_mask(unsigned vector, gboolean masked)
{
    mem_write(BAR + 16 * vector + 12, masked, 4);
}

static uint32_t take_message(uint64_t address)
{
    uint32_t message = mem_read(address, 4);

    mem_write(address, 0, 4);
    return message;
}

static void test_table(void)
{
    PciBus *bus = add_bus();

    add_msix_device();
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0), 1), ==, PCI_CAP_ID_MSIX);
    g_assert_cmphex(control(), ==, VECTORS - 1);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_TABLE, 4), ==, 1);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0) + PCI_MSIX_PBA, 4), ==, 0x801);
    set_control(0xffff);
    g_assert_cmphex(control(), ==, 0xc000 | (VECTORS - 1));
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        g_assert_cmphex(mem_read(BAR + 16 * vector + 12, 4), ==, 1);
        set_vector(vector, 0x1000 + 4 * vector, vector);
    }
    g_assert_cmphex(mem_read(BAR + 16 * 69, 8), ==, 0x1000 + 4 * 69);
    g_assert_cmphex(mem_read(BAR + 16 * 69 + 8, 8), ==, 0x100000045);
    mem_write(BAR + 16 * VECTORS, 1, 4); /* behind the table */
    g_assert_cmphex(mem_read(BAR + 16 * VECTORS, 4), ==, 0);
    mem_write(PBA, 0xffffffff, 4);
    g_assert_cmphex(mem_read(PBA, 8), ==, 0);
    device_cleanup_all();
    pci_bus_free(bus);
}

static void test_delivery(void)
{
    PciBus *bus = add_bus();
    PciDevice *device = add_msix_device();

    set_vector(0, 0x1000, 0xabcd);
    set_vector(69, 0x1010, 0x6969);
    msix_notify(device, 0); /* not enabled: nothing at all */
    g_assert_cmphex(mem_read(PBA, 8), ==, 0);
    g_assert_false(msix_enabled(device));
    set_control(0x8000);
    g_assert_true(msix_enabled(device));

    msix_notify(device, 0);
    msix_notify(device, 69);
    msix_notify(device, VECTORS);
    msix_notify(device, 0xffff);
    g_assert_cmphex(mem_read(PBA, 8), ==, 1);
    g_assert_cmphex(mem_read(PBA + 8, 8), ==, 1 << 5);
    g_assert_cmphex(take_message(0x1000), ==, 0);
    set_mask(0, FALSE);
    g_assert_cmphex(take_message(0x1000), ==, 0xabcd);
    g_assert_cmphex(mem_read(PBA, 8), ==, 0);
    msix_notify(device, 0);
    g_assert_cmphex(take_message(0x1000), ==, 0xabcd);

    set_control(0xc000); /* the whole function is masked */
    set_mask(69, FALSE);
    msix_notify(device, 0);
    g_assert_cmphex(take_message(0x1000), ==, 0);
    g_assert_cmphex(take_message(0x1010), ==, 0);
    set_control(0x8000);
    g_assert_cmphex(take_message(0x1000), ==, 0xabcd);
    g_assert_cmphex(take_message(0x1010), ==, 0x6969);
    g_assert_cmphex(mem_read(PBA + 8, 8), ==, 0);

    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2); /* no bus master */
    msix_notify(device, 0);
    g_assert_cmphex(take_message(0x1000), ==, 0);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    g_assert_cmphex(take_message(0x1000), ==, 0xabcd);

    set_vector(0, 0xfffffffffffffffc, 1); /* outside of everything */
    msix_notify(device, 0);
    device_cleanup_all();
    pci_bus_free(bus);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    add_ram(0x10000);
    g_test_add_func("/msix/table", test_table);
    g_test_add_func("/msix/delivery", test_delivery);
    return g_test_run();
}
