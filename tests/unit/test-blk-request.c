/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk requests: taken out of elements whose buffers are cut in every way, checked, answered.
 * The elements are built here, each piece in memory of its own.
 */
#include "tools/vhost-user-blk/config.h"

#include "blk-element.h"
#include "blk-image.h"

#include <string.h>
#include <unistd.h>

#define SECTORS 256u
#define IMAGE_SIZE (SECTORS * 512u)

/* How the buffers are cut. */
typedef enum Cut {
    CUT_AS_DRIVERS_DO, /* header, data, status */
    CUT_INTO_BYTES,
    CUT_AT_RANDOM,
    CUT_NOWHERE,
    CUT_COUNT
} Cut;

static size_t piece_size(void *cut, size_t left, size_t special)
{
    switch (*(Cut *)cut) {
    case CUT_AS_DRIVERS_DO:
        return special > 0 && special < left ? special : left;
    case CUT_INTO_BYTES:
        return 1;
    case CUT_AT_RANDOM:
        return (size_t)g_test_rand_int_range(0, (int)left + 1); /* empty ones as well */
    default:
        return left;
    }
}

static BlkElement *element_new(const void *readable, size_t readable_size, size_t writable_size,
                               Cut cut)
{
    return blk_element_new(readable, readable_size, writable_size, piece_size, &cut);
}

/* A request of @type with @data behind the header and @room bytes to write to, status included. */
static BlkAnswer ask(const BlkRequestRules *rules, Cut cut, uint32_t type, uint64_t sector,
                     const void *data, size_t size, size_t room)
{
    g_autofree uint8_t *bytes = g_malloc(16 + size);
    struct virtio_blk_outhdr header = {.type = type, .ioprio = 77, .sector = sector};
    BlkElement *test;
    BlkAnswer answer;

    memcpy(bytes, &header, 16);
    if (size > 0) {
        memcpy(bytes + 16, data, size);
    }
    test = element_new(bytes, 16 + size, room, cut);
    answer = blk_element_ask(rules, test);
    blk_element_free(test);
    return answer;
}

/* Answered with @status, and the used length tells the truth: no byte up to it is as it was. */
static void assert_answer(const BlkAnswer *answer, uint8_t status)
{
    g_assert_cmpint(answer->next, !=, BLK_REQUEST_DROP);
    g_assert_cmpuint(answer->status, ==, status);
    g_assert_cmpuint(answer->written, ==, answer->size + 1);
}

static void assert_zeroes(const BlkAnswer *answer, size_t from)
{
    for (size_t i = from; i < answer->size; i++) {
        g_assert_cmpuint(answer->data[i], ==, 0);
    }
}

/* --- a disk for them --- */

typedef struct Fixture {
    BlkImage *image;
    BlkDisk *disk;
    BlkRequestRules rules;
} Fixture;

static void set_up_with(Fixture *fixture, BlkDiskOptions options)
{
    fixture->image = blk_image_new(BLK_IMAGE_ON_DISK, IMAGE_SIZE);
    if (fixture->image != NULL) {
        fixture->disk = blk_image_open(fixture->image, options);
        blk_request_rules_init(&fixture->rules, fixture->disk, "a serial number");
    }
}

static void set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    set_up_with(fixture, (BlkDiskOptions){0});
}

static void set_up_read_only(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    set_up_with(fixture, (BlkDiskOptions){.read_only = TRUE});
}

static void tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    if (fixture->image != NULL) {
        blk_image_check(fixture->image);
    }
    blk_disk_close(fixture->disk);
    blk_image_free(fixture->image);
}

/* --- tests --- */

static void test_read(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    for (Cut cut = 0; cut < CUT_COUNT && fixture->disk != NULL; cut++) {
        for (unsigned sectors = 1; sectors <= 16; sectors *= 4) {
            uint64_t sector = (uint64_t)g_test_rand_int_range(0, SECTORS - 15);
            g_auto(BlkAnswer) answer =
                ask(&fixture->rules, cut, VIRTIO_BLK_T_IN, sector, NULL, 0, sectors * 512 + 1);

            assert_answer(&answer, VIRTIO_BLK_S_OK);
            g_assert_cmpmem(answer.data, answer.size, fixture->image->model + sector * 512,
                            sectors * 512);
        }
    }
}

