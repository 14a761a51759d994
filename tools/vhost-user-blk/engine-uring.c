/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine over io_uring: reads, writes, flushes and kicks are submitted and
 * waited for with one system call a turn.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>

#include "engine.h"
#include "util/error.h"

#define ENTRIES_MINIMUM 64u
#define ENTRIES_MAXIMUM 1024u
#define COMPLETIONS_FACTOR 4u /* requests of several queues, and kicks */

#define COMPLETIONS_AT_A_TIME 64

#define IMAGE_INDEX 0 /* of the image among the registered files */

/* What a completion is about, in the low bits of user_data, whose rest is a pointer. */
enum {
    ABOUT_IO,
    ABOUT_WATCH,
    ABOUT_REMOVAL, /* of a watch */
    ABOUT_MASK = 3,
};

typedef struct UringEngine {
    BlkEngine base;
    struct io_uring ring;
    /* Linked by next, in order: what found no room in the ring, and what failed before it got
     * there. All are seen to by the next wait. */
    BlkIo *waiting, **waiting_end;
    BlkIo *failed;
    BlkWatch *watches; /* to be armed or removed */
} UringEngine;

/* NULL: the ring is full and the kernel takes no more before completions are taken. */
static struct io_uring_sqe *get_entry(UringEngine *engine)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&engine->ring);

    if (entry == NULL) {
        io_uring_submit(&engine->ring);
        entry = io_uring_get_sqe(&engine->ring);
    }
    return entry;
}

static void set_about(struct io_uring_sqe *entry, void *pointer, unsigned about)
{
    io_uring_sqe_set_data64(entry, (uintptr_t)pointer | about);
}

static void prepare(UringEngine *engine, struct io_uring_sqe *entry, BlkIo *io)
{
    BlkTransfer *transfer = &io->transfer;
    const struct iovec *pieces;
    unsigned count;

    if (io->operation == BLK_OPERATION_FLUSH) {
        io_uring_prep_fsync(entry, IMAGE_INDEX, IORING_FSYNC_DATASYNC);
    } else {
        pieces = blk_transfer_next(transfer, &count);
        /* The plain forms spare the kernel the import of a vector. */
        if (io->operation == BLK_OPERATION_READ) {
            if (count == 1) {
                io_uring_prep_read(entry, IMAGE_INDEX, pieces->iov_base, (unsigned)pieces->iov_len,
                                   transfer->offset);
            } else {
                io_uring_prep_readv(entry, IMAGE_INDEX, pieces, count, transfer->offset);
            }
        } else if (count == 1) {
            io_uring_prep_write(entry, IMAGE_INDEX, pieces->iov_base, (unsigned)pieces->iov_len,
                                transfer->offset);
        } else {
            io_uring_prep_writev(entry, IMAGE_INDEX, pieces, count, transfer->offset);
        }
        if (io->operation == BLK_OPERATION_WRITE) {
            entry->rw_flags = blk_disk_write_flags(engine->base.disk);
        }
    }
    entry->flags |= IOSQE_FIXED_FILE | (io->aside ? IOSQE_ASYNC : 0);
    set_about(entry, io, ABOUT_IO);
}

/* Puts the next step of @io into the ring, or lets it wait for room. */
static void queue_io(UringEngine *engine, BlkIo *io)
{
    struct io_uring_sqe *entry = engine->waiting == NULL ? get_entry(engine) : NULL;

    if (entry != NULL) {
        prepare(engine, entry, io);
        return;
    }
    io->next = NULL;
    *engine->waiting_end = io;
    engine->waiting_end = &io->next;
}

static void queue_waiting(UringEngine *engine)
{
    struct io_uring_sqe *entry;

    while (engine->waiting != NULL && (entry = get_entry(engine)) != NULL) {
        BlkIo *io = engine->waiting;

        engine->waiting = io->next;
        if (engine->waiting == NULL) {
            engine->waiting_end = &engine->waiting;
        }
        prepare(engine, entry, io);
    }
}

static gboolean is_transfer(const BlkIo *io)
{
    return io->operation == BLK_OPERATION_READ || io->operation == BLK_OPERATION_WRITE;
}

static void uring_submit(BlkEngine *base, BlkIo *io)
{
    UringEngine *engine = (UringEngine *)base;

    if (!is_transfer(io) && io->operation != BLK_OPERATION_FLUSH) {
        blk_pool_submit(base->port, io);
        return;
    }
    if (is_transfer(io)) {
        io->result =
            blk_transfer_begin(&io->transfer, base->disk, io->operation == BLK_OPERATION_WRITE,
                               io->offset, io->pieces, io->count);
        if (io->result != 0) {
            io->next = engine->failed;
            engine->failed = io;
            return;
        }
    }
    queue_io(engine, io);
}

