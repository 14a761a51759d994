/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole device over a real socket while its memory comes and goes: a front-end that plugs and
 * unplugs thousands of regions, two rings with a driver and a serving thread each, and requests
 * whose buffers lie in regions that are there, are not, or change meanwhile, across the border of
 * two, and outside of all.  Every byte is compared.  Made for ThreadSanitizer.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "libvhost-user/driver.h"
#include "libvhost-user/front-end.h"
#include "libvhost-user/queue.h"

#define QUEUES 2u
#define RING_SIZE 64u
#define OUTSTANDING 16u
#define REGIONS 4096u
#define REGION_SIZE 4096u
#define CHURN_START (4ull << 30)
#define BUFFER_MAXIMUM 600u
#define DEADLINE 20000 /* milliseconds, for everything that waits */

typedef enum State { ABSENT, COMING, PRESENT, GOING } State;

/* What the driver asks: the device fills the buffer with bytes that follow from the seed, or sends
 * back their sum. */
typedef struct Request {
    guint32 fill;
    guint32 seed;
} Request;

typedef struct Answer {
    guint32 status; /* UNTOUCHED, DONE or FAULT */
    guint32 sum;
} Answer;

#define UNTOUCHED 0xffffffffu
#define DONE 1u
#define FAULT 2u

typedef struct Server Server;
typedef struct Driver Driver;

typedef struct Churn {
    VhostUserDevice *device;
    VhostUserFrontEnd *front;
    VhostUserGuestMemory *stable; /* rings, requests and answers */
    VhostUserGuestMemory *memory; /* what is plugged and unplugged */
    GThread *control;
    atomic_bool stop; /* the drivers */
    /* Counts through the states: who sees the same number twice knows that nothing happened. */
    _Atomic guint states[REGIONS];
    Server *servers;
    Driver *drivers;
} Churn;

/*
 * The program behind the device.
 */

typedef struct Pending {
    VhostUserElement *element;
    guint32 written;
} Pending;

struct Server {
    VhostUserQueue *queue;
    GThread *thread;
    GRand *random;
    int stop_fd;
    VhostUserElement *pending[RING_SIZE]; /* popped, and not yet pushed */
    guint pending_count;
    guint64 pieces; /* that buffers had beyond one each */
};

static guint8 byte_of(guint32 seed, guint32 index)
{
    return (guint8)((seed + index * 2654435761u) >> 13);
}

/* Outside of begin and end: only the element keeps its memory mapped. */
static guint32 serve_element(Server *server, VhostUserElement *element)
{
    guint8 bytes[BUFFER_MAXIMUM];
    Answer answer = {.status = element->fault ? FAULT : DONE};
    Request request;
    gsize size;

    g_assert_cmpuint(vhost_user_element_read(element, 0, &request, sizeof(request)), ==,
                     sizeof(request));
    if (request.fill) {
        size =
            element->writable_size > sizeof(answer) ? element->writable_size - sizeof(answer) : 0;
        g_assert_cmpuint(size, <=, sizeof(bytes));
        for (guint32 i = 0; i < size; i++) {
            bytes[i] = byte_of(request.seed, i);
        }
        vhost_user_element_write(element, sizeof(answer), bytes, size);
        server->pieces += element->writable_count > 2;
    } else {
        size = vhost_user_element_read(element, sizeof(request), bytes, sizeof(bytes));
        for (guint32 i = 0; i < size; i++) {
            answer.sum = answer.sum * 31 + bytes[i];
        }
        server->pieces += element->readable_count > 2;
    }
    return (guint32)vhost_user_element_write(element, 0, &answer, sizeof(answer)) +
           (request.fill ? (guint32)size : 0);
}

/* Pops all, pushes some: the others stay in flight while tables change. */
static void serve_batch(Server *server, gboolean all)
{
    Pending done[RING_SIZE];
    guint done_count = 0;
    VhostUserElement *element;

    while (server->pending_count > 0 && (all || g_rand_int_range(server->random, 0, 3) != 0)) {
        guint which = (guint)g_rand_int_range(server->random, 0, (gint)server->pending_count);

        element = server->pending[which];
        server->pending[which] = server->pending[--server->pending_count];
        done[done_count++] = (Pending){element, serve_element(server, element)};
    }
    if (!vhost_user_queue_begin(server->queue)) {
        /* The control thread is at it and kicks afterwards; nothing was answered yet. */
        for (guint i = 0; i < done_count; i++) {
            server->pending[server->pending_count++] = done[i].element;
        }
        return;
    }
    for (guint i = 0; i < done_count; i++) {
        vhost_user_queue_push(server->queue, done[i].element, done[i].written);
    }
    while (!all && (element = vhost_user_queue_pop(server->queue)) != NULL) {
        g_assert_cmpuint(server->pending_count, <, RING_SIZE);
        server->pending[server->pending_count++] = element;
    }
    vhost_user_queue_end(server->queue);
}

