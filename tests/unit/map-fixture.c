/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map-fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 4096u

int map_file_new(guint pages)
{
    int fd = memfd_create("guest", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)pages * MAP_PAGE), ==, 0);
    return fd;
}

int map_file_new_stamped(guint pages, guint64 first)
{
    int fd = map_file_new(pages);

    for (guint i = 0; i < pages; i++) {
        guint64 stamp = first + i;

        g_assert_cmpint(pwrite(fd, &stamp, sizeof(stamp), (off_t)i * MAP_PAGE), ==, sizeof(stamp));
    }
    return fd;
}

VhostUserMemoryRegion map_region(guint64 guest_address, guint64 size, guint64 mmap_offset)
{
    return (VhostUserMemoryRegion){
        .guest_address = guest_address,
        .size = size,
        .user_address = MAP_USER_BASE - guest_address - size,
        .mmap_offset = mmap_offset,
    };
}

guint map_count_descriptors(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint count = 0;

    g_assert_nonnull(directory);
    while (g_dir_read_name(directory)) {
        count++;
    }
    return count;
}

guint map_count_pages(int fd)
{
    FILE *maps;
    char line[512];
    struct stat file;
    guint count = 0;

    g_assert_cmpint(fstat(fd, &file), ==, 0);
    maps = fopen("/proc/self/maps", "r");
    g_assert_nonnull(maps);
    while (fgets(line, sizeof(line), maps)) {
        guint64 start, end, inode;

        if (sscanf(line,
                   "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x %*s %*x %*s %" G_GUINT64_FORMAT,
                   &start, &end, &inode) == 3 &&
            inode == file.st_ino) {
            count += (guint)((end - start) / MAP_PAGE);
        }
    }
    fclose(maps);
    return count;
}

void map_set_up(MapFixture *fixture, gconstpointer slots)
{
    fixture->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fixture->map = vhost_user_map_new(slots ? GPOINTER_TO_UINT(slots) : SLOTS, fixture->wake_fd);
    fixture->reader = vhost_user_reader_new(fixture->map, 64);
    fixture->file = map_file_new_stamped(MAP_FILE_PAGES, 0);
}

void map_tear_down(MapFixture *fixture, gconstpointer slots)
{
    (void)slots;
    vhost_user_reader_free(fixture->reader);
    vhost_user_map_free(fixture->map);
    g_assert_cmpuint(map_count_pages(fixture->file), ==, 0);
    close(fixture->file);
    close(fixture->wake_fd);
}

void map_add(MapFixture *fixture, VhostUserMemoryRegion region)
{
    const char *reason = NULL;
    int result = vhost_user_map_add(fixture->map, &region, fixture->file, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
}

void map_remove(MapFixture *fixture, VhostUserMemoryRegion region)
{
    const char *reason = NULL;
    int result = vhost_user_map_remove(fixture->map, &region, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
}

VhostUserMapStatistics map_statistics(MapFixture *fixture)
{
    VhostUserMapStatistics statistics;

    vhost_user_map_statistics(fixture->map, &statistics);
    return statistics;
}

guint8 *map_look_up(MapFixture *fixture, guint64 address, guint64 size, guint64 *contiguous)
{
    guint8 *host;

    vhost_user_reader_enter(fixture->reader);
    host = vhost_user_reader_translate(fixture->reader, address, size, contiguous);
    vhost_user_reader_leave(fixture->reader);
    return host;
}

gboolean map_woken(MapFixture *fixture)
{
    guint64 count;

    return read(fixture->wake_fd, &count, sizeof(count)) == sizeof(count);
}
