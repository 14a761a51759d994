/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any operating system against the ACPI registers and fw_cfg, while DIMMs come and are asked to go,
 * time passes and the machine is reset.  The SCI always is what status and enable bits say, and
 * each DIMM that was ejected has left the memory map.
 */
#include "../unit/pci-test.h"
#include "fuzz-machine.h"
#include "hw/acpi/acpi.h"
#include "hw/i386/fw-cfg.h"
#include "system/clock.h"

#define DIMMS 6

static void dimm_options(json_object *options, guint index, const char *key, const char *prefix)
{
    g_autofree char *text = g_strdup_printf("%s%u", prefix, index);

    json_add_string(options, key, text);
}

static void make_memory(guint index)
{
    g_autoptr(json_object) options = json_object_new_object();

    json_add_string(options, "qom-type", "memory-backend-memfd");
    dimm_options(options, index, "id", "m");
    json_add_uint(options, "size", 2 * 1024 * 1024);
    fuzz_require(vm_object_create(options, NULL));
}

/* Refused when it is there already. */
static void plug(guint index)
{
    g_autoptr(json_object) options = json_object_new_object();

    json_add_string(options, "driver", "pc-dimm");
    dimm_options(options, index, "id", "d");
    dimm_options(options, index, "memdev", "m");
    device_add(options, NULL, NULL, NULL);
}

static void unplug(guint index)
{
    g_autofree char *id = g_strdup_printf("d%u", index);

    device_delete(id, NULL);
}

static void access_port(FuzzInput *input, gboolean write)
{
    static const uint16_t bases[] = {ACPI_PM_BASE,     ACPI_GPE_BASE,    ACPI_PCI_BASE,
                                     ACPI_MEMORY_BASE, ACPI_MEMORY_BASE, FW_CFG_PORT};
    uint8_t where = fuzz_byte(input);
    unsigned size = 1u << (where & 3) % 3;
    uint16_t port = bases[(where >> 2) % G_N_ELEMENTS(bases)] + fuzz_byte(input) % 0x20;

    if (write) {
        port_write(port, (uint32_t)fuzz_number(input, size), size);
    } else {
        port_read(port, size);
    }
}

/* A descriptor for fw_cfg's DMA, in RAM: the device always answers it. */
static void run_descriptor(FuzzInput *input)
{
    enum { AT = 0x1000 };
    uint32_t words[4], control;

    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        words[i] = (uint32_t)fuzz_number(input, 4);
    }
    memory_write(ADDRESS_SPACE_MEMORY, AT, words, sizeof(words));
    port_write(FW_CFG_DMA_PORT, 0, 4); /* another step may have written half an address */
    port_write(FW_CFG_DMA_PORT + 4, GUINT32_SWAP_LE_BE(AT), 4);
    memory_read(ADDRESS_SPACE_MEMORY, AT, &control, sizeof(control));
    fuzz_require(GUINT32_FROM_BE(control) <= 1);
}

static void check_sci(void)
{
    uint32_t fixed = port_read(ACPI_PM_BASE, 4);
    uint32_t general = port_read(ACPI_GPE_BASE, 4);

    fuzz_require(irq_line_level(ACPI_SCI_LINE) ==
                 ((fixed & fixed >> 16 & 0xffff) || (general & general >> 16 & 0xffff)));
}

static void step(FuzzInput *input)
{
    uint8_t action = fuzz_byte(input);

    switch (action % 16) {
    case 0:
        plug((action >> 4) % DIMMS);
        break;
    case 1:
        unplug((action >> 4) % DIMMS);
        break;
    case 2:
        run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    case 3:
        clock_advance(clock_now() + ((gint64)fuzz_byte(input) << (action >> 4) * 2));
        break;
    case 4:
        run_state_request_powerdown();
        break;
    case 5:
    case 6:
        fuzz_settle();
        break;
    case 7:
        run_descriptor(input);
        break;
    default:
        access_port(input, action & 1);
    }
    check_sci();
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    fuzz_machine_make();
    for (guint i = 0; i < DIMMS; i++) {
        make_memory(i);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    guint sections = memory_section_count();

    while (input.size > 0) {
        step(&input);
    }
    fuzz_machine_restore();
    fuzz_require(memory_section_count() == sections);
    return 0;
}
