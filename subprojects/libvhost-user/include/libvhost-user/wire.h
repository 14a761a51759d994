/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user protocol on the wire: structs, numbers, one table of the
 * messages, and one validator that both ends use.  Needs libc only; no I/O,
 * no state, any thread.  May be included from C++.
 *
 * All numbers have the byte order of the machine (little-endian on every platform that hotslot
 * runs on); structs are naturally aligned and have no hidden padding.  Section names in comments
 * are those of the vhost-user protocol specification.
 */
#ifndef LIBVHOST_USER_WIRE_H
#define LIBVHOST_USER_WIRE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* "Header": flags. */
#define VHOST_USER_VERSION 0x1u
#define VHOST_USER_VERSION_MASK 0x3u
#define VHOST_USER_FLAG_REPLY 0x4u      /* this is an answer */
#define VHOST_USER_FLAG_NEED_REPLY 0x8u /* with REPLY_ACK: answer with a u64, 0 for success */

/* Limits. */
#define VHOST_USER_MAX_REGIONS_IN_MESSAGE 8u /* of SET_MEM_TABLE, and its descriptors */
#define VHOST_USER_MAX_CONFIG_SIZE 256u      /* bytes behind the head of GET_/SET_CONFIG */
#define VHOST_USER_MAX_VRING_SIZE 32768u     /* virtio 1.2, 2.6 "Virtqueues" and 2.7 */
#define VHOST_USER_PAYLOAD_MAXIMUM 4096u     /* no message here is longer */
#define VHOST_USER_ACK_SIZE 8u               /* payload of the answer to need_reply: a u64 */

/* SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR, VRING_HOST_NOTIFIER_MSG: the u64 that names a
 * queue. */
#define VHOST_USER_VRING_IDX_MASK 0xffu
#define VHOST_USER_VRING_NOFD_MASK 0x100u /* no descriptor comes with it */

/* Bit of GET_FEATURES and SET_FEATURES: messages of protocol features exist. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30
/* Bit of the same that asks the back-end to log its writes ("Migration"). */
#define VHOST_USER_F_LOG_ALL 26

/* "Protocol features": bits of GET_ and SET_PROTOCOL_FEATURES. */
typedef enum VhostUserProtocolFeature {
    VHOST_USER_PROTOCOL_F_MQ = 0,
    VHOST_USER_PROTOCOL_F_LOG_SHMFD = 1,
    VHOST_USER_PROTOCOL_F_RARP = 2,
    VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
    VHOST_USER_PROTOCOL_F_NET_MTU = 4,
    VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
    VHOST_USER_PROTOCOL_F_CROSS_ENDIAN = 6,
    VHOST_USER_PROTOCOL_F_CRYPTO_SESSION = 7,
    VHOST_USER_PROTOCOL_F_PAGEFAULT = 8,
    VHOST_USER_PROTOCOL_F_CONFIG = 9,
    VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD = 10,
    VHOST_USER_PROTOCOL_F_HOST_NOTIFIER = 11,
    VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD = 12,
    VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
    VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS = 14,
    VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
    VHOST_USER_PROTOCOL_F_STATUS = 16,
    VHOST_USER_PROTOCOL_F_XEN_MMAP = 17,
    VHOST_USER_PROTOCOL_F_SHARED_OBJECT = 18,
    VHOST_USER_PROTOCOL_F_DEVICE_STATE = 19,
    VHOST_USER_PROTOCOL_F_COUNT
} VhostUserProtocolFeature;

