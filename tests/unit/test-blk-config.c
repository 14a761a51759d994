/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver sees of a disk of vhost-user-blk before its first request. */
#include "tools/vhost-user-blk/config.h"

#include <linux/virtio_blk.h>
#include <string.h>
#include <unistd.h>

#include "blk-image.h"

#define IMAGE_SIZE (2048u * 512u)
#define BIT(name) (UINT64_C(1) << VIRTIO_BLK_F_##name)
#define ALWAYS                                                                                     \
    (BIT(SIZE_MAX) | BIT(SEG_MAX) | BIT(GEOMETRY) | BIT(BLK_SIZE) | BIT(FLUSH) | BIT(TOPOLOGY))
#define WRITABLE (BIT(CONFIG_WCE) | BIT(WRITE_ZEROES))

typedef struct Fixture {
    BlkImage *image;
    BlkDisk *disk;
    BlkConfig *config;
} Fixture;

static gboolean begin(Fixture *fixture, BlkDiskOptions options, uint16_t queues, uint16_t size)
{
    *fixture = (Fixture){.image = blk_image_new(BLK_IMAGE_ON_DISK, IMAGE_SIZE)};
    if (fixture->image != NULL) {
        fixture->disk = blk_image_open(fixture->image, options);
        fixture->config = blk_config_new(fixture->disk, queues, size);
    }
    return fixture->image != NULL;
}

static void end(Fixture *fixture)
{
    blk_config_free(fixture->config);
    blk_disk_close(fixture->disk);
    blk_image_free(fixture->image);
}

static struct virtio_blk_config read_space(const Fixture *fixture)
{
    struct virtio_blk_config space;

    memset(&space, 0xff, sizeof(space));
    blk_config_read(fixture->config, 0, sizeof(space), &space);
    return space;
}

static void test_features(void)
{
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){0}, 1, 128)) {
        uint64_t discard = blk_disk_can_discard(fixture.disk) ? BIT(DISCARD) : 0;

        g_assert_cmphex(blk_config_features(fixture.config), ==, ALWAYS | WRITABLE | discard);
    }
    end(&fixture);
    if (begin(&fixture, (BlkDiskOptions){.read_only = TRUE}, 4, 128)) {
        g_assert_cmphex(blk_config_features(fixture.config), ==, ALWAYS | BIT(RO) | BIT(MQ));
    }
    end(&fixture);
}

static void test_space(void)
{
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){.block_size = 512}, 4, 256)) {
        struct virtio_blk_config space = read_space(&fixture);
        unsigned physical = blk_disk_physical_block_size(fixture.disk) / 512;

        g_assert_cmpuint(space.capacity, ==, IMAGE_SIZE / 512);
        g_assert_cmpuint(space.size_max, ==, BLK_SIZE_MAX);
        g_assert_cmpuint(space.seg_max, ==, 254);
        g_assert_cmpuint(space.geometry.cylinders, ==, 2);
        g_assert_cmpuint(space.geometry.heads, ==, 16);
        g_assert_cmpuint(space.geometry.sectors, ==, 63);
        g_assert_cmpuint(space.blk_size, ==, 512);
        g_assert_cmpuint(1u << space.physical_block_exp, ==, physical);
        g_assert_cmpuint(space.min_io_size, ==, physical);
        g_assert_cmpuint(space.opt_io_size, ==, 0);
        g_assert_cmpuint(space.num_queues, ==, 4);
        g_assert_cmpuint(space.max_write_zeroes_sectors, ==, BLK_DISCARD_SECTORS_MAX);
        g_assert_cmpuint(space.max_write_zeroes_seg, ==, BLK_DISCARD_SEGMENTS_MAX);
        g_assert_cmpuint(space.write_zeroes_may_unmap, ==, blk_disk_can_discard(fixture.disk));
        if (blk_disk_can_discard(fixture.disk)) {
            g_assert_cmpuint(space.max_discard_sectors, ==, BLK_DISCARD_SECTORS_MAX);
            g_assert_cmpuint(space.max_discard_seg, ==, BLK_DISCARD_SEGMENTS_MAX);
            g_assert_cmpuint(space.discard_sector_alignment, ==, physical);
        }
    }
    end(&fixture);
    if (begin(&fixture, (BlkDiskOptions){.read_only = TRUE, .block_size = 4096}, 1, 2)) {
        struct virtio_blk_config space = read_space(&fixture);

        g_assert_cmpuint(space.blk_size, ==, 4096);
        g_assert_cmpuint(space.physical_block_exp, ==, 0);
        g_assert_cmpuint(space.seg_max, ==, 1);
        g_assert_cmpuint(space.max_discard_sectors, ==, 0);
        g_assert_cmpuint(space.max_write_zeroes_sectors, ==, 0);
        g_assert_cmpuint(space.write_zeroes_may_unmap, ==, 0);
    }
    end(&fixture);
}

/* Any offset and size: each byte is the same however it is read, and 0 behind the end. */
static void test_parts(void)
{
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){0}, 4, 256)) {
        uint8_t whole[256] = {0}, part[256];
        uint32_t size = blk_config_size();

        g_assert_cmpuint(size, ==, 60); /* virtio 1.2, 5.2.4, up to write_zeroes_may_unmap */
        blk_config_read(fixture.config, 0, size, whole);
        for (uint32_t offset = 0; offset < 80; offset++) {
            for (uint32_t length = 0; length <= 80; length++) {
                memset(part, 0xff, sizeof(part));
                blk_config_read(fixture.config, offset, length, part);
                g_assert_cmpmem(part, length, whole + offset, length);
                g_assert_cmpuint(part[length], ==, 0xff);
            }
        }
        blk_config_read(fixture.config, UINT32_MAX, 4, part);
        g_assert_cmpmem(part, 4, whole + size, 4);
    }
    end(&fixture);
}

