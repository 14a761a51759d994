/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ring needs of the device and the other way round; tests use virtio-pci.h.
 */
#ifndef QTEST_VIRTIO_RING_H
#define QTEST_VIRTIO_RING_H

#include "qtest/virtio-pci.h"

void virt_ring_free(VirtRing *ring);
uint16_t virt_device_vector(VirtDevice *device, int queue);

#endif
