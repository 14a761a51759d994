/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON reader: json-c's incremental parser, fed with what the scanner has
 * seen first, so that neither size nor nesting nor bad bytes get beyond bounds.
 */
#include "util/json.h"
#include "util/error.h"
#include "util/json-scanner.h"

#include <string.h>

#define VALUE_SIZE_MAX (64 * 1024 * 1024)
#define TOKENER_KEPT (1024 * 1024) /* its buffer never shrinks: made anew after larger values */
#define SLICE_SIZE 65536           /* scanned, then parsed, at a time */

struct JsonReader {
    json_tokener *tokener;
    JsonScanner scanner;
    gsize size;        /* bytes of the value so far */
    gboolean skipping; /* after an error: up to a byte that begins anew */
    gboolean outside;  /* the error was outside of any object or array: the next '{' begins one */
};

static json_tokener *new_tokener(void)
{
    /* json-c counts the value within the innermost bracket as a level too. */
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    return tokener;
}

JsonReader *json_reader_new(void)
{
    JsonReader *reader = g_new0(JsonReader, 1);

    reader->tokener = new_tokener();
    json_scanner_init(&reader->scanner);
    return reader;
}

void json_reader_free(JsonReader *reader)
{
    if (reader) {
        json_tokener_free(reader->tokener);
        json_scanner_clear(&reader->scanner);
        g_free(reader);
    }
}

static void reset(JsonReader *reader)
{
    if (reader->size > TOKENER_KEPT) {
        json_tokener_free(reader->tokener);
        reader->tokener = new_tokener();
    } else {
        json_tokener_reset(reader->tokener);
    }
    json_scanner_reset(&reader->scanner);
    reader->size = 0;
}

/*
 * json-c's own check lets overlong forms and surrogates pass and refuses a character that comes in
 * two pieces; names and strings are checked here instead.
 */
static gboolean strings_are_valid(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_string:
        return g_utf8_validate(json_object_get_string(value), json_object_get_string_len(value),
                               NULL);
    case json_type_array:
        for (gsize i = 0; i < json_object_array_length(value); i++) {
            if (!strings_are_valid(json_object_array_get_idx(value, i))) {
                return FALSE;
            }
        }
        return TRUE;
    case json_type_object: {
        json_object_object_foreach(value, name, member)
        {
            if (!g_utf8_validate(name, -1, NULL) || !strings_are_valid(member)) {
                return FALSE;
            }
        }
        return TRUE;
    }
    default:
        return TRUE;
    }
}

/*
 * Gives json-c @length scanned bytes; FALSE with @error if it refuses them or ends before @end.
 * json_tokener_get_parse_end() is then the number of those that were not wrong.
 */
static gboolean parse(JsonReader *reader, const char *bytes, gsize length, gboolean end,
                      json_object **value, GError **error)
{
    if (!length) {
        return TRUE;
    }
    *value = json_tokener_parse_ex(reader->tokener, bytes, (int)length);
    enum json_tokener_error code = json_tokener_get_error(reader->tokener);
    if (code == json_tokener_success && !end) {
        code = json_tokener_error_parse_unexpected;
    }
    if (code != json_tokener_success && code != json_tokener_continue) {
        vm_error_set(error, "JSON parse error, %s", json_tokener_error_desc(code));
        return FALSE;
    }
    return TRUE;
}

/* A number or literal that is the whole value: json-c gets it, and the byte behind it, at once. */
static void parse_word(JsonReader *reader, json_object **value, GError **error)
{
    g_autofree char *line = g_strconcat(reader->scanner.token->str, "\n", NULL);

    parse(reader, line, strlen(line), TRUE, value, error);
}

/* One step over at most SLICE_SIZE bytes; returns how many it used.  TRUE in *@ended with a value.
 */
