/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of a vhost-user PCI device: the first, for which realize waits, and those after a
 * loss.  A connection has a session of its own; it is device->next until the backend was found to
 * fit and takes the place of device->session, which stays that of the last backend meanwhile.
 */
#include "vhost-user-pci-internal.h"

#include "util/error.h"
#include "util/report.h"

#include <linux/virtio_config.h>
#include <string.h>

/* Connections that realize tries, unless the user wants start-up to wait for a backend. */
#define TRIES 3

static GQueue devices = G_QUEUE_INIT; /* of VhostUserPci that have a session */

void vhost_user_pci_foreach(void (*visit)(VhostUserPci *device, gpointer opaque), gpointer opaque)
{
    for (GList *link = devices.head; link != NULL; link = link->next) {
        visit(link->data, opaque);
    }
}

const char *vhost_user_pci_name(VhostUserPci *device)
{
    return pci_device_name(PCI_DEVICE(device));
}

gboolean vhost_user_pci_is_connected(VhostUserPci *device)
{
    return device->session != NULL && !device->away;
}

gboolean vhost_user_pci_comes_back(VhostUserPci *device)
{
    return chardev_comes_back(device->chardev);
}

/* --- sessions end --- */

static void session_ended(gpointer opaque, const GError *error G_GNUC_UNUSED)
{
    VhostUserPci *device = opaque;
    void (*ended)(VhostUserPci *) = device->ended;

    if (--device->ending == 0 && ended != NULL) {
        device->ended = NULL;
        ended(device);
    }
    g_object_unref(device); /* the session's */
}

static void end_session(VhostUserPci *device, VhostUserSession **session)
{
    if (*session != NULL) {
        device->ending++;
        vhost_user_session_end(g_steal_pointer(session), session_ended, device);
    }
}

/* Lets the next connection come, after one that was of no use. */
static void try_again(VhostUserPci *device)
{
    chardev_refused(device->chardev);
}

/* --- what the session reports --- */

static void config_changed(gpointer opaque)
{
    virtio_pci_config_changed(VIRTIO_PCI(opaque));
}

static void start_failed(gpointer opaque, const GError *error)
{
    VhostUserPci *device = opaque;

    report_warning("%s; the device waits for a reset", error->message);
    vhost_user_pci_report(device, device->session, error, VHOST_USER_NEEDS_RESET);
    virtio_pci_set_broken(VIRTIO_PCI(device));
}

static void returned(VhostUserPci *device)
{
    const VhostUserKind *kind = vhost_user_kind(device);

    device->returning = FALSE;
    report_log("vhost-user device '%s': the backend is back", vhost_user_pci_name(device));
    if (kind->returned != NULL) {
        kind->returned(device);
    }
}

static void started(gpointer opaque)
{
    VhostUserPci *device = opaque;

    if (device->returning) {
        returned(device);
    }
}

static void warn_of_ignored(VhostUserPci *device, VhostUserSession *session, const GError *reason)
{
    report_warning("%s; this backend is ignored, the device waits for another", reason->message);
    vhost_user_session_note_ignored(session, reason);
    vhost_user_pci_report(device, session, reason, VHOST_USER_IGNORED);
}

static void lost(gpointer opaque, const GError *error)
{
    VhostUserPci *device = opaque;
    const VhostUserKind *kind = vhost_user_kind(device);

    device->away = TRUE;
    virtio_pci_remove_notify_pages(VIRTIO_PCI(device));
    if (device->returning) {
        /* It came back, but not with everything that the guest uses. */
        device->returning = FALSE;
        warn_of_ignored(device, device->session, error);
        try_again(device);
        return;
    }
    if (vhost_user_pci_comes_back(device)) {
        report_warning("%s; the device waits for its backend to come back", error->message);
        vhost_user_pci_report(device, device->session, error, VHOST_USER_RECONNECTING);
    } else {
        report_warning("%s; the device is dead from now on", error->message);
        vhost_user_pci_report(device, device->session, error, VHOST_USER_DEAD);
        virtio_pci_set_broken(VIRTIO_PCI(device));
    }
    chardev_disconnected(device->chardev);
    if (kind->lost != NULL) {
        kind->lost(device);
    }
}

