/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's front-end against a scripted peer at the other end of a socket pair: right answers,
 * short ones, none at all, wrong ones; and guest memory.
 */
#include "libvhost-user/front-end.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE 5000 /* ms; for peers that answer */
#define SHORT 50      /* for those that do not */
#define BIT_30 (1ull << VHOST_USER_F_PROTOCOL_FEATURES)
#define PROTOCOL(feature) (1ull << VHOST_USER_PROTOCOL_F_##feature)

/* A request that the peer expects, and what it sends back, byte for byte. */
typedef struct Step {
    uint32_t request;
    bool need_reply; /* expected */
    uint32_t size;   /* of the payload expected */
    unsigned fds;    /* expected */
    uint32_t answer_size;
    VhostUserPayload answer;
    uint32_t answer_request; /* 0: the same */
    uint32_t answer_flags;   /* 0: VERSION | REPLY */
    uint32_t cut;            /* bytes of the answer that are left out */
    unsigned answer_fds;
    bool silent; /* no answer: none is due, or the peer hangs */
    bool hang_up;
} Step;

typedef struct Peer {
    const Step *steps;
    size_t count;
    int socket;
    GThread *thread;
    VhostUserPayload last; /* the payload of the last request */
} Peer;

#define U64(value) .answer_size = 8, .answer = {.u64 = (value)}
#define ACK .need_reply = true, U64(0)

/* Descriptors of this process: what leaks stays. */
static unsigned open_descriptors(void)
{
    g_autoptr(GDir) folder = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned count = 0;

    while (g_dir_read_name(folder)) {
        count++;
    }
    return count;
}

static unsigned receive_request(int socket, VhostUserHeader *header, VhostUserPayload *payload)
{
    char control[CMSG_SPACE(8 * sizeof(int))];
    struct iovec part = {header, sizeof(*header)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    unsigned fds = 0;

    if (recvmsg(socket, &message, MSG_WAITALL) != sizeof(*header)) {
        header->request = 0;
        return 0;
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head) {
        fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (unsigned i = 0; i < fds; i++) {
            close(((int *)CMSG_DATA(head))[i]);
        }
    }
    g_assert_cmpuint(header->size, <=, sizeof(*payload));
    if (header->size > 0) {
        g_assert_cmpint(recv(socket, payload, header->size, MSG_WAITALL), ==, header->size);
    }
    return fds;
}

static void send_answer(int socket, const Step *step)
{
    struct {
        VhostUserHeader header;
        uint8_t payload[sizeof(VhostUserPayload)];
    } answer = {.header = {step->answer_request ? step->answer_request : step->request,
                           step->answer_flags ? step->answer_flags
                                              : VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
                           step->answer_size}};
    struct iovec part = {&answer, sizeof(answer.header) + step->answer_size - step->cut};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    memcpy(answer.payload, &step->answer, MIN(step->answer_size, sizeof(step->answer)));
    if (step->answer_fds > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(step->answer_fds * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(step->answer_fds * sizeof(int));
        for (unsigned i = 0; i < step->answer_fds; i++) {
            ((int *)CMSG_DATA(&control.align))[i] = socket;
        }
    }
    sendmsg(socket, &message, MSG_NOSIGNAL);
}

static gpointer peer_thread(gpointer opaque)
{
    Peer *peer = opaque;

    for (size_t i = 0; i < peer->count; i++) {
        const Step *step = &peer->steps[i];
        VhostUserHeader header;
        unsigned fds = receive_request(peer->socket, &header, &peer->last);

        g_assert_cmpstr(vhost_user_request_name(header.request), ==,
                        vhost_user_request_name(step->request));
        g_assert_cmpuint(header.size, ==, step->size);
        g_assert_cmpuint(fds, ==, step->fds);
        g_assert_cmpuint(header.flags, ==,
                         VHOST_USER_VERSION | (step->need_reply ? VHOST_USER_FLAG_NEED_REPLY : 0));
        if (step->hang_up) {
            shutdown(peer->socket, SHUT_RDWR);
        } else if (!step->silent) {
            send_answer(peer->socket, step);
        }
    }
    return NULL;
}

static VhostUserFrontEnd *peer_start(Peer *peer, const Step *steps, size_t count, int deadline)
{
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    *peer = (Peer){.steps = steps, .count = count, .socket = pair[1]};
    peer->thread = g_thread_new("peer", peer_thread, peer);
    VhostUserFrontEnd *front = vhost_user_front_end_new(pair[0], deadline);
    g_assert_nonnull(front);
    return front;
}

static void peer_end(Peer *peer, VhostUserFrontEnd *front)
{
    g_thread_join(peer->thread);
    close(peer->socket);
    vhost_user_front_end_free(front);
}

#define START(peer, steps) peer_start(peer, steps, G_N_ELEMENTS(steps), DEADLINE)

/* The start of every connection below: bit 30, the given protocol features. */
#define NEGOTIATION(protocol)                                                                      \
    {VHOST_USER_GET_FEATURES, U64(BIT_30 | 0xf)}, {VHOST_USER_SET_OWNER, .silent = true},          \
        {VHOST_USER_GET_PROTOCOL_FEATURES, U64(protocol)},                                         \
    {                                                                                              \
        VHOST_USER_SET_PROTOCOL_FEATURES, .size = 8, .silent = true                                \
    }

static void test_negotiate(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(MQ) | PROTOCOL(REPLY_ACK) | PROTOCOL(CONFIGURE_MEM_SLOTS)),
        {VHOST_USER_SET_FEATURES, .size = 8, ACK},
        {VHOST_USER_GET_QUEUE_NUM, U64(7)},
        {VHOST_USER_GET_MAX_MEM_SLOTS, U64(4096)},
    };
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, 0x3 | 1ull << 40, UINT64_MAX), ==, 0);
    g_assert_cmphex(vhost_user_front_end_features(front), ==, BIT_30 | 0x3);
    g_assert_cmphex(vhost_user_front_end_protocol_features(front), ==,
                    PROTOCOL(MQ) | PROTOCOL(REPLY_ACK) | PROTOCOL(CONFIGURE_MEM_SLOTS));
    g_assert_cmpuint(vhost_user_front_end_queues(front), ==, 7);
    g_assert_cmpuint(vhost_user_front_end_memory_slots(front), ==, 4096);
    peer_end(&peer, front);
}

