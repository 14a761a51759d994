/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI: addresses and slots, configuration mechanism 1, BARs, capabilities, INTx. */
#include "pci-test.h"

#define DEVFN PCI_DEVFN(4, 0)
#define BAR_IO 0
#define BAR_SMALL 1
#define BAR_WIDE 4

static uint64_t bar_read(gpointer opaque, uint64_t offset, unsigned size G_GNUC_UNUSED)
{
    return GPOINTER_TO_UINT(opaque) + offset;
}

static void bar_write(gpointer opaque G_GNUC_UNUSED, uint64_t offset G_GNUC_UNUSED,
                      uint64_t value G_GNUC_UNUSED, unsigned size G_GNUC_UNUSED)
{
}

static const IoOps bar_ops = {.read = bar_read, .write = bar_write, .max_access = 4};

static void add_test_bar(PciDevice *device, unsigned bar, uint8_t flags, uint64_t size, guint mark)
{
    pci_device_add_bar(
        device, bar, flags,
        io_region_new(G_OBJECT(device), "bar", &bar_ops, GUINT_TO_POINTER(mark), size), size);
}

static DeviceProgress probe_realize(PciDevice *device, GError **error G_GNUC_UNUSED)
{
    device->config[PCI_INTERRUPT_PIN] = 1;
    add_test_bar(device, BAR_IO, PCI_BASE_ADDRESS_SPACE_IO, 0x20, 0x10);
    add_test_bar(device, BAR_SMALL, PCI_BASE_ADDRESS_SPACE_MEMORY, 0x1000, 0x20);
    add_test_bar(device, BAR_WIDE, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
                 0x4000, 0x40);
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static void probe_class_init(PciDeviceClass *class)
{
    DEVICE_CLASS(class)->category = "misc";
    class->vendor_id = 0x1234;
    class->device_id = 0x5678;
    class->subsystem_vendor_id = 0x9abc;
    class->subsystem_id = 0xdef0;
    class->revision = 7;
    class->class_code[2] = 0xff;
    class->realize = probe_realize;
}

static void probe_init(PciDevice *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(PciDevice, probe, PROBE)
VM_DEFINE_TYPE("test-pci-probe", PciDevice, PciDeviceClass, probe, TYPE_PCI_DEVICE, 0);

static PciDevice *add_probe(const char *id, const char *address)
{
    GError *error = NULL;
    PciDevice *device = add_device(probe_get_type(), id, address, FALSE, &error);

    g_assert_no_error(error);
    return device;
}

static void remove_device(PciDevice *device)
{
    device_unplug(DEVICE(device));
    run_main_loop();
}

/* --- addresses --- */

static void test_address(void)
{
    static const struct {
        const char *text;
        int devfn;
    } rows[] = {
        {"4", 0x20},    {"04.0", 0x20}, {"0x06.1", 0x31}, {"4.0", 0x20}, {"1f.7", 0xff},
        {"0X1F", 0xf8}, {"0", 0},       {"10", 0x80},     {"20", -1},    {"4.8", -1},
        {"", -1},       {"0x", -1},     {"4.", -1},       {".1", -1},    {"4.0.0", -1},
        {" 4", -1},     {"-1", -1},     {"4x", -1},       {"4.0x1", -1}, {"g", -1},
        {"004", -1},    {"4.00", 0x20}, {"ff", -1},       {"4 ", -1},    {"0x0x4", -1},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        uint8_t devfn = 0;
        gboolean ok = pci_address_parse(rows[i].text, &devfn, &error);
        g_assert_cmpint(ok ? devfn : -1, ==, rows[i].devfn);
        if (!ok) {
            g_autofree char *quoted = g_strdup_printf("addr '%s'", rows[i].text);
            g_assert_nonnull(strstr(error->message, quoted));
        }
    }
}

static void assert_refused(const char *id, const char *address, gboolean multifunction,
                           const char *culprit)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(add_device(probe_get_type(), id, address, multifunction, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, id));
    g_assert_nonnull(strstr(error->message, culprit));
}

static void test_boot_order(void)
{
    PciBus *bus = add_bus();
    PciDevice *later = add_probe("p0", "4"), *first = add_probe("p1", "5");
    PciDevice *none = add_probe("p2", "3");

    g_assert_null(pci_bus_boot_device(bus));
    later->boot_index = 3;
    g_assert_true(pci_bus_boot_device(bus) == later);
    first->boot_index = 0;
    g_assert_true(pci_bus_boot_device(bus) == first);
    remove_device(first);
    g_assert_true(pci_bus_boot_device(bus) == later);
    remove_device(later);
    remove_device(none);
    device_cleanup_all();
    pci_bus_free(bus);
}

static void test_slots(void)
{
    PciBus *bus = add_bus();
    PciDevice *first = add_probe("first", NULL), *second = add_probe("second", "3");
    PciDevice *third = add_probe("third", NULL);
    GPtrArray *others = g_ptr_array_new();

    g_assert_cmphex(first->devfn, ==, PCI_DEVFN(2, 0));
    g_assert_cmphex(second->devfn, ==, PCI_DEVFN(3, 0));
    g_assert_cmphex(third->devfn, ==, PCI_DEVFN(4, 0));
    assert_refused("late", "3.0", FALSE, "'second'");
    assert_refused("late", "0", FALSE, "i440FX");
    assert_refused("late", "1", FALSE, "PIIX3");
    assert_refused("late", "3.1", FALSE, "multifunction=on");
    assert_refused("late", "3.9", FALSE, "3.9");
    assert_refused("late", "zz", FALSE, "zz");
    for (unsigned slot = 5; slot < PCI_SLOT_COUNT; slot++) {
        g_autofree char *id = g_strdup_printf("d%u", slot);
        g_ptr_array_add(others, add_probe(id, NULL));
    }
    assert_refused("late", NULL, FALSE, "no PCI slot");
    remove_device(second);
    second = add_probe("again", NULL);
    g_assert_cmphex(second->devfn, ==, PCI_DEVFN(3, 0));
    remove_device(first);
    remove_device(second);
    remove_device(third);
    g_ptr_array_foreach(others, (GFunc)(void (*)(void))remove_device, NULL);
    g_ptr_array_unref(others);

    GError *error = NULL;
    first = add_device(probe_get_type(), "f1", "6.1", FALSE, &error);
    g_assert_no_error(error);
    assert_refused("f0", "6", FALSE, "multifunction=on");
    second = add_device(probe_get_type(), "f0", "6", TRUE, &error);
    g_assert_no_error(error);
    g_assert_cmphex(config_read(PCI_DEVFN(6, 0), PCI_HEADER_TYPE, 1), ==, 0x80);
    g_assert_cmphex(config_read(PCI_DEVFN(6, 1), PCI_HEADER_TYPE, 1), ==, 0);
    remove_device(first);
    remove_device(second);
    device_cleanup_all();
    pci_bus_free(bus);
}

/* --- configuration space --- */

/* Which byte it is may also be said by bits 0 and 1 of the address, whatever the width. */
static void test_address_bits(void)
{
    static const struct {
        uint8_t low;
        uint16_t port;
        unsigned size;
        uint32_t value;
    } rows[] = {{2, 0xcfc, 2, 0x5678}, {1, 0xcfc, 1, 0x12},      {3, 0xcfc, 1, 0x56},
                {2, 0xcfd, 1, 0x56},   {2, 0xcfe, 2, 0x5678},    {1, 0xcfc, 2, 0x1234},
                {3, 0xcfc, 2, 0x5678}, {3, 0xcfc, 4, 0x56781234}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        port_write(0xcf8, 0x80000000 | DEVFN << 8 | rows[i].low, 4);
        g_assert_cmphex(port_read(rows[i].port, rows[i].size), ==, rows[i].value);
    }
    port_write(0xcf8, 0x80000000 | DEVFN << 8 | 0xff, 4); /* the last register, from inside */
    for (unsigned size = 1; size <= 4; size *= 2) {
        port_write(0xcff, UINT32_MAX, size);
        port_write(0xcfc, UINT32_MAX, size);
        g_assert_cmphex(port_read(0xcfc, size), ==, 0);
    }
}

static void test_config(void)
{
    PciBus *bus = add_bus();
    PciDevice *device = add_probe("d", "4");

    g_assert_cmphex(config_read(0, 0, 4), ==, 0x12378086);
    g_assert_cmphex(config_read(PCI_DEVFN(1, 0), 0, 4), ==, 0x70008086);
    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0x56781234);
    g_assert_cmphex(config_read(DEVFN, 2, 2), ==, 0x5678);
    g_assert_cmphex(config_read(DEVFN, 1, 1), ==, 0x12);
    g_assert_cmphex(config_read(DEVFN, PCI_SUBSYSTEM_VENDOR_ID, 4), ==, 0xdef09abc);
    g_assert_cmphex(config_read(DEVFN, PCI_CLASS_REVISION, 4), ==, 0xff000007);

    g_assert_cmphex(config_read(PCI_DEVFN(5, 0), 0, 4), ==, 0xffffffff);
    g_assert_cmphex(config_read(PCI_DEVFN(5, 0), 0, 2), ==, 0xffff);
    g_assert_cmphex(config_read(DEVFN + 1, 3, 1), ==, 0xff);
    port_write(0xcf8, 0x80010000 | DEVFN << 8, 4); /* bus 1 */
    g_assert_cmphex(port_read(0xcfc, 4), ==, 0xffffffff);
    port_write(0xcf8, DEVFN << 8, 4); /* not enabled */
    g_assert_cmphex(port_read(0xcfc, 4), ==, 0xffffffff);
    port_write(0xcf8, 0x80000000 | DEVFN << 8, 4);
    port_write(0xcf9, 0x06, 1); /* reset control, not the address */
    g_assert_cmphex(port_read(0xcf8, 4), ==, 0x80000000 | DEVFN << 8);
    g_assert_cmphex(port_read(0xcfd, 2), ==, 0x7812);
    test_address_bits();

    config_write(DEVFN, 0, 0, 4); /* read-only */
    config_write(DEVFN, PCI_INTERRUPT_PIN, 4, 1);
    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0x56781234);
    g_assert_cmphex(config_read(DEVFN, PCI_INTERRUPT_PIN, 1), ==, 1);
    config_write(DEVFN, PCI_INTERRUPT_LINE, 11, 1);
    g_assert_cmphex(config_read(DEVFN, PCI_INTERRUPT_LINE, 2), ==, 0x010b);
    config_write(DEVFN, PCI_COMMAND, 7, 2);
    g_assert_cmphex(config_read(DEVFN, PCI_COMMAND, 2), ==, 7);
    config_write(PCI_DEVFN(9, 0), PCI_COMMAND, 7, 2); /* nobody */
    remove_device(device);
    g_assert_cmphex(config_read(DEVFN, 0, 4), ==, 0xffffffff);
    device_cleanup_all();
    pci_bus_free(bus);
}

