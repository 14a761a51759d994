/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements of a virtqueue that come from no ring. */
#include "blk-element.h"

#include <stdlib.h>
#include <string.h>

/* @special: bytes before the one cut that drivers make. */
static unsigned add_pieces(BlkElement *test, const uint8_t *bytes, size_t size, BlkElementCut cut,
                           void *opaque, size_t special)
{
    unsigned count = 0;

    while (size > 0) {
        size_t part = cut(opaque, size, special);
        /* Of its own, so that the address sanitizer sees a byte too many; an empty one as well. */
        struct iovec piece = {malloc(part), part};

        if (bytes != NULL) {
            memcpy(piece.iov_base, bytes, part);
            bytes += part;
        } else if (part > 0) {
            memset(piece.iov_base, BLK_ELEMENT_UNTOUCHED, part);
        }
        g_array_append_val(test->pieces, piece);
        count++;
        size -= part;
        special = 0;
    }
    return count;
}

BlkElement *blk_element_new(const void *readable, size_t readable_size, size_t writable_size,
                            BlkElementCut cut, void *opaque)
{
    BlkElement *test = g_new0(BlkElement, 1);
    VhostUserElement *element = &test->element;

    /* Never without memory: pointers into nothing are undefined. */
    test->pieces = g_array_sized_new(FALSE, FALSE, sizeof(struct iovec), 1);
    element->readable_count = add_pieces(test, readable, readable_size, cut, opaque, 16);
    element->writable_count = add_pieces(test, NULL, writable_size, cut, opaque,
                                         writable_size > 0 ? writable_size - 1 : 0);
    element->readable = (struct iovec *)(void *)test->pieces->data;
    element->writable = element->readable + element->readable_count;
    element->readable_size = readable_size;
    element->writable_size = writable_size;
    element->data = g_malloc(sizeof(BlkRequest));
    memset(element->data, BLK_ELEMENT_UNTOUCHED, sizeof(BlkRequest));
    return test;
}

void blk_element_free(BlkElement *test)
{
    for (unsigned i = 0; i < test->pieces->len; i++) {
        free(g_array_index(test->pieces, struct iovec, i).iov_base);
    }
    g_array_unref(test->pieces);
    g_free(test->element.data);
    g_free(test);
}

static void read_answer(const VhostUserElement *element, BlkAnswer *answer)
{
    uint8_t *bytes = g_malloc(element->writable_size);
    size_t size = 0;

    for (unsigned i = 0; i < element->writable_count; i++) {
        const struct iovec *piece = &element->writable[i];

        if (piece->iov_len > 0) {
            memcpy(bytes + size, piece->iov_base, piece->iov_len);
            size += piece->iov_len;
        }
    }
    answer->data = bytes;
    answer->size = size > 0 ? size - 1 : 0;
    answer->status = size > 0 ? bytes[size - 1] : BLK_ELEMENT_UNTOUCHED;
}

BlkAnswer blk_element_ask(const BlkRequestRules *rules, BlkElement *test)
{
    VhostUserElement *element = &test->element;
    BlkRequest *request = element->data;
    BlkAnswer answer = {.next = blk_request_parse(request, rules, element)};

    if (answer.next == BLK_REQUEST_EXECUTE) {
        blk_io_execute(rules->disk, &request->io);
        blk_request_executed(request);
    }
    if (answer.next != BLK_REQUEST_DROP) {
        answer.written = blk_request_answer(request);
    }
    read_answer(element, &answer);
    return answer;
}

void blk_answer_clear(BlkAnswer *answer)
{
    g_free(answer->data);
}
