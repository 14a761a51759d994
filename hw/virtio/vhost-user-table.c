/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of regions at a vhost-user backend: the shadow says what the backend has, and a
 * difference becomes removes first, then adds, pipelined, one message a region ("Memory slots").
 * A backend without memory slots gets its whole table of up to eight regions instead.
 */
#include "vhost-user-internal.h"

#include "util/error.h"
#include "util/trace.h"

TRACE_EVENT(vhost_user_region_add, "a backend got a region");
TRACE_EVENT(vhost_user_region_remove, "a backend let a region go");
TRACE_EVENT(vhost_user_region_refused, "a backend refused a region or its removal");

/* Requests on their way before their answers are awaited and the deadline begins anew, so that a
 * long table at a slow backend is not mistaken for silence. */
#define BATCH 64

/* --- regions --- */

static VhostUserMemoryRegion region_on_wire(const ShadowRegion *region)
{
    return (VhostUserMemoryRegion){
        .guest_address = region->guest_address,
        .size = region->size,
        .user_address = region->user_address,
        .mmap_offset = region->mmap_offset,
    };
}

/* The file of a region that somebody holds a reference to: the shadow, or who adds it. */
static const RamBlock *block_of(const ShadowRegion *region)
{
    return region->file;
}

/* "...: ADD_MEM_REG refused by ..." becomes "...: ADD_MEM_REG of region X (memory backend 'm')
 * refused by ...". */
static GError *name_region(const VhostUserSession *session, const GError *error, uint32_t request,
                           const ShadowRegion *region)
{
    const char *name = vhost_user_request_name(request);
    const char *found = strstr(error->message, name);
    gsize label = strlen(session->label) + strlen(": ");
    gsize before = found != NULL ? (gsize)(found - error->message) + strlen(name)
                   : g_str_has_prefix(error->message, session->label) ? label
                                                                      : 0;

    return g_error_new(error->domain, error->code,
                       "%.*s%s of region 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER
                       "x (memory backend '%s')%s%s",
                       (int)before, error->message, found != NULL ? "" : name,
                       (guint64)region->guest_address, (guint64)region->size,
                       block_of(region)->name, found != NULL ? "" : ": ", error->message + before);
}

/* --- the shadow --- */

static void shadow_changed(VhostUserSession *session)
{
    g_atomic_int_set(&session->slots_used, shadow_table_length(&session->shadow));
}

static void shadow_add(VhostUserSession *session, const ShadowRegion *region)
{
    trace(vhost_user_region_add,
          "device %s: 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x %s", session->id,
          (guint64)region->guest_address, (guint64)region->size, block_of(region)->name);
    if (shadow_table_insert(&session->shadow, region)) {
        ram_block_ref((RamBlock *)region->file);
        shadow_changed(session);
    }
}

static void shadow_remove(VhostUserSession *session, const ShadowRegion *region)
{
    RamBlock *block = (RamBlock *)region->file;

    trace(vhost_user_region_remove,
          "device %s: 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x %s", session->id,
          (guint64)region->guest_address, (guint64)region->size, block->name);
    if (shadow_table_remove(&session->shadow, region)) {
        shadow_changed(session);
        ram_block_unref(block);
    }
}

void vhost_user_table_drop(VhostUserSession *session)
{
    guint count = shadow_table_length(&session->shadow);

    for (guint i = 0; i < count; i++) {
        ram_block_unref((RamBlock *)shadow_table_at(&session->shadow, i)->file);
    }
    shadow_table_clear(&session->shadow);
    shadow_table_init(&session->shadow);
    shadow_changed(session);
    session->table_generation = VHOST_USER_GENERATION_UNKNOWN;
}

/* --- with memory slots: one message a region --- */

typedef struct Refusal {
    VhostUserSession *session;
    GError *error; /* the first one */
} Refusal;

static void region_answered(gpointer opaque, uint32_t request, gpointer tag, const GError *error)
{
    Refusal *refusal = opaque;
    const ShadowRegion *region = tag;

    if (region == NULL) {
        if (error != NULL && refusal->error == NULL) {
            refusal->error = g_error_copy(error);
        }
    } else if (error != NULL) {
        trace(vhost_user_region_refused, "device %s: %s of 0x%" G_GINT64_MODIFIER "x: %s",
              refusal->session->id, vhost_user_request_name(request),
              (guint64)region->guest_address, error->message);
        if (refusal->error == NULL) {
            refusal->error = name_region(refusal->session, error, request, region);
        }
    } else if (request == VHOST_USER_ADD_MEM_REG) {
        shadow_add(refusal->session, region);
    } else {
        shadow_remove(refusal->session, region);
    }
}