static void test_write(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    for (Cut cut = 0; cut < CUT_COUNT && fixture->disk != NULL; cut++) {
        for (unsigned sectors = 1; sectors <= 16; sectors *= 4) {
            uint64_t sector = (uint64_t)g_test_rand_int_range(0, SECTORS - 15);
            uint8_t *model = fixture->image->model + sector * 512;

            for (unsigned i = 0; i < sectors * 512; i++) {
                model[i] = (uint8_t)g_test_rand_int();
            }
            /* Room beyond the status is no fault; it ends up zeroed. */
            g_auto(BlkAnswer) answer =
                ask(&fixture->rules, cut, VIRTIO_BLK_T_OUT, sector, model, sectors * 512, sectors);

            assert_answer(&answer, VIRTIO_BLK_S_OK);
            assert_zeroes(&answer, 0);
            blk_image_check(fixture->image);
        }
    }
}

/* The last sectors, one too many, and sums that wrap. */
static void test_ranges(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const struct {
        uint64_t sector;
        unsigned bytes;
        uint8_t status;
    } rows[] = {
        {SECTORS - 1, 512, VIRTIO_BLK_S_OK},
        {SECTORS - 2, 1024, VIRTIO_BLK_S_OK},
        {SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR},
        {SECTORS, 0, VIRTIO_BLK_S_OK},
        {SECTORS, 512, VIRTIO_BLK_S_IOERR},
        {SECTORS + 1, 0, VIRTIO_BLK_S_IOERR},
        {0, IMAGE_SIZE, VIRTIO_BLK_S_OK},
        {0, IMAGE_SIZE + 512, VIRTIO_BLK_S_IOERR},
        {1, IMAGE_SIZE, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX, 512, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX / 512, 512, VIRTIO_BLK_S_IOERR},
        {UINT64_MAX / 512 + 1, 512, VIRTIO_BLK_S_IOERR},
        {0, 1, VIRTIO_BLK_S_IOERR},
        {0, 511, VIRTIO_BLK_S_IOERR},
        {0, 513, VIRTIO_BLK_S_IOERR},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows) && fixture->disk != NULL; i++) {
        uint64_t sector = rows[i].sector;
        gboolean fine = rows[i].status == VIRTIO_BLK_S_OK;
        g_autofree uint8_t *bytes = g_malloc0(rows[i].bytes);
        g_auto(BlkAnswer) read = ask(&fixture->rules, CUT_AT_RANDOM, VIRTIO_BLK_T_IN, sector, NULL,
                                     0, rows[i].bytes + 1);

        assert_answer(&read, rows[i].status);
        if (!fine) {
            assert_zeroes(&read, 0);
        }
        g_auto(BlkAnswer) write =
            ask(&fixture->rules, CUT_AT_RANDOM, VIRTIO_BLK_T_OUT, sector,
                fine ? fixture->image->model + sector * 512 : bytes, rows[i].bytes, 1);

        assert_answer(&write, rows[i].status);
    }
}

static void test_flush(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    for (Cut cut = 0; cut < CUT_COUNT && fixture->disk != NULL; cut++) {
        /* The sector means nothing. */
        g_auto(BlkAnswer) answer =
            ask(&fixture->rules, cut, VIRTIO_BLK_T_FLUSH, UINT64_MAX, NULL, 0, 1);

        assert_answer(&answer, VIRTIO_BLK_S_OK);
    }
}

static void test_get_id(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const char *const serials[] = {"", "a serial number", "exactly 20 bytes long",
                                          "longer than the 20 bytes that there are"};
    static const unsigned rooms[] = {1, 2, 10, 21, 100};

    for (unsigned i = 0; i < G_N_ELEMENTS(serials) && fixture->disk != NULL; i++) {
        blk_request_rules_init(&fixture->rules, fixture->disk, serials[i]);
        for (unsigned j = 0; j < G_N_ELEMENTS(rooms); j++) {
            for (Cut cut = 0; cut < CUT_COUNT; cut++) {
                char expected[20] = {0};
                g_auto(BlkAnswer) answer =
                    ask(&fixture->rules, cut, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, rooms[j]);

                memcpy(expected, serials[i], MIN(strlen(serials[i]), sizeof(expected)));
                assert_answer(&answer, VIRTIO_BLK_S_OK);
                g_assert_cmpmem(answer.data, MIN(answer.size, sizeof(expected)), expected,
                                MIN(answer.size, sizeof(expected)));
                assert_zeroes(&answer, MIN(answer.size, sizeof(expected)));
            }
        }
    }
}

