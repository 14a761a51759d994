/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile input to the JSON reader: one error each, then it goes on. */
#include "util/json.h"

#include <string.h>

typedef struct Seen {
    GString *log; /* compact JSON or "!" for an error, each followed by ';' */
    char *last_error;
} Seen;

static void note(json_object *value, GError *error, gpointer opaque)
{
    Seen *seen = opaque;

    if (error) {
        g_free(seen->last_error);
        seen->last_error = g_strdup(error->message);
        g_string_append(seen->log, "!;");
        g_error_free(error);
        return;
    }
    g_string_append_printf(seen->log, "%s;",
                           json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    json_object_put(value);
}

/* Feeds @text in pieces of @piece bytes and compares what came out. */
static void check(const char *text, gsize length, gsize piece, const char *expected)
{
    g_autoptr(JsonReader) reader = json_reader_new();
    Seen seen = {g_string_new(NULL), NULL};

    for (gsize at = 0; at < length; at += piece) {
        json_reader_feed(reader, text + at, MIN(piece, length - at), note, &seen);
    }
    g_assert_cmpstr(seen.log->str, ==, expected);
    g_string_free(seen.log, TRUE);
    g_free(seen.last_error);
}

static void test_streams(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"{\"a\":1}{\"b\":[true,null,-2.5]} \"x\"\"y\" 12 13\n",
         "{\"a\":1};{\"b\":[true,null,-2.5]};\"x\";\"y\";12;13;"},
        {"\r\n\t {} \n", "{};"},
        {"{\"a\":18446744073709551615,\"b\":-9223372036854775808}",
         "{\"a\":18446744073709551615,\"b\":-9223372036854775808};"},
        {"{\"a\":\"\\u00e4\\n\\\"}\"}", "{\"a\":\"\xc3\xa4\\n\\\"}\"};"},
        {"{\"a\":1", ""},
        {"hello world\n{}", "!;{};"},
        {"}\n{}", "!;{};"},
        {",\n{}", "!;{};"},
        {"{'a':1}\n{}", "{\"a\":1};{};"},
        {"'x''y'\"z\" ''", "\"x\";\"y\";\"z\";\"\";"},
        {"{'a\"':['\"\"','\\'','\\\"','\\\\','\\u00e4\\n']}",
         "{\"a\\\"\":[\"\\\"\\\"\",\"'\",\"\\\"\",\"\\\\\",\"\xc3\xa4\\n\"]};"},
        {"[\"'\",'']", "[\"'\",\"\"];"},
        {"[\"\\'\"]\n{}", "!;{};"},
        {"{'a\":1}\n{}", "!;{};"},
        {"{\"a':1}\n{}", "!;{};"},
        {"['a' 'b']\n{}", "!;{};"},
        {"['\"\"','\\x{}']\xff{}\n", "!;{};"},
        {"['\\'\\'\\'\\x\xff{}']\n[1]", "!;{};!;[1];"},
        {"'\\u0000'\n{}", "!;{};"},
        {"'\\u12g4'\n{}", "!;{};"},
        {"'\xc0\xaf'\n{}", "!;{};"},
        {"'a\nb'\n{}", "!;!;{};"},
        {"{'a':1,\"\\u0061\":2}\n{}", "!;{};"},
        {"{'\\'':1,\"'\":2}\n{}", "!;{};"},
        {"{'\"':1,\"\\\"\":2}\n{}", "!;{};"},
        {"{'\\'':1,\"\\\"\":2}", "{\"'\":1,\"\\\"\":2};"},
        {"{\"a\" \"b\"\n{}\n[1]\n", "!;{};[1];"},
        {"[1 2\n{}\n[1]\n", "!;{};[1];"},
        {"{\"a\":'b'}\n{}", "{\"a\":\"b\"};{};"},
        {"{\"a\":1,\"a\":2}\n{}", "!;{};"},
        {"{\"a\":1,\"\\u0061\":2}\n{}", "!;{};"},
        {"[{\"a\":1},{\"a\":2}]", "[{\"a\":1},{\"a\":2}];"},
        {"{\"a\":{\"a\":[\"a\",\"a\"]},\"b\":\"a\"}", "{\"a\":{\"a\":[\"a\",\"a\"]},\"b\":\"a\"};"},
        {"{\"a\":18446744073709551616}\n{}", "!;{};"},
        {"{\"a\":-9223372036854775809}\n{}", "!;{};"},
        {"{\"a\":1e400}\n{}", "!;{};"},
        {"{\"a\":01}\n{}", "!;{};"},
        {"{\"a\":1.}\n{}", "!;{};"},
        {"{\"a\":+1}\n{}", "!;{};"},
        {"{\"a\":-}\n{}", "!;{};"},
        {"{\"a\":NaN}\n{}", "!;{};"},
        {"[Infinity]\n{}", "!;{};"},
        {"[-Infinity]\n{}", "!;{};"},
        {"[TRUE]\n{}", "!;{};"},
        {"[1,]\n{}", "!;{};"},
        {"{\"a\":1,}\n{}", "!;{};"},
        {"[1 2]\n{}", "!;{};"},
        {"{\"a\" 1}\n{}", "!;{};"},
        {"{\"a\"}\n{}", "!;{};"},
        {"{1:2}\n{}", "!;{};"},
        {"[1}\n{}", "!;{};"},
        {"[/* c */1]\n{}", "!;{};"},
        {"null\n{}", "!;{};"},
        {"true false\n1.5 {}", "true;false;1.5;{};"},
        {"1-2\n{}", "!;{};"},
        {"1-\n{}", "!;{};"},
        {"[1-2]\n{}", "!;{};"},
        {"truex\n{}", "!;{};"},
        {"\"a\nb\"\n{}", "!;!;{};"},
        {"\"\\u0000\"\n{}", "!;{};"},
        {"\"\\u12g4\"\n{}", "!;{};"},
        {"\"\\x\"\n{}", "!;{};"},
        {"[\"\xc3\xa4\xf0\x9f\x98\x80\"]", "[\"\xc3\xa4\xf0\x9f\x98\x80\"];"},
        {"{\"\xe2\x82\xac\":1}", "{\"\xe2\x82\xac\":1};"},
        {"\"\xff\"\n{}", "!;{};"},
        {"\"\xc0\xaf\"\n{}", "!;{};"},
        {"{\"\xed\xa0\x80\":1}\n{}", "!;{};"},
        {"%p{}", "!;{};"},
        {"}[1] {}", "!;{};"},
        {"{%p{}\n{}", "!;{};"},
        {"truex{}", "!;{};"},
        {"[%p \x01{}", "!;{};"},
        {"\xff\n{}", "!;{};"},
        {"\xff\xfe\n{}", "!;!;{};"},
        {"{\xff{}", "!;{};"},
        {"[1,\xff\xff{}", "!;!;{};"},
        {"{]]]\xff{}", "!;{};"},
        {"\x01\n{}", "!;{};"},
        {"{\"a\":\n{}}\n{}", "{\"a\":{}};{};"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gsize length = strlen(rows[i].text);
        for (gsize piece = 1; piece < 5; piece++) {
            check(rows[i].text, length, piece, rows[i].expected);
        }
        check(rows[i].text, length, length, rows[i].expected);
    }
}