static gpointer server_run(gpointer opaque)
{
    Server *server = opaque;
    struct pollfd poll_fds[] = {
        {.fd = vhost_user_queue_kick_fd(server->queue), .events = POLLIN},
        {.fd = server->stop_fd, .events = POLLIN},
    };

    while (!(poll_fds[1].revents & POLLIN)) {
        vhost_user_queue_clear_kick(server->queue);
        serve_batch(server, FALSE);
        poll(poll_fds, 2, server->pending_count > 0 ? 0 : DEADLINE);
    }
    while (server->pending_count > 0) {
        serve_batch(server, TRUE);
    }
    vhost_user_queue_stopped(server->queue);
    return NULL;
}

static void on_queue_start(void *opaque, VhostUserQueue *queue)
{
    Server *server = &((Churn *)opaque)->servers[vhost_user_queue_index(queue)];

    server->queue = queue;
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->thread = g_thread_new("server", server_run, server);
}

static void on_queue_stop(void *opaque, VhostUserQueue *queue)
{
    Server *server = &((Churn *)opaque)->servers[vhost_user_queue_index(queue)];
    guint64 one = 1;

    g_assert_cmpint(write(server->stop_fd, &one, sizeof(one)), ==, sizeof(one));
}

static void on_log(void *opaque, VhostUserLogLevel level, const char *text)
{
    (void)opaque;
    if (level == VHOST_USER_LOG_ERROR) {
        g_error("%s", text);
    }
}

static gpointer control_run(gpointer opaque)
{
    Churn *churn = opaque;
    struct pollfd poll_fd = {.fd = vhost_user_device_fd(churn->device), .events = POLLIN};

    while (vhost_user_device_process(churn->device) == VHOST_USER_GOES_ON) {
        g_assert_cmpint(poll(&poll_fd, 1, DEADLINE), ==, 1);
    }
    return NULL;
}

/*
 * The guest.
 */

/* One request in flight and where its parts are. */
typedef struct Slot {
    Request *request;
    Answer *answer;
    guint64 request_address, answer_address;
    gboolean busy;
    guint64 address; /* of the buffer */
    guint32 size;
    guint first, last; /* regions that the buffer is in; REGIONS: outside of all */
    guint before_first, before_last;
} Slot;

struct Driver {
    Churn *churn;
    VhostUserDriverQueue *queue;
    GThread *thread;
    GRand *random;
    guint index;
    Slot slots[OUTSTANDING];
    gboolean taken[REGIONS / 2]; /* pairs of regions with a buffer in them */
    _Atomic guint64 done, faults, straddled;
};

static guint8 *host_of(const VhostUserGuestMemory *memory, guint64 address)
{
    const uintptr_t first = (uintptr_t)memory->areas[0].host;

    /* One mapping holds all areas in order, and the first of the table need not be the lowest. */
    return (guint8 *)(first + (uintptr_t)(address - memory->areas[0].guest_address));
}

static guint state_at(Driver *driver, guint region)
{
    return region < REGIONS ? atomic_load(&driver->churn->states[region]) : ABSENT;
}

/* A pair of regions for the slot alone: each driver has every second pair. */
static guint take_pair(Driver *driver)
{
    guint pair;

    do {
        pair = (guint)g_rand_int_range(driver->random, 0, REGIONS / 2 / QUEUES) * QUEUES +
               driver->index;
    } while (driver->taken[pair]);
    driver->taken[pair] = TRUE;
    return pair;
}

