/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-ramdisk SOCKET MIB: a disk of MIB mebibytes of memory, empty at each start of the
 * program.  The whole of a back-end with libvhost-user: one thread, one loop over poll(2).
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libvhost-user/device.h"
#include "libvhost-user/queue.h"

#define QUEUES 2
#define SEGMENTS 126 /* in one request, so that one fits a ring of 128 with its head and status */
#define SECTOR 512u  /* the unit of virtio 1.2, 5.2, whatever the block size */

typedef struct Disk {
    uint8_t *bytes;
    uint64_t size;
    VhostUserQueue *running[QUEUES]; /* NULL: stopped */
} Disk;

/* --- requests (virtio 1.2, 5.2.6) --- */

/* Copies the data of a read or a write; false if the disk has no such sectors. */
static bool transfer(Disk *disk, const VhostUserElement *element, bool to_guest, uint64_t sector,
                     uint64_t size)
{
    /* In this order neither the product nor the difference can wrap. */
    if (sector > disk->size / SECTOR || size > disk->size - sector * SECTOR || size % SECTOR != 0) {
        return false;
    }
    if (to_guest) {
        vhost_user_element_write(element, 0, disk->bytes + sector * SECTOR, size);
    } else {
        vhost_user_element_read(element, sizeof(struct virtio_blk_outhdr),
                                disk->bytes + sector * SECTOR, size);
    }
    return true;
}

/* @room: bytes for data.  Returns the status, and in @data how many of them were written. */
static uint8_t carry_out(Disk *disk, const VhostUserElement *element, uint64_t room, uint64_t *data)
{
    struct virtio_blk_outhdr head; /* a copy, which the guest cannot change any more */
    bool read, done;

    if (element->fault || vhost_user_element_read(element, 0, &head, sizeof(head)) < sizeof(head)) {
        return VIRTIO_BLK_S_IOERR;
    }
    read = le32toh(head.type) == VIRTIO_BLK_T_IN;
    if (!read && le32toh(head.type) != VIRTIO_BLK_T_OUT) {
        return VIRTIO_BLK_S_UNSUPP;
    }
    done = transfer(disk, element, read, le64toh(head.sector),
                    read ? room : element->readable_size - sizeof(head));
    *data = read && done ? room : 0;
    return done ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static void serve_element(Disk *disk, VhostUserQueue *queue, VhostUserElement *element)
{
    uint64_t room = element->writable_size; /* all but the last byte, which is the status */
    uint64_t written = 0;
    uint8_t status;

    if (room > 0) {
        room--;
        status = carry_out(disk, element, room, &written);
        vhost_user_element_write(element, room, &status, sizeof(status));
        /* Reported is what was written from the start on.  A migration must learn of a status that
         * stands behind a gap as well. */
        if (written == room) {
            written++;
        } else {
            vhost_user_queue_log(queue, element, room, sizeof(status));
        }
    }
    vhost_user_queue_push(queue, element, written < UINT32_MAX ? (uint32_t)written : UINT32_MAX);
}

static void serve_queue(Disk *disk, VhostUserQueue *queue)
{
    VhostUserElement *element;

    vhost_user_queue_clear_kick(queue);
    if (vhost_user_queue_begin(queue)) {
        while ((element = vhost_user_queue_pop(queue)) != NULL) {
            serve_element(disk, queue, element);
        }
        vhost_user_queue_end(queue);
    }
}

/* --- what the library asks --- */

static void print(void *opaque, VhostUserLogLevel level, const char *text)
{
    (void)opaque;
    if (level <= VHOST_USER_LOG_WARNING) {
        fprintf(stderr, "vhost-user-ramdisk: %s\n", text);
    }
}

static int get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    const Disk *disk = opaque;
    struct virtio_blk_config config = {
        .capacity = htole64(disk->size / SECTOR),
        .seg_max = htole32(SEGMENTS),
        .num_queues = htole16(QUEUES),
    };

    memset(bytes, 0, size); /* behind the end: zeros */
    if (offset < sizeof(config)) {
        size_t there = sizeof(config) - offset;

        memcpy(bytes, (const uint8_t *)&config + offset, size < there ? size : there);
    }
    return 0;
}

static int set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                      uint32_t flags)
{
    (void)opaque, (void)offset, (void)bytes, (void)size, (void)flags;
    return -EACCES; /* nothing in it can be written */
}

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    ((Disk *)opaque)->running[vhost_user_queue_index(queue)] = queue;
}

/* A request is carried out when it is popped, so none is in progress here. */
static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    ((Disk *)opaque)->running[vhost_user_queue_index(queue)] = NULL;
    vhost_user_queue_stopped(queue);
}

