/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client may get wrong: each row gets its answer, and the session goes on. */
#include "qmp-client.h"

static json_object *echo(json_object *arguments, GError **error G_GNUC_UNUSED)
{
    return json_object_get(arguments);
}

static json_object *fail(json_object *arguments, GError **error)
{
    g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "no '%s' here",
                qmp_string(arguments, "name"));
    return NULL;
}

static const QmpCommand commands[] = {
    {.name = "test-builtin",
     .arguments = "*s:str, *i:int, *u8:uint8, *u16:uint16, *u32:uint32, *u64:uint64, *z:size, "
                  "*n:number, *b:bool, *any:any, *null:null",
     .returns = "any",
     .doc = "Gives back its arguments.",
     .run = echo},
    {.name = "test-named",
     .arguments =
         "*e:TestEnum, *o:TestObject, *u:TestUnion, *l:[str], *m:[[int]], *os:[TestObject]",
     .returns = "any",
     .doc = "Gives back its arguments.",
     .run = echo},
    {.name = "test-open",
     .arguments = "name:str, **",
     .returns = "any",
     .doc = "Gives back its arguments.",
     .run = echo},
    {.name = "test-fail", .arguments = "name:str", .doc = "Fails.", .run = fail},
    {.name = "test-none", .doc = "Does nothing.", .run = echo},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "TestEnum", .kind = QMP_ENUM, .members = "one, two", .doc = "Two values."},
    {.name = "TestObject",
     .kind = QMP_OBJECT,
     .members = "a:int, *b:TestEnum, *inner:TestObject",
     .doc = "Nests."},
    {.name = "TestBranch", .kind = QMP_OBJECT, .members = "path:str", .doc = "A branch."},
    {.name = "TestUnion",
     .kind = QMP_UNION,
     .members = "kind:TestEnum, *note:str | kind | one=TestBranch",
     .doc = "Two branches, one of them empty."},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, types);

typedef struct Row {
    const char *input;
    const char *answer; /* "return" text, or "desc" of a GenericError */
    gboolean success;
} Row;

#define B(arguments) "{\"execute\":\"test-builtin\",\"arguments\":{" arguments "}}"
#define N(arguments) "{\"execute\":\"test-named\",\"arguments\":{" arguments "}}"
#define OK(arguments) "{" arguments "}", TRUE
#define TYPE(name, type) "Invalid parameter type for '" name "', expected: " type, FALSE
#define RANGE(name, top, got)                                                                      \
    "Parameter '" name "' expects a number from 0 to " top ", got " got, FALSE

