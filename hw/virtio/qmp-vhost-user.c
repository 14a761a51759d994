/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x-query-vhost-user: every vhost-user device and what its backend and it agreed on. */
#include "monitor/qmp.h"
#include "vhost-user-pci-internal.h"

static const QmpType types[] = {
    {"VhostUserMessageCount", QMP_OBJECT,
     "request:str, sent:uint64, answered:uint64, refused:uint64",
     "How often one request was sent to a backend: answered counts replies and acknowledgements, "
     "refused those acknowledgements that said no.",
     NULL},
    {"VhostUserRingInfo", QMP_OBJECT,
     "index:uint16, size:uint16, enabled:bool, host-notifier:bool, base:uint32",
     "A ring of a vhost-user device: its number, its size in descriptors, whether the backend "
     "works on it, whether a page of the backend's takes its notifications, and where the backend "
     "began or stopped.",
     NULL},
    {"VhostUserInfo", QMP_OBJECT,
     "id:str, path:str, type:str, chardev:str, *socket:str, connected:bool, "
     "connections:uint64, losses:uint64, ignored:uint64, host-notifiers-set:uint64, "
     "host-notifiers-refused:uint64, *features:[str], "
     "*driver-features:[str], *protocol-features:[str], *slot-limit:uint64, slots-used:uint64, "
     "*rings:[VhostUserRingInfo], messages:[VhostUserMessageCount], *last-error:str, "
     "*last-memory-microseconds:int",
     "A vhost-user device: its backend's socket, whether it is connected, how many connections "
     "were taken, lost, and ignored because the backend that came back did not fit, how many pages "
     "for notifications its backends have put in place and how many were refused, the features "
     "that the backend offers, those that the driver chose and the protocol features in use, how "
     "many "
     "memory regions the backend takes and has, its rings, the messages sent over all connections, "
     "the last "
     "error, and the time that the last change of guest memory took.",
     NULL},
    {"VhostUserAction", QMP_ENUM, "reconnecting, dead, needs-reset, ignored",
     "What becomes of a device whose backend failed: its requests wait for the backend to come "
     "back (reconnecting); nothing leads to another backend (dead); the driver was told to reset "
     "the device (needs-reset); a backend that came back does not fit, was hung up on, and the "
     "device waits for another (ignored).",
     NULL},
    {.name = NULL},
};

static const QmpEvent events[] = {
    {"VHOST_USER_DEVICE_ERROR",
     "*device:str, path:str, *request:str, reason:str, action:VhostUserAction",
     "The backend of a vhost-user device failed: the device's id and path, the request that it "
     "did not answer well, if there was one, the whole message, and what becomes of the device.  "
     "Sent once for each failure."},
    {.name = NULL},
};

void vhost_user_pci_report(VhostUserPci *device, VhostUserSession *session, const GError *reason,
                           VhostUserAction action)
{
    static const char *const names[] = {
        [VHOST_USER_RECONNECTING] = "reconnecting",
        [VHOST_USER_DEAD] = "dead",
        [VHOST_USER_NEEDS_RESET] = "needs-reset",
        [VHOST_USER_IGNORED] = "ignored",
    };
    const char *request = session != NULL ? vhost_user_session_failed_request(session) : NULL;
    g_autofree char *path = vm_object_path(VM_OBJECT(device));
    json_object *data = json_object_new_object();

    if (VM_OBJECT(device)->id != NULL) {
        json_add_string(data, "device", VM_OBJECT(device)->id);
    }
    json_add_string(data, "path", path != NULL ? path : "");
    if (request != NULL) {
        json_add_string(data, "request", request);
    }
    json_add_string(data, "reason", reason->message);
    json_add_string(data, "action", names[action]);
    qmp_event_send("VHOST_USER_DEVICE_ERROR", data);
}

static void add_device(VhostUserPci *device, gpointer opaque)
{
    json_object *info = vhost_user_session_info(device->session);
    g_autofree char *path = vm_object_path(VM_OBJECT(device));
    g_autofree char *socket = chardev_filename(device->chardev);

    json_add_string(info, "path", path != NULL ? path : "");
    json_add_string(info, "type", G_OBJECT_TYPE_NAME(device));
    if (socket != NULL) {
        json_add_string(info, "socket", socket);
    }
    json_object_array_add(opaque, info);
}

static json_object *query_vhost_user(json_object *arguments G_GNUC_UNUSED,
                                     GError **error G_GNUC_UNUSED)
{
    json_object *list = json_object_new_array();

    vhost_user_pci_foreach(add_device, list);
    return list;
}

static const QmpCommand commands[] = {
    {.name = "x-query-vhost-user",
     .returns = "[VhostUserInfo]",
     .doc = "Describes every vhost-user device.  Does not wait for any backend.",
     .run = query_vhost_user},
    {.name = NULL},
};

QMP_REGISTER(commands, events, types);
