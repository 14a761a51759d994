/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SCSI host (virtio 1.2, 5.6) with one target of two small disks, the second of which a poke puts
 * there.  The bytes are in a file, so that they outlive the program.  Commands are those of SPC-4
 * and SBC-3 that a disk must have; multi-byte fields there are big-endian.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_scsi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONTROL, EVENTS, REQUESTS };
enum { DISKS = 2, BLOCK = 512, BLOCKS = 16 * 2048 };

/* Operation codes (SPC-4, table E.2), and a service action of one of them. */
enum {
    TEST_UNIT_READY = 0x00,
    INQUIRY = 0x12,
    MODE_SENSE_6 = 0x1a,
    START_STOP_UNIT = 0x1b,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    SYNCHRONIZE_CACHE_10 = 0x35,
    MODE_SENSE_10 = 0x5a,
    READ_16 = 0x88,
    WRITE_16 = 0x8a,
    SERVICE_ACTION_IN_16 = 0x9e,
    REPORT_LUNS = 0xa0,
};
#define ACTION_READ_CAPACITY_16 0x10
#define STATUS_CHECK_CONDITION 0x02 /* SAM-5, 5.3 */

/* Sense keys with additional codes (SPC-4, 4.5). */
#define SENSE_BAD_COMMAND 0x052000
#define SENSE_BAD_BLOCK 0x052100
#define SENSE_BAD_FIELD 0x052400
#define SENSE_BAD_UNIT 0x052500

typedef struct Scsi {
    uint8_t *bytes; /* of all disks */
    unsigned disks; /* that are there */
    gboolean tell;  /* of the one that came */
} Scsi;

typedef struct Command {
    Scsi *scsi;
    const VhostUserElement *element;
    struct virtio_scsi_cmd_req request; /* a copy */
    uint64_t room;                      /* bytes for data to the driver */
    uint64_t returned;                  /* of them used */
    uint32_t sense;                     /* 0: all is well */
} Command;

static gpointer start(const char *argument)
{
    Scsi *scsi = g_new0(Scsi, 1);
    gsize size = (gsize)DISKS * BLOCKS * BLOCK;
    int fd = open(argument, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
        backend_fail("%s: %s", argument, g_strerror(errno));
    }
    scsi->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (scsi->bytes == MAP_FAILED) {
        backend_fail("%s: %s", argument, g_strerror(errno));
    }
    close(fd);
    scsi->disks = 1;
    return scsi;
}

static void put_be32(uint8_t *to, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(to, &value, sizeof(value));
}

