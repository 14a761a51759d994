/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of guest RAM as transactions over the listeners: all have the change
 * or none has.
 *
 * A transaction goes through rounds.  A round tells listeners something and
 * ends when each has answered; the last answer, whichever thread it comes from,
 * posts round_ended() to the main loop, which decides what comes next:
 *
 *     add:     prepare [prepare those who came meanwhile]... commit | abort
 *     remove:  accelerator and map change, prepare, commit
 *
 * `answers` guards what threads without the VM lock touch; everything else is
 * under the VM lock.
 */
#include "system/main-loop.h"
#include "system/memory-internal.h"

#include "util/error.h"
#include "util/trace.h"

#include <inttypes.h>
#include <pthread.h>

TRACE_EVENT(memory_transaction_begin, "a change of guest RAM begins");
TRACE_EVENT(memory_transaction_end, "a change of guest RAM was committed or taken back");

/* MemoryListener.private_state, under `answers`. */
enum {
    LISTENER_IDLE,     /* has answered; nothing is known about this transaction */
    LISTENER_WORKING,  /* owes an answer */
    LISTENER_PREPARED, /* has the change */
    LISTENER_FAILED,   /* answered with an error */
    LISTENER_OVERDUE,  /* owes an answer that nobody waits for any more */
};

typedef struct Job {
    MemoryChange change;
    MemorySection section; /* with a reference */
    MemoryDone *done;
    gpointer opaque;
    uint64_t epoch; /* number of the transaction, never 0 */
    uint64_t base_generation;
    gboolean aborting;
    GSList *rounds; /* of MemoryTransaction, as the listeners were given them */
} Job;

static GQueue listeners = G_QUEUE_INIT; /* of MemoryListener, linked by their own link */
static GList *cursor;                   /* the listener that a walk visits next */
static GQueue waiting = G_QUEUE_INIT;   /* of Job */
static Job *running;
static uint64_t last_epoch;
static GArray *adding;   /* sections of the adds that wait or run; without references */
static GArray *removing; /* sections in the map whose removal waits */
static GSource *overdue_source;

static pthread_mutex_t answers = PTHREAD_MUTEX_INITIALIZER;
static gsize round_number;
static guint outstanding;   /* answers that the round waits for, and one while it is being begun */
static GError *first_error; /* of the running transaction */

static void round_ended(gpointer number);
static void start_next(void);

static GArray *sections_of(GArray **array)
{
    if (!*array) {
        *array = section_array_new();
    }
    return *array;
}

gint64 memory_transaction_time = MEMORY_TRANSACTION_SECONDS * G_USEC_PER_SEC;
gint64 memory_transaction_grace = MEMORY_OVERDUE_SECONDS * G_USEC_PER_SEC;

/* When the running round of @job must have ended. */
static gint64 round_limit(const Job *job)
{
    const MemoryTransaction *round = job->rounds->data;

    return round->deadline + memory_transaction_grace;
}

/* --- answers --- */

/* Under `answers`: one answer less to wait for. */
static void count_answer(void)
{
    if (--outstanding == 0) {
        main_loop_post(round_ended, GSIZE_TO_POINTER(round_number));
    }
}

/* Under `answers`; @error: ownership taken. */
static void keep_error(GError *error)
{
    if (first_error) {
        g_error_free(error);
    } else {
        first_error = error;
    }
}

void memory_listener_done(MemoryListener *listener, GError *error)
{
    pthread_mutex_lock(&answers);
    if (listener->private_state == LISTENER_WORKING) {
        listener->private_state = error ? LISTENER_FAILED : LISTENER_PREPARED;
        if (error) {
            keep_error(g_steal_pointer(&error));
        }
        count_answer();
    } else if (listener->private_state == LISTENER_OVERDUE) {
        listener->private_state = LISTENER_IDLE;
    }
    pthread_mutex_unlock(&answers);
    g_clear_error(&error);
}

static guint listener_state(const MemoryListener *listener)
{
    guint state;

    pthread_mutex_lock(&answers);
    state = listener->private_state;
    pthread_mutex_unlock(&answers);
    return state;
}

static GError *overdue_error(const MemoryListener *listener)
{
    return g_error_new(VM_ERROR, VM_ERROR_GENERIC,
                       "%s: has not finished an earlier change of guest memory within its deadline",
                       listener->name);
}

