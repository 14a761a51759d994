/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of a virtqueue that come from no ring: their buffers are cut as a test wants it, each
 * piece is memory of its own, and requests are asked of them from their bytes to their answer.
 */
#ifndef TESTS_BLK_ELEMENT_H
#define TESTS_BLK_ELEMENT_H

#include "tools/vhost-user-blk/request.h"

#define BLK_ELEMENT_UNTOUCHED 0xa5 /* what is in writable buffers before */

/* How long the next piece is, when @left bytes (not 0) are left: 0 to @left. @special is where
 * drivers cut: behind the header, before the status; 0 later on. */
typedef size_t (*BlkElementCut)(void *opaque, size_t left, size_t special);

typedef struct BlkElement {
    VhostUserElement element;
    GArray *pieces; /* of struct iovec: readable, then writable */
} BlkElement;

BlkElement *blk_element_new(const void *readable, size_t readable_size, size_t writable_size,
                            BlkElementCut cut, void *opaque);
void blk_element_free(BlkElement *element);

typedef struct BlkAnswer {
    BlkRequestNext next;
    uint32_t written;
    uint8_t status;
    uint8_t *data; /* what was writable, but for the status */
    size_t size;
} BlkAnswer;

/* Parses the request, does it if it is to be done, and answers it. */
BlkAnswer blk_element_ask(const BlkRequestRules *rules, BlkElement *element);
void blk_answer_clear(BlkAnswer *answer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BlkAnswer, blk_answer_clear)

#endif