/*
 * Waits for the answers; the shadow says afterwards what the backend has.  @last (may be NULL) of
 * @request is what a connection was broken over that had answered everything.
 */
static gboolean collect(VhostUserSession *session, uint32_t request, const ShadowRegion *last,
                        GError **error)
{
    Refusal refusal = {.session = session};
    g_autoptr(GError) broken = NULL;
    gboolean ok = vhost_user_channel_flush(session->channel, region_answered, &refusal, &broken);

    if (!ok && refusal.error == NULL) {
        refusal.error =
            last != NULL ? name_region(session, broken, request, last) : g_steal_pointer(&broken);
    }
    if (refusal.error != NULL) {
        g_propagate_error(error, refusal.error);
        return FALSE;
    }
    return TRUE;
}

static gboolean send_region(VhostUserSession *session, uint32_t request, const ShadowRegion *region,
                            GError **error)
{
    VhostUserMemRegMsg message = {.region = region_on_wire(region)};
    guint fds = request == VHOST_USER_ADD_MEM_REG ? 1 : 0;

    return vhost_user_channel_send(session->channel, request, &message, sizeof(message),
                                   &block_of(region)->fd, fds, (gpointer)region, error);
}

static gboolean send_regions(VhostUserSession *session, uint32_t request, GArray *regions,
                             GError **error)
{
    for (guint i = 0; i < regions->len; i++) {
        const ShadowRegion *region = &g_array_index(regions, ShadowRegion, i);
        g_autoptr(GError) broken = NULL;

        if (i > 0 && i % BATCH == 0) {
            if (!collect(session, request, region, error)) {
                return FALSE;
            }
            vhost_user_deadline_renew(session);
        }
        if (!send_region(session, request, region, &broken)) {
            g_propagate_error(error, name_region(session, broken, request, region));
            collect(session, request, region, NULL);
            return FALSE;
        }
    }
    return regions->len == 0 ||
           collect(session, request, &g_array_index(regions, ShadowRegion, regions->len - 1),
                   error);
}

/* Whether the backend still has a region that it was told to remove where one is to be added. */
static gboolean adds_are_free(VhostUserSession *session, GError **error)
{
    const GArray *removes = session->diff.removes;
    const GArray *adds = session->diff.adds;

    for (guint i = 0; i < removes->len; i++) {
        const ShadowRegion *kept = &g_array_index(removes, ShadowRegion, i);

        if (shadow_table_find(&session->shadow, kept->guest_address) == NULL) {
            continue;
        }
        for (guint j = 0; j < adds->len; j++) {
            const ShadowRegion *wanted = &g_array_index(adds, ShadowRegion, j);

            if (kept->guest_address < wanted->guest_address + wanted->size &&
                wanted->guest_address < kept->guest_address + kept->size) {
                vm_error_set(error,
                             "%s: region 0x%" G_GINT64_MODIFIER
                             "x cannot be added: the backend refused to let go of memory backend "
                             "'%s' there",
                             session->label, (guint64)wanted->guest_address, block_of(kept)->name);
                return FALSE;
            }
        }
    }
    return TRUE;
}

/* The backend refused to let go: the shadow keeps the region, the next change tries again. */
static void keep_removed(VhostUserSession *session, GError *refusal)
{
    vhost_user_note_error(session, refusal);
    g_clear_error(&session->kept_region);
    session->kept_region = refusal;
}

/*
 * Removes go first, and are answered before the adds that may take their addresses and slots.  A
 * region that the backend does not let go of is no reason to refuse others.
 */
static gboolean change_regions(VhostUserSession *session, GError **error)
{
    GError *refusal = NULL;

    if (!send_regions(session, VHOST_USER_REM_MEM_REG, session->diff.removes, &refusal)) {
        if (vhost_user_channel_broken(session->channel)) {
            g_propagate_error(error, refusal);
            return FALSE;
        }
        keep_removed(session, refusal);
        if (!adds_are_free(session, error)) {
            return FALSE;
        }
    }
    return send_regions(session, VHOST_USER_ADD_MEM_REG, session->diff.adds, error);
}

/* --- without: the whole table in one message --- */

