/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON as QMP and the command line need it, over json-c.  A json_object is
 * owned by reference count; functions here say who owns what.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include <glib.h>
#include <json-c/json.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_object, json_object_put)

/*
 * Incremental reader of a stream of JSON values that no input can hurt: nesting deeper than 1,024
 * levels, a value longer than 64 MiB or of more than 262,144 parts, bytes that are not UTF-8,
 * strings with a NUL, an object with a member named twice and numbers that no int64, uint64 or
 * double holds (or of more than 1,024 characters) are errors.  After an error it goes on with the
 * next line, behind another control character or a byte 0xff, or, if the error was outside of any
 * object or array, with the next object.  One thread at a time.
 *
 * It is RFC 8259's JSON but for one thing: a string may stand between single quotes, where " needs
 * no backslash and \' is a single quote.
 */
typedef struct JsonReader JsonReader;

JsonReader *json_reader_new(void);
void json_reader_free(JsonReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonReader, json_reader_free)

/*
 * Feeds @length bytes.  @value is called for each complete value with a
 * reference that it owns, or with NULL and an error that it frees.
 * Not reentrant from @value.
 */
void json_reader_feed(JsonReader *reader, const char *bytes, gsize length,
                      void (*value)(json_object *value, GError *error, gpointer opaque),
                      gpointer opaque);

/* Parses exactly one value; NULL and @error otherwise (JSON null is an error here). */
json_object *json_parse(const char *text, GError **error);

/* Adds a copy of @text (JSON null if NULL) as member @key. */
void json_add_string(json_object *object, const char *key, const char *text);
void json_add_int(json_object *object, const char *key, gint64 value);
void json_add_uint(json_object *object, const char *key, guint64 value);
void json_add_bool(json_object *object, const char *key, gboolean value);

#endif