static const Row rows[] = {
    /* the request itself */
    {"[]", "QMP input must be a JSON object", FALSE},
    {"[{\"execute\":\"test-none\"}]", "QMP input must be a JSON object", FALSE},
    {"\"text\"", "QMP input must be a JSON object", FALSE},
    {"12 ", "QMP input must be a JSON object", FALSE},
    {"true ", "QMP input must be a JSON object", FALSE},
    {"{}", "QMP input lacks member 'execute'", FALSE},
    {"{\"arguments\":{}}", "QMP input lacks member 'execute'", FALSE},
    {"{\"execute\":1}", "QMP input member 'execute' must be a string", FALSE},
    {"{\"execute\":null}", "QMP input member 'execute' must be a string", FALSE},
    {"{\"execute\":{}}", "QMP input member 'execute' must be a string", FALSE},
    {"{\"execute\":[\"test-none\"]}", "QMP input member 'execute' must be a string", FALSE},
    {"{\"execute\":\"test-none\",\"x\":1}", "QMP input member 'x' is unexpected", FALSE},
    {"{\"execute\":\"test-none\",\"Arguments\":{}}", "QMP input member 'Arguments' is unexpected",
     FALSE},
    {"{\"exec-oob\":\"query-version\"}", "QMP input member 'exec-oob' is unexpected", FALSE},
    {"{\"execute\":\"test-none\",\"arguments\":[]}",
     "QMP input member 'arguments' must be an object", FALSE},
    {"{\"execute\":\"test-none\",\"arguments\":null}",
     "QMP input member 'arguments' must be an object", FALSE},
    {"{\"execute\":\"test-none\",\"arguments\":\"x\"}",
     "QMP input member 'arguments' must be an object", FALSE},
    {"{\"execute\":\"test-none\"}", OK("")},
    {"{'execute':'test-named',\"arguments\":{'e':\"one\"}}", OK("\"e\":\"one\"")},
    {"{\"execute\":\"test-none\",\"arguments\":{}}", OK("")},
    {"{\"arguments\":{},\"execute\":\"test-none\"}", OK("")},
    {" \t\r\n {\"execute\":\"test-none\"}", OK("")},
    {"{\"execute\":\"test-none\",\"arguments\":{\"a\":1}}", "Parameter 'a' is unexpected", FALSE},
    /* str */
    {B("\"s\":\"\""), OK("\"s\":\"\"")},
    {B("\"s\":\"caf\xc3\xa9\""), OK("\"s\":\"caf\xc3\xa9\"")},
    {B("\"s\":\"\\u00e9\\n\""), OK("\"s\":\"\xc3\xa9\\n\"")},
    {B("\"s\":1"), TYPE("s", "string")},
    {B("\"s\":true"), TYPE("s", "string")},
    {B("\"s\":null"), TYPE("s", "string")},
    {B("\"s\":[]"), TYPE("s", "string")},
    {B("\"s\":{}"), TYPE("s", "string")},
    {B("\"s\":1.5"), TYPE("s", "string")},
    /* whole numbers */
    {B("\"i\":0"), OK("\"i\":0")},
    {B("\"i\":-1"), OK("\"i\":-1")},
    {B("\"i\":9223372036854775807"), OK("\"i\":9223372036854775807")},
    {B("\"i\":-9223372036854775808"), OK("\"i\":-9223372036854775808")},
    {B("\"i\":9223372036854775808"),
     "Parameter 'i' expects a number up to 9223372036854775807, got 9223372036854775808", FALSE},
    {B("\"i\":\"1\""), TYPE("i", "integer")},
    {B("\"i\":1.5"), TYPE("i", "integer")},
    {B("\"i\":1.0"), TYPE("i", "integer")},
    {B("\"i\":1e3"), TYPE("i", "integer")},
    {B("\"i\":true"), TYPE("i", "integer")},
    {B("\"i\":null"), TYPE("i", "integer")},
    {B("\"i\":[1]"), TYPE("i", "integer")},
    {B("\"u8\":0"), OK("\"u8\":0")},
    {B("\"u8\":255"), OK("\"u8\":255")},
    {B("\"u8\":256"), RANGE("u8", "255", "256")},
    {B("\"u8\":-1"), RANGE("u8", "255", "-1")},
    {B("\"u8\":18446744073709551615"), RANGE("u8", "255", "18446744073709551615")},
    {B("\"u8\":\"1\""), TYPE("u8", "integer")},
    {B("\"u16\":65535"), OK("\"u16\":65535")},
    {B("\"u16\":65536"), RANGE("u16", "65535", "65536")},
    {B("\"u16\":-9223372036854775808"), RANGE("u16", "65535", "-9223372036854775808")},
    {B("\"u32\":4294967295"), OK("\"u32\":4294967295")},
    {B("\"u32\":4294967296"), RANGE("u32", "4294967295", "4294967296")},
    {B("\"u64\":18446744073709551615"), OK("\"u64\":18446744073709551615")},
    {B("\"u64\":-1"), RANGE("u64", "18446744073709551615", "-1")},
    {B("\"z\":9223372036854775808"), OK("\"z\":9223372036854775808")},
    {B("\"z\":-1"), RANGE("z", "18446744073709551615", "-1")},
    {B("\"z\":\"1G\""), TYPE("z", "integer")},
    {B("\"z\":1.5"), TYPE("z", "integer")},
    /* number, bool, any, null */
    {B("\"n\":1.5"), OK("\"n\":1.5")},
    {B("\"n\":3"), OK("\"n\":3")},
    {B("\"n\":\"3\""), TYPE("n", "number")},
    {B("\"n\":null"), TYPE("n", "number")},
    {B("\"b\":true"), OK("\"b\":true")},
    {B("\"b\":false"), OK("\"b\":false")},
    {B("\"b\":1"), TYPE("b", "boolean")},
    {B("\"b\":\"true\""), TYPE("b", "boolean")},
    {B("\"b\":\"on\""), TYPE("b", "boolean")},
    {B("\"b\":null"), TYPE("b", "boolean")},
    {B("\"any\":{\"x\":[1,null]}"), OK("\"any\":{\"x\":[1,null]}")},
    {B("\"any\":null"), OK("\"any\":null")},
    {B("\"null\":null"), OK("\"null\":null")},
    {B("\"null\":0"), TYPE("null", "null")},
    {B("\"null\":\"\""), TYPE("null", "null")},
    /* members */
    {B("\"S\":\"\""), "Parameter 'S' is unexpected", FALSE},
    {B("\"\":1"), "Parameter '' is unexpected", FALSE},
    {B("\"s\":\"a\",\"t\":1"), "Parameter 't' is unexpected", FALSE},
    {"{\"execute\":\"test-open\"}", "Parameter 'name' is missing", FALSE},
    {"{\"execute\":\"test-open\",\"arguments\":{\"x\":1}}", "Parameter 'name' is missing", FALSE},
    {"{\"execute\":\"test-open\",\"arguments\":{\"name\":1}}", TYPE("name", "string")},
    {"{\"execute\":\"test-open\",\"arguments\":{\"name\":\"a\",\"x\":{\"y\":[]}}}",
     OK("\"name\":\"a\",\"x\":{\"y\":[]}")},
    {"{\"execute\":\"test-open\",\"arguments\":{\"name\":\"%s%n\"}}", OK("\"name\":\"%s%n\"")},
    /* named types */
    {N("\"e\":\"one\""), OK("\"e\":\"one\"")},
    {N("\"e\":\"three\""), "Parameter 'e' does not accept value 'three', but one, two", FALSE},
    {N("\"e\":\"\""), "Parameter 'e' does not accept value '', but one, two", FALSE},
    {N("\"e\":\"One\""), "Parameter 'e' does not accept value 'One', but one, two", FALSE},
    {N("\"e\":1"), TYPE("e", "string")},
    {N("\"e\":null"), TYPE("e", "string")},
    {N("\"o\":{\"a\":1}"), OK("\"o\":{\"a\":1}")},
    {N("\"o\":{}"), "Parameter 'o.a' is missing", FALSE},
    {N("\"o\":1"), TYPE("o", "object")},
    {N("\"o\":[]"), TYPE("o", "object")},
    {N("\"o\":null"), TYPE("o", "object")},
    {N("\"o\":{\"a\":\"1\"}"), TYPE("o.a", "integer")},
    {N("\"o\":{\"a\":1,\"c\":1}"), "Parameter 'o.c' is unexpected", FALSE},
    {N("\"o\":{\"a\":1,\"b\":\"x\"}"), "Parameter 'o.b' does not accept value 'x', but one, two",
     FALSE},
    {N("\"o\":{\"a\":1,\"inner\":{\"a\":2,\"inner\":{\"a\":3}}}"),
     OK("\"o\":{\"a\":1,\"inner\":{\"a\":2,\"inner\":{\"a\":3}}}")},
    {N("\"o\":{\"a\":1,\"inner\":{\"a\":2,\"inner\":{}}}"),
     "Parameter 'o.inner.inner.a' is missing", FALSE},
    {N("\"l\":[]"), OK("\"l\":[]")},
    {N("\"l\":[\"a\",\"b\"]"), OK("\"l\":[\"a\",\"b\"]")},
    {N("\"l\":[\"a\",1]"), TYPE("l[1]", "string")},
    {N("\"l\":[null]"), TYPE("l[0]", "string")},
    {N("\"l\":{}"), TYPE("l", "array")},
    {N("\"l\":\"a\""), TYPE("l", "array")},
    {N("\"m\":[[1],[],[2,3]]"), OK("\"m\":[[1],[],[2,3]]")},
    {N("\"m\":[1]"), TYPE("m[0]", "array")},
    {N("\"m\":[[1],[2,\"x\"]]"), TYPE("m[1][1]", "integer")},
    {N("\"os\":[{\"a\":1},{\"a\":2}]"), OK("\"os\":[{\"a\":1},{\"a\":2}]")},
    {N("\"os\":[{\"a\":1},{}]"), "Parameter 'os[1].a' is missing", FALSE},
    {N("\"os\":[{\"a\":1,\"z\":0}]"), "Parameter 'os[0].z' is unexpected", FALSE},
    {N("\"u\":{\"kind\":\"one\",\"path\":\"p\"}"), OK("\"u\":{\"kind\":\"one\",\"path\":\"p\"}")},
    {N("\"u\":{\"kind\":\"one\"}"), "Parameter 'u.path' is missing", FALSE},
    {N("\"u\":{\"kind\":\"one\",\"path\":1}"), TYPE("u.path", "string")},
    {N("\"u\":{\"kind\":\"one\",\"path\":\"p\",\"x\":1}"), "Parameter 'u.x' is unexpected", FALSE},
    {N("\"u\":{\"kind\":\"two\"}"), OK("\"u\":{\"kind\":\"two\"}")},
    {N("\"u\":{\"kind\":\"two\",\"note\":\"n\"}"), OK("\"u\":{\"kind\":\"two\",\"note\":\"n\"}")},
    {N("\"u\":{\"kind\":\"two\",\"path\":\"p\"}"), "Parameter 'u.path' is unexpected", FALSE},
    {N("\"u\":{\"kind\":\"three\"}"),
     "Parameter 'u.kind' does not accept value 'three', but one, "
     "two",
     FALSE},
    {N("\"u\":{\"path\":\"p\"}"), "Parameter 'u.kind' is missing", FALSE},
};

