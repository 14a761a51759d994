/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the suites start from: a machine with some vhost-user disks behind scripted backends, and
 * DIMMs by number.  DIMM i is memory backend "mi" and device "di"; disks are "b0", "b1", ...  at
 * PCI slots 4, 5, ...  Expectations that fail end the test program.
 */
#ifndef QTEST_RIG_H
#define QTEST_RIG_H

#include "qtest/backend.h"
#include "qtest/virtio-blk.h"

#define RIG_RAM (UINT64_C(64) << 20) /* bytes of boot memory */
#define RIG_DIMM (UINT64_C(2) << 20) /* bytes of a DIMM */
#define RIG_AREA (UINT64_C(4) << 30) /* where the hot-plug area begins */
#define RIG_DISK_SLOT 4              /* PCI slot of the first disk */
#define RIG_WAIT 30000               /* milliseconds, for what must come */

typedef struct RigOptions {
    guint devices;                                          /* 0: 1 */
    guint monitors;                                         /* 0: 1 */
    guint memory_slots;                                     /* of the machine, 0: 600 */
    const char *arguments;                                  /* further ones, or NULL */
    void (*configure)(BackendConfig *config, guint device); /* what differs, or NULL */
    const char *const *sockets; /* of @devices backends run by others: no scripted ones then */
    const char *chardev;        /* further options of each chardev, such as ",reconnect=1" */
    const char *device;         /* in place of vhost-user-blk-pci, with its own options */
    const char *netdev;         /* network cards with further options of each -netdev, or NULL */
    const char *binary;         /* the program, NULL: QTEST_QEMU_BINARY */
} RigOptions;

typedef struct Rig {
    Vmm *vmm;
    Qmp *qmp;
    Qtest *qtest;
    guint devices;
    GPtrArray *backends; /* of Backend; empty with RigOptions.sockets */
    GPtrArray *drivers;  /* of VirtDevice, after rig_boot() */
    GPtrArray *disks;    /* of BlkDisk, after rig_boot() */
    PciAddresses addresses;
    GuestMemory memory;
} Rig;

/* Backends with @config (NULL: backend_config_init()) and the machine over them. @options may be
 * NULL. */
Rig *rig_start(const BackendConfig *config, const RigOptions *options);
/* With features beside those of backend_config_init(). */
Rig *rig_start_with(uint64_t features, uint64_t protocol_features, const RigOptions *options);
/* The same where the program is to refuse; returns its output, caller frees. */
char *rig_start_refused(const BackendConfig *config, const RigOptions *options);
/* Quits (status 0 is expected), checks that no backend saw a breach of the protocol. */
void rig_end(Rig *rig);

/* Kills the program if it still runs, and checks nothing. */
void rig_free(Rig *rig);

Backend *rig_backend(Rig *rig, guint device);
VirtDevice *rig_driver(Rig *rig, guint device);
BlkDisk *rig_disk(Rig *rig, guint device);

/* The driver of disk 0 before anything is negotiated; rig_driver() from then on. */
VirtDevice *rig_find_driver(Rig *rig);

/* Every driver from reset to DRIVER_OK, @options as in blk_disk_start(); waits until the backends
 * run the rings. */
void rig_boot(Rig *rig, const BlkOptions *options);
/* The machine was reset: BARs are unplaced, drivers and disks are gone until rig_boot(). */
void rig_forget_drivers(Rig *rig);

/* object-add and device_add of DIMM @number, at @address (0: automatic); on failure the memory
 * backend is deleted again and must be free for that. */
gboolean rig_plug_at(Rig *rig, guint number, uint64_t address, GError **error);
void rig_plug(Rig *rig, guint number);
/* Plugs DIMMs from @first on, expects success for @count and then a refusal; its text, caller
 * frees. */
char *rig_fill(Rig *rig, guint first, guint count);
/* device_del, the guest's eject through the ACPI registers, DEVICE_DELETED, object-del. */
void rig_unplug(Rig *rig, guint number);
/* The same for DIMM @number where its slot is known: without asking for it. */
void rig_unplug_slot(Rig *rig, guint number, guint slot);

/* query-memory-devices. */
guint rig_dimms(Rig *rig);
uint64_t rig_dimm_address(Rig *rig, guint number); /* 0: not there */
/* The same of @count DIMMs from number @first on, all at once.  Caller frees. */
uint64_t *rig_dimm_addresses(Rig *rig, guint first, guint count);
gint64 rig_dimm_slot(Rig *rig, guint number); /* -1: not there */

/* A page of boot memory of its own. */
uint64_t rig_buffer(Rig *rig);
/* Writes and reads back sectors of disk @device through a buffer at @address. */
void rig_check_data(Rig *rig, guint device, uint64_t address);

/* Sum of the backends' counts of @request. */
uint64_t rig_count(Rig *rig, uint32_t request);
void rig_clear(Rig *rig); /* of all counts and logs */
/* Waits until all backends have run the whole queue of messages: a count that no longer grows. */
void rig_settle(Rig *rig);

/* Until the first backend has seen @request @count times, or runs exactly @count rings. */
void rig_wait_request(Rig *rig, uint32_t request, uint64_t count);
void rig_wait_rings(Rig *rig, guint count);
/* Until the program has said @wanted. */
void rig_wait_output(Rig *rig, const char *wanted);
/* Until the first device asks for a reset, and works again after it and without faults. */
void rig_recover(Rig *rig);

/* Fails unless @text contains each of the strings up to a NULL. */
void rig_assert_names(const char *text, ...) G_GNUC_NULL_TERMINATED;

/* @function with each of @count elements of @cases, @size bytes apart, in a thread each. */
void rig_run_parallel(GThreadFunc function, gconstpointer cases, guint count, gsize size);

/* Milliseconds in which a monitor that has nothing to wait for answers. */
#define RIG_PROMPT 3000
/* The second monitor and qtest answer promptly; with @slow for 2 s, during which the first
 * monitor's command must not be answered. */
void rig_check_other_monitor(Rig *rig, gboolean slow);

#endif
