/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scan beside json-c's parser; see the header for what it is for. */
#include "util/json-scanner.h"
#include "util/error.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

static void free_level(gpointer names)
{
    if (names) {
        g_hash_table_unref(names);
    }
}

void json_scanner_init(JsonScanner *scanner)
{
    *scanner = (JsonScanner){
        .levels = g_ptr_array_new_with_free_func(free_level),
        .token = g_string_new(NULL),
        .text = g_string_new(NULL),
        .shifts = g_array_new(FALSE, FALSE, sizeof(JsonShift)),
    };
}

void json_scanner_reset(JsonScanner *scanner)
{
    g_ptr_array_set_size(scanner->levels, 0);
    g_string_truncate(scanner->token, 0);
    scanner->parts = 0;
    scanner->in_string = scanner->in_key = scanner->in_word = scanner->expect_key = FALSE;
    scanner->escape = 0;
}

void json_scanner_clear(JsonScanner *scanner)
{
    g_ptr_array_unref(scanner->levels);
    g_string_free(scanner->token, TRUE);
    g_string_free(scanner->text, TRUE);
    g_array_unref(scanner->shifts);
}

gboolean json_scanner_is_idle(const JsonScanner *scanner)
{
    return scanner->levels->len == 0 && !scanner->in_string && !scanner->in_word;
}

gboolean json_scanner_in_bare_word(const JsonScanner *scanner)
{
    return scanner->levels->len == 0 && scanner->in_word;
}

/* --- numbers and literals --- */

static const char *skip_digits(const char *at)
{
    while (g_ascii_isdigit(*at)) {
        at++;
    }
    return at;
}

/* RFC 8259, 6. @is_integer: neither fraction nor exponent. */
static gboolean is_number(const char *text, gboolean *is_integer)
{
    const char *digits = text + (*text == '-'), *at = skip_digits(digits);

    if (at == digits || (*digits == '0' && at > digits + 1)) {
        return FALSE;
    }
    *is_integer = *at == '\0';
    if (*at == '.') {
        digits = at + 1;
        at = skip_digits(digits);
        if (at == digits) {
            return FALSE;
        }
    }
    if (*at == 'e' || *at == 'E') {
        digits = at + 1 + (at[1] == '+' || at[1] == '-');
        at = skip_digits(digits);
        if (at == digits) {
            return FALSE;
        }
    }
    return *at == '\0';
}

static gboolean number_fits(const char *text, gboolean is_integer)
{
    if (!is_integer) {
        return isfinite(g_ascii_strtod(text, NULL));
    }
    errno = 0;
    if (*text == '-') {
        g_ascii_strtoll(text, NULL, 10);
    } else {
        g_ascii_strtoull(text, NULL, 10);
    }
    return errno == 0;
}

/* What is wrong stays a word, so that json-c is not asked about the part of it that came last. */
static gboolean end_word(JsonScanner *scanner, GError **error)
{
    static const char *const literals[] = {"true", "false", "null", NULL};
    const char *text = scanner->token->str;
    gboolean is_integer;

    if (g_strv_contains(literals, text)) {
        scanner->in_word = FALSE;
        return TRUE;
    }
    if (!is_number(text, &is_integer)) {
        vm_error_set(error, "JSON parse error, invalid literal '%s'", text);
        return FALSE;
    }
    if (!number_fits(text, is_integer)) {
        vm_error_set(error, "JSON parse error, number %s is out of range", text);
        return FALSE;
    }
    scanner->in_word = FALSE;
    return TRUE;
}

/* --- strings --- */

/* The member name without its escapes; json-c knows them. */
static char *decode_name(const GString *raw)
{
    if (!strchr(raw->str, '\\')) {
        return g_strdup(raw->str);
    }
    g_autofree char *quoted = g_strdup_printf("\"%s\"", raw->str);
    json_object *name = json_tokener_parse(quoted);
    char *decoded = g_strdup(name ? json_object_get_string(name) : raw->str);
    json_object_put(name);
    return decoded;
}