/* Text that is not JSON; the error is the reader's, the rest of the line is skipped. */
static const char *const not_json[] = {
    "x\n",
    "}\n",
    "]\n",
    "{\"execute\"}\n",
    "{\"execute\":}\n",
    "{execute:\"test-none\"}\n",
    "{'execute\":'test-none'}\n",
    "{'execute':'test-none\"}\n",
    "{'execute':'\\x'}\n",
    "{\"execute\":\"test-none\",}\n",
    "{\"execute\":\"test-none\",\"execute\":\"test-none\"}\n",
    "{\"execute\":\"test-none\",\"arguments\":{\"a\":1,\"a\":2}}\n",
    "{\"execute\":\"\\u0000\"}\n",
    "{\"execute\":\"\\ud800x\\uzzzz\"}\n",
    "{\"execute\":\"\xff\xfe\"}\n",
    "{\"execute\":\"\xc0\x80\"}\n",
    "{\"execute\":\"\xed\xa0\x80\"}\n",
    "{\"execute\":\"a\tb\"}\n",
    "{\"id\":1e999,\"execute\":\"test-none\"}\n",
    "{\"id\":123456789012345678901234567890,\"execute\":\"test-none\"}\n",
    "{\"id\":-9223372036854775809,\"execute\":\"test-none\"}\n",
    "{\"id\":01,\"execute\":\"test-none\"}\n",
    "{\"id\":+1,\"execute\":\"test-none\"}\n",
    "{\"id\":NaN,\"execute\":\"test-none\"}\n",
    "{\"id\":Infinity,\"execute\":\"test-none\"}\n",
    "{\"id\":tru,\"execute\":\"test-none\"}\n",
    "// comment\n",
    "/* comment */\n",
    "\x01\n",
};

