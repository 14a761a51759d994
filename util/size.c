/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and sizes as the command line spells them. */
#include "util/size.h"
#include "util/error.h"

#include <string.h>

#define FRACTION_DIGITS_MAX 18 /* 10^18 times 2^60 fits 128 bits */

/* Exponent of 2 that @suffix stands for, or -1. */
static int suffix_shift(char suffix)
{
    static const char suffixes[] = "BKMGTPE";
    const char *found = suffix ? strchr(suffixes, g_ascii_toupper(suffix)) : NULL;

    return found ? (int)(found - suffixes) * 10 : -1;
}

/* Reads digits of @base at *@text and moves it behind them; FALSE if there are none or too many. */
static gboolean read_digits(const char **text, unsigned base, uint64_t *value, gboolean *overflow)
{
    const char *begin = *text;

    *value = 0;
    for (; base == 16 ? g_ascii_isxdigit(**text) : g_ascii_isdigit(**text); ++*text) {
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)g_ascii_xdigit_value(**text), value)) {
            *overflow = TRUE;
        }
    }
    return *text != begin;
}

static unsigned skip_base(const char **text)
{
    if ((*text)[0] == '0' && g_ascii_tolower((*text)[1]) == 'x') {
        *text += 2;
        return 16;
    }
    return 10;
}

static gboolean size_refuse(const char *text, const char *why, GError **error)
{
    vm_error_set(error, "'%s' is not a size: %s", text, why);
    return FALSE;
}

gboolean size_parse(const char *text, char default_suffix, uint64_t *bytes, GError **error)
{
    static const char expected[] =
        "expected a number and one of the suffixes B, K, M, G, T, P, E, such as 512M";
    const char *at = text, *fraction_text;
    unsigned base = skip_base(&at);
    uint64_t whole, fraction = 0, scale = 1;
    gboolean overflow = FALSE, has_fraction = FALSE;

    if (!read_digits(&at, base, &whole, &overflow)) {
        return size_refuse(text, expected, error);
    }
    if (base == 10 && *at == '.') {
        fraction_text = ++at;
        has_fraction = TRUE;
        if (!read_digits(&at, 10, &fraction, &overflow)) {
            return size_refuse(text, expected, error);
        }
        if (at - fraction_text > FRACTION_DIGITS_MAX) {
            return size_refuse(text, "its fraction has more than 18 digits", error);
        }
        for (; fraction_text < at; fraction_text++) {
            scale *= 10;
        }
    }
    int shift = suffix_shift(*at ? *at : default_suffix);
    if (shift < 0 || (*at && at[1])) {
        return size_refuse(text, expected, error);
    }
    if (has_fraction && (!*at || shift == 0)) {
        return size_refuse(text, "a fraction needs one of the suffixes K, M, G, T, P, E", error);
    }
    unsigned __int128 total =
        ((unsigned __int128)whole << shift) + ((unsigned __int128)fraction << shift) / scale;
    if (overflow || total > UINT64_MAX) {
        return size_refuse(text, "it is above 2^64 - 1 bytes", error);
    }
    *bytes = (uint64_t)total;
    return TRUE;
}

gboolean number_parse(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *value,
                      GError **error)
{
    const char *at = text;
    unsigned base = skip_base(&at);
    gboolean overflow = FALSE;
    uint64_t number;

    if (!read_digits(&at, base, &number, &overflow) || *at) {
        vm_error_set(error,
                     "'%s' is not a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                     text, minimum, maximum);
        return FALSE;
    }
    if (overflow || number < minimum || number > maximum) {
        vm_error_set(error,
                     "%s is out of range: expected %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                     text, minimum, maximum);
        return FALSE;
    }
    *value = number;
    return TRUE;
}

gboolean bool_parse(const char *text, gboolean *value, GError **error)
{
    static const char *const yes[] = {"on", "yes", "true", "y", NULL};
    static const char *const no[] = {"off", "no", "false", "n", NULL};

    if (g_strv_contains(yes, text)) {
        *value = TRUE;
    } else if (g_strv_contains(no, text)) {
        *value = FALSE;
    } else {
        vm_error_set(error, "'%s' is neither 'on' nor 'off'", text);
        return FALSE;
    }
    return TRUE;
}

char *size_format(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    for (int unit = G_N_ELEMENTS(units) - 1; unit > 0; unit--) {
        uint64_t one = UINT64_C(1) << (unit * 10);
        unsigned __int128 tenths = (unsigned __int128)bytes * 10;
        if (bytes < one || tenths % one) {
            continue;
        }
        if (bytes % one == 0) {
            return g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes / one, units[unit]);
        }
        return g_strdup_printf("%" G_GUINT64_FORMAT ".%u %s", bytes / one,
                               (unsigned)(tenths / one % 10), units[unit]);
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT " B", bytes);
}

gboolean id_is_valid(const char *text)
{
    if (!g_ascii_isalpha(*text)) {
        return FALSE;
    }
    return text[strspn(
               text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0';
}
