/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split virtqueues (virtio 1.2, 2.7), the driver's side, in guest memory reached through qtest.
 */
#include "qtest/virtio-ring.h"

#include <string.h>

struct VirtRing {
    VirtDevice *device;
    uint16_t queue, size;
    uint64_t descriptors, available, used; /* guest addresses */
    uint64_t notify;
    uint64_t tables; /* indirect tables, one for each head; 0: none */
    uint16_t *free_heads;
    guint free_count;
    uint16_t *chain; /* descriptors that the request with this head takes, 0: none */
    uint16_t *links; /* the next of a chain, by descriptor: our own copy */
    uint16_t next_available, last_kicked, next_used;
    uint16_t flags;
};

/* Parts of one request; a descriptor chain of more is not asked for by any test. */
#define INDIRECT_MAX 256

static uint64_t used_event(VirtRing *ring)
{
    return ring->available + 4 + 2ull * ring->size;
}

static uint64_t available_event(VirtRing *ring)
{
    return ring->used + 4 + 8ull * ring->size;
}

static gboolean event_index(VirtRing *ring)
{
    return !!(ring->device->features & (1ull << VIRTIO_RING_F_EVENT_IDX));
}

static void write_queue_address(VirtDevice *device, uint64_t lower, uint64_t address)
{
    qtest_writel(device->qtest, device->common + lower, (uint32_t)address);
    qtest_writel(device->qtest, device->common + lower + 4, (uint32_t)(address >> 32));
}

void virt_device_set_queue(VirtDevice *device, uint16_t queue, uint16_t size, uint64_t descriptors,
                           uint64_t available, uint64_t used)
{
    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_SELECT, queue);
    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_SIZE, size);
    if (device->msix) {
        qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_MSIX,
                     virt_device_vector(device, queue));
    }
    write_queue_address(device, VIRTIO_PCI_COMMON_Q_DESCLO, descriptors);
    write_queue_address(device, VIRTIO_PCI_COMMON_Q_AVAILLO, available);
    write_queue_address(device, VIRTIO_PCI_COMMON_Q_USEDLO, used);
    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

static void announce(VirtRing *ring)
{
    VirtDevice *device = ring->device;

    virt_device_set_queue(device, ring->queue, ring->size, ring->descriptors, ring->available,
                          ring->used);
    ring->notify =
        device->notify + (uint64_t)device->notify_multiplier *
                             qtest_readw(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_NOFF);
}

void virt_ring_enable(VirtRing *ring)
{
    Qtest *qtest = ring->device->qtest;

    qtest_memset(qtest, ring->descriptors, 0, 16ull * ring->size);
    qtest_memset(qtest, ring->available, 0, 6 + 2ull * ring->size);
    qtest_memset(qtest, ring->used, 0, 6 + 8ull * ring->size);
    for (unsigned i = 0; i < ring->size; i++) {
        ring->chain[i] = 0;
        ring->free_heads[i] = ring->size - 1 - i;
    }
    ring->free_count = ring->size;
    ring->next_available = ring->last_kicked = ring->next_used = ring->flags = 0;
    announce(ring);
}

void virt_ring_reset(VirtRing *ring)
{
    VirtDevice *device = ring->device;
    gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_RESET, 1);
    while (qtest_readw(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_RESET) != 0 ||
           qtest_readw(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_ENABLE) != 0) {
        if (g_get_monotonic_time() > deadline) {
            vmm_fail("virtio: queue %u does not reset", ring->queue);
        }
    }
}

VirtRing *virt_ring_new(VirtDevice *device, uint16_t queue, GuestMemory *memory,
                        const VirtRingOptions *options)
{
    VirtRing *ring = g_new0(VirtRing, 1);

    ring->device = device;
    ring->queue = queue;
    qtest_writew(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_SELECT, queue);
    ring->size = qtest_readw(device->qtest, device->common + VIRTIO_PCI_COMMON_Q_SIZE);
    if (ring->size == 0) {
        vmm_fail("virtio: queue %u does not exist", queue);
    }
    if (options && options->size) {
        ring->size = options->size;
    }
    ring->descriptors = guest_memory_alloc(memory, 16ull * ring->size, 4096);
    ring->available = guest_memory_alloc(memory, 6 + 2ull * ring->size, 4096);
    ring->used = guest_memory_alloc(memory, 6 + 8ull * ring->size, 4096);
    if (options && options->indirect &&
        (device->features & (1ull << VIRTIO_RING_F_INDIRECT_DESC))) {
        ring->tables = guest_memory_alloc(memory, 16ull * INDIRECT_MAX * ring->size, 4096);
    }
    ring->chain = g_new0(uint16_t, ring->size);
    ring->links = g_new0(uint16_t, ring->size);
    ring->free_heads = g_new(uint16_t, ring->size);
    virt_ring_enable(ring);
    if (device->rings->len <= queue) {
        g_ptr_array_set_size(device->rings, queue + 1);
    }
    virt_ring_free(device->rings->pdata[queue]);
    device->rings->pdata[queue] = ring;
    return ring;
}

void virt_ring_free(VirtRing *ring)
{
    if (ring) {
        g_free(ring->free_heads);
        g_free(ring->chain);
        g_free(ring->links);
        g_free(ring);
    }
}

uint16_t virt_ring_size(VirtRing *ring)
{
    return ring->size;
}

uint64_t virt_ring_address(VirtRing *ring)
{
    return ring->descriptors;
}

