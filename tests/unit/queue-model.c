/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a queue: what the driver asked for, in a list; what the device took, in another.
 * Each request has a place of its own in guest memory, so that bytes tell whose they are.
 */
#include <errno.h>
#include <string.h>

#include "queue-fixture.h"

#define REQUEST_BYTES 3001u /* places begin anywhere in a page, and straddle areas */
#define BUFFERS 7u
#define REQUESTS_MOST 40u

typedef struct Request {
    unsigned place;
    VhostUserDriverBuffer buffers[BUFFERS];
    unsigned readable, writable;
    uint64_t readable_size, writable_size;
    uint8_t bytes[REQUEST_BYTES]; /* of all buffers, one behind the other */
    uint32_t written;
    bool pushed;
    VhostUserElement *element;
} Request;

typedef struct Model {
    QueueFixture *fixture;
    GPtrArray *in_order;  /* added and not collected, oldest first */
    GPtrArray *waiting;   /* added and not popped, oldest first */
    GPtrArray *at_device; /* popped and not pushed */
    bool place_taken[REQUESTS_MOST];
    unsigned places;
    bool calls;         /* enabled, for each */
    bool asleep;        /* the device has found the ring empty; no kick since */
    bool suppressed;    /* it has popped something since it found the ring empty */
    uint8_t *expected;  /* log, for data */
    uint8_t *ring_copy; /* of the first area up to the data, before the device's turn */
} Model;

static unsigned choose(unsigned below)
{
    return (unsigned)g_test_rand_int_range(0, (gint32)below);
}

static bool has(const Model *model, uint64_t feature)
{
    return model->fixture->options.features & feature;
}

/* --- the driver --- */

static uint64_t place_address(const Model *model, unsigned place)
{
    return model->fixture->data + (uint64_t)place * REQUEST_BYTES;
}

/* Guest memory byte by byte: a buffer may lie in two areas. */
static void copy_guest(const Model *model, uint64_t guest_address, uint8_t *bytes, uint32_t size,
                       bool to_guest)
{
    /* All areas lie one behind the other in our mapping. */
    uint8_t *host = (uint8_t *)queue_fixture_host(model->fixture, QUEUE_GUEST_BASE, 1) +
                    (guest_address - QUEUE_GUEST_BASE);

    memcpy(to_guest ? host : bytes, to_guest ? bytes : host, size);
}

static void fill_request(Model *model, Request *request, unsigned count)
{
    uint64_t address = place_address(model, request->place);
    unsigned each = REQUEST_BYTES / count;

    request->readable = choose(count + 1);
    request->writable = count - request->readable;
    for (unsigned i = 0; i < count; i++) {
        uint32_t size = choose(4) == 0 ? 0 : choose(each + 1);

        request->buffers[i] = (VhostUserDriverBuffer){address, size};
        address += size;
        *(i < request->readable ? &request->readable_size : &request->writable_size) += size;
    }
    for (unsigned i = 0; i < request->readable_size; i++) {
        request->bytes[i] = (uint8_t)choose(256);
    }
    copy_guest(model, place_address(model, request->place), request->bytes,
               (uint32_t)request->readable_size, true);
}

static void add_request(Model *model)
{
    const QueueOptions *options = &model->fixture->options;
    bool indirect = has(model, VHOST_USER_RING_F_INDIRECT_DESC) && choose(2);
    unsigned most = indirect ? options->indirect_size : MIN(options->size, BUFFERS);
    unsigned place = choose(model->places);
    Request *request;
    int result;

    if (model->place_taken[place]) {
        return;
    }
    request = g_new0(Request, 1);
    request->place = place;
    fill_request(model, request, 1 + choose(MIN(most, BUFFERS)));
    result = vhost_user_driver_queue_add(model->fixture->driver, request->buffers,
                                         request->readable, request->writable,
                                         indirect ? VHOST_USER_DRIVER_INDIRECT : 0, request);
    if (result < 0) {
        g_assert_cmpint(result, ==, -ENOSPC);
        g_free(request);
        return;
    }
    model->place_taken[place] = true;
    g_ptr_array_add(model->in_order, request);
    g_ptr_array_add(model->waiting, request);
}

