/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and sizes as the command line spells them. No state, any thread. */
#ifndef UTIL_SIZE_H
#define UTIL_SIZE_H

#include <glib.h>
#include <stdint.h>

/*
 * Parses a size in bytes: a decimal or 0x number, optionally with a fraction
 * ("1.5G", only with a suffix), and one suffix of B K M G T P E (powers of
 * 1024, either case).  Without a suffix the number counts @default_suffix
 * ('B', 'M', ...).  Negative, empty, trailing text and everything above
 * 2^64 - 1 is an error that quotes @text.
 */
gboolean size_parse(const char *text, char default_suffix, uint64_t *bytes, GError **error);

/*
 * Parses a whole number, decimal or with 0x in hexadecimal, from @minimum to
 * @maximum.  No sign (not even "-0"), no white space, nothing behind it.
 */
gboolean number_parse(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *value,
                      GError **error);

/* Accepts on/yes/true/y and off/no/false/n, as users of QEMU write them. */
gboolean bool_parse(const char *text, gboolean *value, GError **error);

/* "256 MiB", "1.5 GiB", "4097 B": exact or with one decimal. Caller frees. */
char *size_format(uint64_t bytes);

/*
 * TRUE if @text may be the id of an object: a letter, then letters, digits,
 * '-', '.' and '_'.
 */
gboolean id_is_valid(const char *text);

#endif