/* A back-end without bit 30: no protocol features, no ring enable, no acks. */
static void test_old_back_end(void)
{
    static const Step steps[] = {
        {VHOST_USER_GET_FEATURES, U64(0xf)},
        {VHOST_USER_SET_OWNER, .silent = true},
        {VHOST_USER_SET_FEATURES, .size = 8, .silent = true},
        {VHOST_USER_SET_VRING_NUM, .size = 8, .silent = true},
        {VHOST_USER_SET_VRING_BASE, .size = 8, .silent = true},
        {VHOST_USER_SET_VRING_ADDR, .size = 40, .silent = true},
        {VHOST_USER_SET_VRING_CALL, .size = 8, .silent = true},
        {VHOST_USER_SET_VRING_KICK, .size = 8, .silent = true},
        {VHOST_USER_GET_FEATURES, U64(0xf)},
    };
    VhostUserRingSetup ring = {
        .index = 2, .size = 8, .kick = -1, .call = -1, .error = -1, .enable = true};
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmphex(vhost_user_front_end_features(front), ==, 0xf);
    g_assert_cmpuint(vhost_user_front_end_queues(front), ==, 1);
    g_assert_cmpint(vhost_user_front_end_start_ring(front, &ring), ==, 0);
    g_assert_cmpint(vhost_user_front_end_barrier(front), ==, 0);
    uint64_t slots;
    g_assert_cmpint(vhost_user_front_end_get(front, VHOST_USER_GET_MAX_MEM_SLOTS, &slots), ==,
                    -EOPNOTSUPP);
    g_assert_cmpstr(vhost_user_front_end_error(front), ==,
                    "GET_MAX_MEM_SLOTS: CONFIGURE_MEM_SLOTS was not negotiated");
    peer_end(&peer, front);
}

