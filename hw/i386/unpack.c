/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel that is packed as a whole with gzip (RFC 1952), as distributions ship vmlinux.  The
 * file says how large its content is; that much is allocated and never more.
 */
#include "linux-boot-internal.h"

#include "util/error.h"

#include <string.h>
#include <zlib.h>

#define GZIP_MAGIC "\x1f\x8b"        /* RFC 1952, 2.3.1: ID1, ID2 */
#define GZIP_SMALLEST 18u            /* a header of 10 bytes, CRC32 and ISIZE */
#define GZIP_WINDOW (16 + MAX_WBITS) /* zlib.h: a gzip header and no other */
#define LARGEST (1u << 30)           /* more than a kernel with all its debug information */
#define LARGEST_RATIO UINT64_C(1032) /* zlib's technical details: what deflate reaches at best */

gboolean boot_is_gzip(GBytes *file)
{
    return g_bytes_get_size(file) >= strlen(GZIP_MAGIC) &&
           memcmp(g_bytes_get_data(file, NULL), GZIP_MAGIC, strlen(GZIP_MAGIC)) == 0;
}

/* ISIZE: the content's size, in the file's last four bytes. */
static uint32_t content_size(const uint8_t *file, gsize size)
{
    uint32_t content;

    memcpy(&content, file + size - sizeof(content), sizeof(content));
    return GUINT32_FROM_LE(content);
}

/* TRUE if @packed is one member that holds @size bytes exactly; zlib checks their CRC. */
static gboolean inflate_into(uint8_t *content, uint32_t size, const uint8_t *packed,
                             uint32_t packed_size)
{
    z_stream stream = {
        .next_in = (Bytef *)packed,
        .avail_in = packed_size, /* is not written to */
        .next_out = content,
        .avail_out = size,
    };
    int status;

    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK) {
        return FALSE;
    }
    status = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return status == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
}

GBytes *boot_unpack_gzip(const char *path, GBytes *packed, GError **error)
{
    gsize size;
    const uint8_t *bytes = g_bytes_get_data(packed, &size);
    uint32_t content = size >= GZIP_SMALLEST ? content_size(bytes, size) : 0;
    g_autofree uint8_t *unpacked = NULL;

    /* One that asks for more than it can hold gets no memory. */
    gboolean possible = content > 0 && content <= size * LARGEST_RATIO;
    if (possible && MAX(content, size) > LARGEST) {
        vm_error_set(error, "-kernel %s: is packed with gzip and has %zu MiB, expected %u at most",
                     path, MAX(content, size) >> 20, LARGEST >> 20);
        return NULL;
    }
    if (possible && !(unpacked = g_try_malloc(content))) {
        vm_error_set(error, "-kernel %s: the host has no memory for its %u MiB unpacked", path,
                     content >> 20);
        return NULL;
    }
    if (!possible || !inflate_into(unpacked, content, bytes, (uint32_t)size)) {
        vm_error_set(error,
                     "-kernel %s: is packed with gzip, and damaged or not alone in its file; try "
                     "to unpack it with gunzip",
                     path);
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&unpacked), content);
}
