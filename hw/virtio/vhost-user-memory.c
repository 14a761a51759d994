/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory and a vhost-user session: takes part in every transaction of the memory map, with
 * the one region that changes where the backend's table is known to equal the map, and by comparing
 * the two where it is not.
 */
#include "vhost-user-internal.h"

#include "system/vm-lock.h"
#include "util/error.h"
#include "util/report.h"

static ShadowRegion region_of(const MemorySection *section)
{
    return (ShadowRegion){
        .guest_address = section->guest_address,
        .size = section->size,
        .user_address = (uintptr_t)memory_section_host(section),
        .mmap_offset = section->block->fd_offset + section->block_offset,
        .file = section->block,
    };
}

/* --- bringing the backend to a map --- */

static void empty_diff(VhostUserSession *session)
{
    g_array_set_size(session->diff.removes, 0);
    g_array_set_size(session->diff.adds, 0);
}

/*
 * The slow path, taken at the first start and after something went wrong: compares the whole map,
 * with @extra (may be NULL) in it, with the shadow.  Takes the VM lock for the copy, which is safe
 * because nobody waits for a session while holding it.
 */
static gboolean bring_to_map(VhostUserSession *session, const MemorySection *extra,
                             uint64_t *generation, GError **error)
{
    GArray *sections;
    ShadowTable map;
    gboolean ok;

    vm_lock();
    sections = memory_sections_copy(generation);
    vm_unlock();

    shadow_table_init(&map);
    for (guint i = 0; i < sections->len; i++) {
        ShadowRegion region = region_of(&g_array_index(sections, MemorySection, i));

        shadow_table_insert(&map, &region);
    }
    if (extra != NULL) {
        ShadowRegion region = region_of(extra);

        shadow_table_insert(&map, &region);
    }
    empty_diff(session);
    shadow_diff(vhost_user_table_regions(&session->shadow), shadow_table_length(&session->shadow),
                vhost_user_table_regions(&map), shadow_table_length(&map), &session->diff);
    ok = vhost_user_table_apply(session, error);
    shadow_table_clear(&map);
    memory_sections_free(sections);
    return ok;
}

/*
 * From the first start on every transaction passes through here, so that only after trouble the
 * table has to be compared.
 */
gboolean vhost_user_memory_bring(VhostUserSession *session, GError **error)
{
    uint64_t generation;

    if (session->table_generation == VHOST_USER_GENERATION_UNKNOWN) {
        /* Settled first, so that a refusal of something else is not taken for one of a region. */
        if (!vhost_user_settle(session, error) ||
            !bring_to_map(session, NULL, &generation, error)) {
            return FALSE;
        }
        session->table_generation = generation;
    }
    return TRUE;
}

/* The fast path: the shadow equals the map before the change, which goes alone. */
static gboolean change_alone(VhostUserSession *session, const VhostUserMemoryJob *job,
                             GError **error)
{
    ShadowRegion region = region_of(&job->section);
    GArray *changes = job->change == MEMORY_ADD ? session->diff.adds : session->diff.removes;

    empty_diff(session);
    g_array_append_val(changes, region);
    if (!vhost_user_table_apply(session, error)) {
        return FALSE;
    }
    session->table_generation = job->to_generation;
    return TRUE;
}

/* An addition failed for the sake of another region: nothing of it may stay at the backend. */
static void take_out(VhostUserSession *session, const MemorySection *section)
{
    ShadowRegion region = region_of(section);

    if (shadow_table_find(&session->shadow, region.guest_address) != NULL) {
        empty_diff(session);
        g_array_append_val(session->diff.removes, region);
        vhost_user_table_apply(session, NULL);
    }
}

static gboolean change_by_comparison(VhostUserSession *session, const VhostUserMemoryJob *job,
                                     GError **error)
{
    gboolean add = job->change == MEMORY_ADD;
    uint64_t generation;

    session->table_generation = VHOST_USER_GENERATION_UNKNOWN;
    g_clear_error(&session->kept_region);
    if (!bring_to_map(session, add ? &job->section : NULL, &generation, error)) {
        if (add && !vhost_user_channel_broken(session->channel)) {
            take_out(session, &job->section);
        }
        return FALSE;
    }
    session->table_generation = generation + (add ? 1 : 0);
    return TRUE;
}

/* --- transactions --- */

/* A region that stays at the backend is no error of a transaction, so it is told here, once. */
static void warn_of_kept_region(VhostUserSession *session)
{
    if (session->kept_region == NULL) {
        session->warned_of_kept = FALSE;
    } else if (!session->warned_of_kept) {
        session->warned_of_kept = TRUE;
        report_warning("%s", session->kept_region->message);
    }
}