static gboolean host_notifier(gpointer opaque, guint index, void *page)
{
    VhostUserPci *device = opaque;
    VirtioPci *virtio = VIRTIO_PCI(device);

    if (page != NULL) {
        return virtio_pci_set_notify_page(virtio, index, page);
    }
    virtio_pci_remove_notify_page(virtio, index);
    return TRUE;
}

static const VhostUserCallbacks callbacks = {
    .config_changed = config_changed,
    .start_failed = start_failed,
    .lost = lost,
    .started = started,
    .host_notifier = host_notifier,
};

/* --- does it fit? --- */

/* A backend maps the files behind guest memory, so each must be a shared one.  Checked again when
 * the connection stands, because from then on only the session checks what is added. */
static gboolean check_memory_is_shared(VhostUserPci *device, GError **error)
{
    GArray *sections = memory_sections_copy(NULL);
    gboolean ok = TRUE;

    for (guint i = 0; i < sections->len && ok; i++) {
        const RamBlock *block = g_array_index(sections, MemorySection, i).block;

        if (!block->shared || block->fd < 0) {
            vm_error_set(
                error,
                "device '%s': vhost-user needs shared memory; memory backend '%s' has share=off",
                vhost_user_pci_name(device), block->name);
            ok = FALSE;
        }
    }
    memory_sections_free(sections);
    return ok;
}

/* What device->session offers to the driver. */
static gboolean offer_features(VhostUserPci *device, uint64_t *features, GError **error)
{
    const VhostUserKind *kind = vhost_user_kind(device);

    *features = vhost_user_session_features(device->session) &
                virtio_pci_permitted_features(VIRTIO_PCI(device));
    /* A back-end that speaks the protocol's newer part and has no feature serves a legacy driver; of
     * one without either nothing can be expected. */
    if (*features == 0 && !vhost_user_session_has_protocol_features(device->session)) {
        vm_error_set(error, "vhost-user device '%s': the backend offers no feature at all",
                     vhost_user_pci_name(device));
        return FALSE;
    }
    if (!(*features >> VIRTIO_F_VERSION_1 & 1) && !virtio_pci_has_legacy(VIRTIO_PCI(device))) {
        vm_error_set(
            error,
            "vhost-user device '%s': the backend offers no VIRTIO_F_VERSION_1; only virtio "
            "1.0 and newer backends work",
            vhost_user_pci_name(device));
        return FALSE;
    }
    return kind->connected == NULL || kind->connected(device, features, error);
}

/* The guest relies on what it saw. */
static gboolean check_config(VhostUserPci *device, VhostUserSession *before, GError **error)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    /* What is shown depends on what the driver asked for last. */
    uint32_t size = kind->config_is_live ? 0 : device->needs.config_size;
    g_autofree uint8_t *now = NULL, *then = NULL;

    vhost_user_session_configs(device->session, before, &now, &then);
    if (kind->config_filter != NULL && size > 0) {
        kind->config_filter(device, now, size);
        kind->config_filter(device, then, size);
    }
    for (uint32_t i = 0; i < size; i++) {
        if (now[i] != then[i]) {
            vm_error_set(error,
                         "vhost-user device '%s': the backend that came back has another "
                         "configuration: byte %u is 0x%02x and was 0x%02x",
                         vhost_user_pci_name(device), i, now[i], then[i]);
            return FALSE;
        }
    }
    return TRUE;
}

/* With device->session the new one. */
static gboolean check_return(VhostUserPci *device, VhostUserSession *before, uint64_t *features,
                             GError **error)
{
    VirtioPci *virtio = VIRTIO_PCI(device);
    uint64_t missing = 0;

    if (!offer_features(device, features, error)) {
        return FALSE;
    }
    /* A legacy driver goes straight to DRIVER_OK. */
    if (virtio->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) {
        missing = virtio->driver_features & ~*features;
    }
    if (missing != 0) {
        vm_error_set(error,
                     "vhost-user device '%s': the backend that came back lacks features "
                     "0x%" G_GINT64_MODIFIER "x that the driver uses",
                     vhost_user_pci_name(device), (guint64)missing);
        return FALSE;
    }
    return check_config(device, before, error);
}

/* --- the first connection, at realize --- */

static void failure_ended(VhostUserPci *device)
{
    virtio_pci_teardown(VIRTIO_PCI(device));
    chardev_detach(device->chardev);
    vhost_user_kind_release(device);
    device_realize_done(DEVICE(device), g_steal_pointer(&device->failure));
}

