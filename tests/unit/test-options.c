/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/json.h"
#include "util/options.h"

#include <string.h>

static const char *const list_keys[] = {"host-nodes", NULL};

static void test_good(void)
{
    static const struct {
        const char *text, *implied, *expected;
    } rows[] = {
        {"pc-dimm,id=d", "driver", "{\"driver\":\"pc-dimm\",\"id\":\"d\"}"},
        {"pc-dimm,id=d,", "driver", "{\"driver\":\"pc-dimm\",\"id\":\"d\"}"},
        {"driver=x,id=d", "driver", "{\"driver\":\"x\",\"id\":\"d\"}"},
        {"a,,b,path=/x,,y", "driver", "{\"driver\":\"a,b\",\"path\":\"/x,y\"}"},
        {"socket,server,nowait", "backend",
         "{\"backend\":\"socket\",\"server\":\"on\",\"wait\":\"off\"}"},
        {"a=1,a=2", NULL, "{\"a\":\"2\"}"},
        {"a=", NULL, "{\"a\":\"\"}"},
        {"a=b=c", NULL, "{\"a\":\"b=c\"}"},
        {"on,nooff", NULL, "{\"on\":\"on\",\"off\":\"off\"}"},
        {"host-nodes=0-1,host-nodes=4,host-nodes=7", NULL,
         "{\"host-nodes\":[\"0-1\",\"4\",\"7\"]}"},
        {"", NULL, "{}"},
        {"{\"driver\":\"d\",\"n\":4}", "driver", "{\"driver\":\"d\",\"n\":4}"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_autoptr(json_object) options =
            options_parse(rows[i].text, rows[i].implied, list_keys, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(json_object_to_json_string_ext(options, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE),
                        ==, rows[i].expected);
    }
}

static void test_bad(void)
{
    static const char *const bad[] = {
        "=x", "a=1,=2", "a,,=b", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{a:1}", "a=\xff",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(options_parse(bad[i], NULL, NULL, &error));
        g_assert_nonnull(error);
    }
}

static void test_take(void)
{
    g_autoptr(json_object) options =
        options_parse("id=d,size=1.5G,count=7,flag=off,big=99", NULL, NULL, NULL);
    g_autofree char *id = options_take(options, "id");
    g_autoptr(GError) error = NULL;
    gboolean flag = TRUE;
    uint64_t count = 0, size = 0;

    g_assert_cmpstr(id, ==, "d");
    g_assert_null(options_take(options, "id"));
    g_assert_true(options_take_bool(options, "-x", "flag", &flag, &error));
    g_assert_false(flag);
    g_assert_true(options_take_number(options, "-x", "count", 0, 9, &count, &error));
    g_assert_true(options_take_number(options, "-x", "missing", 0, 9, &count, &error));
    g_assert_cmpuint(count, ==, 7);
    g_assert_true(options_take_size(options, "-x", "size", 'M', &size, &error));
    g_assert_cmpuint(size, ==, UINT64_C(3) << 29);
    g_assert_false(options_check_empty(options, "-x", "a, b", &error));
    g_assert_cmpstr(error->message, ==, "-x: unknown parameter 'big'; known are a, b");
    g_clear_error(&error);
    g_assert_false(options_take_number(options, "-x", "big", 0, 9, &count, &error));
    g_assert_cmpstr(error->message, ==, "-x: parameter 'big': 99 is out of range: expected 0 to 9");
    g_assert_true(options_check_empty(options, "-x", NULL, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/good", test_good);
    g_test_add_func("/options/bad", test_bad);
    g_test_add_func("/options/take", test_take);
    return g_test_run();
}
