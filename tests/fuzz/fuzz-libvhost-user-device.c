/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any messages into a device of libvhost-user, from a front-end that also writes any bytes to guest
 * memory, and a program that serves the queues in the same thread.  The input is a list of steps.
 * Every queue comes back, no descriptor is left over, and only whole answers come out.
 *
 * Post-copy is left out: nobody would serve the faults.
 */
#include "fuzz.h"

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/device-sample.h"
#include "libvhost-user/driver.h"
#include "libvhost-user/queue.h"

#define QUEUES 4u
#define RING_SIZE 16u
#define AREA 0x4000ull /* bytes of guest memory for a queue: its ring and its buffers */
#define HELD 4u        /* elements that the program keeps for a while, of each queue */

typedef struct Run {
    FuzzInput input;
    VhostUserDevice *device;
    int peer; /* -1: hung up */
    bool ended, stop_later;
    bool running[QUEUES], stopping[QUEUES];
    VhostUserElement *held[QUEUES][HELD];
} Run;

/* One file for all runs, as large as any region that is right. */
static int memory_fd;
static uint8_t *memory;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    memory_fd = memfd_create("guest", MFD_CLOEXEC);
    fuzz_require(memory_fd != -1 && ftruncate(memory_fd, QUEUES * AREA) == 0);
    memory = mmap(NULL, QUEUES * AREA, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    fuzz_require(memory != MAP_FAILED);
    return 0;
}

static unsigned open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned entries = 0;

    while (readdir(directory)) {
        entries++;
    }
    closedir(directory);
    return entries;
}

/* --- the program --- */

static void on_queue_start(void *opaque, VhostUserQueue *queue)
{
    Run *run = opaque;
    uint32_t index = vhost_user_queue_index(queue);

    fuzz_require(!run->running[index]);
    run->running[index] = true;
}

static void push(Run *run, VhostUserQueue *queue, unsigned slot)
{
    VhostUserElement **held = &run->held[vhost_user_queue_index(queue)][slot];
    VhostUserElement *element = *held;

    if (element) {
        uint32_t written = (uint32_t)MIN(element->writable_size, 600);

        for (uint32_t i = 0, seen = 0; i < element->writable_count && seen < written; i++) {
            memset(element->writable[i].iov_base, 0x5a,
                   MIN(element->writable[i].iov_len, written - seen));
            seen += (uint32_t)MIN(element->writable[i].iov_len, written - seen);
        }
        vhost_user_queue_push(queue, element, written);
        *held = NULL;
    }
}

static void report(Run *run, uint32_t index)
{
    VhostUserQueue *queue = vhost_user_device_queue(run->device, index);

    if (!run->stopping[index]) {
        return;
    }
    fuzz_require(vhost_user_queue_begin(queue));
    for (unsigned i = 0; i < HELD; i++) {
        push(run, queue, i);
    }
    vhost_user_queue_end(queue);
    run->running[index] = run->stopping[index] = false;
    vhost_user_queue_stopped(queue);
}

static void on_queue_stop(void *opaque, VhostUserQueue *queue)
{
    Run *run = opaque;
    uint32_t index = vhost_user_queue_index(queue);

    fuzz_require(run->running[index] && !run->stopping[index]);
    run->stopping[index] = true;
    if (!run->stop_later) {
        report(run, index);
    }
}

/* They have the size that the element names, and are there. */
static void check_pieces(const struct iovec *pieces, uint32_t count, uint64_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        const volatile uint8_t *bytes = pieces[i].iov_base;

        fuzz_require(pieces[i].iov_len > 0 && pieces[i].iov_len <= size);
        (void)bytes[0];
        (void)bytes[pieces[i].iov_len - 1];
        size -= pieces[i].iov_len;
    }
    fuzz_require(size == 0);
}

