/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image of a vhost-user disk: opening, locking, its size and its properties. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "disk-internal.h"
#include "util/error.h"
#include "util/fd.h"

#define ALIGNMENT_MAX 4096u /* no Linux device asks more of O_DIRECT */

/* --- the lock --- */

/*
 * Two locks, which share all bytes between them: the bytes before REQUESTS_BYTE, which no image
 * reaches, stand for the program that has the image, the others for requests under way.
 */
#define REQUESTS_BYTE (INT64_C(1) << 62)

/* What is waited for the locks of a process that was killed. */
#define LOCK_MILLISECONDS 500
#define REQUESTS_MILLISECONDS 2000
#define STEP_MILLISECONDS 10

/* As open(2), but waits for a device that a process that was killed has not let go of yet. */
static int open_exclusive(const char *path, int flags)
{
    int fd = open(path, flags);

    for (unsigned waited = 0; fd < 0 && errno == EBUSY && waited < LOCK_MILLISECONDS;
         waited += STEP_MILLISECONDS) {
        g_usleep(STEP_MILLISECONDS * 1000);
        fd = open(path, flags);
    }
    return fd;
}

/*
 * The lock has a descriptor of its own: io_uring keeps a registered file open for some time after
 * the process is gone, and the next start should not find the image in use.  A block device that
 * is mounted, or that somebody else has opened so, cannot be opened for writing with O_EXCL,
 * open(2).
 */
static gboolean open_lock(BlkDisk *disk, const struct stat *status, GError **error)
{
    struct stat again;

    disk->lock_fd =
        open_exclusive(disk->path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC |
                                       (disk->is_block_device && !disk->read_only ? O_EXCL : 0));
    if (disk->lock_fd < 0 && errno == EBUSY) {
        vm_error_set(error,
                     "%s: is mounted or in use by another program; unmount it, or use --read-only",
                     disk->path);
        return FALSE;
    }
    if (disk->lock_fd < 0 || fstat(disk->lock_fd, &again) != 0) {
        vm_error_set_errno(error, errno, "%s", disk->path);
        return FALSE;
    }
    if (again.st_dev != status->st_dev || again.st_ino != status->st_ino) {
        vm_error_set(error, "%s: was replaced while it was being opened", disk->path);
        return FALSE;
    }
    return TRUE;
}

/*
 * TRUE if the lock was got, FALSE with errno.  The kernel lets go of the lock of a process that was
 * killed some time after it was waited for, so that who is started in its place can still meet it.
 */
static gboolean wait_for_lock(int fd, const struct flock *lock, unsigned patience)
{
    for (unsigned waited = 0; fcntl(fd, F_OFD_SETLK, lock) != 0; waited += STEP_MILLISECONDS) {
        if ((errno != EAGAIN && errno != EACCES) || waited >= patience) {
            return FALSE;
        }
        g_usleep(STEP_MILLISECONDS * 1000);
    }
    return TRUE;
}

static gboolean is_held_by_another(int error)
{
    return error == EAGAIN || error == EACCES;
}

/* Some network file systems have no locks; an image there is worth no less. */
static void warn_no_lock(BlkDisk *disk, int error)
{
    g_free(disk->lock_warning);
    disk->lock_warning = g_strdup_printf("%s: cannot be locked against other programs: %s",
                                         disk->path, g_strerror(error));
}

/*
 * What a process that is killed has under way with O_DIRECT goes on without it: a write would
 * overtake those of the next process, a read would hit memory that the guest has given to something
 * else.  The kernel keeps the image's descriptor open until the last of them has ended, since
 * io_uring has it registered, and with it this lock.  Other requests don't outlive the threads
 * that carry them out, and end before the process does.
 */
static gboolean lock_requests(BlkDisk *disk, GError **error)
{
    struct flock lock = {.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = REQUESTS_BYTE,
                         .l_len = 0};

    if (wait_for_lock(disk->direct ? disk->fd : disk->lock_fd, &lock, REQUESTS_MILLISECONDS)) {
        return TRUE;
    }
    if (is_held_by_another(errno)) {
        vm_error_set(error,
                     "%s: requests of a process that was killed are still under way, and would "
                     "mix with those to come; start again when they have ended",
                     disk->path);
        return FALSE;
    }
    warn_no_lock(disk, errno);
    return TRUE;
}