static VhostUserDevice *device_new(Disk *disk, int socket)
{
    static const VhostUserDeviceOperations operations = {
        .log = print,
        .get_config = get_config,
        .set_config = set_config,
        .queue_start = queue_start,
        .queue_stop = queue_stop,
    };
    VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = disk,
        .features =
            VHOST_USER_RING_FEATURES | 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_MQ,
        /* The bytes do not outlive the program, so there is nothing to go on with after it. */
        .protocol_features_withheld = 1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
        .queues = QUEUES,
    };

    return vhost_user_device_new(socket, &parameters);
}

/* --- one connection after another --- */

static volatile sig_atomic_t ending;
static VhostUserDevice *volatile serving; /* for the handler of SIGBUS */

static void on_end(int number)
{
    (void)number;
    ending = 1;
}

/* A front-end that truncates its memory loses its connection, not we our life. */
static void on_bus_error(int number, siginfo_t *information, void *context)
{
    (void)context;
    if (!serving || !vhost_user_device_recover_fault(serving, information->si_addr)) {
        signal(number, SIG_DFL); /* the access is made again, and ends the program */
    }
}

/* Sleeps until there is something to do. */
static void wait_for_work(const Disk *disk, VhostUserDevice *device, const sigset_t *signals)
{
    struct pollfd fds[1 + QUEUES] = {{.fd = vhost_user_device_fd(device), .events = POLLIN}};
    struct timespec millisecond = {.tv_nsec = 1000000};
    bool polling = false;

    for (int i = 0; i < QUEUES; i++) {
        VhostUserQueue *queue = disk->running[i];

        fds[1 + i] =
            (struct pollfd){.fd = queue ? vhost_user_queue_kick_fd(queue) : -1, .events = POLLIN};
        polling |= queue && fds[1 + i].fd < 0; /* no kicks from this front-end */
    }
    ppoll(fds, 1 + QUEUES, polling ? &millisecond : NULL, signals);
}

static void serve_connection(Disk *disk, int socket, const sigset_t *signals)
{
    VhostUserDevice *device = device_new(disk, socket);
    const char *error;

    if (!device) {
        perror("vhost-user-ramdisk: cannot serve a connection");
        return;
    }
    serving = device;
    while (vhost_user_device_process(device) == VHOST_USER_GOES_ON) {
        for (int i = 0; i < QUEUES; i++) {
            if (disk->running[i]) {
                serve_queue(disk, disk->running[i]);
            }
        }
        if (ending) {
            vhost_user_device_shut_down(device);
        } else {
            wait_for_work(disk, device, signals);
        }
    }
    error = vhost_user_device_error(device);
    if (error) {
        fprintf(stderr, "vhost-user-ramdisk: the connection has ended: %s\n", error);
    }
    serving = NULL;
    vhost_user_device_free(device);
}

/* The signals are blocked but while we sleep, so that none comes between a look at @ending and
 * the sleep; @signals are those to sleep with. */
static void set_up_signals(sigset_t *signals)
{
    struct sigaction end = {.sa_handler = on_end};
    struct sigaction bus_error = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, signals);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGBUS, &bus_error, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* A listening socket, or -1 with errno. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                          listen(listener, 1) < 0)) {
        close(listener);
        return -1;
    }
    return listener;
}

static void serve(Disk *disk, int listener, const sigset_t *signals)
{
    while (!ending) {
        struct pollfd fd = {.fd = listener, .events = POLLIN};
        int socket;

        if (ppoll(&fd, 1, NULL, signals) > 0) {
            socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (socket >= 0) {
                serve_connection(disk, socket, signals);
            }
        }
    }
}

int main(int argc, char **argv)
{
    unsigned long mebibytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    Disk disk = {.size = (uint64_t)mebibytes << 20};
    sigset_t signals;
    int listener;

    if (mebibytes == 0 || mebibytes > SIZE_MAX >> 20) {
        fprintf(stderr, "usage: vhost-user-ramdisk SOCKET MIB\n");
        return EXIT_FAILURE;
    }
    disk.bytes = calloc(disk.size, 1);
    listener = listen_at(argv[1]);
    if (!disk.bytes || listener < 0) {
        fprintf(stderr, "vhost-user-ramdisk: %s: %s\n", disk.bytes ? argv[1] : argv[2],
                strerror(errno));
        return EXIT_FAILURE;
    }
    set_up_signals(&signals);
    serve(&disk, listener, &signals);
    unlink(argv[1]);
    close(listener);
    free(disk.bytes);
    return EXIT_SUCCESS;
}
