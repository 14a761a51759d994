/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the word at the cursor may become. */
#include "hmp-internal.h"

#include "chardev/chardev.h"
#include "util/object.h"
#include "util/trace.h"

#include <string.h>

/* --- sets of words --- */

void hmp_words_add(HmpWords *words, const char *word)
{
    if (g_str_has_prefix(word, words->prefix)) {
        g_ptr_array_add(words->words, g_strdup(word));
    }
}

static gint compare_words(gconstpointer left, gconstpointer right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void sort_words(GPtrArray *words)
{
    g_ptr_array_sort(words, compare_words);
    for (guint i = 1; i < words->len;) {
        if (!strcmp(words->pdata[i - 1], words->pdata[i])) {
            g_ptr_array_remove_index(words, i);
        } else {
            i++;
        }
    }
}

/* --- names --- */

static void add_id(VmObject *object, gpointer words)
{
    if (object->id) {
        hmp_words_add(words, object->id);
    }
}

static void add_container(HmpWords *words, const char *path)
{
    vm_object_foreach_child(vm_object_container(path), add_id, words);
}

void hmp_complete_device(HmpWords *words)
{
    add_container(words, "machine/peripheral");
}

void hmp_complete_object(HmpWords *words)
{
    add_container(words, "objects");
}

void hmp_complete_chardev(HmpWords *words)
{
    add_container(words, "chardevs");
}

void hmp_complete_switch(HmpWords *words)
{
    hmp_words_add(words, "on");
    hmp_words_add(words, "off");
}

void hmp_complete_command(HmpWords *words)
{
    g_autoptr(GPtrArray) all = hmp_commands();

    for (guint i = 0; i < all->len; i++) {
        const HmpCommand *command = all->pdata[i];
        if (!strchr(command->name, ' ')) {
            hmp_words_add(words, command->name);
        }
    }
}

typedef struct PathWalk {
    HmpWords *words;
    const char *parent; /* "/machine/" */
} PathWalk;

static void add_path(VmObject *child, gpointer opaque)
{
    PathWalk *walk = opaque;
    gboolean leaf = !child->children || g_hash_table_size(child->children) == 0;
    g_autofree char *path = g_strconcat(walk->parent, child->tree_name, leaf ? "" : "/", NULL);

    hmp_words_add(walk->words, path);
}

void hmp_complete_path(HmpWords *words)
{
    const char *slash = strrchr(words->prefix, '/');
    g_autofree char *parent =
        slash ? g_strndup(words->prefix, (gsize)(slash - words->prefix) + 1) : g_strdup("/");
    g_autofree char *path = g_strndup(parent, MAX(strlen(parent), 2) - 1);
    VmObject *object = strlen(parent) > 1 ? vm_object_resolve(path, NULL) : vm_object_root();
    PathWalk walk = {words, parent};

    if (object) {
        vm_object_foreach_child(object, add_path, &walk);
    }
}

static void add_event(TraceEvent *event, gpointer words)
{
    hmp_words_add(words, event->name);
}

void hmp_complete_trace_event(HmpWords *words)
{
    trace_foreach(add_event, words);
}

/* --- TYPE,key=value,... --- */

typedef struct TypeWalk {
    HmpWords *words;
    const char *base;   /* type that they derive from */
    const char *prefix; /* of the type's name that users do not write */
} TypeWalk;

static void add_type(GType type, gpointer opaque)
{
    TypeWalk *walk = opaque;
    const char *name = g_type_name(type);
    GType base = vm_type_find(walk->base);

    if (G_TYPE_IS_ABSTRACT(type) || !g_type_is_a(type, base) ||
        (g_type_is_a(type, TYPE_CHARDEV) && !chardev_is_backend(type))) {
        return;
    }
    VmObjectClass *class = g_type_class_ref(type);
    if (strcmp(walk->base, "object") == 0 ? class->complete != NULL
                                          : !class->can_add || class->can_add(class)) {
        /* object_add creates what can be completed, which a device cannot. */
        hmp_words_add(walk->words, name + strlen(walk->prefix));
    }
    g_type_class_unref(class);
}

/* What may stand behind KEY=. */
static void add_values(HmpWords *words, GType type, const char *key)
{
    const GPtrArray *fields = vm_type_fields(type);

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if (strcmp(field->name, key) != 0) {
            continue;
        }
        if (field->kind == VM_FIELD_BOOL) {
            hmp_complete_switch(words);
        }
        for (guint j = 0; field->names && field->names[j]; j++) {
            hmp_words_add(words, field->names[j]);
        }
    }
    if (!strcmp(key, "memdev")) {
        hmp_complete_object(words);
    } else if (!strcmp(key, "chardev")) {
        hmp_complete_chardev(words);
    }
}

