/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that -set may change: read first, used later. */
#include "setup-internal.h"

#include "util/error.h"
#include "util/options.h"

static const char *const list_keys[] = {"host-nodes", NULL};

typedef struct OptionGroup {
    const char *name; /* of the option, and the group that -set names */
    const char *implied_key;
    GArray *entries; /* of SetupEntry */
} OptionGroup;

static OptionGroup groups[] = {
    {"chardev", "backend", NULL},
    {"netdev", "type", NULL},
    {"object", "qom-type", NULL},
    {"device", "driver", NULL},
};

static void clear_entry(gpointer entry)
{
    json_object_put(((SetupEntry *)entry)->options);
}

static gboolean read_group(OptionGroup *group, const GArray *items, GError **error)
{
    group->entries = g_array_new(FALSE, FALSE, sizeof(SetupEntry));
    g_array_set_clear_func(group->entries, clear_entry);
    FOR_EACH_ITEM(items, item, group->name)
    {
        SetupEntry entry = {
            .text = item->value,
            .options = options_parse(item->value, group->implied_key, list_keys, error),
        };
        if (!entry.options) {
            g_prefix_error(error, "-%s %s: ", group->name, item->value);
            return FALSE;
        }
        g_array_append_val(group->entries, entry);
    }
    return TRUE;
}

static json_object *find_entry(const OptionGroup *group, const char *id)
{
    for (guint i = 0; i < group->entries->len; i++) {
        json_object *options = g_array_index(group->entries, SetupEntry, i).options;
        if (!g_strcmp0(options_get(options, "id"), id)) {
            return options;
        }
    }
    return NULL;
}

static gboolean apply_set(const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ".", 3);
    char *equals = g_strv_length(words) == 3 ? strchr(words[2], '=') : NULL;

    if (!equals || equals == words[2]) {
        vm_error_set(error, "-set %s: needs GROUP.ID.KEY=VALUE", value);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (strcmp(groups[i].name, words[0])) {
            continue;
        }
        json_object *options = find_entry(&groups[i], words[1]);
        if (!options) {
            vm_error_set(error, "-set %s: there is no -%s with id '%s'", value, words[0], words[1]);
            return FALSE;
        }
        *equals = '\0';
        json_add_string(options, words[2], equals + 1);
        return TRUE;
    }
    vm_error_set(error, "-set %s: unknown group '%s'; known are chardev, netdev, object, device",
                 value, words[0]);
    return FALSE;
}

gboolean setup_groups(const GArray *items, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!read_group(&groups[i], items, error)) {
            return FALSE;
        }
    }
    return setup_each(items, "set", apply_set, error);
}

const GArray *setup_group(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!strcmp(groups[i].name, name)) {
            return groups[i].entries;
        }
    }
    return NULL;
}

void setup_groups_clear(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_clear_pointer(&groups[i].entries, g_array_unref);
    }
}
