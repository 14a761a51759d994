/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of statistics as KVM gives it, good and broken. */
#include "accel/stats.h"

#include <glib.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_SIZE 16
#define DATA 512

/* struct kvm_stats_desc with room for its name. */
typedef struct Entry {
    struct {
        uint32_t flags;
        int16_t exponent;
        uint16_t size;
        uint32_t offset, bucket_size;
    } descriptor;
    char name[NAME_SIZE];
} Entry;
G_STATIC_ASSERT(G_STRUCT_OFFSET(Entry, name) == sizeof(struct kvm_stats_desc));

static const Entry entries[] = {
    {{.flags = KVM_STATS_TYPE_CUMULATIVE, .size = 1, .offset = 0}, "exits"},
    {{.flags = KVM_STATS_TYPE_LINEAR_HIST | KVM_STATS_UNIT_SECONDS,
      .exponent = -9,
      .size = 3,
      .offset = 8,
      .bucket_size = 10},
     "wait"},
    {{.flags = KVM_STATS_TYPE_MASK, .size = 1, .offset = 0}, "unknown type"},
    {{.flags = KVM_STATS_TYPE_PEAK | KVM_STATS_UNIT_BYTES | KVM_STATS_BASE_POW2,
      .exponent = 10,
      .size = 1,
      .offset = 32},
     "exactly 16 bytes"},
};
static const uint64_t values[] = {7, 1, 2, 3, UINT64_MAX};
static const struct kvm_stats_header sound = {
    .name_size = NAME_SIZE, .num_desc = 4, .desc_offset = 64, .data_offset = DATA};

static int make_file(struct kvm_stats_header header, gsize size)
{
    int fd = memfd_create("stats", MFD_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pwrite(fd, &header, sizeof(header), 0), ==, sizeof(header));
    g_assert_cmpint(pwrite(fd, entries, sizeof(entries), 64), ==, sizeof(entries));
    g_assert_cmpint(pwrite(fd, values, sizeof(values), DATA), ==, sizeof(values));
    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    return fd;
}

static void test_sound(void)
{
    g_autoptr(GError) error = NULL;
    int fd = make_file(sound, DATA + sizeof(values));
    g_autoptr(GPtrArray) stats = kvm_stats_read(fd, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(stats->len, ==, 3);
    const AccelStat *exits = g_ptr_array_index(stats, 0);
    g_assert_cmpstr(exits->name, ==, "exits");
    g_assert_cmpuint(exits->count, ==, 1);
    g_assert_cmpuint(exits->values[0], ==, 7);
    g_assert_cmpint(exits->unit, ==, ACCEL_STAT_NO_UNIT);
    const AccelStat *wait = g_ptr_array_index(stats, 1);
    g_assert_cmpint(wait->type, ==, ACCEL_STAT_LINEAR_HISTOGRAM);
    g_assert_cmpint(wait->unit, ==, ACCEL_STAT_SECONDS);
    g_assert_cmpint(wait->exponent, ==, -9);
    g_assert_cmpuint(wait->base, ==, 10);
    g_assert_cmpuint(wait->bucket_size, ==, 10);
    g_assert_cmpuint(wait->count, ==, 3);
    g_assert_cmpuint(wait->values[2], ==, 3);
    const AccelStat *last = g_ptr_array_index(stats, 2);
    g_assert_cmpstr(last->name, ==, "exactly 16 bytes"); /* without a zero behind it */
    g_assert_cmpuint(last->base, ==, 2);
    g_assert_cmpuint(last->values[0], ==, UINT64_MAX);
    close(fd);
}

static void refused(struct kvm_stats_header header, gsize size, const char *why)
{
    g_autoptr(GError) error = NULL;
    int fd = make_file(header, size);

    g_assert_null(kvm_stats_read(fd, &error));
    g_assert_nonnull(strstr(error->message, why));
    close(fd);
}

static void test_broken(void)
{
    struct kvm_stats_header header = sound;

    refused(header, 10, "end after 10 of");
    refused(header, 100, "end after");
    refused(header, DATA + 8, "end after");
    header.num_desc = UINT32_MAX;
    refused(header, DATA + sizeof(values), "4294967295 entries");
    header = sound;
    header.name_size = 0;
    refused(header, DATA + sizeof(values), "names of 0 bytes");
    header.name_size = UINT32_MAX;
    refused(header, DATA + sizeof(values), "names of 4294967295 bytes");
    header = sound;
    header.data_offset = UINT32_MAX;
    refused(header, DATA + sizeof(values), "end after 0 of");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm-stats/sound", test_sound);
    g_test_add_func("/kvm-stats/broken", test_broken);
    return g_test_run();
}