/* In an orderly end nothing is under way, and who comes next need not wait for the kernel. */
static void unlock_requests(const BlkDisk *disk)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = REQUESTS_BYTE};

    fcntl(disk->fd, F_OFD_SETLK, &lock);
}

/*
 * Open file description locks, which belong to our descriptors and not to the process. Writers
 * lock every byte; readers the first and those for requests, so that they refuse writers that lock
 * like this, and leave readers of other programs alone, which lock bytes of their own choice.
 */
static gboolean lock_image(BlkDisk *disk, const struct stat *status, GError **error)
{
    struct flock lock = {.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = 0,
                         .l_len = disk->read_only ? 1 : REQUESTS_BYTE};

    if (!open_lock(disk, status, error)) {
        return FALSE;
    }
    if (wait_for_lock(disk->lock_fd, &lock, LOCK_MILLISECONDS)) {
        return lock_requests(disk, error);
    }
    if (!is_held_by_another(errno)) {
        warn_no_lock(disk, errno);
        return TRUE;
    }
    if (disk->read_only) {
        vm_error_set(error, "%s: another program has it open for writing; end that first",
                     disk->path);
    } else {
        vm_error_set(error,
                     "%s: another program has it locked, and two writers would destroy it; "
                     "end that first, or use --read-only in both",
                     disk->path);
    }
    return FALSE;
}

/* --- the size --- */

static gboolean read_size(const BlkDisk *disk, uint64_t *size, GError **error)
{
    struct stat status;

    if (disk->is_block_device) {
        if (ioctl(disk->fd, BLKGETSIZE64, size) == 0) {
            return TRUE;
        }
    } else if (fstat(disk->fd, &status) == 0) {
        *size = (uint64_t)status.st_size;
        return TRUE;
    }
    vm_error_set_errno(error, errno, "%s: its size cannot be read", disk->path);
    return FALSE;
}

static void join_warnings(BlkDisk *disk)
{
    g_free(disk->warning);
    disk->warning = disk->size_warning != NULL && disk->lock_warning != NULL
                        ? g_strconcat(disk->size_warning, "; ", disk->lock_warning, NULL)
                        : g_strdup(disk->size_warning ?: disk->lock_warning);
}

gboolean blk_disk_refresh(BlkDisk *disk, gboolean *changed, GError **error)
{
    uint64_t size, usable;

    if (!read_size(disk, &size, error)) {
        return FALSE;
    }
    usable = size - size % disk->block_size;
    if (usable == 0) {
        vm_error_set(error, "%s: has %" G_GUINT64_FORMAT " bytes, less than one block of %u",
                     disk->path, (guint64)size, disk->block_size);
        return FALSE;
    }
    g_clear_pointer(&disk->size_warning, g_free);
    if (usable != size) {
        disk->size_warning = g_strdup_printf(
            "%s: has %" G_GUINT64_FORMAT " bytes, no multiple of the block size %u; "
            "the last %" G_GUINT64_FORMAT " are not used",
            disk->path, (guint64)size, disk->block_size, (guint64)(size - usable));
    }
    join_warnings(disk);
    *changed = atomic_exchange(&disk->size, usable) != usable;
    return TRUE;
}

/* --- block sizes and alignment --- */

