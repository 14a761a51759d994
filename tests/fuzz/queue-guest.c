/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See queue-guest.h. */
#include "queue-guest.h"

#include <string.h>

#define ELEMENTS 64 /* that the device holds */
#define TABLE_AT 0u /* of an indirect table, from the data's start */

typedef struct World {
    QueueFixture *fixture;
    FuzzInput *input;
    VhostUserElement *elements[ELEMENTS]; /* the one popped last is the last */
    unsigned count;
    uint8_t *regions[8]; /* where the device maps them */
    uint64_t region_size;
    unsigned region_count;
} World;

QueueOptions fuzz_queue_options(FuzzInput *input, bool packed)
{
    static const uint64_t features[] = {VHOST_USER_RING_F_INDIRECT_DESC,
                                        VHOST_USER_RING_F_EVENT_IDX, VHOST_USER_RING_F_IN_ORDER};
    uint8_t byte = fuzz_byte(input);
    QueueOptions options = {.size = 1u << (byte >> 3 & 3), .log = byte >> 5 & 1};

    options.features = packed ? VHOST_USER_RING_F_PACKED : 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        options.features |= byte >> i & 1 ? features[i] : 0;
    }
    if (packed) {
        options.size += byte >> 6 & 1; /* not only powers of 2 */
        options.base = byte >> 7 ? 0 : VHOST_USER_DRIVER_PACKED_BASE;
    } else {
        options.base = byte >> 7 ? 65534 : 0;
    }
    return options;
}

static void find_regions(World *world)
{
    const VhostUserGuestMemory *memory = world->fixture->memory;

    world->region_count = (unsigned)memory->count;
    world->region_size = memory->areas[0].size;
    for (unsigned i = 0; i < world->region_count; i++) {
        VhostUserRegion *region;

        world->regions[i] =
            vhost_user_map_pin(world->fixture->map, (uintptr_t)memory->areas[i].host,
                               world->region_size, &region, NULL);
        fuzz_require(world->regions[i]);
        vhost_user_map_unpin(world->fixture->map, region);
    }
}

static void check_pieces(const World *world, const struct iovec *pieces, uint32_t count,
                         uint64_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *start = pieces[i].iov_base;
        bool inside = false;

        for (unsigned r = 0; r < world->region_count; r++) {
            inside |= start >= world->regions[r] &&
                      start + pieces[i].iov_len <= world->regions[r] + world->region_size;
        }
        fuzz_require(inside && pieces[i].iov_len > 0);
        size -= pieces[i].iov_len;
    }
    fuzz_require(size == 0);
}

static void pop(World *world)
{
    VhostUserQueue *queue = world->fixture->queue;
    bool pending = vhost_user_queue_pending(queue);
    VhostUserElement *element;

    if (world->count == ELEMENTS) {
        return;
    }
    element = vhost_user_queue_pop(queue);
    fuzz_require(!element || pending);
    fuzz_require(element || !pending || vhost_user_queue_error(queue));
    if (element) {
        check_pieces(world, element->readable, element->readable_count, element->readable_size);
        check_pieces(world, element->writable, element->writable_count, element->writable_size);
        fuzz_require(!element->resubmitted || world->fixture->options.inflight);
        world->elements[world->count++] = element;
    }
}

static void push(World *world, unsigned which, uint32_t written)
{
    VhostUserElement *element = world->elements[which];
    char byte;

    vhost_user_element_read(element, 0, &byte, 1);
    vhost_user_queue_push(world->fixture->queue, element, written);
    world->count--;
    memmove(&world->elements[which], &world->elements[which + 1],
            (world->count - which) * sizeof(world->elements[0]));
}

/* --- the guest --- */

static void poke(World *world, uint64_t guest_address, const void *bytes, size_t size)
{
    uint8_t *host = queue_fixture_host(world->fixture, QUEUE_GUEST_BASE, 1);
    uint64_t offset = guest_address - QUEUE_GUEST_BASE;

    if (offset < world->region_size * world->region_count &&
        size <= world->region_size * world->region_count - offset) {
        memcpy(host + offset, bytes, size);
    }
}