/* Some are pushed at once, some stay until a later step, or until the queue stops. */
static void serve(Run *run, uint32_t index)
{
    VhostUserQueue *queue = vhost_user_device_queue(run->device, index);
    unsigned slot = fuzz_byte(&run->input) % HELD;
    VhostUserElement *element;

    if (!run->running[index] || run->stopping[index]) {
        return;
    }
    vhost_user_queue_clear_kick(queue);
    fuzz_require(vhost_user_queue_begin(queue));
    vhost_user_queue_pending(queue);
    for (unsigned popped = 0; popped < 2 * RING_SIZE; popped++) {
        push(run, queue, slot);
        element = vhost_user_queue_pop(queue);
        if (!element) {
            break;
        }
        check_pieces(element->readable, element->readable_count, element->readable_size);
        check_pieces(element->writable, element->writable_count, element->writable_size);
        run->held[index][slot] = element;
        slot = (slot + (popped & 1)) % HELD;
    }
    vhost_user_queue_end(queue);
}

static int on_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    (void)opaque;
    memset(bytes, 1, size);
    return offset < 64 ? 0 : -1;
}

static int on_set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                         uint32_t flags)
{
    (void)opaque;
    (void)flags;
    return offset < 64 && size > 0 && *(const uint8_t *)bytes ? 0 : -1;
}

static int on_reset(void *opaque)
{
    (void)opaque;
    return 0;
}

static int on_device_state(void *opaque, bool load, int fd)
{
    (void)opaque;
    close(fd);
    return load ? -1 : 0;
}

static void on_log(void *opaque, VhostUserLogLevel level, const char *text)
{
    (void)opaque;
    fuzz_require(level <= VHOST_USER_LOG_DEBUG && strlen(text) > 0);
}

static void start_device(Run *run, uint64_t features)
{
    static const VhostUserDeviceOperations operations = {
        .log = on_log,
        .get_config = on_config,
        .set_config = on_set_config,
        .queue_start = on_queue_start,
        .queue_stop = on_queue_stop,
        .reset = on_reset,
        .device_state = on_device_state,
        .device_state_check = on_reset,
    };
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = run,
        .features = features,
        .protocol_features_withheld = 1u << VHOST_USER_PROTOCOL_F_PAGEFAULT,
        .queues = QUEUES,
        .queue_size_maximum = 64,
        .memory_slots = 6,
        .request_size = 8,
    };
    int sockets[2];

    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    run->device = vhost_user_device_new(sockets[0], &parameters);
    run->peer = sockets[1];
    fuzz_require(run->device);
}

static void process(Run *run)
{
    struct pollfd due = {.fd = vhost_user_device_fd(run->device), .events = POLLIN};

    for (unsigned calls = 0; !run->ended && poll(&due, 1, 0) > 0; calls++) {
        fuzz_require(calls < 1000); /* otherwise it is woken for nothing */
        run->ended = vhost_user_device_process(run->device) == VHOST_USER_ENDED;
    }
}

/* --- the front-end --- */

