/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues that this process handles itself: against the driver's side of libvhost-user, in both
 * formats, with random chains; and against drivers that break the rules.
 */
#include "hw/virtio/virtqueue.h"
#include "libvhost-user/driver.h"
#include "pci-test.h"
#include "system/vm-lock.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#define RAM (UINT64_C(4) << 20)
#define RINGS 0x10000
#define BUFFERS 0x100000
#define SIZE 16u
#define BIT(number) (UINT64_C(1) << (number))

static uint8_t *ram; /* where guest address 0 is */

/* --- a true driver --- */

typedef struct Guest {
    VhostUserMemoryArea area;
    VhostUserDriverQueue *driver;
    VirtqueueRing ring;
    guint notified;
} Guest;

static void guest_init(Guest *guest, uint64_t features)
{
    VhostUserDriverParameters parameters = {
        .areas = &guest->area,
        .area_count = 1,
        .features = features,
        .size = SIZE,
        .base = features & BIT(VIRTIO_F_RING_PACKED) ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = features & BIT(VIRTIO_RING_F_INDIRECT_DESC) ? SIZE : 0,
    };
    VirtQueue queue = {.size = SIZE};

    memset(guest, 0, sizeof(*guest));
    guest->area = (VhostUserMemoryArea){.size = RAM, .host = ram, .fd = -1};
    vhost_user_driver_place(&parameters, RINGS);
    guest->driver = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(guest->driver);
    queue.descriptor_area = parameters.descriptor;
    queue.driver_area = parameters.available;
    queue.device_area = parameters.used;
    virtqueue_init(&guest->ring, &queue, features);
}

/* A request of random pieces; byte i of the readable part is @seed + i. */
static gboolean add_request(Guest *guest, uint32_t seed, gboolean indirect)
{
    VhostUserDriverBuffer buffers[5];
    unsigned readable = 1 + g_test_rand_int_range(0, 3);
    unsigned writable = g_test_rand_int_range(0, 3);
    uint64_t at = BUFFERS + seed % 256 * 0x1000;
    uint8_t value = (uint8_t)seed;

    for (unsigned i = 0; i < readable + writable; i++) {
        buffers[i] = (VhostUserDriverBuffer){at, (uint32_t)g_test_rand_int_range(1, 64)};
        for (uint32_t byte = 0; i < readable && byte < buffers[i].size; byte++) {
            ram[at + byte] = value++;
        }
        at += 0x100;
    }
    return vhost_user_driver_queue_add(guest->driver, buffers, readable, writable,
                                       indirect ? VHOST_USER_DRIVER_INDIRECT : 0,
                                       GUINT_TO_POINTER(seed)) == 0;
}

/* Takes one request, checks what it says, fills what may be written. */
static gboolean serve_one(Guest *guest, uint32_t seed)
{
    g_auto(VirtqueueElement) element = {0};
    g_autofree uint8_t *bytes = NULL;
    GError *error = NULL;

    virtqueue_element_init(&element);
    switch (virtqueue_pop(&guest->ring, &element, &error)) {
    case VIRTQUEUE_EMPTY:
        return FALSE;
    case VIRTQUEUE_BROKEN:
        g_error("%s", error->message);
    case VIRTQUEUE_POPPED:
        break;
    }
    bytes = g_malloc(MAX(element.readable_size, element.writable_size) + 1);
    g_assert_true(virtqueue_read(&element, 0, bytes, element.readable_size));
    for (uint64_t i = 0; i < element.readable_size; i++) {
        g_assert_cmpuint(bytes[i], ==, (uint8_t)(seed + i));
    }
    g_assert_false(virtqueue_read(&element, 1, bytes, element.readable_size));
    g_assert_true(virtqueue_read(&element, element.readable_size, bytes, 0));
    memset(bytes, (uint8_t)seed, element.writable_size);
    g_assert_true(virtqueue_write(&element, 0, bytes, element.writable_size));
    g_assert_false(virtqueue_write(&element, 0, bytes, element.writable_size + 1));
    g_assert_true(virtqueue_push(&guest->ring, &element, (uint32_t)element.writable_size, &error));
    g_assert_no_error(error);
    guest->notified += virtqueue_must_notify(&guest->ring);
    return TRUE;
}

