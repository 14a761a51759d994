/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block device for tests: a loop device (loop(4)) over a file, which goes when its owner ends. */
#ifndef TESTS_TOOLS_LOOP_DEVICE_H
#define TESTS_TOOLS_LOOP_DEVICE_H

#include <glib.h>

typedef struct LoopDevice {
    char *path; /* /dev/loopN */
    int fd;     /* as long as it is open the device stays */
} LoopDevice;

/* Over the file @path, with blocks of @block_size bytes. NULL, with the test skipped, if the
 * machine gives none. */
LoopDevice *loop_device_new(const char *path, guint block_size);

/* Gives the device the size that the file has now. */
void loop_device_resize(LoopDevice *device);

/* Requests that the device has not answered, sysfs(5). */
guint loop_device_in_flight(const LoopDevice *device);

/* Others may have it open still: it goes with the last of them. NULL is fine. */
void loop_device_free(LoopDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LoopDevice, loop_device_free)

#endif