/* Goes on without those who still owe an answer. */
static void give_up(void)
{
    memory_map_skip_generations();
    pthread_mutex_lock(&answers);
    for (GList *link = listeners.head; link; link = link->next) {
        MemoryListener *listener = link->data;

        if (listener->private_state == LISTENER_WORKING) {
            listener->private_state = LISTENER_OVERDUE;
            keep_error(overdue_error(listener));
            count_answer();
        }
    }
    pthread_mutex_unlock(&answers);
}

/*
 * The safety net under listeners that break their promise.  Arming a source
 * wakes the main loop, so it is done once in a while and not once a round: when
 * it expires early it is set again for the round that runs then.
 */
static gboolean overdue_dispatch(GSource *source, GSourceFunc callback G_GNUC_UNUSED,
                                 gpointer data G_GNUC_UNUSED)
{
    gint64 limit = running ? round_limit(running) : -1;

    if (running && limit <= g_get_monotonic_time()) {
        limit = -1;
        give_up();
    }
    g_source_set_ready_time(source, limit);
    return G_SOURCE_CONTINUE;
}

static void overdue_arm(gint64 limit)
{
    static GSourceFuncs functions = {.dispatch = overdue_dispatch};

    if (!overdue_source) {
        overdue_source = g_source_new(&functions, sizeof(GSource));
        g_source_set_static_name(overdue_source, "memory transaction");
        g_source_attach(overdue_source, NULL);
    }
    if (g_source_get_ready_time(overdue_source) < 0) {
        g_source_set_ready_time(overdue_source, limit);
    }
}

/* --- listeners --- */

void memory_listener_add(MemoryListener *listener)
{
    listener->link = (GList){.data = listener};
    listener->private_epoch = 0;
    listener->private_state = LISTENER_IDLE;
    g_queue_push_tail_link(&listeners, &listener->link);
}

void memory_listener_remove(MemoryListener *listener)
{
    if (!listener->link.data) {
        return;
    }
    if (cursor == &listener->link) {
        cursor = cursor->next;
    }
    g_queue_unlink(&listeners, &listener->link);
    listener->link.data = NULL;
    pthread_mutex_lock(&answers);
    if (listener->private_state == LISTENER_WORKING) {
        count_answer();
    }
    listener->private_state = LISTENER_IDLE;
    pthread_mutex_unlock(&answers);
}

/* Walks over the listeners; any of them may be removed and others added meanwhile. */
static MemoryListener *next_listener(void)
{
    MemoryListener *listener = cursor ? cursor->data : NULL;

    cursor = cursor ? cursor->next : NULL;
    return listener;
}

/* --- rounds --- */

static const MemoryTransaction *round_begin(Job *job)
{
    MemoryTransaction *transaction = g_new0(MemoryTransaction, 1);

    transaction->change = job->change;
    transaction->section = job->section;
    transaction->base_generation = job->base_generation;
    transaction->deadline = g_get_monotonic_time() + memory_transaction_time;
    job->rounds = g_slist_prepend(job->rounds, transaction);
    overdue_arm(round_limit(job));

    pthread_mutex_lock(&answers);
    outstanding = 1; /* ours: the round does not end while it is being begun */
    round_number++;
    pthread_mutex_unlock(&answers);
    cursor = listeners.head;
    return transaction;
}

static void round_begun(void)
{
    pthread_mutex_lock(&answers);
    count_answer();
    pthread_mutex_unlock(&answers);
}

/* TRUE if @listener takes part now: it owes an answer from here on. */
static gboolean expect_answer(MemoryListener *listener)
{
    gboolean able;

    pthread_mutex_lock(&answers);
    able = listener->private_state != LISTENER_OVERDUE;
    if (able) {
        listener->private_state = LISTENER_WORKING;
        outstanding++;
    } else {
        keep_error(overdue_error(listener));
    }
    pthread_mutex_unlock(&answers);
    return able;
}

static void prepare_round(Job *job)
{
    const MemoryTransaction *transaction = round_begin(job);
    MemoryListener *listener;

    while ((listener = next_listener())) {
        if (listener->private_epoch != job->epoch) {
            listener->private_epoch = job->epoch;
            if (expect_answer(listener)) {
                listener->prepare(listener, transaction);
            }
        }
    }
    round_begun();
}