/* "Front-end message types". */
typedef enum VhostUserRequest {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_RESET_OWNER = 4,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_LOG_BASE = 6,
    VHOST_USER_SET_LOG_FD = 7,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_SET_VRING_ERR = 14,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_GET_QUEUE_NUM = 17,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_SEND_RARP = 19,
    VHOST_USER_NET_SET_MTU = 20,
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_IOTLB_MSG = 22,
    VHOST_USER_SET_VRING_ENDIAN = 23,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_SET_CONFIG = 25,
    VHOST_USER_CREATE_CRYPTO_SESSION = 26,
    VHOST_USER_CLOSE_CRYPTO_SESSION = 27,
    VHOST_USER_POSTCOPY_ADVISE = 28,
    VHOST_USER_POSTCOPY_LISTEN = 29,
    VHOST_USER_POSTCOPY_END = 30,
    VHOST_USER_GET_INFLIGHT_FD = 31,
    VHOST_USER_SET_INFLIGHT_FD = 32,
    VHOST_USER_GPU_SET_SOCKET = 33,
    VHOST_USER_RESET_DEVICE = 34,
    VHOST_USER_VRING_KICK = 35,
    VHOST_USER_GET_MAX_MEM_SLOTS = 36,
    VHOST_USER_ADD_MEM_REG = 37,
    VHOST_USER_REM_MEM_REG = 38,
    VHOST_USER_SET_STATUS = 39,
    VHOST_USER_GET_STATUS = 40,
    VHOST_USER_GET_SHARED_OBJECT = 41,
    VHOST_USER_SET_DEVICE_STATE_FD = 42,
    VHOST_USER_CHECK_DEVICE_STATE = 43,
    VHOST_USER_REQUEST_COUNT /* one more than the highest; 0 is no request */
} VhostUserRequest;

/* "Back-end message types": requests of the back-end, on the socket of SET_BACKEND_REQ_FD. */
typedef enum VhostUserBackendRequest {
    VHOST_USER_BACKEND_IOTLB_MSG = 1,
    VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2,
    VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
    VHOST_USER_BACKEND_VRING_CALL = 4,
    VHOST_USER_BACKEND_VRING_ERR = 5,
    VHOST_USER_BACKEND_SHARED_OBJECT_ADD = 6,
    VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE = 7,
    VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP = 8,
    VHOST_USER_BACKEND_REQUEST_COUNT
} VhostUserBackendRequest;

/* "Header". */
typedef struct VhostUserHeader {
    uint32_t request; /* VhostUserRequest or, on the other socket, VhostUserBackendRequest */
    uint32_t flags;
    uint32_t size; /* bytes of payload that follow */
} VhostUserHeader;

/* "Memory region description". */
typedef struct VhostUserMemoryRegion {
    uint64_t guest_address;
    uint64_t size;         /* bytes, not 0 */
    uint64_t user_address; /* in the front-end's process; in post-copy answers in the back-end's */
    uint64_t mmap_offset;  /* bytes into the descriptor */
} VhostUserMemoryRegion;

/* "Multiple Memory Regions description": SET_MEM_TABLE.  The message ends behind the last region
 * in use. */
typedef struct VhostUserMemory {
    uint32_t num_regions;
    uint32_t padding;
    VhostUserMemoryRegion regions[VHOST_USER_MAX_REGIONS_IN_MESSAGE];
} VhostUserMemory;
#define VHOST_USER_MEMORY_HEAD 8u /* bytes in front of the first region */

/* "Single memory region description": ADD_MEM_REG, REM_MEM_REG. */
typedef struct VhostUserMemRegMsg {
    uint64_t padding;
    VhostUserMemoryRegion region;
} VhostUserMemRegMsg;

/* "A vring state description". */
typedef struct VhostUserVringState {
    uint32_t index;
    uint32_t num; /* size, base, 0 or 1, ...: depends on the message */
} VhostUserVringState;

/* "A vring address description": front-end user addresses, not guest addresses, unless an IOMMU
 * was negotiated. */
typedef struct VhostUserVringAddr {
    uint32_t index;
    uint32_t flags;
    uint64_t descriptor;
    uint64_t used;      /* packed ring: device area */
    uint64_t available; /* packed ring: driver area */
    uint64_t log;       /* guest address of the used ring, for logging */
} VhostUserVringAddr;
#define VHOST_USER_VRING_ADDR_F_LOG 0x1u /* log writes to the used ring */

