/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of frames. */
#include "tools/vhost-user-net/pcap.h"

#include "tools/common/log.h"
#include "util/error.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* draft-ietf-opsawg-pcap, 4 "General File Structure": times in microseconds, Ethernet frames. */
#define MAGIC 0xa1b2c3d4u
#define VERSION_MAJOR 2
#define VERSION_MINOR 4
#define LINK_ETHERNET 1u

#define PIECES_MAXIMUM 1024u /* of one system call: IOV_MAX */
#define FRAMES_MAXIMUM 128u

typedef struct FileHeader {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t reserved[2];
    uint32_t longest;
    uint32_t link;
} FileHeader;

typedef struct NetPcapRecord {
    uint32_t seconds, microseconds;
    uint32_t captured, size;
} NetPcapRecord;

struct NetPcap {
    char *path;
    int fd;
    pthread_mutex_t mutex;
    /* Under it: */
    off_t end;
    gboolean failed; /* which was told */
};

const SandboxCall net_pcap_calls[] = {{SCMP_SYS(pwritev), -1, 0, 0}};
const gsize net_pcap_call_count = G_N_ELEMENTS(net_pcap_calls);

static gboolean begin_file(NetPcap *pcap)
{
    const FileHeader header = {.magic = MAGIC,
                               .major = VERSION_MAJOR,
                               .minor = VERSION_MINOR,
                               .longest = NET_FRAME_MAXIMUM,
                               .link = LINK_ETHERNET};

    pcap->end = sizeof(header);
    return ftruncate(pcap->fd, 0) == 0 &&
           pwrite(pcap->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header);
}

NetPcap *net_pcap_open(const char *path, GError **error)
{
    NetPcap *pcap = g_new0(NetPcap, 1);
    struct stat status;

    pthread_mutex_init(&pcap->mutex, NULL);
    pcap->path = g_strdup(path);
    /* A pipe that nobody reads would keep us waiting. */
    pcap->fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
    if (pcap->fd < 0 || fstat(pcap->fd, &status) < 0) {
        vm_error_set_errno(error, errno, "--pcap %s: cannot be opened for writing", path);
    } else if (!S_ISREG(status.st_mode)) {
        vm_error_set(error, "--pcap %s: not a regular file", path);
    } else if (!begin_file(pcap)) {
        vm_error_set_errno(error, errno ? errno : ENOSPC, "--pcap %s: cannot be written", path);
    } else {
        return pcap;
    }
    net_pcap_free(pcap);
    return NULL;
}

void net_pcap_free(NetPcap *pcap)
{
    if (pcap) {
        fd_clear(&pcap->fd);
        pthread_mutex_destroy(&pcap->mutex);
        g_free(pcap->path);
        g_free(pcap);
    }
}

void net_pcap_batch_init(NetPcapBatch *batch)
{
    /* Pieces point to records: those do not move. */
    batch->headers = g_array_sized_new(FALSE, FALSE, sizeof(NetPcapRecord), FRAMES_MAXIMUM);
    batch->pieces = g_array_new(FALSE, FALSE, sizeof(struct iovec));
}

void net_pcap_batch_clear(NetPcapBatch *batch)
{
    g_array_unref(batch->headers);
    g_array_unref(batch->pieces);
}

gboolean net_pcap_add(NetPcapBatch *batch, const NetFrame *frame)
{
    struct timespec now;
    gsize skip = frame->header_size;

    if (batch->headers->len == FRAMES_MAXIMUM ||
        batch->pieces->len + 1 + frame->piece_count > PIECES_MAXIMUM) {
        return FALSE;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    const NetPcapRecord record = {.seconds = (uint32_t)now.tv_sec,
                                  .microseconds = (uint32_t)(now.tv_nsec / 1000),
                                  .captured = (uint32_t)frame->size,
                                  .size = (uint32_t)frame->size};
    g_array_append_val(batch->headers, record);
    struct iovec piece = {&g_array_index(batch->headers, NetPcapRecord, batch->headers->len - 1),
                          sizeof(record)};
    g_array_append_val(batch->pieces, piece);
    for (guint i = 0; i < frame->piece_count; i++) {
        gsize skipped = MIN(skip, frame->pieces[i].iov_len);

        piece = (struct iovec){(guint8 *)frame->pieces[i].iov_base + skipped,
                               frame->pieces[i].iov_len - skipped};
        skip -= skipped;
        if (piece.iov_len > 0) {
            g_array_append_val(batch->pieces, piece);
        }
    }
    return TRUE;
}

static gboolean write_pieces(NetPcap *pcap, const NetPcapBatch *batch)
{
    const struct iovec *pieces = (const struct iovec *)(void *)batch->pieces->data;
    ssize_t size = 0;

    for (guint i = 0; i < batch->pieces->len; i++) {
        size += (ssize_t)pieces[i].iov_len;
    }
    errno = ENOSPC; /* what a write that ends early means */
    if (pwritev(pcap->fd, pieces, (int)batch->pieces->len, pcap->end) == size) {
        pcap->end += size;
        pcap->failed = FALSE;
        return TRUE;
    }
    if (!pcap->failed) {
        log_warning("--pcap %s: frames are lost: %s", pcap->path, g_strerror(errno));
        pcap->failed = TRUE;
    }
    if (ftruncate(pcap->fd, pcap->end) < 0) {
        return FALSE; /* the next write begins there all the same */
    }
    return FALSE;
}

guint net_pcap_flush(NetPcap *pcap, NetPcapBatch *batch)
{
    guint frames = batch->headers->len;
    gboolean good = TRUE;

    if (frames > 0) {
        pthread_mutex_lock(&pcap->mutex);
        good = write_pieces(pcap, batch);
        pthread_mutex_unlock(&pcap->mutex);
    }
    g_array_set_size(batch->headers, 0);
    g_array_set_size(batch->pieces, 0);
    return good ? 0 : frames;
}
