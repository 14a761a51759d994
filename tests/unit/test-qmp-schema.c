/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of all rooms fit together, and the schema made of them has the published form. */
#include "../../monitor/qmp-internal.h"

#include <string.h>

static void check_use(const char *owner, const QmpTypeUse *use)
{
    g_autoptr(GError) error = NULL;

    if (qmp_builtin(use->type, NULL) == QMP_BUILTIN_NONE && !qmp_type_find(use->type, &error)) {
        g_test_message("%s: %s", owner, error->message);
        g_test_fail();
    }
}

static void check_members(const char *owner, const QmpMembers *members)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < members->members->len; i++) {
        const QmpMember *member = &g_array_index(members->members, QmpMember, i);

        g_test_message("%s.%s", owner, member->name);
        g_assert_true(g_hash_table_add(names, member->name));
        check_use(owner, &member->use);
    }
}

static void check_text(const char *owner, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QmpMembers) members = qmp_members_parse(text, &error);

    g_assert_no_error(error);
    check_members(owner, members);
}

static void test_commands(void)
{
    const char *previous = "";

    for (guint i = 0; i < qmp_commands()->len; i++) {
        const QmpCommand *command = g_ptr_array_index(qmp_commands(), i);
        QmpTypeUse returns;

        g_test_message("%s", command->name);
        g_assert_cmpstr(previous, <, command->name); /* no name twice */
        previous = command->name;
        g_assert_true(!command->run != !command->start);
        g_assert_true(!command->start || !(command->flags & QMP_COMMAND_OOB));
        g_assert_nonnull(command->doc);
        check_text(command->name, command->arguments);
        if (command->returns) {
            g_assert_true(qmp_type_use_parse(command->returns, &returns, NULL));
            check_use(command->name, &returns);
            qmp_type_use_clear(&returns);
        }
        g_assert_true(qmp_command_find(command->name) == command);
    }
    g_assert_null(qmp_command_find("no-such-command"));
    g_assert_null(qmp_command_find(""));
}

static void test_events(void)
{
    const char *previous = "";

    for (guint i = 0; i < qmp_events()->len; i++) {
        const QmpEvent *event = g_ptr_array_index(qmp_events(), i);

        g_assert_cmpstr(previous, <, event->name);
        previous = event->name;
        g_assert_nonnull(event->doc);
        check_text(event->name, event->data);
    }
}

static void check_union(const QmpTypeInfo *info)
{
    const QmpMember *tag = NULL;
    const QmpTypeInfo *values;

    for (guint i = 0; i < info->members->members->len; i++) {
        const QmpMember *member = &g_array_index(info->members->members, QmpMember, i);

        tag = strcmp(member->name, info->tag) == 0 ? member : tag;
    }
    g_assert_nonnull(tag);
    g_assert_cmpuint(tag->use.lists, ==, 0);
    values = qmp_type_find(tag->use.type, NULL);
    g_assert_true(values && values->source->kind == QMP_ENUM);
    for (guint i = 0; i < info->variants->len; i++) {
        const QmpVariant *variant = &g_array_index(info->variants, QmpVariant, i);
        const QmpTypeInfo *branch = qmp_type_find(variant->type, NULL);

        g_assert_true(g_strv_contains((const char *const *)values->values, variant->value));
        g_assert_true(branch && branch->source->kind == QMP_OBJECT);
    }
}

static void test_types(void)
{
    const char *previous = "";

    qmp_object_types_register();
    for (guint i = 0; i < qmp_types()->len; i++) {
        const QmpType *type = g_ptr_array_index(qmp_types(), i);
        g_autoptr(GError) error = NULL;
        const QmpTypeInfo *info = qmp_type_find(type->name, &error);

        g_assert_no_error(error);
        g_test_message("%s", type->name);
        g_assert_cmpstr(previous, <, type->name);
        previous = type->name;
        g_assert_nonnull(type->doc);
        g_assert_cmpint(qmp_builtin(type->name, NULL), ==, QMP_BUILTIN_NONE);
        if (info->members) {
            check_members(type->name, info->members);
        }
        if (type->kind == QMP_UNION) {
            check_union(info);
        }
    }
}

