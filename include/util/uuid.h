/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UUIDs as firmware tables hold them.  Any thread. */
#ifndef UTIL_UUID_H
#define UTIL_UUID_H

#include <glib.h>
#include <stdint.h>

#define UUID_BYTES 16

/* The bytes of @text (RFC 9562, section 4) with its first three numbers little-endian, as SMBIOS
 * (3.7.0, 7.2.1) and Microsoft's specifications have them.  FALSE if it is no UUID. */
gboolean uuid_to_bytes(const char *text, uint8_t bytes[UUID_BYTES]);

#endif
