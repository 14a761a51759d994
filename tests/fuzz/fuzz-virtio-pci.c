/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any driver against the virtio-pci transport: accesses to configuration space and to the BARs,
 * wherever they were put, pauses, resets and calls from the device.  The device type is a stub
 * that checks what it is given: queues that it may use, offsets that it has, starts and stops in
 * turn.
 */
#include "../unit/pci-test.h"
#include "fuzz.h"
#include "hw/virtio/virtio-pci.h"
#include "util/fd.h"
#include "util/report.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#define DEVFN PCI_DEVFN(4, 0)
#define LEGACY 0xc000
#define MSIX 0xe0000000
#define MODERN 0xe0004000
#define RAM_SIZE (UINT64_C(1) << 20)
#define QUEUES 2
#define QUEUE_SIZE 128
#define CONFIG_SIZE 60

static uint8_t configuration[CONFIG_SIZE];
static gboolean started;

/* --- the device type --- */

static void check_queue(VirtioPci *device, VirtQueue *queue)
{
    g_autoptr(GError) error = NULL;

    fuzz_require(queue->enabled && queue->size > 0 && queue->size <= QUEUE_SIZE);
    fuzz_require(virtio_has_feature(device, VIRTIO_F_RING_PACKED) ||
                 (queue->size & (queue->size - 1)) == 0);
    fuzz_require(memory_pointer(queue->descriptor_area, queue->size * 16u, MEMORY_READ, &error));
}

static void stub_start(VirtioPci *device)
{
    fuzz_require(!started && (device->status & VIRTIO_CONFIG_S_DRIVER_OK));
    fuzz_require((device->driver_features & ~device->device_features) == 0);
    for (unsigned i = 0; i < virtio_pci_queue_count(device); i++) {
        if (virtio_pci_queue(device, i)->enabled) {
            check_queue(device, virtio_pci_queue(device, i));
        }
    }
    started = TRUE;
}

static void stub_stop(VirtioPci *device, gboolean wait G_GNUC_UNUSED)
{
    fuzz_require(started && !device->started);
    started = FALSE;
}

static void stub_queue_reset(VirtioPci *device G_GNUC_UNUSED, VirtQueue *queue)
{
    fuzz_require(started && queue->index < QUEUES);
}

static void stub_queue_enabled(VirtioPci *device, VirtQueue *queue)
{
    fuzz_require(started);
    check_queue(device, queue);
}

static void stub_reset(VirtioPci *device G_GNUC_UNUSED)
{
    fuzz_require(!started);
}

static void stub_config_read(VirtioPci *device G_GNUC_UNUSED, uint32_t offset, void *bytes,
                             uint32_t size)
{
    fuzz_require(size > 0 && offset < CONFIG_SIZE && size <= CONFIG_SIZE - offset);
    memcpy(bytes, configuration + offset, size);
}

static void stub_config_write(VirtioPci *device G_GNUC_UNUSED, uint32_t offset, const void *bytes,
                              uint32_t size)
{
    fuzz_require(size > 0 && offset < CONFIG_SIZE && size <= CONFIG_SIZE - offset);
    memcpy(configuration + offset, bytes, size);
}

static DeviceProgress stub_realize(PciDevice *device, GError **error)
{
    static const uint16_t queue_sizes[] = {[0 ... QUEUES - 1] = QUEUE_SIZE};
    const uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1 |
                              UINT64_C(1) << VIRTIO_F_RING_RESET |
                              UINT64_C(1) << VIRTIO_F_RING_PACKED | 0x6;

    VIRTIO_PCI(device)->config_size = CONFIG_SIZE;
    if (!virtio_pci_setup(VIRTIO_PCI(device), features, QUEUES, queue_sizes, error)) {
        return DEVICE_FAILED;
    }
    pci_device_set_visible(device);
    return DEVICE_DONE;
}

static DeviceProgress stub_unrealize(PciDevice *device)
{
    started = FALSE; /* the end of what serves the queues, as of a session */
    virtio_pci_teardown(VIRTIO_PCI(device));
    return DEVICE_DONE;
}

static void stub_class_init(VirtioPciClass *class)
{
    DEVICE_CLASS(class)->category = "misc";
    PCI_DEVICE_CLASS(class)->realize = stub_realize;
    PCI_DEVICE_CLASS(class)->unrealize = stub_unrealize;
    class->virtio_id = 2;
    class->transitional = TRUE;
    class->start = stub_start;
    class->stop = stub_stop;
    class->queue_reset = stub_queue_reset;
    class->queue_enabled = stub_queue_enabled;
    class->reset = stub_reset;
    class->config_read = stub_config_read;
    class->config_write = stub_config_write;
}