/* --- segments --- */

typedef struct virtio_blk_discard_write_zeroes Segment;

static BlkAnswer ask_segments(Fixture *fixture, uint32_t type, const Segment *segments,
                              unsigned count)
{
    return ask(&fixture->rules, CUT_AT_RANDOM, type, 0, segments, count * sizeof(*segments), 1);
}

static void test_discard(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const Segment segments[] = {{.sector = 8, .num_sectors = 16},
                                       {.sector = SECTORS, .num_sectors = 0},
                                       {.sector = 200, .num_sectors = 56}};

    if (fixture->disk != NULL) {
        g_auto(BlkAnswer) answer = ask_segments(fixture, VIRTIO_BLK_T_DISCARD, segments, 3);

        assert_answer(&answer, VIRTIO_BLK_S_OK);
        if (blk_disk_can_discard(fixture->disk)) {
            /* What file systems do with whole blocks. */
            memset(fixture->image->model + 8 * 512, 0, 16 * 512);
            memset(fixture->image->model + 200 * 512, 0, 56 * 512);
        }
    }
}

static void test_write_zeroes(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    Segment segments[BLK_DISCARD_SEGMENTS_MAX];

    if (fixture->disk == NULL) {
        return;
    }
    for (unsigned i = 0; i < BLK_DISCARD_SEGMENTS_MAX; i++) {
        segments[i] = (Segment){.sector = i * 8, .num_sectors = 3, .flags = i % 2};
        memset(fixture->image->model + (size_t)i * 8 * 512, 0, (size_t)3 * 512);
    }
    g_auto(BlkAnswer) answer =
        ask_segments(fixture, VIRTIO_BLK_T_WRITE_ZEROES, segments, BLK_DISCARD_SEGMENTS_MAX);

    assert_answer(&answer, VIRTIO_BLK_S_OK);
}

/* One segment is wrong: none is done. virtio 1.2, 5.2.6.2 tells which status. */
static void test_bad_segments(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const struct {
        uint32_t type;
        Segment segment;
        uint8_t status;
    } rows[] = {
        {VIRTIO_BLK_T_DISCARD, {.sector = SECTORS, .num_sectors = 1}, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_DISCARD, {.sector = 1, .num_sectors = SECTORS}, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_DISCARD, {.sector = UINT64_MAX, .num_sectors = 1}, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_DISCARD, {.num_sectors = UINT32_MAX}, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_DISCARD, {.num_sectors = 1, .flags = 1}, VIRTIO_BLK_S_UNSUPP},
        {VIRTIO_BLK_T_DISCARD, {.num_sectors = 1, .flags = 2}, VIRTIO_BLK_S_UNSUPP},
        {VIRTIO_BLK_T_WRITE_ZEROES, {.sector = SECTORS, .num_sectors = 1}, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_WRITE_ZEROES,
         {.num_sectors = BLK_DISCARD_SECTORS_MAX + 1},
         VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_WRITE_ZEROES, {.num_sectors = 1, .flags = 3}, VIRTIO_BLK_S_UNSUPP},
        {VIRTIO_BLK_T_WRITE_ZEROES, {.num_sectors = 1, .flags = 1u << 31}, VIRTIO_BLK_S_UNSUPP},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows) && fixture->disk != NULL; i++) {
        const Segment segments[] = {{.sector = 3, .num_sectors = 2}, rows[i].segment};
        g_auto(BlkAnswer) answer = ask_segments(fixture, rows[i].type, segments, 2);

        assert_answer(&answer, rows[i].status);
    }
}