static void collect_one(Guest *guest, uint32_t seed)
{
    VhostUserDriverUsed used;

    g_assert_cmpint(vhost_user_driver_queue_collect(guest->driver, &used, 1), ==, 1);
    g_assert_cmpuint(GPOINTER_TO_UINT(used.cookie), ==, seed);
}

/* Some requests at once, again and again, so that ring and wrap counters go round often. */
static void run_rounds(Guest *guest, gboolean indirect, gboolean event_index)
{
    uint32_t next = 1, served = 1, collected = 1;

    for (unsigned round = 0; round < 300; round++) {
        guint wanted = g_test_rand_int_range(0, 4), before;

        for (guint i = 0; i < wanted && add_request(guest, next, indirect); i++) {
            next++;
        }
        vhost_user_driver_queue_publish(guest->driver);
        vhost_user_driver_queue_disable_calls(guest->driver);
        if (round % 2 == 1 && next > served) {
            g_assert_false(vhost_user_driver_queue_enable_calls(guest->driver, next - served - 1));
        }
        before = guest->notified;
        while (serve_one(guest, served)) {
            served++;
        }
        g_assert_cmpuint(served, ==, next);
        if (round % 2 == 1 && served > collected) {
            g_assert_cmpuint(guest->notified, >, before);
        } else if (!event_index) {
            g_assert_cmpuint(guest->notified, ==, before);
        }
        for (; collected < served; collected++) {
            collect_one(guest, collected);
        }
        g_assert_false(vhost_user_driver_queue_pending(guest->driver));
    }
    g_assert_cmpuint(next, >, 100);
}

static void test_rounds(gconstpointer data)
{
    uint64_t features = *(const uint64_t *)data;

    for (unsigned indirect = 0; indirect < 2; indirect++) {
        Guest guest;

        guest_init(&guest, features | (indirect ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0));
        run_rounds(&guest, indirect, !!(features & BIT(VIRTIO_RING_F_EVENT_IDX)));
        g_assert_null(vhost_user_driver_queue_error(guest.driver));
        vhost_user_driver_queue_free(guest.driver);
    }
}

/* With the event index, an empty queue asks for a kick. */
static void test_kick_wanted(void)
{
    Guest guest;

    guest_init(&guest, BIT(VIRTIO_RING_F_EVENT_IDX));
    for (uint32_t seed = 1; seed < 100; seed++) {
        g_assert_false(serve_one(&guest, seed));
        g_assert_true(add_request(&guest, seed, FALSE));
        g_assert_true(vhost_user_driver_queue_kick(guest.driver));
        g_assert_true(serve_one(&guest, seed));
        collect_one(&guest, seed);
    }
    vhost_user_driver_queue_free(guest.driver);
}

/* --- drivers that break the rules --- */

#define DRIVER_AREA (RINGS + 0x1000)
#define DEVICE_AREA (RINGS + 0x2000)
#define TABLE (RINGS + 0x3000)

typedef struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next; /* of a split ring; packed has them the other way round */
} Descriptor;

static void put_descriptor(uint64_t address, gboolean packed, const Descriptor *descriptor)
{
    memcpy(ram + address, descriptor, sizeof(*descriptor));
    if (packed) {
        memcpy(ram + address + 12, &descriptor->next, 2);
        memcpy(ram + address + 14, &descriptor->flags, 2);
    }
}

static void init_wrong(VirtqueueRing *ring, uint64_t features)
{
    VirtQueue queue = {
        .index = 7,
        .size = SIZE,
        .descriptor_area = RINGS,
        .driver_area = DRIVER_AREA,
        .device_area = DEVICE_AREA,
    };

    memset(ram + RINGS, 0, 0x4000);
    virtqueue_init(ring, &queue, features);
}

static void expect_broken(VirtqueueRing *ring, const char *message)
{
    g_auto(VirtqueueElement) element = {0};
    g_autoptr(GError) error = NULL;
    VirtqueueRing before = *ring;

    virtqueue_element_init(&element);
    g_assert_cmpint(virtqueue_pop(ring, &element, &error), ==, VIRTQUEUE_BROKEN);
    g_assert_cmpstr(error->message, ==, message);
    g_assert_cmpuint(ring->next_available, ==, before.next_available);
}

