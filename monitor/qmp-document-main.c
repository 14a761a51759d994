/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints docs/interop/qmp.rst, for whoever has changed a command; with a file
 * name, compares that file with it, for the test that it is up to date.
 */
#include "monitor/qmp.h"

#include <stdio.h>

static int compare(const char *path, const char *text)
{
    g_autofree char *file = NULL;
    g_autoptr(GError) error = NULL;

    if (!g_file_get_contents(path, &file, NULL, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    if (g_strcmp0(file, text) != 0) {
        fprintf(stderr, "%s is out of date: build/qmp-document > docs/interop/qmp.rst\n", path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    g_autofree char *text = qmp_document();

    if (argc > 1) {
        return compare(argv[1], text);
    }
    return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}
