/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints docs/interop/vhost-user-tables.rst: the payloads, the message table and the protocol
 * features of libvhost-user/wire.h as the document shows them, so that the two cannot disagree.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "libvhost-user/wire.h"

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
static const Field header[] = {
    FIELD(VhostUserHeader, request, "number of the request, also in its answer"),
    FIELD(VhostUserHeader, flags, "bits 0 and 1: version, 1; bit 2: this is an answer; bit 3: "
                                  "need_reply, an ack is wanted; the others are 0"),
    FIELD(VhostUserHeader, size, "bytes of payload that follow"),
};

static const Field region[] = {
    FIELD(VhostUserMemoryRegion, guest_address, "where the guest sees the region"),
    FIELD(VhostUserMemoryRegion, size, "bytes, not 0"),
    FIELD(VhostUserMemoryRegion, user_address,
          "where the front-end sees it; in the answers of post-copy, where the back-end sees it"),
    FIELD(VhostUserMemoryRegion, mmap_offset, "where the region begins in the descriptor's file"),
};

static const Field memory[] = {
    FIELD(VhostUserMemory, num_regions, "regions that follow, 8 at most"),
    FIELD(VhostUserMemory, padding, "0"),
    FIELD(VhostUserMemory, regions, "regions; the message ends behind the last one in use"),
};

static const Field single_region[] = {
    FIELD(VhostUserMemRegMsg, padding, "0"),
    FIELD(VhostUserMemRegMsg, region, "the region"),
};

static const Field state[] = {
    FIELD(VhostUserVringState, index, "the ring"),
    FIELD(VhostUserVringState, num, "depends on the request"),
};

static const Field address[] = {
    FIELD(VhostUserVringAddr, index, "the ring"),
    FIELD(VhostUserVringAddr, flags, "bit 0: log writes to the used ring"),
    FIELD(VhostUserVringAddr, descriptor, "descriptor table, packed: descriptor ring"),
    FIELD(VhostUserVringAddr, used, "used ring, packed: device event suppression"),
    FIELD(VhostUserVringAddr, available, "available ring, packed: driver event suppression"),
    FIELD(VhostUserVringAddr, log, "guest address of the used ring, for the log alone"),
};

static const Field config[] = {
    FIELD(VhostUserConfig, offset, "first byte in configuration space"),
    FIELD(VhostUserConfig, size, "bytes that follow, 1 to 256"),
    FIELD(VhostUserConfig, flags, "0: what a driver may write; 1: everything, for a migration"),
    FIELD(VhostUserConfig, bytes, "the bytes; the message ends behind the last one in use"),
};

static const Field inflight[] = {
    FIELD(VhostUserInflight, mmap_size, "bytes of the buffer"),
    FIELD(VhostUserInflight, mmap_offset, "where it begins in the descriptor's file"),
    FIELD(VhostUserInflight, num_queues, "rings that it has room for"),
    FIELD(VhostUserInflight, queue_size, "entries for each ring"),
    FIELD(VhostUserInflight, padding, "may be left out"),
};

static const Field dirty_log[] = {
    FIELD(VhostUserLog, size, "bytes of the log"),
    FIELD(VhostUserLog, offset, "where it begins in the descriptor's file"),
};

static const Field area[] = {
    FIELD(VhostUserVringArea, index, "bits 0 to 7: the ring; bit 8: no descriptor comes with it"),
    FIELD(VhostUserVringArea, size, "bytes to map"),
    FIELD(VhostUserVringArea, offset, "where they begin in the descriptor's file"),
};

static const Field iotlb[] = {
    FIELD(VhostUserIotlb, address, "I/O virtual address"),
    FIELD(VhostUserIotlb, size, "bytes"),
    FIELD(VhostUserIotlb, user_address, "where the front-end sees them"),
    FIELD(VhostUserIotlb, permission, "1: read, 2: write, 3: both"),
    FIELD(VhostUserIotlb, type, "1: miss, 2: update, 3: invalidate, 4: access failed"),
    FIELD(VhostUserIotlb, padding, "0"),
};