/* Takes @reason. */
static void fail_realize(VhostUserPci *device, GError *reason)
{
    g_clear_handle_id(&device->patience, g_source_remove);
    g_clear_error(&device->failure);
    device->failure = reason;
    device->closing = TRUE;
    device->ended = failure_ended;
    end_session(device, &device->session);
    end_session(device, &device->next);
    if (device->ending == 0) {
        device->ended = NULL;
        failure_ended(device);
    }
}

static gboolean is_awaited(VhostUserPci *device)
{
    return chardev_is_awaited(device->chardev) && !DEVICE(device)->hotplugged;
}

/* A connection was of no use; takes @reason. */
static void realize_refused(VhostUserPci *device, GError *reason)
{
    if (!vhost_user_pci_comes_back(device) || (!is_awaited(device) && ++device->tries >= TRIES)) {
        fail_realize(device, reason);
        return;
    }
    report_warning("%s; waiting for the next connection", reason->message);
    g_clear_error(&device->failure);
    device->failure = reason;
    device->ended = try_again;
    end_session(device, &device->session);
    end_session(device, &device->next);
}

static gboolean out_of_patience(gpointer opaque)
{
    VhostUserPci *device = opaque;
    GError *reason = g_steal_pointer(&device->failure);

    device->patience = 0;
    if (device->next != NULL) {
        device->tries = TRIES; /* this is the last one, and it has deadlines of its own */
        g_clear_error(&reason);
        return G_SOURCE_REMOVE;
    }
    if (reason == NULL) {
        vm_error_set(&reason, "device '%s': chardev '%s' has no connection after %u ms",
                     vhost_user_pci_name(device), VM_OBJECT(device->chardev)->id,
                     device->reply_timeout);
    }
    fail_realize(device, reason);
    return G_SOURCE_REMOVE;
}

static gboolean set_up(VhostUserPci *device, GError **error)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    guint queues = vhost_user_session_queues(device->session) + device->local_queues;
    g_autofree uint16_t *sizes = g_new(uint16_t, queues);

    for (guint i = 0; i < queues; i++) {
        sizes[i] =
            kind->size_of_queue != NULL ? kind->size_of_queue(device, i) : device->queue_size;
    }
    return check_memory_is_shared(device, error) &&
           virtio_pci_setup(VIRTIO_PCI(device), device->offered, queues, sizes, error);
}

static void connected_first(VhostUserPci *device, const GError *error)
{
    const VhostUserKind *kind = vhost_user_kind(device);
    GError *reason = error != NULL ? g_error_copy(error) : NULL;

    device->session = g_steal_pointer(&device->next);
    if (reason != NULL || !offer_features(device, &device->offered, &reason)) {
        realize_refused(device, reason);
    } else if (!set_up(device, &reason)) {
        fail_realize(device, reason);
    } else {
        g_clear_handle_id(&device->patience, g_source_remove);
        g_clear_error(&device->failure);
        g_queue_push_tail(&devices, device);
        if (kind->realized != NULL) {
            kind->realized(device);
        }
        pci_device_set_visible(PCI_DEVICE(device));
        device_realize_done(DEVICE(device), NULL);
    }
}

/* --- connections after a loss --- */

/* device->session is the new one. */
static void take_over(VhostUserPci *device, VhostUserSession *before, uint64_t features)
{
    VirtioPci *virtio = VIRTIO_PCI(device);

    end_session(device, &before);
    device->away = FALSE;
    /* What it lacks beyond that, the next driver does not see. */
    virtio->device_features = device->offered & features;
    if (virtio->started && !(virtio->status & VIRTIO_CONFIG_S_NEEDS_RESET)) {
        device->returning = TRUE;
        vhost_user_pci_start_rings(device);
        vhost_user_session_adopt(device->session);
    } else {
        vhost_user_session_adopt(device->session);
        returned(device);
    }
}

static void connected_again(VhostUserPci *device, const GError *error)
{
    VhostUserSession *before = device->session;
    g_autoptr(GError) reason = error != NULL ? g_error_copy(error) : NULL;
    uint64_t features;

    device->session = g_steal_pointer(&device->next);
    if (reason == NULL && check_return(device, before, &features, &reason)) {
        take_over(device, before, features);
        return;
    }
    device->next = g_steal_pointer(&device->session);
    device->session = before;
    warn_of_ignored(device, device->next, reason);
    device->ended = try_again;
    end_session(device, &device->next);
}

