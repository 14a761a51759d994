/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-qmp-schema: the registered tables as a flat list of entities that
 * refer to each other by name, the published introspection form that clients
 * know.  Types have their own names; lists are called "[T]".
 */
#include "qmp-internal.h"

#include <string.h>

/* The type of commands without arguments, of events without data, and of the empty answer. */
#define EMPTY_TYPE "Empty"

typedef struct SchemaBuilder {
    json_object *entries;
    GHashTable *named; /* set of the names that are in @entries */
} SchemaBuilder;

static void add_use(SchemaBuilder *builder, const QmpTypeUse *use);

/* A new entity, or NULL if there is one of that name already. */
static json_object *add_entity(SchemaBuilder *builder, const char *name, const char *meta_type)
{
    json_object *entity;

    if (!g_hash_table_add(builder->named, g_strdup(name))) {
        return NULL;
    }
    entity = json_object_new_object();
    json_add_string(entity, "name", name);
    json_add_string(entity, "meta-type", meta_type);
    json_object_array_add(builder->entries, entity);
    return entity;
}

static void add_features(json_object *entity, const char *features)
{
    g_auto(GStrv) names = g_strsplit(features ? features : "", ",", -1);
    json_object *list;

    if (!names[0]) {
        return;
    }
    list = json_object_new_array();
    for (guint i = 0; names[i]; i++) {
        json_object_array_add(list, json_object_new_string(g_strstrip(names[i])));
    }
    json_object_object_add(entity, "features", list);
}

/* JSON has one kind of whole number, and so has the schema: the name that stands for @type. */
static const char *schema_name(const char *type)
{
    QmpBuiltin kind = qmp_builtin(type, NULL);

    return kind == QMP_BUILTIN_SIGNED || kind == QMP_BUILTIN_UNSIGNED ? "int" : type;
}

static char *use_name(const QmpTypeUse *use)
{
    const QmpTypeUse plain = {.type = (char *)schema_name(use->type), .lists = use->lists};

    return qmp_type_use_text(&plain);
}

static json_object *members_array(SchemaBuilder *builder, const QmpMembers *members)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < members->members->len; i++) {
        const QmpMember *member = &g_array_index(members->members, QmpMember, i);
        g_autofree char *type = use_name(&member->use);
        json_object *entry = json_object_new_object();

        json_add_string(entry, "name", member->name);
        json_add_string(entry, "type", type);
        if (member->optional) {
            json_add_string(entry, "default", NULL);
        }
        json_object_array_add(list, entry);
        add_use(builder, &member->use);
    }
    return list;
}

static void add_object(SchemaBuilder *builder, const char *name, const QmpMembers *members)
{
    json_object *entity = add_entity(builder, name, "object");

    if (entity) {
        json_object_object_add(entity, "members", members_array(builder, members));
    }
}

static void add_empty(SchemaBuilder *builder)
{
    g_autoptr(QmpMembers) none = qmp_members_parse(NULL, NULL);

    add_object(builder, EMPTY_TYPE, none);
}

static void add_builtin(SchemaBuilder *builder, const char *type)
{
    static const char *const json_types[] = {
        [QMP_BUILTIN_STRING] = "string",   [QMP_BUILTIN_SIGNED] = "int",
        [QMP_BUILTIN_UNSIGNED] = "int",    [QMP_BUILTIN_NUMBER] = "number",
        [QMP_BUILTIN_BOOLEAN] = "boolean", [QMP_BUILTIN_ANY] = "value",
        [QMP_BUILTIN_NULL] = "null",
    };
    json_object *entity = add_entity(builder, schema_name(type), "builtin");

    if (entity) {
        json_add_string(entity, "json-type", json_types[qmp_builtin(type, NULL)]);
    }
}

