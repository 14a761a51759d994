/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small machine for fuzzers that need one, made once; and descriptors counted. */
#ifndef TESTS_FUZZ_FUZZ_MACHINE_H
#define TESTS_FUZZ_FUZZ_MACHINE_H

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "fuzz.h"
#include "hw/core/device.h"
#include "hw/core/machine.h"
#include "system/main-loop.h"
#include "system/run-state.h"
#include "util/json.h"
#include "util/report.h"

#include <dirent.h>

#define FUZZ_RAM_SIZE (UINT64_C(4) << 20)

/* "-machine pc -m 4M,slots=16,maxmem=1G", running.  The calling thread holds the VM lock then. */
static inline void fuzz_machine_make(void)
{
    g_autoptr(json_object) properties = json_object_new_object();
    MachineClass *class = machine_find("pc", NULL);

    main_loop_init();
    fuzz_require(report_log_open("/dev/null", FALSE, NULL));
    fuzz_require(accel_select("qtest", NULL, NULL));
    fuzz_require(machine_create(class, properties, NULL));
    machine_current()->ram_size = FUZZ_RAM_SIZE;
    machine_current()->maxram_size = UINT64_C(1) << 30;
    machine_current()->ram_slots = 16;
    fuzz_require(machine_build(NULL));
    device_set_machine_complete();
    fuzz_require(run_state_start(NULL));
}

static inline void fuzz_settle(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static inline void fuzz_unplug(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    device_unplug(DEVICE(object));
}

/* Takes out every device that was plugged, whatever the guest says, and lets the machine run. */
static inline void fuzz_machine_restore(void)
{
    fuzz_settle();
    vm_object_foreach_child(vm_object_container("machine/peripheral"), fuzz_unplug, NULL);
    vm_object_foreach_child(vm_object_container("machine/peripheral-anon"), fuzz_unplug, NULL);
    fuzz_settle();
    if (run_state_get() == RUN_STATE_SHUTDOWN) {
        run_state_request_reset(SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
        fuzz_settle();
    }
    fuzz_require(run_state_is_running() || run_state_start(NULL));
}

static inline void fuzz_remove_object(VmObject *object, gpointer opaque G_GNUC_UNUSED)
{
    if (!g_str_equal(object->id ? object->id : "", "") && object->users == 0) {
        vm_object_delete(object->id, NULL);
    }
}

static inline void fuzz_remove_chardev(VmObject *chardev, gpointer kept)
{
    fuzz_require(g_strcmp0(chardev->id, kept) == 0 || chardev_remove(chardev->id, NULL));
}

/* Takes out what monitors create beside devices; the chardev @kept (may be NULL) stays. */
static inline void fuzz_machine_clear(const char *kept)
{
    vm_object_foreach_child(vm_object_container("objects"), fuzz_remove_object, NULL);
    vm_object_foreach_child(vm_object_container("chardevs"), fuzz_remove_chardev, (gpointer)kept);
    fuzz_settle();
}

static inline guint fuzz_open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    guint entries = 0;

    while (readdir(directory)) {
        entries++;
    }
    closedir(directory);
    return entries;
}

#endif
