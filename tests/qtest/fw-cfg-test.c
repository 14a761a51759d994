/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fw_cfg's DMA interface: good descriptors, and all that a guest may put into one. */
#include "qtest/rig.h"

#include <string.h>

#define SELECTOR 0x510
#define DATA 0x511
#define DMA 0x514

#define EVENT_WAIT 10000 /* ms */
#define MIB (UINT64_C(1) << 20)
#define RAM (64 * MIB)
#define DESCRIPTOR UINT64_C(0x1000)
#define TARGET UINT64_C(0x200000)

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };
enum { SIGNATURE = 0, INTERFACES = 1, FIRST_FILE = 0x20 };

#define ITEM(key) (SELECT | (uint32_t)(key) << 16)

static Vmm *start(void)
{
    return vmm_start_or_fail(NULL, "-M pc -m 64M,slots=2,maxmem=1G -fw_cfg "
                                   "opt/test,string=0123456789");
}

static void start_operation(Qtest *qtest, uint64_t address)
{
    qtest_outl(qtest, DMA, GUINT32_SWAP_LE_BE((uint32_t)(address >> 32)));
    qtest_outl(qtest, DMA + 4, GUINT32_SWAP_LE_BE((uint32_t)address));
}

/* What the control word at @at is afterwards. */
static uint32_t run_at(Qtest *qtest, uint64_t at, uint32_t control, uint32_t length,
                       uint64_t address)
{
    const struct {
        uint32_t control, length;
        uint64_t address;
    } descriptor = {GUINT32_TO_BE(control), GUINT32_TO_BE(length), GUINT64_TO_BE(address)};

    qtest_memwrite(qtest, at, &descriptor, sizeof(descriptor));
    start_operation(qtest, at);
    return GUINT32_SWAP_LE_BE(qtest_readl(qtest, at));
}

static uint32_t run(Qtest *qtest, uint32_t control, uint32_t length, uint64_t address)
{
    return run_at(qtest, DESCRIPTOR, control, length, address);
}

static void expect(Qtest *qtest, uint64_t address, const char *bytes, gsize size)
{
    g_autofree char *found = g_malloc(size);

    qtest_memread(qtest, address, found, size);
    g_assert_cmpmem(found, size, bytes, size);
}

static void test_read(void)
{
    Vmm *vmm = start();
    Qtest *qtest = vmm->qtest;

    g_assert_cmphex(qtest_inl(qtest, DMA), ==, 0x554d4551);     /* QEMU */
    g_assert_cmphex(qtest_inl(qtest, DMA + 4), ==, 0x47464320); /* " CFG" */
    g_assert_cmphex(run(qtest, ITEM(INTERFACES) | READ, 4, TARGET), ==, 0);
    expect(qtest, TARGET, "\3\0\0\0", 4);
    qtest_memset(qtest, TARGET, 0xff, 64);
    g_assert_cmphex(run(qtest, ITEM(FIRST_FILE) | READ, 3, TARGET), ==, 0);
    expect(qtest, TARGET, "012\xff", 4);
    g_assert_cmphex(run(qtest, SKIP, 2, 0), ==, 0);
    g_assert_cmphex(qtest_inb(qtest, DATA), ==, '5'); /* the ports go on where DMA ended */
    g_assert_cmphex(run(qtest, READ, 8, TARGET), ==, 0);
    expect(qtest, TARGET, "6789\0\0\0\0\xff", 9);
    g_assert_cmphex(run(qtest, READ, 2, TARGET), ==, 0);
    expect(qtest, TARGET, "\0\0", 2);
    qtest_outw(qtest, SELECTOR, FIRST_FILE);
    g_assert_cmphex(run(qtest, READ | SKIP, 1, TARGET), ==, 0);
    expect(qtest, TARGET, "0", 1);
    vmm_end(vmm);
}

