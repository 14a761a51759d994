/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random block requests: a table of kinds, each of which fills in one (virtio 1.2, 5.2.6).
 */
#include "qtest/blk-random.h"

#include <string.h>

#define SECTOR 512
#define SECTORS_MOST (BLK_RANDOM_DATA / SECTOR)

static uint32_t below(uint32_t limit)
{
    return (uint32_t)g_test_rand_int_range(0, (gint32)limit);
}

/* Splits @total bytes of data at random places. */
static void split(BlkRandom *request, uint32_t total)
{
    uint32_t left = total;

    request->total = total;
    while (left) {
        gboolean last = request->pieces + 1 == BLK_RANDOM_PIECES || below(2);
        uint32_t size = last ? left : 1 + below(left);

        request->sizes[request->pieces++] = size;
        left -= size;
    }
}

static void randomize(BlkRandom *request)
{
    for (uint32_t i = 0; i < request->total; i += 4) {
        uint32_t word = (uint32_t)g_test_rand_int();

        memcpy(request->data + i, &word, MIN(sizeof(word), request->total - i));
    }
}

/* --- reads and writes --- */

static void transfer(BlkRandom *request, uint64_t sector, uint32_t bytes)
{
    request->type = below(2) ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
    request->device_writes = request->type == VIRTIO_BLK_T_IN;
    request->sector = sector;
    split(request, bytes);
    randomize(request);
}

static void in_range(BlkRandom *request, uint64_t sectors)
{
    uint32_t count = 1 + below(SECTORS_MOST);

    transfer(request, below((uint32_t)(sectors - count + 1)), count * SECTOR);
}

static void over_the_end(BlkRandom *request, uint64_t sectors)
{
    uint32_t count = 2 + below(SECTORS_MOST - 1);

    transfer(request, sectors - count + 1 + below(count - 1), count * SECTOR);
}

static void behind_the_end(BlkRandom *request, uint64_t sectors)
{
    static const uint64_t places[] = {
        0,         1, UINT64_C(1) << 32, INT64_MAX / SECTOR, UINT64_MAX / SECTOR, UINT64_MAX - 1,
        UINT64_MAX};
    uint64_t place = places[below(G_N_ELEMENTS(places))];

    transfer(request, MAX(place, sectors + below(8)), SECTOR * (1 + below(8)));
}

static void misaligned(BlkRandom *request, uint64_t sectors)
{
    transfer(request, below((uint32_t)sectors / 2), SECTOR * below(8) + 1 + below(SECTOR - 1));
}

static void no_data(BlkRandom *request, uint64_t sectors)
{
    transfer(request, below((uint32_t)sectors), 0);
}

/* The data lies on the wrong side: the device may not write what it should, or nothing is there to
 * write from. */
static void wrong_direction(BlkRandom *request, uint64_t sectors)
{
    in_range(request, sectors);
    request->device_writes = !request->device_writes;
}

/* --- ranges --- */

typedef enum { RANGE_GOOD, RANGE_OUTSIDE, RANGE_WRAPS, RANGE_EMPTY, RANGE_HUGE } RangeKind;

static void set_range(BlkRandom *request, guint index, uint64_t sectors, RangeKind kind)
{
    struct virtio_blk_discard_write_zeroes range = {.num_sectors = 1 + below(1024)};

    range.sector = below((uint32_t)(sectors - range.num_sectors + 1));
    if (kind == RANGE_OUTSIDE) {
        range.sector = sectors - range.num_sectors + 1 + below(64);
    } else if (kind == RANGE_WRAPS) {
        range.sector = UINT64_MAX - below(2048);
    } else if (kind == RANGE_EMPTY) {
        range.num_sectors = 0;
    } else if (kind == RANGE_HUGE) {
        range.num_sectors = UINT32_MAX - below(4096);
    }
    if (request->type == VIRTIO_BLK_T_WRITE_ZEROES && below(2)) {
        range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    }
    memcpy(request->data + index * sizeof(range), &range, sizeof(range));
}

static void ranges(BlkRandom *request, uint64_t sectors, RangeKind kind, guint count)
{
    request->type = below(2) ? VIRTIO_BLK_T_DISCARD : VIRTIO_BLK_T_WRITE_ZEROES;
    split(request, count * (uint32_t)sizeof(struct virtio_blk_discard_write_zeroes));
    for (guint i = 0; i < count; i++) {
        set_range(request, i, sectors, kind);
    }
}

