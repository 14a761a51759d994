/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An entropy source (virtio 1.2, 5.4) that is not random at all: records of 8 bytes, a word of 4
 * letters and a big-endian number that counts up, so that whoever reads them sees whose they are,
 * that none is torn and none comes twice.
 */
#include "backend.h"

#include <string.h>

#define WORD 4

typedef struct Rng {
    char word[WORD];
    uint32_t records;
} Rng;

typedef struct Record {
    char word[WORD];
    uint32_t number;
} Record;

static gpointer start(const char *argument)
{
    Rng *rng = g_new0(Rng, 1);

    if (strlen(argument) != WORD) {
        backend_fail("%s: a word of %d letters is needed", argument, WORD);
    }
    memcpy(rng->word, argument, WORD);
    return rng;
}

static uint32_t serve_element(gpointer state, const VhostUserElement *element)
{
    Rng *rng = state;
    uint64_t offset;
    Record record;

    memcpy(record.word, rng->word, WORD);
    for (offset = 0; offset + sizeof(record) <= element->writable_size; offset += sizeof(record)) {
        record.number = GUINT32_TO_BE(rng->records++);
        vhost_user_element_write(element, offset, &record, sizeof(record));
    }
    return (uint32_t)offset;
}

static int serve(Backend *backend, gpointer state)
{
    backend_serve_queue(backend, 0, UINT_MAX, serve_element, state);
    return -1;
}

const Kind rng_kind = {
    .name = "rng",
    .argument = "WORD",
    .queues = 1,
    .start = start,
    .serve = serve,
};