static void check_error(Client *client, const char *description)
{
    g_autoptr(json_object) line = client_line(client);
    json_object *error = json_object_object_get(line, "error");

    g_assert_nonnull(error);
    g_assert_cmpstr(qmp_string(error, "class"), ==, "GenericError");
    g_assert_cmpstr(qmp_string(error, "desc"), ==, description);
}

/* The row that a failure belongs to, in ASCII: TAP is UTF-8, and some input is not. */
static void show_input(const char *input)
{
    g_autofree char *escaped = g_strescape(input, "\"");

    g_test_message("%s", escaped);
}

static void test_rows(void)
{
    Client *client = client_new();

    client_negotiate(client, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        show_input(rows[i].input);
        client_send(client, rows[i].input);
        if (rows[i].success) {
            g_autofree char *wanted = g_strdup_printf("{\"return\":%s}", rows[i].answer);
            g_autofree char *text = client_text(client);

            g_assert_cmpstr(text, ==, wanted);
        } else {
            check_error(client, rows[i].answer);
        }
    }
    g_assert_null(client_line(client));
    client_free(client);
}

static void test_not_json(void)
{
    Client *client = client_new();

    client_negotiate(client, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(not_json); i++) {
        g_autoptr(json_object) line = NULL;
        json_object *error;

        show_input(not_json[i]);
        client_send(client, not_json[i]);
        line = client_line(client);
        error = json_object_object_get(line, "error");
        g_assert_nonnull(error);
        g_assert_cmpstr(qmp_string(error, "class"), ==, "GenericError");
        g_assert_true(g_str_has_prefix(qmp_string(error, "desc"), "JSON parse error, "));
        client_expect(client, "{\"execute\":\"test-none\"}\n", "{\"return\":{}}");
    }
    client_free(client);
}