static unsigned bar_offset(unsigned bar)
{
    return PCI_BASE_ADDRESS_0 + 4 * bar;
}

static uint32_t size_bar(unsigned bar)
{
    config_write(DEVFN, bar_offset(bar), 0xffffffff, 4);
    return config_read(DEVFN, bar_offset(bar), 4);
}

static void test_bars(void)
{
    PciBus *bus = add_bus();
    PciDevice *device = add_probe("d", "4");

    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(size_bar(BAR_IO), ==, 0xffffffe1);
    g_assert_cmphex(size_bar(BAR_SMALL), ==, 0xfffff000);
    g_assert_cmphex(size_bar(BAR_WIDE), ==, 0xffffc00c);
    g_assert_cmphex(config_read(DEVFN, bar_offset(BAR_WIDE + 1), 4), ==, 0);
    g_assert_cmphex(size_bar(BAR_WIDE + 1), ==, 0xffffffff);
    g_assert_cmphex(size_bar(2), ==, 0);
    for (unsigned bar = 0; bar < PCI_BAR_COUNT; bar++) {
        g_assert_cmphex(device->bars[bar].mapped, ==, 0); /* sizing maps nothing */
    }

    config_write(DEVFN, bar_offset(BAR_WIDE + 1), 0, 4);
    config_write(DEVFN, bar_offset(BAR_IO), 0xc000, 4);
    config_write(DEVFN, bar_offset(BAR_SMALL), 0xe0000000, 4);
    config_write(DEVFN, bar_offset(BAR_WIDE), 0xe0004000, 4);
    g_assert_cmphex(config_read(DEVFN, bar_offset(BAR_IO), 4), ==, 0xc001);
    g_assert_cmphex(config_read(DEVFN, bar_offset(BAR_WIDE), 4), ==, 0xe000400c);
    g_assert_cmphex(port_read(0xc004, 1), ==, 0x14);
    g_assert_cmphex(mem_read(0xe0000004, 4), ==, 0x24);
    g_assert_cmphex(mem_read(0xe0004008, 4), ==, 0x48);

    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO, 2);
    g_assert_cmphex(port_read(0xc004, 1), ==, 0x14);
    g_assert_cmphex(mem_read(0xe0000004, 4), ==, 0);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(port_read(0xc004, 1), ==, 0xff);
    g_assert_cmphex(mem_read(0xe0000004, 4), ==, 0x24);

    config_write(DEVFN, bar_offset(BAR_WIDE + 1), 0x10, 4); /* above 4 GiB */
    g_assert_cmphex(mem_read(0xe0004008, 4), ==, 0);
    g_assert_cmphex(mem_read(0x10e0004008, 4), ==, 0x48);
    config_write(DEVFN, bar_offset(BAR_WIDE), 0xffffffff, 4);
    config_write(DEVFN, bar_offset(BAR_WIDE + 1), 0xffffffff, 4);
    g_assert_cmphex(device->bars[BAR_WIDE].mapped, ==, 0);

    device_reset_all();
    g_assert_cmphex(config_read(DEVFN, PCI_COMMAND, 2), ==, 0);
    g_assert_cmphex(config_read(DEVFN, bar_offset(BAR_IO), 4), ==, 1);
    g_assert_cmphex(mem_read(0xe0000004, 4), ==, 0);
    device_cleanup_all();
    pci_bus_free(bus);
}