static void test_ring(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(REPLY_ACK)),
        {VHOST_USER_SET_FEATURES, .size = 8, ACK},
        {VHOST_USER_SET_VRING_NUM, .size = 8, ACK},
        {VHOST_USER_SET_VRING_BASE, .size = 8, ACK},
        {VHOST_USER_SET_VRING_ADDR, .size = 40, ACK},
        {VHOST_USER_SET_VRING_ERR, .size = 8, .fds = 1, ACK},
        {VHOST_USER_SET_VRING_CALL, .size = 8, .fds = 1, ACK},
        {VHOST_USER_SET_VRING_KICK, .size = 8, .fds = 1, ACK},
        {VHOST_USER_SET_VRING_ENABLE, .size = 8, ACK},
        {VHOST_USER_GET_VRING_BASE, .size = 8, .answer_size = 8, .answer = {.state = {3, 77}}},
        {VHOST_USER_GET_VRING_BASE, .size = 8, .answer_size = 8, .answer = {.state = {4, 77}}},
    };
    int fd = eventfd(0, EFD_CLOEXEC);
    VhostUserRingSetup ring = {
        .index = 3, .size = 8, .kick = fd, .call = fd, .error = fd, .enable = true};
    uint32_t base = 0;
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_start_ring(front, &ring), ==, 0);
    g_assert_cmpint(vhost_user_front_end_stop_ring(front, 3, &base), ==, 0);
    g_assert_cmpuint(base, ==, 77);
    g_assert_cmpint(vhost_user_front_end_stop_ring(front, 3, &base), ==, -EPROTO);
    g_assert_cmpstr(vhost_user_front_end_error(front), ==,
                    "GET_VRING_BASE: the answer is for queue 4 instead of 3");
    peer_end(&peer, front);
    close(fd);
}

static void test_memory(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(REPLY_ACK) | PROTOCOL(CONFIGURE_MEM_SLOTS) | PROTOCOL(PAGEFAULT)),
        {VHOST_USER_SET_FEATURES, .size = 8, ACK},
        {VHOST_USER_GET_MAX_MEM_SLOTS, U64(8)},
        {VHOST_USER_ADD_MEM_REG, .size = 40, .fds = 1, ACK},
        {VHOST_USER_ADD_MEM_REG, .size = 40, .fds = 1, ACK},
        {VHOST_USER_ADD_MEM_REG, .size = 40, .fds = 1, ACK},
        {VHOST_USER_REM_MEM_REG, .size = 40, .need_reply = true, U64(1)},
        {VHOST_USER_SET_MEM_TABLE, .size = 8 + 2 * 32, .fds = 2, ACK},
        {VHOST_USER_POSTCOPY_LISTEN, ACK},
        {VHOST_USER_ADD_MEM_REG, .size = 40, .fds = 1, .need_reply = true, .answer_size = 40,
         .answer = {.region = {.region = {0x1000, 0x1000, 0xabc000, 0}}}},
        {VHOST_USER_ADD_MEM_REG, .size = 8, .silent = true},
        {VHOST_USER_POSTCOPY_END, U64(0)},
        {VHOST_USER_ADD_MEM_REG, .size = 40, .fds = 1, ACK},
    };
    VhostUserGuestMemory *memory = vhost_user_guest_memory_new(0x1000, 0x1000, 3, 0x1000);
    uint64_t address = 0, result;
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_memory(front, memory->areas, 3), ==, 0);
    g_assert_cmpint(vhost_user_front_end_remove_region(front, &memory->areas[1]), ==, -EREMOTEIO);
    g_assert_cmpstr(vhost_user_front_end_error(front), ==, "REM_MEM_REG: the back-end refuses (1)");
    g_assert_cmpint(vhost_user_front_end_set_table(front, memory->areas, 2, NULL), ==, 0);
    g_assert_cmpint(vhost_user_front_end_set_table(front, memory->areas, 9, NULL), ==, -E2BIG);
    g_assert_cmpint(vhost_user_front_end_command(front, VHOST_USER_POSTCOPY_LISTEN), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_region(front, &memory->areas[0], &address), ==, 0);
    g_assert_cmphex(address, ==, 0xabc000);
    g_assert_cmpint(vhost_user_front_end_get(front, VHOST_USER_POSTCOPY_END, &result), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_region(front, &memory->areas[0], &address), ==, 0);
    g_assert_cmphex(peer.last.region.region.user_address, ==, (uintptr_t)memory->areas[0].host);
    g_assert_cmphex(peer.last.region.region.guest_address, ==, 0x1000);
    peer_end(&peer, front);
    vhost_user_guest_memory_free(memory);
}

