/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual machine generation ID: a number in guest memory that changes when the guest becomes
 * another one, so that it does not use the same random numbers twice.  VM lock held.
 */
#ifndef HW_MISC_VMGENID_H
#define HW_MISC_VMGENID_H

#include <glib.h>
#include <stdint.h>

/* TRUE if the machine has such a device: the board keeps a page for it. */
gboolean vmgenid_exists(void);

/* The ID goes to guest physical @page, now and whenever it changes.  FALSE with @error if that is
 * not RAM. */
gboolean vmgenid_place(uint64_t page, GError **error);

#endif
