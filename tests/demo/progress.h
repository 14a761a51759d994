/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress for a person: a bar that redraws itself on a terminal, plain lines elsewhere. */
#ifndef DEMO_PROGRESS_H
#define DEMO_PROGRESS_H

#include <glib.h>

/* A step named @what of @total parts begins (0: how many is not known). */
void progress_begin(const char *what, guint total);
/* @done parts are done; @note (may be NULL) is shown behind the bar. */
void progress_update(guint done, const char *note);
/* The step has ended; @result is what the line says from now on. */
void progress_end(const char *result);

#endif
