/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of frames in the format that tcpdump reads (draft-ietf-opsawg-pcap): written by any
 * thread, straight from where the frames lie, many with one system call.
 */
#ifndef VHOST_USER_NET_PCAP_H
#define VHOST_USER_NET_PCAP_H

#include "tools/common/sandbox.h"
#include "tools/vhost-user-net/frame.h"

typedef struct NetPcap NetPcap;

/* Makes the file @path, or empties it.  NULL with @error that begins with --pcap. */
NetPcap *net_pcap_open(const char *path, GError **error);

/* NULL is fine. */
void net_pcap_free(NetPcap *pcap);

/* One thread's frames on their way to the file. */
typedef struct NetPcapBatch {
    GArray *headers; /* of NetPcapRecord */
    GArray *pieces;  /* of struct iovec; a record's own first */
} NetPcapBatch;

void net_pcap_batch_init(NetPcapBatch *batch);
void net_pcap_batch_clear(NetPcapBatch *batch);

/* FALSE: the batch is full, or the frame has more pieces than fit into any. */
gboolean net_pcap_add(NetPcapBatch *batch, const NetFrame *frame);

/* Writes and empties it; returns how many frames were lost.  What does not fit into the file leaves
 * no trace there. */
guint net_pcap_flush(NetPcap *pcap, NetPcapBatch *batch);

extern const SandboxCall net_pcap_calls[];
extern const gsize net_pcap_call_count;

#endif
