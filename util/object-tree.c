/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The composition tree.  A parent finds a child by a hash table and keeps the
 * order in a list whose links lie in the children; a second table over the
 * whole tree finds partial paths.  Nothing here grows with the number of siblings.
 */
#include "util/error.h"
#include "util/object-private.h"

#include <string.h>

typedef struct Container {
    VmObject parent;
} Container;

typedef VmObjectClass ContainerClass;

VM_DECLARE_TYPE(Container, container, CONTAINER)
VM_DEFINE_TYPE("container", Container, ContainerClass, container, VM_TYPE_OBJECT, 0);

static void container_class_init(ContainerClass *class)
{
    class->description = "a folder of the object tree";
}

static void container_init(Container *container G_GNUC_UNUSED)
{
}

/* Name -> GSList of the objects that have it, anywhere; for partial paths. */
static GHashTable *objects_by_name;

static void index_add(VmObject *object)
{
    if (!objects_by_name) {
        objects_by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    GSList *list = g_hash_table_lookup(objects_by_name, object->tree_name);
    g_hash_table_insert(objects_by_name, g_strdup(object->tree_name),
                        g_slist_prepend(list, object));
}

static void index_remove(VmObject *object)
{
    GSList *list = g_hash_table_lookup(objects_by_name, object->tree_name);

    list = g_slist_remove(list, object);
    if (list) {
        g_hash_table_insert(objects_by_name, g_strdup(object->tree_name), list);
    } else {
        g_hash_table_remove(objects_by_name, object->tree_name);
    }
}

static VmObject *root;

VmObject *vm_object_root(void)
{
    if (!root) {
        root = g_object_new(container_get_type(), NULL);
    }
    return root;
}

VmObject *vm_object_child(VmObject *parent, const char *name)
{
    return parent->children ? g_hash_table_lookup(parent->children, name) : NULL;
}

gboolean vm_object_add_child(VmObject *parent, const char *name, VmObject *child, GError **error)
{
    if (child->tree_parent) {
        g_autofree char *path = vm_object_path(child);
        vm_error_set(error, "object '%s' is in the tree already, at %s", name, path);
        return FALSE;
    }
    if (!*name || strchr(name, '/')) {
        vm_error_set(error, "'%s' cannot name an object: it is empty or has a '/'", name);
        return FALSE;
    }
    if (vm_object_child(parent, name)) {
        vm_error_set(error, "attempt to add duplicate property '%s' to object (type '%s')", name,
                     G_OBJECT_TYPE_NAME(parent));
        return FALSE;
    }
    if (!parent->children) {
        parent->children = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_object_unref);
    }
    child->tree_parent = parent;
    child->tree_name = g_strdup(name);
    child->tree_link.data = child;
    g_hash_table_insert(parent->children, child->tree_name, g_object_ref(child));
    g_queue_push_tail_link(&parent->child_order, &child->tree_link);
    index_add(child);
    return TRUE;
}

void vm_object_unparent(VmObject *child)
{
    VmObject *parent = child->tree_parent;

    if (!parent) {
        return;
    }
    index_remove(child);
    g_queue_unlink(&parent->child_order, &child->tree_link);
    g_hash_table_steal(parent->children, child->tree_name);
    child->tree_parent = NULL;
    g_clear_pointer(&child->tree_name, g_free);
    g_object_unref(child);
}

void object_release_children(VmObject *object)
{
    while (object->child_order.tail) {
        vm_object_unparent(object->child_order.tail->data);
    }
    g_clear_pointer(&object->children, g_hash_table_unref);
}

void vm_object_tree_clear(void)
{
    if (root) {
        object_release_children(root);
        g_clear_object(&root);
    }
    g_clear_pointer(&objects_by_name, g_hash_table_unref);
}

void vm_object_foreach_child(VmObject *parent, void (*visit)(VmObject *child, gpointer opaque),
                             gpointer opaque)
{
    for (GList *link = parent->child_order.head, *next; link; link = next) {
        next = link->next;
        visit(link->data, opaque);
    }
}

/* --- paths --- */

/* Follows @path ("a/b") down from @from; NULL if there is no such object. */
static VmObject *walk(VmObject *from, const char *path)
{
    while (from && *path) {
        gsize length = strcspn(path, "/");
        if (length) {
            g_autofree char *name = g_strndup(path, length);
            from = vm_object_child(from, name);
        }
        path += length + strspn(path + length, "/");
    }
    return from;
}

VmObject *vm_object_container(const char *path)
{
    VmObject *at = vm_object_root();
    g_auto(GStrv) names = g_strsplit(path, "/", -1);

    for (guint i = 0; names[i]; i++) {
        if (!*names[i]) {
            continue;
        }
        VmObject *child = vm_object_child(at, names[i]);
        if (!child) {
            child = g_object_new(container_get_type(), NULL);
            vm_object_add_child(at, names[i], child, NULL);
            g_object_unref(child);
        }
        at = child;
    }
    return at;
}

VmObject *vm_object_find(const char *container, const char *id)
{
    VmObject *parent = walk(vm_object_root(), container);

    return parent ? vm_object_child(parent, id) : NULL;
}

char *vm_object_path(VmObject *object)
{
    g_autofree char *path = NULL;

    if (object == vm_object_root()) {
        return g_strdup("/");
    }
    for (; object->tree_parent; object = object->tree_parent) {
        char *longer = g_strconcat("/", object->tree_name, path, NULL);
        g_free(path);
        path = longer;
    }
    return object == vm_object_root() ? g_steal_pointer(&path) : NULL;
}

static gboolean is_in_tree(VmObject *object)
{
    while (object->tree_parent) {
        object = object->tree_parent;
    }
    return object == vm_object_root();
}

/* Objects whose path ends in @path; the first into @found. Returns their number. */
static guint find_partial(const char *path, VmObject **found, GString *paths)
{
    gsize length = strcspn(path, "/");
    g_autofree char *name = g_strndup(path, length);
    GSList *list = objects_by_name ? g_hash_table_lookup(objects_by_name, name) : NULL;
    guint count = 0;

    for (; list; list = list->next) {
        VmObject *object = walk(list->data, path + length);
        if (!object || !is_in_tree(object)) {
            continue;
        }
        g_autofree char *full = vm_object_path(object);
        g_string_append_printf(paths, "%s%s", count ? ", " : "", full);
        *found = object;
        count++;
    }
    return count;
}

VmObject *vm_object_resolve(const char *path, GError **error)
{
    g_autoptr(GString) paths = g_string_new(NULL);
    VmObject *found = NULL;
    guint count = 0;

    if (*path == '/') {
        found = walk(vm_object_root(), path);
    } else if (*path) {
        count = find_partial(path, &found, paths);
    }
    if (count > 1) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND,
                    "path '%s' is ambiguous: it could be any of %s", path, paths->str);
        return NULL;
    }
    if (!found) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return found;
}