static struct vring_desc describe(const VirtBuffer *buffer)
{
    return (struct vring_desc){.addr = GUINT64_TO_LE(buffer->address),
                               .len = GUINT32_TO_LE(buffer->size),
                               .flags = buffer->device_writes ? VRING_DESC_F_WRITE : 0};
}

/* A chain in the ring itself: heads come from a stack, so they need not be neighbours. */
static uint16_t add_direct(VirtRing *ring, const VirtBuffer *buffers, guint count)
{
    uint16_t head = ring->free_heads[ring->free_count - 1];

    for (guint i = 0; i < count; i++) {
        uint16_t index = ring->free_heads[--ring->free_count];
        struct vring_desc descriptor = describe(&buffers[i]);

        if (i + 1 < count) {
            descriptor.flags |= VRING_DESC_F_NEXT;
            descriptor.next = ring->links[index] = ring->free_heads[ring->free_count - 1];
        }
        qtest_memwrite(ring->device->qtest, ring->descriptors + 16ull * index, &descriptor, 16);
    }
    ring->chain[head] = count;
    return head;
}

static uint16_t add_indirect(VirtRing *ring, const VirtBuffer *buffers, guint count)
{
    uint16_t head = ring->free_heads[--ring->free_count];
    uint64_t address = ring->tables + 16ull * INDIRECT_MAX * head;
    struct vring_desc table[INDIRECT_MAX];
    struct vring_desc descriptor = {
        .addr = address, .len = 16 * count, .flags = VRING_DESC_F_INDIRECT};

    for (guint i = 0; i < count; i++) {
        table[i] = describe(&buffers[i]);
        if (i + 1 < count) {
            table[i].flags |= VRING_DESC_F_NEXT;
            table[i].next = i + 1;
        }
    }
    qtest_memwrite(ring->device->qtest, address, table, 16 * count);
    qtest_memwrite(ring->device->qtest, ring->descriptors + 16ull * head, &descriptor, 16);
    ring->chain[head] = 1;
    return head;
}

uint16_t virt_ring_add(VirtRing *ring, const VirtBuffer *buffers, guint count)
{
    gboolean indirect = ring->tables && count > 1;
    uint16_t head;

    if (count == 0 || count > INDIRECT_MAX || ring->free_count < (indirect ? 1 : count)) {
        vmm_fail("virtio: a request of %u parts does not fit queue %u", count, ring->queue);
    }
    head = indirect ? add_indirect(ring, buffers, count) : add_direct(ring, buffers, count);
    qtest_writew(ring->device->qtest,
                 ring->available + 4 + 2ull * (ring->next_available % ring->size), head);
    ring->next_available++;
    qtest_writew(ring->device->qtest, ring->available + 2, ring->next_available);
    return head;
}

void virt_ring_notify(VirtRing *ring)
{
    ring->last_kicked = ring->next_available;
    qtest_writew(ring->device->qtest, ring->notify, ring->queue);
}

gboolean virt_ring_kick(VirtRing *ring)
{
    Qtest *qtest = ring->device->qtest;
    gboolean wanted;

    if (event_index(ring)) { /* 2.7.10 */
        uint16_t event = qtest_readw(qtest, available_event(ring));

        wanted = (uint16_t)(ring->next_available - event - 1) <
                 (uint16_t)(ring->next_available - ring->last_kicked);
    } else {
        wanted = !(qtest_readw(qtest, ring->used) & VRING_USED_F_NO_NOTIFY);
    }
    if (wanted) {
        virt_ring_notify(ring);
    }
    return wanted;
}

/* Gives the descriptors of the chain at @head back. */
static void release(VirtRing *ring, uint16_t head)
{
    guint count = ring->chain[head];
    uint16_t index = head;

    ring->chain[head] = 0;
    for (guint i = 0; i < count; i++) {
        ring->free_heads[ring->free_count++] = index;
        index = ring->links[index];
    }
}

int virt_ring_take(VirtRing *ring, uint32_t *length)
{
    Qtest *qtest = ring->device->qtest;
    struct vring_used_elem element;

    if (qtest_readw(qtest, ring->used + 2) == ring->next_used) {
        return -1;
    }
    qtest_memread(qtest, ring->used + 4 + 8ull * (ring->next_used % ring->size), &element, 8);
    if (element.id >= ring->size || !ring->chain[element.id]) {
        vmm_fail("virtio: queue %u: the device returned descriptor %u, which was not out",
                 ring->queue, element.id);
    }
    release(ring, element.id);
    ring->next_used++;
    if (event_index(ring) && !ring->flags) {
        qtest_writew(qtest, used_event(ring), ring->next_used);
    }
    if (length) {
        *length = element.len;
    }
    return element.id;
}

int virt_ring_wait(VirtRing *ring, uint32_t *length, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;
    guint tries = 0;
    int head;

    while ((head = virt_ring_take(ring, length)) < 0 && g_get_monotonic_time() < deadline) {
        if (tries++ > 20) {
            g_usleep(200);
        }
    }
    return head;
}

void virt_ring_suppress(VirtRing *ring, gboolean suppress)
{
    ring->flags = suppress ? VRING_AVAIL_F_NO_INTERRUPT : 0;
    if (event_index(ring)) { /* an index that will not be reached for long, or the next */
        qtest_writew(ring->device->qtest, used_event(ring),
                     suppress ? (uint16_t)(ring->next_used - 1) : ring->next_used);
    } else {
        qtest_writew(ring->device->qtest, ring->available, ring->flags);
    }
}

uint16_t virt_ring_pending(VirtRing *ring)
{
    return ring->next_available - ring->next_used;
}
