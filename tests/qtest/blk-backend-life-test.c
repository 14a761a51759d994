/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real backend and its device come and go: hot-plug and hot-unplug of the disk through the PCI
 * registers of ACPI, a daemon that is killed at different times, and one that stops answering.
 */
#include "qtest/daemon-rig.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 4096
#define PATIENCE 30000 /* milliseconds */
#define HOT_SLOT 9     /* PCI slot of the disk that is plugged */

/* PCI hot-plug registers (published ACPI block at 0xae00): a bit a slot. */
#define ACPI_PCI_UP 0xae00
#define ACPI_PCI_DOWN 0xae04
#define ACPI_PCI_EJECT 0xae08

/* --- the device comes and goes --- */

static void add_chardev(DaemonRig *daemon, DaemonDisk *disk)
{
    json_object_put(qmp_command_or_fail(
        daemon->rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'hot','backend':{'type':'socket','data':"
        "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
        disk->socket));
}

static void add_device(DaemonRig *daemon)
{
    json_object_put(qmp_command_or_fail(daemon->rig->qmp,
                                        "{'execute':'device_add','arguments':{'driver':"
                                        "'vhost-user-blk-pci','id':'hot0','chardev':'hot',"
                                        "'addr':'0x%x'}}",
                                        HOT_SLOT));
}

static void ask_to_go(DaemonRig *daemon, const char *id)
{
    json_object_put(qmp_command_or_fail(daemon->rig->qmp,
                                        "{'execute':'device_del','arguments':{'id':'%s'}}", id));
}

static void expect_deleted(DaemonRig *daemon, const char *id)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    g_autoptr(json_object) event =
        qmp_event_where_or_fail(daemon->rig->qmp, "DEVICE_DELETED", "device", id, PATIENCE);

    g_assert_cmpstr(qmp_get_string(event, "data/path"), ==, path);
}

/* The guest finds the new disk, drives it, and writes and reads @disk through RAM and a DIMM. */
static void use_hot_disk(DaemonRig *daemon, DaemonDisk *disk, uint64_t dimm)
{
    Rig *rig = daemon->rig;
    BlkOptions options = {.msix = TRUE};
    g_autoptr(VirtDevice) driver = virt_device_new(rig->qtest, &rig->addresses, HOT_SLOT);
    g_autoptr(BlkDisk) blk = NULL;
    uint64_t buffers[] = {guest_memory_alloc(&rig->memory, BLOCK, BLOCK), dimm};

    if (!driver) {
        vmm_fail("the guest finds no disk at slot %u", HOT_SLOT);
    }
    blk = blk_disk_start(driver, &rig->memory, &options);
    for (guint i = 0; i < G_N_ELEMENTS(buffers); i++) {
        uint64_t offset = i * BLOCK;

        daemon_fill(daemon, disk, offset, buffers[i], BLOCK);
        g_assert_cmpint(blk_disk_request(blk, 0, VIRTIO_BLK_T_OUT, offset / 512, buffers[i], BLOCK),
                        ==, VIRTIO_BLK_S_OK);
        qtest_memset(rig->qtest, buffers[i], 0, BLOCK);
        g_assert_cmpint(blk_disk_request(blk, 0, VIRTIO_BLK_T_IN, offset / 512, buffers[i], BLOCK),
                        ==, VIRTIO_BLK_S_OK);
        daemon_compare(daemon, disk, offset, buffers[i], BLOCK);
    }
    daemon_compare_image(disk);
}

static gboolean present(DaemonRig *daemon)
{
    return pci_identify(daemon->rig->qtest, PCI_SLOT_FUNCTION(HOT_SLOT, 0)) != 0xffffffff;
}

