/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints docs/interop/vhost-user-tables.rst: the payloads, the message table and the protocol
 * features of libvhost-user/wire.h, and which of them our two ends take part in, so that the
 * document cannot disagree with the programs.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hw/virtio/vhost-user.h"
#include "libvhost-user/device.h"
#include "vhost-user-texts.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- payloads --- */

typedef struct Field {
    const char *name, *meaning;
    size_t offset, size;
} Field;

typedef struct Layout {
    const char *name, *label, *title;
    size_t size;
    const Field *fields;
    size_t count;
} Layout;

#define FIELD(type, field, meaning)                                                                \
    {                                                                                              \
#field, meaning, offsetof(type, field), sizeof(((type *)NULL)->field)                      \
    }
#define LAYOUT(type, label, title, fields)                                                         \
    {                                                                                              \
#type, label, title, sizeof(type), fields, sizeof(fields) / sizeof((fields)[0])            \
    }

/* clang-format off */
static const Field header_fields[] = {
    FIELD(VhostUserHeader, request, "number of the request, also in its answer"),
    FIELD(VhostUserHeader, flags, "bits 0 and 1: version, 1; bit 2: this is an answer; bit 3: "
                                  "need_reply, an ack is wanted; the others are 0"),
    FIELD(VhostUserHeader, size, "bytes of payload that follow"),
};

static const Field region_fields[] = {
    FIELD(VhostUserMemoryRegion, guest_address, "where the guest sees the region"),
    FIELD(VhostUserMemoryRegion, size, "bytes, not 0"),
    FIELD(VhostUserMemoryRegion, user_address,
          "where the front-end sees it; in the answers of post-copy, where the back-end sees it"),
    FIELD(VhostUserMemoryRegion, mmap_offset, "where the region begins in the descriptor's file"),
};

static const Field memory_fields[] = {
    FIELD(VhostUserMemory, num_regions, "regions that follow, 8 at most"),
    FIELD(VhostUserMemory, padding, "0"),
    FIELD(VhostUserMemory, regions, "regions; the message ends behind the last one in use"),
};

static const Field single_region_fields[] = {
    FIELD(VhostUserMemRegMsg, padding, "0"),
    FIELD(VhostUserMemRegMsg, region, "the region"),
};

static const Field state_fields[] = {
    FIELD(VhostUserVringState, index, "the ring"),
    FIELD(VhostUserVringState, num, "depends on the request"),
};

static const Field address_fields[] = {
    FIELD(VhostUserVringAddr, index, "the ring"),
    FIELD(VhostUserVringAddr, flags, "bit 0: log writes to the used ring"),
    FIELD(VhostUserVringAddr, descriptor, "descriptor table, packed: descriptor ring"),
    FIELD(VhostUserVringAddr, used, "used ring, packed: device event suppression"),
    FIELD(VhostUserVringAddr, available, "available ring, packed: driver event suppression"),
    FIELD(VhostUserVringAddr, log, "guest address of the used ring, for the log alone"),
};

static const Field config_fields[] = {
    FIELD(VhostUserConfig, offset, "first byte in configuration space"),
    FIELD(VhostUserConfig, size, "bytes that follow, 1 to 256"),
    FIELD(VhostUserConfig, flags, "0: what a driver may write; 1: everything, for a migration"),
    FIELD(VhostUserConfig, bytes, "the bytes; the message ends behind the last one in use"),
};

static const Field inflight_fields[] = {
    FIELD(VhostUserInflight, mmap_size, "bytes of the buffer"),
    FIELD(VhostUserInflight, mmap_offset, "where it begins in the descriptor's file"),
    FIELD(VhostUserInflight, num_queues, "rings that it has room for"),
    FIELD(VhostUserInflight, queue_size, "entries for each ring"),
    FIELD(VhostUserInflight, padding, "may be left out"),
};

static const Field dirty_log_fields[] = {
    FIELD(VhostUserLog, size, "bytes of the log"),
    FIELD(VhostUserLog, offset, "where it begins in the descriptor's file"),
};

static const Field area_fields[] = {
    FIELD(VhostUserVringArea, index, "bits 0 to 7: the ring; bit 8: no descriptor comes with it"),
    FIELD(VhostUserVringArea, size, "bytes to map"),
    FIELD(VhostUserVringArea, offset, "where they begin in the descriptor's file"),
};