static void test_bad_number_of_segments(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
    static const size_t sizes[] = {0, 1, 15, 17, 31, (BLK_DISCARD_SEGMENTS_MAX + 1) * 16};
    g_autofree uint8_t *bytes = g_malloc0((BLK_DISCARD_SEGMENTS_MAX + 1) * 16);

    for (unsigned i = 0; i < G_N_ELEMENTS(types) && fixture->disk != NULL; i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(sizes); j++) {
            g_auto(BlkAnswer) answer =
                ask(&fixture->rules, CUT_AT_RANDOM, types[i], 0, bytes, sizes[j], 1);

            assert_answer(&answer, VIRTIO_BLK_S_IOERR);
        }
    }
}

/* --- what is no request --- */

static void test_unsupported(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const uint32_t types[] = {2,  3,  5,  6,  7,          9,           10,          12, 14,
                                     15, 16, 31, 99, UINT32_MAX, 0x80000000u, 0x80000001u, 256};

    for (unsigned i = 0; i < G_N_ELEMENTS(types) && fixture->disk != NULL; i++) {
        uint8_t bytes[512] = {0};
        g_auto(BlkAnswer) answer = ask(&fixture->rules, (Cut)(i % CUT_COUNT), types[i], 0, bytes,
                                       sizeof(bytes), 1 + i * 100);

        assert_answer(&answer, VIRTIO_BLK_S_UNSUPP);
        assert_zeroes(&answer, 0);
    }
}

/* A header of 0 to 15 bytes, with room for a status and without. */
static void test_too_short(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_FLUSH};

    for (unsigned size = 0; size <= 16 && fixture->disk != NULL; size++) {
        for (unsigned room = 0; room < 3; room++) {
            BlkElement *test = element_new(&header, size, room, CUT_AT_RANDOM);
            g_auto(BlkAnswer) answer = blk_element_ask(&fixture->rules, test);

            if (room == 0) {
                g_assert_cmpint(answer.next, ==, BLK_REQUEST_DROP);
            } else {
                assert_answer(&answer, size < 16 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
            }
            blk_element_free(test);
        }
    }
}

/* The guest's buffers end outside of its memory: the last byte that is there is not the status. */
static void test_fault(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN};

    if (fixture->disk != NULL) {
        BlkElement *test = element_new(&header, sizeof(header), 512, CUT_AS_DRIVERS_DO);

        test->element.fault = true;
        g_auto(BlkAnswer) answer = blk_element_ask(&fixture->rules, test);

        g_assert_cmpint(answer.next, ==, BLK_REQUEST_DROP);
        for (unsigned i = 0; i < answer.size; i++) {
            g_assert_cmpuint(answer.data[i], ==, BLK_ELEMENT_UNTOUCHED);
        }
        blk_element_free(test);
    }
}

static void test_read_only(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const Segment segment = {.num_sectors = 1};
    static const struct {
        uint32_t type;
        size_t size, room;
        uint8_t status;
    } rows[] = {
        {VIRTIO_BLK_T_OUT, 512, 1, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_DISCARD, sizeof(segment), 1, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_WRITE_ZEROES, sizeof(segment), 1, VIRTIO_BLK_S_IOERR},
        {VIRTIO_BLK_T_IN, 0, 513, VIRTIO_BLK_S_OK},
        {VIRTIO_BLK_T_FLUSH, 0, 1, VIRTIO_BLK_S_OK},
    };
    uint8_t bytes[512] = {0};

    memcpy(bytes, &segment, sizeof(segment));
    for (unsigned i = 0; i < G_N_ELEMENTS(rows) && fixture->disk != NULL; i++) {
        g_auto(BlkAnswer) answer =
            ask(&fixture->rules, CUT_AT_RANDOM, rows[i].type, 0, bytes, rows[i].size, rows[i].room);

        assert_answer(&answer, rows[i].status);
    }
}

/* The image is shorter than it was: what was read of it so far isn't shown. */
static void test_failed_read(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    if (fixture->disk == NULL) {
        return;
    }
    g_assert_cmpint(truncate(fixture->image->path, IMAGE_SIZE - 512), ==, 0);
    fixture->image->size -= 512;
    g_auto(BlkAnswer) answer =
        ask(&fixture->rules, CUT_AT_RANDOM, VIRTIO_BLK_T_IN, SECTORS - 4, NULL, 0, 4 * 512 + 1);

    assert_answer(&answer, VIRTIO_BLK_S_IOERR);
    assert_zeroes(&answer, 0);
}