static gboolean is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* What the kernel says about O_DIRECT, where it does (Linux 6.1). */
static gboolean direct_alignment_from_kernel(BlkDisk *disk)
{
#ifdef STATX_DIOALIGN
    struct statx status;

    if (statx(disk->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
        (status.stx_mask & STATX_DIOALIGN) != 0 && is_power_of_two(status.stx_dio_mem_align) &&
        is_power_of_two(status.stx_dio_offset_align)) {
        disk->memory_alignment = status.stx_dio_mem_align;
        disk->offset_alignment = status.stx_dio_offset_align;
        return TRUE;
    }
#endif
    return FALSE;
}

/* Older kernels don't say; the smallest read that works tells it. */
static void direct_alignment_from_reading(BlkDisk *disk)
{
    static _Alignas(2 * ALIGNMENT_MAX) uint8_t buffer[3 * ALIGNMENT_MAX];

    for (uint32_t alignment = BLK_SECTOR_SIZE; alignment < ALIGNMENT_MAX; alignment *= 2) {
        /* An address and an offset that have this alignment and no greater one. */
        if (pread(disk->fd, buffer + alignment, alignment, alignment) >= 0) {
            disk->memory_alignment = disk->offset_alignment = alignment;
            return;
        }
    }
    disk->memory_alignment = disk->offset_alignment = ALIGNMENT_MAX;
}

static gboolean choose_block_size(BlkDisk *disk, uint32_t wanted, GError **error)
{
    uint32_t least = MAX(disk->direct ? disk->offset_alignment : 1, BLK_SECTOR_SIZE);

    disk->block_size = wanted != 0 ? wanted : MAX(least, disk->device_block_size);
    if (disk->block_size != 512 && disk->block_size != 4096) {
        vm_error_set(error, "%s: has blocks of %u bytes; only 512 and 4096 are possible",
                     disk->path, disk->block_size);
        return FALSE;
    }
    if (disk->block_size < least) {
        vm_error_set(error,
                     "%s: can be read and written around the page cache in blocks of %u bytes "
                     "only, not of %u; use --block-size %u",
                     disk->path, least, disk->block_size, least);
        return FALSE;
    }
    return TRUE;
}

/* The unit that the host writes whole: smaller writes cost a read. */
static uint32_t physical_block_size(const BlkDisk *disk, const struct stat *status)
{
    unsigned size = 0;

    if (!disk->is_block_device || ioctl(disk->fd, BLKPBSZGET, &size) != 0) {
        size = MIN((uint64_t)status->st_blksize, 4096);
    }
    return is_power_of_two(size) ? MAX(size, disk->block_size) : disk->block_size;
}

static gboolean read_block_sizes(BlkDisk *disk, const struct stat *status, uint32_t wanted,
                                 GError **error)
{
    int logical = 1;

    if (disk->is_block_device && ioctl(disk->fd, BLKSSZGET, &logical) != 0) {
        vm_error_set_errno(error, errno, "%s: its block size cannot be read", disk->path);
        return FALSE;
    }
    disk->device_block_size = (uint32_t)logical;
    disk->memory_alignment = disk->offset_alignment = 1;
    if (disk->direct && !direct_alignment_from_kernel(disk)) {
        direct_alignment_from_reading(disk);
    }
    if (!choose_block_size(disk, wanted, error)) {
        return FALSE;
    }
    disk->physical_block_size = physical_block_size(disk, status);
    return TRUE;
}

/* --- discarding --- */

/* Asks in a way that changes nothing: a range that is never valid, and one behind the end. */
static gboolean probe_discard(const BlkDisk *disk, const struct stat *status)
{
    if (disk->read_only) {
        return FALSE;
    }
    if (disk->is_block_device) {
        uint64_t range[2] = {1, BLK_SECTOR_SIZE};

        return ioctl(disk->lock_fd, BLKDISCARD, range) != 0 && errno == EINVAL;
    }
    off_t behind = (status->st_size | (off_t)(ALIGNMENT_MAX - 1)) + 1;

    return fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, behind, ALIGNMENT_MAX) ==
           0;
}

/* --- opening --- */

static gboolean check_type(BlkDisk *disk, const struct stat *status, GError **error)
{
    disk->is_block_device = S_ISBLK(status->st_mode);
    if (!disk->is_block_device && !S_ISREG(status->st_mode)) {
        vm_error_set(error, "%s: is %s; an image is a regular file or a block device", disk->path,
                     S_ISDIR(status->st_mode) ? "a directory" : "a special file");
        return FALSE;
    }
    return TRUE;
}

