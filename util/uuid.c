/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UUIDs as firmware tables hold them. */
#include "util/uuid.h"

gboolean uuid_to_bytes(const char *text, uint8_t bytes[UUID_BYTES])
{
    static const uint8_t order[UUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    if (!g_uuid_string_is_valid(text)) {
        return FALSE;
    }
    for (guint i = 0; i < UUID_BYTES; i++) {
        while (*text == '-') {
            text++;
        }
        bytes[order[i]] =
            (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
        text += 2;
    }
    return TRUE;
}
