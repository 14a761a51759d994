/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The base class of all objects, and the objects that users create. */
#include "util/object.h"
#include "util/error.h"
#include "util/json.h"
#include "util/object-private.h"
#include "util/options.h"
#include "util/size.h"

static GObjectClass *parent_class;

static void vm_object_finalize(GObject *gobject)
{
    VmObject *object = VM_OBJECT(gobject);

    object_release_children(object);
    object_release_members(object);
    g_free(object->id);
    parent_class->finalize(gobject);
}

static void vm_object_class_init(gpointer class, gpointer data G_GNUC_UNUSED)
{
    parent_class = g_type_class_peek_parent(class);
    G_OBJECT_CLASS(class)->finalize = vm_object_finalize;
    VM_OBJECT_CLASS(class)->noun = "object";
}

/* GObject passes the class of the final type: every default is there before any init runs. */
static void vm_object_init(GTypeInstance *instance, gpointer class)
{
    object_init_defaults((VmObject *)instance, G_TYPE_FROM_CLASS(class));
}

GType vm_object_get_type(void)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        GType type = g_type_register_static_simple(G_TYPE_OBJECT, "object", sizeof(VmObjectClass),
                                                   vm_object_class_init, sizeof(VmObject),
                                                   vm_object_init, G_TYPE_FLAG_ABSTRACT);
        g_once_init_leave(&once, type);
    }
    return once;
}

__attribute__((constructor)) static void vm_object_register(void)
{
    vm_types_add(vm_object_get_type);
}

static gboolean check_id(const char *id, GError **error)
{
    if (!id_is_valid(id)) {
        vm_error_set(error,
                     "Parameter 'id' expects an identifier: '%s' is not a letter followed by "
                     "letters, digits, '-', '.' and '_'",
                     id);
        return FALSE;
    }
    return TRUE;
}

VmObject *vm_object_new(GType type, const char *id, GError **error)
{
    if (id && !check_id(id, error)) {
        return NULL;
    }
    if (G_TYPE_IS_ABSTRACT(type)) {
        vm_error_set(error, "type '%s' is abstract: it cannot be created", g_type_name(type));
        return NULL;
    }
    g_autoptr(VmObject) object = g_object_new(type, NULL);
    object->id = g_strdup(id);
    if (!vm_globals_apply(object, error)) {
        return NULL;
    }
    return g_steal_pointer(&object);
}

void vm_object_use(VmObject *object)
{
    object->users++;
}

void vm_object_release(VmObject *object)
{
    g_return_if_fail(object->users > 0);
    object->users--;
}

/* --- objects that users create --- */

static GType creatable_type(const char *name, GError **error)
{
    GType type = vm_type_find(name);

    if (type && !G_TYPE_IS_ABSTRACT(type)) {
        VmObjectClass *class = g_type_class_ref(type);
        gboolean creatable = class->complete != NULL;
        g_type_class_unref(class);
        if (creatable) {
            return type;
        }
    }
    vm_error_set(error, "invalid object type: %s; '-object help' lists those that there are",
                 *name ? name : "''");
    return 0;
}

/* Puts @object into the tree before it is completed, so that it has a path by then. */
static gboolean create_in(VmObject *container, VmObject *object, json_object *properties,
                          GError **error)
{
    if (!vm_object_set_all(object, properties, error) || !vm_object_check_required(object, error) ||
        !vm_object_add_child(container, object->id, object, error)) {
        return FALSE;
    }
    if (!VM_OBJECT_GET_CLASS(object)->complete(object, error)) {
        vm_object_unparent(object);
        return FALSE;
    }
    object->frozen = TRUE;
    return TRUE;
}

gboolean vm_object_create(json_object *options, GError **error)
{
    VmObject *container = vm_object_container("objects");
    g_autofree char *type_name = options_take(options, "qom-type");
    g_autofree char *id = options_take(options, "id");

    if (!type_name || !id) {
        vm_error_set(error, "Parameter '%s' is missing", type_name ? "id" : "qom-type");
        return FALSE;
    }
    GType type = creatable_type(type_name, error);
    if (!type || !check_id(id, error)) {
        return FALSE;
    }
    if (vm_object_child(container, id)) {
        vm_error_set(error, "object with id '%s' already exists", id);
        return FALSE;
    }
    g_autoptr(VmObject) object = vm_object_new(type, id, error);
    return object && create_in(container, object, options, error);
}

gboolean vm_object_delete(const char *id, GError **error)
{
    VmObject *object = vm_object_find("objects", id);

    if (!object) {
        vm_error_set(error, "object '%s' not found", id);
        return FALSE;
    }
    if (object->users) {
        vm_error_set(error, "object '%s' is in use, can not be deleted", id);
        return FALSE;
    }
    VmObjectClass *class = VM_OBJECT_GET_CLASS(object);
    if (class->can_delete && !class->can_delete(object, error)) {
        return FALSE;
    }
    vm_object_unparent(object);
    return TRUE;
}
