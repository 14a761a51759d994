/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scan over JSON text beside json-c's parser: finds where a value ends and
 * what json-c lets pass (a member named twice, numbers out of range, literals
 * and control characters that RFC 8259 does not have).  Structure is json-c's part.
 *
 * Strings may stand between single quotes, which json-c's strict mode refuses with all else that
 * RFC 8259 has not: the scan hands on its bytes with double quotes instead.
 */
#ifndef UTIL_JSON_SCANNER_H
#define UTIL_JSON_SCANNER_H

#include <glib.h>

#define JSON_DEPTH_MAX 1024
#define JSON_PARTS_MAX 262144 /* bounds json-c's memory: each part costs it some hundred bytes */
#define JSON_TOKEN_MAX 1024   /* characters of a number or literal */

typedef struct JsonShift {
    gsize at;  /* in the text */
    gint more; /* bytes of the text from there on */
} JsonShift;

typedef struct JsonScanner {
    GPtrArray *levels; /* open brackets: a GHashTable of member names, or NULL for an array */
    GString *token;    /* number, literal or member name being read, as in @text */
    GString *text;     /* the bytes of the last scan that it used, as RFC 8259 has them */
    GArray *shifts;    /* of JsonShift: where @text is longer or shorter than those bytes */
    gsize parts;
    gboolean in_string, in_key, in_word, expect_key;
    char quote;   /* that ends the string */
    guint escape; /* in a string: 1 behind a backslash, 2 to 5 in the digits behind \u */
    guint code;   /* of \u */
} JsonScanner;

typedef enum {
    JSON_SCAN_MORE,     /* all bytes belong to the value, which goes on */
    JSON_SCAN_END,      /* the value ended with the last byte that was used */
    JSON_SCAN_END_WORD, /* the same for a number or literal: the next byte does not belong to it */
    JSON_SCAN_ERROR,    /* the byte behind the used ones is wrong; @error is set */
} JsonScanResult;

void json_scanner_init(JsonScanner *scanner);
void json_scanner_reset(JsonScanner *scanner);
void json_scanner_clear(JsonScanner *scanner);

/* TRUE if nothing of a value has been read. */
gboolean json_scanner_is_idle(const JsonScanner *scanner);

/* TRUE within a number or literal that is not in any bracket. */
gboolean json_scanner_in_bare_word(const JsonScanner *scanner);

/* Scans at most @length bytes; how many belong to the value is left in *@used, and they themselves
 * in @scanner->text. */
JsonScanResult json_scanner_scan(JsonScanner *scanner, const char *bytes, gsize length, gsize *used,
                                 GError **error);

/* How many of the bytes the first @length of @scanner->text were. */
gsize json_scanner_source_length(const JsonScanner *scanner, gsize length);

#endif