static void test_nesting(void)
{
    Client *client = client_new();
    g_autofree char *deep = g_strnfill(100000, '[');
    g_autoptr(json_object) line = NULL;

    client_negotiate(client, FALSE);
    client_send(client, deep);
    client_send(client, "\n");
    line = client_line(client);
    g_assert_nonnull(json_object_object_get(line, "error"));
    while (line) { /* one error, or a few: never one a byte */
        json_object_put(line);
        line = client_line(client);
    }
    client_expect(client, "{\"execute\":\"test-none\"}", "{\"return\":{}}");
    client_free(client);
}

static void test_id(void)
{
    static const char *const ids[] = {
        "1",    "-1",   "0.5",   "\"x\"",      "\"\"",
        "null", "true", "[1,2]", "{\"a\":{}}", "18446744073709551615",
    };
    Client *client = client_new();

    client_negotiate(client, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autofree char *good = g_strdup_printf("{\"execute\":\"test-none\",\"id\":%s}", ids[i]);
        g_autofree char *good_answer = g_strdup_printf("{\"return\":{},\"id\":%s}", ids[i]);
        g_autofree char *bad = g_strdup_printf("{\"id\":%s}", ids[i]);
        g_autofree char *bad_answer = g_strdup_printf(
            "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input lacks member "
            "'execute'\"},\"id\":%s}",
            ids[i]);

        client_expect(client, good, good_answer);
        client_expect(client, bad, bad_answer);
    }
    client_free(client);
}

static void test_classes(void)
{
    Client *client = client_new();

    client_negotiate(client, FALSE);
    client_expect(client, "{\"execute\":\"foo\"}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command foo has not "
                  "been found\"}}");
    client_expect(client, "{\"execute\":\"\"}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command  has not "
                  "been found\"}}");
    client_expect(client, "{\"execute\":\"test-fail\",\"arguments\":{\"name\":\"d\"}}",
                  "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"no 'd' here\"}}");
    client_free(client);
}

/* Bytes in any pieces, values with or without anything between them. */
static void test_pieces(void)
{
    const char *text = "{\"execute\":\"test-none\",\"id\":1}{\"execute\":\"test-none\",\"id\":2}\n"
                       " {\"execute\":\"test-none\",\"id\":3}\r\n";
    Client *client = client_new();

    client_negotiate(client, FALSE);
    for (gsize size = 1; size <= strlen(text); size++) {
        for (gsize i = 0; i < strlen(text); i += size) {
            client_write(client, text + i, MIN(size, strlen(text) - i));
            client_settle();
        }
        for (guint id = 1; id <= 3; id++) {
            g_autofree char *line = client_text(client);
            g_autofree char *wanted = g_strdup_printf("{\"return\":{},\"id\":%u}", id);

            g_assert_cmpstr(line, ==, wanted);
        }
    }
    client_free(client);
}

static void test_negotiation(void)
{
    Client *client = client_new();
    g_autofree char *greeting = client_text(client);

    g_assert_true(g_str_has_prefix(greeting, "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":"));
    g_assert_true(g_str_has_suffix(greeting, "\"capabilities\":[\"oob\"]}}"));
    client_expect(client, "{\"execute\":\"query-version\",\"id\":7}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Expecting capabilities "
                  "negotiation with 'qmp_capabilities'\"},\"id\":7}");
    client_expect(client, "{\"execute\":\"no-such\"}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Expecting capabilities "
                  "negotiation with 'qmp_capabilities'\"}}");
    client_expect(client, "[]",
                  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"QMP input must be a JSON "
                  "object\"}}");
    client_expect(client,
                  "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"fast\"]}}",
                  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Parameter 'enable[0]' does "
                  "not accept value 'fast', but oob\"}}");
    client_expect(client, "{\"execute\":\"test-none\"}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Expecting capabilities "
                  "negotiation with 'qmp_capabilities'\"}}");
    client_expect(client, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}",
                  "{\"return\":{}}");
    client_expect(client, "{\"execute\":\"qmp_capabilities\"}",
                  "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"Capabilities negotiation "
                  "is already complete, command ignored\"}}");
    client_expect(client, "{\"execute\":\"test-none\"}", "{\"return\":{}}");
    client_free(client);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_func("/qmp-input/negotiation", test_negotiation);
    g_test_add_func("/qmp-input/rows", test_rows);
    g_test_add_func("/qmp-input/not-json", test_not_json);
    g_test_add_func("/qmp-input/nesting", test_nesting);
    g_test_add_func("/qmp-input/id", test_id);
    g_test_add_func("/qmp-input/classes", test_classes);
    g_test_add_func("/qmp-input/pieces", test_pieces);
    return g_test_run();
}
