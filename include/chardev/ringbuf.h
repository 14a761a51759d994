/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring buffers among the chardevs, for QMP.  Main thread, VM lock held. */
#ifndef CHARDEV_RINGBUF_H
#define CHARDEV_RINGBUF_H

#include "chardev/chardev.h"

/* FALSE, NULL with @error if @id is no ring buffer. */
gboolean chardev_ringbuf_write(const char *id, const guint8 *bytes, gsize length, GError **error);
/* Takes out the oldest @size bytes, or all there are. */
GByteArray *chardev_ringbuf_read(const char *id, gsize size, GError **error);

#endif