static void add_enum(json_object *entity, const QmpTypeInfo *info)
{
    json_object *members = json_object_new_array();
    json_object *values = json_object_new_array();

    for (guint i = 0; info->values[i]; i++) {
        json_object *member = json_object_new_object();

        json_add_string(member, "name", info->values[i]);
        json_object_array_add(members, member);
        json_object_array_add(values, json_object_new_string(info->values[i]));
    }
    json_object_object_add(entity, "members", members);
    json_object_object_add(entity, "values", values);
}

static void add_union(SchemaBuilder *builder, json_object *entity, const QmpTypeInfo *info)
{
    json_object *variants = json_object_new_array();

    for (guint i = 0; i < info->variants->len; i++) {
        const QmpVariant *variant = &g_array_index(info->variants, QmpVariant, i);
        const QmpTypeUse use = {.type = variant->type};
        json_object *entry = json_object_new_object();

        json_add_string(entry, "case", variant->value);
        json_add_string(entry, "type", variant->type);
        json_object_array_add(variants, entry);
        add_use(builder, &use);
    }
    json_object_object_add(entity, "members", members_array(builder, info->members));
    json_add_string(entity, "tag", info->tag);
    json_object_object_add(entity, "variants", variants);
}

static void add_named(SchemaBuilder *builder, const char *type)
{
    const QmpTypeInfo *info = qmp_type_find(type, NULL);
    json_object *entity;

    if (!info) {
        return; /* a mistake in a table, which a unit test finds */
    }
    entity = add_entity(builder, type, info->source->kind == QMP_ENUM ? "enum" : "object");
    if (!entity) {
        return;
    }
    switch (info->source->kind) {
    case QMP_ENUM:
        add_enum(entity, info);
        break;
    case QMP_UNION:
        add_union(builder, entity, info);
        break;
    case QMP_OBJECT:
        json_object_object_add(entity, "members", members_array(builder, info->members));
        break;
    }
    add_features(entity, info->source->features);
}

/* Adds the type of @use, the lists around it, and all that they refer to. */
static void add_use(SchemaBuilder *builder, const QmpTypeUse *use)
{
    g_autofree char *name = use_name(use);
    json_object *entity;

    if (use->lists > 0) {
        const QmpTypeUse element = {.type = use->type, .lists = use->lists - 1};
        g_autofree char *element_name = use_name(&element);

        entity = add_entity(builder, name, "array");
        if (entity) {
            json_add_string(entity, "element-type", element_name);
            add_use(builder, &element);
        }
    } else if (qmp_builtin(use->type, NULL) != QMP_BUILTIN_NONE) {
        add_builtin(builder, use->type);
    } else {
        add_named(builder, use->type);
    }
}

/* The arguments or data that @text lists, as a type called "@owner@suffix". */
static void add_argument_type(SchemaBuilder *builder, json_object *entity, const char *owner,
                              const char *suffix, const char *text)
{
    g_autoptr(QmpMembers) members = qmp_members_parse(text, NULL);
    g_autofree char *name = g_strconcat(owner, suffix, NULL);

    if (!members || members->members->len == 0) {
        json_add_string(entity, "arg-type", EMPTY_TYPE);
        return;
    }
    json_add_string(entity, "arg-type", name);
    add_object(builder, name, members);
}

static void add_command(SchemaBuilder *builder, const QmpCommand *command)
{
    json_object *entity = add_entity(builder, command->name, "command");
    QmpTypeUse returns = {NULL, 0};

    if (!entity) {
        return;
    }
    if (command->argument_type) {
        const QmpTypeUse use = {.type = (char *)command->argument_type};

        json_add_string(entity, "arg-type", command->argument_type);
        add_use(builder, &use);
    } else {
        add_argument_type(builder, entity, command->name, "-arguments", command->arguments);
    }
    if (command->returns && qmp_type_use_parse(command->returns, &returns, NULL)) {
        g_autofree char *name = use_name(&returns);

        json_add_string(entity, "ret-type", name);
        add_use(builder, &returns);
        qmp_type_use_clear(&returns);
    } else {
        json_add_string(entity, "ret-type", EMPTY_TYPE);
    }
    json_add_bool(entity, "allow-oob", !!(command->flags & QMP_COMMAND_OOB));
    add_features(entity, command->features);
}