/* Asks those who have the change to take it back. */
static void abort_round(Job *job)
{
    const MemoryTransaction *transaction = round_begin(job);
    MemoryListener *listener;

    job->aborting = TRUE;
    while ((listener = next_listener())) {
        if (listener->private_epoch == job->epoch &&
            listener_state(listener) == LISTENER_PREPARED && expect_answer(listener)) {
            listener->abort(listener, transaction);
        }
    }
    round_begun();
}

static gboolean somebody_is_unprepared(const Job *job)
{
    for (GList *link = listeners.head; link; link = link->next) {
        const MemoryListener *listener = link->data;

        if (listener->private_epoch != job->epoch) {
            return TRUE;
        }
    }
    return FALSE;
}

/* --- the end of a transaction --- */

static void job_free(Job *job)
{
    g_slist_free_full(job->rounds, g_free);
    ram_block_unref(job->section.block);
    g_free(job);
}

static void tell_commit(Job *job)
{
    MemoryListener *listener;

    cursor = listeners.head;
    while ((listener = next_listener())) {
        if (listener->commit && listener->private_epoch == job->epoch &&
            listener_state(listener) == LISTENER_PREPARED) {
            listener->commit(listener, job->rounds->data);
        }
    }
}

static void finish(Job *job, GError *error)
{
    MemoryDone *done = job->done;
    gpointer opaque = job->opaque;

    trace(memory_transaction_end, "guest address 0x%" PRIx64 " %s", job->section.guest_address,
          error ? error->message : "committed");
    if (job->change == MEMORY_ADD) {
        section_array_remove(adding, job->section.guest_address);
    }
    if (!error) {
        tell_commit(job);
    }
    running = NULL;
    job_free(job);
    if (done) {
        done(opaque, error);
    }
    g_clear_error(&error);
    start_next();
}

/* All have agreed to an addition: the accelerator, then the map. */
static void commit_add(Job *job)
{
    const MemoryAccelerator *accelerator = memory_accelerator();
    GError *error = NULL;

    if (accelerator->add && !accelerator->add(&job->section, &error)) {
        pthread_mutex_lock(&answers);
        keep_error(error);
        pthread_mutex_unlock(&answers);
        abort_round(job);
        return;
    }
    memory_map_insert(&job->section);
    ram_block_ref(job->section.block); /* the map's; the job's goes with the job */
    finish(job, NULL);
}

static GError *take_error(void)
{
    GError *error;

    pthread_mutex_lock(&answers);
    error = g_steal_pointer(&first_error);
    pthread_mutex_unlock(&answers);
    return error;
}

static void drop_error(void)
{
    GError *error = take_error();

    g_clear_error(&error);
}

static gboolean has_error(void)
{
    gboolean has;

    pthread_mutex_lock(&answers);
    has = first_error != NULL;
    pthread_mutex_unlock(&answers);
    return has;
}

static void round_ended(gpointer number)
{
    Job *job = running;

    if (!job || GPOINTER_TO_SIZE(number) != round_number) {
        return; /* of a transaction that memory_clear() has dropped */
    }
    if (job->change == MEMORY_REMOVE) {
        /* The map has changed and stays so; each listener has logged its own trouble. */
        drop_error();
        finish(job, NULL);
    } else if (job->aborting) {
        finish(job, take_error());
    } else if (has_error()) {
        abort_round(job);
    } else if (somebody_is_unprepared(job)) {
        prepare_round(job);
    } else {
        commit_add(job);
    }
}

/* --- the beginning --- */

static void begin_remove(Job *job)
{
    const MemoryAccelerator *accelerator = memory_accelerator();
    MemorySection section;

    section_array_remove(removing, job->section.guest_address);
    if (accelerator->remove) {
        accelerator->remove(&job->section);
    }
    memory_map_remove(job->section.guest_address, &section);
    ram_block_unref(section.block); /* the map's reference; the job has its own */
}

static void start_next(void)
{
    if (running || waiting.length == 0) {
        return;
    }
    running = g_queue_pop_head(&waiting);
    running->epoch = ++last_epoch;
    running->base_generation = memory_generation();
    trace(memory_transaction_begin, "%s guest address 0x%" PRIx64 " size 0x%" PRIx64 " memory %s",
          running->change == MEMORY_ADD ? "add" : "remove", running->section.guest_address,
          running->section.size, running->section.block->name);
    if (running->change == MEMORY_REMOVE) {
        begin_remove(running);
    }
    prepare_round(running);
}

