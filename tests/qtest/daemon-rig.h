/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rig over real disk backends, Debian's and ours: one daemon a disk, over an image of random
 * bytes of which a copy is kept, so that each byte of the file can be compared.  Expectations that
 * fail end the test program.
 */
#ifndef QTEST_DAEMON_RIG_H
#define QTEST_DAEMON_RIG_H

#include "qtest/blk-daemon.h"
#include "qtest/rig.h"

#define DAEMON_IMAGE (UINT64_C(4) << 20) /* bytes of a disk */
#define DAEMON_SLOTS 32                  /* memory slots of the daemon of Debian 12 */

typedef struct DaemonDisk {
    BlkDaemonOptions options; /* what it is started with; strings are its own */
    pid_t pid;                /* 0: ended */
    char *image, *socket;
    uint8_t *expected; /* what the image must hold */
    int file;
} DaemonDisk;

typedef struct DaemonOptions {
    const BlkDaemonKind *kinds;       /* of each disk's daemon, NULL: daemon_kind() */
    guint disks;                      /* 0: 1 */
    guint queues;                     /* of each daemon and device, 0: 1 */
    guint monitors;                   /* 0: 1 */
    guint slots;                      /* memory slots of each daemon of ours, 0: its own choice */
    guint memory_slots;               /* of the machine, 0: 64 */
    gboolean read_only;               /* the daemons export read-only disks */
    gboolean log;                     /* each daemon's standard error goes to a file: options.log */
    const char *daemon_arguments;     /* further ones for each daemon of ours, or NULL */
    const char *arguments;            /* further ones for the machine, or NULL */
    const char *chardev;              /* further options of each chardev such as ",reconnect=1" */
    const char *binary;               /* the machine's program, NULL: QTEST_QEMU_BINARY */
    struct DaemonDisk *const *served; /* @disks daemons that run already and remain the caller's */
} DaemonOptions;

typedef struct DaemonRig {
    Rig *rig;
    GPtrArray *disks; /* of DaemonDisk */
} DaemonRig;

/*
 * Registers @function as test KIND/@path for both kinds of daemon, which the rig's functions start
 * while it runs.  A kind that is not installed is skipped, and says so.
 */
void daemon_test_add(const char *path, gconstpointer data, GTestDataFunc function);
/* Registers it once as KIND/@path; @kind is what the rig's functions start unless told otherwise.
 */
void daemon_test_add_for(BlkDaemonKind kind, const char *path, gconstpointer data,
                         GTestDataFunc function);
/* The same for vhost-user-blk with further @arguments, as vhost-user-blk/@variant/@path. */
void daemon_test_add_variant(const char *variant, const char *arguments, const char *path,
                             gconstpointer data, GTestDataFunc function);
BlkDaemonKind daemon_kind(void); /* of the test that runs */

/* A daemon of @kind over a fresh image; of @options, which may be NULL, what is the daemon's
 * counts. */
DaemonDisk *daemon_disk_new(BlkDaemonKind kind, const DaemonOptions *options);
void daemon_disk_free(DaemonDisk *disk);
/* Sends @signal and waits for the daemon's end; the status is as of waitpid(). */
int daemon_disk_end(DaemonDisk *disk, int signal);
void daemon_disk_kill(DaemonDisk *disk);    /* SIGKILL */
void daemon_disk_restart(DaemonDisk *disk); /* after its end: the same again */
char *daemon_disk_log(DaemonDisk *disk);    /* what it wrote with options.log; caller frees */

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
