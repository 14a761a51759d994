/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front-end's side of a vhost-user connection, for tests, load generators and user-space
 * drivers: a blocking client.  Needs libc only.  May be included from C++.
 *
 * Each wait has a deadline.  One thread at a time uses a front-end.  Functions return 0, or a
 * count, or a negative errno; what is wrong in words is vhost_user_front_end_error():
 *
 *     -ETIMEDOUT     the back-end did not answer, or did not read, before the deadline
 *     -ECONNRESET    the back-end hung up
 *     -EPROTO        the answer is not valid
 *     -EREMOTEIO     the back-end answered that it refuses
 *     -EOPNOTSUPP    the protocol feature that allows the request was not negotiated
 *     -ETOOMANYREFS  the kernel holds as many descriptors in flight as it allows: read answers
 *                    first
 *
 * There are three layers, which may be mixed freely as long as answers are read in the order of
 * their requests: bytes (vhost_user_front_end_send_bytes), messages (..._send and ..._receive, with
 * any number of them on their way), and calls that send one request and wait for what is due to it.
 */
#ifndef LIBVHOST_USER_FRONT_END_H
#define LIBVHOST_USER_FRONT_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libvhost-user/guest-memory.h"
#include "libvhost-user/wire.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct VhostUserFrontEnd VhostUserFrontEnd;

/*
 * Takes @socket, a connected stream socket: owned by the front-end from here on, closed if this
 * fails, made non-blocking.  @deadline: milliseconds for each wait, -1 for ever.  NULL with errno.
 */
VhostUserFrontEnd *vhost_user_front_end_new(int socket, int deadline);

/* Connects to the UNIX socket @path, trying again until the deadline while nobody listens there.
 * NULL with errno. */
VhostUserFrontEnd *vhost_user_front_end_connect(const char *path, int deadline);

/* Hangs up.  NULL is allowed. */
void vhost_user_front_end_free(VhostUserFrontEnd *front);

/* The connection, for poll and for breaking it on purpose; the front-end's own. */
int vhost_user_front_end_socket(const VhostUserFrontEnd *front);

/* Milliseconds for each wait from here on, -1 for ever. */
void vhost_user_front_end_set_deadline(VhostUserFrontEnd *front, int deadline);

/* What went wrong in the call that failed last, request first; "" before. Valid until the next
 * call. */
const char *vhost_user_front_end_error(const VhostUserFrontEnd *front);

/* --- messages --- */

#define VHOST_USER_FRONT_END_FDS VHOST_USER_MAX_REGIONS_IN_MESSAGE /* with one message, at most */

/* A message that came. Its descriptors belong to whoever received it. */
typedef struct VhostUserFrontEndMessage {
    VhostUserHeader header;
    union {
        VhostUserPayload payload;
        uint8_t bytes[VHOST_USER_PAYLOAD_MAXIMUM];
    } content; /* header.size bytes, zeros behind them */
    int fds[VHOST_USER_FRONT_END_FDS];
    unsigned fd_count;
} VhostUserFrontEndMessage;

/* Closes the descriptors of a message. */
void vhost_user_front_end_message_clear(VhostUserFrontEndMessage *message);

/*
 * Sends one message and does not wait for an answer.  Nothing is checked, so that a test may send
 * what it likes; the version is added to @flags.  @fds stay the caller's.
 */
int vhost_user_front_end_send(VhostUserFrontEnd *front, uint32_t request, uint32_t flags,
                              const void *payload, uint32_t size, const int *fds,
                              unsigned fd_count);

/* Sends bytes as they are, @fds with the first of them. */
int vhost_user_front_end_send_bytes(VhostUserFrontEnd *front, const void *bytes, size_t size,
                                    const int *fds, unsigned fd_count);

/* Receives one message, whatever it is; only its size and the number of descriptors are bounded. */
int vhost_user_front_end_receive(VhostUserFrontEnd *front, VhostUserFrontEndMessage *message);

/*
 * Receives what is due to a @request that was sent, validated by the message table: -EPROTO for
 * anything else.  @due is VHOST_USER_ANSWER_ACK or VHOST_USER_ANSWER_REPLY (see
 * vhost_user_answer_due()).  On failure @message has no descriptors.
 */
int vhost_user_front_end_receive_answer(VhostUserFrontEnd *front, uint32_t request,
                                        VhostUserAnswer due, VhostUserFrontEndMessage *message);

/* Receives the ack of a @request that was sent with need_reply: -EREMOTEIO if it is not 0. */
int vhost_user_front_end_receive_ack(VhostUserFrontEnd *front, uint32_t request);

/*
 * Sends one request and waits for what is due to it: its reply, or, where REPLY_ACK was negotiated
 * and the request changes the back-end's state, the ack, for which need_reply is set.  @message may
 * be NULL: then what came is dropped.  -EREMOTEIO for an ack that is not 0.
 */
int vhost_user_front_end_transact(VhostUserFrontEnd *front, uint32_t request, const void *payload,
                                  uint32_t size, const int *fds, unsigned fd_count,
                                  VhostUserFrontEndMessage *message);

/* Returns when the back-end has done everything that was sent before: GET_FEATURES and its answer.
 * For back-ends without REPLY_ACK.  No other answer may be due. */
int vhost_user_front_end_barrier(VhostUserFrontEnd *front);

/* --- calls --- */

/* A request without payload whose answer is a u64: GET_FEATURES, GET_STATUS, CHECK_DEVICE_STATE,
 * ... */
int vhost_user_front_end_get(VhostUserFrontEnd *front, uint32_t request, uint64_t *value);

/* A request whose payload is a u64 (SET_STATUS, NET_SET_MTU, ...), or none (SET_OWNER,
 * RESET_DEVICE, POSTCOPY_LISTEN, ...). */
