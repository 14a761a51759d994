/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of objects: set and got as JSON by everything of ours, and the
 * same through GObject for its introspection.
 */
#include "util/error.h"
#include "util/json.h"
#include "util/object-private.h"

char *vm_object_label(VmObject *object)
{
    if (!object->id) {
        return g_strdup(G_OBJECT_TYPE_NAME(object));
    }
    return g_strdup_printf("%s '%s'", VM_OBJECT_GET_CLASS(object)->noun, object->id);
}

/* Those that a user may set. */
static char *known_names(GType type)
{
    const GPtrArray *fields = vm_type_fields(type);
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if (!(field->flags & VM_FIELD_READ_ONLY)) {
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", field->name);
        }
    }
    return g_string_free(names, FALSE);
}

static const VmField *find_field(VmObject *object, const char *name, GError **error)
{
    const VmField *field = g_hash_table_lookup(object_fields(G_OBJECT_TYPE(object))->by_name, name);

    if (!field) {
        g_autofree char *label = vm_object_label(object);
        g_autofree char *known = known_names(G_OBJECT_TYPE(object));
        vm_error_set(error, "%s: property '%s.%s' not found; known are %s", label,
                     G_OBJECT_TYPE_NAME(object), name, known);
    }
    return field;
}

static gboolean check_writable(VmObject *object, const VmField *field, GError **error)
{
    if ((field->flags & VM_FIELD_READ_ONLY) || (field->get && !field->set)) {
        vm_error_set(error, "it is read-only");
        return FALSE;
    }
    if (object->frozen && !(field->flags & VM_FIELD_LIVE)) {
        vm_error_set(error, "it cannot be changed any more, only when the %s is created",
                     VM_OBJECT_GET_CLASS(object)->noun);
        return FALSE;
    }
    return TRUE;
}

static gboolean set_member(VmObject *object, const VmField *field, json_object *value,
                           GError **error)
{
    FieldValue old, new;

    if (!field_from_json(field, value, &new, error)) {
        return FALSE;
    }
    old = field_load(field, object);
    field_store(field, object, new);
    if (field->changed && !field->changed(object, error)) {
        field_store(field, object, old);
        field_value_clear(field, new);
        return FALSE;
    }
    field_value_clear(field, old);
    return TRUE;
}

static gboolean set_field(VmObject *object, const VmField *field, json_object *value,
                          GError **error)
{
    if (!check_writable(object, field, error)) {
        return FALSE;
    }
    g_autoptr(json_object) converted = field_convert(field, value, error);
    if (!converted) {
        return FALSE;
    }
    return field->set ? field->set(object, converted, error)
                      : set_member(object, field, converted, error);
}

gboolean vm_object_set_json(VmObject *object, const char *name, json_object *value, GError **error)
{
    const VmField *field = find_field(object, name, error);
    GError *reason = NULL;

    if (!field) {
        return FALSE;
    }
    if (!set_field(object, field, value, &reason)) {
        g_autofree char *label = vm_object_label(object);
        g_propagate_prefixed_error(error, reason, "%s: property '%s': ", label, name);
        return FALSE;
    }
    return TRUE;
}

gboolean vm_object_set_string(VmObject *object, const char *name, const char *value, GError **error)
{
    g_autoptr(json_object) text = json_object_new_string(value);

    return vm_object_set_json(object, name, text, error);
}

