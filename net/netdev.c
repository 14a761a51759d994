/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network back-ends.  There is one kind: a vhost-user back-end on a chardev.  A netdev says where
 * it is and how many queues it shall have; the session with it is the network card's.
 */
#include "monitor/qmp.h"
#include "net-internal.h"
#include "util/options.h"
#include "util/size.h"

#include <stddef.h>
#include <string.h>

/* Kinds that users know from elsewhere. */
static const char *const other_kinds[] = {
    "user",   "tap",    "bridge",     "socket", "stream",  "dgram", "l2tpv3", "vde",
    "netmap", "af-xdp", "vhost-vdpa", "passt",  "hubport", "nic",   NULL,
};

/* --- creation --- */

static gboolean check_kind(const char *kind, GError **error)
{
    if (!kind) {
        vm_error_set(error, "parameter 'type' is missing; it must be vhost-user");
        return FALSE;
    }
    if (strcmp(kind, "vhost-user") == 0) {
        return TRUE;
    }
    if (g_strv_contains(other_kinds, kind)) {
        vm_error_set(error,
                     "there is no type %s here: networks are other processes; use "
                     "vhost-user,chardev=ID and a back-end such as vhost-user-net --tap NAME",
                     kind);
    } else {
        vm_error_set(error, "unknown type '%s'; use vhost-user", kind);
    }
    return FALSE;
}

static gboolean check_id(const char *id, GError **error)
{
    if (!id) {
        vm_error_set(error, "a netdev needs an id, expected id=NAME");
        return FALSE;
    }
    if (vm_object_find(NETDEV_CONTAINER, id)) {
        vm_error_set(error, "Duplicate ID '%s' for netdev", id);
        return FALSE;
    }
    return TRUE;
}

/* Two back-ends cannot share a connection. */
static gboolean check_chardev(Netdev *netdev, GError **error)
{
    const char *id = VM_OBJECT(netdev)->id;
    Chardev *chardev = netdev->chardev;

    if (!chardev_check_socket(chardev, error)) {
        g_prefix_error(error, "netdev '%s': ", id);
        return FALSE;
    }
    g_autofree char *user = chardev_user(chardev);
    if (user) {
        vm_error_set(error, "netdev '%s': chardev '%s' is already in use by %s", id,
                     VM_OBJECT(chardev)->id, user);
    }
    return user == NULL;
}

gboolean netdev_create(json_object *options, GError **error)
{
    g_autofree char *kind = options_take(options, "type");
    g_autofree char *id = options_take(options, "id");
    g_autoptr(VmObject) object = NULL;

    if (!check_id(id, error)) {
        return FALSE;
    }
    if (!check_kind(kind, error)) {
        g_prefix_error(error, "netdev '%s': ", id);
        return FALSE;
    }
    object = vm_object_new(TYPE_NETDEV, id, error);
    if (!object || !vm_object_set_all(object, options, error) ||
        !vm_object_check_required(object, error) || !check_chardev(NETDEV(object), error) ||
        !vm_object_add_child(vm_object_container(NETDEV_CONTAINER), id, object, error)) {
        return FALSE;
    }
    object->frozen = TRUE;
    NETDEV(object)->chardev->keeper = object;
    return TRUE;
}

/* --- end --- */

static void let_go(Netdev *netdev)
{
    netdev->chardev->keeper = NULL;
    vm_object_unparent(VM_OBJECT(netdev));
}

gboolean netdev_remove(const char *id, GError **error)
{
    Netdev *netdev = (Netdev *)vm_object_find(NETDEV_CONTAINER, id);

    if (!netdev) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
        return FALSE;
    }
    if (netdev->card) {
        vm_error_set(error, "netdev '%s' is in use by device '%s'; delete that first", id,
                     netdev->card->name);
        return FALSE;
    }
    let_go(netdev);
    return TRUE;
}

static void clean_up(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    let_go(NETDEV(object));
}

void netdev_cleanup(void)
{
    vm_object_foreach_child(vm_object_container(NETDEV_CONTAINER), clean_up, NULL);
}

/* --- connection --- */

void netdev_set_connected(Netdev *netdev, gboolean connected)
{
    json_object *data;

    if (netdev->connected == connected) {
        return;
    }
    netdev->connected = connected;
    data = json_object_new_object();
    json_add_string(data, "netdev-id", VM_OBJECT(netdev)->id);
    if (connected) {
        json_add_string(data, "chardev-id", VM_OBJECT(netdev->chardev)->id);
    }
    qmp_event_send(connected ? "NETDEV_VHOST_USER_CONNECTED" : "NETDEV_VHOST_USER_DISCONNECTED",
                   data);
    if (netdev->card) {
        netdev->card->link_changed(netdev->card);
    }
}

void netdev_print_help(void)
{
    g_print("Types of -netdev:\n  vhost-user   a network served by another process\n\n");
    vm_type_print_help(TYPE_NETDEV);
}

gboolean netdev_print_type_help(const char *kind, GError **error)
{
    if (!check_kind(kind, error)) {
        g_prefix_error(error, "-netdev %s: ", kind);
        return FALSE;
    }
    vm_type_print_help(TYPE_NETDEV);
    return TRUE;
}

/* --- type --- */

static const VmField netdev_fields[] = {
    {.name = "chardev",
     .doc = "the character device whose socket leads to the back-end",
     .kind = VM_FIELD_LINK,
     .offset = offsetof(Netdev, chardev),
     .link_type = chardev_get_type,
     .flags = VM_FIELD_REQUIRED},
    {.name = "queues",
     .doc = "pairs of queues that the back-end shall have",
     .kind = VM_FIELD_UINT16,
     .offset = offsetof(Netdev, queues),
     .default_value = 1,
     .minimum = 1,
     .maximum = NETDEV_QUEUE_PAIRS_MAX},
    {.name = "vhostforce",
     .doc = "without meaning: every packet goes through the back-end",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(Netdev, force)},
    {.name = "connected",
     .doc = "whether a network card has a session with the back-end",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(Netdev, connected),
     .flags = VM_FIELD_READ_ONLY},
    {.name = NULL},
};

typedef struct NetdevClass {
    VmObjectClass parent;
} NetdevClass;

static void netdev_init(Netdev *netdev G_GNUC_UNUSED)
{
}

static void netdev_class_init(NetdevClass *class)
{
    VM_OBJECT_CLASS(class)->description = "a network served by a vhost-user back-end";
    VM_OBJECT_CLASS(class)->noun = "netdev";
    vm_object_class_install_fields(class, netdev_fields);
}

VM_DEFINE_TYPE("netdev-vhost-user", Netdev, NetdevClass, netdev, VM_TYPE_OBJECT, 0);