static void stub_init(VirtioPci *device G_GNUC_UNUSED)
{
}

GType stub_get_type(void);
VM_DEFINE_TYPE("fuzz-virtio", VirtioPci, VirtioPciClass, stub, TYPE_VIRTIO_PCI, 0);

/* --- the driver --- */

/* Into one of the BARs, mostly where registers are; or anywhere. */
static void access_memory(FuzzInput *input, gboolean write)
{
    static const uint64_t bases[] = {
        MODERN, MODERN + 0x1000, MODERN + 0x2000, MODERN + 0x3000, MSIX, MSIX + 0x800, 0, LEGACY,
    };
    uint8_t where = fuzz_byte(input);
    unsigned size = 1u << (where >> 3 & 3);
    uint64_t address = bases[where & 7] + fuzz_byte(input);

    if ((where & 7) == 7) {
        if (write) {
            port_write((uint16_t)address, (uint32_t)fuzz_number(input, size), MIN(size, 4));
        } else {
            port_read((uint16_t)address, MIN(size, 4));
        }
    } else if (write) {
        mem_write(address, fuzz_number(input, size), size);
    } else {
        mem_read(address, size);
    }
}

static void access_configuration(FuzzInput *input, gboolean write)
{
    uint8_t offset = fuzz_byte(input);
    unsigned size = MIN(1u << (fuzz_byte(input) & 3), 4);

    if (write) {
        config_write(DEVFN, offset, (uint32_t)fuzz_number(input, size), size);
    } else {
        config_read(DEVFN, offset, size);
    }
}

static void map_bars(void)
{
    config_write(DEVFN, PCI_BASE_ADDRESS_0, LEGACY, 4);
    config_write(DEVFN, PCI_BASE_ADDRESS_1, MSIX, 4);
    config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
    config_write(DEVFN, PCI_BASE_ADDRESS_5, 0, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

/* What a driver does before DRIVER_OK, with features and addresses of the input. */
static void begin(FuzzInput *input)
{
    mem_write(MODERN + VIRTIO_PCI_COMMON_STATUS, 3, 1);
    mem_write(MODERN + VIRTIO_PCI_COMMON_GFSELECT, 1, 4);
    mem_write(MODERN + VIRTIO_PCI_COMMON_GF, 1 | (fuzz_byte(input) & 0x0f) << 2, 4);
    mem_write(MODERN + VIRTIO_PCI_COMMON_STATUS, 0xb, 1);
    for (unsigned i = 0; i < QUEUES; i++) {
        uint64_t address = (uint64_t)fuzz_byte(input) << 13;

        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_SIZE, fuzz_byte(input), 2);
        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_DESCLO, address, 8);
        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_AVAILLO, address + 0x1000, 8);
        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_USEDLO, address + 0x2000, 8);
        mem_write(MODERN + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
    }
    mem_write(MODERN + VIRTIO_PCI_COMMON_STATUS, 0xf, 1);
}

static void step(FuzzInput *input, VirtioPci *device)
{
    uint8_t action = fuzz_byte(input);

    switch (action % 16) {
    case 0:
        begin(input);
        break;
    case 1:
        map_bars();
        break;
    case 2:
        run_state_stop(NULL, NULL);
        break;
    case 3:
        run_state_start(NULL);
        break;
    case 4:
        device_reset_all();
        break;
    case 5:
        virtio_pci_config_changed(device);
        break;
    case 6:
        event_fd_signal(virtio_pci_queue(device, action >> 4 & 1)->call);
        run_main_loop();
        break;
    case 7:
        virtio_pci_set_broken(device);
        break;
    case 8:
    case 9:
        access_configuration(input, action & 1);
        break;
    default:
        access_memory(input, action & 1);
    }
    fuzz_require(device->started == started);
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    main_loop_init();
    fuzz_require(report_log_open("/dev/null", FALSE, NULL));
    add_ram(RAM_SIZE);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    PciBus *bus = add_bus();
    VirtioPci *device;

    run_state_start(NULL);
    memset(configuration, 0, sizeof(configuration));
    device = add_device(stub_get_type(), "v", "4", FALSE, NULL);
    map_bars();
    while (input.size > 0) {
        step(&input, device);
    }
    device_cleanup_all();
    run_main_loop();
    pci_bus_free(bus);
    return 0;
}