/* "Virtio device config space". */
typedef struct VhostUserConfig {
    uint32_t offset;
    uint32_t size;  /* bytes in use of @bytes */
    uint32_t flags; /* VHOST_USER_CONFIG_... */
    uint8_t bytes[VHOST_USER_MAX_CONFIG_SIZE];
} VhostUserConfig;
#define VHOST_USER_CONFIG_HEAD 12u     /* bytes in front of @bytes */
#define VHOST_USER_CONFIG_WRITABLE 0u  /* what a driver may write */
#define VHOST_USER_CONFIG_MIGRATION 1u /* everything, for a migration */

/* "Inflight description".  The specification counts 20 bytes; peers that send a C struct send 24,
 * so both are valid. */
typedef struct VhostUserInflight {
    uint64_t mmap_size;
    uint64_t mmap_offset;
    uint16_t num_queues;
    uint16_t queue_size;
    uint32_t padding;
} VhostUserInflight;
#define VHOST_USER_INFLIGHT_SIZE_MINIMUM 20u

/* "Log description". */
typedef struct VhostUserLog {
    uint64_t size;
    uint64_t offset;
} VhostUserLog;

/* "Vring area description". */
typedef struct VhostUserVringArea {
    uint64_t index; /* with VHOST_USER_VRING_NOFD_MASK */
    uint64_t size;
    uint64_t offset;
} VhostUserVringArea;

/* "An IOTLB message". */
typedef struct VhostUserIotlb {
    uint64_t address;
    uint64_t size;
    uint64_t user_address;
    uint8_t permission; /* 1 read, 2 write, 3 both */
    uint8_t type;       /* VHOST_USER_IOTLB_... */
    uint8_t padding[6];
} VhostUserIotlb;
#define VHOST_USER_IOTLB_MISS 1u
#define VHOST_USER_IOTLB_UPDATE 2u
#define VHOST_USER_IOTLB_INVALIDATE 3u
#define VHOST_USER_IOTLB_ACCESS_FAIL 4u

/* "VhostUserShared": names a virtio object. */
typedef struct VhostUserShared {
    uint8_t uuid[16];
} VhostUserShared;

/* "Device state transfer parameters". */
typedef struct VhostUserDeviceState {
    uint32_t direction; /* 0: the back-end saves, 1: it loads */
    uint32_t phase;     /* 0: stopped, the only one so far */
} VhostUserDeviceState;
#define VHOST_USER_DEVICE_STATE_ERROR_MASK 0xffu /* of the answer; not 0: failed */
#define VHOST_USER_DEVICE_STATE_NOFD_MASK 0x100u /* of the answer: no descriptor, use your own */

static_assert(sizeof(VhostUserHeader) == 12, "header");
static_assert(sizeof(VhostUserMemoryRegion) == 32, "memory region");
static_assert(offsetof(VhostUserMemory, regions) == VHOST_USER_MEMORY_HEAD, "memory table head");
static_assert(sizeof(VhostUserMemory) == 264, "memory table");
static_assert(sizeof(VhostUserMemRegMsg) == 40, "single memory region");
static_assert(sizeof(VhostUserVringState) == 8, "vring state");
static_assert(sizeof(VhostUserVringAddr) == 40, "vring address");
static_assert(offsetof(VhostUserConfig, bytes) == VHOST_USER_CONFIG_HEAD, "config head");
static_assert(sizeof(VhostUserConfig) == 268, "config");
static_assert(sizeof(VhostUserInflight) == 24, "inflight");
static_assert(sizeof(VhostUserLog) == 16, "log");
static_assert(sizeof(VhostUserVringArea) == 24, "vring area");
static_assert(sizeof(VhostUserIotlb) == 32, "iotlb");
static_assert(sizeof(VhostUserShared) == 16, "shared object");
static_assert(sizeof(VhostUserDeviceState) == 8, "device state");

/* Any payload of a fixed form, aligned for all of them. */
typedef union VhostUserPayload {
    uint64_t u64;
    VhostUserMemory memory;
    VhostUserMemRegMsg region;
    VhostUserVringState state;
    VhostUserVringAddr address;
    VhostUserConfig config;
    VhostUserInflight inflight;
    VhostUserLog log;
    VhostUserVringArea area;
    VhostUserIotlb iotlb;
    VhostUserShared shared;
    VhostUserDeviceState device_state;
} VhostUserPayload;