static void test_resize(void)
{
    Fixture fixture;
    gboolean changed = FALSE;

    if (begin(&fixture, (BlkDiskOptions){0}, 1, 128)) {
        g_assert_cmpint(truncate(fixture.image->path, 2 * IMAGE_SIZE), ==, 0);
        g_assert_cmpuint(read_space(&fixture).capacity, ==, IMAGE_SIZE / 512);
        g_assert_true(blk_disk_refresh(fixture.disk, &changed, NULL));
        g_assert_true(changed);
        g_assert_cmpuint(read_space(&fixture).capacity, ==, 2 * IMAGE_SIZE / 512);
        g_assert_cmpuint(read_space(&fixture).geometry.cylinders, ==, 4);
    }
    end(&fixture);
}

/* --- the write cache: virtio 1.2, 5.2.5.2 and 5.2.6.2 --- */

static void assert_write_through(const Fixture *fixture, gboolean write_through)
{
    g_assert_cmpint(blk_disk_write_through(fixture->disk), ==, write_through);
    g_assert_cmpuint(read_space(fixture).wce, ==, !write_through);
}

static gboolean write_byte(const Fixture *fixture, uint8_t value, GError **error)
{
    return blk_config_write(fixture->config, offsetof(struct virtio_blk_config, wce), 1, &value,
                            error);
}

static void test_cache(void)
{
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){0}, 1, 128)) {
        /* No driver yet: writes would be stable, and the space tells what most drivers will get,
         * as front-ends read it before a driver chooses. */
        g_assert_true(blk_disk_write_through(fixture.disk));
        g_assert_cmpuint(read_space(&fixture).wce, ==, 1);
        blk_config_set_driver_features(fixture.config, BIT(FLUSH));
        assert_write_through(&fixture, FALSE);
        blk_config_set_driver_features(fixture.config, BIT(SEG_MAX));
        assert_write_through(&fixture, TRUE);
        /* With CONFIG_WCE and without FLUSH it begins as 0. */
        blk_config_set_driver_features(fixture.config, BIT(CONFIG_WCE));
        assert_write_through(&fixture, TRUE);
        g_assert_true(write_byte(&fixture, 1, NULL));
        assert_write_through(&fixture, FALSE);
        blk_config_set_driver_features(fixture.config, BIT(CONFIG_WCE) | BIT(FLUSH));
        assert_write_through(&fixture, FALSE);
        g_assert_true(write_byte(&fixture, 0, NULL));
        assert_write_through(&fixture, TRUE);
        /* The same again, as when a migration begins: what the driver wrote stays. */
        blk_config_set_driver_features(fixture.config, BIT(CONFIG_WCE) | BIT(FLUSH) | BIT(SEG_MAX));
        assert_write_through(&fixture, TRUE);
        /* Another driver: all is as at first. */
        blk_config_set_driver_features(fixture.config, 0);
        blk_config_set_driver_features(fixture.config, BIT(CONFIG_WCE) | BIT(FLUSH));
        assert_write_through(&fixture, FALSE);
    }
    end(&fixture);
}

static void test_unsafe_cache(void)
{
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){.cache = BLK_CACHE_UNSAFE}, 1, 128)) {
        g_assert_false(blk_disk_write_through(fixture.disk));
        g_assert_cmpint(blk_disk_flush(fixture.disk), ==, 0);
    }
    end(&fixture);
}

static void test_bad_writes(void)
{
    static const struct {
        uint32_t offset, size;
    } rows[] = {{0, 1}, {31, 1}, {33, 1}, {32, 2}, {31, 2}, {32, 0}, {0, 60}, {UINT32_MAX, 1}};
    static const uint8_t zeroes[60];
    Fixture fixture;

    if (begin(&fixture, (BlkDiskOptions){0}, 1, 128)) {
        g_autoptr(GError) error = NULL;

        g_assert_false(write_byte(&fixture, 0, &error));
        g_assert_cmpstr(error->message, ==,
                        "configuration space: `writeback` cannot be written: the driver has not "
                        "negotiated VIRTIO_BLK_F_CONFIG_WCE");
        g_clear_error(&error);
        blk_config_set_driver_features(fixture.config, BIT(CONFIG_WCE) | BIT(FLUSH));
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
            g_assert_false(
                blk_config_write(fixture.config, rows[i].offset, rows[i].size, zeroes, NULL));
        }
        g_assert_false(blk_config_write(fixture.config, 8, 4, zeroes, &error));
        g_assert_cmpstr(error->message, ==,
                        "configuration space: 4 bytes at offset 8 cannot be written; a driver may "
                        "write the byte `writeback` at 32 and nothing else");
        g_clear_error(&error);
        g_assert_false(write_byte(&fixture, 2, &error));
        g_assert_cmpstr(error->message, ==,
                        "configuration space: `writeback` cannot be 2, only 0 or 1");
        assert_write_through(&fixture, FALSE);
    }
    end(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blk-config/features", test_features);
    g_test_add_func("/blk-config/space", test_space);
    g_test_add_func("/blk-config/parts", test_parts);
    g_test_add_func("/blk-config/resize", test_resize);
    g_test_add_func("/blk-config/cache", test_cache);
    g_test_add_func("/blk-config/unsafe-cache", test_unsafe_cache);
    g_test_add_func("/blk-config/bad-writes", test_bad_writes);
    return g_test_run();
}