static void driver_kicks(Model *model)
{
    unsigned before = model->waiting->len;
    bool kicked;

    for (unsigned i = choose(4); i > 0; i--) {
        add_request(model);
    }
    kicked = vhost_user_driver_queue_kick(model->fixture->driver);
    g_assert_cmpint(
        kicked, ==,
        queue_fixture_signalled(vhost_user_driver_queue_kick_fd(model->fixture->driver)));
    if (model->waiting->len == before) {
        return;
    }
    if (model->asleep) {
        g_assert_true(kicked);
    } else if (model->suppressed && !has(model, VHOST_USER_RING_F_EVENT_IDX)) {
        g_assert_false(kicked);
    }
    model->asleep = false;
}

static void collect(Model *model)
{
    VhostUserDriverUsed used;

    while (vhost_user_driver_queue_collect(model->fixture->driver, &used, 1) == 1) {
        Request *request = used.cookie;
        uint8_t bytes[REQUEST_BYTES];

        g_assert_true(request->pushed);
        g_assert_cmpuint(used.written, ==, request->written);
        if (has(model, VHOST_USER_RING_F_IN_ORDER)) {
            g_assert_true(request == g_ptr_array_index(model->in_order, 0));
        }
        copy_guest(model, place_address(model, request->place), bytes,
                   (uint32_t)request->readable_size + request->written, false);
        g_assert_cmpint(memcmp(bytes, request->bytes, request->readable_size + request->written),
                        ==, 0);
        model->place_taken[request->place] = false;
        g_ptr_array_remove(model->in_order, request);
        g_free(request);
    }
    g_assert_cmpstr(vhost_user_driver_queue_error(model->fixture->driver), ==, NULL);
}

/* --- the device --- */

/* The pieces of @count buffers, split where one area ends. */
static void check_pieces(const Model *model, const VhostUserDriverBuffer *buffers, unsigned count,
                         const struct iovec *pieces, uint32_t piece_count)
{
    uint64_t area_size = model->fixture->memory->areas[0].size;
    uint32_t piece = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t address = buffers[i].guest_address, size = buffers[i].size;

        while (size > 0) {
            uint64_t room = area_size - (address - QUEUE_GUEST_BASE) % area_size;

            g_assert_cmpuint(piece, <, piece_count);
            g_assert_cmpuint(pieces[piece].iov_len, ==, MIN(room, size));
            address += pieces[piece].iov_len;
            size -= pieces[piece].iov_len;
            piece++;
        }
    }
    g_assert_cmpuint(piece, ==, piece_count);
}

static void check_element(const Model *model, const Request *request)
{
    const VhostUserElement *element = request->element;
    uint8_t bytes[REQUEST_BYTES + 1];

    g_assert_false(element->fault);
    g_assert_false(element->resubmitted);
    g_assert_cmpuint(element->readable_size, ==, request->readable_size);
    g_assert_cmpuint(element->writable_size, ==, request->writable_size);
    check_pieces(model, request->buffers, request->readable, element->readable,
                 element->readable_count);
    check_pieces(model, request->buffers + request->readable, request->writable, element->writable,
                 element->writable_count);
    g_assert_cmpuint(vhost_user_element_read(element, 0, bytes, sizeof(bytes)), ==,
                     request->readable_size);
    g_assert_cmpint(memcmp(bytes, request->bytes, request->readable_size), ==, 0);
    if (model->fixture->options.request_size > 0) {
        g_assert_cmpuint((uintptr_t)element->data % 16, ==, 0);
        memset(element->data, 0xda, model->fixture->options.request_size);
    }
}

static void pop_some(Model *model)
{
    VhostUserQueue *queue = model->fixture->queue;

    for (unsigned i = choose(6); i > 0; i--) {
        VhostUserElement *element;
        Request *request;

        g_assert_cmpint(vhost_user_queue_pending(queue), ==, model->waiting->len > 0);
        element = vhost_user_queue_pop(queue);
        g_assert_cmpint(element != NULL, ==, model->waiting->len > 0);
        if (!element) {
            model->asleep = true;
            model->suppressed = false;
            return;
        }
        model->asleep = false;
        model->suppressed = true;
        request = g_ptr_array_index(model->waiting, 0);
        request->element = element;
        check_element(model, request);
        if (choose(8) == 0) {
            vhost_user_queue_unpop(queue, element);
            continue;
        }
        g_ptr_array_remove_index(model->waiting, 0);
        g_ptr_array_add(model->at_device, request);
    }
}

static void expect_logged(Model *model, uint64_t guest_address, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        uint64_t page = (guest_address + i) / VHOST_USER_LOG_PAGE_SIZE;

        model->expected[page / 8] |= (uint8_t)(1u << page % 8);
    }
}

