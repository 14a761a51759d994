/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk backends under Debian's own QEMU, driven by qtest while its firmware halts: memory is
 * hot-added up to QEMU's limit and removed while requests are out from it, two disks at once.
 */
#include "qtest/blk-load.h"

#define MACHINE_SLOTS 256          /* the most that QEMU takes */
#define LOADED 16                  /* DIMMs with a request out at a time */
#define BUFFER (UINT64_C(1) << 20) /* of a DIMM's block that is lent */

static char *debian_qemu(void)
{
    char *path = g_find_program_in_path("qemu-system-x86_64");

    if (!path) {
        g_test_skip("qemu-system-x86_64 is not installed (Debian: qemu-system-x86)");
    }
    return path;
}

static DaemonRig *start(const char *binary, DaemonOptions *options, const BlkOptions *blk)
{
    DaemonRig *daemon;

    options->binary = binary;
    options->memory_slots = MACHINE_SLOTS;
    daemon = daemon_rig_start(options);
    rig_boot(daemon->rig, blk);
    return daemon;
}

/* How many DIMMs fit beside the regions of the boot memory, at the least: Debian's daemon has 32
 * slots for all, and QEMU itself knows no more than 256 regions. */
static guint least(void)
{
    return (daemon_kind() == BLK_DAEMON_DEBIAN ? DAEMON_SLOTS : MACHINE_SLOTS) - 6;
}

static uint64_t buffer(uint64_t dimm, guint disk)
{
    return dimm + BUFFER + disk * BLK_LOAD_BLOCK;
}

/* Plugs DIMM @number and lends a block of it to each load, which goes on meanwhile.  FALSE if the
 * machine has no room for it. */
static gboolean plug(DaemonRig *daemon, BlkLoad **loads, guint number)
{
    g_autoptr(GError) error = NULL;
    uint64_t address;

    if (!rig_plug_at(daemon->rig, number, 0, &error)) {
        g_test_message("DIMM %u: %s", number, error->message);
        return FALSE;
    }
    address = rig_dimm_address(daemon->rig, number);
    for (guint disk = 0; disk < daemon->disks->len; disk++) {
        blk_load_lend(loads[disk], buffer(address, disk));
        blk_load_run(loads[disk], 2);
    }
    return TRUE;
}

static void unplug(DaemonRig *daemon, BlkLoad **loads, guint number, uint64_t address)
{
    for (guint disk = 0; disk < daemon->disks->len; disk++) {
        blk_load_take_back(loads[disk], buffer(address, disk));
    }
    rig_unplug(daemon->rig, number);
    for (guint disk = 0; disk < daemon->disks->len; disk++) {
        blk_load_run(loads[disk], 1);
    }
}

/* To the last slot, or with two disks to a number that takes less time, under load; every third
 * DIMM away, others in their place. */
static void test_dimms(gconstpointer data)
{
    guint disks = GPOINTER_TO_UINT(data), most = disks == 1 ? G_MAXUINT : 64, count = 0;
    g_autofree char *binary = debian_qemu();
    DaemonOptions options = {.disks = disks};
    BlkOptions blk = {.event_index = TRUE, .indirect = TRUE};
    g_autofree uint64_t *addresses = NULL;
    DaemonRig *daemon;
    BlkLoad *loads[2];

    if (!binary) {
        return;
    }
    daemon = start(binary, &options, &blk);
    for (guint disk = 0; disk < disks; disk++) {
        loads[disk] = blk_load_new(daemon, disk, 0, LOADED);
    }
    while (count < most && plug(daemon, loads, count)) {
        count++;
    }
    g_assert_cmpuint(count, >=, MIN(least(), most));
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, count);
    addresses = rig_dimm_addresses(daemon->rig, 0, count);
    for (guint i = 0; i < count; i += 3) {
        unplug(daemon, loads, i, addresses[i]);
    }
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, count - (count + 2) / 3);
    for (guint i = 0; i < count; i += 3) {
        g_assert_true(plug(daemon, loads, MACHINE_SLOTS + i));
    }
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, count);
    for (guint disk = 0; disk < disks; disk++) {
        blk_load_run(loads[disk], 2 * count); /* every buffer has its turn */
        blk_load_drain(loads[disk]);
        g_assert_cmpuint(blk_load_finished(loads[disk]), >=, 4 * count);
        blk_load_free(loads[disk]);
    }
    daemon_rig_end(daemon);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    daemon_test_add("/debian-qemu/dimms", GUINT_TO_POINTER(1), test_dimms);
    daemon_test_add("/debian-qemu/two-disks", GUINT_TO_POINTER(2), test_dimms);
    return g_test_run();
}
