/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The little language in which tables describe members and types
 * (monitor/qmp.h), parsed when a type is first needed.
 */
#include "qmp-internal.h"

#include <string.h>

/* @maximum: unsigned types only. */
static const struct {
    const char *name;
    QmpBuiltin kind;
    guint64 maximum;
} builtins[] = {
    {"str", QMP_BUILTIN_STRING, 0},
    {"int", QMP_BUILTIN_SIGNED, 0},
    {"uint8", QMP_BUILTIN_UNSIGNED, G_MAXUINT8},
    {"uint16", QMP_BUILTIN_UNSIGNED, G_MAXUINT16},
    {"uint32", QMP_BUILTIN_UNSIGNED, G_MAXUINT32},
    {"uint64", QMP_BUILTIN_UNSIGNED, G_MAXUINT64},
    {"size", QMP_BUILTIN_UNSIGNED, G_MAXUINT64},
    {"number", QMP_BUILTIN_NUMBER, 0},
    {"bool", QMP_BUILTIN_BOOLEAN, 0},
    {"any", QMP_BUILTIN_ANY, 0},
    {"null", QMP_BUILTIN_NULL, 0},
};

QmpBuiltin qmp_builtin(const char *name, guint64 *maximum)
{
    for (guint i = 0; i < G_N_ELEMENTS(builtins); i++) {
        if (strcmp(builtins[i].name, name) == 0) {
            if (maximum) {
                *maximum = builtins[i].maximum;
            }
            return builtins[i].kind;
        }
    }
    return QMP_BUILTIN_NONE;
}

void qmp_type_use_clear(QmpTypeUse *use)
{
    g_clear_pointer(&use->type, g_free);
}

gboolean qmp_type_use_parse(const char *text, QmpTypeUse *use, GError **error)
{
    g_autofree char *copy = g_strstrip(g_strdup(text));
    gsize length = strlen(copy);
    guint lists = 0;

    while (length >= 2 && copy[lists] == '[' && copy[lists + length - 1] == ']') {
        lists++;
        length -= 2;
    }
    if (length == 0 || strcspn(copy + lists, "[] \t,|=") < length) {
        vm_error_set(error, "QMP table: '%s' is not a type", text);
        return FALSE;
    }
    *use = (QmpTypeUse){.type = g_strndup(copy + lists, length), .lists = lists};
    return TRUE;
}

char *qmp_type_use_text(const QmpTypeUse *use)
{
    GString *text = g_string_new(use->type);

    for (guint i = 0; i < use->lists; i++) {
        g_string_prepend_c(text, '[');
        g_string_append_c(text, ']');
    }
    return g_string_free(text, FALSE);
}

static void member_clear(gpointer member)
{
    g_free(((QmpMember *)member)->name);
    qmp_type_use_clear(&((QmpMember *)member)->use);
}

void qmp_members_free(QmpMembers *members)
{
    if (members) {
        g_array_unref(members->members);
        g_free(members);
    }
}

/* Adds "name:type" or "*name:type". */
static gboolean member_add(QmpMembers *members, char *item, GError **error)
{
    char *colon = strchr(item, ':');
    QmpMember member = {.optional = item[0] == '*'};

    if (!colon || colon == item + member.optional) {
        vm_error_set(error, "QMP table: '%s' is not of the form name:type", item);
        return FALSE;
    }
    if (!qmp_type_use_parse(colon + 1, &member.use, error)) {
        return FALSE;
    }
    *colon = '\0';
    member.name = g_strdup(g_strstrip(item + member.optional));
    g_array_append_val(members->members, member);
    return TRUE;
}

QmpMembers *qmp_members_parse(const char *text, GError **error)
{
    g_autoptr(QmpMembers) members = g_new0(QmpMembers, 1);
    g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

    members->members = g_array_new(FALSE, FALSE, sizeof(QmpMember));
    g_array_set_clear_func(members->members, member_clear);
    for (guint i = 0; items[i]; i++) {
        char *item = g_strstrip(items[i]);

        if (strcmp(item, "**") == 0) {
            members->open = TRUE;
        } else if (*item && !member_add(members, item, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&members);
}

static void variant_clear(gpointer variant)
{
    g_free(((QmpVariant *)variant)->value);
    g_free(((QmpVariant *)variant)->type);
}

/* "value=Type, ..." */
static gboolean variants_parse(QmpTypeInfo *info, const char *text, GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    info->variants = g_array_new(FALSE, FALSE, sizeof(QmpVariant));
    g_array_set_clear_func(info->variants, variant_clear);
    for (guint i = 0; items[i]; i++) {
        char *item = g_strstrip(items[i]);
        char *equals = strchr(item, '=');
        QmpVariant variant;

        if (!equals) {
            vm_error_set(error, "QMP table: '%s' of %s is not of the form value=Type", item,
                         info->source->name);
            return FALSE;
        }
        *equals = '\0';
        variant.value = g_strdup(g_strstrip(item));
        variant.type = g_strdup(g_strstrip(equals + 1));
        g_array_append_val(info->variants, variant);
    }
    return TRUE;
}

static gboolean union_parse(QmpTypeInfo *info, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(info->source->members, "|", 3);

    if (g_strv_length(parts) != 3) {
        vm_error_set(error, "QMP table: union %s is not of the form members | tag | variants",
                     info->source->name);
        return FALSE;
    }
    info->members = qmp_members_parse(parts[0], error);
    info->tag = g_strdup(g_strstrip(parts[1]));
    return info->members && variants_parse(info, parts[2], error);
}

static gboolean type_parse(QmpTypeInfo *info, GError **error)
{
    switch (info->source->kind) {
    case QMP_OBJECT:
        info->members = qmp_members_parse(info->source->members, error);
        return info->members != NULL;
    case QMP_ENUM:
        info->values = g_strsplit(info->source->members, ",", -1);
        for (guint i = 0; info->values[i]; i++) {
            g_strstrip(info->values[i]);
        }
        return TRUE;
    case QMP_UNION:
        return union_parse(info, error);
    }
    vm_error_set(error, "QMP table: type %s is of no known kind", info->source->name);
    return FALSE;
}

static void type_info_free(QmpTypeInfo *info)
{
    qmp_members_free(info->members);
    g_strfreev(info->values);
    g_free(info->tag);
    g_clear_pointer(&info->variants, g_array_unref);
    g_free(info);
}

static const QmpType *type_source(const char *name)
{
    GPtrArray *types = qmp_types();
    guint low = 0, high = types->len;

    while (low < high) {
        guint middle = (low + high) / 2;
        const QmpType *type = g_ptr_array_index(types, middle);
        int order = strcmp(name, type->name);

        if (order == 0) {
            return type;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const QmpTypeInfo *qmp_type_find(const char *name, GError **error)
{
    static GHashTable *parsed; /* name -> QmpTypeInfo */
    QmpTypeInfo *info;
    const QmpType *source;

    if (!parsed) {
        parsed = g_hash_table_new(g_str_hash, g_str_equal);
    }
    info = g_hash_table_lookup(parsed, name);
    if (info) {
        return info;
    }
    source = type_source(name);
    if (!source) {
        vm_error_set(error, "QMP table: there is no type '%s'", name);
        return NULL;
    }
    info = g_new0(QmpTypeInfo, 1);
    info->source = source;
    if (!type_parse(info, error)) {
        type_info_free(info);
        return NULL;
    }
    g_hash_table_insert(parsed, (gpointer)source->name, info);
    return info;
}