static void push_one(Model *model, unsigned index)
{
    Request *request = g_ptr_array_remove_index(model->at_device, index);
    VhostUserElement *element = request->element;
    uint32_t written = choose((unsigned)request->writable_size + 1);
    uint64_t address = place_address(model, request->place) + request->readable_size;
    unsigned cut = choose(written + 1);

    for (unsigned i = 0; i < written; i++) {
        request->bytes[request->readable_size + i] = (uint8_t)choose(256);
    }
    g_assert_cmpuint(
        vhost_user_element_write(element, 0, request->bytes + request->readable_size, cut), ==,
        cut);
    g_assert_cmpuint(vhost_user_element_write(element, cut,
                                              request->bytes + request->readable_size + cut,
                                              written - cut),
                     ==, written - cut);
    expect_logged(model, address, written);
    if (written < request->writable_size && choose(4) == 0) {
        /* Something behind what it reports. */
        vhost_user_queue_log(model->fixture->queue, element, written,
                             request->writable_size - written);
        expect_logged(model, address + written, request->writable_size - written);
    }
    request->written = written;
    request->pushed = true;
    vhost_user_queue_push(model->fixture->queue, element,
                          written == request->writable_size && choose(4) == 0 ? UINT32_MAX
                                                                              : written);
}

/* What the device changed in the ring is in the log. */
static void check_ring_logged(const Model *model)
{
    const QueueFixture *fixture = model->fixture;
    size_t size = fixture->data - QUEUE_GUEST_BASE;
    const uint8_t *now = queue_fixture_host(fixture, QUEUE_GUEST_BASE, size);

    for (size_t i = 0; i < size; i++) {
        if (now[i] != model->ring_copy[i]) {
            g_assert_true(queue_fixture_logged(fixture, QUEUE_GUEST_BASE + i));
        }
    }
}

/* Whether there is something pushed that the driver may see. */
static bool anything_to_tell(const Model *model)
{
    unsigned count = has(model, VHOST_USER_RING_F_IN_ORDER) ? MIN(model->in_order->len, 1)
                                                            : model->in_order->len;

    for (unsigned i = 0; i < count; i++) {
        if (((const Request *)g_ptr_array_index(model->in_order, i))->pushed) {
            return true;
        }
    }
    return false;
}

/* The driver had collected all that it was told of. */
static void check_calls(const Model *model)
{
    bool called = queue_fixture_signalled(vhost_user_driver_queue_call_fd(model->fixture->driver));

    if (!anything_to_tell(model)) {
        g_assert_false(called);
    } else if (model->calls) {
        g_assert_true(called);
    } else if (has(model, VHOST_USER_RING_F_PACKED) || !has(model, VHOST_USER_RING_F_EVENT_IDX)) {
        g_assert_false(called);
    }
}

static void device_turn(Model *model, bool push_all)
{
    QueueFixture *fixture = model->fixture;
    size_t ring_size = fixture->data - QUEUE_GUEST_BASE;

    collect(model);
    g_assert_false(anything_to_tell(model));
    model->calls = choose(2);
    if (model->calls) {
        g_assert_false(vhost_user_driver_queue_enable_calls(fixture->driver, 1));
    } else {
        vhost_user_driver_queue_disable_calls(fixture->driver);
    }
    if (fixture->options.log) {
        memcpy(model->ring_copy, queue_fixture_host(fixture, QUEUE_GUEST_BASE, ring_size),
               ring_size);
    }
    g_assert_true(vhost_user_queue_begin(fixture->queue));
    pop_some(model);
    for (unsigned i = push_all ? model->at_device->len : choose(6);
         i > 0 && model->at_device->len > 0; i--) {
        push_one(model, choose(model->at_device->len));
        if (choose(4) == 0 && !push_all) {
            pop_some(model);
        }
    }
    g_assert_cmpuint(vhost_user_queue_in_flight(fixture->queue), ==, model->at_device->len);
    vhost_user_queue_end(fixture->queue);
    check_calls(model);
    if (fixture->options.log) {
        check_ring_logged(model);
    }
}

