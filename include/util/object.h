/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object model: GObject types whose properties come from one field table
 * each, and a composition tree with paths as management clients know them.
 *
 * Every machine, device, memory backend, character device and network backend
 * is a VmObject.  Its GType name is the name users write ("pc-dimm"); the
 * command line, QMP and help texts read types and properties by GObject's own
 * introspection.
 *
 * Everything here belongs under the VM lock (system/vm-lock.h) unless it says
 * otherwise.
 */
#ifndef UTIL_OBJECT_H
#define UTIL_OBJECT_H

#include <glib-object.h>
#include <json-c/json.h>
#include <stdint.h>

typedef struct VmObject VmObject;
typedef struct VmObjectClass VmObjectClass;
typedef struct VmField VmField;

/*
 * Declares PREFIX_get_type() and the checked cast MACRO() for a type whose
 * instance struct is Type.  Structs are written out by hand: the first member
 * of the instance struct is the parent's instance struct.
 */
#define VM_DECLARE_TYPE(Type, prefix, MACRO)                                                       \
    GType prefix##_get_type(void);                                                                 \
    G_GNUC_UNUSED static inline Type *MACRO(gpointer object)                                       \
    {                                                                                              \
        return G_TYPE_CHECK_INSTANCE_CAST(object, prefix##_get_type(), Type);                      \
    }

/*
 * Defines PREFIX_get_type() and makes the type known to object-add,
 * device_add and the help texts.  @type_name is the user's name; @parent_type
 * an expression of type GType; @flags 0 or G_TYPE_FLAG_ABSTRACT.  The file
 * defines PREFIX_class_init(Class *class) and PREFIX_init(Type *object).
 */
#define VM_DEFINE_TYPE(type_name, Type, Class, prefix, parent_type, flags)                         \
    static void prefix##_class_init(Class *class);                                                 \
    static void prefix##_init(Type *object);                                                       \
    static void prefix##_class_init_trampoline(gpointer class, gpointer data G_GNUC_UNUSED)        \
    {                                                                                              \
        prefix##_class_init(class);                                                                \
    }                                                                                              \
    static void prefix##_init_trampoline(GTypeInstance *object, gpointer class G_GNUC_UNUSED)      \
    {                                                                                              \
        prefix##_init((Type *)object);                                                             \
    }                                                                                              \
    GType prefix##_get_type(void)                                                                  \
    {                                                                                              \
        static gsize once;                                                                         \
        if (g_once_init_enter(&once)) {                                                            \
            GType type = g_type_register_static_simple(                                            \
                parent_type, type_name, sizeof(Class), prefix##_class_init_trampoline,             \
                sizeof(Type), prefix##_init_trampoline, flags);                                    \
            g_once_init_leave(&once, type);                                                        \
        }                                                                                          \
        return once;                                                                               \
    }                                                                                              \
    __attribute__((constructor)) static void prefix##_register(void)                               \
    {                                                                                              \
        vm_types_add(prefix##_get_type);                                                           \
    }                                                                                              \
    struct prefix##_swallow_semicolon

/* What a property holds, and the C type of the member behind it. */
typedef enum {
    VM_FIELD_BOOL,        /* gboolean */
    VM_FIELD_UINT8,       /* uint8_t */
    VM_FIELD_UINT16,      /* uint16_t */
    VM_FIELD_UINT32,      /* uint32_t */
    VM_FIELD_UINT64,      /* uint64_t */
    VM_FIELD_INT32,       /* int32_t */
    VM_FIELD_SIZE,        /* uint64_t in bytes; text may carry a suffix */
    VM_FIELD_STRING,      /* char *, owned, NULL when unset */
    VM_FIELD_ENUM,        /* int: index into @names */
    VM_FIELD_LINK,        /* VmObject *, a reference; set by id or path */
    VM_FIELD_UINT16_LIST, /* GArray * of uint16_t, NULL when unset; text "0-3,5" or repeated keys */
} VmFieldKind;

enum {
    VM_FIELD_READ_ONLY = 1 << 0, /* qom-get only */
    VM_FIELD_LIVE = 1 << 1,      /* may be set after the object was completed or realized */
    VM_FIELD_REQUIRED = 1 << 2,  /* must be given: checked by vm_object_check_required() */
};

/* One property.  Tables are static, end with an entry whose name is NULL. */
struct VmField {
    const char *name;
    const char *doc; /* one phrase, no full stop, as help shows it */
    VmFieldKind kind;
    gsize offset;          /* of the member in the instance struct; unused with @get */
    guint64 default_value; /* numbers, booleans, enums (index) */
    guint64 minimum;       /* numbers; both 0: the whole range of the kind */
    guint64 maximum;
    const char *const *names; /* VM_FIELD_ENUM: NULL-terminated */
    GType (*link_type)(void); /* VM_FIELD_LINK */
    const char *type_name;    /* how help spells the type; NULL: by kind */
    guint flags;
    /* Computes the value instead of reading a member (implies read-only unless @set). New
     * reference. */
    json_object *(*get)(VmObject *object);
    /* Called with the new value already converted, instead of storing it. */
    gboolean (*set)(VmObject *object, json_object *value, GError **error);
    /* Called after the member was stored; FALSE with @error restores the old value. */
    gboolean (*changed)(VmObject *object, GError **error);
};

struct VmObject {
    GObject parent;
    char *id;              /* as the user gave it, or NULL */
    VmObject *tree_parent; /* borrowed; NULL outside the tree */
    char *tree_name;       /* name under tree_parent */
    GHashTable *children;  /* private: name -> VmObject, references; NULL while empty */
    GQueue child_order;    /* private: in order of addition; vm_object_foreach_child() */
    GList tree_link;       /* private: this object in tree_parent's child_order */
    guint users;           /* see vm_object_use() */
    gboolean frozen;       /* completed or realized: only VM_FIELD_LIVE can be set */
};

struct VmObjectClass {
    GObjectClass parent;
    const char *description; /* a phrase for -object help and -device help */
    const char *noun;        /* what messages call it: "object", "device", "chardev"; inherited */
    /*
     * object-add and -object can create a type for which this is set; called
     * once all properties are set.  Must not wait for a peer.
     */
    gboolean (*complete)(VmObject *object, GError **error);
    /* TRUE if users can add one of this class while the machine runs; for completion.  NULL: where
     * complete is set. */
    gboolean (*can_add)(const VmObjectClass *class);
    /* FALSE with @error if object-del must refuse beyond vm_object_use(). May be NULL. */
    gboolean (*can_delete)(VmObject *object, GError **error);
};

#define VM_TYPE_OBJECT (vm_object_get_type())
VM_DECLARE_TYPE(VmObject, vm_object, VM_OBJECT)
#define VM_OBJECT_GET_CLASS(object)                                                                \
    (G_TYPE_INSTANCE_GET_CLASS((object), VM_TYPE_OBJECT, VmObjectClass))
#define VM_OBJECT_CLASS(class) ((VmObjectClass *)(class))
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmObject, g_object_unref)

/* --- types --- */

/* Called by VM_DEFINE_TYPE before main(). */
void vm_types_add(GType (*get_type)(void));

/*
 * The type a user named, or 0.  Abstract types are found too.  "Name" is any
 * registered VmObject type, none else of GObject's.
 */
GType vm_type_find(const char *name);

/* Calls @visit for each VmObject type, parents first, then by name. */
void vm_types_foreach(void (*visit)(GType type, gpointer opaque), gpointer opaque);

/*
 * Installs the properties of @fields in @class; called from class_init.
 * @fields must be static.  Getting, setting, defaults, ranges and release of
 * owned members are done by VmObject.
 */
void vm_object_class_install_fields(gpointer class, const VmField *fields);

/*
 * The fields of @type, inherited ones included, base types first, each name once.
 * VmField pointers; borrowed for ever.
 */
const GPtrArray *vm_type_fields(GType type);

/* The field behind a property, or NULL for a property that has none. Any thread. */
const VmField *vm_field_of(GParamSpec *property);

/* How help and device-list-properties spell the type: "uint32", "size", "str", "bool", "link<T>".
 */
const char *vm_field_type_name(const VmField *field);

/* The value that a new object has, without -global; NULL where none is worth telling (strings,
 * links, lists, computed values).  New reference. */
json_object *vm_field_default(const VmField *field);

/* TYPE,help: the properties of @type that can be set, to standard output. Any thread. */
void vm_type_print_help(GType type);

/* --- properties --- */

/* How messages name @object: "device 'd0'", or its type name without an id.  Caller frees. */
char *vm_object_label(VmObject *object);

/*
 * Sets @name from @value: a JSON value of the fitting type, or a JSON string
 * that spells it as on the command line.  Errors: unknown property, wrong
 * type, out of range, read-only, frozen; the message begins with the object's
 * id or type name and quotes property and value.
 */
gboolean vm_object_set_json(VmObject *object, const char *name, json_object *value, GError **error);
gboolean vm_object_set_string(VmObject *object, const char *name, const char *value,
                              GError **error);

/* Sets every member of @properties (a JSON object), in order; stops at the first error. */
gboolean vm_object_set_all(VmObject *object, json_object *properties, GError **error);

/* A new reference to the value of @name; NULL with @error if there is no such property.
 * An unset string is the empty string, an unset link too. */
json_object *vm_object_get_json(VmObject *object, const char *name, GError **error);

/*
 * Fails naming the first VM_FIELD_REQUIRED property that is unset: an empty
 * string, link or list, a number that is 0.
 */
gboolean vm_object_check_required(VmObject *object, GError **error);

/* --- defaults of the whole program (-global) --- */

/* Remembers "type.property=value" for objects made later (subtypes included). Main thread. */
void vm_globals_add(const char *type, const char *property, const char *value);

/* Applies them; called by vm_object_new(). */
gboolean vm_globals_apply(VmObject *object, GError **error);

/* Warns (report.h) about each -global whose type does not exist or was never used. */
void vm_globals_report_unused(void);

/* --- life and tree --- */

/*
 * Creates an object of @type with @id (may be NULL; checked by id_is_valid())
 * and applies the globals.  Not yet in the tree.
 */
VmObject *vm_object_new(GType type, const char *id, GError **error);

/* The root of the tree; "/" as a path.  Lives until vm_object_tree_clear(). */
VmObject *vm_object_root(void);

/* At exit, when nobody uses an object any more: lets go of all that is still in the tree, last
 * first, containers too. */
void vm_object_tree_clear(void);

/* The container at @path below the root ("objects", "machine/peripheral"), made when missing.
 * Borrowed. */
VmObject *vm_object_container(const char *path);

/* Adds @child (a reference is taken) under @name; FALSE with @error if the name is taken. */
gboolean vm_object_add_child(VmObject *parent, const char *name, VmObject *child, GError **error);

/* The child @name of @parent, or NULL. Constant time. Borrowed. */
VmObject *vm_object_child(VmObject *parent, const char *name);

/* Calls @visit for each child in order of addition; @visit may unparent the child it is given. */
void vm_object_foreach_child(VmObject *parent, void (*visit)(VmObject *child, gpointer opaque),
                             gpointer opaque);

/* Removes @child from its parent and drops the tree's reference; nothing outside the tree. */
void vm_object_unparent(VmObject *child);

/* "/machine/peripheral/d0"; NULL outside the tree.  Caller frees. */
char *vm_object_path(VmObject *object);

/*
 * Resolves an absolute path, or a partial one such as an id when it is
 * unambiguous.  Borrowed; NULL with @error (class DeviceNotFound).
 */
VmObject *vm_object_resolve(const char *path, GError **error);

/* The object with @id in container @container, or NULL. Constant time. Borrowed. */
VmObject *vm_object_find(const char *container, const char *id);

/*
 * Counts those who need @object to stay (a DIMM its backend).  object-del
 * refuses while the count is not 0: "object 'mem1' is in use, can not be deleted".
 */
void vm_object_use(VmObject *object);
void vm_object_release(VmObject *object);

/* --- objects that users create --- */

/*
 * -object and object-add: takes "qom-type" and "id" out of @options (a JSON object that the
 * function may change), creates, sets the rest, completes, and puts it under /objects/ID.
 * On failure nothing remains.
 */
gboolean vm_object_create(json_object *options, GError **error);

/* object-del. */
gboolean vm_object_delete(const char *id, GError **error);

#endif