static void choose_buffer(Driver *driver, Slot *slot)
{
    guint kind = (guint)g_rand_int_range(driver->random, 0, 16);
    guint32 room;

    slot->size = (guint32)g_rand_int_range(driver->random, 2, BUFFER_MAXIMUM);
    if (kind == 0) { /* behind all memory, or so far that the sum wraps */
        slot->address = g_rand_boolean(driver->random)
                            ? CHURN_START + (guint64)REGIONS * REGION_SIZE
                            : UINT64_MAX - slot->size / 2;
        slot->first = slot->last = REGIONS;
        return;
    }
    slot->first = slot->last = 2 * take_pair(driver);
    slot->address = CHURN_START + (guint64)slot->first * REGION_SIZE;
    room = REGION_SIZE - slot->size;
    if (kind < 8) { /* across the border */
        slot->last++;
        slot->address += room + (guint32)g_rand_int_range(driver->random, 1, (gint32)slot->size);
    } else {
        slot->address += (guint32)g_rand_int_range(driver->random, 0, (gint32)room + 1);
    }
}

/* What the device is to send back is there; what it is to fill differs from that. */
static void prepare_contents(Driver *driver, const Slot *slot)
{
    guint8 *bytes = host_of(driver->churn->memory, slot->address);

    for (guint32 i = 0; slot->first < REGIONS && i < slot->size; i++) {
        bytes[i] = byte_of(slot->request->seed, i) ^ (slot->request->fill ? 0xff : 0);
    }
}

static void send_request(Driver *driver, Slot *slot)
{
    guint flags = g_rand_boolean(driver->random) ? VHOST_USER_DRIVER_INDIRECT : 0;
    guint fill = (guint)g_rand_boolean(driver->random);
    VhostUserDriverBuffer request = {slot->request_address, sizeof(Request)};
    VhostUserDriverBuffer answer = {slot->answer_address, sizeof(Answer)};
    VhostUserDriverBuffer data;

    choose_buffer(driver, slot);
    data = (VhostUserDriverBuffer){slot->address, slot->size};
    *slot->request = (Request){.fill = fill, .seed = g_rand_int(driver->random)};
    *slot->answer = (Answer){.status = UNTOUCHED};
    prepare_contents(driver, slot);
    slot->before_first = state_at(driver, slot->first);
    slot->before_last = state_at(driver, slot->last);
    g_assert_cmpint(
        vhost_user_driver_queue_add(
            driver->queue,
            (VhostUserDriverBuffer[]){request, fill ? answer : data, fill ? data : answer},
            2 - fill, 1 + fill, flags, slot),
        ==, 0);
    slot->busy = TRUE;
}

static void check_contents(Driver *driver, const Slot *slot, guint32 written)
{
    const guint8 *bytes = host_of(driver->churn->memory, slot->address);
    guint32 sum = 0;

    for (guint32 i = 0; i < slot->size; i++) {
        g_assert_cmphex(bytes[i], ==, byte_of(slot->request->seed, i));
        sum = sum * 31 + bytes[i];
    }
    g_assert_cmpuint(slot->answer->status, ==, DONE);
    if (slot->request->fill) {
        g_assert_cmpuint(written, ==, sizeof(Answer) + slot->size);
    } else {
        g_assert_cmpuint(written, ==, sizeof(Answer));
        g_assert_cmphex(slot->answer->sum, ==, sum);
    }
}

static void check_answer(Driver *driver, Slot *slot, guint32 written)
{
    guint first = state_at(driver, slot->first);
    guint last = state_at(driver, slot->last);
    gboolean first_same = first == slot->before_first;
    gboolean last_same = last == slot->before_last;
    /* A fault in what the device reads leaves it no room for its answer. */
    gboolean fault = slot->answer->status == (slot->request->fill ? FAULT : UNTOUCHED);

    if (first_same && last_same && first % 4 == PRESENT && last % 4 == PRESENT) {
        g_assert_false(fault);
    } else if ((first_same && first % 4 == ABSENT) || (last_same && last % 4 == ABSENT)) {
        g_assert_true(fault);
    }
    if (fault) {
        g_assert_cmpuint(written, <, sizeof(Answer) + slot->size);
        atomic_fetch_add(&driver->faults, 1);
    } else {
        check_contents(driver, slot, written);
        atomic_fetch_add(&driver->straddled, slot->first != slot->last);
    }
    if (slot->first < REGIONS) {
        driver->taken[slot->first / 2] = FALSE;
    }
    slot->busy = FALSE;
    atomic_fetch_add(&driver->done, 1);
}

static void collect(Driver *driver)
{
    VhostUserDriverUsed used[OUTSTANDING];
    int count;

    g_assert_cmpint(vhost_user_driver_queue_wait(driver->queue, DEADLINE), ==, 1);
    count = vhost_user_driver_queue_collect(driver->queue, used, OUTSTANDING);
    g_assert_cmpint(count, >, 0);
    for (int i = 0; i < count; i++) {
        check_answer(driver, used[i].cookie, used[i].written);
    }
}

