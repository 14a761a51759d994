/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's control queue: any bytes as ring and descriptors, split and packed, or commands that
 * are well put into a ring.  What comes of it stays within its limits, whatever the guest writes.
 */
#include "../../hw/net/virtio-net-control.h"
#include "fuzz.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "util/json.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE (UINT64_C(1) << 20)
#define SIZE 8
/* All in one page, so that few bytes of input make all of it. */
#define DESCRIPTORS 0x1000
#define DRIVER_AREA 0x1080
#define DEVICE_AREA 0x10c0
#define BUFFERS 0x1140
#define PAGE 0x1000
#define PAIRS 4

static uint8_t *ram;
static VirtioNetControl control;
static guint16 pairs = 1;

/* --- the device around the queue --- */

static void mac_set(VirtioNetControl *of G_GNUC_UNUSED, const uint8_t *mac)
{
    fuzz_require(!(mac[0] & 1));
}

static gboolean pairs_set(VirtioNetControl *of G_GNUC_UNUSED, uint16_t wanted)
{
    fuzz_require(wanted >= 1 && wanted <= PAIRS);
    pairs = wanted;
    return TRUE;
}

static gboolean announce_acknowledged(VirtioNetControl *of G_GNUC_UNUSED)
{
    return pairs % 2;
}

static gboolean offloads_set(VirtioNetControl *of G_GNUC_UNUSED, uint64_t offloads)
{
    fuzz_require(!(offloads & ~VIRTIO_NET_OFFLOADS));
    return TRUE;
}

static void filter_changed(VirtioNetControl *of G_GNUC_UNUSED)
{
}

static const VirtioNetControlOps ops = {
    .mac_set = mac_set,
    .pairs_set = pairs_set,
    .announce_acknowledged = announce_acknowledged,
    .offloads_set = offloads_set,
    .filter_changed = filter_changed,
};

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    int fd = memfd_create("ram", MFD_CLOEXEC);
    g_autoptr(RamBlock) block = NULL;

    main_loop_init();
    fuzz_require(ftruncate(fd, RAM_SIZE) == 0);
    block = ram_block_new("ram", fd, 0, RAM_SIZE, 4096, 0, TRUE, FALSE, NULL);
    fuzz_require(block != NULL);
    fuzz_require(memory_add_boot(&(MemorySection){.size = RAM_SIZE, .block = block}, NULL));
    ram = memory_pointer(0, RAM_SIZE, MEMORY_WRITE, NULL);
    return 0;
}

/* --- what the driver wrote --- */

/* Two descriptors: what is left of the input is the command, and one byte for the answer. */
static void put_command(FuzzInput *input)
{
    uint16_t length = (uint16_t)MIN(input->size, 0x400);
    struct vring_desc descriptors[2] = {
        {.addr = BUFFERS, .len = length, .flags = VRING_DESC_F_NEXT, .next = 1},
        {.addr = BUFFERS + 0x800, .len = 1, .flags = VRING_DESC_F_WRITE},
    };
    uint16_t available[3] = {0, 1, 0};

    memcpy(ram + DESCRIPTORS, descriptors, sizeof(descriptors));
    memcpy(ram + DRIVER_AREA, available, sizeof(available));
    memcpy(ram + BUFFERS, input->data, length);
}

static void check_element(const VirtqueueRing *ring, const VirtqueueElement *element)
{
    uint64_t readable = 0, writable = 0;

    fuzz_require(element->readable->len + element->writable->len <= ring->size);
    for (guint i = 0; i < element->readable->len; i++) {
        readable += g_array_index(element->readable, VirtqueueSegment, i).length;
    }
    for (guint i = 0; i < element->writable->len; i++) {
        writable += g_array_index(element->writable, VirtqueueSegment, i).length;
    }
    fuzz_require(readable == element->readable_size && writable == element->writable_size);
}

static gboolean serve(VirtqueueRing *ring, VirtqueueElement *element, uint64_t features)
{
    g_autoptr(GError) error = NULL;
    VirtqueuePop popped = virtqueue_pop(ring, element, &error);

    fuzz_require((popped == VIRTQUEUE_BROKEN) == (error != NULL));
    if (popped != VIRTQUEUE_POPPED) {
        return FALSE;
    }
    check_element(ring, element);
    if (!virtio_net_control_run(&control, features, element, &error)) {
        fuzz_require(error != NULL);
        return FALSE;
    }
    fuzz_require(virtqueue_push(ring, element, 1, &error));
    virtqueue_must_notify(ring);
    return TRUE;
}

static void check_filter(uint64_t features)
{
    g_autoptr(json_object) filter = virtio_net_control_filter(&control, features);

    fuzz_require(control.unicast.entries->len <= VIRTIO_NET_TABLE_SIZE);
    fuzz_require(control.multicast.entries->len <= VIRTIO_NET_TABLE_SIZE);
    fuzz_require(json_object_object_length(filter) == 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    uint8_t mode = fuzz_byte(&input);
    uint64_t features = fuzz_number(&input, 3) | UINT64_C(1) << VIRTIO_NET_F_CTRL_MAC_ADDR;
    VirtQueue queue = {
        .index = 2,
        .size = SIZE,
        .descriptor_area = DESCRIPTORS,
        .driver_area = DRIVER_AREA,
        .device_area = DEVICE_AREA,
    };
    g_auto(VirtqueueElement) element = {0};
    VirtqueueRing ring;

    memset(ram + PAGE, 0, PAGE);
    if (mode & 1) {
        put_command(&input);
    } else {
        features |= mode & 2 ? UINT64_C(1) << VIRTIO_F_RING_PACKED : 0;
        features |= mode & 4 ? UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX : 0;
        features |= mode & 8 ? UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC : 0;
        memcpy(ram + PAGE, input.data, MIN(input.size, PAGE));
    }
    virtio_net_control_init(&control, &ops);
    control.pairs_maximum = PAIRS;
    virtqueue_element_init(&element);
    virtqueue_init(&ring, &queue, features);
    /* A ring whose bytes are used again and again has no end. */
    for (unsigned i = 0; i < 4 * SIZE && serve(&ring, &element, features); i++) {
    }
    check_filter(features);
    virtio_net_control_clear(&control);
    return 0;
}