/* Plug, use, ask, eject, event, and again with the same daemon. */
static void test_hot_plug(gconstpointer data G_GNUC_UNUSED)
{
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk_new(daemon_kind(), NULL);
    Qtest *qtest = daemon->rig->qtest;

    rig_boot(daemon->rig, NULL);
    rig_plug(daemon->rig, 0);
    qtest_inl(qtest, ACPI_PCI_UP); /* takes what is there from the start */
    add_chardev(daemon, disk);
    for (guint round = 0; round < 4; round++) {
        g_assert_false(present(daemon));
        add_device(daemon);
        g_assert_true(present(daemon));
        g_assert_cmphex(qtest_inl(qtest, ACPI_PCI_UP), ==, 1u << HOT_SLOT);
        g_assert_cmphex(qtest_inl(qtest, ACPI_PCI_UP), ==, 0);
        if (round % 2 == 0) { /* also one that no driver ever touched */
            use_hot_disk(daemon, disk, rig_dimm_address(daemon->rig, 0));
        }
        ask_to_go(daemon, "hot0");
        g_assert_cmphex(qtest_inl(qtest, ACPI_PCI_DOWN), ==, 1u << HOT_SLOT);
        g_assert_true(present(daemon));
        qtest_outl(qtest, ACPI_PCI_EJECT, 1u << HOT_SLOT);
        g_assert_false(present(daemon));
        expect_deleted(daemon, "hot0");
        g_assert_cmphex(qtest_inl(qtest, ACPI_PCI_DOWN), ==, 0);
        daemon_check(daemon, 0, 0, round * BLOCK, rig_dimm_address(daemon->rig, 0), BLOCK);
    }
    json_object_put(qmp_command_or_fail(daemon->rig->qmp,
                                        "{'execute':'chardev-remove','arguments':{'id':'hot'}}"));
    daemon_rig_end(daemon);
    daemon_disk_free(disk);
}

/* A guest that never ejects: the unplug of disk and DIMM ends with the machine's reset. */
static void test_unplug_at_reset(gconstpointer data G_GNUC_UNUSED)
{
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk_new(daemon_kind(), NULL);

    rig_boot(daemon->rig, NULL);
    rig_plug(daemon->rig, 0);
    rig_plug(daemon->rig, 1);
    add_chardev(daemon, disk);
    for (guint round = 0; round < 2; round++) {
        add_device(daemon);
        use_hot_disk(daemon, disk, rig_dimm_address(daemon->rig, 0));
        ask_to_go(daemon, "hot0");
        if (round == 0) {
            ask_to_go(daemon, "d1");
        }
        qmp_expect_no_event(daemon->rig->qmp, "DEVICE_DELETED", 100);
        json_object_put(qmp_command_or_fail(daemon->rig->qmp, "{'execute':'system_reset'}"));
        expect_deleted(daemon, "hot0");
        if (round == 0) {
            expect_deleted(daemon, "d1");
        }
        g_assert_cmpuint(rig_dimms(daemon->rig), ==, 1);
        g_assert_false(present(daemon));
        rig_forget_drivers(daemon->rig);
        rig_boot(daemon->rig, NULL);
        daemon_check(daemon, 0, 0, 0, rig_dimm_address(daemon->rig, 0), BLOCK);
    }
    daemon_rig_end(daemon);
    daemon_disk_free(disk);
}

/* --- the daemon is killed --- */

static guint occurrences(const char *text, const char *part)
{
    guint count = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) {
        count++;
    }
    return count;
}

typedef enum { KILL_IDLE, KILL_IN_FLIGHT, KILL_BEFORE_ADD } KillTime;

/* The loss is said once, and the machine lives on without that disk. */
static void check_lost(DaemonRig *daemon)
{
    g_autofree char *output = NULL, *last_error = NULL;

    daemon_wait_lost(daemon, 0);
    last_error = daemon_info(daemon, "0/last-error");
    g_assert_nonnull(last_error);
    rig_assert_names(last_error, "'b0'", NULL);
    for (guint i = 10; i < 14; i++) {
        rig_plug(daemon->rig, i);
        qtest_writel(daemon->rig->qtest, rig_dimm_address(daemon->rig, i), 0x12345678 + i);
        g_assert_cmphex(qtest_readl(daemon->rig->qtest, rig_dimm_address(daemon->rig, i)), ==,
                        0x12345678 + i);
    }
    rig_unplug(daemon->rig, 11);
    virt_device_reset(daemon->rig->drivers->pdata[0]);
    output = vmm_output(daemon->rig->vmm);
    g_test_message("%s", output);
    if (occurrences(output, "'b0'") != 1 || occurrences(output, "\n") != 1) {
        vmm_fail("the loss of the daemon was to be reported once: %s", output);
    }
}

static void test_killed(gconstpointer data)
{
    KillTime when = GPOINTER_TO_UINT(data);
    DaemonRig *daemon = daemon_rig_start(NULL);
    g_autoptr(GError) error = NULL;
    uint64_t buffer;

    rig_boot(daemon->rig, NULL);
    rig_plug(daemon->rig, 0);
    buffer = guest_memory_alloc(&daemon->rig->memory, BLOCK, BLOCK);
    if (when == KILL_IN_FLIGHT) {
        for (guint i = 0; i < 30; i++) {
            blk_disk_submit(rig_disk(daemon->rig, 0), 0, VIRTIO_BLK_T_IN, 8 * i, buffer, BLOCK);
        }
    }
    daemon_disk_kill(daemon_disk(daemon, 0));
    if (when == KILL_BEFORE_ADD && !rig_plug_at(daemon->rig, 1, 0, &error)) {
        rig_assert_names(error->message, "'b0'", NULL);
    }
    check_lost(daemon);
    daemon_rig_end(daemon);
}

