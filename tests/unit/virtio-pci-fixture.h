/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device type that only notes what it is asked, and a driver for it: what tests of the
 * virtio-pci transport share.
 */
#ifndef TESTS_UNIT_VIRTIO_PCI_FIXTURE_H
#define TESTS_UNIT_VIRTIO_PCI_FIXTURE_H

#include "hw/virtio/virtio-pci.h"
#include "pci-test.h"
#include "system/vm-lock.h"
#include "util/fd.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#define DEVFN PCI_DEVFN(4, 0)
#define LEGACY 0xc000
#define MSIX 0xe0000000
#define MODERN 0xe0004000
#define ISR (MODERN + 0x1000)
#define CONFIG (MODERN + 0x2000)
#define NOTIFY (MODERN + 0x3000)
#define MESSAGE 0x8000

#define QUEUES 2
#define QUEUE_SIZE 128
#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_RING_RESET | 0x6)

enum { QUEUE_NOTIFY_DATA = 0x38, QUEUE_RESET = 0x3a };

extern GString *trail; /* what the device was asked */
extern uint8_t configuration[8];
extern VirtioPci *probe;
/* What another thread would do while stop() waits. */
extern void (*while_stopping)(void);

GType probe_get_type(void);
GType modern_get_type(void);

/* What was noted is @expected, and is forgotten. */
void take_trail(const char *expected);
PciBus *set_up(GType type);
void tear_down(PciBus *bus);
uint32_t common_read(unsigned offset, unsigned size);
void common_write(unsigned offset, uint32_t value, unsigned size);
uint8_t set_status(uint8_t status);
void set_features(uint64_t features);
void set_queue(unsigned index, uint64_t address);
void start_driver(void);

#endif