static void finish(UringEngine *engine, BlkIo *io, int result)
{
    if (is_transfer(io)) {
        blk_transfer_end(&io->transfer);
    }
    if (io->operation == BLK_OPERATION_FLUSH) {
        result = blk_disk_flush_result(engine->base.disk, result);
    }
    io->result = result;
    engine->base.done(engine->base.opaque, io);
}

/* The kernel would not wait for resources in here: a thread can. */
static void hand_to_pool(UringEngine *engine, BlkIo *io)
{
    if (is_transfer(io)) {
        io->pieces = io->transfer.pieces;
        io->count = io->transfer.count;
        io->offset = io->transfer.offset;
        blk_transfer_end(&io->transfer);
    }
    blk_pool_submit(engine->base.port, io);
}

static void io_completed(UringEngine *engine, BlkIo *io, int result)
{
    if (result == -EINTR) {
        queue_io(engine, io);
    } else if (result == -EAGAIN) {
        hand_to_pool(engine, io);
    } else if (result < 0 || !is_transfer(io)) {
        finish(engine, io, result);
    } else if (result == 0) {
        finish(engine, io, -EIO); /* the image ends here: it was made shorter behind our back */
    } else if (blk_transfer_advance(&io->transfer, (size_t)result)) {
        finish(engine, io, 0);
    } else {
        queue_io(engine, io);
    }
}

/* --- watches --- */

/* Has the next wait arm or remove @watch: there the ring gets room if it has none. */
static void queue_watch(UringEngine *engine, BlkWatch *watch)
{
    watch->next = engine->watches;
    engine->watches = watch;
}

static gboolean uring_watch(BlkEngine *base, BlkWatch *watch, GError **error G_GNUC_UNUSED)
{
    watch->removing = watch->armed = FALSE;
    queue_watch((UringEngine *)base, watch);
    return TRUE;
}

static void uring_unwatch(BlkEngine *base, BlkWatch *watch)
{
    UringEngine *engine = (UringEngine *)base;

    watch->removing = TRUE;
    for (BlkWatch *queued = engine->watches; queued != NULL; queued = queued->next) {
        if (queued == watch) {
            return;
        }
    }
    queue_watch(engine, watch);
}

/* TRUE: somebody was told something. */
static gboolean queue_watches(UringEngine *engine)
{
    gboolean told = FALSE;

    while (engine->watches != NULL) {
        BlkWatch *watch = engine->watches;
        struct io_uring_sqe *entry = NULL;

        if ((!watch->removing || watch->armed) && (entry = get_entry(engine)) == NULL) {
            break;
        }
        engine->watches = watch->next;
        if (entry == NULL) {
            watch->removed(watch);
            told = TRUE;
        } else if (watch->removing) {
            /* Not the removal of a poll, which fails when the poll is about to report. */
            io_uring_prep_cancel64(entry, (uintptr_t)watch | ABOUT_WATCH, 0);
            set_about(entry, NULL, ABOUT_REMOVAL);
        } else {
            io_uring_prep_poll_multishot(entry, watch->fd, POLLIN);
            set_about(entry, watch, ABOUT_WATCH);
            watch->armed = TRUE;
        }
    }
    return told;
}

/* A multishot poll has something to tell, or has ended. */
static void watch_completed(UringEngine *engine, BlkWatch *watch, const struct io_uring_cqe *entry)
{
    if ((entry->flags & IORING_CQE_F_MORE) == 0) {
        watch->armed = FALSE;
        if (watch->removing) {
            watch->removed(watch);
            return;
        }
        /* The kernel ends one when its completions overflow. A descriptor that cannot be polled
         * fails each time: it is left alone. */
        if (entry->res >= 0) {
            queue_watch(engine, watch);
        }
    }
    if (!watch->removing && entry->res >= 0) {
        watch->ready(watch);
    }
}

/* --- waiting --- */

static void completed(UringEngine *engine, const struct io_uring_cqe *entry)
{
    uint64_t about = io_uring_cqe_get_data64(entry);
    void *pointer = (void *)(uintptr_t)(about & ~(uint64_t)ABOUT_MASK);

    switch (about & ABOUT_MASK) {
    case ABOUT_IO:
        io_completed(engine, pointer, entry->res);
        break;
    case ABOUT_WATCH:
        watch_completed(engine, pointer, entry);
        break;
    case ABOUT_REMOVAL:
        /* The poll ends with a completion of its own. */
        break;
    }
}

