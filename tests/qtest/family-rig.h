/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of vhost-user device beside the disk and the card, by one table, and a machine with
 * one of them, "b0".  The backend answers a request with its own bytes.  Expectations that fail end
 * the test program.
 */
#ifndef QTEST_FAMILY_RIG_H
#define QTEST_FAMILY_RIG_H

#include "qtest/rig.h"

#define FAMILY_WAIT 30000 /* milliseconds, for anything */
#define FAMILY_RING_RESET 40
#define FAMILY_BYTE(offset) ((uint8_t)(0x11 + (offset)*7)) /* of the backend's configuration */

typedef enum { FAMILY_NO_CONFIG, FAMILY_FROM_BACKEND, FAMILY_OURS } FamilySource;

typedef struct FamilyBytes {
    uint16_t offset, size;
    uint64_t value;
} FamilyBytes;

typedef struct FamilyMember {
    const char *type;
    const char *properties; /* "" or ",name=value..." */
    uint16_t pci_id, pci_class;
    uint64_t features; /* bits of the kind itself, by virtio 1.2, of a backend that has all */
    FamilySource source;
    uint16_t config_size;
    FamilyBytes config[8]; /* what is at least to be read where it is ours; ends with size 0 */
    uint16_t writable;     /* bytes from 0 on that reach the backend */
    uint16_t queues;       /* with the backend */
    uint16_t local;        /* behind them */
    uint16_t queue_size;
    const char *feature; /* a name that x-query-vhost-user gives, or NULL */
} FamilyMember;

/* Ends with type NULL. */
extern const FamilyMember family_members[];
/* The first of @type, which must be there. */
const FamilyMember *family_member(const char *type);

typedef struct FamilyRun {
    const FamilyMember *member;
    Rig *rig;
    VirtDevice *driver;
    GPtrArray *rings; /* of VirtRing, borrowed from the driver */
} FamilyRun;

/* Offers every feature there is, so that what is left was chosen by the device. */
void family_configure(BackendConfig *config, guint device);

/* A machine with @member over a backend of @configuration; @chardev: further options of it, or
 * NULL. */
FamilyRun *family_start(const FamilyMember *member,
                        void (*configuration)(BackendConfig *config, guint device),
                        const char *chardev);
void family_end(FamilyRun *run);
/* run->driver is that of the device at @slot. */
void family_find_driver(FamilyRun *run, guint slot);
/* Up to DRIVER_OK, with a ring for each queue. */
void family_boot(FamilyRun *run);

/* A byte of the configuration, as the driver reads it. */
uint8_t family_config_byte(FamilyRun *run, guint offset);
/* A request through each queue of the backend's, with 4096 bytes at @buffer for it. */
void family_request_everywhere(FamilyRun *run, uint64_t buffer);

#endif