/* --- the trace --- */

static void append_line(void *opaque, const char *line)
{
    g_string_append_printf(opaque, "%s\n", line);
}

static void trace(Fixture *fixture, GString *text, uint32_t type, uint64_t sector, const void *data,
                  size_t size, size_t room)
{
    g_autofree uint8_t *bytes = g_malloc(16 + size);
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    BlkElement *test;

    memcpy(bytes, &header, 16);
    if (size > 0) {
        memcpy(bytes + 16, data, size);
    }
    test = element_new(bytes, 16 + size, room, CUT_AS_DRIVERS_DO);
    blk_request_parse(test->element.data, &fixture->rules, &test->element);
    blk_request_trace(test->element.data, append_line, text);
    blk_request_answer(test->element.data);
    blk_element_free(test);
}

static void test_trace(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const Segment segments[] = {{.sector = 5, .num_sectors = 1}, {.sector = 9, .num_sectors = 8}};
    uint8_t bytes[4096] = {0};

    if (fixture->disk == NULL) {
        return;
    }
    trace(fixture, text, VIRTIO_BLK_T_IN, 3, NULL, 0, 1025);
    trace(fixture, text, VIRTIO_BLK_T_OUT, 4, bytes, sizeof(bytes), 1);
    trace(fixture, text, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, 1);
    trace(fixture, text, VIRTIO_BLK_T_DISCARD, 0, segments, sizeof(segments), 1);
    trace(fixture, text, VIRTIO_BLK_T_WRITE_ZEROES, 0, segments, sizeof(*segments), 1);
    trace(fixture, text, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, 21);
    trace(fixture, text, 1000, 0, NULL, 0, 1);
    g_assert_cmpstr(text->str, ==,
                    "read 3 1024\nwrite 4 4096\nflush\ndiscard 5 512\ndiscard 9 4096\n"
                    "write-zeroes 5 512\nget-id\nunsupported\n");
}

/* Room for so much that filling it would hold up the queue: the status comes, and alone. */
static void test_too_much_room(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const uint32_t types[] = {77, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_FLUSH};
    const size_t most = 1u << 20;

    for (unsigned i = 0; i < G_N_ELEMENTS(types) && fixture->disk != NULL; i++) {
        g_auto(BlkAnswer) filled =
            ask(&fixture->rules, CUT_AS_DRIVERS_DO, types[i], SECTORS, NULL, 0, most + 1);
        g_auto(BlkAnswer) left =
            ask(&fixture->rules, CUT_AS_DRIVERS_DO, types[i], SECTORS, NULL, 0, most + 2);

        g_assert_cmpuint(filled.written, ==, most + 1);
        assert_zeroes(&filled, VIRTIO_BLK_ID_BYTES);
        g_assert_cmpuint(left.written, ==, 0);
        g_assert_cmpuint(left.status, ==,
                         types[i] == VIRTIO_BLK_T_GET_ID ? VIRTIO_BLK_S_IOERR : filled.status);
        for (size_t byte = 0; byte < left.size; byte++) {
            g_assert_cmpuint(left.data[byte], ==, BLK_ELEMENT_UNTOUCHED);
        }
    }
}

#define ADD(name, begin, test)                                                                     \
    g_test_add("/blk-request/" name, Fixture, NULL, begin, test, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("read", set_up, test_read);
    ADD("write", set_up, test_write);
    ADD("ranges", set_up, test_ranges);
    ADD("flush", set_up, test_flush);
    ADD("get-id", set_up, test_get_id);
    ADD("discard", set_up, test_discard);
    ADD("write-zeroes", set_up, test_write_zeroes);
    ADD("bad-segments", set_up, test_bad_segments);
    ADD("bad-number-of-segments", set_up, test_bad_number_of_segments);
    ADD("unsupported", set_up, test_unsupported);
    ADD("too-short", set_up, test_too_short);
    ADD("fault", set_up, test_fault);
    ADD("read-only", set_up_read_only, test_read_only);
    ADD("failed-read", set_up, test_failed_read);
    ADD("too-much-room", set_up, test_too_much_room);
    ADD("trace", set_up, test_trace);
    return g_test_run();
}