int vhost_user_front_end_set(VhostUserFrontEnd *front, uint32_t request, uint64_t value);
int vhost_user_front_end_command(VhostUserFrontEnd *front, uint32_t request);

/*
 * The start of a connection: features, owner, protocol features, features; then the number of
 * queues (MQ) and of memory slots (CONFIGURE_MEM_SLOTS).  Of @features and @protocol_features those
 * are taken that the back-end offers; bit 30 is always among them if it does.
 */
int vhost_user_front_end_negotiate(VhostUserFrontEnd *front, uint64_t features,
                                   uint64_t protocol_features);

/* What was negotiated: by the call above, or by SET_FEATURES and SET_PROTOCOL_FEATURES through
 * transact. */
uint64_t vhost_user_front_end_features(const VhostUserFrontEnd *front);
uint64_t vhost_user_front_end_protocol_features(const VhostUserFrontEnd *front);
bool vhost_user_front_end_has(const VhostUserFrontEnd *front, VhostUserProtocolFeature feature);

/* What the back-end said at negotiation: queues (1 without MQ), memory slots (0 without
 * CONFIGURE_MEM_SLOTS: then there is SET_MEM_TABLE only). */
uint64_t vhost_user_front_end_queues(const VhostUserFrontEnd *front);
uint64_t vhost_user_front_end_memory_slots(const VhostUserFrontEnd *front);

/*
 * Memory.  After POSTCOPY_LISTEN the back-end answers with the addresses of its own mappings: they
 * go to @backend_addresses, one for each area, if that is not NULL, and are acknowledged.
 */
int vhost_user_front_end_set_table(VhostUserFrontEnd *front, const VhostUserMemoryArea *areas,
                                   size_t count, uint64_t *backend_addresses);
int vhost_user_front_end_add_region(VhostUserFrontEnd *front, const VhostUserMemoryArea *area,
                                    uint64_t *backend_address);
int vhost_user_front_end_remove_region(VhostUserFrontEnd *front, const VhostUserMemoryArea *area);

/*
 * Lends all @areas: one by one with CONFIGURE_MEM_SLOTS, pipelined (with REPLY_ACK each is
 * acknowledged, otherwise a barrier ends them), else as a table of at most 8 (-E2BIG).
 */
int vhost_user_front_end_add_memory(VhostUserFrontEnd *front, const VhostUserMemoryArea *areas,
                                    size_t count);

/* A queue for vhost_user_front_end_start_ring(). The descriptors stay the caller's; -1: none. */
typedef struct VhostUserRingSetup {
    uint32_t index;
    uint32_t size;          /* descriptors */
    uint32_t base;          /* SET_VRING_BASE */
    uint32_t flags;         /* VHOST_USER_VRING_ADDR_F_LOG */
    const void *descriptor; /* where the parts lie in this process */
    const void *available;  /* packed: driver area */
    const void *used;       /* packed: device area */
    uint64_t log;           /* guest address of the used ring */
    int kick, call, error;
    bool enable; /* SET_VRING_ENABLE with 1 at the end, where bit 30 was negotiated */
} VhostUserRingSetup;

/* Size, base, addresses, descriptors (those of -1 are told as "none"; no error descriptor is not
 * told at all), enable. */
int vhost_user_front_end_start_ring(VhostUserFrontEnd *front, const VhostUserRingSetup *ring);

/* One of SET_VRING_KICK, CALL, ERR; @fd -1: none. */
int vhost_user_front_end_set_ring_fd(VhostUserFrontEnd *front, uint32_t request, uint32_t index,
                                     int fd);

/* One of SET_VRING_NUM, BASE, ENABLE. */
int vhost_user_front_end_set_ring_state(VhostUserFrontEnd *front, uint32_t request, uint32_t index,
                                        uint32_t value);

/* GET_VRING_BASE: stops the ring. */
int vhost_user_front_end_stop_ring(VhostUserFrontEnd *front, uint32_t index, uint32_t *base);

/* Configuration space, up to 256 bytes.  A back-end that cannot answer: -EREMOTEIO.  @flags is
 * VHOST_USER_CONFIG_WRITABLE or VHOST_USER_CONFIG_MIGRATION. */
int vhost_user_front_end_get_config(VhostUserFrontEnd *front, uint32_t offset, void *bytes,
                                    uint32_t size);
int vhost_user_front_end_set_config(VhostUserFrontEnd *front, uint32_t offset, const void *bytes,
                                    uint32_t size, uint32_t flags);

/* GET_INFLIGHT_FD: num_queues and queue_size of @inflight are given, the rest is filled in; @fd is
 * the caller's afterwards. -EREMOTEIO: it has no buffer to give. */
int vhost_user_front_end_get_inflight(VhostUserFrontEnd *front, VhostUserInflight *inflight,
                                      int *fd);
int vhost_user_front_end_set_inflight(VhostUserFrontEnd *front, const VhostUserInflight *inflight,
                                      int fd);

/* SET_LOG_BASE: @size bytes from @offset of @fd are the log. */
int vhost_user_front_end_set_log(VhostUserFrontEnd *front, int fd, uint64_t size, uint64_t offset);

/* --- the back-end's own requests --- */

/* SET_BACKEND_REQ_FD with one end of a new pair of sockets, in place of an earlier one. */
int vhost_user_front_end_open_channel(VhostUserFrontEnd *front);

/* Our end, for poll; -1 before. */
int vhost_user_front_end_channel(const VhostUserFrontEnd *front);

/* Waits for one request of the back-end, validates it, and acknowledges it with 0 if it asks. */
int vhost_user_front_end_receive_request(VhostUserFrontEnd *front,
                                         VhostUserFrontEndMessage *message);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