static const Field iotlb_fields[] = {
    FIELD(VhostUserIotlb, address, "I/O virtual address"),
    FIELD(VhostUserIotlb, size, "bytes"),
    FIELD(VhostUserIotlb, user_address, "where the front-end sees them"),
    FIELD(VhostUserIotlb, permission, "1: read, 2: write, 3: both"),
    FIELD(VhostUserIotlb, type, "1: miss, 2: update, 3: invalidate, 4: access failed"),
    FIELD(VhostUserIotlb, padding, "0"),
};

static const Field shared_fields[] = {
    FIELD(VhostUserShared, uuid, "name of the object"),
};

static const Field device_state_fields[] = {
    FIELD(VhostUserDeviceState, direction, "0: the back-end saves, 1: it loads"),
    FIELD(VhostUserDeviceState, phase, "0: all rings are stopped; there is no other phase"),
};

static const Layout layouts[] = {
    LAYOUT(VhostUserHeader, "header", "Header of every message", header_fields),
    LAYOUT(VhostUserVringState, "state", "State of a ring", state_fields),
    LAYOUT(VhostUserVringAddr, "address", "Addresses of a ring", address_fields),
    LAYOUT(VhostUserMemoryRegion, "region", "Region of memory", region_fields),
    LAYOUT(VhostUserMemory, "memory", "Table of regions", memory_fields),
    LAYOUT(VhostUserMemRegMsg, "single-region", "One region", single_region_fields),
    LAYOUT(VhostUserConfig, "config", "Piece of configuration space", config_fields),
    LAYOUT(VhostUserInflight, "inflight", "Buffer for requests in flight", inflight_fields),
    LAYOUT(VhostUserLog, "log", "Dirty log", dirty_log_fields),
    LAYOUT(VhostUserVringArea, "area", "Host notifier of a ring", area_fields),
    LAYOUT(VhostUserIotlb, "iotlb", "Entry or event of the IOTLB", iotlb_fields),
    LAYOUT(VhostUserShared, "shared", "Shared object", shared_fields),
    LAYOUT(VhostUserDeviceState, "device-state", "Transfer of device state", device_state_fields),
};
/* clang-format on */

static void print_layout(const Layout *layout)
{
    printf("\n.. _vhost-user-%s:\n\n"
           ".. list-table:: %s: ``%s``, %zu bytes\n"
           "   :header-rows: 1\n"
           "   :widths: 10 10 25 55\n\n"
           "   * - Offset\n"
           "     - Bytes\n"
           "     - Field\n"
           "     - Meaning\n",
           layout->label, layout->title, layout->name, layout->size);
    for (size_t i = 0; i < layout->count; i++) {
        const Field *field = &layout->fields[i];

        printf("   * - %zu\n     - %zu\n     - ``%s``\n     - %s\n", field->offset, field->size,
               field->name, field->meaning);
    }
}

static void print_layouts(void)
{
    for (size_t i = 0; i < COUNT(layouts); i++) {
        print_layout(&layouts[i]);
    }
}

/* --- requests and features --- */

typedef const VhostUserMessageInfo *MessageLookup(uint32_t request);

/* One direction. */
typedef struct Direction {
    const char *label, *title;
    MessageLookup *lookup;
    const RequestText *texts;
    uint32_t count;
} Direction;

static const Direction directions[] = {
    {"vhost-user-requests-table", "Requests of the front-end", vhost_user_message_info,
     request_texts, VHOST_USER_REQUEST_COUNT},
    {"vhost-user-backend-requests-table", "Requests of the back-end",
     vhost_user_backend_message_info, backend_request_texts, VHOST_USER_BACKEND_REQUEST_COUNT},
};

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

/* "8 bytes", "8 to 264 bytes". */
static void print_size(uint32_t minimum, uint32_t maximum)
{
    if (minimum != maximum) {
        printf("%" PRIu32 " to ", minimum);
    }
    printf("%" PRIu32 " byte%s", maximum, plural(maximum));
}

/* "1 descriptor", "0 to 8 descriptors"; nothing where there never is one. */
static void print_descriptors(const char *before, uint32_t minimum, uint32_t maximum)
{
    if (maximum == 0) {
        return;
    }
    printf("%s", before);
    if (minimum != maximum) {
        printf("%" PRIu32 " to ", minimum);
    }
    printf("%" PRIu32 " descriptor%s", maximum, plural(maximum));
}

