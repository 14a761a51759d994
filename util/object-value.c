/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of fields: from what a user wrote to the field's JSON type, and from
 * there to the member of the instance struct and back.
 */
#include "util/error.h"
#include "util/json.h"
#include "util/object-private.h"
#include "util/size.h"

#include <string.h>

gboolean field_has_member(const VmField *field)
{
    return !field->get && field->offset >= sizeof(GObject);
}

gsize field_size(const VmField *field)
{
    switch (field->kind) {
    case VM_FIELD_BOOL:
        return sizeof(gboolean);
    case VM_FIELD_UINT8:
        return sizeof(uint8_t);
    case VM_FIELD_UINT16:
        return sizeof(uint16_t);
    case VM_FIELD_UINT32:
    case VM_FIELD_INT32:
        return sizeof(uint32_t);
    case VM_FIELD_UINT64:
    case VM_FIELD_SIZE:
        return sizeof(uint64_t);
    case VM_FIELD_ENUM:
        return sizeof(int);
    default:
        return sizeof(gpointer);
    }
}

FieldValue field_load(const VmField *field, VmObject *object)
{
    FieldValue value = {0};

    memcpy(&value, (const char *)object + field->offset, field_size(field));
    return value;
}

void field_store(const VmField *field, VmObject *object, FieldValue value)
{
    memcpy((char *)object + field->offset, &value, field_size(field));
}

void field_value_clear(const VmField *field, FieldValue value)
{
    switch (field->kind) {
    case VM_FIELD_STRING:
        g_free(value.string);
        break;
    case VM_FIELD_LINK:
        g_clear_object(&value.link);
        break;
    case VM_FIELD_UINT16_LIST:
        g_clear_pointer(&value.list, g_array_unref);
        break;
    default:
        break;
    }
}

void field_range(const VmField *field, guint64 *minimum, guint64 *maximum)
{
    *minimum = field->minimum;
    *maximum = field->maximum;
    if (*minimum || *maximum) {
        return;
    }
    switch (field->kind) {
    case VM_FIELD_UINT8:
        *maximum = UINT8_MAX;
        break;
    case VM_FIELD_UINT16:
    case VM_FIELD_UINT16_LIST:
        *maximum = UINT16_MAX;
        break;
    case VM_FIELD_UINT32:
        *maximum = UINT32_MAX;
        break;
    case VM_FIELD_INT32:
        *minimum = (guint64)(gint64)INT32_MIN;
        *maximum = INT32_MAX;
        break;
    default:
        *maximum = UINT64_MAX;
    }
}

/* --- conversion --- */

static gboolean is_negative(json_object *value)
{
    return json_object_get_int64(value) < 0;
}

static json_object *refuse_type(const VmField *field, json_object *value, GError **error)
{
    static const char *const expected[] = {
        [VM_FIELD_BOOL] = "on or off",
        [VM_FIELD_UINT8] = "a whole number",
        [VM_FIELD_UINT16] = "a whole number",
        [VM_FIELD_UINT32] = "a whole number",
        [VM_FIELD_UINT64] = "a whole number",
        [VM_FIELD_INT32] = "a whole number",
        [VM_FIELD_SIZE] = "a size in bytes",
        [VM_FIELD_STRING] = "a string",
        [VM_FIELD_ENUM] = "a string",
        [VM_FIELD_LINK] = "the id or path of an object",
        [VM_FIELD_UINT16_LIST] = "numbers and ranges such as 0-3,5",
    };
    const char *spelled = json_object_to_json_string(value);
    gsize length = strlen(spelled);
    g_autofree char *text = g_utf8_make_valid(spelled, (gssize)MIN(length, 80));

    vm_error_set(error, "invalid value %s%s, expected %s", text, length > 80 ? "..." : "",
                 expected[field->kind]);
    return NULL;
}

