/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes through the validators.  What they let pass must keep what they promise: sizes inside
 * the table's, no sum that wraps, no queue beyond the bound.
 */
#include "fuzz.h"
#include "libvhost-user/wire.h"

#include <string.h>

#define QUEUES 16

static void check_region(const VhostUserMemoryRegion *region)
{
    fuzz_require(region->size > 0);
    fuzz_require(region->guest_address + region->size > region->guest_address);
    fuzz_require(region->user_address + region->size > region->user_address);
    fuzz_require(region->mmap_offset + region->size > region->mmap_offset);
}

static void check_passed(const VhostUserHeader *header, const void *bytes, unsigned fds)
{
    const VhostUserMessageInfo *info = vhost_user_message_info(header->request);
    VhostUserPayload payload;

    fuzz_require(info && header->size >= info->size_minimum && header->size <= info->size_maximum);
    fuzz_require(fds >= info->fds_minimum && fds <= info->fds_maximum);
    memset(&payload, 0, sizeof(payload));
    if (header->size > 0) {
        memcpy(&payload, bytes, header->size < sizeof(payload) ? header->size : sizeof(payload));
    }
    switch (header->request) {
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_REM_MEM_REG:
        check_region(&payload.region.region);
        break;
    case VHOST_USER_SET_MEM_TABLE:
        fuzz_require(payload.memory.num_regions == fds);
        for (unsigned i = 0; i < fds; i++) {
            check_region(&payload.memory.regions[i]);
        }
        break;
    case VHOST_USER_SET_VRING_NUM:
        fuzz_require(payload.state.num > 0 && payload.state.num <= VHOST_USER_MAX_VRING_SIZE);
        fuzz_require(payload.state.index < QUEUES);
        break;
    case VHOST_USER_SET_VRING_ADDR:
        fuzz_require(payload.address.index < QUEUES);
        break;
    case VHOST_USER_SET_CONFIG:
        fuzz_require(header->size == VHOST_USER_CONFIG_HEAD + payload.config.size);
        fuzz_require(payload.config.offset + payload.config.size > payload.config.offset);
        break;
    default:
        break;
    }
}

/* Two bytes of ours, the header, and exactly the payload that the header announces, if it is
 * there: a validator that reads further meets the sanitizer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VhostUserHeader header;
    unsigned fds;
    uint8_t *payload;

    if (size < 2 + sizeof(header)) {
        return 0;
    }
    fds = data[0] % 12;
    memcpy(&header, data + 2, sizeof(header));
    size -= 2 + sizeof(header);
    header.request %= 64;
    header.size = data[1] & 1 ? (uint32_t)size : header.size;
    payload = malloc(size + 1);
    memcpy(payload, data + 2 + sizeof(header), size);
    /* A validator may look at the payload only if the size is valid; both ends read it first. */
    if (header.size <= size) {
        uint32_t request = data[1] >> 2;

        if (!vhost_user_validate_request(&header, payload, fds, QUEUES)) {
            check_passed(&header, payload, fds);
        }
        vhost_user_validate_backend_request(&header, payload, fds, QUEUES);
        vhost_user_validate_reply(header.request, VHOST_USER_ANSWER_REPLY, &header, payload, fds);
        vhost_user_validate_reply(request,
                                  data[1] & 2 ? VHOST_USER_ANSWER_ACK : VHOST_USER_ANSWER_REPLY,
                                  &header, payload, fds);
    }
    vhost_user_request_name(header.request);
    vhost_user_answer_due(&header, data[1] & 2);
    free(payload);
    return 0;
}
