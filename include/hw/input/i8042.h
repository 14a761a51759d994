/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard controller of a PC, which here is there for what it does beside keyboards. */
#ifndef HW_INPUT_I8042_H
#define HW_INPUT_I8042_H

#include <glib.h>

/* Makes it, at /machine/unattached/i8042.  Main thread, VM lock held. */
gboolean i8042_add(GError **error);

#endif
