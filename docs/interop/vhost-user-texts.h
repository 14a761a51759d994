/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the document says of each request in words: its payload's form, when it may come, what a
 * refusal means.  By number, so that one without words is noticed.
 */
#ifndef VHOST_USER_REQUEST_TEXTS_H
#define VHOST_USER_REQUEST_TEXTS_H

#include "libvhost-user/wire.h"

typedef struct RequestText {
    const char *payload; /* label of its layout, "u64", or NULL for none */
    const char *when;
    const char *refusal; /* NULL: it has no way to be refused but the end of the connection */
} RequestText;

/* clang-format off */
static const RequestText request_texts[VHOST_USER_REQUEST_COUNT] = {
    [VHOST_USER_GET_FEATURES] = {NULL, "first of all; again at any time, as a barrier", NULL},
    [VHOST_USER_SET_FEATURES] = {"u64", "when the driver has chosen, before rings start; while "
        "they run to change bit 26",
        "a bit that was not offered, or that cannot change now"},
    [VHOST_USER_SET_OWNER] = {NULL, "once, around the negotiation, before memory and rings",
        "the connection has an owner already"},
    [VHOST_USER_RESET_OWNER] = {NULL, "never; old front-ends do at the end", "not supported"},
    [VHOST_USER_SET_MEM_TABLE] = {"memory", "before rings start and whenever memory changes, where "
        "there are no slots; in post-copy once more with 0 as the last message",
        "a region cannot be mapped; the old table should still hold"},
    [VHOST_USER_SET_LOG_BASE] = {"log", "before bit 26 is set, and when guest memory has grown",
        "a log that cannot be mapped; its answer cannot say so, so the connection ends"},
    [VHOST_USER_SET_LOG_FD] = {NULL, "during a migration; nobody needs it", "not supported"},
    [VHOST_USER_SET_VRING_NUM] = {"state", "while the ring is stopped",
        "0, too large, no power of 2 for a split ring, or the ring runs"},
    [VHOST_USER_SET_VRING_ADDR] = {"address", "while the ring is stopped; while it runs to change "
        "the log, or behind a new table",
        "not in memory, misaligned, or another place while the ring runs"},
    [VHOST_USER_SET_VRING_BASE] = {"state", "while the ring is stopped",
        "not within the ring, or the ring runs"},
    [VHOST_USER_GET_VRING_BASE] = {"state", "at any time: stops the ring", NULL},
    [VHOST_USER_SET_VRING_KICK] = {"u64", "behind all else of the ring; while it runs to change the "
        "descriptor", "the descriptor is unfit, or the ring cannot start as it was set up"},
    [VHOST_USER_SET_VRING_CALL] = {"u64", "at any time", "the descriptor is unfit"},
    [VHOST_USER_SET_VRING_ERR] = {"u64", "at any time", "the descriptor is unfit"},
    [VHOST_USER_GET_PROTOCOL_FEATURES] = {NULL, "behind GET_FEATURES", NULL},
    [VHOST_USER_SET_PROTOCOL_FEATURES] = {"u64", "once, before anything that a feature allows",
        "a bit that was not offered, or one without another that it needs"},
    [VHOST_USER_GET_QUEUE_NUM] = {NULL, "behind the negotiation", NULL},
    [VHOST_USER_SET_VRING_ENABLE] = {"state", "at any time where bit 30 was taken",
        "the ring cannot start as it was set up"},
    [VHOST_USER_SEND_RARP] = {"u64", "at the destination, when the guest runs",
        "it could not be sent"},
    [VHOST_USER_NET_SET_MTU] = {"u64", "before rings start", "the back-end cannot have this MTU"},
    [VHOST_USER_SET_BACKEND_REQ_FD] = {NULL, "behind the negotiation; again to replace it",
        "the descriptor is no socket"},
    [VHOST_USER_IOTLB_MSG] = {"iotlb", "at any time where ACCESS_PLATFORM was taken",
        "a translation outside of the regions"},
    [VHOST_USER_SET_VRING_ENDIAN] = {"state", "while the ring is stopped",
        "the byte order is not supported"},
    [VHOST_USER_GET_CONFIG] = {"config", "behind the negotiation, and behind CONFIG_CHANGE_MSG",
        "an empty answer: there are no such bytes"},
    [VHOST_USER_SET_CONFIG] = {"config", "when the driver writes, or at the end of a migration",
        "the bytes cannot be written, or not to these values"},
    [VHOST_USER_CREATE_CRYPTO_SESSION] = {"further", "while the device runs",
        "a negative session number in the answer"},
    [VHOST_USER_CLOSE_CRYPTO_SESSION] = {"u64", "while the device runs", "no such session"},
    [VHOST_USER_POSTCOPY_ADVISE] = {NULL, "at the destination, before memory arrives",
        "an answer without descriptor is malformed: the connection ends"},
    [VHOST_USER_POSTCOPY_LISTEN] = {NULL, "behind POSTCOPY_ADVISE, when the guest is about to run",
        "memory cannot be registered"},
    [VHOST_USER_POSTCOPY_END] = {NULL, "when all memory has arrived, or the migration failed",
        "an answer that is not 0"},
    [VHOST_USER_GET_INFLIGHT_FD] = {"inflight", "behind SET_FEATURES, which decides the form of the "
        "record; before the first start, and the first one behind a reset",
        "an answer without descriptor: nothing is recorded"},
    [VHOST_USER_SET_INFLIGHT_FD] = {"inflight", "before each start",
        "the buffer cannot be mapped, is too small, or makes no sense"},
    [VHOST_USER_GPU_SET_SOCKET] = {NULL, "behind the negotiation", "not supported"},
    [VHOST_USER_RESET_DEVICE] = {NULL, "when the driver or the machine resets the device",
        "the device cannot be reset"},
    [VHOST_USER_VRING_KICK] = {"state", "while the ring is set up", "no such ring"},
    [VHOST_USER_GET_MAX_MEM_SLOTS] = {NULL, "once, behind the negotiation", NULL},
    [VHOST_USER_ADD_MEM_REG] = {"single-region", "before rings start and while they run; in "
        "post-copy also with 8 bytes of 0 and no descriptor as the last message",
        "no slot is free, it overlaps another region, or it cannot be mapped; nothing has changed"},
    [VHOST_USER_REM_MEM_REG] = {"single-region", "before rings start and while they run",
        "there is no such region, or a running ring lies in it; it stays"},
    [VHOST_USER_SET_STATUS] = {"u64", "when the driver writes the status", "the device has failed"},
    [VHOST_USER_GET_STATUS] = {NULL, "behind the negotiation", NULL},
    [VHOST_USER_GET_SHARED_OBJECT] = {"shared", "at any time", "an answer without descriptor"},
    [VHOST_USER_SET_DEVICE_STATE_FD] = {"device-state", "while all rings are stopped",
        "bits 0 to 7 of the answer are not 0"},
    [VHOST_USER_CHECK_DEVICE_STATE] = {NULL, "behind the end of the transfer",
        "an answer that is not 0"},
};

static const RequestText backend_request_texts[VHOST_USER_BACKEND_REQUEST_COUNT] = {
    [VHOST_USER_BACKEND_IOTLB_MSG] = {"iotlb", "when a translation is missing or not allowed",
        "there is no such translation"},
    [VHOST_USER_BACKEND_CONFIG_CHANGE_MSG] = {NULL, "when configuration space has changed",
        "the front-end does not listen"},
    [VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG] = {"area", "while the device runs",
        "it cannot be mapped: kicks go by descriptor"},
    [VHOST_USER_BACKEND_VRING_CALL] = {"state", "when buffers were used", "no such ring"},
    [VHOST_USER_BACKEND_VRING_ERR] = {"state", "when the ring is broken", "no such ring"},
    [VHOST_USER_BACKEND_SHARED_OBJECT_ADD] = {"shared", "at any time", "the name is taken"},
    [VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE] = {"shared", "at any time",
        "it belongs to another back-end"},
    [VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP] = {"shared", "at any time",
        "the answer is not 0 and has no descriptor"},
};
/* clang-format on */

#endif