/* More regions than a window holds; and without acks one barrier at the end. */
static void test_many_regions(gconstpointer opaque)
{
    bool acks = GPOINTER_TO_INT(opaque);
    uint64_t protocol = PROTOCOL(CONFIGURE_MEM_SLOTS) | (acks ? PROTOCOL(REPLY_ACK) : 0);
    Step steps[6 + 200 + 1] = {
        NEGOTIATION(protocol),
        {VHOST_USER_SET_FEATURES, .size = 8, .need_reply = acks, U64(0), .silent = !acks},
        {VHOST_USER_GET_MAX_MEM_SLOTS, U64(200)},
    };
    for (unsigned i = 0; i < 200; i++) {
        steps[6 + i] = (Step){VHOST_USER_ADD_MEM_REG, .size = 40,      .fds = 1,
                              .need_reply = acks,     .silent = !acks, U64(0)};
    }
    steps[206] = (Step){VHOST_USER_GET_FEATURES, U64(0)};
    VhostUserGuestMemory *memory = vhost_user_guest_memory_new(0, 0x1000, 200, 0);
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_add_memory(front, memory->areas, 200), ==, 0);
    if (acks) {
        g_assert_cmpint(vhost_user_front_end_barrier(front), ==, 0);
    }
    peer_end(&peer, front);
    vhost_user_guest_memory_free(memory);
}

static void test_config(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(CONFIG)),
        {VHOST_USER_SET_FEATURES, .size = 8, .silent = true},
        {VHOST_USER_GET_CONFIG, .size = 16, .answer_size = 16,
         .answer = {.config = {8, 4, 0, {1, 2, 3, 4}}}},
        {VHOST_USER_GET_CONFIG, .size = 16, .answer_size = 0},
        {VHOST_USER_GET_CONFIG, .size = 16, .answer_size = 12},
        {VHOST_USER_GET_CONFIG, .size = 16, .answer_size = 14,
         .answer = {.config = {8, 2, 0, {1, 2}}}},
        {VHOST_USER_SET_CONFIG, .size = 14, .silent = true},
    };
    uint8_t bytes[257] = {0};
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_get_config(front, 8, bytes, 4), ==, 0);
    g_assert_cmpmem(bytes, 4, "\1\2\3\4", 4);
    g_assert_cmpint(vhost_user_front_end_get_config(front, 8, bytes, 4), ==, -EREMOTEIO);
    g_assert_cmpint(vhost_user_front_end_get_config(front, 8, bytes, 4), ==, -EREMOTEIO);
    g_assert_cmpint(vhost_user_front_end_get_config(front, 8, bytes, 4), ==, -EPROTO);
    g_assert_cmpint(vhost_user_front_end_get_config(front, 8, bytes, 257), ==, -EINVAL);
    g_assert_cmpint(vhost_user_front_end_set_config(front, 8, bytes, 257, 0), ==, -EINVAL);
    g_assert_cmpint(vhost_user_front_end_set_config(front, 8, bytes, 2, 0), ==, 0);
    peer_end(&peer, front);
}

static void test_shared_buffers(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(INFLIGHT_SHMFD) | PROTOCOL(LOG_SHMFD)),
        {VHOST_USER_SET_FEATURES, .size = 8, .silent = true},
        {VHOST_USER_GET_INFLIGHT_FD, .size = 24, .answer_size = 24, .answer_fds = 1,
         .answer = {.inflight = {4096, 0, 2, 128, 0}}},
        {VHOST_USER_SET_INFLIGHT_FD, .size = 24, .fds = 1, .silent = true},
        {VHOST_USER_GET_INFLIGHT_FD, .size = 24, .answer_size = 24},
        {VHOST_USER_SET_LOG_BASE, .size = 16, .fds = 1, U64(0)},
    };
    VhostUserInflight inflight = {.num_queues = 2, .queue_size = 128};
    int fd = -1;
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_get_inflight(front, &inflight, &fd), ==, 0);
    g_assert_cmpuint(inflight.mmap_size, ==, 4096);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    g_assert_cmpint(vhost_user_front_end_set_inflight(front, &inflight, fd), ==, 0);
    close(fd);
    g_assert_cmpint(vhost_user_front_end_get_inflight(front, &inflight, &fd), ==, -EREMOTEIO);
    g_assert_cmpint(vhost_user_front_end_set_log(front, STDOUT_FILENO, 4096, 0), ==, 0);
    peer_end(&peer, front);
}

/* --- a back-end that does wrong --- */