static json_object *convert_unsigned(const VmField *field, json_object *value, GError **error)
{
    guint64 minimum, maximum, number;

    field_range(field, &minimum, &maximum);
    if (json_object_is_type(value, json_type_string)) {
        const char *text = json_object_get_string(value);
        if (field->kind != VM_FIELD_SIZE) {
            return number_parse(text, minimum, maximum, &number, error)
                       ? json_object_new_uint64(number)
                       : NULL;
        }
        if (!size_parse(text, 'B', &number, error)) {
            return NULL;
        }
    } else if (json_object_is_type(value, json_type_int)) {
        number = json_object_get_uint64(value);
    } else {
        return refuse_type(field, value, error);
    }
    if ((json_object_is_type(value, json_type_int) && is_negative(value)) || number < minimum ||
        number > maximum) {
        vm_error_set(error,
                     "%s is out of range: expected %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                     json_object_get_string(value), minimum, maximum);
        return NULL;
    }
    return json_object_new_uint64(number);
}

static json_object *convert_signed(const VmField *field, json_object *value, GError **error)
{
    guint64 minimum, maximum;
    gint64 number;

    field_range(field, &minimum, &maximum);
    if (json_object_is_type(value, json_type_string)) {
        const char *text = json_object_get_string(value);
        gboolean negative = *text == '-';
        uint64_t magnitude;
        if (!number_parse(text + negative, 0, (uint64_t)INT32_MAX + 1, &magnitude, NULL)) {
            vm_error_set(
                error, "'%s' is not a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                text, (gint64)minimum, (gint64)maximum);
            return NULL;
        }
        number = negative ? -(gint64)magnitude : (gint64)magnitude;
    } else if (json_object_is_type(value, json_type_int)) {
        number = json_object_get_int64(value);
    } else {
        return refuse_type(field, value, error);
    }
    if (number < (gint64)minimum || number > (gint64)maximum) {
        vm_error_set(error,
                     "%s is out of range: expected %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                     json_object_get_string(value), (gint64)minimum, (gint64)maximum);
        return NULL;
    }
    return json_object_new_int64(number);
}

static json_object *convert_bool(const VmField *field, json_object *value, GError **error)
{
    gboolean result;

    if (json_object_is_type(value, json_type_boolean)) {
        return json_object_get(value);
    }
    if (!json_object_is_type(value, json_type_string)) {
        return refuse_type(field, value, error);
    }
    return bool_parse(json_object_get_string(value), &result, error)
               ? json_object_new_boolean(result)
               : NULL;
}

static json_object *convert_string(const VmField *field, json_object *value, GError **error)
{
    if (!json_object_is_type(value, json_type_string) ||
        strlen(json_object_get_string(value)) != (gsize)json_object_get_string_len(value)) {
        return refuse_type(field, value, error);
    }
    if (field->kind == VM_FIELD_ENUM &&
        !g_strv_contains(field->names, json_object_get_string(value))) {
        g_autofree char *known = g_strjoinv(", ", (char **)field->names);
        vm_error_set(error, "'%s' is not one of %s", json_object_get_string(value), known);
        return NULL;
    }
    return json_object_get(value);
}

/* Sets the bits that "0-3,5" names. */
static gboolean parse_ranges(const char *text, guint64 minimum, guint64 maximum, guint8 *bits,
                             GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    for (guint i = 0; items[i]; i++) {
        char *dash = *items[i] ? strchr(items[i] + 1, '-') : NULL; /* "-1" is no range */
        uint64_t first, last;
        if (dash) {
            *dash = '\0';
        }
        if (!number_parse(items[i], minimum, maximum, &first, error)) {
            return FALSE;
        }
        last = first;
        if (dash && !number_parse(dash + 1, first, maximum, &last, error)) {
            return FALSE;
        }
        for (; first <= last; first++) {
            bits[first / 8] |= 1 << (first % 8);
        }
    }
    return TRUE;
}

static gboolean parse_list_item(const VmField *field, json_object *item, guint8 *bits,
                                GError **error)
{
    guint64 minimum, maximum;

    if (!json_object_is_type(item, json_type_string) && !json_object_is_type(item, json_type_int)) {
        refuse_type(field, item, error);
        return FALSE;
    }
    field_range(field, &minimum, &maximum);
    return parse_ranges(json_object_get_string(item), minimum, maximum, bits, error);
}

/* Sorted, each number once: the list is a set (of host nodes, of CPUs). */
static json_object *convert_list(const VmField *field, json_object *value, GError **error)
{
    g_autofree guint8 *bits = g_malloc0((UINT16_MAX + 1) / 8);

    if (json_object_is_type(value, json_type_array)) {
        for (gsize i = 0; i < json_object_array_length(value); i++) {
            if (!parse_list_item(field, json_object_array_get_idx(value, i), bits, error)) {
                return NULL;
            }
        }
    } else if (!parse_list_item(field, value, bits, error)) {
        return NULL;
    }
    json_object *list = json_object_new_array();
    for (guint number = 0; number <= UINT16_MAX; number++) {
        if (bits[number / 8] & (1 << (number % 8))) {
            json_object_array_add(list, json_object_new_int((int)number));
        }
    }
    return list;
}

json_object *field_convert(const VmField *field, json_object *value, GError **error)
{
    switch (field->kind) {
    case VM_FIELD_BOOL:
        return convert_bool(field, value, error);
    case VM_FIELD_INT32:
        return convert_signed(field, value, error);
    case VM_FIELD_STRING:
    case VM_FIELD_ENUM:
    case VM_FIELD_LINK:
        return convert_string(field, value, error);
    case VM_FIELD_UINT16_LIST:
        return convert_list(field, value, error);
    default:
        return convert_unsigned(field, value, error);
    }
}

/* --- members --- */

/* The object that a link property means: a path, or an id in one of the usual places. */
static VmObject *find_link(const char *text, GType type, GError **error)
{
    static const char *const containers[] = {"objects", "chardevs", "netdevs",
                                             "machine/peripheral"};
    VmObject *found = NULL, *other = NULL;

    if (*text == '/') {
        other = vm_object_resolve(text, NULL);
        found = other && G_TYPE_CHECK_INSTANCE_TYPE(other, type) ? other : NULL;
    }
    for (guint i = 0; i < G_N_ELEMENTS(containers) && !found; i++) {
        VmObject *candidate = vm_object_find(containers[i], text);
        if (candidate && G_TYPE_CHECK_INSTANCE_TYPE(candidate, type)) {
            found = candidate;
        } else if (candidate) {
            other = candidate;
        }
    }
    if (!found && other) {
        vm_error_set(error, "'%s' is of type %s, expected an object of type %s", text,
                     G_OBJECT_TYPE_NAME(other), g_type_name(type));
    } else if (!found) {
        vm_error_set(error, "no object with id '%s' of type %s", text, g_type_name(type));
    }
    return found;
}

static int enum_index(const VmField *field, const char *name)
{
    int index = 0;

    while (strcmp(field->names[index], name) != 0) {
        index++;
    }
    return index;
}

static GArray *list_from_json(json_object *value)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(uint16_t));

    for (gsize i = 0; i < json_object_array_length(value); i++) {
        uint16_t number = (uint16_t)json_object_get_int(json_object_array_get_idx(value, i));
        g_array_append_val(list, number);
    }
    return list;
}

gboolean field_from_json(const VmField *field, json_object *value, FieldValue *result,
                         GError **error)
{
    *result = (FieldValue){0};
    switch (field->kind) {
    case VM_FIELD_BOOL:
        result->boolean = json_object_get_boolean(value);
        break;
    case VM_FIELD_UINT8:
        result->uint8 = (uint8_t)json_object_get_uint64(value);
        break;
    case VM_FIELD_UINT16:
        result->uint16 = (uint16_t)json_object_get_uint64(value);
        break;
    case VM_FIELD_UINT32:
        result->uint32 = (uint32_t)json_object_get_uint64(value);
        break;
    case VM_FIELD_UINT64:
    case VM_FIELD_SIZE:
        result->uint64 = json_object_get_uint64(value);
        break;
    case VM_FIELD_INT32:
        result->int32 = (int32_t)json_object_get_int64(value);
        break;
    case VM_FIELD_STRING:
        result->string = g_strdup(json_object_get_string(value));
        break;
    case VM_FIELD_ENUM:
        result->enumeration = enum_index(field, json_object_get_string(value));
        break;
    case VM_FIELD_LINK:
        if (*json_object_get_string(value)) {
            VmObject *link = find_link(json_object_get_string(value), field->link_type(), error);
            if (!link) {
                return FALSE;
            }
            result->link = g_object_ref(link);
        }
        break;
    case VM_FIELD_UINT16_LIST:
        result->list = list_from_json(value);
        break;
    }
    return TRUE;
}

static json_object *link_to_json(VmObject *link)
{
    g_autofree char *path = link ? vm_object_path(link) : NULL;

    return json_object_new_string(path ? path : link && link->id ? link->id : "");
}

static json_object *list_to_json(const GArray *list)
{
    json_object *array = json_object_new_array();

    for (guint i = 0; list && i < list->len; i++) {
        json_object_array_add(array, json_object_new_int(g_array_index(list, uint16_t, i)));
    }
    return array;
}

json_object *field_to_json(const VmField *field, FieldValue value)
{
    switch (field->kind) {
    case VM_FIELD_BOOL:
        return json_object_new_boolean(value.boolean);
    case VM_FIELD_UINT8:
        return json_object_new_int(value.uint8);
    case VM_FIELD_UINT16:
        return json_object_new_int(value.uint16);
    case VM_FIELD_UINT32:
        return json_object_new_int64(value.uint32);
    case VM_FIELD_INT32:
        return json_object_new_int(value.int32);
    case VM_FIELD_STRING:
        return json_object_new_string(value.string ? value.string : "");
    case VM_FIELD_ENUM:
        return json_object_new_string(field->names[value.enumeration]);
    case VM_FIELD_LINK:
        return link_to_json(value.link);
    case VM_FIELD_UINT16_LIST:
        return list_to_json(value.list);
    default:
        return json_object_new_uint64(value.uint64);
    }
}