/* All descriptors are copies, closed behind the call. The socket may be full: then it is lost. */
static void send_with(Run *run, const void *bytes, size_t size, const int *fds, unsigned count)
{
    char control[CMSG_SPACE(sizeof(int) * 16)] __attribute__((aligned(8))) = {0};
    struct cmsghdr *header = (struct cmsghdr *)control;
    struct iovec part = {(void *)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    }
    if (run->peer != -1) {
        (void)!sendmsg(run->peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
}

static int new_fd(uint32_t request, uint8_t kind)
{
    int fd;

    switch (kind % 3) {
    case 0:
        return device_sample_fd(request);
    case 1:
        return dup(memory_fd);
    default:
        fd = memfd_create("short", MFD_CLOEXEC);
        fuzz_require(fd != -1 && ftruncate(fd, 100) == 0);
        return fd;
    }
}

/* The part of guest memory that belongs to queue @index. */
static VhostUserMemoryRegion region_of(unsigned index)
{
    return (VhostUserMemoryRegion){.guest_address = index * AREA,
                                   .size = AREA,
                                   .user_address = (uintptr_t)memory + index * AREA,
                                   .mmap_offset = index * AREA};
}

/* As on the wire: no padding in between. */
typedef struct Message {
    VhostUserHeader header;
    uint8_t payload[VHOST_USER_PAYLOAD_MAXIMUM];
} Message;

/* The payload of a valid message, if there is one of this number. */
static void make_right(Run *run, Message *message, bool of_ours)
{
    VhostUserPayload payload;

    if (!vhost_user_message_info(message->header.request)) {
        return;
    }
    message->header.size = device_sample_payload(message->header.request, &payload);
    if (of_ours && message->header.size == sizeof(payload.region)) {
        payload.region.region = region_of(fuzz_byte(&run->input) % QUEUES);
    }
    memcpy(message->payload, &payload, sizeof(payload));
}

/* A message that is right but for what the input makes of it. */
static void send_message(Run *run)
{
    Message message = {
        .header = {fuzz_byte(&run->input) % (VHOST_USER_REQUEST_COUNT + 1), VHOST_USER_VERSION, 0}};
    const VhostUserMessageInfo *info = vhost_user_message_info(message.header.request);
    uint8_t twist = fuzz_byte(&run->input);
    unsigned count = info ? MAX(info->fds_minimum, MIN(info->fds_maximum, 1)) : 0;
    uint8_t kind = twist & 64 ? 1 : 0;
    int fds[16];

    make_right(run, &message, twist & 64);
    message.header.flags |= twist & 1 ? VHOST_USER_FLAG_NEED_REPLY : 0;
    message.header.flags ^= twist & 2 ? fuzz_byte(&run->input) : 0;
    message.header.size = twist & 4 ? (uint32_t)fuzz_number(&run->input, 2) : message.header.size;
    for (unsigned i = 0; twist & 8 && i < 2; i++) { /* any number at any place */
        uint64_t at = fuzz_byte(&run->input);
        uint64_t value = fuzz_number(&run->input, 4);

        memcpy(message.payload + at, &value, 4);
    }
    count = twist & 16 ? fuzz_byte(&run->input) % 10 : count;
    kind = twist & 32 ? fuzz_byte(&run->input) : kind;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = new_fd(message.header.request, kind);
    }
    send_with(run, &message,
              sizeof(message.header) + MIN(message.header.size, sizeof(message.payload)), fds,
              count);
}

static void send_right(Run *run, uint32_t request, const void *payload, uint32_t size, int fd)
{
    Message message = {.header = {request, VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, size}};

    if (size > 0) {
        memcpy(message.payload, payload, size);
    }
    send_with(run, &message, sizeof(message.header) + size, &fd, fd == -1 ? 0 : 1);
    process(run);
}

static void negotiate(Run *run, uint64_t features)
{
    const uint64_t protocol =
        0x9b23f & ~(1ull << VHOST_USER_PROTOCOL_F_RARP) & ~(1ull << VHOST_USER_PROTOCOL_F_NET_MTU);

    features |= 1ull << VHOST_USER_F_PROTOCOL_FEATURES;
    send_right(run, VHOST_USER_SET_PROTOCOL_FEATURES, &protocol, 8, -1);
    send_right(run, VHOST_USER_SET_FEATURES, &features, 8, -1);
}

/* The whole way to a queue that runs, as a front-end goes it. */
static void start_queue(Run *run, uint32_t index)
{
    const VhostUserMemRegMsg region = {.region = region_of(index)};
    const uint64_t base = region.region.user_address;
    const bool packed = vhost_user_device_features(run->device) & VHOST_USER_RING_F_PACKED;
    const VhostUserVringState size = {index, RING_SIZE}, enable = {index, 1};
    const VhostUserVringState begin = {index, packed ? VHOST_USER_DRIVER_PACKED_BASE : 0};
    const VhostUserVringAddr addresses = {.index = index,
                                          .descriptor = base,
                                          .available = base + 0x200,
                                          .used = base + 0x300,
                                          .log = index * AREA + 0x300};
    const uint64_t number = index;

    send_right(run, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), dup(memory_fd));
    send_right(run, VHOST_USER_SET_VRING_NUM, &size, sizeof(size), -1);
    send_right(run, VHOST_USER_SET_VRING_BASE, &begin, sizeof(begin), -1);
    send_right(run, VHOST_USER_SET_VRING_ADDR, &addresses, sizeof(addresses), -1);
    send_right(run, VHOST_USER_SET_VRING_CALL, &number, 8,
               device_sample_fd(VHOST_USER_SET_VRING_CALL));
    send_right(run, VHOST_USER_SET_VRING_ENABLE, &enable, sizeof(enable), -1);
    send_right(run, VHOST_USER_SET_VRING_KICK, &number, 8,
               device_sample_fd(VHOST_USER_SET_VRING_KICK));
}

