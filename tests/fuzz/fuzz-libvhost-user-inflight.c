/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A back-end that starts over any in-flight area, beside any ring: it starts or says why not, and
 * what it starts with keeps the bounds that any queue keeps.
 */
#include "queue-guest.h"

#include <string.h>

/* Half of the inputs keep a version that is known, the rest of the area is the input's. */
static void write_area(const QueueFixture *fixture, FuzzInput *input)
{
    uint8_t *area = vhost_user_inflight_area(&fixture->inflight, 0);
    uint16_t version = fuzz_byte(input) & 1 ? 1 : (uint16_t)fuzz_number(input, 2);

    for (uint64_t i = 0; i < fixture->inflight.area_size && input->size > 0; i++) {
        area[i] = fuzz_byte(input);
    }
    memset(area, 0, 8); /* features */
    memcpy(area + 8, &version, sizeof(version));
}

/* Before the start, as the earlier back-end left it. */
static void write_ring(const QueueFixture *fixture, FuzzInput *input)
{
    uint64_t size = fixture->data - QUEUE_GUEST_BASE;
    uint8_t *ring = queue_fixture_host(fixture, QUEUE_GUEST_BASE, size);
    uint8_t count = fuzz_byte(input);

    for (uint8_t i = 0; i < count; i++) {
        ring[fuzz_number(input, 2) % size] = fuzz_byte(input);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    bool packed = fuzz_byte(&input) & 1;
    QueueOptions options = fuzz_queue_options(&input, packed);
    QueueFixture *fixture;
    const char *reason = NULL;

    options.inflight = true;
    fixture = queue_fixture_new(&options);
    vhost_user_queue_stop(fixture->queue);
    write_ring(fixture, &input);
    write_area(fixture, &input);
    if (vhost_user_queue_start(fixture->queue, &reason) == 0) {
        fuzz_queue(fixture, &input);
    } else {
        fuzz_require(reason != NULL);
    }
    queue_fixture_free(fixture);
    return 0;
}
