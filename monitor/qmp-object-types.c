/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Describes object-add's arguments for the schema: a union over the types
 * that users can create, written in the tables' language from what GObject
 * knows of each type's properties.
 */
#include "qmp-internal.h"

#include "util/object.h"

/* What the union is made of; the types live as long as the program, like the tables. */
typedef struct ObjectTypes {
    GArray *types;     /* QmpType */
    GString *names;    /* members of the enumeration */
    GString *variants; /* of the union */
} ObjectTypes;

static void add_type(ObjectTypes *all, const char *name, int kind, const char *members,
                     const char *doc)
{
    const QmpType type = {
        .name = g_intern_string(name),
        .kind = kind,
        .members = g_intern_string(members),
        .doc = g_intern_string(doc ? doc : ""),
    };

    g_array_append_val(all->types, type);
}

static void append_item(GString *list, const char *item)
{
    g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", item);
}

/* The name of the type of property @field of type @owner; caller frees. */
static char *field_type(ObjectTypes *all, const char *owner, const VmField *field)
{
    static const char *const names[] = {
        [VM_FIELD_BOOL] = "bool",     [VM_FIELD_UINT8] = "uint8",
        [VM_FIELD_UINT16] = "uint16", [VM_FIELD_UINT32] = "uint32",
        [VM_FIELD_UINT64] = "uint64", [VM_FIELD_INT32] = "int",
        [VM_FIELD_SIZE] = "size",     [VM_FIELD_STRING] = "str",
        [VM_FIELD_LINK] = "str",      [VM_FIELD_UINT16_LIST] = "[uint16]",
    };
    g_autofree char *values = NULL;
    char *name;

    if (field->kind != VM_FIELD_ENUM) {
        return g_strdup(names[field->kind]);
    }
    name = g_strdup_printf("%s-%s", owner, field->name);
    values = g_strjoinv(", ", (char **)field->names);
    add_type(all, name, QMP_ENUM, values, field->doc);
    return name;
}

static void describe_type(GType type, gpointer opaque)
{
    ObjectTypes *all = opaque;
    const char *name = g_type_name(type);
    g_autoptr(GString) members = g_string_new(NULL);
    g_autofree char *properties = g_strdup_printf("%s-properties", name);
    g_autofree char *variant = g_strdup_printf("%s=%s", name, properties);
    const GPtrArray *fields;
    VmObjectClass *class;

    if (G_TYPE_IS_ABSTRACT(type)) {
        return;
    }
    class = g_type_class_ref(type);
    fields = vm_type_fields(type);
    for (guint i = 0; class->complete && i < fields->len; i++) {
        const VmField *field = g_ptr_array_index(fields, i);
        gboolean settable = !(field->flags & VM_FIELD_READ_ONLY) && (!field->get || field->set);

        if (settable) {
            g_autofree char *use = field_type(all, name, field);
            g_autofree char *member = g_strdup_printf(
                "%s%s:%s", field->flags & VM_FIELD_REQUIRED ? "" : "*", field->name, use);

            append_item(members, member);
        }
    }
    if (class->complete) {
        append_item(all->names, name);
        append_item(all->variants, variant);
        add_type(all, properties, QMP_OBJECT, members->str, class->description);
    }
    g_type_class_unref(class);
}

void qmp_object_types_register(void)
{
    static gboolean done;
    const QmpType end = {.name = NULL};
    ObjectTypes all = {
        .types = g_array_new(FALSE, FALSE, sizeof(QmpType)),
        .names = g_string_new(NULL),
        .variants = g_string_new(NULL),
    };
    g_autofree char *members = NULL;

    if (!done) {
        done = TRUE;
        vm_types_foreach(describe_type, &all);
        members = g_strdup_printf("qom-type:ObjectType, id:str | qom-type | %s", all.variants->str);
        add_type(&all, "ObjectType", QMP_ENUM, all.names->str, "The types that users can create.");
        add_type(&all, "ObjectOptions", QMP_UNION, members,
                 "The type and id of an object, and the properties that its type has.");
        g_array_append_val(all.types, end);
        qmp_register(NULL, NULL, (const QmpType *)(gpointer)g_array_steal(all.types, NULL));
    }
    g_array_unref(all.types);
    g_string_free(all.names, TRUE);
    g_string_free(all.variants, TRUE);
}
