/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host notifiers (VRING_HOST_NOTIFIER_MSG): a page of the backend's, of its hardware mostly, takes
 * a ring's notifications, so that they reach it without us.  It is neither guest RAM nor one of the
 * backend's memory slots.
 */
#include "vhost-user-internal.h"

#include "system/vm-lock.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"
#include "util/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

TRACE_EVENT(vhost_user_notifier, "a page of a backend becomes a doorbell, or is one no more");

/* Of refusals, a connection: a backend could fill the log. */
#define WARNINGS 16

/* The doorbell of @state is @page, or ours again with NULL. */
static gboolean place(VhostUserSession *session, VhostUserRingState *state, void *page)
{
    gboolean placed = FALSE;

    vm_lock();
    if (session->state == VHOST_USER_CONNECTED && session->callbacks.host_notifier != NULL) {
        placed = session->callbacks.host_notifier(session->opaque, state->ring.index, page);
    }
    session->kept->notifiers_set += placed && page != NULL;
    vm_unlock();
    if (placed || page == NULL) {
        trace(vhost_user_notifier, "device %s: queue %u: %s", session->id, state->ring.index,
              page != NULL ? "page" : "none");
        pthread_mutex_lock(&session->lock);
        state->notifier = page != NULL;
        pthread_mutex_unlock(&session->lock);
    }
    return placed;
}

/*
 * What a guest's CPU stores to must stay there: a file that somebody cuts is SIGBUS here, and the
 * end of a CPU under KVM.  Descriptors of devices have no size.  NULL, or what is wrong.
 */
static char *check_file(int fd, uint64_t end)
{
    struct statx status;
    int seals = fcntl(fd, F_GET_SEALS);

    /* Not fstat(), for which a file system in user space has all the time it wants. */
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &status) < 0) {
        return g_strdup_printf("its descriptor cannot be looked at: %s", g_strerror(errno));
    }
    if (!S_ISREG(status.stx_mode)) {
        return NULL; /* the mapping tells */
    }
    if (seals < 0 || !(seals & F_SEAL_SHRINK)) {
        return g_strdup("its file may be cut; give a device, or a memfd with F_SEAL_SHRINK");
    }
    if (end > status.stx_size) {
        return g_strdup_printf("its area ends at 0x%" PRIx64 ", its file at 0x%" PRIx64, end,
                               (uint64_t)status.stx_size);
    }
    return NULL;
}

static char *check_area(const VhostUserVringArea *area)
{
    if (area->size < VHOST_USER_NOTIFIER_SIZE || area->size % VHOST_USER_NOTIFIER_SIZE != 0) {
        return g_strdup_printf("its size 0x%" PRIx64 " is no multiple of a page (0x%x)", area->size,
                               VHOST_USER_NOTIFIER_SIZE);
    }
    if (area->offset % VHOST_USER_NOTIFIER_SIZE != 0 ||
        area->offset > (uint64_t)INT64_MAX - area->size) {
        return g_strdup_printf("its offset 0x%" PRIx64 " is no multiple of a page (0x%x), or none "
                               "of a file",
                               area->offset, VHOST_USER_NOTIFIER_SIZE);
    }
    return NULL;
}

static char *map_and_place(VhostUserSession *session, VhostUserRingState *state,
                           const VhostUserVringArea *area, int fd)
{
    void *page = mmap(NULL, VHOST_USER_NOTIFIER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      (off_t)area->offset);

    if (page == MAP_FAILED) {
        return g_strdup_printf("its descriptor cannot be mapped: %s", g_strerror(errno));
    }
    if (!place(session, state, page)) {
        munmap(page, VHOST_USER_NOTIFIER_SIZE);
        return g_strdup("the driver's queue does not run");
    }
    return NULL;
}

static char *take_back(VhostUserSession *session, VhostUserRingState *state)
{
    if (state->notifier) {
        place(session, state, NULL);
        /* What the driver stored to the page last, the backend may not have seen. */
        event_fd_signal_shared(state->ring.kick);
    }
    return NULL;
}

char *vhost_user_notifier_set(VhostUserSession *session, const VhostUserVringArea *area, int fd)
{
    guint64 index = area->index & VHOST_USER_VRING_IDX_MASK;
    VhostUserRingState *state = vhost_user_rings_find(session, index);
    char *problem;

    if (!vhost_user_has_protocol(session, VHOST_USER_PROTOCOL_F_HOST_NOTIFIER)) {
        return g_strdup("HOST_NOTIFIER was not negotiated, which takes BACKEND_REQ, "
                        "BACKEND_SEND_FD and page-per-vq=on");
    }
    if (state == NULL) {
        return g_strdup_printf("queue %" PRIu64 " does not run", index);
    }
    if (area->index & VHOST_USER_VRING_NOFD_MASK) {
        return take_back(session, state);
    }
    if (state->notifier) {
        return g_strdup_printf("queue %" PRIu64 " has one; take it back first", index);
    }
    problem = check_area(area);
    if (problem == NULL) {
        problem = check_file(fd, area->offset + area->size);
    }
    return problem != NULL ? problem : map_and_place(session, state, area, fd);
}

void vhost_user_notifier_drop(VhostUserSession *session, VhostUserRingState *state)
{
    if (state->notifier) {
        place(session, state, NULL);
    }
}

void vhost_user_notifier_refused(VhostUserSession *session, const char *reason)
{
    g_autoptr(GError) error = NULL;

    vm_error_set(&error, "%s: the backend's host notifier is refused: %s", session->label, reason);
    if (++session->notifier_warnings <= WARNINGS) {
        report_warning("%s%s", error->message,
                       session->notifier_warnings == WARNINGS ? "; more are only counted" : "");
    }
    vhost_user_note_error(session, error);
    vm_lock();
    session->kept->notifiers_refused++;
    vm_unlock();
}
