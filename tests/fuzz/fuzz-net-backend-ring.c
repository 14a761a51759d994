/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes what it likes into its rings and frames, against the frame path of
 * vhost-user-net with --loopback, all in one thread.  Each frame that was taken either came back or
 * was counted as dropped.
 */
#include "fuzz.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libvhost-user/front-end.h"
#include "tools/vhost-user-net/transfer.h"

#define RING_SIZE 32u
#define AREA 0x4000u    /* of each queue: descriptors, available ring, used ring */
#define BUFFERS 0x8000u /* behind the rings */
#define MEMORY_SIZE 0x30000u
#define GUEST_ADDRESS 0x100000ull
#define TURNS_AT_ONCE 4u

typedef struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
} Descriptor;

typedef struct Available {
    uint16_t flags, index;
    uint16_t ring[RING_SIZE];
} Available;

typedef struct Run {
    FuzzInput input;
    NetPort port;
    NetTransfer transfer;
    NetStatistics statistics;
    VhostUserFrontEnd *front;
} Run;

static int memory_fd;
static uint8_t *memory;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    memory_fd = memfd_create("guest", MFD_CLOEXEC);
    fuzz_require(memory_fd != -1 && ftruncate(memory_fd, MEMORY_SIZE) == 0);
    memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    fuzz_require(memory != MAP_FAILED);
    return 0;
}

/* --- the program --- */

static NetRing *ring_of(Run *run, VhostUserQueue *queue)
{
    return vhost_user_queue_index(queue) ? run->port.transmit : &run->port.receive->ring;
}

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    net_ring_start(ring_of(opaque, queue), queue);
}

static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    net_ring_stop(ring_of(opaque, queue));
}

static int set_features(void *opaque, uint64_t features)
{
    Run *run = opaque;

    return net_port_set_features(&run->port, features, NULL) ? 0 : -1;
}

static const VhostUserDeviceOperations operations = {
    .set_features = set_features,
    .queue_start = queue_start,
    .queue_stop = queue_stop,
};

/* --- the guest --- */

static Descriptor *descriptors(unsigned queue)
{
    return (Descriptor *)(void *)(memory + queue * AREA);
}

static Available *available(unsigned queue)
{
    return (Available *)(void *)(memory + queue * AREA + 0x1000);
}

static void send_message(Run *run, uint32_t request, const void *payload, uint32_t size, int fd)
{
    fuzz_require(vhost_user_front_end_send(run->front, request, 0, payload, size, &fd,
                                           fd >= 0 ? 1 : 0) == 0);
}

static void start_queue(Run *run, uint32_t index)
{
    const uint64_t host = (uintptr_t)memory + index * AREA, number = index;
    const VhostUserVringState size = {index, RING_SIZE}, base = {index, 0};
    const VhostUserVringAddr address = {
        .index = index, .descriptor = host, .available = host + 0x1000, .used = host + 0x2000};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    send_message(run, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    send_message(run, VHOST_USER_SET_VRING_BASE, &base, sizeof(base), -1);
    send_message(run, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), -1);
    send_message(run, VHOST_USER_SET_VRING_CALL, &number, sizeof(number), fd);
    send_message(run, VHOST_USER_SET_VRING_KICK, &number, sizeof(number), fd);
    close(fd);
}

