/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and regions for tests of the memory map, and what the process has open and mapped. */
#ifndef MAP_FIXTURE_H
#define MAP_FIXTURE_H

#include <glib.h>

#include "memory-map.h"

#define MAP_PAGE 4096u

/* Where user addresses are in these tests: far from guest addresses, in another order. */
#define MAP_USER_BASE 0x7f0000000000ull

/* A memfd of so many pages; the caller's. */
int map_file_new(guint pages);

/* The same, in which each page begins with its own index plus @first. */
int map_file_new_stamped(guint pages, guint64 first);

/* A region with a user address that is distinct for distinct guest addresses. */
VhostUserMemoryRegion map_region(guint64 guest_address, guint64 size, guint64 mmap_offset);

/* Descriptors that the process has open. */
guint map_count_descriptors(void);

/* Pages of the file behind @fd that the process has mapped. */
guint map_count_pages(int fd);

/* A map with one reader, and a file for its regions. */
typedef struct MapFixture {
    VhostUserMap *map;
    VhostUserReader *reader;
    int wake_fd;
    int file; /* MAP_FILE_PAGES stamped pages */
} MapFixture;

/* So few that random regions meet each other all the time. */
#define MAP_FILE_PAGES 600u

/* For g_test_add(): @slots of the map, or 0 for many; the end sees that nothing stays mapped. */
void map_set_up(MapFixture *fixture, gconstpointer slots);
void map_tear_down(MapFixture *fixture, gconstpointer slots);

/* Of the fixture's file; neither may fail. */
void map_add(MapFixture *fixture, VhostUserMemoryRegion region);
void map_remove(MapFixture *fixture, VhostUserMemoryRegion region);

VhostUserMapStatistics map_statistics(MapFixture *fixture);

/* A translation between an enter and a leave of its own. */
guint8 *map_look_up(MapFixture *fixture, guint64 address, guint64 size, guint64 *contiguous);

/* Whether the wake descriptor was written since the last call. */
gboolean map_woken(MapFixture *fixture);

#endif
