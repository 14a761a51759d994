/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a VhostUserDevice, shared by the device-*.c files only.  All of it belongs to the
 * control thread, but for the atomic members, which say who else writes them.
 */
#ifndef VHOST_USER_DEVICE_INTERNAL_H
#define VHOST_USER_DEVICE_INTERNAL_H

#include <errno.h>
#include <stdatomic.h>

#include "dirty-log.h"
#include "inflight.h"
#include "libvhost-user/device.h"
#include "memory-map.h"
#include "queue-internal.h"

/* device-stream.c: a message as it is read, byte by byte if need be, and as it is answered. */
typedef struct VhostUserDeviceMessage {
    VhostUserHeader header;
    union {
        VhostUserPayload payload; /* handlers write their reply here, too */
        uint8_t bytes[VHOST_USER_PAYLOAD_MAXIMUM];
    };
    int fds[VHOST_USER_MAX_REGIONS_IN_MESSAGE]; /* a handler that keeps one writes -1 here */
    unsigned fd_count;

    uint32_t reply_size; /* of the reply that a handler has written to @payload */
    int reply_fd;        /* goes with the reply; -1: none */
    bool reply_fd_owned; /* close it behind the reply */
} VhostUserDeviceMessage;

typedef enum VhostUserDeviceReceived {
    VHOST_USER_RECEIVED_MESSAGE, /* whole */
    VHOST_USER_RECEIVED_NOTHING, /* not all of it is there yet */
    VHOST_USER_RECEIVED_END,     /* the front-end hung up between two messages */
    VHOST_USER_RECEIVED_ERROR,
} VhostUserDeviceReceived;

typedef struct VhostUserDeviceStream {
    int socket;      /* -1: closed */
    size_t received; /* bytes of the message that is being read */

    /* The one answer that the socket did not take whole.  While it waits nothing is read, so that
     * a front-end that does not read its answers makes us keep no more than this. */
    uint8_t answer[sizeof(VhostUserHeader) + VHOST_USER_PAYLOAD_MAXIMUM];
    size_t answer_size, answer_sent;
    int answer_fd; /* goes with the first byte; -1: none, or sent */
    bool answer_fd_owned;
} VhostUserDeviceStream;

void vhost_user_device_stream_init(VhostUserDeviceStream *stream, int socket);
/* Closes the socket and what an unsent answer holds. */
void vhost_user_device_stream_close(VhostUserDeviceStream *stream);
/* Goes on reading @message, which stays the same until it is whole. */
VhostUserDeviceReceived vhost_user_device_stream_receive(VhostUserDeviceStream *stream,
                                                         VhostUserDeviceMessage *message,
                                                         const char **reason);
/* Sends or keeps an answer; none is kept yet.  @fd is closed when it is sent if it is @fd_owned.  0
 * or a negative errno. */
int vhost_user_device_stream_send(VhostUserDeviceStream *stream, const VhostUserHeader *header,
                                  const void *payload, int fd, bool fd_owned);
/* Goes on with the kept answer: 0: all is sent, -EAGAIN, or another negative errno. */
int vhost_user_device_stream_flush(VhostUserDeviceStream *stream);
static inline bool vhost_user_device_stream_full(const VhostUserDeviceStream *stream)
{
    return stream->answer_size > 0;
}
void vhost_user_device_message_init(VhostUserDeviceMessage *message);
/* Closes what descriptors the message still has and makes it ready for the next. */
void vhost_user_device_message_clear(VhostUserDeviceMessage *message);
/* Keeps descriptor @index of a message, so that it is not closed with it. */
int vhost_user_device_message_take_fd(VhostUserDeviceMessage *message, unsigned index);

/* device-rings.c: what the device knows of a queue. */
typedef enum VhostUserDeviceRingState {
    VHOST_USER_RING_IDLE,     /* the library's */
    VHOST_USER_RING_RUNNING,  /* the program's */
    VHOST_USER_RING_STOPPING, /* the program's until it calls vhost_user_queue_stopped() */
} VhostUserDeviceRingState;

/* How far vhost_user_queue_stopped() is, which any thread may call. */
typedef enum VhostUserDeviceReport {
    VHOST_USER_REPORT_NONE,
    VHOST_USER_REPORT_BEGUN, /* it is about to wake the device, which must not be freed */
    VHOST_USER_REPORT_DONE,
} VhostUserDeviceReport;

