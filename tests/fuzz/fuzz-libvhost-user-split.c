/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest against the device's side of a split ring. */
#include "queue-guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    QueueOptions options = fuzz_queue_options(&input, false);
    QueueFixture *fixture = queue_fixture_new(&options);

    fuzz_queue(fixture, &input);
    queue_fixture_free(fixture);
    return 0;
}
