/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -smbios: one table of the types, their keys and what each may hold. */
#include "smbios-options.h"

#include "util/error.h"
#include "util/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEYS_MAXIMUM 8

typedef enum { TEXT, NUMBER_16, SWITCH, RELEASE, UUID } Kind;

typedef struct Key {
    const char *name;
    Kind kind;
} Key;

static const struct {
    guint type;
    Key keys[KEYS_MAXIMUM]; /* up to one without a name */
} types[] = {
    {0,
     {{"vendor", TEXT}, {"version", TEXT}, {"date", TEXT}, {"release", RELEASE}, {"uefi", SWITCH}}},
    {1,
     {{"manufacturer", TEXT},
      {"product", TEXT},
      {"version", TEXT},
      {"serial", TEXT},
      {"uuid", UUID},
      {"sku", TEXT},
      {"family", TEXT}}},
    {2,
     {{"manufacturer", TEXT},
      {"product", TEXT},
      {"version", TEXT},
      {"serial", TEXT},
      {"asset", TEXT},
      {"location", TEXT}}},
    {3,
     {{"manufacturer", TEXT}, {"version", TEXT}, {"serial", TEXT}, {"asset", TEXT}, {"sku", TEXT}}},
    {4,
     {{"sock_pfx", TEXT},
      {"manufacturer", TEXT},
      {"version", TEXT},
      {"serial", TEXT},
      {"asset", TEXT},
      {"part", TEXT},
      {"max-speed", NUMBER_16},
      {"current-speed", NUMBER_16}}},
    {11, {{"value", TEXT}}},
    {17,
     {{"loc_pfx", TEXT},
      {"bank", TEXT},
      {"manufacturer", TEXT},
      {"serial", TEXT},
      {"asset", TEXT},
      {"part", TEXT},
      {"speed", NUMBER_16}}},
};

static const Key *keys_of(guint64 type)
{
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].type == type) {
            return types[i].keys;
        }
    }
    return NULL;
}

static const Key *find_key(const Key *keys, const char *name)
{
    for (guint i = 0; i < KEYS_MAXIMUM && keys[i].name; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

static char *known_keys(const Key *keys)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < KEYS_MAXIMUM && keys[i].name; i++) {
        g_string_append_printf(text, "%s%s", i ? ", " : "", keys[i].name);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- checks --- */

/* NULL if @text is what @kind may hold, or what was expected. */
static const char *check_value(Kind kind, const char *text)
{
    guint64 number;
    unsigned major, minor;
    int end = 0;

    switch (kind) {
    case NUMBER_16:
        return g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &number, NULL)
                   ? NULL
                   : "a number up to 65535";
    case SWITCH:
        return strcmp(text, "off") == 0 ? NULL : "off: the guest is not started by UEFI";
    case RELEASE:
        return sscanf(text, "%3u.%3u%n", &major, &minor, &end) == 2 && text[end] == '\0' &&
                       major <= UINT8_MAX && minor <= UINT8_MAX
                   ? NULL
                   : "two numbers up to 255 such as 1.2";
    case UUID:
        return g_uuid_string_is_valid(text) ? NULL : "a UUID";
    default:
        return NULL;
    }
}

static gboolean check_member(const char *type, const Key *keys, const char *name, const char *text,
                             GError **error)
{
    const Key *key = find_key(keys, name);
    const char *expected;

    if (!key) {
        g_autofree char *known = known_keys(keys);
        vm_error_set(error, "-smbios type=%s: unknown parameter '%s'; known are %s", type, name,
                     known);
        return FALSE;
    }
    expected = check_value(key->kind, text);
    if (expected) {
        vm_error_set(error, "-smbios type=%s: %s=%s: expected %s", type, name, text, expected);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_one(json_object *option, GError **error)
{
    const char *type = options_get(option, "type");
    const Key *keys;
    guint64 number;

    if (json_object_object_get_ex(option, "file", NULL)) {
        vm_error_set(error,
                     "-smbios file=%s: structures are not read from files; use type= and "
                     "its keys",
                     options_get(option, "file"));
        return FALSE;
    }
    if (!type || !g_ascii_string_to_unsigned(type, 10, 0, UINT8_MAX, &number, NULL) ||
        !(keys = keys_of(number))) {
        vm_error_set(error, "-smbios type=%s: expected one of 0, 1, 2, 3, 4, 11, 17",
                     type ? type : "");
        return FALSE;
    }
    json_object_object_foreach(option, name, value)
    {
        gboolean list = json_object_is_type(value, json_type_array);
        for (size_t i = 0; i < (list ? json_object_array_length(value) : 1); i++) {
            json_object *element = list ? json_object_array_get_idx(value, i) : value;
            if (strcmp(name, "type") != 0 &&
                !check_member(type, keys, name, json_object_get_string(element), error)) {
                return FALSE;
            }
        }
    }
    return TRUE;
}

gboolean smbios_options_check(json_object *options, GError **error)
{
    for (size_t i = 0; options && i < json_object_array_length(options); i++) {
        if (!check_one(json_object_array_get_idx(options, i), error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* --- values --- */

/* The -smbios at @index if it is of @type. */
static json_object *option_of_type(json_object *options, size_t index, guint type)
{
    json_object *option = json_object_array_get_idx(options, index);

    return (guint)g_ascii_strtoull(options_get(option, "type"), NULL, 10) == type ? option : NULL;
}

static size_t count_of(json_object *options)
{
    return options ? json_object_array_length(options) : 0;
}

gboolean smbios_option_has(json_object *options, guint type)
{
    for (size_t i = 0; i < count_of(options); i++) {
        if (option_of_type(options, i, type)) {
            return TRUE;
        }
    }
    return FALSE;
}

const char *smbios_option(json_object *options, guint type, const char *key, const char *otherwise)
{
    for (size_t i = count_of(options); i > 0; i--) {
        json_object *option = option_of_type(options, i - 1, type);
        const char *text = option ? options_get(option, key) : NULL;
        if (text) {
            return text;
        }
    }
    return otherwise;
}

uint64_t smbios_option_number(json_object *options, guint type, const char *key, uint64_t otherwise)
{
    const char *text = smbios_option(options, type, key, NULL);

    return text ? g_ascii_strtoull(text, NULL, 10) : otherwise;
}

void smbios_option_foreach(json_object *options, guint type, const char *key,
                           void (*visit)(const char *value, gpointer opaque), gpointer opaque)
{
    for (size_t i = 0; i < count_of(options); i++) {
        json_object *option = option_of_type(options, i, type);
        json_object *value = option ? json_object_object_get(option, key) : NULL;
        gboolean list = json_object_is_type(value, json_type_array);
        for (size_t k = 0; value && k < (list ? json_object_array_length(value) : 1); k++) {
            visit(json_object_get_string(list ? json_object_array_get_idx(value, k) : value),
                  opaque);
        }
    }
}