/* --- the schema --- */

static json_object *entity_find(json_object *schema, const char *name)
{
    for (gsize i = 0; i < json_object_array_length(schema); i++) {
        json_object *entity = json_object_array_get_idx(schema, i);

        if (strcmp(qmp_string(entity, "name"), name) == 0) {
            return entity;
        }
    }
    g_test_message("the schema lacks '%s'", name);
    g_assert_not_reached();
}

static void expect_meta(json_object *schema, const char *name, const char *meta_type)
{
    g_assert_cmpstr(qmp_string(entity_find(schema, name), "meta-type"), ==, meta_type);
}

static void check_references(json_object *schema, json_object *list)
{
    for (gsize i = 0; i < json_object_array_length(list); i++) {
        entity_find(schema, qmp_string(json_object_array_get_idx(list, i), "type"));
    }
}

static void test_schema(void)
{
    g_autoptr(json_object) schema = qmp_schema();
    g_autoptr(json_object) arguments = json_object_new_object();
    g_autoptr(QmpMembers) members = qmp_members_parse("schema:[SchemaInfo]", NULL);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GError) error = NULL;

    /* Its own description fits it, which checks every entity in full. */
    json_object_object_add(arguments, "schema", json_object_get(schema));
    qmp_check_arguments(members, arguments, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < json_object_array_length(schema); i++) {
        json_object *entity = json_object_array_get_idx(schema, i);
        const char *meta_type = qmp_string(entity, "meta-type");

        g_assert_true(g_hash_table_add(names, (gpointer)qmp_string(entity, "name")));
        if (strcmp(meta_type, "command") == 0) {
            expect_meta(schema, qmp_string(entity, "arg-type"), "object");
            entity_find(schema, qmp_string(entity, "ret-type"));
        } else if (strcmp(meta_type, "event") == 0) {
            expect_meta(schema, qmp_string(entity, "arg-type"), "object");
        } else if (strcmp(meta_type, "array") == 0) {
            entity_find(schema, qmp_string(entity, "element-type"));
        } else if (strcmp(meta_type, "object") == 0) {
            check_references(schema, json_object_object_get(entity, "members"));
            if (json_object_object_get(entity, "variants")) {
                check_references(schema, json_object_object_get(entity, "variants"));
            }
        }
    }
}

/* What management clients look up before they use it. */
static void test_probes(void)
{
    static const char *const wanted[] = {
        "qmp_capabilities",
        "query-version",
        "query-commands",
        "query-events",
        "query-qmp-schema",
        "query-status",
        "query-name",
        "query-uuid",
        "query-target",
        "query-kvm",
        "query-chardev",
        "chardev-add",
        "chardev-remove",
        "object-add",
        "object-del",
        "qom-list",
        "qom-get",
        "qom-set",
        "stop",
        "cont",
        "system_reset",
        "quit",
        "getfd",
        "add-fd",
        "human-monitor-command",
    };
    g_autoptr(json_object) schema = qmp_schema();
    json_object *types = entity_find(schema, "ObjectType");
    gboolean found = FALSE;
    json_object *values;

    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        expect_meta(schema, wanted[i], "command");
    }
    g_assert_cmpstr(qmp_string(entity_find(schema, "object-add"), "arg-type"), ==, "ObjectOptions");
    values = json_object_object_get(types, "values");
    for (gsize i = 0; i < json_object_array_length(values); i++) {
        found |= g_strcmp0(json_object_get_string(json_object_array_get_idx(values, i)),
                           "monitor-qmp") == 0;
    }
    g_assert_true(found);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp-schema/commands", test_commands);
    g_test_add_func("/qmp-schema/events", test_events);
    g_test_add_func("/qmp-schema/types", test_types);
    g_test_add_func("/qmp-schema/schema", test_schema);
    g_test_add_func("/qmp-schema/probes", test_probes);
    return g_test_run();
}
