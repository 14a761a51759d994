/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device type of virtio-pci-fixture.h and its driver. */
#include "virtio-pci-fixture.h"

GString *trail;
uint8_t configuration[8];
VirtioPci *probe;
void (*while_stopping)(void);

void take_trail(const char *expected)
{
    g_assert_cmpstr(trail->str, ==, expected);
    g_string_truncate(trail, 0);
}

/* --- the device type --- */

static void probe_start(VirtioPci *device G_GNUC_UNUSED)
{
    g_string_append(trail, "start ");
}

static void probe_stop(VirtioPci *device, gboolean wait)
{
    g_string_append(trail, device->pausing ? "pause " : wait ? "stop-wait " : "stop ");
    if (wait && while_stopping) {
        while_stopping();
    }
}

static void probe_queue_reset(VirtioPci *device G_GNUC_UNUSED, VirtQueue *queue)
{
    g_string_append_printf(trail, "queue-reset%u ", queue->index);
}

static void probe_queue_enabled(VirtioPci *device G_GNUC_UNUSED, VirtQueue *queue)
{
    g_string_append_printf(trail, "queue-enabled%u ", queue->index);
}

static void probe_reset(VirtioPci *device G_GNUC_UNUSED)
{
    g_string_append(trail, "reset ");
}

static void probe_config_read(VirtioPci *device G_GNUC_UNUSED, uint32_t offset, void *bytes,
                              uint32_t size)
{
    memcpy(bytes, configuration + offset, size);
}

static void probe_config_write(VirtioPci *device G_GNUC_UNUSED, uint32_t offset, const void *bytes,
                               uint32_t size)
{
    memcpy(configuration + offset, bytes, size);
}

static DeviceProgress probe_realize(PciDevice *device, GError **error)
{
    static const uint16_t queue_sizes[] = {[0 ... QUEUES - 1] = QUEUE_SIZE};
    VIRTIO_PCI(device)->config_size = sizeof(configuration);
    if (!virtio_pci_setup(VIRTIO_PCI(device), FEATURES, QUEUES, queue_sizes, error)) {
        return DEVICE_FAILED;
    }
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static DeviceProgress probe_unrealize(PciDevice *device)
{
    virtio_pci_teardown(VIRTIO_PCI(device));
    return DEVICE_DONE;
}

static void probe_class_init(VirtioPciClass *class)
{
    DEVICE_CLASS(class)->category = "misc";
    PCI_DEVICE_CLASS(class)->realize = probe_realize;
    PCI_DEVICE_CLASS(class)->unrealize = probe_unrealize;
    class->virtio_id = 2;
    class->transitional = TRUE;
    class->start = probe_start;
    class->stop = probe_stop;
    class->queue_reset = probe_queue_reset;
    class->queue_enabled = probe_queue_enabled;
    class->reset = probe_reset;
    class->config_read = probe_config_read;
    class->config_write = probe_config_write;
}

static void probe_init(VirtioPci *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(VirtioPci, probe, PROBE)
VM_DEFINE_TYPE("test-virtio-probe", VirtioPci, VirtioPciClass, probe, TYPE_VIRTIO_PCI, 0);

static void modern_class_init(VirtioPciClass *class)
{
    class->virtio_id = 26;
    class->transitional = FALSE;
}

static void modern_init(VirtioPci *device G_GNUC_UNUSED)
{
}

VM_DECLARE_TYPE(VirtioPci, modern, MODERN_PROBE)
VM_DEFINE_TYPE("test-virtio-modern", VirtioPci, VirtioPciClass, modern, probe_get_type(), 0);

/* --- driver --- */

PciBus *set_up(GType type)
{
    GError *error = NULL;
    PciBus *bus = add_bus();

    if (!run_state_is_running()) {
        g_assert_true(run_state_start(&error));
    }
    probe = add_device(type, "v", "4", FALSE, &error);
    g_assert_no_error(error);
    config_write(DEVFN, PCI_BASE_ADDRESS_0, LEGACY, 4);
    config_write(DEVFN, PCI_BASE_ADDRESS_1, MSIX, 4);
    config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    trail = g_string_new(NULL);
    return bus;
}

void tear_down(PciBus *bus)
{
    device_cleanup_all();
    run_main_loop();
    g_string_free(trail, TRUE);
    pci_bus_free(bus);
}

uint32_t common_read(unsigned offset, unsigned size)
{
    return mem_read(MODERN + offset, size);
}

void common_write(unsigned offset, uint32_t value, unsigned size)
{
    mem_write(MODERN + offset, value, size);
}

uint8_t set_status(uint8_t status)
{
    common_write(VIRTIO_PCI_COMMON_STATUS, status, 1);
    return common_read(VIRTIO_PCI_COMMON_STATUS, 1);
}

void set_features(uint64_t features)
{
    for (unsigned word = 0; word < 2; word++) {
        common_write(VIRTIO_PCI_COMMON_GFSELECT, word, 4);
        common_write(VIRTIO_PCI_COMMON_GF, features >> (32 * word), 4);
    }
}

void set_queue(unsigned index, uint64_t address)
{
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, index, 2);
    mem_write(MODERN + VIRTIO_PCI_COMMON_Q_DESCLO, address, 8);
    mem_write(MODERN + VIRTIO_PCI_COMMON_Q_AVAILLO, address + 0x1000, 8);
    mem_write(MODERN + VIRTIO_PCI_COMMON_Q_USEDLO, address + 0x2000, 8);
    common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

/* Up to DRIVER_OK with both queues. */
void start_driver(void)
{
    set_status(1);
    set_status(3);
    set_features(FEATURES);
    g_assert_cmphex(set_status(0xb), ==, 0xb);
    set_queue(0, 0x10000);
    set_queue(1, 0x20000);
    g_assert_cmphex(set_status(0xf), ==, 0xf);
}