static uint64_t get_be(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

/* Data for the driver, of which it wants @allocated bytes at most. */
static void answer(Command *command, const uint8_t *bytes, uint64_t size, uint64_t allocated)
{
    uint64_t most = MIN(MIN(size, allocated), command->room);

    vhost_user_element_write(command->element, sizeof(struct virtio_scsi_cmd_resp), bytes, most);
    command->returned = most;
}

/* --- commands --- */

/* 5.6.6.1: target in the second byte, number of the unit in the two behind it. */
static unsigned unit_of(const Command *command)
{
    return (unsigned)get_be(command->request.lun + 2, 2) & 0x3fff;
}

/* Vital product data (SPC-4, 7.8): which pages there are, and the serial number. */
static void inquire_page(Command *command, uint8_t page, uint64_t allocated)
{
    uint8_t bytes[8] = {0, page};

    if (page == 0) {
        bytes[3] = 2;
        bytes[5] = 0x80;
        answer(command, bytes, 6, allocated);
    } else if (page == 0x80) {
        bytes[3] = 4;
        memcpy(bytes + 4, "hs-", 3);
        bytes[7] = (uint8_t)('0' + unit_of(command));
        answer(command, bytes, 8, allocated);
    } else {
        command->sense = SENSE_BAD_FIELD;
    }
}

static void inquire(Command *command)
{
    const uint8_t *cdb = command->request.cdb;
    uint64_t allocated = get_be(cdb + 3, 2);
    uint8_t bytes[36] = {0, 0, 6 /* SPC-4 */, 2 /* format of this */, sizeof(bytes) - 5};

    if (cdb[1] & 1) {
        inquire_page(command, cdb[2], allocated);
        return;
    }
    if (unit_of(command) >= command->scsi->disks) {
        bytes[0] = 0x7f; /* there could be a unit of that number, but there is none */
    }
    memcpy(bytes + 8, "hotslot FAMILY DISK     1   ", 28);
    answer(command, bytes, sizeof(bytes), allocated);
}

static void report_luns(Command *command)
{
    uint8_t bytes[8 + 8 * DISKS] = {0};

    put_be32(bytes, 8 * command->scsi->disks);
    for (unsigned i = 0; i < command->scsi->disks; i++) {
        bytes[8 + 8 * i + 1] = (uint8_t)i;
    }
    answer(command, bytes, 8 + 8 * (uint64_t)command->scsi->disks,
           get_be(command->request.cdb + 6, 4));
}

static void read_capacity_10(Command *command)
{
    uint8_t bytes[8];

    put_be32(bytes, BLOCKS - 1);
    put_be32(bytes + 4, BLOCK);
    answer(command, bytes, sizeof(bytes), sizeof(bytes));
}

static void read_capacity_16(Command *command)
{
    uint8_t bytes[32] = {0};

    if ((command->request.cdb[1] & 0x1f) != ACTION_READ_CAPACITY_16) {
        command->sense = SENSE_BAD_FIELD;
        return;
    }
    put_be32(bytes + 4, BLOCKS - 1);
    put_be32(bytes + 8, BLOCK);
    answer(command, bytes, sizeof(bytes), get_be(command->request.cdb + 10, 4));
}

/* A header without block descriptors, and the caching page (SBC-3, 6.5.5): nothing is cached. */
static void mode_sense(Command *command, unsigned header, uint64_t allocated)
{
    uint8_t bytes[8 + 20] = {0};
    uint8_t page = command->request.cdb[2] & 0x3f;
    unsigned size = header;

    if (page == 0x08 || page == 0x3f) {
        bytes[header] = 0x08;
        bytes[header + 1] = 18;
        size += 20;
    }
    if (header == 4) {
        bytes[0] = (uint8_t)(size - 1);
    } else {
        bytes[1] = (uint8_t)(size - 2);
    }
    answer(command, bytes, size, allocated);
}

static void transfer(Command *command, gboolean write, uint64_t first, uint64_t count)
{
    uint64_t offset = (unit_of(command) * (uint64_t)BLOCKS + first) * BLOCK;
    uint8_t *bytes = command->scsi->bytes;

    if (first > BLOCKS || count > BLOCKS - first) {
        command->sense = SENSE_BAD_BLOCK;
    } else if (write) {
        vhost_user_element_read(command->element, sizeof(command->request), bytes + offset,
                                count * BLOCK);
    } else {
        answer(command, bytes + offset, count * BLOCK, UINT64_MAX);
    }
}

static void carry_out(Command *command)
{
    const uint8_t *cdb = command->request.cdb;

    if (unit_of(command) >= command->scsi->disks && cdb[0] != INQUIRY && cdb[0] != REPORT_LUNS) {
        command->sense = SENSE_BAD_UNIT;
        return;
    }
    switch (cdb[0]) {
    case TEST_UNIT_READY:
    case START_STOP_UNIT:
    case SYNCHRONIZE_CACHE_10:
        break;
    case INQUIRY:
        inquire(command);
        break;
    case REPORT_LUNS:
        report_luns(command);
        break;
    case READ_CAPACITY_10:
        read_capacity_10(command);
        break;
    case SERVICE_ACTION_IN_16:
        read_capacity_16(command);
        break;
    case MODE_SENSE_6:
        mode_sense(command, 4, cdb[4]);
        break;
    case MODE_SENSE_10:
        mode_sense(command, 8, get_be(cdb + 7, 2));
        break;
    case READ_10:
    case WRITE_10:
        transfer(command, cdb[0] == WRITE_10, get_be(cdb + 2, 4), get_be(cdb + 7, 2));
        break;
    case READ_16:
    case WRITE_16:
        transfer(command, cdb[0] == WRITE_16, get_be(cdb + 2, 8), get_be(cdb + 10, 4));
        break;
    default:
        command->sense = SENSE_BAD_COMMAND;
    }
}

/* --- queues --- */

static uint32_t serve_request(gpointer state, const VhostUserElement *element)
{
    struct virtio_scsi_cmd_resp response = {0};
    Command command = {.scsi = state, .element = element};

    if (element->writable_size < sizeof(response) || element->fault) {
        return 0;
    }
    command.room = element->writable_size - sizeof(response);
    if (vhost_user_element_read(element, 0, &command.request, sizeof(command.request)) <
        sizeof(command.request)) {
        response.response = VIRTIO_SCSI_S_FAILURE;
    } else if (command.request.lun[0] != 1 || command.request.lun[1] != 0) {
        response.response = VIRTIO_SCSI_S_BAD_TARGET;
    } else {
        carry_out(&command);
    }
    response.resid = GUINT32_TO_LE((uint32_t)(command.room - command.returned));
    if (command.sense) {
        response.status = STATUS_CHECK_CONDITION;
        response.sense_len = GUINT32_TO_LE(18);
        response.sense[0] = 0x70; /* fixed format, of this command (SPC-4, 4.5.3) */
        response.sense[2] = (uint8_t)(command.sense >> 16);
        response.sense[7] = 10;
        response.sense[12] = (uint8_t)(command.sense >> 8);
        response.sense[13] = (uint8_t)command.sense;
    }
    vhost_user_element_write(element, 0, &response, sizeof(response));
    return (uint32_t)(sizeof(response) + command.returned);
}

/* Nothing is ever left to abort: commands are done when they are taken. */
static uint32_t serve_control(gpointer state G_GNUC_UNUSED, const VhostUserElement *element)
{
    const uint8_t response = VIRTIO_SCSI_S_FUNCTION_SUCCEEDED;

    return (uint32_t)vhost_user_element_write(
        element, element->writable_size ? element->writable_size - 1 : 0, &response, 1);
}

static void poke(gpointer state)
{
    Scsi *scsi = state;

    scsi->disks = DISKS;
    scsi->tell = TRUE;
}

static int serve(Backend *backend, gpointer state)
{
    Scsi *scsi = state;
    const struct virtio_scsi_event event = {
        .event = GUINT32_TO_LE(VIRTIO_SCSI_T_TRANSPORT_RESET),
        .lun = {1, 0, 0, DISKS - 1},
        .reason = GUINT32_TO_LE(VIRTIO_SCSI_EVT_RESET_RESCAN),
    };

    if (scsi->tell && backend_send(backend, EVENTS, &event, sizeof(event))) {
        scsi->tell = FALSE;
    }
    backend_serve_queue(backend, CONTROL, UINT_MAX, serve_control, scsi);
    backend_serve_queue(backend, REQUESTS, UINT_MAX, serve_request, scsi);
    return -1;
}

const Kind scsi_kind = {
    .name = "scsi",
    .argument = "FILE",
    .features = UINT64_C(1) << VIRTIO_SCSI_F_HOTPLUG,
    .queues = 3,
    .start = start,
    .serve = serve,
    .poke = poke,
};