typedef struct Wrong {
    const char *name;
    Step step; /* answers GET_FEATURES */
    int result;
    const char *error;
} Wrong;

#define GET .request = VHOST_USER_GET_FEATURES

static const Wrong wrongs[] = {
    {"silent", {GET, .silent = true}, -ETIMEDOUT, "GET_FEATURES: no answer in 50 ms"},
    {"half", {GET, U64(1), .cut = 4}, -ETIMEDOUT, "GET_FEATURES: no answer in 50 ms"},
    {"header-only", {GET, U64(1), .cut = 8}, -ETIMEDOUT, "GET_FEATURES: no answer in 50 ms"},
    {"half-header", {GET, U64(1), .cut = 14}, -ETIMEDOUT, "GET_FEATURES: no answer in 50 ms"},
    {"hang-up", {GET, .hang_up = true}, -ECONNRESET, "GET_FEATURES: the back-end hung up"},
    {"other-request",
     {GET, U64(1), .answer_request = VHOST_USER_GET_STATUS},
     -EPROTO,
     "GET_FEATURES: the answer is for another request (it is for GET_STATUS)"},
    {"no-reply-flag",
     {GET, U64(1), .answer_flags = VHOST_USER_VERSION},
     -EPROTO,
     "GET_FEATURES: the answer lacks the flag of answers (it is for GET_FEATURES)"},
    {"version",
     {GET, U64(1), .answer_flags = 2 | VHOST_USER_FLAG_REPLY},
     -EPROTO,
     "GET_FEATURES: the protocol version is not 1 (it is for GET_FEATURES)"},
    {"empty",
     {GET, .answer_size = 0},
     -EPROTO,
     "GET_FEATURES: the answer has a wrong size (it is for GET_FEATURES)"},
    {"long",
     {GET, .answer_size = 16},
     -EPROTO,
     "GET_FEATURES: the answer has a wrong size (it is for GET_FEATURES)"},
    {"huge",
     {GET, .answer_size = 0x7fffffff, .cut = 0x7fffffff},
     -EPROTO,
     "GET_FEATURES: a message of 2147483647 bytes came, at most 4096 are allowed"},
    {"descriptor",
     {GET, U64(1), .answer_fds = 1},
     -EPROTO,
     "GET_FEATURES: the number of descriptors is wrong (it is for GET_FEATURES)"},
    {"many-descriptors",
     {GET, U64(1), .answer_fds = 9},
     -EPROTO,
     "GET_FEATURES: more than 8 descriptors came with the answer"},
};

static void test_wrong(gconstpointer opaque)
{
    const Wrong *wrong = opaque;
    unsigned before = open_descriptors();
    uint64_t value = 42;
    Peer peer;
    VhostUserFrontEnd *front =
        peer_start(&peer, &wrong->step, 1, wrong->result == -ETIMEDOUT ? SHORT : DEADLINE);

    g_assert_cmpint(vhost_user_front_end_get(front, VHOST_USER_GET_FEATURES, &value), ==,
                    wrong->result);
    g_assert_cmpstr(vhost_user_front_end_error(front), ==, wrong->error);
    g_assert_cmpuint(value, ==, 42);
    peer_end(&peer, front);
    g_assert_cmpuint(open_descriptors(), ==, before);
}

/* A peer that reads nothing: what we send ends at the deadline, too. */
static void test_deaf(void)
{
    int pair[2], result = 0;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    VhostUserFrontEnd *front = vhost_user_front_end_new(pair[0], SHORT);
    for (unsigned i = 0; i < 1000000 && result == 0; i++) {
        uint64_t value = i;
        result = vhost_user_front_end_send(front, VHOST_USER_SET_FEATURES, 0, &value, sizeof(value),
                                           NULL, 0);
    }
    g_assert_cmpint(result, ==, -ETIMEDOUT);
    g_assert_cmpstr(vhost_user_front_end_error(front), ==,
                    "SET_FEATURES: the back-end reads nothing for 50 ms");
    close(pair[1]);
    g_assert_cmpint(vhost_user_front_end_barrier(front), ==, -ECONNRESET);
    vhost_user_front_end_free(front);
}