/* A buffer as a driver makes it available, but for the bytes that the input chooses. */
static void make_available(Run *run, uint32_t index)
{
    uint8_t *ring = memory + index * AREA;
    uint16_t *available = (uint16_t *)(ring + 0x200);
    uint16_t slot = available[1] % RING_SIZE;
    uint64_t descriptor[2] = {index * AREA + 0x1000 + fuzz_byte(&run->input),
                              fuzz_byte(&run->input) | (uint64_t)fuzz_byte(&run->input) << 32};

    memcpy(ring + slot * 16, descriptor, sizeof(descriptor));
    available[2 + slot] = slot;
    available[1]++;
}

static void read_answers(Run *run)
{
    uint8_t bytes[4096];

    if (run->peer != -1) {
        while (recv(run->peer, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes)) {
        }
    }
}

static void send_raw(Run *run)
{
    size_t size = 1 + fuzz_byte(&run->input) % 64;

    size = MIN(size, run->input.size);
    if (size > 0) {
        send_with(run, run->input.data, size, NULL, 0);
        run->input.data += size;
        run->input.size -= size;
    }
}

static void write_memory(Run *run)
{
    uint64_t at = fuzz_number(&run->input, 2) * 4 % (QUEUES * AREA);
    uint64_t value = fuzz_number(&run->input, 4);

    memcpy(memory + at, &value, 4);
}

static void hang_up(Run *run)
{
    if (run->peer != -1) {
        close(run->peer);
    }
    run->peer = -1;
}

static void step(Run *run)
{
    uint8_t what = fuzz_byte(&run->input);
    uint32_t queue = what / 16 % QUEUES;

    switch (what % 16) {
    case 0:
        negotiate(run, fuzz_byte(&run->input) & 1 ? VHOST_USER_RING_F_PACKED : 0);
        break;
    case 1:
        start_queue(run, queue);
        break;
    case 2:
        make_available(run, queue);
        break;
    case 3:
        serve(run, queue);
        break;
    case 4:
        report(run, queue);
        break;
    case 5:
        run->stop_later = !run->stop_later;
        break;
    case 6:
        send_raw(run);
        break;
    case 7:
        write_memory(run);
        break;
    case 8:
        read_answers(run);
        break;
    case 9:
        vhost_user_device_config_changed(run->device);
        break;
    case 10:
        if (queue == 1) {
            vhost_user_device_shut_down(run->device);
        } else if (queue == 2) {
            hang_up(run);
        }
        break;
    default:
        send_message(run);
    }
    if (!(what & 0x80)) {
        process(run);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned fds = open_fds();
    Run run = {.input = {data, size}};
    VhostUserDeviceStatistics statistics;

    memset(memory, 0, QUEUES * AREA);
    start_device(&run, VHOST_USER_RING_FEATURES |
                           (fuzz_byte(&run.input) & 1 ? VHOST_USER_RING_F_IN_ORDER : 0));
    while (run.input.size > 0) {
        step(&run);
    }
    hang_up(&run);
    process(&run);
    for (uint32_t i = 0; i < QUEUES; i++) {
        report(&run, i);
    }
    run.stop_later = false;
    process(&run);
    fuzz_require(run.ended);
    vhost_user_device_statistics(run.device, &statistics);
    fuzz_require(statistics.regions <= 6 && statistics.refused <= statistics.messages);
    for (uint32_t i = 0; i < QUEUES; i++) {
        fuzz_require(!run.running[i]);
    }
    vhost_user_device_free(run.device);
    fuzz_require(open_fds() == fds);
    return 0;
}