/* A descriptor of either format, mostly with an address in guest memory. */
static void write_descriptor(World *world, uint64_t table)
{
    struct {
        uint64_t address;
        uint32_t length;
        uint16_t third, fourth;
    } descriptor;
    uint8_t index = fuzz_byte(world->input), kind = fuzz_byte(world->input);

    descriptor.address = kind & 1   ? fuzz_number(world->input, 8)
                         : kind & 2 ? world->fixture->data + TABLE_AT
                                    : QUEUE_GUEST_BASE + fuzz_number(world->input, 3);
    descriptor.length = (uint32_t)fuzz_number(world->input, kind & 4 ? 4 : 1);
    descriptor.third = (uint16_t)fuzz_number(world->input, 2);
    descriptor.fourth = (uint16_t)fuzz_number(world->input, 2);
    poke(world, table + index % 8 * 16u, &descriptor, sizeof(descriptor));
}

static void make_available(World *world)
{
    const QueueFixture *fixture = world->fixture;
    uint16_t index, head = fuzz_byte(world->input) % 8;

    if (fixture->options.features & VHOST_USER_RING_F_PACKED) {
        return; /* the flags of descriptors do it */
    }
    memcpy(&index, queue_fixture_host(fixture, fixture->parameters.available + 2, 2), 2);
    poke(world, fixture->parameters.available + 4 + 2 * (index % fixture->options.size), &head, 2);
    index++;
    poke(world, fixture->parameters.available + 2, &index, 2);
}

static void write_anywhere(World *world)
{
    uint64_t at = QUEUE_GUEST_BASE + fuzz_number(world->input, 2);
    uint8_t count = fuzz_byte(world->input) % 16;

    for (uint8_t i = 0; i < count; i++) {
        uint8_t byte = fuzz_byte(world->input);

        poke(world, at + i, &byte, 1);
    }
}

/* --- both --- */

static void end_batch(World *world)
{
    VhostUserQueue *queue = world->fixture->queue;

    fuzz_require(vhost_user_queue_in_flight(queue) == world->count);
    fuzz_require(world->count <= world->fixture->options.size);
    vhost_user_queue_end(queue);
}

static void restart(World *world)
{
    VhostUserQueue *queue = world->fixture->queue;
    const char *reason = NULL;

    while (world->count > 0) {
        push(world, 0, 0);
    }
    end_batch(world);
    vhost_user_queue_stop(queue);
    world->fixture->broken = 0;
    /* The base is ours and valid; what the guest or the in-flight area says may not be. */
    if (vhost_user_queue_start(queue, &reason) == 0) {
        fuzz_require(vhost_user_queue_begin(queue));
    } else {
        fuzz_require(reason && world->fixture->options.inflight);
        world->input->size = 0;
    }
}

static void step(World *world)
{
    VhostUserQueue *queue = world->fixture->queue;
    uint8_t what = fuzz_byte(world->input), more = what >> 4;

    switch (what % 16) {
    case 0:
    case 1:
        write_descriptor(world, world->fixture->parameters.descriptor);
        break;
    case 2:
        write_descriptor(world, world->fixture->data + TABLE_AT);
        break;
    case 3:
    case 4:
        make_available(world);
        break;
    case 5:
        write_anywhere(world);
        break;
    case 6:
    case 7:
    case 8:
        pop(world);
        break;
    case 9:
    case 10:
        if (world->count > 0) {
            push(world, more % world->count, (uint32_t)fuzz_number(world->input, 2));
        }
        break;
    case 11:
        if (world->count > 0) {
            vhost_user_queue_unpop(queue, world->elements[--world->count]);
        }
        break;
    case 12:
        vhost_user_queue_set_polling(queue, more & 1);
        break;
    case 13:
        if (world->count > 0) {
            vhost_user_queue_log(queue, world->elements[0], fuzz_number(world->input, 2),
                                 fuzz_number(world->input, 8));
        }
        break;
    case 14:
        end_batch(world);
        fuzz_require(vhost_user_queue_begin(queue));
        break;
    default:
        restart(world);
        break;
    }
}

void fuzz_queue(QueueFixture *fixture, FuzzInput *input)
{
    World world = {.fixture = fixture, .input = input};

    find_regions(&world);
    fuzz_require(vhost_user_queue_begin(fixture->queue));
    while (input->size > 0) {
        step(&world);
    }
    if (vhost_user_queue_started(fixture->queue)) {
        while (world.count > 0) {
            push(&world, world.count - 1, UINT32_MAX);
        }
        end_batch(&world);
        fuzz_require((vhost_user_queue_error(fixture->queue) != NULL) == (fixture->broken > 0));
    }
}