/* Whether a request has an answer of its own, besides the ack of need_reply. */
typedef enum VhostUserReply {
    VHOST_USER_REPLY_NONE,
    VHOST_USER_REPLY_ALWAYS,
    VHOST_USER_REPLY_POSTCOPY, /* only between POSTCOPY_LISTEN and POSTCOPY_END: the message comes
                                  back with the back-end's addresses */
} VhostUserReply;

/* What allows a request, where it is not the number of a protocol feature. */
#define VHOST_USER_ALLOWED_ALWAYS (-1)
#define VHOST_USER_ALLOWED_BY_BIT_30 (-2) /* VHOST_USER_F_PROTOCOL_FEATURES */

/* One row of the message table. Sizes in bytes, counts in descriptors, both ends included. */
typedef struct VhostUserMessageInfo {
    uint32_t request;
    const char *name; /* "ADD_MEM_REG" */
    uint32_t size_minimum, size_maximum;
    uint32_t fds_minimum, fds_maximum;
    VhostUserReply reply;
    uint32_t reply_size_minimum, reply_size_maximum;
    uint32_t reply_fds_minimum, reply_fds_maximum;
    bool changes_state; /* may carry need_reply; never together with VHOST_USER_REPLY_ALWAYS */
    int allowed_by;     /* VhostUserProtocolFeature or VHOST_USER_ALLOWED_... */
} VhostUserMessageInfo;

/* The row of a front-end's or a back-end's request, or NULL if there is no such request. */
const VhostUserMessageInfo *vhost_user_message_info(uint32_t request);
const VhostUserMessageInfo *vhost_user_backend_message_info(uint32_t request);

/* Names as the specification writes them, without prefix: "GET_FEATURES", "REPLY_ACK".  Never
 * NULL: "unknown" for numbers that nobody has assigned. */
const char *vhost_user_request_name(uint32_t request);
const char *vhost_user_backend_request_name(uint32_t request);
const char *vhost_user_protocol_feature_name(unsigned bit);

/* The answer that is due to a request. */
typedef enum VhostUserAnswer {
    VHOST_USER_ANSWER_NONE,
    VHOST_USER_ANSWER_ACK,   /* u64, 0 for success */
    VHOST_USER_ANSWER_REPLY, /* as the message table says */
} VhostUserAnswer;

/* Takes request and flags from @request; @postcopy: since POSTCOPY_LISTEN, before POSTCOPY_END.
 * A request that is unknown is due no answer. */
VhostUserAnswer vhost_user_answer_due(const VhostUserHeader *request, bool postcopy);

/*
 * Checks one whole message: version and flags, payload size, number of descriptors, and what the
 * payload says for itself (sums that wrap, empty ranges, counts against sizes, queue numbers
 * below @queues; UINT32_MAX leaves those to 8 bits or 32 of the wire).  @payload holds
 * header->size bytes and needs no alignment.  Padding is not looked at.  Returns NULL for a valid
 * message, otherwise what is wrong in a static string that goes on after "request: ".
 */
const char *vhost_user_validate_request(const VhostUserHeader *header, const void *payload,
                                        unsigned fds, uint32_t queues);

/* The same for a request of the back-end, on its socket. */
const char *vhost_user_validate_backend_request(const VhostUserHeader *header, const void *payload,
                                                unsigned fds, uint32_t queues);

/*
 * The same for the answer to @request.  @due comes from vhost_user_answer_due() and is not
 * VHOST_USER_ANSWER_NONE.
 */
const char *vhost_user_validate_reply(uint32_t request, VhostUserAnswer due,
                                      const VhostUserHeader *header, const void *payload,
                                      unsigned fds);

/* A range may not reach 2^64, be empty, or start where the sum wraps. NULL, or what is wrong. */
const char *vhost_user_validate_region(const VhostUserMemoryRegion *region);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
