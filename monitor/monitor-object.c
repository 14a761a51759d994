/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -object monitor-qmp: a QMP session as an object that comes and goes. */
#include "qmp-internal.h"

#include "chardev/chardev.h"
#include "util/object.h"

typedef struct MonitorQmp {
    VmObject parent;
    char *chardev;
    gboolean pretty;
    Monitor *monitor; /* NULL before completion */
} MonitorQmp;

typedef struct MonitorQmpClass {
    VmObjectClass parent;
} MonitorQmpClass;

VM_DECLARE_TYPE(MonitorQmp, monitor_qmp, MONITOR_QMP)
VM_DEFINE_TYPE("monitor-qmp", MonitorQmp, MonitorQmpClass, monitor_qmp, VM_TYPE_OBJECT, 0);

static const VmField fields[] = {
    {.name = "chardev",
     .doc = "id of the character device to talk over",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(MonitorQmp, chardev),
     .flags = VM_FIELD_REQUIRED},
    {.name = "pretty",
     .doc = "break answers into lines",
     .kind = VM_FIELD_BOOL,
     .offset = offsetof(MonitorQmp, pretty)},
    {.name = NULL},
};

static gboolean monitor_qmp_complete(VmObject *object, GError **error)
{
    MonitorQmp *monitor = MONITOR_QMP(object);
    Chardev *chardev = chardev_find(monitor->chardev);

    if (!chardev) {
        vm_error_set(error, "monitor-qmp '%s': there is no chardev '%s'", object->id,
                     monitor->chardev);
        return FALSE;
    }
    monitor->monitor = monitor_new(chardev, monitor->pretty, error);
    return monitor->monitor != NULL;
}

static gboolean monitor_qmp_can_delete(VmObject *object, GError **error)
{
    return monitor_can_free(MONITOR_QMP(object)->monitor, error);
}

static void monitor_qmp_dispose(GObject *object)
{
    MonitorQmp *monitor = MONITOR_QMP(object);

    g_clear_pointer(&monitor->monitor, monitor_free);
    G_OBJECT_CLASS(g_type_class_peek(VM_TYPE_OBJECT))->dispose(object);
}

static void monitor_qmp_class_init(MonitorQmpClass *class)
{
    VmObjectClass *object_class = VM_OBJECT_CLASS(class);

    object_class->description = "QMP monitor on a character device";
    object_class->complete = monitor_qmp_complete;
    object_class->can_delete = monitor_qmp_can_delete;
    G_OBJECT_CLASS(class)->dispose = monitor_qmp_dispose;
    vm_object_class_install_fields(class, fields);
}

static void monitor_qmp_init(MonitorQmp *monitor G_GNUC_UNUSED)
{
}
