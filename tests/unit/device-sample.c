/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A valid message of each request. */
#include "device-sample.h"

#include <glib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int device_sample_fd(uint32_t request)
{
    int ends[2], fd;

    switch (request) {
    case VHOST_USER_SET_MEM_TABLE:
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_SET_LOG_BASE:
    case VHOST_USER_SET_INFLIGHT_FD:
        fd = memfd_create("sample", MFD_CLOEXEC);
        g_assert_cmpint(ftruncate(fd, 0x100000), ==, 0);
        return fd;
    case VHOST_USER_SET_BACKEND_REQ_FD:
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        close(ends[1]);
        return ends[0];
    default:
        return eventfd(0, EFD_CLOEXEC);
    }
}

uint32_t device_sample_payload(uint32_t request, VhostUserPayload *payload)
{
    const VhostUserMemoryRegion region = {
        .guest_address = 1ull << 40, .size = 0x10000, .user_address = 1ull << 41};
    uint32_t size = vhost_user_message_info(request)->size_maximum;

    *payload = (VhostUserPayload){.memory = {0}};
    switch (request) {
    case VHOST_USER_SET_FEATURES:
        payload->u64 = 1ull << VHOST_USER_F_PROTOCOL_FEATURES;
        break;
    case VHOST_USER_SET_PROTOCOL_FEATURES:
        payload->u64 = 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK;
        break;
    case VHOST_USER_SET_MEM_TABLE:
        payload->memory = (VhostUserMemory){.num_regions = 1, .regions = {region}};
        size = VHOST_USER_MEMORY_HEAD + sizeof(region);
        break;
    case VHOST_USER_ADD_MEM_REG:
    case VHOST_USER_REM_MEM_REG:
        payload->region = (VhostUserMemRegMsg){.region = region};
        break;
    case VHOST_USER_SET_LOG_BASE:
        payload->log = (VhostUserLog){.size = 4096};
        break;
    case VHOST_USER_GET_CONFIG:
    case VHOST_USER_SET_CONFIG:
        payload->config = (VhostUserConfig){.size = 8};
        size = VHOST_USER_CONFIG_HEAD + 8;
        break;
    case VHOST_USER_GET_INFLIGHT_FD:
    case VHOST_USER_SET_INFLIGHT_FD:
        payload->inflight =
            (VhostUserInflight){.mmap_size = 0x10000, .num_queues = 4, .queue_size = 16};
        break;
    case VHOST_USER_IOTLB_MSG:
        payload->iotlb = (VhostUserIotlb){.type = VHOST_USER_IOTLB_UPDATE};
        break;
    case VHOST_USER_NET_SET_MTU:
        payload->u64 = 1500;
        break;
    case VHOST_USER_SET_VRING_NUM:
    case VHOST_USER_SET_VRING_ENABLE:
        payload->state = (VhostUserVringState){.index = 1, .num = 1};
        break;
    case VHOST_USER_SET_DEVICE_STATE_FD:
        break;
    case VHOST_USER_CREATE_CRYPTO_SESSION:
        size = sizeof(*payload);
        break;
    default:
        payload->u64 = 1; /* the index of a queue, a status, ... */
    }
    return size;
}