static void enqueue(MemoryChange change, const MemorySection *section, MemoryDone *done,
                    gpointer opaque)
{
    Job *job = g_new0(Job, 1);

    job->change = change;
    job->section = *section;
    job->done = done;
    job->opaque = opaque;
    ram_block_ref(section->block);
    g_queue_push_tail(&waiting, job);
    section_array_insert(sections_of(change == MEMORY_ADD ? &adding : &removing), section);
    start_next();
}

static gboolean check_free(const MemorySection *section, GError **error)
{
    const MemorySection *other = memory_map_overlap(section->guest_address, section->size);

    if (!other && adding) {
        other = section_array_overlap(adding, section->guest_address, section->size);
    }
    if (other) {
        vm_error_set(error,
                     "memory '%s': guest addresses 0x%" PRIx64 "-0x%" PRIx64
                     " overlap memory '%s' at 0x%" PRIx64 "-0x%" PRIx64,
                     section->block->name, section->guest_address,
                     section->guest_address + (section->size - 1), other->block->name,
                     other->guest_address, other->guest_address + (other->size - 1));
        return FALSE;
    }
    return TRUE;
}

/*
 * Would everybody have room once what waits is done?  Removals that wait come
 * before a new addition, so what they free counts.
 */
static gboolean check_room(const MemorySection *section, GError **error)
{
    const MemoryAccelerator *accelerator = memory_accelerator();
    guint freed = removing ? removing->len : 0;
    guint more = (adding ? adding->len : 0) + 1;

    if (accelerator->free_slots && accelerator->free_slots() + freed < more) {
        guint used = memory_section_count();
        vm_error_set(error, "memory '%s': the accelerator allows %u memory slots, %u in use",
                     section->block->name, used + accelerator->free_slots(), used);
        return FALSE;
    }
    for (GList *link = listeners.head; link; link = link->next) {
        MemoryListener *listener = link->data;

        if (listener_state(listener) == LISTENER_OVERDUE) {
            g_propagate_error(error, overdue_error(listener));
            return FALSE;
        }
        if (listener->check_add &&
            !listener->check_add(listener, section, memory_section_count() - freed + more, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean memory_add(const MemorySection *section, MemoryDone *done, gpointer opaque, GError **error)
{
    if (!memory_section_check(section, error) || !check_free(section, error) ||
        !check_room(section, error)) {
        return FALSE;
    }
    enqueue(MEMORY_ADD, section, done, opaque);
    return TRUE;
}

gboolean memory_remove(uint64_t guest_address, MemoryDone *done, gpointer opaque, GError **error)
{
    const MemorySection *found = memory_map_at(guest_address);
    MemorySection section;

    if (!found) {
        vm_error_set(error, "guest address 0x%" PRIx64 ": no RAM section begins there",
                     guest_address);
        return FALSE;
    }
    if (removing && section_array_find(removing, guest_address)) {
        vm_error_set(error, "guest address 0x%" PRIx64 ": memory '%s' is being removed already",
                     guest_address, found->block->name);
        return FALSE;
    }
    section = *found; /* the map moves its entries */
    enqueue(MEMORY_REMOVE, &section, done, opaque);
    return TRUE;
}

gboolean memory_add_boot(const MemorySection *section, GError **error)
{
    const MemoryAccelerator *accelerator = memory_accelerator();

    if (!memory_section_check(section, error) || !check_free(section, error) ||
        (accelerator->add && !accelerator->add(section, error))) {
        return FALSE;
    }
    ram_block_ref(section->block);
    memory_map_insert(section);
    return TRUE;
}

void memory_transactions_clear(void)
{
    g_queue_clear_full(&waiting, (GDestroyNotify)job_free);
    g_clear_pointer(&running, job_free);
    g_clear_pointer(&adding, g_array_unref);
    g_clear_pointer(&removing, g_array_unref);
    drop_error();

    if (overdue_source) {
        g_source_destroy(overdue_source);
        g_clear_pointer(&overdue_source, g_source_unref);
    }
}