static void test_lengths(void)
{
    Vmm *vmm = start();
    Qtest *qtest = vmm->qtest;

    qtest_memset(qtest, TARGET, 0xff, 4 * MIB);
    g_assert_cmphex(run(qtest, ITEM(FIRST_FILE) | READ, 0, TARGET), ==, 0);
    g_assert_cmphex(run(qtest, READ, 0, UINT64_MAX), ==, 0); /* nothing goes there */
    expect(qtest, TARGET, "\xff", 1);
    g_assert_cmphex(run(qtest, READ, 3 * MIB, TARGET), ==, 0); /* zeroes behind the end */
    expect(qtest, TARGET, "0123456789\0", 11);
    expect(qtest, TARGET + 3 * MIB - 1, "\0\xff", 2);
    g_assert_cmphex(run(qtest, ITEM(FIRST_FILE) | SKIP, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(run(qtest, SKIP, UINT32_MAX, 0), ==, 0);
    g_assert_cmphex(qtest_inb(qtest, DATA), ==, 0);
    g_assert_cmphex(run(qtest, ITEM(0x3ffe) | READ, 1, TARGET), ==, 0); /* no such item */
    expect(qtest, TARGET, "\0", 1);
    g_assert_cmphex(run(qtest, 0, 5, TARGET), ==, 0);
    vmm_end(vmm);
}

static void test_wrong(void)
{
    static const struct {
        uint32_t control, length;
        uint64_t address;
    } rows[] = {
        {READ, 1, RAM},
        {READ, 4, RAM - 2}, /* half of it is RAM */
        {READ, UINT32_MAX, 0x4000000 - MIB},
        {READ, UINT32_MAX, UINT64_MAX},
        {READ, 2, UINT64_MAX},
        {READ, 16, 0xfee00000},
        {READ, 1, UINT64_C(1) << 63},
        {WRITE, 1, TARGET}, /* all items are read-only */
        {WRITE, 0, TARGET},
        {WRITE | SKIP, UINT32_MAX, UINT64_MAX},
    };
    Vmm *vmm = start();
    Qtest *qtest = vmm->qtest;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (run(qtest, ITEM(FIRST_FILE) | rows[i].control, rows[i].length, rows[i].address) !=
            ERROR) {
            vmm_fail("row %u is carried out", i);
        }
    }
    /* Over the descriptor itself: the answer comes last. */
    g_assert_cmphex(run(qtest, ITEM(FIRST_FILE) | READ, 10, DESCRIPTOR), ==, 0);
    expect(qtest, DESCRIPTOR,
           "\0\0\0\0"
           "456789",
           10);
    vmm_end(vmm);
}

/* Descriptors that are not in RAM, half a store, stores of other sizes. */
static void test_register(void)
{
    static const uint64_t addresses[] = {RAM, RAM - 8, 0xfee00000, UINT64_MAX, UINT64_MAX - 15};
    Vmm *vmm = start();
    Qtest *qtest = vmm->qtest;

    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        start_operation(qtest, addresses[i]);
    }
    g_assert_cmphex(run(qtest, ITEM(SIGNATURE) | READ, 4, TARGET), ==, 0);
    expect(qtest, TARGET, "QEMU", 4);
    qtest_writel(qtest, DESCRIPTOR, GUINT32_SWAP_LE_BE(WRITE));
    qtest_outl(qtest, DMA, 0);                                  /* starts nothing */
    qtest_outw(qtest, DMA + 6, GUINT16_SWAP_LE_BE(DESCRIPTOR)); /* nor does that */
    qtest_outb(qtest, DMA + 4, 0);
    g_assert_cmphex(qtest_readl(qtest, DESCRIPTOR), ==, GUINT32_SWAP_LE_BE(WRITE));
    /* The upper half is used once, and forgotten by a reset. */
    qtest_outl(qtest, DMA, 1);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'system_reset'}"));
    qmp_expect_event(vmm->qmp, "RESET", EVENT_WAIT);
    qtest_writel(qtest, DESCRIPTOR, GUINT32_SWAP_LE_BE(WRITE));
    qtest_outl(qtest, DMA + 4, GUINT32_SWAP_LE_BE(DESCRIPTOR));
    g_assert_cmphex(qtest_readl(qtest, DESCRIPTOR), ==, GUINT32_SWAP_LE_BE(ERROR));
    vmm_end(vmm);
}

/* Memory that came later is memory, until it has left. */
static void test_dimm(void)
{
    static const uint64_t address = UINT64_C(4) << 30;
    Vmm *vmm = start();
    Qtest *qtest = vmm->qtest;

    g_assert_cmphex(run(qtest, ITEM(SIGNATURE) | READ, 4, address), ==, ERROR);
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'m','size':2097152}}"));
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d',"
                  "'memdev':'m'}}"));
    g_assert_cmphex(run(qtest, ITEM(SIGNATURE) | READ, 4, address + 2 * MIB - 4), ==, 0);
    expect(qtest, address + 2 * MIB - 4, "QEMU", 4);
    g_assert_cmphex(run(qtest, READ, 4, address + 2 * MIB - 3), ==, ERROR);
    g_assert_cmphex(run_at(qtest, address, ITEM(SIGNATURE) | READ, 4, address + 4096), ==, 0);
    expect(qtest, address + 4096, "QEMU", 4);
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fw-cfg/dma/read", test_read);
    g_test_add_func("/fw-cfg/dma/lengths", test_lengths);
    g_test_add_func("/fw-cfg/dma/wrong", test_wrong);
    g_test_add_func("/fw-cfg/dma/register", test_register);
    g_test_add_func("/fw-cfg/dma/dimm", test_dimm);
    return g_test_run();
}
