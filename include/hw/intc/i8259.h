/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two 8259 of a PC, for an accelerator that has the local APICs only. */
#ifndef HW_INTC_I8259_H
#define HW_INTC_I8259_H

#include <glib.h>

/* Adds both to the machine; they lead to the first CPU (irq_set_external()).  VM lock held. */
gboolean i8259_add(GError **error);

#endif
