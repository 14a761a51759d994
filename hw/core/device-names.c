/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to say of device types that users know from QEMU and that are not here: every virtio device
 * of this machine is served by a vhost-user backend, and what has no such device is missing.
 */
#include "device-internal.h"

#include <string.h>

/* @name stands for itself and, after a '-', for anything: "virtio-blk" for "virtio-blk-pci". */
static const struct {
    const char *name, *advice;
} others[] = {
    {"virtio-blk", "use 'vhost-user-blk-pci'"},
    {"virtio-scsi", "use 'vhost-user-scsi-pci'"},
    {"vhost-scsi", "use 'vhost-user-scsi-pci'"},
    {"scsi-hd", "its host is 'vhost-user-scsi-pci', whose backend has the disks"},
    {"scsi-cd", "its host is 'vhost-user-scsi-pci', whose backend has the disks"},
    {"vhost-user-net", "use 'virtio-net-pci' with -netdev vhost-user"},
    {"e1000", "the network card is 'virtio-net-pci'"},
    {"e1000e", "the network card is 'virtio-net-pci'"},
    {"rtl8139", "the network card is 'virtio-net-pci'"},
    {"vmxnet3", "the network card is 'virtio-net-pci'"},
    {"virtio-9p", "use 'vhost-user-fs-pci'"},
    {"virtio-fs", "use 'vhost-user-fs-pci'"},
    {"virtio-vsock", "use 'vhost-user-vsock-pci'"},
    {"vhost-vsock", "use 'vhost-user-vsock-pci'"},
    {"virtio-rng", "use 'vhost-user-rng-pci'"},
    {"virtio-gpio", "use 'vhost-user-gpio-pci'"},
    {"virtio-i2c", "use 'vhost-user-i2c-pci'"},
    {"virtio-input", "use 'vhost-user-input-pci'"},
    {"virtio-keyboard", "use 'vhost-user-input-pci'"},
    {"virtio-mouse", "use 'vhost-user-input-pci'"},
    {"virtio-tablet", "use 'vhost-user-input-pci'"},
    {"virtio-multitouch", "use 'vhost-user-input-pci'"},
    {"virtio-sound", "use 'vhost-user-snd-pci'"},
    {"virtio-snd", "use 'vhost-user-snd-pci'"},
    {"virtio-scmi", "use 'vhost-user-scmi-pci'"},
    {"virtio-crypto", "its sessions would have to be made by this program, which does no "
                      "cryptography"},
    {"vhost-user-crypto", "its sessions would have to be made by this program, which does no "
                          "cryptography"},
    {"virtio-gpu", "it needs a display, which this machine has not"},
    {"virtio-vga", "it needs a display, which this machine has not"},
    {"vhost-user-gpu", "it needs a display, which this machine has not"},
    {"vhost-user-vga", "it needs a display, which this machine has not"},
    {"virtio-mem", "memory is added as 'pc-dimm'"},
    {"virtio-pmem", "memory is added as 'pc-dimm'"},
    {"nvdimm", "memory is added as 'pc-dimm'"},
    {"virtio-balloon", "memory is taken back by device_del of a 'pc-dimm'"},
    {"virtio-serial", "a guest's consoles are serial ports, 'isa-serial'"},
    {"virtconsole", "a guest's consoles are serial ports, 'isa-serial'"},
    {"virtserialport", "a guest's consoles are serial ports, 'isa-serial'"},
    {"isa-debugcon", "use 'isa-serial'"},
    {"pci-serial", "use 'isa-serial'"},
    {"ide", "use 'vhost-user-blk-pci'"},
    {"ahci", "use 'vhost-user-blk-pci'"},
    {"nvme", "use 'vhost-user-blk-pci'"},
    {"floppy", "use 'vhost-user-blk-pci'"},
    {"e1000", "use 'virtio-net-pci' with a -netdev vhost-user"},
    {"e1000e", "use 'virtio-net-pci' with a -netdev vhost-user"},
    {"rtl8139", "use 'virtio-net-pci' with a -netdev vhost-user"},
    {"ne2k_pci", "use 'virtio-net-pci' with a -netdev vhost-user"},
    {"VGA", "it needs a display, which this machine has not"},
    {"cirrus", "it needs a display, which this machine has not"},
    {"qxl", "it needs a display, which this machine has not"},
    {"bochs", "it needs a display, which this machine has not"},
    {"usb", "there is no USB here"},
    {"qemu-xhci", "there is no USB here"},
    {"nec-usb", "there is no USB here"},
    {"piix3-usb", "there is no USB here"},
    {"i6300esb", "there is no watchdog here"},
    {"ib700", "there is no watchdog here"},
    {"tpm", "there is no TPM here"},
    {"intel-iommu", "there is no IOMMU here"},
    {"amd-iommu", "there is no IOMMU here"},
    {"virtio-iommu", "there is no IOMMU here"},
    {"vfio-pci", "devices of the host are not passed on"},
    {"pci-bridge", "there is one PCI bus here, which has 30 free slots"},
    {"pcie-root-port", "there is one PCI bus here, which has 30 free slots"},
    {"pvpanic-pci", "use 'pvpanic'"},
};

const char *device_name_advice(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        gsize length = strlen(others[i].name);

        if (strncmp(name, others[i].name, length) == 0 &&
            (name[length] == '\0' || name[length] == '-')) {
            return others[i].advice;
        }
    }
    return "'-device help' lists those that do";
}