static gboolean run_memory(VhostUserSession *session, VhostUserJob *job, GError **error)
{
    const VhostUserMemoryJob *memory = (const VhostUserMemoryJob *)job;
    gint64 soonest = g_get_monotonic_time() + G_USEC_PER_SEC;
    gboolean ok;

    if (session->lost) {
        /* A dead device has no memory and holds up nobody else's. */
        return TRUE;
    }
    /* Earlier jobs may have used up the transaction's time; the backend is not to blame. */
    vhost_user_channel_set_deadline(
        session->channel, MIN(vhost_user_deadline(session), MAX(memory->deadline, soonest)));
    if (session->table_generation == memory->from_generation && session->kept_region == NULL) {
        ok = change_alone(session, memory, error);
    } else {
        ok = change_by_comparison(session, memory, error);
    }
    warn_of_kept_region(session);
    return ok;
}

/* Tells the memory map that we are done, unless we do not listen any more. */
static void answer_map(VhostUserSession *session, gint64 begin, GError *error)
{
    pthread_mutex_lock(&session->lock);
    session->last_memory_time = g_get_monotonic_time() - begin;
    if (session->owes_memory) {
        session->owes_memory = FALSE;
        memory_listener_done(&session->listener, g_steal_pointer(&error));
    }
    pthread_mutex_unlock(&session->lock);
    g_clear_error(&error);
}

static void finish_memory(VhostUserSession *session, VhostUserJob *job, GError *error)
{
    VhostUserMemoryJob *memory = (VhostUserMemoryJob *)job;

    ram_block_unref(memory->section.block);
    /* The next transaction may use the job from here on. */
    answer_map(session, memory->begin, error);
}

static const VhostUserJobKind memory_kind = {
    .name = "memory", .run = run_memory, .finish = finish_memory, .run_when_lost = TRUE};

/* @change is what the backend is told: a removal also where an addition is taken back. */
static void queue_memory(VhostUserSession *session, const MemoryTransaction *transaction,
                         MemoryChange change)
{
    VhostUserMemoryJob *job = &session->memory_job;
    uint64_t base = transaction->base_generation;
    gboolean back = change != transaction->change;

    job->change = change;
    job->section = transaction->section;
    ram_block_ref(job->section.block);
    job->from_generation = back ? base + 1 : base;
    job->to_generation = back ? base : base + 1;
    job->deadline = transaction->deadline;
    job->begin = g_get_monotonic_time();
    pthread_mutex_lock(&session->lock);
    session->owes_memory = TRUE;
    pthread_mutex_unlock(&session->lock);
    vhost_user_job_queue(session, &job->job, &memory_kind, NULL, NULL);
}

/* --- the listener; VM lock held --- */

gboolean vhost_user_memory_check_count(VhostUserSession *session, guint needed, guint in_use,
                                       GError **error)
{
    if (needed <= session->slot_limit) {
        return TRUE;
    }
    vm_error_set(error, "%s allows %" G_GUINT64_FORMAT " memory slots, %u in use", session->label,
                 (guint64)session->slot_limit, in_use);
    return FALSE;
}

static gboolean check_add(MemoryListener *listener, const MemorySection *section, guint sections,
                          GError **error)
{
    VhostUserSession *session = listener->opaque;

    if (!vhost_user_memory_check_count(session, sections, sections - 1, error)) {
        return FALSE;
    }
    if (!section->block->shared || section->block->fd < 0) {
        vm_error_set(error, "%s needs shared memory to pass on; memory backend '%s' has share=off",
                     session->label, section->block->name);
        return FALSE;
    }
    return TRUE;
}

static void prepare(MemoryListener *listener, const MemoryTransaction *transaction)
{
    VhostUserSession *session = listener->opaque;
    g_autoptr(GError) error = NULL;

    /* Checked again: the session may have connected while the transaction ran already. */
    if (transaction->change == MEMORY_ADD &&
        !check_add(listener, &transaction->section, memory_section_count() + 1, &error)) {
        memory_listener_done(listener, g_steal_pointer(&error));
    } else if (!session->has_table) {
        memory_listener_done(listener, NULL);
    } else {
        queue_memory(session, transaction, transaction->change);
    }
}

static void take_back(MemoryListener *listener, const MemoryTransaction *transaction)
{
    VhostUserSession *session = listener->opaque;

    if (session->has_table) {
        queue_memory(session, transaction, MEMORY_REMOVE);
    } else {
        memory_listener_done(listener, NULL);
    }
}

void vhost_user_memory_listen(VhostUserSession *session)
{
    session->listener = (MemoryListener){
        .name = session->label,
        .opaque = session,
        .check_add = check_add,
        .prepare = prepare,
        .abort = take_back,
    };
    session->listening = TRUE;
    memory_listener_add(&session->listener);
}

void vhost_user_memory_unlisten(VhostUserSession *session)
{
    if (!session->listening) {
        return;
    }
    session->listening = FALSE;
    pthread_mutex_lock(&session->lock);
    session->owes_memory = FALSE;
    pthread_mutex_unlock(&session->lock);
    memory_listener_remove(&session->listener);
}

/*
 * A transaction that runs now has passed us by without effect.  As a new listener we are prepared
 * for it once more, in order behind the start that follows.
 */
void vhost_user_memory_take_part(VhostUserSession *session)
{
    if (!session->has_table && session->listening) {
        session->has_table = TRUE;
        memory_listener_remove(&session->listener);
        memory_listener_add(&session->listener);
    }
}