/* One of two: the other serves on, through new DIMMs too. */
static void test_one_of_two_killed(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.disks = 2};
    DaemonRig *daemon = daemon_rig_start(&options);

    rig_boot(daemon->rig, NULL);
    rig_plug(daemon->rig, 0);
    daemon_disk_kill(daemon_disk(daemon, 0));
    check_lost(daemon);
    daemon_check(daemon, 1, 0, 0, rig_dimm_address(daemon->rig, 0), BLOCK);
    daemon_check(daemon, 1, 0, BLOCK, rig_dimm_address(daemon->rig, 12), BLOCK);
    daemon_rig_end(daemon);
}

/* --- the machine ends, and another comes --- */

/* Machines one after the other at the same daemon; the first two die with requests out. */
static void test_next_machine(gconstpointer data G_GNUC_UNUSED)
{
    DaemonDisk *disk = daemon_disk_new(daemon_kind(), NULL);
    DaemonOptions options = {.served = &disk};

    for (guint round = 0; round < 4; round++) {
        BlkOptions blk = {.msix = TRUE, .event_index = round % 2};
        DaemonRig *daemon = daemon_rig_start(&options);
        uint64_t buffer;

        rig_boot(daemon->rig, &blk);
        for (guint i = 0; i <= round; i++) {
            rig_plug(daemon->rig, i);
            daemon_check(daemon, 0, 0, (round * 8 + i) * BLOCK, rig_dimm_address(daemon->rig, i),
                         BLOCK);
        }
        if (round >= 2) {
            daemon_rig_end(daemon);
            continue;
        }
        buffer = guest_memory_alloc(&daemon->rig->memory, BLOCK, BLOCK);
        for (guint i = 0; i < 30; i++) {
            blk_disk_submit(rig_disk(daemon->rig, 0), 0, VIRTIO_BLK_T_IN, 8 * i, buffer, BLOCK);
        }
        vmm_kill(daemon->rig->vmm, SIGKILL);
        daemon_rig_free(daemon);
    }
    daemon_disk_free(disk);
}

/* SIGTERM: the program ends with status 0, all that it had finished is in the image, and its
 * socket is gone. */
static void test_terminated(gconstpointer data G_GNUC_UNUSED)
{
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk(daemon, 0);
    uint64_t buffer;
    guint tags[30];

    rig_boot(daemon->rig, NULL);
    buffer = guest_memory_alloc(&daemon->rig->memory, G_N_ELEMENTS(tags) * BLOCK, BLOCK);
    for (guint i = 0; i < G_N_ELEMENTS(tags); i++) {
        daemon_fill(daemon, disk, i * BLOCK, buffer + i * BLOCK, BLOCK);
        tags[i] = blk_disk_submit(rig_disk(daemon->rig, 0), 0, VIRTIO_BLK_T_OUT, 8 * i,
                                  buffer + i * BLOCK, BLOCK);
    }
    for (guint i = 0; i < G_N_ELEMENTS(tags); i++) {
        g_assert_cmpint(blk_disk_finish(rig_disk(daemon->rig, 0), tags[i], PATIENCE), ==,
                        VIRTIO_BLK_S_OK);
    }
    g_assert_cmpint(daemon_disk_end(disk, SIGTERM), ==, 0);
    g_assert_false(g_file_test(disk->socket, G_FILE_TEST_EXISTS));
    daemon_wait_lost(daemon, 0);
    daemon_rig_end(daemon);
}

/* --- the daemon stops --- */

#define DEADLINE 10 /* seconds that a backend has for an answer */
#define PROMPT 100  /* milliseconds in which another monitor answers: the median of many */
#define END 2000    /* milliseconds from SIGTERM to the program's end */

static int compare_times(gconstpointer a, gconstpointer b)
{
    gint64 difference = *(const gint64 *)a - *(const gint64 *)b;

    return difference < 0 ? -1 : difference > 0;
}

static void check_prompt(DaemonRig *daemon)
{
    Qmp *other = daemon->rig->vmm->monitors->pdata[1];
    gint64 times[21];

    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        gint64 begin = g_get_monotonic_time();

        json_object_put(qmp_command_or_fail(other, "{'execute':'query-status'}"));
        json_object_put(qmp_command_or_fail(other, "{'execute':'x-query-vhost-user'}"));
        times[i] = g_get_monotonic_time() - begin;
        qtest_readl(daemon->rig->qtest, 0x100000);
        g_usleep(20000);
    }
    qsort(times, G_N_ELEMENTS(times), sizeof(times[0]), compare_times);
    g_assert_cmpint(times[G_N_ELEMENTS(times) / 2], <, PROMPT * 1000);
}

