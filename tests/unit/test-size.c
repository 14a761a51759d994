/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/size.h"

#include <string.h>

static void test_sizes(void)
{
    static const struct {
        const char *text;
        char suffix;
        uint64_t bytes;
    } good[] = {
        {"0", 'B', 0},
        {"256", 'M', UINT64_C(256) << 20},
        {"512M", 'B', UINT64_C(512) << 20},
        {"1.5G", 'B', UINT64_C(3) << 29},
        {"1.5g", 'M', UINT64_C(3) << 29},
        {"4096b", 'M', 4096},
        {"0x1000", 'B', 4096},
        {"0x10K", 'B', 16384},
        {"0XfF", 'B', 255},
        {"18446744073709551615", 'B', UINT64_MAX},
        {"15E", 'B', UINT64_C(15) << 60},
        {"0.1K", 'B', 102},
        {"0.000000000000000001E", 'B', 1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        GError *error = NULL;
        uint64_t bytes = 0;
        gboolean parsed = size_parse(good[i].text, good[i].suffix, &bytes, &error);
        g_assert_no_error(error);
        g_assert_true(parsed);
        g_assert_cmpuint(bytes, ==, good[i].bytes);
    }
}

static void test_bad_sizes(void)
{
    static const char *const bad[] = {
        "",
        "-1",
        " 1",
        "1 ",
        "M",
        "1MB",
        "1.M",
        "1.5",
        "1.5B",
        "1,5G",
        "16E",
        "+1",
        "0x",
        "1e3",
        "1.0000000000000000001G",
        "18446744073709551616",
        "99999999999999999999",
        "0x1.8K",
        "1Z",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = g_strdup_printf("'%s'", bad[i]);
        uint64_t bytes = 42;
        g_assert_false(size_parse(bad[i], 'B', &bytes, &error));
        g_assert_nonnull(strstr(error->message, quoted));
        g_assert_cmpuint(bytes, ==, 42);
    }
}

static void test_numbers(void)
{
    static const char *const bad[] = {"",   "-0", "+1", " 1", "1 ",
                                      "0x", "1K", "10", "1",  "18446744073709551617"};
    uint64_t value;

    g_assert_true(number_parse("0xffffffffffffffff", 0, UINT64_MAX, &value, NULL));
    g_assert_cmpuint(value, ==, UINT64_MAX);
    g_assert_true(number_parse("007", 2, 9, &value, NULL));
    g_assert_cmpuint(value, ==, 7);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(number_parse(bad[i], 2, 9, &value, &error));
        g_assert_nonnull(strstr(error->message, bad[i]));
    }
}

static void test_words(void)
{
    gboolean value = FALSE;

    g_assert_true(bool_parse("on", &value, NULL) && value);
    g_assert_true(bool_parse("n", &value, NULL) && !value);
    g_assert_false(bool_parse("ON", &value, NULL));
    g_assert_false(bool_parse("", &value, NULL));
    g_assert_true(id_is_valid("mem-1.a_B"));
    g_assert_false(id_is_valid(""));
    g_assert_false(id_is_valid("1a"));
    g_assert_false(id_is_valid("a/b"));
    g_assert_false(id_is_valid("\xc3\xa4"));
}

static void test_format(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {4097, "4097 B"},
        {UINT64_C(256) << 20, "256 MiB"},
        {UINT64_C(3) << 29, "1.5 GiB"},
        {UINT64_MAX, "18446744073709551615 B"},
        {UINT64_C(15) << 60, "15 EiB"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = size_format(rows[i].bytes);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/size/sizes", test_sizes);
    g_test_add_func("/size/bad-sizes", test_bad_sizes);
    g_test_add_func("/size/numbers", test_numbers);
    g_test_add_func("/size/words", test_words);
    g_test_add_func("/size/format", test_format);
    return g_test_run();
}
