/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option strings of the command line ("driver,key=value,...").  An option
 * becomes a json_object of type object, whatever way it was written, so that
 * "-device pc-dimm,id=d" and "-device '{"driver":"pc-dimm","id":"d"}'" meet
 * the same code.  Values of the key=value form are JSON strings; the object
 * model converts them (util/object.h). Any thread.
 */
#ifndef UTIL_OPTIONS_H
#define UTIL_OPTIONS_H

#include <glib.h>
#include <json-c/json.h>

/*
 * Parses @text.  Text that begins with '{' is JSON (an object, nothing behind
 * it, no member named twice).  Otherwise a comma-separated list of key=value;
 * ",," stands for one comma in a value; one trailing comma is accepted; the
 * first item without '=' is the value of @implied_key; a later item without
 * '=' is a boolean: "key" means key=on, "nokey" means key=off when
 * @implied_key is not NULL or no '=' follows.  Repeated keys: the last wins,
 * except for "host-nodes" style lists, for which a repeated key listed in
 * @list_keys (NULL-terminated, may be NULL) makes a JSON array.
 * Returns a new reference that the caller puts, or NULL with @error set.
 */
json_object *options_parse(const char *text, const char *implied_key, const char *const *list_keys,
                           GError **error);

/* The string at @key, or NULL if it is missing.  Owned by @options. */
const char *options_get(json_object *options, const char *key);

/*
 * Takes @key out of @options: returns a newly allocated copy of its string
 * (numbers and booleans in their JSON spelling), or NULL if it is missing.
 */
char *options_take(json_object *options, const char *key);

/*
 * As options_take() for a boolean, a size in bytes or a whole number.  A missing
 * key leaves @value as it is and is no error.  Errors name @option and the key.
 */
gboolean options_take_bool(json_object *options, const char *option, const char *key,
                           gboolean *value, GError **error);
gboolean options_take_number(json_object *options, const char *option, const char *key,
                             uint64_t minimum, uint64_t maximum, uint64_t *value, GError **error);
gboolean options_take_size(json_object *options, const char *option, const char *key,
                           char default_suffix, uint64_t *bytes, GError **error);

/*
 * Fails if a member is left in @options: "-chardev: unknown parameter 'x'; known
 * are a, b, c".  @known is the text behind "known are", or NULL.
 */
gboolean options_check_empty(json_object *options, const char *option, const char *known,
                             GError **error);

#endif
