/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block device for tests: a loop device over a file. */
#include "tools/loop-device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TRIES 50 /* between asking for a free one and taking it others may take it */

/* A descriptor of a device that is free now, its name in *@path; -1 with errno. */
static int open_free(int control, char **path)
{
    int number = ioctl(control, LOOP_CTL_GET_FREE);

    if (number < 0) {
        return -1;
    }
    *path = g_strdup_printf("/dev/loop%d", number);
    return open(*path, O_RDWR | O_CLOEXEC);
}

/* A descriptor of a device over @file, its name in *@path; -1 with errno. */
static int attach(int control, int file, guint block_size, char **path)
{
    const struct loop_config config = {
        .fd = (guint32)file, .block_size = block_size, .info.lo_flags = LO_FLAGS_AUTOCLEAR};

    for (guint i = 0; i < TRIES; i++) {
        int fd = open_free(control, path);

        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            return fd;
        }
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        g_clear_pointer(path, g_free);
        errno = error;
        if (error != EBUSY) {
            break;
        }
    }
    return -1;
}

LoopDevice *loop_device_new(const char *path, guint block_size)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int file = open(path, O_RDWR | O_CLOEXEC);
    char *name = NULL;
    int fd = control >= 0 && file >= 0 ? attach(control, file, block_size, &name) : -1;

    if (fd < 0) {
        g_autofree char *why = g_strdup_printf("no loop device: %s", g_strerror(errno));

        g_test_skip(why);
    }
    if (file >= 0) {
        close(file);
    }
    if (control >= 0) {
        close(control);
    }
    if (fd < 0) {
        return NULL;
    }
    LoopDevice *device = g_new(LoopDevice, 1);
    *device = (LoopDevice){name, fd};
    return device;
}

void loop_device_resize(LoopDevice *device)
{
    g_assert_cmpint(ioctl(device->fd, LOOP_SET_CAPACITY, 0), ==, 0);
}

guint loop_device_in_flight(const LoopDevice *device)
{
    g_autofree char *name = g_path_get_basename(device->path);
    g_autofree char *path = g_strdup_printf("/sys/block/%s/inflight", name);
    g_autofree char *text = NULL;
    guint reads, writes;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpint(sscanf(text, "%u %u", &reads, &writes), ==, 2);
    return reads + writes;
}

void loop_device_free(LoopDevice *device)
{
    if (device) {
        close(device->fd);
        g_free(device->path);
        g_free(device);
    }
}