enum { N = VRING_DESC_F_NEXT, W = VRING_DESC_F_WRITE, I = VRING_DESC_F_INDIRECT };

static const struct {
    Descriptor first, second; /* of the ring */
    Descriptor inner[2];      /* of the table at TABLE */
    gboolean no_indirect;     /* the feature was not negotiated */
    const char *split, *packed;
} wrongs[] = {
    {.first = {BUFFERS, 1, W | N, 1},
     .second = {BUFFERS, 1, 0, 0},
     .split = "queue 7: a readable descriptor follows a writable one",
     .packed = "queue 7: a readable descriptor follows a writable one"},
    {.first = {BUFFERS, 1, N, 1},
     .second = {BUFFERS, 1, N, 0},
     .split = "queue 7: a chain has more than the 16 descriptors of the queue"},
    {.first = {BUFFERS, 1, N, SIZE},
     .split = "queue 7: descriptor 16 does not exist, the queue has 16"},
    {.first = {TABLE, 32, I, 0},
     .no_indirect = TRUE,
     .split = "queue 7: an indirect descriptor without VIRTIO_F_INDIRECT_DESC",
     .packed = "queue 7: an indirect descriptor without VIRTIO_F_INDIRECT_DESC"},
    {.first = {TABLE, 32, I | N, 1},
     .split = "queue 7: a chain goes on behind an indirect descriptor",
     .packed = "queue 7: a chain goes on behind an indirect descriptor"},
    {.first = {TABLE, 31, I, 0},
     .split = "queue 7: an indirect table of 31 bytes; descriptors have 16",
     .packed = "queue 7: an indirect table of 31 bytes; descriptors have 16"},
    {.first = {TABLE, 0, I, 0},
     .split = "queue 7: an indirect table of 0 bytes; descriptors have 16",
     .packed = "queue 7: an indirect table of 0 bytes; descriptors have 16"},
    {.first = {TABLE, 32, I, 0},
     .inner = {{TABLE, 16, I, 0}},
     .split = "queue 7: an indirect table within an indirect table",
     .packed = "queue 7: an indirect table within an indirect table"},
    {.first = {TABLE, 32, I, 0},
     .inner = {{BUFFERS, 1, N, 2}},
     .split = "queue 7: descriptor 2 does not exist in an indirect table of 2"},
    {.first = {TABLE, 32, I, 0},
     .inner = {{BUFFERS, 1, N, 1}, {BUFFERS, 1, N, 0}},
     .split = "queue 7: a chain has more than the 16 descriptors of the queue"},
    {.first = {TABLE, 17 * 16, I, 0},
     .packed = "queue 7: a chain has more than the 16 descriptors of the queue"},
    {.first = {RAM - 16, 32, I, 0},
     .inner = {{0}},
     .packed = "queue 7: an indirect table at 0x3ffff0 is not in RAM"},
    {.first = {UINT64_MAX - 7, 16, I, 0},
     .split = "queue 7: an indirect table at 0xfffffffffffffff8 is not in RAM",
     .packed = "queue 7: an indirect table at 0xfffffffffffffff8 is not in RAM"},
};

static void put_inner(gsize i, gboolean packed)
{
    for (unsigned inner = 0; inner < 2; inner++) {
        put_descriptor(TABLE + 16 * inner, packed, &wrongs[i].inner[inner]);
    }
}

static void test_wrong_split(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        VirtqueueRing ring;

        if (wrongs[i].split == NULL) {
            continue;
        }
        init_wrong(&ring, wrongs[i].no_indirect ? 0 : BIT(VIRTIO_RING_F_INDIRECT_DESC));
        put_descriptor(RINGS, FALSE, &wrongs[i].first);
        put_descriptor(RINGS + 16, FALSE, &wrongs[i].second);
        put_inner(i, FALSE);
        mem_write(DRIVER_AREA + 2, 1, 2);
        expect_broken(&ring, wrongs[i].split);
    }
}