gboolean vm_object_set_all(VmObject *object, json_object *properties, GError **error)
{
    json_object_object_foreach(properties, name, value)
    {
        if (!vm_object_set_json(object, name, value, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static json_object *get_field(VmObject *object, const VmField *field)
{
    if (field->get) {
        return field->get(object);
    }
    return field_has_member(field) ? field_to_json(field, field_load(field, object)) : NULL;
}

json_object *vm_object_get_json(VmObject *object, const char *name, GError **error)
{
    const VmField *field = find_field(object, name, error);

    return field ? get_field(object, field) : NULL;
}

static gboolean field_is_unset(VmObject *object, const VmField *field)
{
    g_autoptr(json_object) value = get_field(object, field);

    switch (json_object_get_type(value)) {
    case json_type_null:
        return TRUE;
    case json_type_string:
        return json_object_get_string_len(value) == 0;
    case json_type_array:
        return json_object_array_length(value) == 0;
    case json_type_int:
        return json_object_get_uint64(value) == 0 && json_object_get_int64(value) == 0;
    default:
        return FALSE;
    }
}

gboolean vm_object_check_required(VmObject *object, GError **error)
{
    const GPtrArray *fields = vm_type_fields(G_OBJECT_TYPE(object));

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if ((field->flags & VM_FIELD_REQUIRED) && field_is_unset(object, field)) {
            g_autofree char *label = vm_object_label(object);
            g_autofree char *form = field->kind == VM_FIELD_LINK
                                        ? g_strdup("ID")
                                        : g_strdup_printf("<%s>", vm_field_type_name(field));

            vm_error_set(error, "%s: property '%s' is missing or empty; expected %s=%s: %s", label,
                         field->name, field->name, form, field->doc);
            return FALSE;
        }
    }
    return TRUE;
}

/* --- the same through GObject --- */

static json_object *json_from_gvalue(const GValue *value)
{
    switch (G_VALUE_TYPE(value)) {
    case G_TYPE_BOOLEAN:
        return json_object_new_boolean(g_value_get_boolean(value));
    case G_TYPE_UINT:
        return json_object_new_int64(g_value_get_uint(value));
    case G_TYPE_INT:
        return json_object_new_int(g_value_get_int(value));
    case G_TYPE_UINT64:
        return json_object_new_uint64(g_value_get_uint64(value));
    case G_TYPE_STRING:
        return json_object_new_string(g_value_get_string(value) ? g_value_get_string(value) : "");
    default: {
        VmObject *link = g_value_get_object(value);
        g_autofree char *path = link ? vm_object_path(link) : NULL;
        return json_object_new_string(path ? path : link ? G_OBJECT_TYPE_NAME(link) : "");
    }
    }
}

static void set_gvalue(GObject *object, guint id G_GNUC_UNUSED, const GValue *value,
                       GParamSpec *property)
{
    g_autoptr(json_object) json = json_from_gvalue(value);
    g_autoptr(GError) error = NULL;

    if (!vm_object_set_json(VM_OBJECT(object), vm_field_of(property)->name, json, &error)) {
        g_warning("%s", error->message);
    }
}

static void gvalue_set_json(GValue *value, json_object *json)
{
    switch (G_VALUE_TYPE(value)) {
    case G_TYPE_BOOLEAN:
        g_value_set_boolean(value, json_object_get_boolean(json));
        break;
    case G_TYPE_UINT:
        g_value_set_uint(value, (guint)json_object_get_uint64(json));
        break;
    case G_TYPE_INT:
        g_value_set_int(value, json_object_get_int(json));
        break;
    case G_TYPE_UINT64:
        g_value_set_uint64(value, json_object_get_uint64(json));
        break;
    case G_TYPE_STRING:
        g_value_set_string(value, json ? json_object_get_string(json) : NULL);
        break;
    default:
        g_value_set_object(value, vm_object_resolve(json_object_get_string(json), NULL));
        break;
    }
}

static void get_gvalue(GObject *object, guint id G_GNUC_UNUSED, GValue *value, GParamSpec *property)
{
    g_autoptr(json_object) json = get_field(VM_OBJECT(object), vm_field_of(property));

    gvalue_set_json(value, json);
}

void object_class_init_properties(GObjectClass *class)
{
    class->set_property = set_gvalue;
    class->get_property = get_gvalue;
}

/* @type is the type that is being made: the instance is still one of a base type. */
void object_init_defaults(VmObject *object, GType type)
{
    const GPtrArray *fields = vm_type_fields(type);

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        FieldValue value = {.uint64 = field->default_value};
        if (field_has_member(field) && field->default_value) {
            field_store(field, object, value);
        }
    }
}

void object_release_members(VmObject *object)
{
    const GPtrArray *fields = vm_type_fields(G_OBJECT_TYPE(object));

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if (field_has_member(field)) {
            field_value_clear(field, field_load(field, object));
            field_store(field, object, (FieldValue){0});
        }
    }
}
