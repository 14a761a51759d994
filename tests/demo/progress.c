/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress for a person. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 28
#define REDRAW_MICROSECONDS 50000 /* often enough for an eye, seldom enough to cost nothing */

static struct {
    char *what;
    guint total;
    gint64 drawn;
} step;

static gboolean on_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

void progress_begin(const char *what, guint total)
{
    g_free(step.what);
    step.what = g_strdup(what);
    step.total = total;
    step.drawn = 0;
    progress_update(0, NULL);
}

void progress_update(guint done, const char *note)
{
    gint64 now = g_get_monotonic_time();
    guint full = step.total ? MIN(done, step.total) * BAR_WIDTH / step.total : 0;

    if (!on_terminal() || (now - step.drawn < REDRAW_MICROSECONDS && done != step.total)) {
        return;
    }
    step.drawn = now;
    printf("\r\033[K%-34s [", step.what);
    for (guint i = 0; i < BAR_WIDTH; i++) {
        putchar(i < full ? '#' : step.total || i != done % BAR_WIDTH ? '.' : '#');
    }
    printf("] %u%s%s", done, note ? "  " : "", note ? note : "");
    fflush(stdout);
}

void progress_end(const char *result)
{
    printf("%s%-34s %s\n", on_terminal() ? "\r\033[K" : "", step.what, result);
    fflush(stdout);
}