/* The front-end stops the ring and, maybe at a new connection, starts it again. */
static void restart(Model *model)
{
    QueueFixture *fixture = model->fixture;
    uint32_t base;

    device_turn(model, true);
    g_assert_cmpuint(model->at_device->len, ==, 0);
    collect(model);
    vhost_user_queue_stopped(fixture->queue);
    vhost_user_queue_stop(fixture->queue);
    base = vhost_user_queue_base(fixture->queue);
    if (model->waiting->len == 0) {
        g_assert_cmpuint(base, ==, vhost_user_driver_queue_base(fixture->driver));
    }
    queue_fixture_replace(fixture, base);
    queue_fixture_signalled(vhost_user_driver_queue_call_fd(fixture->driver));
    model->asleep = false;
    model->suppressed = false;
}

/* Data pages exactly; of the ring's pages only those that the device writes. */
static void check_log(const Model *model)
{
    const QueueFixture *fixture = model->fixture;
    const VhostUserDriverParameters *parameters = &fixture->parameters;
    bool packed = has(model, VHOST_USER_RING_F_PACKED);
    uint64_t first = (packed ? parameters->descriptor : parameters->used) /
                     VHOST_USER_LOG_PAGE_SIZE * VHOST_USER_LOG_PAGE_SIZE;
    uint64_t last = parameters->used + (packed ? 3 : 5 + 8 * (uint64_t)parameters->size);

    for (uint64_t page = 0; page < fixture->end; page += VHOST_USER_LOG_PAGE_SIZE) {
        uint64_t bit = page / VHOST_USER_LOG_PAGE_SIZE;
        bool expected = model->expected[bit / 8] >> (bit % 8) & 1;

        if (page < first || page > last) {
            g_assert_cmpint(queue_fixture_logged(fixture, page), ==, expected);
        } else if (expected) {
            g_assert_true(queue_fixture_logged(fixture, page));
        }
    }
}

static void finish(Model *model)
{
    VhostUserQueueStatistics statistics;

    while (model->in_order->len > 0) {
        vhost_user_driver_queue_publish(model->fixture->driver);
        device_turn(model, true);
        collect(model);
    }
    g_assert_cmpuint(model->waiting->len, ==, 0);
    g_assert_cmpuint(model->fixture->broken, ==, 0);
    vhost_user_queue_statistics(model->fixture->queue, &statistics);
    g_assert_cmpuint(statistics.popped, ==, statistics.pushed);
    g_assert_cmpuint(statistics.faults + statistics.resubmitted, ==, 0);
    g_assert_cmpuint(statistics.lookup_hits, <=, statistics.lookups);
    if (model->fixture->options.log) {
        check_log(model);
    }
}

void queue_model_run(const QueueOptions *options, unsigned steps)
{
    QueueOptions chosen = *options;
    Model model = {.in_order = g_ptr_array_new(),
                   .waiting = g_ptr_array_new(),
                   .at_device = g_ptr_array_new()};

    model.places = REQUESTS_MOST;
    chosen.data_size = REQUESTS_MOST * REQUEST_BYTES;
    model.fixture = queue_fixture_new(&chosen);
    model.expected = g_malloc0(model.fixture->end / VHOST_USER_LOG_PAGE_SIZE / 8 + 1);
    model.ring_copy = g_malloc(model.fixture->data - QUEUE_GUEST_BASE);
    for (unsigned i = 0; i < steps; i++) {
        unsigned what = choose(32);

        if (what == 0) {
            restart(&model);
        } else if (what < 16) {
            driver_kicks(&model);
        } else {
            device_turn(&model, false);
        }
    }
    finish(&model);
    g_free(model.expected);
    g_free(model.ring_copy);
    queue_fixture_free(model.fixture);
    g_ptr_array_unref(model.in_order);
    g_ptr_array_unref(model.waiting);
    g_ptr_array_unref(model.at_device);
}

void queue_model_run_features(uint64_t features, const QueueOptions *options, unsigned steps)
{
    static const uint64_t optional[] = {VHOST_USER_RING_F_INDIRECT_DESC,
                                        VHOST_USER_RING_F_EVENT_IDX, VHOST_USER_RING_F_IN_ORDER};

    for (unsigned set = 0; set < 1u << G_N_ELEMENTS(optional); set++) {
        QueueOptions chosen = *options;

        chosen.features |= features;
        for (unsigned i = 0; i < G_N_ELEMENTS(optional); i++) {
            chosen.features |= set >> i & 1 ? optional[i] : 0;
        }
        chosen.indirect_size = set & 1 ? BUFFERS : 0;
        queue_model_run(&chosen, steps);
    }
}