/* Messages and bytes as they are: wrong ones go out unchecked, several answers are on their way. */
static void test_raw(void)
{
    static const Step steps[] = {
        {VHOST_USER_GET_FEATURES, U64(1)},
        {VHOST_USER_GET_STATUS, U64(2)},
        {VHOST_USER_SET_FEATURES, .size = 3, .need_reply = true, U64(5)},
        {99, .silent = true},
    };
    VhostUserFrontEndMessage message;
    VhostUserHeader bytes = {99, VHOST_USER_VERSION, 0};
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_send(front, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0),
                    ==, 0);
    g_assert_cmpint(vhost_user_front_end_send(front, VHOST_USER_GET_STATUS, 0, NULL, 0, NULL, 0),
                    ==, 0);
    g_assert_cmpint(vhost_user_front_end_send(front, VHOST_USER_SET_FEATURES,
                                              VHOST_USER_FLAG_NEED_REPLY, "abc", 3, NULL, 0),
                    ==, 0);
    g_assert_cmpint(vhost_user_front_end_send_bytes(front, &bytes, sizeof(bytes), NULL, 0), ==, 0);
    g_assert_cmpint(vhost_user_front_end_receive_answer(front, VHOST_USER_GET_FEATURES,
                                                        VHOST_USER_ANSWER_REPLY, &message),
                    ==, 0);
    g_assert_cmpuint(message.content.payload.u64, ==, 1);
    g_assert_cmpint(vhost_user_front_end_receive(front, &message), ==, 0);
    g_assert_cmpuint(message.header.request, ==, VHOST_USER_GET_STATUS);
    g_assert_cmpuint(message.content.payload.u64, ==, 2);
    g_assert_cmpint(vhost_user_front_end_receive_ack(front, VHOST_USER_SET_FEATURES), ==,
                    -EREMOTEIO);
    g_assert_cmpint(vhost_user_front_end_send(front, 1, 0, NULL, 5000, NULL, 0), ==, -EINVAL);
    int fds[9] = {0};
    g_assert_cmpint(vhost_user_front_end_send(front, 1, 0, NULL, 0, fds, 9), ==, -EINVAL);
    peer_end(&peer, front);
}

static void test_channel(void)
{
    static const Step steps[] = {
        NEGOTIATION(PROTOCOL(BACKEND_REQ) | PROTOCOL(CONFIG)),
        {VHOST_USER_SET_FEATURES, .size = 8, .silent = true},
    };
    const VhostUserHeader request = {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
                                     VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY, 0};
    const VhostUserHeader bad = {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 2, 0};
    VhostUserFrontEndMessage message;
    Peer peer;
    VhostUserFrontEnd *front = START(&peer, steps);

    g_assert_cmpint(vhost_user_front_end_negotiate(front, UINT64_MAX, UINT64_MAX), ==, 0);
    g_assert_cmpint(vhost_user_front_end_receive_request(front, &message), ==, -ENOTCONN);
    g_assert_cmpint(vhost_user_front_end_open_channel(front), ==, 0);
    g_thread_join(peer.thread);

    /* Takes the back-end's end out of the message. */
    struct {
        VhostUserHeader header;
        uint8_t value[VHOST_USER_ACK_SIZE];
    } ack;
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&ack.header, sizeof(ack.header)};
    struct msghdr received = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control)};
    g_assert_cmpint(recvmsg(peer.socket, &received, 0), ==, sizeof(ack.header));
    g_assert_cmpuint(ack.header.request, ==, VHOST_USER_SET_BACKEND_REQ_FD);
    int channel = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&received));

    g_assert_cmpint(send(channel, &request, sizeof(request), 0), ==, sizeof(request));
    g_assert_cmpint(vhost_user_front_end_receive_request(front, &message), ==, 0);
    g_assert_cmpuint(message.header.request, ==, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
    static const uint8_t success[VHOST_USER_ACK_SIZE];
    g_assert_cmpint(recv(channel, &ack, sizeof(ack), MSG_WAITALL), ==, sizeof(ack));
    g_assert_cmpmem(ack.value, sizeof(ack.value), success, sizeof(success));
    g_assert_cmpint(send(channel, &bad, sizeof(bad), 0), ==, sizeof(bad));
    g_assert_cmpint(vhost_user_front_end_receive_request(front, &message), ==, -EPROTO);
    close(channel);
    g_assert_cmpint(vhost_user_front_end_receive_request(front, &message), ==, -ECONNRESET);
    close(peer.socket);
    vhost_user_front_end_free(front);
}