static void print_reply(const VhostUserMessageInfo *info)
{
    print_size(info->reply_size_minimum, info->reply_size_maximum);
    print_descriptors(", ", info->reply_fds_minimum, info->reply_fds_maximum);
}

static void print_answer(const VhostUserMessageInfo *info)
{
    switch (info->reply) {
    case VHOST_USER_REPLY_ALWAYS:
        print_reply(info);
        break;
    case VHOST_USER_REPLY_POSTCOPY:
        printf("ack; in post-copy: ");
        print_reply(info);
        break;
    default:
        printf("%s", info->changes_state ? "ack" : "none");
        break;
    }
}

static void print_allowed(int allowed_by)
{
    if (allowed_by == VHOST_USER_ALLOWED_ALWAYS) {
        printf("always");
    } else if (allowed_by == VHOST_USER_ALLOWED_BY_BIT_30) {
        printf("bit 30");
    } else {
        printf("``%s``", vhost_user_protocol_feature_name((unsigned)allowed_by));
    }
}

/* "8 bytes, u64", "40 bytes, one region" with a link to its table. */
static void print_payload(const VhostUserMessageInfo *info, const RequestText *text)
{
    if (text->payload == NULL) {
        printf("none");
        return;
    }
    print_size(info->size_minimum, info->size_maximum);
    if (strcmp(text->payload, "u64") == 0) {
        printf(", u64");
    } else {
        printf(": :ref:`%s <vhost-user-%s>`", text->payload, text->payload);
    }
}

static void print_forms(const Direction *direction)
{
    printf("\n.. _%s:\n\n"
           ".. list-table:: %s: forms\n"
           "   :header-rows: 1\n"
           "   :widths: 5 30 25 15 25 20\n\n"
           "   * - No.\n"
           "     - Request\n"
           "     - Payload\n"
           "     - Descriptors\n"
           "     - Answer\n"
           "     - Allowed by\n",
           direction->label, direction->title);
    for (uint32_t request = 0; request < direction->count; request++) {
        const VhostUserMessageInfo *info = direction->lookup(request);

        if (info == NULL) {
            continue;
        }
        printf("   * - %" PRIu32 "\n     - ``%s``\n     - ", request, info->name);
        print_payload(info, &direction->texts[request]);
        printf("\n     - ");
        if (info->fds_maximum == 0) {
            printf("none");
        }
        print_descriptors("", info->fds_minimum, info->fds_maximum);
        printf("\n     - ");
        print_answer(info);
        printf("\n     - ");
        print_allowed(info->allowed_by);
        printf("\n");
    }
}

static void print_uses(const Direction *direction)
{
    printf("\n.. list-table:: %s: use\n"
           "   :header-rows: 1\n"
           "   :widths: 30 35 35\n\n"
           "   * - Request\n"
           "     - When it may come\n"
           "     - What a refusal means\n",
           direction->title);
    for (uint32_t request = 0; request < direction->count; request++) {
        const VhostUserMessageInfo *info = direction->lookup(request);

        if (info != NULL) {
            printf("   * - ``%s``\n     - %s\n     - %s\n", info->name,
                   direction->texts[request].when,
                   direction->texts[request].refusal ? direction->texts[request].refusal
                                                     : "cannot be refused");
        }
    }
}

/* NULL, or the name of a request that has no words, or words that contradict the table. */
static const char *wordless(const Direction *direction)
{
    for (uint32_t request = 0; request < direction->count; request++) {
        const VhostUserMessageInfo *info = direction->lookup(request);
        const RequestText *text = &direction->texts[request];

        if (info != NULL && (!text->when || !text->payload != (info->size_maximum == 0))) {
            return info->name;
        }
    }
    return NULL;
}

/* The requests that a protocol feature allows, in both directions. */
static void print_allowed_requests(int feature, MessageLookup *lookup, uint32_t count,
                                   const char *suffix, const char **separator)
{
    for (uint32_t request = 0; request < count; request++) {
        const VhostUserMessageInfo *info = lookup(request);

        if (info != NULL && info->allowed_by == feature) {
            printf("%s``%s``%s", *separator, info->name, suffix);
            *separator = ", ";
        }
    }
}

/* --- who takes part --- */

