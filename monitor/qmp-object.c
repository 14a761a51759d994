/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object tree over QMP.  Everything about types and properties comes from
 * GObject's introspection (util/object.h).
 */
#include "qmp-internal.h"

#include "util/object.h"

#include <string.h>

/* --- object-add and object-del --- */

/* Moves the members of "props", where older clients put the properties, to the others. */
static gboolean merge_props(json_object *arguments, GError **error)
{
    g_autoptr(json_object) props = json_object_get(json_object_object_get(arguments, "props"));

    if (!json_object_object_get_ex(arguments, "props", NULL)) {
        return TRUE;
    }
    if (!json_object_is_type(props, json_type_object)) {
        vm_error_set(error, "Invalid parameter type for 'props', expected: object");
        return FALSE;
    }
    json_object_object_del(arguments, "props");
    json_object_object_foreach(props, name, value)
    {
        if (json_object_object_get_ex(arguments, name, NULL)) {
            vm_error_set(error, "Parameter 'props.%s' is given twice", name);
            return FALSE;
        }
        json_object_object_add(arguments, name, json_object_get(value));
    }
    return TRUE;
}

static const char *json_type_of(const VmField *field)
{
    switch (field->kind) {
    case VM_FIELD_BOOL:
        return "boolean";
    case VM_FIELD_STRING:
    case VM_FIELD_ENUM:
    case VM_FIELD_LINK:
        return NULL;
    case VM_FIELD_UINT16_LIST:
        return "array";
    default:
        return "integer";
    }
}

/* Here a number is a number: that it may also come as text is for the command line. */
static gboolean no_text_for_numbers(json_object *arguments, GError **error)
{
    GType type = vm_type_find(qmp_string(arguments, "qom-type"));
    const GPtrArray *fields = type ? vm_type_fields(type) : NULL;

    for (guint i = 0; fields && i < fields->len; i++) {
        const VmField *field = g_ptr_array_index(fields, i);
        const char *expected = json_type_of(field);
        json_object *value = json_object_object_get(arguments, field->name);

        if (expected && json_object_is_type(value, json_type_string)) {
            vm_error_set(error,
                         "object '%s': Invalid parameter type for '%s', expected: %s, got the "
                         "string '%s'",
                         qmp_string(arguments, "id"), field->name, expected,
                         json_object_get_string(value));
            return FALSE;
        }
    }
    return TRUE;
}

static json_object *object_add(json_object *arguments, GError **error)
{
    if (merge_props(arguments, error) && no_text_for_numbers(arguments, error)) {
        vm_object_create(arguments, error);
    }
    return NULL;
}

static json_object *object_del(json_object *arguments, GError **error)
{
    vm_object_delete(qmp_string(arguments, "id"), error);
    return NULL;
}

/* --- the tree --- */

static void list_add(json_object *list, const char *name, const char *type)
{
    json_object *entry = json_object_new_object();

    json_add_string(entry, "name", name);
    json_add_string(entry, "type", type);
    json_object_array_add(list, entry);
}

static void list_child(VmObject *child, gpointer list)
{
    g_autofree char *type = g_strdup_printf("child<%s>", G_OBJECT_TYPE_NAME(child));

    list_add(list, child->tree_name, type);
}

static json_object *qom_list(json_object *arguments, GError **error)
{
    VmObject *object = vm_object_resolve(qmp_string(arguments, "path"), error);
    json_object *list;
    const GPtrArray *fields;

    if (!object) {
        return NULL;
    }
    list = json_object_new_array();
    list_add(list, "type", "string");
    fields = vm_type_fields(G_OBJECT_TYPE(object));
    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = g_ptr_array_index(fields, i);

        list_add(list, field->name, vm_field_type_name(field));
    }
    vm_object_foreach_child(object, list_child, list);
    return list;
}