/* Nobody listens: an error at the deadline, with the reason of the last attempt. */
static void test_connect(void)
{
    g_autofree char *folder = g_dir_make_tmp("front-end-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "socket", NULL);
    char long_path[200];

    g_assert_null(vhost_user_front_end_connect(path, SHORT));
    g_assert_cmpint(errno, ==, ENOENT);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = 0;
    g_assert_null(vhost_user_front_end_connect(long_path, SHORT));
    g_assert_cmpint(errno, ==, ENAMETOOLONG);
    g_rmdir(folder);
}

static void test_guest_memory(void)
{
    VhostUserGuestMemory *memory = vhost_user_guest_memory_new(0x10000, 0x2000, 3, 0x1000);
    const VhostUserMemoryArea *areas = memory->areas;
    uint8_t *first = areas[0].host;

    g_assert_cmpuint(memory->count, ==, 3);
    g_assert_cmphex(areas[2].guest_address, ==, 0x16000);
    g_assert_cmphex(areas[2].offset, ==, 0x4000);
    first[0x4000] = 7;
    g_assert_true(vhost_user_guest_memory_host(areas, 3, 0x16000, 0x2000) == first + 0x4000);
    g_assert_true(vhost_user_guest_memory_host(areas, 3, 0x10fff, 1) == first + 0xfff);
    g_assert_null(vhost_user_guest_memory_host(areas, 3, 0xffff, 1));
    g_assert_null(vhost_user_guest_memory_host(areas, 3, 0x12000, 1));
    g_assert_null(vhost_user_guest_memory_host(areas, 3, 0x11fff, 2));
    g_assert_null(vhost_user_guest_memory_host(areas, 3, 0x10001, UINT64_MAX));
    g_assert_null(vhost_user_guest_memory_host(areas, 0, 0x10000, 1));
    g_assert_cmphex(vhost_user_guest_memory_address(areas, 3, first + 0x4001), ==, 0x16001);
    g_assert_cmphex(vhost_user_guest_memory_address(areas, 3, first + 0x6000), ==, UINT64_MAX);
    g_assert_cmphex(vhost_user_guest_memory_address(areas, 3, first - 1), ==, UINT64_MAX);
    uint8_t byte;
    g_assert_cmpint(pread(areas[2].fd, &byte, 1, 0x4000), ==, 1);
    g_assert_cmpuint(byte, ==, 7);
    g_assert_cmpint(ftruncate(areas[0].fd, 0), ==, -1);
    vhost_user_guest_memory_free(memory);

    g_assert_null(vhost_user_guest_memory_new(0, 0x1000, 0, 0));
    g_assert_null(vhost_user_guest_memory_new(0, 0x1001, 1, 0));
    g_assert_null(vhost_user_guest_memory_new(UINT64_MAX, 0x1000, 1, 0));
    g_assert_null(vhost_user_guest_memory_new(0, 0x1000, SIZE_MAX, 0));
    g_assert_cmpint(errno, ==, EINVAL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/front-end/negotiate", test_negotiate);
    g_test_add_func("/libvhost-user/front-end/old-back-end", test_old_back_end);
    g_test_add_func("/libvhost-user/front-end/ring", test_ring);
    g_test_add_func("/libvhost-user/front-end/memory", test_memory);
    g_test_add_data_func("/libvhost-user/front-end/many-regions/acks", GINT_TO_POINTER(true),
                         test_many_regions);
    g_test_add_data_func("/libvhost-user/front-end/many-regions/barrier", GINT_TO_POINTER(false),
                         test_many_regions);
    g_test_add_func("/libvhost-user/front-end/config", test_config);
    g_test_add_func("/libvhost-user/front-end/shared-buffers", test_shared_buffers);
    for (size_t i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        g_autofree char *path =
            g_strdup_printf("/libvhost-user/front-end/wrong/%s", wrongs[i].name);
        g_test_add_data_func(path, &wrongs[i], test_wrong);
    }
    g_test_add_func("/libvhost-user/front-end/deaf", test_deaf);
    g_test_add_func("/libvhost-user/front-end/raw", test_raw);
    g_test_add_func("/libvhost-user/front-end/channel", test_channel);
    g_test_add_func("/libvhost-user/front-end/connect", test_connect);
    g_test_add_func("/libvhost-user/guest-memory", test_guest_memory);
    return g_test_run();
}