static void begin_plug(DaemonRig *daemon)
{
    json_object_put(qmp_command_or_fail(
        daemon->rig->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                          "'id':'m0','size':2097152}}"));
    qmp_send(daemon->rig->qmp,
             "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d0','memdev':'m0'}}");
}

static void test_stopped(gconstpointer data G_GNUC_UNUSED)
{
    DaemonOptions options = {.monitors = 2};
    DaemonRig *daemon = daemon_rig_start(&options);
    g_autoptr(GError) error = NULL;
    gint64 begin, seconds;

    rig_boot(daemon->rig, NULL);
    kill(daemon_disk(daemon, 0)->pid, SIGSTOP);
    begin = g_get_monotonic_time();
    begin_plug(daemon);
    check_prompt(daemon);
    g_assert_false(qmp_answer_ready(daemon->rig->qmp, 0));
    g_assert_null(qmp_answer(daemon->rig->qmp, &error));
    seconds = (g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
    g_assert_cmpint(seconds, >=, DEADLINE - 1);
    g_assert_cmpint(seconds, <, DEADLINE + 5);
    rig_assert_names(error->message, "'b0'", "ADD_MEM_REG", NULL);
    g_assert_cmpuint(rig_dimms(daemon->rig), ==, 0);
    rig_plug(daemon->rig, 1);
    check_prompt(daemon);
    daemon_rig_end(daemon);
}

/* SIGTERM while the daemon stands: with nothing to do, while it owes an answer, and while a new
 * device waits for it. */
typedef enum { STOPPED_IDLE, STOPPED_OWING, STOPPED_CONNECTING } StoppedCase;

static void test_stopped_terminate(gconstpointer data)
{
    StoppedCase which = GPOINTER_TO_UINT(data);
    DaemonRig *daemon = daemon_rig_start(NULL);
    DaemonDisk *disk = daemon_disk_new(daemon_kind(), NULL);
    int status;

    rig_boot(daemon->rig, NULL);
    kill(daemon_disk(daemon, 0)->pid, SIGSTOP);
    kill(disk->pid, SIGSTOP);
    if (which == STOPPED_CONNECTING) {
        add_chardev(daemon, disk);
        qmp_send(daemon->rig->qmp, "{'execute':'device_add','arguments':{'driver':"
                                   "'vhost-user-blk-pci','id':'hot0','chardev':'hot'}}");
    } else if (which == STOPPED_OWING) {
        begin_plug(daemon);
    }
    if (which != STOPPED_IDLE) {
        g_assert_false(qmp_answer_ready(daemon->rig->qmp, 300));
    }
    vmm_kill(daemon->rig->vmm, SIGTERM);
    if (!vmm_wait(daemon->rig->vmm, END, &status)) {
        vmm_fail("SIGTERM does not end the program within %d ms", END);
    }
    g_assert_cmpint(status, ==, 0);
    daemon_rig_free(daemon);
    daemon_disk_free(disk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    daemon_test_add("/life/hot-plug", NULL, test_hot_plug);
    daemon_test_add("/life/unplug-at-reset", NULL, test_unplug_at_reset);
    daemon_test_add("/life/killed/idle", GUINT_TO_POINTER(KILL_IDLE), test_killed);
    daemon_test_add("/life/killed/in-flight", GUINT_TO_POINTER(KILL_IN_FLIGHT), test_killed);
    daemon_test_add("/life/killed/before-add", GUINT_TO_POINTER(KILL_BEFORE_ADD), test_killed);
    daemon_test_add("/life/killed/one-of-two", NULL, test_one_of_two_killed);
    daemon_test_add("/life/next-machine", NULL, test_next_machine);
    daemon_test_add("/life/terminated", NULL, test_terminated);
    daemon_test_add("/life/stopped/deadline", NULL, test_stopped);
    daemon_test_add("/life/stopped/terminate-idle", GUINT_TO_POINTER(STOPPED_IDLE),
                    test_stopped_terminate);
    daemon_test_add("/life/stopped/terminate-owing", GUINT_TO_POINTER(STOPPED_OWING),
                    test_stopped_terminate);
    daemon_test_add("/life/stopped/terminate-connecting", GUINT_TO_POINTER(STOPPED_CONNECTING),
                    test_stopped_terminate);
    return g_test_run();
}
