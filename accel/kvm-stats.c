/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of statistics of a machine or a CPU (api.rst, KVM_GET_STATS_FD): a header, descriptors
 * with a name behind each, and a block of values.
 */
#include "accel/stats.h"
#include "kvm-internal.h"

#include "util/error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What we are ready to take: Linux 6.x has some 50 entries of at most 31 values. */
#define MOST_ENTRIES 4096u
#define MOST_NAME 1024u
#define MOST_VALUES 4096u

static void stat_free(gpointer opaque)
{
    AccelStat *stat = opaque;

    g_free(stat->name);
    g_free(stat->values);
    g_free(stat);
}

static gboolean read_at(int fd, void *bytes, gsize size, uint64_t offset, GError **error)
{
    gssize result;

    do {
        result = pread(fd, bytes, size, (off_t)offset);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        vm_error_set_errno(error, errno, "KVM's statistics cannot be read");
    } else if ((gsize)result != size) {
        vm_error_set(error, "KVM's statistics end after %zd of %zu bytes", result, size);
    }
    return result >= 0 && (gsize)result == size;
}

static gboolean check_header(const struct kvm_stats_header *header, GError **error)
{
    if (header->num_desc > MOST_ENTRIES || header->name_size == 0 ||
        header->name_size > MOST_NAME) {
        vm_error_set(error, "KVM's statistics have %u entries with names of %u bytes",
                     header->num_desc, header->name_size);
        return FALSE;
    }
    return TRUE;
}

/* The entry that @descriptor, with @name behind it, says; NULL if it is of a kind not known. */
static AccelStat *make_stat(const struct kvm_stats_desc *descriptor, const char *name,
                            gsize name_size)
{
    guint type = (descriptor->flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT;
    guint unit = (descriptor->flags & KVM_STATS_UNIT_MASK) >> KVM_STATS_UNIT_SHIFT;
    guint base = descriptor->flags & KVM_STATS_BASE_MASK;

    if (type >= ACCEL_STAT_TYPES || unit >= ACCEL_STAT_UNITS || base > KVM_STATS_BASE_POW2 ||
        descriptor->size == 0 || descriptor->size > MOST_VALUES) {
        return NULL;
    }
    AccelStat *stat = g_new0(AccelStat, 1);
    *stat = (AccelStat){
        .name = g_strndup(name, name_size),
        .type = (AccelStatType)type,
        .unit = (AccelStatUnit)unit,
        .base = base == KVM_STATS_BASE_POW2 ? 2 : 10,
        .exponent = descriptor->exponent,
        .bucket_size = descriptor->bucket_size,
        .count = descriptor->size,
        .values = g_new0(uint64_t, descriptor->size),
    };
    return stat;
}

GPtrArray *kvm_stats_read(int fd, GError **error)
{
    struct kvm_stats_header header;

    if (!read_at(fd, &header, sizeof(header), 0, error) || !check_header(&header, error)) {
        return NULL;
    }
    g_autoptr(GPtrArray) stats = g_ptr_array_new_with_free_func(stat_free);
    gsize stride = sizeof(struct kvm_stats_desc) + header.name_size;
    g_autofree char *block = g_malloc(stride * header.num_desc);
    if (!read_at(fd, block, stride * header.num_desc, header.desc_offset, error)) {
        return NULL;
    }
    for (guint i = 0; i < header.num_desc; i++) {
        struct kvm_stats_desc descriptor;
        memcpy(&descriptor, block + i * stride, sizeof(descriptor));
        AccelStat *stat =
            make_stat(&descriptor, block + i * stride + sizeof(descriptor), header.name_size);
        if (!stat) {
            continue;
        }
        g_ptr_array_add(stats, stat);
        if (!read_at(fd, stat->values, stat->count * sizeof(uint64_t),
                     (uint64_t)header.data_offset + descriptor.offset, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&stats);
}

int kvm_stats_open(int fd)
{
    return kvm_has(KVM_CAP_BINARY_STATS_FD) ? MAX(kvm_ioctl(fd, KVM_GET_STATS_FD, NULL), -1) : -1;
}

GPtrArray *kvm_stats(gint cpu, GError **error)
{
    gboolean machine = cpu == ACCEL_STATS_MACHINE;
    int fd = machine ? kvm_stats_open(kvm.vm_fd) : kvm_vcpu_stats_fd((guint)cpu);

    if (fd < 0) {
        return g_ptr_array_new();
    }
    GPtrArray *stats = kvm_stats_read(fd, error);
    if (machine) {
        close(fd);
    }
    return stats;
}