typedef struct VhostUserDeviceRing {
    VhostUserQueue *queue;
    VhostUserDeviceRingState state;
    atomic_int report; /* VhostUserDeviceReport */
    bool size_set, addresses_set, kick_set;
    bool enabled; /* SET_VRING_ENABLE's word, which counts only with bit 30 */
} VhostUserDeviceRing;

typedef enum VhostUserDevicePhase {
    VHOST_USER_PHASE_OPEN,
    VHOST_USER_PHASE_ENDING, /* waits for the program's queues */
    VHOST_USER_PHASE_ENDED,
} VhostUserDevicePhase;

struct VhostUserDevice {
    VhostUserDeviceOperations operations;
    void *opaque;
    uint32_t queues, queue_units, memory_slots;
    uint64_t features_offered, protocol_features_offered; /* with bits 26 and 30 */

    int epoll_fd, wake_fd;
    uint32_t socket_events; /* that the socket is in the epoll with; 0: it is not in it */
    VhostUserDeviceStream stream;
    VhostUserDeviceMessage message;
    bool message_waits; /* it is whole and waits for queues to stop */
    VhostUserDevicePhase phase;
    char *error; /* NULL: none */
    char error_buffer[256];
    atomic_bool faulted; /* guest memory was cut off; set by a signal handler of any thread */

    _Atomic uint64_t features; /* negotiated, with bits 26 and 30; read by any thread */
    _Atomic uint64_t protocol_features;
    bool features_set, owned;
    uint8_t status;

    VhostUserMap *map;
    VhostUserDirtyLog log;
    VhostUserInflightBuffer inflight;
    VhostUserQueueEnvironment environment;
    VhostUserDeviceRing *rings;

    int userfaultfd; /* POSTCOPY_ADVISE to POSTCOPY_END; -1 */
    bool postcopy_listening;
    enum {
        VHOST_USER_POSTCOPY_ACK_NONE,
        VHOST_USER_POSTCOPY_ACK_TABLE,   /* the next message is the front-end's ack */
        VHOST_USER_POSTCOPY_ACK_REGIONS, /* it comes when the front-end has added all */
    } postcopy_ack;

    int channel;         /* of SET_BACKEND_REQ_FD; -1 */
    bool state_transfer; /* SET_DEVICE_STATE_FD to CHECK_DEVICE_STATE: no queue starts */

    uint64_t messages, refused;
};

