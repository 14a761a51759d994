/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -kernel on the pc machine, read back through qtest: the memory map fits the machine, the ACPI
 * tables lie where it says, all is put there again at a reset.
 */
#include "qtest/linux-images.h"
#include "qtest/vmm.h"

#define PARAMETERS 0x7000
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static char *save_image(GByteArray *image)
{
    char *path = vmm_temporary_path("kernel");
    GError *error = NULL;

    g_file_set_contents(path, (const char *)image->data, image->len, &error);
    g_assert_no_error(error);
    g_byte_array_unref(image);
    return path;
}

/* The tables are where the map has its range for them, and whole. */
static void check_tables(Qtest *qtest, const struct boot_params *parameters,
                         const struct boot_e820_entry *range)
{
    guint8 root[36], sum = 0;

    g_assert_cmpuint(range->type, ==, 3);
    g_assert_cmphex(parameters->acpi_rsdp_addr, ==, range->addr);
    qtest_memread(qtest, range->addr, root, sizeof(root));
    g_assert_cmpmem(root, 8, "RSD PTR ", 8);
    for (guint i = 0; i < sizeof(root); i++) {
        sum += root[i];
    }
    g_assert_cmphex(sum, ==, 0);
    guint64 xsdt = GUINT64_FROM_LE(*(const guint64 *)(const void *)(root + 24));
    g_assert_cmphex(xsdt, >, range->addr);
    g_assert_cmphex(xsdt, <, range->addr + range->size);
    g_assert_cmphex(qtest_readl(qtest, xsdt), ==, 0x54445358); /* "XSDT" */
}

static void check_boot(Vmm *vmm, guint64 low, guint64 high)
{
    g_autofree struct boot_params *parameters = g_new(struct boot_params, 1);
    const struct boot_e820_entry *map = parameters->e820_table;
    guint8 byte;

    qtest_memread(vmm->qtest, PARAMETERS, parameters, sizeof(*parameters));
    g_assert_cmpuint(parameters->e820_entries, ==, high ? 5 : 4);
    g_assert_cmphex(map[0].addr, ==, 0);
    for (guint i = 1; i < 4; i++) { /* without gaps */
        g_assert_cmphex(map[i].addr, ==, map[i - 1].addr + map[i - 1].size);
    }
    g_assert_cmphex(map[2].addr, ==, MIB);
    g_assert_cmpuint(map[2].type, ==, 1);
    g_assert_cmphex(map[3].addr + map[3].size, ==, low);
    if (high) {
        g_assert_cmphex(map[4].addr, ==, 4 * GIB);
        g_assert_cmphex(map[4].size, ==, high);
        g_assert_cmpuint(map[4].type, ==, 1);
    }
    check_tables(vmm->qtest, parameters, &map[3]);
    qtest_memread(vmm->qtest, IMAGE_KERNEL_ADDRESS + 1000, &byte, 1);
    g_assert_cmphex(byte, ==, image_byte(1000));
}

static void test_map(gconstpointer opaque)
{
    gboolean large = GPOINTER_TO_INT(opaque);
    g_autofree char *path = save_image(image_bzimage());
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m %s -smp 2 -kernel %s -append quiet",
                                 large ? "4G" : "16M,slots=64,maxmem=1G", path);
    guint64 low = large ? 3 * GIB : 16 * MIB;
    guint64 high = large ? GIB : 0;

    check_boot(vmm, low, high);
    qtest_memset(vmm->qtest, 0x500, 0xee, 0x40000);
    qtest_memset(vmm->qtest, IMAGE_KERNEL_ADDRESS, 0xee, IMAGE_KERNEL_SIZE);
    qtest_memset(vmm->qtest, low - 0x1000, 0xee, 0x1000);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_reset'}"));
    qmp_expect_event(vmm->qmp, "RESET", 10000);
    check_boot(vmm, low, high);
    vmm_end(vmm);
}

static void check_refused(const char *arguments, const char *message)
{
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(vmm_run(NULL, arguments, 20000, &status, &output, &errors, &error));
    g_assert_cmpint(status, ==, 1 << 8);
    g_assert_nonnull(strstr(errors, message));
}

static void test_refused(void)
{
    g_autofree char *path = save_image(image_bzimage());
    g_autofree char *slots =
        g_strdup_printf("-M pc -accel qtest -m 1M,slots=9,maxmem=64G -smp 3 -kernel %s", path);
    g_autofree char *page = g_strdup_printf("-M pc -accel qtest -m 1028K -kernel %s", path);
    g_autofree char *small = g_strdup_printf("-M pc -accel qtest -m 2M -kernel %s", path);

    check_refused(slots, "-m 1024K: the ACPI tables of -m slots=9 -smp 3 have ");
    check_refused(page, "-m 1028K: the ACPI tables of -m slots=0 -smp 1 have ");
    g_autofree char *daemon = g_strconcat(small, " -daemonize", NULL);

    check_refused(small, "needs the first 3 MiB of RAM to start, and free RAM ends at 0x1f");
    check_refused(
        daemon,
        "needs the first 3 MiB of RAM to start, and free RAM ends at 0x1f"); /* the parent learns of
                                                                                it */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/linux-boot/small", GINT_TO_POINTER(FALSE), test_map);
    g_test_add_data_func("/linux-boot/large", GINT_TO_POINTER(TRUE), test_map);
    g_test_add_func("/linux-boot/refused", test_refused);
    return g_test_run();
}
