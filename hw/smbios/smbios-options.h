/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -smbios says, by type and key. */
#ifndef HW_SMBIOS_OPTIONS_H
#define HW_SMBIOS_OPTIONS_H

#include <glib.h>
#include <json-c/json.h>
#include <stdint.h>

/* FALSE with @error for a type, a key or a number that there is not. @options may be NULL. */
gboolean smbios_options_check(json_object *options, GError **error);

/* What the last -smbios with this type and key says, or @otherwise.  Borrowed. */
const char *smbios_option(json_object *options, guint type, const char *key, const char *otherwise);
/* The same of a number that smbios_options_check() has seen. */
uint64_t smbios_option_number(json_object *options, guint type, const char *key,
                              uint64_t otherwise);

/* Calls @visit for each value of @key of @type, in order. */
void smbios_option_foreach(json_object *options, guint type, const char *key,
                           void (*visit)(const char *value, gpointer opaque), gpointer opaque);

/* TRUE if there is a -smbios of @type. */
gboolean smbios_option_has(json_object *options, guint type);

#endif