static gpointer driver_run(gpointer opaque)
{
    Driver *driver = opaque;

    while (!atomic_load(&driver->churn->stop)) {
        for (guint i = 0; i < OUTSTANDING; i++) {
            if (!driver->slots[i].busy) {
                send_request(driver, &driver->slots[i]);
            }
        }
        vhost_user_driver_queue_kick(driver->queue);
        collect(driver);
    }
    while (vhost_user_driver_queue_outstanding(driver->queue) > 0) {
        collect(driver);
    }
    return NULL;
}

/*
 * The front-end.
 */

static void step_state(Churn *churn, guint region)
{
    atomic_fetch_add(&churn->states[region], 1);
}

static guint state_of(Churn *churn, guint region)
{
    return atomic_load(&churn->states[region]) % 4;
}

static void toggle(Churn *churn, guint region)
{
    const VhostUserMemoryArea *area = &churn->memory->areas[region];
    int result;

    step_state(churn, region);
    result = state_of(churn, region) == COMING
                 ? vhost_user_front_end_add_region(churn->front, area, NULL)
                 : vhost_user_front_end_remove_region(churn->front, area);
    g_assert_cmpstr(result == 0 ? "" : vhost_user_front_end_error(churn->front), ==, "");
    g_assert_cmpint(result, ==, 0);
    step_state(churn, region);
}

static void plug_all(Churn *churn)
{
    for (guint i = 0; i < REGIONS; i++) {
        if (state_of(churn, i) == ABSENT) {
            toggle(churn, i);
        }
    }
}

/* One message takes away all but a few, while the rings run. */
static void set_table(Churn *churn)
{
    VhostUserMemoryArea areas[VHOST_USER_MAX_REGIONS_IN_MESSAGE] = {churn->stable->areas[0]};
    gboolean wanted[REGIONS] = {FALSE};
    guint count = 1;

    for (guint i = 0; i < REGIONS && count < G_N_ELEMENTS(areas);
         i += (guint)g_test_rand_int_range(1, REGIONS / 8)) {
        wanted[i] = TRUE;
        areas[count++] = churn->memory->areas[i];
    }
    for (guint i = 0; i < REGIONS; i++) {
        if (wanted[i] != (state_of(churn, i) == PRESENT)) {
            step_state(churn, i);
        }
    }
    g_assert_cmpint(vhost_user_front_end_set_table(churn->front, areas, count, NULL), ==, 0);
    for (guint i = 0; i < REGIONS; i++) {
        if (state_of(churn, i) % 2 != 0) { /* COMING or GOING */
            step_state(churn, i);
        }
    }
}

/* Whether the drivers have met everything often enough. */
static gboolean all_met(Churn *churn)
{
    for (guint i = 0; i < QUEUES; i++) {
        const Driver *driver = &churn->drivers[i];

        if (atomic_load(&driver->done) < 2000 || atomic_load(&driver->faults) < 100 ||
            atomic_load(&driver->straddled) < 100) {
            return FALSE;
        }
    }
    return TRUE;
}

static void start_driver(Churn *churn, guint index, guint64 features, guint64 *place)
{
    Driver *driver = &churn->drivers[index];
    VhostUserDriverParameters parameters = {
        .areas = churn->stable->areas,
        .area_count = churn->stable->count,
        .features = features,
        .index = index,
        .size = RING_SIZE,
        .base = features & VHOST_USER_RING_F_PACKED ? VHOST_USER_DRIVER_PACKED_BASE : 0,
        .indirect_size = 4,
    };
    VhostUserRingSetup setup;

    *place = vhost_user_driver_place(&parameters, *place);
    driver->churn = churn;
    driver->index = index;
    driver->random = g_rand_new_with_seed((guint32)g_test_rand_int());
    churn->servers[index].random = g_rand_new_with_seed((guint32)g_test_rand_int());
    for (guint i = 0; i < OUTSTANDING; i++) {
        Slot *slot = &driver->slots[i];

        slot->request_address = *place;
        slot->answer_address = *place + sizeof(Request);
        slot->request = (Request *)(void *)host_of(churn->stable, slot->request_address);
        slot->answer = (Answer *)(void *)host_of(churn->stable, slot->answer_address);
        *place += sizeof(Request) + sizeof(Answer);
    }
    driver->queue = vhost_user_driver_queue_new(&parameters);
    g_assert_nonnull(driver->queue);
    vhost_user_driver_queue_setup(driver->queue, &setup);
    g_assert_cmpint(vhost_user_front_end_start_ring(churn->front, &setup), ==, 0);
    driver->thread = g_thread_new("driver", driver_run, driver);
}