static void take_completions(UringEngine *engine)
{
    struct io_uring_cqe *entries[COMPLETIONS_AT_A_TIME];
    unsigned count;

    while ((count = io_uring_peek_batch_cqe(&engine->ring, entries, COMPLETIONS_AT_A_TIME)) > 0) {
        for (unsigned i = 0; i < count; i++) {
            completed(engine, entries[i]);
        }
        io_uring_cq_advance(&engine->ring, count);
    }
}

static gboolean take_failed(UringEngine *engine)
{
    BlkIo *next, *failed = g_steal_pointer(&engine->failed);

    for (BlkIo *io = failed; io != NULL; io = next) {
        next = io->next;
        engine->base.done(engine->base.opaque, io);
    }
    return failed != NULL;
}

/* Whether the kernel has to be entered to learn what is new. */
static gboolean kernel_has_news(UringEngine *engine)
{
    return (__atomic_load_n(engine->ring.sq.kflags, __ATOMIC_RELAXED) &
            (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static void uring_wait(BlkEngine *base, int microseconds)
{
    UringEngine *engine = (UringEngine *)base;
    struct io_uring_cqe *entry;

    gboolean told = queue_watches(engine);

    queue_waiting(engine);
    told |= take_failed(engine);
    if (told || engine->waiting != NULL || engine->watches != NULL ||
        io_uring_cq_ready(&engine->ring) > 0) {
        microseconds = 0;
    }
    if (microseconds < 0) {
        io_uring_submit_and_wait(&engine->ring, 1);
    } else if (microseconds > 0) {
        struct __kernel_timespec timeout = {.tv_nsec = microseconds * 1000LL};

        io_uring_submit_and_wait_timeout(&engine->ring, &entry, 1, &timeout, NULL);
    } else if (io_uring_sq_ready(&engine->ring) > 0 || kernel_has_news(engine)) {
        io_uring_submit_and_get_events(&engine->ring);
    }
    take_completions(engine);
}

/* --- making one --- */

static void uring_free(BlkEngine *base)
{
    UringEngine *engine = (UringEngine *)base;

    io_uring_queue_exit(&engine->ring);
    g_free(engine);
}

static const BlkEngineClass uring_class = {
    .submit = uring_submit,
    .watch = uring_watch,
    .unwatch = uring_unwatch,
    .wait = uring_wait,
    .free = uring_free,
};

/* 0 or a negative errno value. */
static int make_ring(struct io_uring *ring, unsigned entries)
{
    /* Completions are worked off when we ask for them and not by interrupting us (Linux 6.1). */
    struct io_uring_params parameters = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                                                  IORING_SETUP_DEFER_TASKRUN |
                                                  IORING_SETUP_TASKRUN_FLAG,
                                         .cq_entries = entries * COMPLETIONS_FACTOR};
    int result = io_uring_queue_init_params(entries, ring, &parameters);

    if (result == -EINVAL) {
        parameters = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE,
                                              .cq_entries = entries * COMPLETIONS_FACTOR};
        result = io_uring_queue_init_params(entries, ring, &parameters);
    }
    if (result == 0 && (parameters.features & IORING_FEAT_RSRC_TAGS) == 0) {
        /* Linux 5.13 has it and, without a sign of its own, the polls that stay. */
        io_uring_queue_exit(ring);
        result = -ENOSYS;
    }
    return result;
}

BlkEngine *blk_engine_uring_new(const BlkDisk *disk, unsigned queue_size, GError **error)
{
    g_autofree UringEngine *engine = g_new0(UringEngine, 1);
    unsigned entries = CLAMP(queue_size, ENTRIES_MINIMUM, ENTRIES_MAXIMUM);
    int fd = blk_disk_fd(disk);
    int result = make_ring(&engine->ring, entries);

    if (result != 0) {
        vm_error_set_errno(error, -result, "io_uring");
        return NULL;
    }
    result = io_uring_register_files(&engine->ring, &fd, 1);
    if (result != 0) {
        vm_error_set_errno(error, -result, "io_uring: registering the image");
        io_uring_queue_exit(&engine->ring);
        return NULL;
    }
    io_uring_register_ring_fd(&engine->ring); /* spares a look-up a call; not before Linux 5.18 */
    engine->base.class = &uring_class;
    engine->waiting_end = &engine->waiting;
    return &((UringEngine *)g_steal_pointer(&engine))->base;
}