static void add_event(SchemaBuilder *builder, const QmpEvent *event)
{
    json_object *entity = add_entity(builder, event->name, "event");

    if (entity) {
        add_argument_type(builder, entity, event->name, "-data", event->data);
    }
}

json_object *qmp_schema(void)
{
    SchemaBuilder builder = {
        .entries = json_object_new_array(),
        .named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };

    qmp_object_types_register();
    add_empty(&builder);
    for (guint i = 0; i < qmp_commands()->len; i++) {
        add_command(&builder, g_ptr_array_index(qmp_commands(), i));
    }
    for (guint i = 0; i < qmp_events()->len; i++) {
        add_event(&builder, g_ptr_array_index(qmp_events(), i));
    }
    g_hash_table_unref(builder.named);
    return builder.entries;
}

/* Types of query-qmp-schema's own answer. */
static const QmpType types[] = {
    {.name = "SchemaMetaType",
     .kind = QMP_ENUM,
     .members = "builtin, enum, array, object, alternate, command, event",
     .doc = "What an entity of the schema is."},
    {.name = "JSONType",
     .kind = QMP_ENUM,
     .members = "string, number, int, boolean, null, object, array, value",
     .doc = "What a built-in type looks like in JSON; value means anything."},
    {.name = "SchemaInfoBuiltin",
     .kind = QMP_OBJECT,
     .members = "json-type:JSONType",
     .doc = "A built-in type."},
    {.name = "SchemaInfoEnumMember",
     .kind = QMP_OBJECT,
     .members = "name:str",
     .doc = "A value of an enumeration."},
    {.name = "SchemaInfoEnum",
     .kind = QMP_OBJECT,
     .members = "members:[SchemaInfoEnumMember], values:[str]",
     .doc = "An enumeration; values repeats the names for older clients."},
    {.name = "SchemaInfoArray",
     .kind = QMP_OBJECT,
     .members = "element-type:str",
     .doc = "A list."},
    {.name = "SchemaInfoObjectMember",
     .kind = QMP_OBJECT,
     .members = "name:str, type:str, *default:any",
     .doc = "A member of an object. It is optional where default is there."},
    {.name = "SchemaInfoObjectVariant",
     .kind = QMP_OBJECT,
     .members = "case:str, type:str",
     .doc = "The type whose members come too when the tag has the value case."},
    {.name = "SchemaInfoObject",
     .kind = QMP_OBJECT,
     .members = "members:[SchemaInfoObjectMember], *tag:str, *variants:[SchemaInfoObjectVariant]",
     .doc = "An object; with tag and variants, one whose further members depend on the tag."},
    {.name = "SchemaInfoAlternateMember",
     .kind = QMP_OBJECT,
     .members = "type:str",
     .doc = "One of the types of an alternate."},
    {.name = "SchemaInfoAlternate",
     .kind = QMP_OBJECT,
     .members = "members:[SchemaInfoAlternateMember]",
     .doc = "A value of one of several types; none is in use."},
    {.name = "SchemaInfoCommand",
     .kind = QMP_OBJECT,
     .members = "arg-type:str, ret-type:str, *allow-oob:bool",
     .doc = "A command; arg-type is an object type."},
    {.name = "SchemaInfoEvent",
     .kind = QMP_OBJECT,
     .members = "arg-type:str",
     .doc = "An event; arg-type is the object type of its data."},
    {.name = "SchemaInfo",
     .kind = QMP_UNION,
     .members = "name:str, meta-type:SchemaMetaType, *features:[str] | meta-type | "
                "builtin=SchemaInfoBuiltin, enum=SchemaInfoEnum, array=SchemaInfoArray, "
                "object=SchemaInfoObject, alternate=SchemaInfoAlternate, "
                "command=SchemaInfoCommand, event=SchemaInfoEvent",
     .doc = "An entity of the schema."},
    {.name = NULL},
};

QMP_REGISTER(NULL, NULL, types);