static void connected(gpointer opaque, const GError *error)
{
    VhostUserPci *device = opaque;

    if (device->next == NULL) {
        return; /* ended meanwhile */
    }
    if (device->session == NULL) {
        connected_first(device, error);
    } else {
        connected_again(device, error);
    }
}

static void chardev_opened(gpointer opaque, int input G_GNUC_UNUSED, int output G_GNUC_UNUSED)
{
    VhostUserPci *device = opaque;
    VhostUserConnection connection = {
        .name = vhost_user_pci_name(device),
        .chardev = VM_OBJECT(device->chardev)->id,
        .reply_timeout = device->reply_timeout,
        .may_return = vhost_user_pci_comes_back(device),
        .before = device->session,
    };

    if (device->closing) {
        return; /* the chardev closes it when we leave */
    }
    connection.socket = chardev_steal_socket(device->chardev, NULL);
    if (connection.socket < 0) {
        return; /* not a socket, which realize says */
    }
    g_object_ref(device);
    device->next = vhost_user_session_new(&connection, &device->needs, &callbacks, device);
    vhost_user_session_connect(device->next, connected, device);
}

/* --- realize and unrealize --- */

/* The device waits for its first connection. */
static gboolean begin(VhostUserPci *device, GError **error)
{
    device->frontend = (ChardevFrontend){
        .opened = chardev_opened,
        .opaque = device,
        .user = vhost_user_pci_name(device),
        .keeper = device->keeper,
    };
    if (!check_memory_is_shared(device, error)) {
        return FALSE;
    }
    if (!chardev_check_socket(device->chardev, error) ||
        !chardev_attach(device->chardev, &device->frontend, error)) {
        g_prefix_error(error, "device '%s': ", vhost_user_pci_name(device));
        return FALSE;
    }
    if (device->next == NULL && !vhost_user_pci_comes_back(device)) {
        chardev_detach(device->chardev);
        vm_error_set(error, "device '%s': chardev '%s' has no connection",
                     vhost_user_pci_name(device), VM_OBJECT(device->chardev)->id);
        return FALSE;
    }
    return TRUE;
}

DeviceProgress vhost_user_pci_realize(PciDevice *pci, GError **error)
{
    VhostUserPci *device = VHOST_USER_PCI(pci);

    if (!virtio_pci_check_options(VIRTIO_PCI(device), error) ||
        !vhost_user_kind_prepare(device, error)) {
        return DEVICE_FAILED;
    }
    if (!begin(device, error)) {
        vhost_user_kind_release(device);
        return DEVICE_FAILED;
    }
    if (vhost_user_pci_comes_back(device) && !is_awaited(device)) {
        device->patience = g_timeout_add(device->reply_timeout, out_of_patience, device);
    }
    return DEVICE_PENDING;
}

static void unrealize_ended(VhostUserPci *device)
{
    virtio_pci_teardown(VIRTIO_PCI(device));
    chardev_detach(device->chardev);
    vhost_user_kind_release(device);
    device_unrealize_done(DEVICE(device));
}

DeviceProgress vhost_user_pci_unrealize(PciDevice *pci)
{
    VhostUserPci *device = VHOST_USER_PCI(pci);

    if (VIRTIO_PCI(device)->started) {
        vhost_user_local_stop(device);
        vhost_user_session_stop(device->session, FALSE, NULL, NULL);
    }
    g_queue_remove(&devices, device);
    device->closing = TRUE;
    device->ended = unrealize_ended;
    end_session(device, &device->next);
    end_session(device, &device->session);
    return DEVICE_PENDING;
}

void vhost_user_pci_hurry(Device *base)
{
    VhostUserPci *device = VHOST_USER_PCI(base);

    if (device->session != NULL) {
        vhost_user_session_hurry(device->session);
    }
    if (device->next != NULL) {
        vhost_user_session_hurry(device->next);
    }
    if (base->busy && device->session == NULL && !device->closing) {
        g_clear_handle_id(&device->patience, g_source_remove);
        device->patience = g_timeout_add(0, out_of_patience, device);
    }
}