static int get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    (void)opaque, (void)offset, (void)bytes, (void)size;
    return 0;
}

static int set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                      uint32_t flags)
{
    (void)opaque, (void)offset, (void)bytes, (void)size, (void)flags;
    return 0;
}

static int reset(void *opaque)
{
    (void)opaque;
    return 0;
}

static int net_set_mtu(void *opaque, uint16_t mtu)
{
    (void)opaque, (void)mtu;
    return 0;
}

static int send_rarp(void *opaque, const uint8_t address[6])
{
    (void)opaque, (void)address;
    return 0;
}

static int device_state(void *opaque, bool load, int fd)
{
    (void)opaque, (void)load;
    close(fd);
    return 0;
}

/* What the library offers to a front-end when the program has every operation; 0 if it cannot be
 * asked. */
static uint64_t library_features(void)
{
    static const VhostUserDeviceOperations operations = {
        .get_config = get_config,
        .set_config = set_config,
        .reset = reset,
        .net_set_mtu = net_set_mtu,
        .send_rarp = send_rarp,
        .device_state = device_state,
        .device_state_check = reset,
    };
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .queues = 1,
    };
    const VhostUserHeader request = {VHOST_USER_GET_PROTOCOL_FEATURES, VHOST_USER_VERSION, 0};
    struct {
        VhostUserHeader header;
        uint8_t features[sizeof(uint64_t)];
    } answer = {{0}, {0}};
    VhostUserDevice *device = NULL;
    uint64_t features = 0;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        device = vhost_user_device_new(ends[0], &parameters);
    }
    if (device && write(ends[1], &request, sizeof(request)) == sizeof(request) &&
        vhost_user_device_process(device) == VHOST_USER_GOES_ON &&
        read(ends[1], &answer, sizeof(answer)) == sizeof(answer)) {
        memcpy(&features, answer.features, sizeof(features));
        /* Offered where the kernel allows userfaultfd(2), which is not the document's matter. */
        features |= 1ull << VHOST_USER_PROTOCOL_F_PAGEFAULT;
    }
    vhost_user_device_free(device);
    return features;
}

static const char *yes(uint64_t features, unsigned bit)
{
    return features >> bit & 1 ? "yes" : "no";
}

static void print_features(uint64_t library)
{
    uint64_t front_end = vhost_user_session_known_protocol_features();

    printf("\n.. _vhost-user-features-table:\n\n"
           ".. list-table:: Protocol features, and which of hotslot's ends take part\n"
           "   :header-rows: 1\n"
           "   :widths: 5 25 40 15 15\n\n"
           "   * - Bit\n"
           "     - Feature\n"
           "     - Requests that it allows\n"
           "     - Front-end\n"
           "     - libvhost-user\n");
    for (unsigned bit = 0; bit < VHOST_USER_PROTOCOL_F_COUNT; bit++) {
        const char *separator = "";

        printf("   * - %u\n     - ``%s``\n     - ", bit, vhost_user_protocol_feature_name(bit));
        print_allowed_requests((int)bit, vhost_user_message_info, VHOST_USER_REQUEST_COUNT, "",
                               &separator);
        print_allowed_requests((int)bit, vhost_user_backend_message_info,
                               VHOST_USER_BACKEND_REQUEST_COUNT, " (back-end's)", &separator);
        printf("%s\n     - %s\n     - %s\n", *separator ? "" : "none of its own",
               yes(front_end, bit), yes(library, bit));
    }
}

int main(void)
{
    uint64_t library = library_features();

    for (size_t i = 0; i < COUNT(directions); i++) {
        const char *name = wordless(&directions[i]);

        if (name) {
            fprintf(stderr, "vhost-user-tables: %s has no words, or wrong ones\n", name);
            return 1;
        }
    }
    if (library == 0) {
        fprintf(stderr, "vhost-user-tables: the library does not answer\n");
        return 1;
    }
    printf(".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Made by \"build/docs/vhost-user-tables\" from the message table in\n"
           "   subprojects/libvhost-user; change that instead.\n"
           "\n.. payloads\n");
    print_layouts();
    printf("\n.. requests\n");
    for (size_t i = 0; i < COUNT(directions); i++) {
        print_forms(&directions[i]);
        print_uses(&directions[i]);
    }
    print_features(library);
    return fflush(stdout) != 0 || ferror(stdout);
}
