/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/report.h"
#include "util/trace.h"

#include <glib/gstdio.h>
#include <string.h>

TRACE_EVENT(test_beta, "second by name");
TRACE_EVENT(test_alpha, "first by name");

static guint evaluated;

static guint count_evaluation(void)
{
    return ++evaluated;
}

static void collect(TraceEvent *event, gpointer opaque)
{
    if (g_str_has_prefix(event->name, "test_")) {
        g_string_append_printf(opaque, "%s=%d;", event->name, event->enabled);
    }
}

static void test_patterns(void)
{
    g_autoptr(GString) list = g_string_new(NULL);

    g_assert_cmpuint(trace_enable_pattern("no_such_*", TRUE), ==, 0);
    g_assert_cmpuint(trace_enable_pattern("test_al?ha", TRUE), ==, 1);
    trace_foreach(collect, list);
    g_assert_cmpstr(list->str, ==, "test_alpha=1;test_beta=0;");
    g_assert_cmpuint(trace_enable_pattern("test_*", FALSE), ==, 2);
}

static void test_output(void)
{
    g_autofree char *path = NULL, *text = NULL;
    int fd = g_file_open_tmp("hotslot-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(report_log_open(path, FALSE, NULL));
    trace(test_alpha, "hidden %u", count_evaluation());
    g_assert_cmpuint(evaluated, ==, 0);
    trace_enable_pattern("test_alpha", TRUE);
    trace(test_alpha, "shown %u", count_evaluation());
    trace(test_beta, "hidden");
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_str_has_suffix(text, "Z test_alpha: shown 1\n"));
    g_assert_null(strstr(text, "hidden"));
    g_assert_true(report_log_open(path, TRUE, NULL));
    report_log("behind it");
    g_autofree char *longer = NULL;
    g_assert_true(g_file_get_contents(path, &longer, NULL, NULL));
    g_assert_true(g_str_has_prefix(longer, text) && g_str_has_suffix(longer, "\nbehind it\n"));
    g_unlink(path);
}

static void test_bad_log(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(report_log_open("/nonexistent/log", FALSE, &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/log"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace/patterns", test_patterns);
    g_test_add_func("/trace/output", test_output);
    g_test_add_func("/trace/bad-log", test_bad_log);
    return g_test_run();
}