static void test_wrong_packed(void)
{
    uint64_t features = BIT(VIRTIO_F_RING_PACKED);

    for (gsize i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        Descriptor first = wrongs[i].first;
        VirtqueueRing ring;

        if (wrongs[i].packed == NULL) {
            continue;
        }
        init_wrong(&ring,
                   features | (wrongs[i].no_indirect ? 0 : BIT(VIRTIO_RING_F_INDIRECT_DESC)));
        first.flags |= 1u << VRING_PACKED_DESC_F_AVAIL;
        put_descriptor(RINGS, TRUE, &first);
        put_descriptor(RINGS + 16, TRUE, &wrongs[i].second);
        put_inner(i, TRUE);
        expect_broken(&ring, wrongs[i].packed);
    }
}

/* A chain that never ends goes round the whole packed ring. */
static void test_packed_endless(void)
{
    VirtqueueRing ring;

    init_wrong(&ring, BIT(VIRTIO_F_RING_PACKED));
    for (unsigned i = 0; i < SIZE; i++) {
        put_descriptor(RINGS + 16 * i, TRUE,
                       &(Descriptor){BUFFERS, 1, N | 1u << VRING_PACKED_DESC_F_AVAIL, 0});
    }
    expect_broken(&ring, "queue 7: a chain has more than the 16 descriptors of the queue");
}

static void test_split_indices(void)
{
    VirtqueueRing ring;

    init_wrong(&ring, 0);
    mem_write(DRIVER_AREA + 2, SIZE + 1, 2);
    expect_broken(&ring, "queue 7: 17 buffers are available at once, the queue has 16");
    mem_write(DRIVER_AREA + 2, 1, 2);
    mem_write(DRIVER_AREA + 4, SIZE, 2);
    expect_broken(&ring, "queue 7: descriptor 16 does not exist, the queue has 16");
    ring.driver_area = RAM;
    expect_broken(&ring, "queue 7: the ring is not in RAM any more");
    ring.packed = TRUE;
    ring.descriptor_area = RAM;
    expect_broken(&ring, "queue 7: the ring is not in RAM any more");
}

/* Buffers are looked at when they are used, and only there. */
static void test_buffers_outside(void)
{
    g_auto(VirtqueueElement) element = {0};
    GError *error = NULL;
    VirtqueueRing ring;
    uint32_t bytes = 0;

    init_wrong(&ring, 0);
    put_descriptor(RINGS, FALSE, &(Descriptor){RAM - 2, 4, N, 1});
    put_descriptor(RINGS + 16, FALSE, &(Descriptor){UINT64_MAX, 4, W, 0});
    mem_write(DRIVER_AREA + 2, 1, 2);
    virtqueue_element_init(&element);
    g_assert_cmpint(virtqueue_pop(&ring, &element, &error), ==, VIRTQUEUE_POPPED);
    g_assert_true(virtqueue_read(&element, 0, &bytes, 2));
    g_assert_false(virtqueue_read(&element, 0, &bytes, 4));
    g_assert_false(virtqueue_write(&element, 0, &bytes, 4));
    g_assert_false(virtqueue_write(&element, 2, &bytes, 1));
    ring.device_area = RAM;
    g_assert_false(virtqueue_push(&ring, &element, 0, &error));
    g_assert_cmpstr(error->message, ==, "queue 7: the ring is not in RAM any more");
    g_clear_error(&error);
}

int main(int argc, char **argv)
{
    static const uint64_t formats[] = {
        0,
        BIT(VIRTIO_RING_F_EVENT_IDX),
        BIT(VIRTIO_F_RING_PACKED),
        BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_RING_F_EVENT_IDX),
    };
    static const char *const names[] = {"split", "split-event", "packed", "packed-event"};

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    add_ram(RAM);
    ram = memory_pointer(0, RAM, MEMORY_WRITE, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *path = g_strconcat("/virtqueue/rounds/", names[i], NULL);

        g_test_add_data_func(path, &formats[i], test_rounds);
    }
    g_test_add_func("/virtqueue/kick-wanted", test_kick_wanted);
    g_test_add_func("/virtqueue/wrong/split", test_wrong_split);
    g_test_add_func("/virtqueue/wrong/packed", test_wrong_packed);
    g_test_add_func("/virtqueue/wrong/packed-endless", test_packed_endless);
    g_test_add_func("/virtqueue/wrong/indices", test_split_indices);
    g_test_add_func("/virtqueue/wrong/buffers", test_buffers_outside);
    return g_test_run();
}
