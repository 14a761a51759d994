/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of PCI devices share: accesses as a CPU makes them, and guest RAM. */
#ifndef TESTS_UNIT_PCI_TEST_H
#define TESTS_UNIT_PCI_TEST_H

#include "hw/pci/pci.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"

#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline uint64_t space_read(AddressSpace space, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    memory_read(space, address, &value, size);
    return value;
}

static inline void space_write(AddressSpace space, uint64_t address, uint64_t value, unsigned size)
{
    memory_write(space, address, &value, size);
}

static inline uint32_t port_read(uint16_t port, unsigned size)
{
    return space_read(ADDRESS_SPACE_IO, port, size);
}

static inline void port_write(uint16_t port, uint32_t value, unsigned size)
{
    space_write(ADDRESS_SPACE_IO, port, value, size);
}

static inline uint64_t mem_read(uint64_t address, unsigned size)
{
    return space_read(ADDRESS_SPACE_MEMORY, address, size);
}

static inline void mem_write(uint64_t address, uint64_t value, unsigned size)
{
    space_write(ADDRESS_SPACE_MEMORY, address, value, size);
}

static inline uint32_t config_read(unsigned devfn, unsigned offset, unsigned size)
{
    port_write(0xcf8, 0x80000000 | devfn << 8 | (offset & 0xfc), 4);
    return port_read(0xcfc + (offset & 3), size);
}

static inline void config_write(unsigned devfn, unsigned offset, uint32_t value, unsigned size)
{
    port_write(0xcf8, 0x80000000 | devfn << 8 | (offset & 0xfc), 4);
    port_write(0xcfc + (offset & 3), value, size);
}

/* Capability number @index from the start of the list; 0 at its end. */
static inline unsigned capability_at(unsigned devfn, unsigned index)
{
    unsigned at = config_read(devfn, PCI_CAPABILITY_LIST, 1);

    while (at && index-- > 0) {
        at = config_read(devfn, at + PCI_CAP_LIST_NEXT, 1);
    }
    return at;
}

/* @size bytes of RAM at guest address 0. */
static inline void add_ram(uint64_t size)
{
    GError *error = NULL;
    int fd = memfd_create("ram", MFD_CLOEXEC);
    g_autoptr(RamBlock) block = NULL;

    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    block = ram_block_new("ram", fd, 0, size, 4096, 0, TRUE, FALSE, &error);
    g_assert_no_error(error);
    memory_add_boot(&(MemorySection){.size = size, .block = block}, &error);
    g_assert_no_error(error);
}

static inline PciBus *add_bus(void)
{
    static const guint lines[4] = {16, 17, 18, 19};
    GError *error = NULL;
    PciBus *bus = pci_bus_new(lines);

    g_assert_true(pci_bus_add_bridges(bus, &error));
    g_assert_no_error(error);
    return bus;
}

/* A device of @type at @address (NULL: any), realized; NULL with @error. */
static inline gpointer add_device(GType type, const char *id, const char *address,
                                  gboolean multifunction, GError **error)
{
    g_autoptr(VmObject) object = vm_object_new(type, id, error);

    if (!object || (address && !vm_object_set_string(object, "addr", address, error)) ||
        !vm_object_set_string(object, "multifunction", multifunction ? "on" : "off", error) ||
        !vm_object_add_child(vm_object_container("machine/peripheral"), id, object, error) ||
        !device_realize_now(DEVICE(object), error)) {
        return NULL;
    }
    return object; /* the tree holds it */
}

/* The main loop until nothing is left to do. */
static inline void run_main_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

#endif