static gsize step(JsonReader *reader, const char *bytes, gsize length, gboolean *ended,
                  json_object **value, GError **error)
{
    const GString *text = reader->scanner.text;
    g_autoptr(GError) wrong = NULL;
    gsize used;

    reader->outside = FALSE;
    JsonScanResult result =
        json_scanner_scan(&reader->scanner, bytes, MIN(length, SLICE_SIZE), &used, &wrong);

    reader->size += used;
    *ended = result == JSON_SCAN_END || result == JSON_SCAN_END_WORD;
    if (reader->size > VALUE_SIZE_MAX) {
        vm_error_set(error, "JSON parse error, a value is longer than %d MiB",
                     VALUE_SIZE_MAX >> 20);
    } else if (result == JSON_SCAN_END_WORD) {
        parse_word(reader, value, error);
    } else if (!json_scanner_in_bare_word(&reader->scanner) &&
               !parse(reader, text->str, text->len, result == JSON_SCAN_END, value, error)) {
        /* The scan may have gone on for lines: they are not part of what was wrong. */
        used = json_scanner_source_length(&reader->scanner,
                                          json_tokener_get_parse_end(reader->tokener));
    } else if (wrong) {
        reader->outside = reader->scanner.levels->len == 0;
        g_propagate_error(error, g_steal_pointer(&wrong));
    }
    return used;
}

/* What ends a value: NULL stands for JSON null, which is none of those that anybody expects. */
static void deliver(JsonReader *reader, json_object *value, GError *error,
                    void (*callback)(json_object *value, GError *error, gpointer opaque),
                    gpointer opaque)
{
    if (!error && !value) {
        vm_error_set(&error, "JSON parse error, a value is missing or null");
    } else if (!error && !strings_are_valid(value)) {
        vm_error_set(&error, "JSON parse error, a string is not UTF-8");
    }
    if (error) {
        g_clear_pointer(&value, json_object_put);
    }
    reset(reader);
    callback(value, error, opaque);
}

/*
 * Bytes that no JSON text has, as they are (RFC 8259, 2 and 7; RFC 3629, 1).  With one of them a
 * client says that it begins anew.
 */
static gboolean begins_anew(char byte)
{
    return byte == '\xff' || ((guchar)byte < 0x20 && byte != '\t' && byte != '\r');
}

/* What follows an error, up to where the next value may begin; returns how much it was. */
static gsize skip(JsonReader *reader, const char *bytes, gsize length)
{
    for (gsize used = 0; used < length; used++) {
        if (begins_anew(bytes[used])) {
            reader->skipping = FALSE;
            return used + 1;
        }
        if (reader->outside && bytes[used] == '{') {
            reader->skipping = FALSE;
            return used;
        }
    }
    return length;
}

void json_reader_feed(JsonReader *reader, const char *bytes, gsize length,
                      void (*value)(json_object *value, GError *error, gpointer opaque),
                      gpointer opaque)
{
    while (length) {
        json_object *result = NULL;
        GError *error = NULL;
        gboolean ended = FALSE;
        gsize used;

        if (reader->skipping) {
            used = skip(reader, bytes, length);
        } else {
            used = step(reader, bytes, length, &ended, &result, &error);
            reader->skipping = error != NULL;
            if (error || ended) {
                deliver(reader, result, error, value, opaque);
            } else if (json_scanner_is_idle(&reader->scanner)) {
                reset(reader); /* only white space so far */
            }
        }
        bytes += used;
        length -= used;
    }
}

/* --- one value --- */

typedef struct Single {
    json_object *value;
    GError *error;
    guint count;
} Single;

static void take_single(json_object *value, GError *error, gpointer opaque)
{
    Single *single = opaque;

    if (single->count++ == 0) {
        single->value = value;
        single->error = error;
        return;
    }
    json_object_put(value);
    g_clear_error(&error);
}

json_object *json_parse(const char *text, GError **error)
{
    g_autoptr(JsonReader) reader = json_reader_new();
    Single single = {0};

    json_reader_feed(reader, text, strlen(text), take_single, &single);
    if (!reader->skipping && !single.error) {
        json_reader_feed(reader, "\n", 1, take_single, &single);
    }
    gboolean unfinished = !json_scanner_is_idle(&reader->scanner);
    if (single.error) {
        g_propagate_error(error, single.error);
    } else if (unfinished || !single.count) {
        vm_error_set(error, "JSON parse error, '%s' ends within a value", text);
    } else if (single.count > 1) {
        vm_error_set(error, "JSON parse error, there is text behind the value in '%s'", text);
    } else {
        return single.value;
    }
    g_clear_pointer(&single.value, json_object_put);
    return NULL;
}

/* --- building --- */

void json_add_string(json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

void json_add_int(json_object *object, const char *key, gint64 value)
{
    json_object_object_add(object, key, json_object_new_int64(value));
}

void json_add_uint(json_object *object, const char *key, guint64 value)
{
    json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_bool(json_object *object, const char *key, gboolean value)
{
    json_object_object_add(object, key, json_object_new_boolean(value));
}
