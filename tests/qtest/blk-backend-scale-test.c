/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user-blk with thousands of DIMMs, which come and go while requests are out from many of
 * them.
 */
#include "qtest/blk-load.h"

#define DIMMS 4096
#define EVERY 16 /* each so many-th DIMM lends a buffer */
#define DEPTH 24 /* requests out */

/* The address of DIMM @number; the machine fills its hot-plug area from below. */
static uint64_t dimm(guint number)
{
    return RIG_AREA + number * RIG_DIMM;
}

static void check_addresses(DaemonRig *daemon)
{
    g_autofree uint64_t *addresses = rig_dimm_addresses(daemon->rig, 0, DIMMS);

    for (guint i = 0; i < DIMMS; i++) {
        g_assert_cmphex(addresses[i], ==, dimm(i));
    }
}

/* Plugs all, takes every one away that lends nothing, plugs others: the load never stops. */
static void test_dimms(gconstpointer data)
{
    guint disks = GPOINTER_TO_UINT(data);
    DaemonOptions options = {.disks = disks, .slots = DIMMS + 8, .memory_slots = DIMMS + 4};
    BlkOptions blk = {.msix = TRUE, .indirect = TRUE, .event_index = TRUE};
    DaemonRig *daemon = daemon_rig_start(&options);
    BlkLoad *loads[2];

    rig_boot(daemon->rig, &blk);
    for (guint disk = 0; disk < disks; disk++) {
        loads[disk] = blk_load_new(daemon, disk, 0, DEPTH);
    }
    for (guint i = 0; i < DIMMS; i++) {
        rig_plug(daemon->rig, i);
        for (guint disk = 0; i % EVERY == 0 && disk < disks; disk++) {
            blk_load_lend(loads[disk], dimm(i) + disk * BLK_LOAD_BLOCK);
            blk_load_run(loads[disk], 1);
        }
    }
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, DIMMS);
    check_addresses(daemon);
    for (guint i = 1; i < DIMMS; i += EVERY) {
        rig_unplug_slot(daemon->rig, i, i);
        blk_load_run(loads[i / EVERY % disks], 1);
    }
    for (guint i = 1; i < DIMMS; i += EVERY) {
        rig_plug(daemon->rig, DIMMS + i);
        blk_load_run(loads[i / EVERY % disks], 1);
    }
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, DIMMS);
    for (guint disk = 0; disk < disks; disk++) {
        g_assert_cmpint(daemon_sent(daemon, disk, "ADD_MEM_REG"), ==, 1 + DIMMS + DIMMS / EVERY);
        g_assert_cmpint(daemon_sent(daemon, disk, "REM_MEM_REG"), ==, DIMMS / EVERY);
        g_assert_cmpint(daemon_sent(daemon, disk, "SET_MEM_TABLE"), ==, 0);
        blk_load_run(loads[disk], DIMMS / EVERY);
        blk_load_drain(loads[disk]);
        g_assert_cmpuint(blk_load_finished(loads[disk]), >=, 2 * DIMMS / EVERY);
        blk_load_free(loads[disk]);
    }
    daemon_rig_end(daemon);
}

/* The limit that it was given, and no more: the front end says whose it is. */
static void test_limit(gconstpointer data)
{
    guint slots = GPOINTER_TO_UINT(data);
    g_autofree char *limit = g_strdup_printf("%u memory slots, %u in use", slots, slots);
    DaemonOptions options = {.slots = slots, .memory_slots = slots + 4};
    DaemonRig *daemon = daemon_rig_start(&options);
    g_autofree char *text = NULL;

    rig_boot(daemon->rig, NULL);
    text = rig_fill(daemon->rig, 0, slots - 1);
    rig_assert_names(text, "'b0'", limit, NULL);
    if (slots > 1) {
        daemon_check(daemon, 0, 0, 0, dimm(slots - 2), BLK_LOAD_BLOCK);
        rig_unplug(daemon->rig, 0);
        rig_plug(daemon->rig, slots);
        daemon_check(daemon, 0, 0, 0, dimm(0), BLK_LOAD_BLOCK);
    }
    daemon_rig_end(daemon);
}

int main(int argc, char **argv)
{
    static const guint limits[] = {1, 2, 8, 9, 510};

    g_test_init(&argc, &argv, NULL);
    daemon_test_add_for(BLK_DAEMON_OURS, "/scale/dimms", GUINT_TO_POINTER(1), test_dimms);
    daemon_test_add_for(BLK_DAEMON_OURS, "/scale/two-disks", GUINT_TO_POINTER(2), test_dimms);
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *name = g_strdup_printf("/scale/limit/%u", limits[i]);

        daemon_test_add_for(BLK_DAEMON_OURS, name, GUINT_TO_POINTER(limits[i]), test_limit);
    }
    return g_test_run();
}
