/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A part of a file that the front-end sent, mapped for reading and writing: guest memory, the dirty
 * log, the in-flight buffer.  Private to the library.
 */
#ifndef VHOST_USER_FILE_MAPPING_H
#define VHOST_USER_FILE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct VhostUserFileMapping {
    void *pages; /* whole pages of the file: what munmap() takes */
    size_t pages_size;
    uint8_t *bytes; /* what was asked for, in them */
} VhostUserFileMapping;

/*
 * Maps @size bytes (not 0) from @offset of @fd, which stays the caller's.
 * The offset needs no alignment.  @file is filled in.  0, or a negative errno and a static @reason:
 * no descriptor, a file that is shorter than that, a kind that cannot be mapped, no right to write.
 */
int vhost_user_file_map(VhostUserFileMapping *mapping, int fd, uint64_t offset, uint64_t size,
                        struct stat *file, const char **reason);
void vhost_user_file_unmap(const VhostUserFileMapping *mapping);

/* NULL, or why the file cannot hold the range. */
const char *vhost_user_file_check(const struct stat *file, uint64_t offset, uint64_t size);

/*
 * If @address lies in the pages, puts zeros of our own over all of them: for a file that was cut
 * behind our mapping.  Async-signal-safe.
 */
bool vhost_user_file_recover_fault(void *pages, size_t pages_size, void *address);

#endif