static void start(Run *run)
{
    const uint64_t offered = net_port_features_offered(&run->port);
    const uint64_t features = (fuzz_number(&run->input, 3) & offered) |
                              (fuzz_byte(&run->input) & 1 ? VHOST_USER_RING_F_VERSION_1 : 0) |
                              VHOST_USER_RING_F_INDIRECT_DESC;
    struct {
        uint32_t regions, padding;
        VhostUserMemoryRegion region;
    } table = {1, 0, {GUEST_ADDRESS, MEMORY_SIZE, (uintptr_t)memory, 0}};

    send_message(run, VHOST_USER_SET_OWNER, NULL, 0, -1);
    send_message(run, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
    send_message(run, VHOST_USER_SET_MEM_TABLE, &table, sizeof(table), memory_fd);
    start_queue(run, 0);
    start_queue(run, 1);
}

/* Mostly a buffer that lies in memory. */
static void write_descriptor(Run *run, unsigned queue)
{
    Descriptor *one = &descriptors(queue)[fuzz_byte(&run->input) % RING_SIZE];
    uint8_t kind = fuzz_byte(&run->input);

    one->address = kind & 0x80 ? fuzz_number(&run->input, 8)
                               : GUEST_ADDRESS + BUFFERS + fuzz_number(&run->input, 2);
    one->length = (uint32_t)fuzz_number(&run->input, kind & 0x40 ? 4 : 2);
    one->flags = (uint16_t)(queue == 0 ? 2 : 0) ^ (kind & 7); /* next, write, indirect */
    one->next = kind & 0x20 ? (uint16_t)fuzz_number(&run->input, 2)
                            : (uint16_t)(fuzz_byte(&run->input) % RING_SIZE);
}

static void make_available(Run *run, unsigned queue)
{
    Available *ring = available(queue);
    uint8_t head = fuzz_byte(&run->input);

    ring->ring[ring->index % RING_SIZE] = head & 0x80 ? (uint16_t)(head * 257) : head % RING_SIZE;
    ring->index++;
}

static void write_bytes(Run *run)
{
    size_t offset = fuzz_number(&run->input, 3) % MEMORY_SIZE;
    size_t size = fuzz_byte(&run->input) % 64u;

    for (size_t i = 0; i < size && offset + i < MEMORY_SIZE; i++) {
        memory[offset + i] = fuzz_byte(&run->input);
    }
}

static void step(Run *run)
{
    uint8_t choice = fuzz_byte(&run->input);

    switch (choice % 8) {
    case 0:
    case 1:
        write_descriptor(run, choice % 8);
        break;
    case 2:
    case 3:
        make_available(run, choice % 8 - 2);
        break;
    case 4:
    case 5:
        write_bytes(run);
        break;
    default:
        /* What waits for a buffer has waited long enough. */
        run->transfer.waiting_since = choice & 0x80 ? 1 : 0;
        for (unsigned i = 0; i < TURNS_AT_ONCE; i++) {
            net_transfer_turn(&run->transfer, (choice & 0x40) != 0);
        }
        break;
    }
}

static void check_counts(const NetStatistics *statistics)
{
    uint64_t dropped = 0;

    for (unsigned i = 0; i < NET_DROP_COUNT; i++) {
        dropped += statistics->dropped[i];
    }
    fuzz_require(statistics->receive_packets + dropped >= statistics->transmit_packets);
    fuzz_require(statistics->receive_packets <=
                 statistics->transmit_packets + statistics->segments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const NetOptions options = {.loopback = TRUE, .queues = 1};
    Run run = {.input = {data, size}};
    int pair[2];

    memset(memory, 0, MEMORY_SIZE);
    net_port_init(&run.port, &options);
    run.port.peer = &run.port;
    net_transfer_init(&run.transfer, &run.port, 0, &run.statistics);
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = &run,
        .features = net_port_features_offered(&run.port) | VHOST_USER_RING_FEATURES,
        .queues = 2,
    };
    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    VhostUserDevice *device = vhost_user_device_new(pair[0], &parameters);
    run.front = vhost_user_front_end_new(pair[1], 1000);
    fuzz_require(device && run.front);
    start(&run);
    fuzz_require(vhost_user_device_process(device) == VHOST_USER_GOES_ON);
    fuzz_require(net_ring_running(run.port.transmit) && net_ring_running(&run.port.receive->ring));
    while (run.input.size > 0) {
        step(&run);
    }
    check_counts(&run.statistics);
    vhost_user_device_shut_down(device);
    fuzz_require(vhost_user_device_process(device) == VHOST_USER_ENDED);
    vhost_user_device_free(device);
    vhost_user_front_end_free(run.front);
    net_transfer_clear(&run.transfer);
    net_port_clear(&run.port);
    return 0;
}
