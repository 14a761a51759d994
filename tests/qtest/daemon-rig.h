/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rig over Debian's qemu-storage-daemon: one daemon a disk, over an image of random bytes of
 * which a copy is kept, so that each byte of the file can be compared.  Expectations that fail end
 * the test program.
 */
#ifndef QTEST_DAEMON_RIG_H
#define QTEST_DAEMON_RIG_H

#include "qtest/rig.h"
#include "qtest/storage-daemon.h"

#define DAEMON_IMAGE (UINT64_C(4) << 20) /* bytes of a disk */
#define DAEMON_SLOTS 32                  /* memory slots of the daemon of Debian 12 */

typedef struct DaemonDisk {
    GPid pid; /* 0: ended */
    char *image, *socket;
    uint8_t *expected; /* what the image must hold */
    int file;
} DaemonDisk;

typedef struct DaemonOptions {
    guint disks;           /* 0: 1 */
    guint queues;          /* of each daemon and device, 0: 1 */
    guint monitors;        /* 0: 1 */
    const char *arguments; /* further ones, or NULL */
} DaemonOptions;

typedef struct DaemonRig {
    Rig *rig;
    GPtrArray *disks; /* of DaemonDisk */
} DaemonRig;

/* TRUE if the suites can run here; says SKIP in TAP if not. */
gboolean daemon_available(void);

/* A daemon over a fresh image. */
DaemonDisk *daemon_disk_new(guint queues);
void daemon_disk_free(DaemonDisk *disk);
void daemon_disk_kill(DaemonDisk *disk); /* SIGKILL, and waits for its end */

/* Daemons and the machine over them, disks as in rig.h; not booted.  @options may be NULL. */
DaemonRig *daemon_rig_start(const DaemonOptions *options);
/* "quit" (status 0 is expected), all images compared, daemons ended. */
void daemon_rig_end(DaemonRig *daemon);
/* The same without "quit": the program has been waited for. */
void daemon_rig_free(DaemonRig *daemon);
DaemonDisk *daemon_disk(DaemonRig *daemon, guint index);

/* Fills @size bytes of @expected at @offset and of guest memory at @address with new random
 * bytes: what a write request will make true. */
void daemon_fill(DaemonRig *daemon, DaemonDisk *disk, uint64_t offset, uint64_t address,
                 uint32_t size);
/* Guest memory at @address holds what the disk has at @offset. */
void daemon_compare(DaemonRig *daemon, DaemonDisk *disk, uint64_t offset, uint64_t address,
                    uint32_t size);
/* The image file, byte by byte. */
void daemon_compare_image(DaemonDisk *disk);

/* Writes new bytes to disk @index through a buffer at @address and queue @queue, compares the
 * file, reads them back to the buffer and compares. */
void daemon_check(DaemonRig *daemon, guint index, guint queue, uint64_t offset, uint64_t address,
                  uint32_t size);

/* Member @path of x-query-vhost-user, such as "0/last-error".  Caller frees; NULL if missing. */
char *daemon_info(DaemonRig *daemon, const char *path);
/* How often @request has been sent by device @index. */
gint64 daemon_sent(DaemonRig *daemon, guint index, const char *request);
/* Waits until device @index is no longer connected. */
void daemon_wait_lost(DaemonRig *daemon, guint index);

#endif