/* device.c */
void vhost_user_device_log(VhostUserDevice *device, VhostUserLogLevel level, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));
/* Ends the connection with this error. */
void vhost_user_device_fail(VhostUserDevice *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What follows from the result of sending or flushing an answer. */
void vhost_user_device_check_sent(VhostUserDevice *device, int result);
/* Makes the device's descriptor readable. Any thread, async-signal-safe. */
void vhost_user_device_wake(VhostUserDevice *device);

static inline bool vhost_user_device_has(const VhostUserDevice *device, unsigned protocol_feature)
{
    return atomic_load_explicit(&device->protocol_features, memory_order_relaxed) >>
               protocol_feature &
           1;
}

static inline bool vhost_user_device_has_bit_30(const VhostUserDevice *device)
{
    return atomic_load_explicit(&device->features, memory_order_relaxed) >>
               VHOST_USER_F_PROTOCOL_FEATURES &
           1;
}

/* What an operation of the program returned, as a handler may return it: no number that means
 * something else here or has no positive counterpart. */
static inline int vhost_user_device_program_error(int result)
{
    return result >= 0 ? 0 : result < -4095 || result == -EINPROGRESS ? -EIO : result;
}

/* Brings what queues see in line with the negotiated features and the log; all are held. */
void vhost_user_device_update_environment(VhostUserDevice *device);

/* device-dispatch.c: the whole message in device->message. */
void vhost_user_device_dispatch(VhostUserDevice *device);

/*
 * A handler of one request.  Message and descriptors have been validated, the features that the
 * request needs are negotiated.  0: done, with the reply in the message if one is due.
 * -EINPROGRESS: nothing is done yet but that queues were told to stop; called again with the same
 * message when one has.  Another negative errno: refused, nothing has changed; @reason is a static
 * string that goes on after "REQUEST: ", or is left alone.
 */
typedef int VhostUserDeviceHandler(VhostUserDevice *device, VhostUserDeviceMessage *message,
                                   const char **reason);

/* The reply is a u64. */
static inline int vhost_user_device_message_reply_u64(VhostUserDeviceMessage *message,
                                                      uint64_t value)
{
    message->payload.u64 = value;
    message->reply_size = sizeof(uint64_t);
    return 0;
}

/* device-negotiation.c */
void vhost_user_device_make_offer(VhostUserDevice *device, uint64_t withheld);
VhostUserDeviceHandler vhost_user_device_handle_get_features, vhost_user_device_handle_set_features,
    vhost_user_device_handle_set_owner, vhost_user_device_handle_reset_owner,
    vhost_user_device_handle_get_protocol_features, vhost_user_device_handle_set_protocol_features,
    vhost_user_device_handle_get_queue_num, vhost_user_device_handle_get_config,
    vhost_user_device_handle_set_config, vhost_user_device_handle_net_set_mtu,
    vhost_user_device_handle_send_rarp, vhost_user_device_handle_reset_device,
    vhost_user_device_handle_set_status, vhost_user_device_handle_get_status;

/* device-memory.c */
VhostUserDeviceHandler vhost_user_device_handle_set_mem_table, vhost_user_device_handle_add_mem_reg,
    vhost_user_device_handle_rem_mem_reg, vhost_user_device_handle_get_max_mem_slots,
    vhost_user_device_handle_set_log_base, vhost_user_device_handle_set_log_fd;

/* device-postcopy.c */
VhostUserDeviceHandler vhost_user_device_handle_postcopy_advise,
    vhost_user_device_handle_postcopy_listen, vhost_user_device_handle_postcopy_end;
/* Whether this kernel gives us a userfaultfd. */
bool vhost_user_device_postcopy_possible(void);
/* Whether the message is the ack that a post-copy answer waits for, which no table describes;
 * checks it. */
bool vhost_user_device_postcopy_take_ack(VhostUserDevice *device,
                                         const VhostUserDeviceMessage *message);
/* Fills in our addresses as the reply to SET_MEM_TABLE and ADD_MEM_REG. */
void vhost_user_device_postcopy_reply_table(VhostUserDevice *device,
                                            VhostUserDeviceMessage *message);
void vhost_user_device_postcopy_reply_region(VhostUserDevice *device,
                                             VhostUserDeviceMessage *message);
void vhost_user_device_postcopy_clear(VhostUserDevice *device);

/* device-rings.c */
VhostUserDeviceHandler vhost_user_device_handle_set_vring_num,
    vhost_user_device_handle_set_vring_addr, vhost_user_device_handle_set_vring_base,
    vhost_user_device_handle_get_vring_base, vhost_user_device_handle_set_vring_kick,
    vhost_user_device_handle_set_vring_call, vhost_user_device_handle_set_vring_err,
    vhost_user_device_handle_set_vring_enable, vhost_user_device_handle_get_inflight_fd,
    vhost_user_device_handle_set_inflight_fd;
/* 0 or a negative errno. */
int vhost_user_device_rings_new(VhostUserDevice *device);
void vhost_user_device_rings_free(VhostUserDevice *device);
/* Tells every queue that runs to stop. true: none belongs to the program any more. */
bool vhost_user_device_rings_stop(VhostUserDevice *device);
/* Takes back the queues that were reported stopped. true: there was one. */
bool vhost_user_device_rings_collect(VhostUserDevice *device);
bool vhost_user_device_rings_idle(const VhostUserDevice *device);
/* Starts what can start. 0, or the error of the first queue that cannot, although it is ready. */
int vhost_user_device_rings_start(VhostUserDevice *device, const char **reason);
/* Forgets what the driver set up, after vhost_user_device_rings_stop(). */
void vhost_user_device_rings_reset(VhostUserDevice *device);
void vhost_user_device_rings_hold(VhostUserDevice *device);
void vhost_user_device_rings_release(VhostUserDevice *device);
/* The in-flight buffer is for rings of the other format; no queue runs. */
void vhost_user_device_rings_drop_inflight(VhostUserDevice *device);
void vhost_user_device_rings_relocate(VhostUserDevice *device);

/* device-channel.c */
VhostUserDeviceHandler vhost_user_device_handle_set_backend_req_fd;
/* Looks at what came on the channel, where nothing is due. */
void vhost_user_device_channel_check(VhostUserDevice *device);
void vhost_user_device_channel_close(VhostUserDevice *device);

/* device-state.c */
VhostUserDeviceHandler vhost_user_device_handle_set_device_state_fd,
    vhost_user_device_handle_check_device_state;

#endif