static void add_keys(HmpWords *words, GType type)
{
    const GPtrArray *fields = vm_type_fields(type);

    hmp_words_add(words, "id=");
    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if (!(field->flags & VM_FIELD_READ_ONLY)) {
            g_autofree char *key = g_strconcat(field->name, "=", NULL);
            hmp_words_add(words, key);
        }
    }
}

/* The words begin with all that stands before the last comma or its '='. */
static void complete_part(HmpWords *words, const char *type_prefix)
{
    const char *comma = strchr(words->prefix, ',');
    const char *part = strrchr(words->prefix, ',') + 1;
    const char *equals = strchr(part, '=');
    const char *typed = equals ? equals + 1 : part;
    g_autofree char *name = g_strndup(words->prefix, (gsize)(comma - words->prefix));
    g_autofree char *type_name = g_strconcat(type_prefix, name, NULL);
    g_autofree char *head = g_strndup(words->prefix, (gsize)(typed - words->prefix));
    g_autofree char *key = equals ? g_strndup(part, (gsize)(equals - part)) : NULL;
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    HmpWords inner = {typed, found, FALSE};
    GType type = vm_type_find(type_name);

    if (!type) {
        return;
    }
    if (key) {
        add_values(&inner, type, key);
    } else {
        add_keys(&inner, type);
    }
    for (guint i = 0; i < found->len; i++) {
        g_autofree char *word = g_strconcat(head, found->pdata[i], NULL);
        hmp_words_add(words, word);
    }
}

static void complete_options(HmpWords *words, const char *base, const char *prefix)
{
    TypeWalk walk = {words, base, prefix};

    words->open = TRUE;
    if (strchr(words->prefix, ',')) {
        complete_part(words, prefix);
    } else {
        vm_types_foreach(add_type, &walk);
    }
}

void hmp_complete_device_options(HmpWords *words)
{
    complete_options(words, "device", "");
}

void hmp_complete_object_options(HmpWords *words)
{
    complete_options(words, "object", "");
}

void hmp_complete_chardev_options(HmpWords *words)
{
    complete_options(words, "chardev", "chardev-");
}

/* --- a line --- */

static void add_subcommands(HmpWords *words)
{
    g_autoptr(GPtrArray) all = hmp_commands();

    for (guint i = 0; i < all->len; i++) {
        const char *name = ((const HmpCommand *)all->pdata[i])->name;
        if (g_str_has_prefix(name, "info ")) {
            hmp_words_add(words, name + strlen("info "));
        }
    }
}

/* @count words stand before the one at the cursor. */
static void add_words(HmpWords *words, const GPtrArray *typed, guint count)
{
    const char *first = count > 0 ? typed->pdata[0] : "";
    gboolean info = !strcmp(first, "info");
    guint skip = info ? 2 : 1;

    if (count == 0) {
        hmp_complete_command(words);
        return;
    }
    if (info && count == 1) {
        add_subcommands(words);
        return;
    }
    g_autofree char *name =
        info ? g_strconcat("info ", (char *)typed->pdata[1], NULL) : g_strdup(first);
    const HmpCommand *command = hmp_command_find(name);
    for (guint i = 0; command && i < HMP_ARGUMENTS_MAX && command->arguments[i].name; i++) {
        if (i == count - skip && command->arguments[i].complete) {
            command->arguments[i].complete(words);
        }
    }
}

GPtrArray *hmp_complete(const char *line, gsize *length, gboolean *open)
{
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) typed = hmp_split(line, NULL, NULL);
    gsize size = strlen(line);
    gboolean fresh = size == 0 || line[size - 1] == ' ' || line[size - 1] == '\t';

    *length = 0;
    *open = FALSE;
    if (!typed) {
        return found; /* within a quote */
    }
    guint count = typed->len - (fresh ? 0 : 1);
    HmpWords words = {fresh ? "" : typed->pdata[count], found, FALSE};

    add_words(&words, typed, count);
    *length = strlen(words.prefix);
    *open = words.open;
    sort_words(found);
    return found;
}