/* Fills @message and @fds from @count regions; FALSE before a byte is written if they do not
 * fit. Returns the payload's size in @size. */
static gboolean build_table(VhostUserSession *session, const ShadowRegion *regions, guint count,
                            VhostUserMemory *message, int *fds, uint32_t *size, GError **error)
{
    if (!vhost_user_memory_check_count(session, count, count, error)) {
        return FALSE;
    }
    message->num_regions = count;
    message->padding = 0;
    for (guint i = 0; i < count; i++) {
        message->regions[i] = region_on_wire(&regions[i]);
        fds[i] = block_of(&regions[i])->fd;
    }
    *size = VHOST_USER_MEMORY_HEAD + count * sizeof(message->regions[0]);
    return TRUE;
}

static gboolean send_table(VhostUserSession *session, const ShadowRegion *regions, guint count,
                           GError **error)
{
    VhostUserMemory message;
    int fds[VHOST_USER_MAX_REGIONS_IN_MESSAGE];
    uint32_t size;

    if (!build_table(session, regions, count, &message, fds, &size, error)) {
        return FALSE;
    }
    return vhost_user_channel_send(session->channel, VHOST_USER_SET_MEM_TABLE, &message, size, fds,
                                   count, NULL, error) &&
           collect(session, VHOST_USER_SET_MEM_TABLE, NULL, error);
}

const ShadowRegion *vhost_user_table_regions(const ShadowTable *table)
{
    return shadow_table_length(table) > 0 ? shadow_table_at(table, 0) : NULL;
}

/* The backend refused a table and nothing says what it has now: it gets the old one again. */
static void restore_table(VhostUserSession *session)
{
    g_autoptr(GError) error = NULL;

    if (shadow_table_length(&session->shadow) == 0) {
        return;
    }
    if (!send_table(session, vhost_user_table_regions(&session->shadow),
                    shadow_table_length(&session->shadow), &error) ||
        !vhost_user_rings_send_addresses(session, &error)) {
        vhost_user_channel_break(session->channel, error);
    }
}

/* What the shadow will be after session->diff. */
static void table_after(VhostUserSession *session, ShadowTable *table)
{
    const GArray *removes = session->diff.removes;
    const GArray *adds = session->diff.adds;

    shadow_table_init(table);
    for (guint i = 0; i < shadow_table_length(&session->shadow); i++) {
        shadow_table_insert(table, shadow_table_at(&session->shadow, i));
    }
    for (guint i = 0; i < removes->len; i++) {
        shadow_table_remove(table, &g_array_index(removes, ShadowRegion, i));
    }
    for (guint i = 0; i < adds->len; i++) {
        shadow_table_insert(table, &g_array_index(adds, ShadowRegion, i));
    }
}

static void shadow_apply_diff(VhostUserSession *session)
{
    const GArray *removes = session->diff.removes;
    const GArray *adds = session->diff.adds;

    for (guint i = 0; i < removes->len; i++) {
        shadow_remove(session, &g_array_index(removes, ShadowRegion, i));
    }
    for (guint i = 0; i < adds->len; i++) {
        shadow_add(session, &g_array_index(adds, ShadowRegion, i));
    }
}

static gboolean replace_table(VhostUserSession *session, GError **error)
{
    GError *refusal = NULL;
    ShadowTable table;
    gboolean ok;

    table_after(session, &table);
    ok = send_table(session, vhost_user_table_regions(&table), shadow_table_length(&table),
                    &refusal);
    shadow_table_clear(&table);
    if (ok) {
        shadow_apply_diff(session);
        return vhost_user_rings_send_addresses(session, error);
    }
    restore_table(session);
    if (session->diff.adds->len > 0) {
        const ShadowRegion *first = &g_array_index(session->diff.adds, ShadowRegion, 0);

        g_propagate_error(error, name_region(session, refusal, VHOST_USER_SET_MEM_TABLE, first));
        g_error_free(refusal);
        return FALSE;
    }
    if (vhost_user_channel_broken(session->channel)) {
        g_propagate_error(error, refusal);
        return FALSE;
    }
    keep_removed(session, refusal);
    return TRUE;
}

/* --- both --- */

gboolean vhost_user_table_apply(VhostUserSession *session, GError **error)
{
    if (session->diff.removes->len == 0 && session->diff.adds->len == 0) {
        return TRUE;
    }
    if (vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
        return change_regions(session, error);
    }
    return replace_table(session, error);
}
