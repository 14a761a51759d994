/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the virtual machine is: -name and -uuid.  Main thread. */
#ifndef SYSTEM_IDENTITY_H
#define SYSTEM_IDENTITY_H

#include <glib.h>

/* A copy is kept; NULL: no name. */
void identity_set_name(const char *name);
const char *identity_name(void); /* borrowed; NULL without -name */

/* @text as RFC 9562, section 4 spells it, in either case.  FALSE with @error quoting it. */
gboolean identity_set_uuid(const char *text, GError **error);
/* In lower case; all zeros without -uuid.  Borrowed. */
const char *identity_uuid(void);

#endif