static void test_capabilities(void)
{
    PciBus *bus = add_bus();
    PciDevice *device = add_probe("d", "4");
    unsigned count = 0;

    g_assert_cmphex(config_read(DEVFN, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, ==, 0);
    g_assert_cmphex(pci_device_add_capability(device, 9, 5), ==, 0x40);
    g_assert_cmphex(pci_device_add_capability(device, 5, 16), ==, 0x48);
    g_assert_cmphex(config_read(DEVFN, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, !=, 0);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 0), 2), ==, 0x4809);
    g_assert_cmphex(config_read(DEVFN, capability_at(DEVFN, 1), 2), ==, 0x0005);
    while (pci_device_add_capability(device, 9, 20)) {
        count++;
    }
    g_assert_cmpuint(count, ==, (256 - 0x58) / 20);
    g_assert_cmphex(pci_device_add_capability(device, 9, 8), ==, 0xf8);
    g_assert_cmphex(pci_device_add_capability(device, 9, 2), ==, 0);
    device_cleanup_all();
    pci_bus_free(bus);
}

static void test_intx(void)
{
    PciBus *bus = add_bus();
    PciDevice *device = add_probe("d", "4"), *other = add_probe("e", "8");

    pci_device_set_intx(device, TRUE);
    g_assert_true(irq_line_level(16));
    g_assert_cmphex(config_read(DEVFN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
    g_assert_false(irq_line_level(16));
    g_assert_cmphex(config_read(DEVFN, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    config_write(DEVFN, PCI_COMMAND, 0, 2);
    g_assert_true(irq_line_level(16));
    pci_device_set_intx(other, TRUE); /* the same line */
    pci_device_set_intx(device, FALSE);
    g_assert_true(irq_line_level(16));
    remove_device(other);
    g_assert_false(irq_line_level(16));
    device_cleanup_all();
    pci_bus_free(bus);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/pci/address", test_address);
    g_test_add_func("/pci/slots", test_slots);
    g_test_add_func("/pci/boot-order", test_boot_order);
    g_test_add_func("/pci/config", test_config);
    g_test_add_func("/pci/bars", test_bars);
    g_test_add_func("/pci/capabilities", test_capabilities);
    g_test_add_func("/pci/intx", test_intx);
    return g_test_run();
}