static gboolean end_string(JsonScanner *scanner, GError **error)
{
    scanner->in_string = FALSE;
    if (!scanner->in_key) {
        return TRUE;
    }
    scanner->in_key = scanner->expect_key = FALSE;
    GHashTable *names = scanner->levels->pdata[scanner->levels->len - 1];
    char *name = decode_name(scanner->token);
    if (g_hash_table_contains(names, name)) {
        g_autofree char *valid = g_utf8_make_valid(name, (gssize)MIN(strlen(name), 80));
        vm_error_set(error, "JSON parse error, member '%s' is given twice", valid);
        g_free(name);
        return FALSE;
    }
    g_hash_table_add(names, name);
    return TRUE;
}

static gboolean scan_escape(JsonScanner *scanner, char byte, GError **error)
{
    if (scanner->escape == 1) {
        scanner->escape = byte == 'u' ? 2 : 0;
        scanner->code = 0;
        return TRUE;
    }
    if (!g_ascii_isxdigit(byte)) {
        vm_error_set(error, "JSON parse error, \\u needs four hexadecimal digits");
        return FALSE;
    }
    scanner->code = scanner->code * 16 + (guint)g_ascii_xdigit_value(byte);
    scanner->escape = scanner->escape == 5 ? 0 : scanner->escape + 1;
    if (!scanner->escape && !scanner->code) {
        vm_error_set(error, "JSON parse error, a string holds \\u0000");
        return FALSE;
    }
    return TRUE;
}

static void shift(JsonScanner *scanner, gint more)
{
    const JsonShift entry = {scanner->text->len, more};

    g_array_append_val(scanner->shifts, entry);
}

static void put_string_byte(JsonScanner *scanner, char byte)
{
    g_string_append_c(scanner->text, byte);
    if (scanner->in_key) {
        g_string_append_c(scanner->token, byte);
    }
}

/* Between single quotes " is escaped for json-c, and ' is not. @escaped: a backslash is before. */
static void take_string_byte(JsonScanner *scanner, char byte, gboolean escaped)
{
    if (scanner->quote == '\'' && scanner->escape == 1) {
        shift(scanner, -1); /* a backslash: kept back until it is seen what follows */
        return;
    }
    if (scanner->quote == '\'' && (escaped ? byte != '\'' : byte == '"')) {
        shift(scanner, 1);
        put_string_byte(scanner, '\\');
    }
    put_string_byte(scanner, byte);
}

static JsonScanResult scan_string_byte(JsonScanner *scanner, char byte, GError **error)
{
    if ((guchar)byte < 0x20) {
        vm_error_set(error, "JSON parse error, a string holds control character 0x%02x", byte);
        return JSON_SCAN_ERROR;
    }
    guint escape = scanner->escape;
    if (!escape && byte == scanner->quote) {
        if (!end_string(scanner, error)) {
            return JSON_SCAN_ERROR;
        }
        g_string_append_c(scanner->text, '"');
        return scanner->levels->len ? JSON_SCAN_MORE : JSON_SCAN_END;
    }
    if (!escape) {
        scanner->escape = byte == '\\';
    } else if (!scan_escape(scanner, byte, error)) {
        return JSON_SCAN_ERROR;
    }
    take_string_byte(scanner, byte, escape == 1);
    return JSON_SCAN_MORE;
}

/* --- structure --- */

static gboolean count_part(JsonScanner *scanner, GError **error)
{
    if (++scanner->parts > JSON_PARTS_MAX) {
        vm_error_set(error, "JSON parse error, a value has more than %u parts", JSON_PARTS_MAX);
        return FALSE;
    }
    return TRUE;
}

static gboolean in_object(const JsonScanner *scanner)
{
    return scanner->levels->len && scanner->levels->pdata[scanner->levels->len - 1];
}

static JsonScanResult open_level(JsonScanner *scanner, char byte, GError **error)
{
    if (scanner->levels->len == JSON_DEPTH_MAX) {
        vm_error_set(error, "JSON parse error, nesting is deeper than %u levels", JSON_DEPTH_MAX);
        return JSON_SCAN_ERROR;
    }
    g_ptr_array_add(scanner->levels,
                    byte == '{' ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)
                                : NULL);
    scanner->expect_key = byte == '{';
    return JSON_SCAN_MORE;
}

