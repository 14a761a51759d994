/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio-blk requests with any contents, cut in any way, against a model of the disk:
 * what is answered was written, and nothing but that has changed.
 */
#include "fuzz.h"

#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk-element.h"

#define SECTORS 32u
#define IMAGE_SIZE (SECTORS * 512u)
#define READABLE_MAXIMUM 3000u
#define WRITABLE_MAXIMUM 3000u
#define REQUESTS_MAXIMUM 16u

static BlkDisk *disk;
static BlkRequestRules rules;
static int image;
static uint8_t model[IMAGE_SIZE];

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    g_autofree char *path = NULL;
    BlkDiskOptions options = {0};

    image = memfd_create("image", MFD_CLOEXEC);
    fuzz_require(image >= 0 && ftruncate(image, IMAGE_SIZE) == 0);
    path = g_strdup_printf("/proc/self/fd/%d", image);
    options.path = path;
    disk = blk_disk_open(&options, NULL);
    fuzz_require(disk != NULL);
    blk_request_rules_init(&rules, disk, "fuzz");
    return 0;
}

static size_t cut(void *opaque, size_t left, size_t special)
{
    uint8_t choice = fuzz_byte(opaque);

    if (choice < 64) {
        return special > 0 && special < left ? special : left;
    }
    return MIN(left, choice < 192 ? choice % 64u : (size_t)choice * 8);
}

/* Types and sectors that mean something more often than by chance. */
static void make_header(FuzzInput *input, struct virtio_blk_outhdr *header)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_OUT,
                                     VIRTIO_BLK_T_FLUSH,   VIRTIO_BLK_T_GET_ID,
                                     VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
    uint8_t choice = fuzz_byte(input);

    header->type =
        choice % 8 < G_N_ELEMENTS(types) ? types[choice % 8] : (uint32_t)fuzz_number(input, 4);
    header->sector = choice & 8 ? fuzz_number(input, 8) : fuzz_byte(input) % (SECTORS + 2);
}

static size_t make_size(FuzzInput *input, size_t extra, size_t maximum)
{
    uint8_t choice = fuzz_byte(input);
    size_t size = choice & 0x80 ? fuzz_number(input, 2) % maximum : (choice % 6u) * 512 + extra;

    return MIN(size, maximum);
}

/* Keeps the model in step with a request that was answered as done. */
static void follow(const struct virtio_blk_outhdr *header, const uint8_t *data, size_t size,
                   const BlkAnswer *answer)
{
    uint64_t offset = header->sector * 512;

    switch (header->type) {
    case VIRTIO_BLK_T_IN:
        fuzz_require(answer->size <= IMAGE_SIZE && offset <= IMAGE_SIZE - answer->size);
        fuzz_require(answer->size == 0 || memcmp(answer->data, model + offset, answer->size) == 0);
        break;
    case VIRTIO_BLK_T_OUT:
        fuzz_require(size <= IMAGE_SIZE && offset <= IMAGE_SIZE - size);
        memcpy(model + offset, data, size);
        break;
    case VIRTIO_BLK_T_DISCARD:
    case VIRTIO_BLK_T_WRITE_ZEROES: /* both make zeroes of memory */
        fuzz_require(size % sizeof(struct virtio_blk_discard_write_zeroes) == 0);
        for (size_t at = 0; at < size; at += sizeof(struct virtio_blk_discard_write_zeroes)) {
            struct virtio_blk_discard_write_zeroes segment;

            memcpy(&segment, data + at, sizeof(segment));
            fuzz_require(segment.sector <= SECTORS &&
                         segment.num_sectors <= SECTORS - segment.sector);
            memset(model + segment.sector * 512, 0, (size_t)segment.num_sectors * 512);
        }
        break;
    default:
        fuzz_require(header->type == VIRTIO_BLK_T_FLUSH || header->type == VIRTIO_BLK_T_GET_ID);
        break;
    }
}

static void one_request(FuzzInput *input)
{
    static uint8_t bytes[READABLE_MAXIMUM];
    struct virtio_blk_outhdr header = {0};
    size_t readable, writable;

    make_header(input, &header);
    readable = make_size(input, sizeof(header), READABLE_MAXIMUM);
    writable = make_size(input, 1, WRITABLE_MAXIMUM);
    memcpy(bytes, &header, sizeof(header));
    for (size_t i = sizeof(header); i < readable; i++) {
        bytes[i] = i < sizeof(header) + 64 ? fuzz_byte(input) : (uint8_t)(i * 13);
    }
    BlkElement *element = blk_element_new(bytes, readable, writable, cut, input);
    g_auto(BlkAnswer) answer = blk_element_ask(&rules, element);

    if (writable == 0) {
        fuzz_require(answer.next == BLK_REQUEST_DROP);
    } else {
        fuzz_require(answer.next != BLK_REQUEST_DROP && answer.written == writable);
        fuzz_require(answer.status <= VIRTIO_BLK_S_UNSUPP);
    }
    if (writable > 0 && answer.status == VIRTIO_BLK_S_OK) {
        fuzz_require(readable >= sizeof(header));
        follow(&header, bytes + sizeof(header), readable - sizeof(header), &answer);
    }
    blk_element_free(element);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    uint8_t contents[IMAGE_SIZE];

    for (unsigned i = 0; i < REQUESTS_MAXIMUM && input.size > 0; i++) {
        one_request(&input);
    }
    fuzz_require(pread(image, contents, sizeof(contents), 0) == sizeof(contents));
    fuzz_require(memcmp(contents, model, sizeof(contents)) == 0);
    return 0;
}