static void start(Churn *churn, guint64 features)
{
    static const VhostUserDeviceOperations operations = {
        .log = on_log, .queue_start = on_queue_start, .queue_stop = on_queue_stop};
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = churn,
        .features = features,
        .queues = QUEUES,
        .memory_slots = REGIONS + 1,
    };
    guint64 place = 0;
    int sockets[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
    churn->servers = g_new0(Server, QUEUES);
    churn->drivers = g_new0(Driver, QUEUES);
    churn->stable = vhost_user_guest_memory_new(0, 256 << 10, 1, 0);
    churn->memory = vhost_user_guest_memory_new(CHURN_START, REGION_SIZE, REGIONS, 0);
    churn->device = vhost_user_device_new(sockets[0], &parameters);
    churn->front = vhost_user_front_end_new(sockets[1], DEADLINE);
    g_assert_true(churn->stable && churn->memory && churn->device && churn->front);
    churn->control = g_thread_new("control", control_run, churn);
    g_assert_cmpint(vhost_user_front_end_negotiate(churn->front, features, UINT64_MAX), ==, 0);
    g_assert_cmpuint(vhost_user_front_end_memory_slots(churn->front), ==, REGIONS + 1);
    g_assert_cmpint(vhost_user_front_end_add_memory(churn->front, churn->stable->areas, 1), ==, 0);
    for (guint i = 0; i < QUEUES; i++) {
        start_driver(churn, i, features, &place);
    }
    g_assert_cmpuint(place, <=, churn->stable->areas[0].size);
}

static void stop(Churn *churn)
{
    VhostUserDeviceStatistics statistics;

    atomic_store(&churn->stop, true);
    for (guint i = 0; i < QUEUES; i++) {
        Driver *driver = &churn->drivers[i];
        uint32_t base;

        g_thread_join(driver->thread);
        g_assert_cmpint(vhost_user_front_end_stop_ring(churn->front, i, &base), ==, 0);
        g_assert_cmphex(base, ==, vhost_user_driver_queue_base(driver->queue));
        g_thread_join(churn->servers[i].thread);
        g_assert_cmpuint(churn->servers[i].pieces, >, 0);
        close(churn->servers[i].stop_fd);
        g_rand_free(churn->servers[i].random);
        vhost_user_driver_queue_free(driver->queue);
        g_rand_free(driver->random);
    }
    vhost_user_front_end_free(churn->front);
    g_thread_join(churn->control);
    g_assert_cmpstr(vhost_user_device_error(churn->device), ==, NULL);
    vhost_user_device_statistics(churn->device, &statistics);
    g_assert_cmpuint(statistics.regions_peak, ==, REGIONS + 1);
    g_assert_cmpuint(statistics.regions_retired, ==, 0);
    g_assert_cmpuint(statistics.refused, ==, 1);
    vhost_user_device_free(churn->device);
    vhost_user_guest_memory_free(churn->stable);
    vhost_user_guest_memory_free(churn->memory);
    g_free(churn->servers);
    g_free(churn->drivers);
}

static void test_churn(gconstpointer packed)
{
    g_autofree Churn *churn = g_new0(Churn, 1);

    start(churn, VHOST_USER_RING_F_VERSION_1 | VHOST_USER_RING_F_INDIRECT_DESC |
                     VHOST_USER_RING_F_EVENT_IDX | (packed ? VHOST_USER_RING_F_PACKED : 0));
    plug_all(churn);
    /* The region of running rings stays. */
    g_assert_cmpint(vhost_user_front_end_remove_region(churn->front, &churn->stable->areas[0]), ==,
                    -EREMOTEIO);
    do {
        for (guint i = 0; i < REGIONS; i++) {
            toggle(churn, (guint)g_test_rand_int_range(0, REGIONS));
        }
        set_table(churn);
        plug_all(churn);
    } while (!all_met(churn));
    stop(churn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/libvhost-user/churn-device/split", NULL, test_churn);
    g_test_add_data_func("/libvhost-user/churn-device/packed", "packed", test_churn);
    return g_test_run();
}