static gboolean open_file(BlkDisk *disk, struct stat *status, GError **error)
{
    /* Looked at before it is opened: opening a FIFO waits, opening a tape winds it. */
    if (stat(disk->path, status) != 0) {
        vm_error_set_errno(error, errno, "%s", disk->path);
        return FALSE;
    }
    if (!check_type(disk, status, error)) {
        return FALSE;
    }
    disk->fd = open(disk->path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC |
                                    (disk->direct ? O_DIRECT : 0));
    if (disk->fd < 0) {
        if (errno == EINVAL && disk->direct) {
            vm_error_set(error,
                         "%s: its file system has no O_DIRECT; leave out --direct and "
                         "--cache none",
                         disk->path);
        } else {
            vm_error_set_errno(error, errno, "%s", disk->path);
        }
        return FALSE;
    }
    if (fstat(disk->fd, status) != 0) {
        vm_error_set_errno(error, errno, "%s", disk->path);
        return FALSE;
    }
    return check_type(disk, status, error);
}

static gboolean is_in_memory(const BlkDisk *disk)
{
    struct statfs status;

    return !disk->is_block_device && fstatfs(disk->fd, &status) == 0 &&
           (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

BlkDisk *blk_disk_open(const BlkDiskOptions *options, GError **error)
{
    g_autoptr(BlkDisk) disk = g_new0(BlkDisk, 1);
    struct stat status;
    gboolean changed;

    disk->path = g_strdup(options->path);
    disk->fd = disk->lock_fd = -1;
    disk->read_only = options->read_only;
    disk->cache = options->cache;
    disk->direct = options->direct || options->cache == BLK_CACHE_NONE;
    if (!open_file(disk, &status, error) || !lock_image(disk, &status, error) ||
        !read_block_sizes(disk, &status, options->block_size, error) ||
        !blk_disk_refresh(disk, &changed, error)) {
        return NULL;
    }
    disk->in_memory = is_in_memory(disk);
    disk->can_discard = probe_discard(disk, &status);
    return g_steal_pointer(&disk);
}

void blk_disk_close(BlkDisk *disk)
{
    if (disk == NULL) {
        return;
    }
    if (disk->fd >= 0) {
        unlock_requests(disk);
    }
    fd_clear(&disk->fd);
    fd_clear(&disk->lock_fd);
    g_free(disk->size_warning);
    g_free(disk->lock_warning);
    g_free(disk->warning);
    g_free(disk->path);
    g_free(disk);
}

/* --- what it is --- */

const char *blk_disk_warning(const BlkDisk *disk)
{
    return disk->warning;
}

const char *blk_disk_path(const BlkDisk *disk)
{
    return disk->path;
}

int blk_disk_fd(const BlkDisk *disk)
{
    return disk->fd;
}

uint64_t blk_disk_size(const BlkDisk *disk)
{
    return atomic_load_explicit(&disk->size, memory_order_relaxed);
}

uint32_t blk_disk_block_size(const BlkDisk *disk)
{
    return disk->block_size;
}

uint32_t blk_disk_physical_block_size(const BlkDisk *disk)
{
    return disk->physical_block_size;
}

gboolean blk_disk_read_only(const BlkDisk *disk)
{
    return disk->read_only;
}

gboolean blk_disk_direct(const BlkDisk *disk)
{
    return disk->direct;
}

BlkCache blk_disk_cache(const BlkDisk *disk)
{
    return disk->cache;
}

gboolean blk_disk_in_memory(const BlkDisk *disk)
{
    return disk->in_memory;
}

gboolean blk_disk_can_discard(const BlkDisk *disk)
{
    return disk->can_discard;
}

uint32_t blk_disk_offset_alignment(const BlkDisk *disk)
{
    return disk->offset_alignment;
}

uint32_t blk_disk_memory_alignment(const BlkDisk *disk)
{
    return disk->memory_alignment;
}

void blk_disk_set_write_through(BlkDisk *disk, gboolean write_through)
{
    atomic_store(&disk->write_through, write_through && disk->cache != BLK_CACHE_UNSAFE);
}

gboolean blk_disk_write_through(const BlkDisk *disk)
{
    return atomic_load_explicit(&disk->write_through, memory_order_relaxed);
}