static gboolean has_field(VmObject *object, const char *name)
{
    const GPtrArray *fields = vm_type_fields(G_OBJECT_TYPE(object));

    for (guint i = 0; i < fields->len; i++) {
        if (strcmp(((const VmField *)g_ptr_array_index(fields, i))->name, name) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static json_object *qom_get(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "property");
    VmObject *object = vm_object_resolve(qmp_string(arguments, "path"), error);
    VmObject *child;

    if (!object) {
        return NULL;
    }
    if (has_field(object, name)) {
        return vm_object_get_json(object, name, error);
    }
    if (strcmp(name, "type") == 0) {
        return json_object_new_string(G_OBJECT_TYPE_NAME(object));
    }
    child = vm_object_child(object, name);
    if (child) {
        g_autofree char *path = vm_object_path(child);

        return json_object_new_string(path);
    }
    return vm_object_get_json(object, name, error); /* which says that there is none */
}

/* The same as qom-list, and each value with it; what cannot be read has none. */
static json_object *properties_and_values(const char *path, GError **error)
{
    g_autoptr(json_object) place = json_object_new_object();
    json_add_string(place, "path", path);
    json_object *list = qom_list(place, error);

    for (gsize i = 0; list && i < json_object_array_length(list); i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        const char *name = json_object_get_string(json_object_object_get(entry, "name"));
        json_add_string(place, "property", name);
        json_object *value = qom_get(place, NULL);
        if (value) {
            json_object_object_add(entry, "value", value);
        }
    }
    return list;
}

static json_object *qom_list_get(json_object *arguments, GError **error)
{
    json_object *paths = json_object_object_get(arguments, "paths");
    g_autoptr(json_object) answer = json_object_new_array();

    for (gsize i = 0; i < json_object_array_length(paths); i++) {
        json_object *properties = properties_and_values(
            json_object_get_string(json_object_array_get_idx(paths, i)), error);
        json_object *entry;

        if (!properties) {
            return NULL;
        }
        entry = json_object_new_object();
        json_object_object_add(entry, "properties", properties);
        json_object_array_add(answer, entry);
    }
    return g_steal_pointer(&answer);
}

static json_object *qom_set(json_object *arguments, GError **error)
{
    VmObject *object = vm_object_resolve(qmp_string(arguments, "path"), error);

    if (object) {
        vm_object_set_json(object, qmp_string(arguments, "property"),
                           json_object_object_get(arguments, "value"), error);
    }
    return NULL;
}

/* --- types --- */

typedef struct TypeQuery {
    GType implements; /* 0: any */
    gboolean abstract;
    json_object *list;
} TypeQuery;

static void list_type(GType type, gpointer opaque)
{
    TypeQuery *query = opaque;
    GType parent = g_type_parent(type);
    json_object *entry;

    if ((query->implements && !g_type_is_a(type, query->implements)) ||
        (!query->abstract && G_TYPE_IS_ABSTRACT(type))) {
        return;
    }
    entry = json_object_new_object();
    json_add_string(entry, "name", g_type_name(type));
    if (G_TYPE_IS_ABSTRACT(type)) {
        json_add_bool(entry, "abstract", TRUE);
    }
    if (g_type_is_a(parent, VM_TYPE_OBJECT)) {
        json_add_string(entry, "parent", g_type_name(parent));
    }
    json_object_array_add(query->list, entry);
}

static json_object *qom_list_types(json_object *arguments, GError **error G_GNUC_UNUSED)
{
    const char *implements = qmp_string(arguments, "implements");
    TypeQuery query = {
        .implements = implements ? vm_type_find(implements) : 0,
        .abstract = qmp_bool(arguments, "abstract", FALSE),
        .list = json_object_new_array(),
    };

    if (!implements || query.implements) {
        vm_types_foreach(list_type, &query);
    }
    return query.list;
}

json_object *qmp_property_list(GType type)
{
    const GPtrArray *fields = vm_type_fields(type);
    json_object *list = json_object_new_array();

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = g_ptr_array_index(fields, i);
        json_object *entry = json_object_new_object();
        json_object *value = vm_field_default(field);

        json_add_string(entry, "name", field->name);
        json_add_string(entry, "type", vm_field_type_name(field));
        if (field->doc) {
            json_add_string(entry, "description", field->doc);
        }
        if (value) {
            json_object_object_add(entry, "default-value", value);
        }
        json_object_array_add(list, entry);
    }
    return list;
}

static json_object *qom_list_properties(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "typename");
    GType type = vm_type_find(name);

    if (!type) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND,
                    "Class '%s' not found; qom-list-types lists them all", name);
        return NULL;
    }
    return qmp_property_list(type);
}

static const QmpCommand commands[] = {
    {.name = "object-add",
     .arguments = "qom-type:str, id:str, **",
     .argument_type = "ObjectOptions",
     .doc = "Creates an object of type qom-type; further members are its properties. They may "
            "also come as members of an object props, as older clients send them.",
     .run = object_add},
    {.name = "object-del",
     .arguments = "id:str",
     .doc = "Deletes an object that nobody uses.",
     .run = object_del},
    {.name = "qom-list",
     .arguments = "path:str",
     .returns = "[ObjectPropertyInfo]",
     .doc = "The properties of the object at a path, and its children, whose type is child<T>.",
     .run = qom_list},
    {.name = "qom-get",
     .arguments = "path:str, property:str",
     .returns = "any",
     .doc = "The value of a property; of a child, its path.",
     .run = qom_get},
    {.name = "qom-list-get",
     .arguments = "paths:[str]",
     .returns = "[ObjectPropertiesValues]",
     .doc = "For each path what qom-list and qom-get say, in this order.",
     .run = qom_list_get},
    {.name = "qom-set",
     .arguments = "path:str, property:str, value:any",
     .doc = "Sets a property. Most can be set only before the object is complete.",
     .run = qom_set},
    {.name = "qom-list-types",
     .arguments = "*implements:str, *abstract:bool",
     .returns = "[ObjectTypeInfo]",
     .doc = "The types, or those that descend from implements; abstract ones only where asked "
            "for.",
     .run = qom_list_types},
    {.name = "qom-list-properties",
     .arguments = "typename:str",
     .returns = "[ObjectPropertyInfo]",
     .doc = "The properties that objects of a type have.",
     .run = qom_list_properties},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "ObjectPropertyInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, type:str, *description:str, *default-value:any",
     .doc = "A property."},
    {.name = "ObjectPropertiesValues",
     .kind = QMP_OBJECT,
     .members = "properties:[ObjectPropertyValue]",
     .doc = "The properties of one object."},
    {.name = "ObjectPropertyValue",
     .kind = QMP_OBJECT,
     .members = "name:str, type:str, *value:any",
     .doc = "A property and its value; none where it cannot be read."},
    {.name = "ObjectTypeInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, *abstract:bool, *parent:str",
     .doc = "A type. Without abstract, objects of the type can exist."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);
