/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option strings: "driver,key=value,flag" or JSON, into one JSON object. */
#include "util/options.h"
#include "util/error.h"
#include "util/json.h"
#include "util/size.h"

#include <string.h>

/* Reads up to a single comma, which it steps over; ",," is one comma of the value. */
static char *read_value(const char **text)
{
    g_autoptr(GString) value = g_string_new(NULL);
    const char *at = *text;

    for (; *at; at++) {
        if (*at == ',') {
            at++;
            if (*at != ',') {
                break;
            }
        }
        g_string_append_c(value, *at);
    }
    *text = at;
    return g_string_free(g_steal_pointer(&value), FALSE);
}

/* A later one wins, unless the key makes a list. */
static void store(json_object *options, const char *key, const char *value,
                  const char *const *list_keys)
{
    json_object *text = json_object_new_string(value), *old, *list;

    if (!list_keys || !g_strv_contains(list_keys, key) ||
        !json_object_object_get_ex(options, key, &old)) {
        json_object_object_add(options, key, text);
        return;
    }
    if (json_object_is_type(old, json_type_array)) {
        json_object_array_add(old, text);
        return;
    }
    list = json_object_new_array();
    json_object_array_add(list, json_object_get(old));
    json_object_array_add(list, text);
    json_object_object_add(options, key, list);
}

/* One item at *@text, which is not empty. */
static gboolean parse_item(const char **text, const char *implied_key, json_object *options,
                           const char *const *list_keys, GError **error)
{
    gsize length = strcspn(*text, "=,");
    g_autofree char *key = g_strndup(*text, length);

    if ((*text)[length] == '=') {
        *text += length + 1;
    } else if (implied_key) {
        g_free(key);
        key = g_strdup(implied_key);
    } else {
        gboolean negated = g_str_has_prefix(key, "no") && length > 2;
        *text += length + ((*text)[length] == ',');
        if (length) {
            store(options, negated ? key + 2 : key, negated ? "off" : "on", list_keys);
            return TRUE;
        }
    }
    if (!*key) {
        vm_error_set(error, "an item is empty, expected KEY=VALUE");
        return FALSE;
    }
    g_autofree char *value = read_value(text);
    store(options, key, value, list_keys);
    return TRUE;
}

static json_object *parse_json(const char *text, GError **error)
{
    g_autoptr(json_object) options = json_parse(text, error);

    if (options && !json_object_is_type(options, json_type_object)) {
        vm_error_set(error, "'%s': expected a JSON object", text);
        return NULL;
    }
    return g_steal_pointer(&options);
}

json_object *options_parse(const char *text, const char *implied_key, const char *const *list_keys,
                           GError **error)
{
    const char *whole = text;

    if (!g_utf8_validate(text, -1, NULL)) {
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        vm_error_set(error, "'%s': it is not UTF-8", valid);
        return NULL;
    }
    if (*text == '{') {
        return parse_json(text, error);
    }
    g_autoptr(json_object) options = json_object_new_object();
    while (*text) {
        if (!parse_item(&text, text == whole ? implied_key : NULL, options, list_keys, error)) {
            g_prefix_error(error, "'%s': ", whole);
            return NULL;
        }
    }
    return g_steal_pointer(&options);
}

const char *options_get(json_object *options, const char *key)
{
    json_object *value;

    return json_object_object_get_ex(options, key, &value) ? json_object_get_string(value) : NULL;
}

char *options_take(json_object *options, const char *key)
{
    char *value = g_strdup(options_get(options, key));

    json_object_object_del(options, key);
    return value;
}

gboolean options_take_bool(json_object *options, const char *option, const char *key,
                           gboolean *value, GError **error)
{
    g_autofree char *text = options_take(options, key);

    if (text && !bool_parse(text, value, error)) {
        g_prefix_error(error, "%s: parameter '%s': ", option, key);
        return FALSE;
    }
    return TRUE;
}

gboolean options_take_number(json_object *options, const char *option, const char *key,
                             uint64_t minimum, uint64_t maximum, uint64_t *value, GError **error)
{
    g_autofree char *text = options_take(options, key);

    if (text && !number_parse(text, minimum, maximum, value, error)) {
        g_prefix_error(error, "%s: parameter '%s': ", option, key);
        return FALSE;
    }
    return TRUE;
}

gboolean options_take_size(json_object *options, const char *option, const char *key,
                           char default_suffix, uint64_t *bytes, GError **error)
{
    g_autofree char *text = options_take(options, key);

    if (text && !size_parse(text, default_suffix, bytes, error)) {
        g_prefix_error(error, "%s: parameter '%s': ", option, key);
        return FALSE;
    }
    return TRUE;
}

gboolean options_check_empty(json_object *options, const char *option, const char *known,
                             GError **error)
{
    json_object_object_foreach(options, key, value)
    {
        vm_error_set(error, "%s: unknown parameter '%s'%s%s", option, key,
                     known ? "; known are " : "", known ? known : "");
        return FALSE;
    }
    return TRUE;
}