static JsonScanResult close_level(JsonScanner *scanner, char byte, GError **error)
{
    if (!scanner->levels->len || in_object(scanner) != (byte == '}')) {
        vm_error_set(error, "JSON parse error, stray '%c'", byte);
        return JSON_SCAN_ERROR;
    }
    g_ptr_array_set_size(scanner->levels, (gint)scanner->levels->len - 1);
    scanner->expect_key = FALSE;
    return scanner->levels->len ? JSON_SCAN_MORE : JSON_SCAN_END;
}

static JsonScanResult scan_structure_byte(JsonScanner *scanner, char byte, GError **error)
{
    switch (byte) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return JSON_SCAN_MORE;
    case '"':
    case '\'':
        scanner->in_string = TRUE;
        scanner->quote = byte;
        scanner->in_key = scanner->expect_key && in_object(scanner);
        g_string_truncate(scanner->token, 0);
        return count_part(scanner, error) ? JSON_SCAN_MORE : JSON_SCAN_ERROR;
    case '{':
    case '[':
        return count_part(scanner, error) ? open_level(scanner, byte, error) : JSON_SCAN_ERROR;
    case '}':
    case ']':
        return close_level(scanner, byte, error);
    case ',':
    case ':':
        if (scanner->levels->len) {
            scanner->expect_key = byte == ',' && in_object(scanner);
            return JSON_SCAN_MORE;
        }
        break;
    default:
        if (g_ascii_isalnum(byte) || byte == '-') {
            scanner->in_word = TRUE;
            g_string_assign(scanner->token, (char[]){byte, '\0'});
            return count_part(scanner, error) ? JSON_SCAN_MORE : JSON_SCAN_ERROR;
        }
    }
    if (g_ascii_isgraph(byte)) {
        vm_error_set(error, "JSON parse error, stray '%c'", byte);
    } else {
        vm_error_set(error, "JSON parse error, stray byte 0x%02x", (guchar)byte);
    }
    return JSON_SCAN_ERROR;
}

/* JSON_SCAN_END_WORD: @byte is not part of the number or literal any more. */
static JsonScanResult scan_word_byte(JsonScanner *scanner, char byte, GError **error)
{
    if (g_ascii_isalnum(byte) || byte == '+' || byte == '-' || byte == '.') {
        g_string_append_c(scanner->token, byte);
        if (scanner->token->len > JSON_TOKEN_MAX) {
            vm_error_set(error, "JSON parse error, number or literal of more than %u characters",
                         JSON_TOKEN_MAX);
            return JSON_SCAN_ERROR;
        }
        return JSON_SCAN_MORE;
    }
    if (!end_word(scanner, error)) {
        return JSON_SCAN_ERROR;
    }
    return scanner->levels->len ? scan_structure_byte(scanner, byte, error) : JSON_SCAN_END_WORD;
}

JsonScanResult json_scanner_scan(JsonScanner *scanner, const char *bytes, gsize length, gsize *used,
                                 GError **error)
{
    g_string_truncate(scanner->text, 0);
    g_array_set_size(scanner->shifts, 0);
    for (*used = 0; *used < length; ++*used) {
        char byte = bytes[*used];
        gboolean in_string = scanner->in_string;
        JsonScanResult result = in_string          ? scan_string_byte(scanner, byte, error)
                                : scanner->in_word ? scan_word_byte(scanner, byte, error)
                                                   : scan_structure_byte(scanner, byte, error);
        if (result == JSON_SCAN_ERROR || result == JSON_SCAN_END_WORD) {
            return result;
        }
        if (!in_string) {
            g_string_append_c(scanner->text, byte == '\'' ? '"' : byte);
        }
        if (result == JSON_SCAN_END) {
            ++*used;
            return result;
        }
    }
    return JSON_SCAN_MORE;
}

gsize json_scanner_source_length(const JsonScanner *scanner, gsize length)
{
    gsize source = length;

    for (guint i = 0; i < scanner->shifts->len; i++) {
        const JsonShift *entry = &g_array_index(scanner->shifts, JsonShift, i);
        if (entry->at >= length) {
            break;
        }
        source -= (gsize)entry->more; /* which may be negative */
    }
    return source;
}