static const Field shared[] = {
    FIELD(VhostUserShared, uuid, "name of the object"),
};

static const Field device_state[] = {
    FIELD(VhostUserDeviceState, direction, "0: the back-end saves, 1: it loads"),
    FIELD(VhostUserDeviceState, phase, "0: all rings are stopped; there is no other phase"),
};

static const Layout layouts[] = {
    LAYOUT(VhostUserHeader, "header", "Header of every message", header),
    LAYOUT(VhostUserVringState, "state", "State of a ring", state),
    LAYOUT(VhostUserVringAddr, "address", "Addresses of a ring", address),
    LAYOUT(VhostUserMemoryRegion, "region", "Region of memory", region),
    LAYOUT(VhostUserMemory, "memory", "Table of regions", memory),
    LAYOUT(VhostUserMemRegMsg, "single-region", "One region", single_region),
    LAYOUT(VhostUserConfig, "config", "Piece of configuration space", config),
    LAYOUT(VhostUserInflight, "inflight", "Buffer for requests in flight", inflight),
    LAYOUT(VhostUserLog, "log", "Dirty log", dirty_log),
    LAYOUT(VhostUserVringArea, "area", "Host notifier of a ring", area),
    LAYOUT(VhostUserIotlb, "iotlb", "Entry or event of the IOTLB", iotlb),
    LAYOUT(VhostUserShared, "shared", "Shared object", shared),
    LAYOUT(VhostUserDeviceState, "device-state", "Transfer of device state", device_state),
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
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        print_layout(&layouts[i]);
    }
}

/* --- requests and features --- */

typedef const VhostUserMessageInfo *MessageLookup(uint32_t request);

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

static void print_requests(const char *label, const char *title, MessageLookup *lookup,
                           uint32_t count)
{
    printf("\n.. _%s:\n\n"
           ".. list-table:: %s\n"
           "   :header-rows: 1\n"
           "   :widths: 5 30 20 15 30 20\n\n"
           "   * - No.\n"
           "     - Request\n"
           "     - Payload\n"
           "     - Descriptors\n"
           "     - Answer\n"
           "     - Allowed by\n",
           label, title);
    for (uint32_t request = 0; request < count; request++) {
        const VhostUserMessageInfo *info = lookup(request);

        if (info == NULL) {
            continue;
        }
        printf("   * - %" PRIu32 "\n     - ``%s``\n     - ", request, info->name);
        print_size(info->size_minimum, info->size_maximum);
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

static void print_features(void)
{
    printf("\n.. _vhost-user-features-table:\n\n"
           ".. list-table:: Protocol features\n"
           "   :header-rows: 1\n"
           "   :widths: 5 30 65\n\n"
           "   * - Bit\n"
           "     - Feature\n"
           "     - Requests that it allows\n");
    for (unsigned bit = 0; bit < VHOST_USER_PROTOCOL_F_COUNT; bit++) {
        const char *separator = "";

        printf("   * - %u\n     - ``%s``\n     - ", bit, vhost_user_protocol_feature_name(bit));
        print_allowed_requests((int)bit, vhost_user_message_info, VHOST_USER_REQUEST_COUNT, "",
                               &separator);
        print_allowed_requests((int)bit, vhost_user_backend_message_info,
                               VHOST_USER_BACKEND_REQUEST_COUNT, " (back-end's)", &separator);
        printf("%s\n", *separator ? "" : "none of its own");
    }
}

int main(void)
{
    printf(".. SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".. Made by \"build/docs/vhost-user-tables\" from the message table in\n"
           "   subprojects/libvhost-user; change that instead.\n"
           "\n.. payloads\n");
    print_layouts();
    printf("\n.. requests\n");
    print_requests("vhost-user-requests-table", "Requests of the front-end",
                   vhost_user_message_info, VHOST_USER_REQUEST_COUNT);
    print_requests("vhost-user-backend-requests-table", "Requests of the back-end",
                   vhost_user_backend_message_info, VHOST_USER_BACKEND_REQUEST_COUNT);
    print_features();
    return fflush(stdout) != 0 || ferror(stdout);
}
