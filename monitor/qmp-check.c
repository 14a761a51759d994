/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks a command's arguments against its table before the command sees
 * them.  Messages name the member with its path ("addr.data.path").
 */
#include "qmp-internal.h"

#include <string.h>

static gboolean check_use(const QmpTypeUse *use, guint lists, json_object *value, const char *path,
                          GError **error);

static gboolean wrong_type(const char *path, const char *expected, GError **error)
{
    vm_error_set(error, "Invalid parameter type for '%s', expected: %s", path, expected);
    return FALSE;
}

/* "path.name", or the name alone at the top. Caller frees. */
static char *path_join(const char *path, const char *name)
{
    return *path ? g_strdup_printf("%s.%s", path, name) : g_strdup(name);
}

static gboolean check_unsigned(json_object *value, guint64 maximum, const char *path,
                               GError **error)
{
    if (!json_object_is_type(value, json_type_int)) {
        return wrong_type(path, "integer", error);
    }
    if (json_object_get_int64(value) < 0 || json_object_get_uint64(value) > maximum) {
        vm_error_set(error,
                     "Parameter '%s' expects a number from 0 to %" G_GUINT64_FORMAT ", got %s",
                     path, maximum, json_object_get_string(value));
        return FALSE;
    }
    return TRUE;
}

static gboolean check_signed(json_object *value, const char *path, GError **error)
{
    if (!json_object_is_type(value, json_type_int)) {
        return wrong_type(path, "integer", error);
    }
    if (json_object_get_int64(value) >= 0 && json_object_get_uint64(value) > G_MAXINT64) {
        vm_error_set(error, "Parameter '%s' expects a number up to %" G_GINT64_FORMAT ", got %s",
                     path, G_MAXINT64, json_object_get_string(value));
        return FALSE;
    }
    return TRUE;
}

static gboolean check_builtin(QmpBuiltin kind, guint64 maximum, json_object *value,
                              const char *path, GError **error)
{
    switch (kind) {
    case QMP_BUILTIN_STRING:
        return json_object_is_type(value, json_type_string) || wrong_type(path, "string", error);
    case QMP_BUILTIN_SIGNED:
        return check_signed(value, path, error);
    case QMP_BUILTIN_UNSIGNED:
        return check_unsigned(value, maximum, path, error);
    case QMP_BUILTIN_NUMBER:
        return json_object_is_type(value, json_type_int) ||
               json_object_is_type(value, json_type_double) || wrong_type(path, "number", error);
    case QMP_BUILTIN_BOOLEAN:
        return json_object_is_type(value, json_type_boolean) || wrong_type(path, "boolean", error);
    case QMP_BUILTIN_NULL:
        return value == NULL || wrong_type(path, "null", error);
    case QMP_BUILTIN_ANY:
    case QMP_BUILTIN_NONE:
        break;
    }
    return TRUE;
}

/* Those of @members that are there have their type, those that must be there are. */
static gboolean check_listed(const QmpMembers *members, json_object *object, const char *path,
                             GError **error)
{
    for (guint i = 0; i < members->members->len; i++) {
        const QmpMember *member = &g_array_index(members->members, QmpMember, i);
        g_autofree char *inner = path_join(path, member->name);
        json_object *value;

        if (!json_object_object_get_ex(object, member->name, &value)) {
            if (!member->optional) {
                vm_error_set(error, "Parameter '%s' is missing", inner);
                return FALSE;
            }
        } else if (!check_use(&member->use, member->use.lists, value, inner, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean members_have(const QmpMembers *members, const char *name)
{
    for (guint i = 0; i < members->members->len; i++) {
        if (strcmp(g_array_index(members->members, QmpMember, i).name, name) == 0) {
            return TRUE;
        }
    }
    return members->open;
}

/* Refuses what neither @members nor @more (may be NULL) lists. */
static gboolean check_unlisted(const QmpMembers *members, const QmpMembers *more,
                               json_object *object, const char *path, GError **error)
{
    json_object_object_foreach(object, name, value)
    {
        (void)value;
        if (!members_have(members, name) && !(more && members_have(more, name))) {
            g_autofree char *inner = path_join(path, name);

            vm_error_set(error, "Parameter '%s' is unexpected", inner);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_enum(const QmpTypeInfo *info, json_object *value, const char *path,
                           GError **error)
{
    g_autofree char *accepted = NULL;
    const char *text;

    if (!json_object_is_type(value, json_type_string)) {
        return wrong_type(path, "string", error);
    }
    text = json_object_get_string(value);
    if (g_strv_contains((const char *const *)info->values, text)) {
        return TRUE;
    }
    accepted = g_strjoinv(", ", info->values);
    vm_error_set(error, "Parameter '%s' does not accept value '%s', but %s", path, text, accepted);
    return FALSE;
}

/* The variant that @object's tag chooses, or NULL if it brings no members. */
static const QmpVariant *union_variant(const QmpTypeInfo *info, json_object *object)
{
    json_object *tag = json_object_object_get(object, info->tag);

    for (guint i = 0; i < info->variants->len; i++) {
        const QmpVariant *variant = &g_array_index(info->variants, QmpVariant, i);

        if (g_strcmp0(variant->value, json_object_get_string(tag)) == 0) {
            return variant;
        }
    }
    return NULL;
}

static gboolean check_union(const QmpTypeInfo *info, json_object *object, const char *path,
                            GError **error)
{
    const QmpVariant *variant;
    const QmpTypeInfo *chosen;

    if (!check_listed(info->members, object, path, error)) {
        return FALSE;
    }
    variant = union_variant(info, object);
    if (!variant) {
        return check_unlisted(info->members, NULL, object, path, error);
    }
    chosen = qmp_type_find(variant->type, error);
    return chosen && check_listed(chosen->members, object, path, error) &&
           check_unlisted(info->members, chosen->members, object, path, error);
}

static gboolean check_named(const char *type, json_object *value, const char *path, GError **error)
{
    const QmpTypeInfo *info = qmp_type_find(type, error);

    if (!info) {
        return FALSE;
    }
    if (info->source->kind == QMP_ENUM) {
        return check_enum(info, value, path, error);
    }
    if (!json_object_is_type(value, json_type_object)) {
        return wrong_type(path, "object", error);
    }
    if (info->source->kind == QMP_UNION) {
        return check_union(info, value, path, error);
    }
    return check_listed(info->members, value, path, error) &&
           check_unlisted(info->members, NULL, value, path, error);
}

static gboolean check_use(const QmpTypeUse *use, guint lists, json_object *value, const char *path,
                          GError **error)
{
    guint64 maximum = 0;
    QmpBuiltin kind;

    if (lists == 0) {
        kind = qmp_builtin(use->type, &maximum);
        return kind == QMP_BUILTIN_NONE ? check_named(use->type, value, path, error)
                                        : check_builtin(kind, maximum, value, path, error);
    }
    if (!json_object_is_type(value, json_type_array)) {
        return wrong_type(path, "array", error);
    }
    for (gsize i = 0; i < json_object_array_length(value); i++) {
        g_autofree char *inner = g_strdup_printf("%s[%zu]", path, i);

        if (!check_use(use, lists - 1, json_object_array_get_idx(value, i), inner, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean qmp_check_arguments(const QmpMembers *members, json_object *arguments, GError **error)
{
    return check_listed(members, arguments, "", error) &&
           check_unlisted(members, NULL, arguments, "", error);
}