static void range_good(BlkRandom *request, uint64_t sectors)
{
    ranges(request, sectors, RANGE_GOOD, 1);
}

static void range_bad(BlkRandom *request, uint64_t sectors)
{
    static const RangeKind kinds[] = {RANGE_OUTSIDE, RANGE_WRAPS, RANGE_HUGE};

    ranges(request, sectors, kinds[below(G_N_ELEMENTS(kinds))], 1);
}

static void range_empty(BlkRandom *request, uint64_t sectors)
{
    ranges(request, sectors, RANGE_EMPTY, 1);
}

/* More than either daemon says that it takes. */
static void range_many(BlkRandom *request, uint64_t sectors)
{
    ranges(request, sectors, RANGE_GOOD, 33 + below(64));
}

static void range_flags(BlkRandom *request, uint64_t sectors)
{
    struct virtio_blk_discard_write_zeroes range;

    ranges(request, sectors, RANGE_GOOD, 1);
    memcpy(&range, request->data, sizeof(range));
    range.flags = request->type == VIRTIO_BLK_T_DISCARD ? 1 + below(7) : 2u << below(30);
    memcpy(request->data, &range, sizeof(range));
}

static void range_cut(BlkRandom *request, uint64_t sectors)
{
    ranges(request, sectors, RANGE_GOOD, 1);
    request->pieces = 0;
    split(request, below(sizeof(struct virtio_blk_discard_write_zeroes)));
}

/* --- others --- */

static void flush(BlkRandom *request, uint64_t sectors G_GNUC_UNUSED)
{
    request->type = VIRTIO_BLK_T_FLUSH;
}

static void identity(BlkRandom *request, uint64_t sectors G_GNUC_UNUSED)
{
    request->type = VIRTIO_BLK_T_GET_ID;
    request->device_writes = TRUE;
    split(request, VIRTIO_BLK_ID_BYTES);
}

static void unknown(BlkRandom *request, uint64_t sectors)
{
    static const uint32_t types[] = {2,  3,  5,  6,  7,     9,           10,
                                     12, 14, 16, 30, 0x100, 0x80000000u, UINT32_MAX};

    transfer(request, below((uint32_t)sectors), SECTOR * below(8));
    request->type = types[below(G_N_ELEMENTS(types))];
    request->device_writes = (gboolean)below(2);
}

static const struct {
    const char *name;
    guint weight;
    void (*make)(BlkRandom *request, uint64_t sectors);
} kinds[] = {
    {"in range", 30, in_range},
    {"over the end", 4, over_the_end},
    {"behind the end", 4, behind_the_end},
    {"misaligned", 4, misaligned},
    {"no data", 2, no_data},
    {"wrong direction", 3, wrong_direction},
    {"range", 12, range_good},
    {"range outside", 4, range_bad},
    {"empty range", 2, range_empty},
    {"too many ranges", 3, range_many},
    {"range with flags", 3, range_flags},
    {"cut range", 3, range_cut},
    {"flush", 3, flush},
    {"identity", 1, identity},
    {"unknown type", 4, unknown},
};

void blk_random_next(BlkRandom *request, uint64_t sectors)
{
    guint sum = 0, chosen, i = 0;

    for (guint j = 0; j < G_N_ELEMENTS(kinds); j++) {
        sum += kinds[j].weight;
    }
    chosen = below(sum);
    while (chosen >= kinds[i].weight) {
        chosen -= kinds[i++].weight;
    }
    memset(request, 0, offsetof(BlkRandom, data));
    request->name = kinds[i].name;
    kinds[i].make(request, sectors);
}

char *blk_random_describe(const BlkRandom *request)
{
    GString *text = g_string_new(request->name);

    g_string_append_printf(
        text, ": type %u, sector %" G_GUINT64_FORMAT ", data for the device to %s:", request->type,
        request->sector, request->device_writes ? "write" : "read");
    for (guint i = 0; i < request->pieces; i++) {
        g_string_append_printf(text, " %u", request->sizes[i]);
    }
    for (guint i = 0; i < request->total && i < 16 && !request->device_writes; i++) {
        g_string_append_printf(text, "%s%02x", i ? "" : ", bytes ", request->data[i]);
    }
    return g_string_free(text, FALSE);
}
