/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "system/command-line.h"
#include "util/error.h"

#include <string.h>

static GArray *parse(const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, "|", -1);
    g_autoptr(GPtrArray) keep = g_ptr_array_new();

    for (guint i = 0; words[i]; i++) {
        /* Values are borrowed from argv: intern them so that they outlive it. */
        g_ptr_array_add(keep, (gpointer)g_intern_string(words[i]));
    }
    return command_line_parse((int)keep->len, (char **)keep->pdata, error);
}

static void test_order(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) items = parse("x|-m|256|--M|pc|-S|-M|none|--nographic", &error);

    g_assert_no_error(error);
    g_assert_cmpuint(items->len, ==, 5);
    g_assert_cmpstr(command_line_last(items, "M"), ==, "none");
    g_assert_cmpstr(command_line_last(items, "m"), ==, "256");
    g_assert_true(command_line_has(items, "S"));
    g_assert_null(command_line_last(items, "qmp"));
}

static void test_refusals(void)
{
    static const struct {
        const char *words;
        const char *message; /* what it must hold: the culprit and what is right */
    } rows[] = {
        {"x|-foo", "-foo: invalid option"},
        {"x|--foo", "--foo: invalid option"},
        {"x|-m", "-m: requires an argument"},
        {"x|disk.img", "'disk.img' is not an option"},
        {"x|-", "'-' is not an option"},
        {"x|", "'' is not an option"},
        {"x|-display|gtk", "-display gtk: there is no display here; use 'none'"},
        {"x|-gdb|tcp::1", "-gdb tcp::1: there is no debugger's stub"},
        {"x|-bios|f", "-bios f: there is no firmware here"},
        {"x|-drive|file=x", "-drive file=x: there is no block layer here"},
        {"x|-vga|std", "-vga std: there is no graphics card here; use 'none'"},
        {"x|-incoming|unix:/x", "-incoming unix:/x: migration comes in a later version"},
        {"x|-nic|user", "-nic user: use -netdev vhost-user"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) items = parse(rows[i].words, &error);
        g_assert_null(items);
        g_assert_error(error, VM_ERROR, VM_ERROR_GENERIC);
        if (!strstr(error->message, rows[i].message)) {
            g_error("%s: '%s' does not hold '%s'", rows[i].words, error->message, rows[i].message);
        }
    }
}

static void test_nothing_asked(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) items =
        parse("x|-monitor|none|-audio|driver=none|-sandbox|off|-vga|none|-net|none", &error);

    g_assert_no_error(error);
    g_assert_cmpuint(items->len, ==, 5);
}

static void check_keys(const CommandLineOption *option, gpointer opaque)
{
    guint *count = opaque;
    g_auto(GStrv) words = g_strsplit(option->keys ? option->keys : "", ",", -1);

    for (guint i = 0; words[i]; i++) {
        char *type = strchr(words[i], ':');
        g_assert_nonnull(type);
        g_assert_true(g_strv_contains(
            (const char *const[]){"string", "boolean", "number", "size", NULL}, type + 1));
        (*count)++;
    }
}

static void test_table(void)
{
    guint keys = 0;

    command_line_foreach(check_keys, &keys);
    g_assert_cmpuint(keys, >, 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command-line/order", test_order);
    g_test_add_func("/command-line/refusals", test_refusals);
    g_test_add_func("/command-line/nothing-asked", test_nothing_asked);
    g_test_add_func("/command-line/table", test_table);
    return g_test_run();
}
