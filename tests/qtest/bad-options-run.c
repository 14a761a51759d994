/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a program with command lines that it must refuse. */
#include "qtest/bad-options.h"
#include "qtest/vmm.h"

#include <string.h>
#include <sys/wait.h>

#define ROW_MILLISECONDS 10000

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the directory, sorted, in one line.  Caller frees. */
static char *list_directory(const char *directory)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

static char *expand(const char *text, const char *directory)
{
    g_auto(GStrv) parts = g_strsplit(text, "@T", -1);

    return g_strjoinv(directory, parts);
}

/* What is wrong with the refusal, NULL if nothing.  Caller frees. */
static char *judge(const char *words, const char *directory, int status, const char *output,
                   const char *errors)
{
    const char *end = strchr(errors, '\n');
    g_autofree char *expanded = expand(words, directory);
    g_auto(GStrv) wanted = g_strsplit(expanded, "|", -1);

    if (status == -1) {
        return g_strdup("it was accepted");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) {
        return g_strdup_printf("wait status 0x%x, expected exit status 1", status);
    }
    if (!end || end[1] || *output) {
        return g_strdup_printf("not exactly one line on standard error; output '%s'", output);
    }
    for (guint i = 0; wanted[i]; i++) {
        if (!strstr(errors, wanted[i])) {
            return g_strdup_printf("does not contain \"%s\"", wanted[i]);
        }
    }
    return NULL;
}

static gboolean run_row(const char *binary, const char *directory, const BadOptionGroup *group,
                        const BadOption *row)
{
    g_autofree char *before = list_directory(directory);
    g_autofree char *joined = g_strdup_printf("%s %s", group->before, row->arguments);
    g_autofree char *arguments = expand(joined, directory);
    g_autofree char *output = NULL, *errors = NULL, *wrong = NULL, *after = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!vmm_run(binary, arguments, ROW_MILLISECONDS, &status, &output, &errors, &error)) {
        vmm_fail("%s: %s", arguments, error->message);
    }
    wrong = judge(row->words, directory, status, output, errors);
    after = list_directory(directory);
    if (!wrong && strcmp(before, after) != 0) {
        wrong = g_strdup_printf("left behind: before '%s', after '%s'", before, after);
    }
    if (wrong || g_test_verbose()) {
        g_test_message("%s\n    %s%s%s", row->arguments, errors, wrong ? "    WRONG: " : "",
                       wrong ? wrong : "");
    }
    return !wrong;
}

void bad_options_run(const char *binary, const char *directory, const BadOptionGroup *group)
{
    guint wrong = 0, count = 0;

    for (const BadOption *row = group->rows; row->arguments; row++) {
        count++;
        wrong += !run_row(binary, directory, group, row);
    }
    g_test_message("%u rows, %u wrong", count, wrong);
    if (wrong) {
        g_test_fail();
    }
}