static void test_nul(void)
{
    static const char raw[] = "{\"a\":\0 1}\n{}\0\n\"a\0b\"\n[1]";

    check(raw, sizeof(raw) - 1, 1, "!;1;!;{};!;!;!;[1];");
    check(raw, sizeof(raw) - 1, sizeof(raw) - 1, "!;1;!;{};!;!;!;[1];");
}

static void test_depth(void)
{
    for (guint depth = 1023; depth <= 1026; depth++) {
        g_autoptr(GString) text = g_string_new(NULL);
        for (guint i = 0; i < depth; i++) {
            g_string_append(text, i % 2 ? "{\"a\":" : "[");
        }
        g_string_append_c(text, '1');
        for (guint i = depth; i > 0; i--) {
            g_string_append_c(text, i % 2 ? ']' : '}');
        }
        g_autoptr(GError) error = NULL;
        g_autoptr(json_object) value = json_parse(text->str, &error);
        g_assert_true((value != NULL) == (depth <= 1024));
        g_assert_true(value || strstr(error->message, "1024"));
    }
}

/* A value that is too large is dropped as it comes, and the next line is read. */
static void test_size(void)
{
    g_autoptr(JsonReader) reader = json_reader_new();
    g_autofree char *block = g_malloc(1 << 20);
    Seen seen = {g_string_new(NULL), NULL};

    memset(block, 'x', 1 << 20);
    json_reader_feed(reader, "\"", 1, note, &seen);
    for (guint i = 0; i < 70; i++) {
        json_reader_feed(reader, block, 1 << 20, note, &seen);
    }
    json_reader_feed(reader, "\"\n{}", 4, note, &seen);
    g_assert_cmpstr(seen.log->str, ==, "!;{};");
    g_assert_nonnull(strstr(seen.last_error, "64 MiB"));
    g_string_free(seen.log, TRUE);
    g_free(seen.last_error);
}

static void test_parts(void)
{
    g_autoptr(GString) text = g_string_new("[0");
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 300000; i++) {
        g_string_append(text, ",0");
    }
    g_string_append_c(text, ']');
    g_assert_null(json_parse(text->str, &error));
    g_assert_nonnull(strstr(error->message, "262144"));
}

/* Any bytes: never more than one result a line is claimed here, only that it survives. */
static void test_noise(void)
{
    static const char alphabet[] = "{}[]\",:\\u0123eE+-. \n\tantrufls'/*\xc3\xa4\xff";
    g_autoptr(JsonReader) reader = json_reader_new();
    Seen seen = {g_string_new(NULL), NULL};

    for (guint i = 0; i < 200000; i++) {
        char byte = alphabet[g_test_rand_int_range(0, sizeof(alphabet))];
        json_reader_feed(reader, &byte, 1, note, &seen);
    }
    g_string_truncate(seen.log, 0);
    json_reader_feed(reader, "}\n\"\n}\n{\"alive\":true}", 20, note, &seen);
    g_assert_true(g_str_has_suffix(seen.log->str, "{\"alive\":true};"));
    g_string_free(seen.log, TRUE);
    g_free(seen.last_error);
}

static void test_parse(void)
{
    static const char *const bad[] = {"",     " ",      "{",    "\"a",     "1 2",
                                      "{} x", "{}\n{}", "null", "{}\n\n]", "[1"};
    g_autoptr(json_object) number = json_parse(" 12 ", NULL);

    g_assert_cmpint(json_object_get_int(number), ==, 12);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(json_parse(bad[i], &error));
        g_assert_nonnull(error);
    }
}

static void test_double_name(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(json_parse("{\"driver\":\"a\",\"driver\":\"b\"}", &error));
    g_assert_nonnull(strstr(error->message, "'driver' is given twice"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/streams", test_streams);
    g_test_add_func("/json/nul", test_nul);
    g_test_add_func("/json/depth", test_depth);
    g_test_add_func("/json/size", test_size);
    g_test_add_func("/json/parts", test_parts);
    g_test_add_func("/json/noise", test_noise);
    g_test_add_func("/json/parse", test_parse);
    g_test_add_func("/json/double-name", test_double_name);
    return g_test_run();
}
