/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pc machine: RAM with the hole under 4 GiB, the area for memory devices behind it, PCI,
 * ACPI and fw_cfg.  Its CPUs are the accelerator's; under qtest a test program plays them.
 */
#include "hw/i386/pc.h"

#include "accel/accel.h"
#include "accel/vcpu.h"
#include "hw/acpi/acpi.h"
#include "hw/core/device.h"
#include "hw/i386/fw-cfg.h"
#include "hw/i386/linux-boot.h"
#include "hw/input/i8042.h"
#include "hw/intc/i8259.h"
#include "hw/intc/ioapic.h"
#include "hw/mem/memory-device.h"
#include "hw/misc/vmgenid.h"
#include "hw/rtc/mc146818rtc.h"
#include "hw/smbios/smbios.h"
#include "hw/timer/i8254.h"
#include "system/identity.h"
#include "system/memory.h"
#include "util/error.h"
#include "util/json.h"

#include <inttypes.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define PC_SLOT_ROOM (UINT64_C(2) << 20)     /* a DIMM's alignment: what each may leave unused */
#define PC_ADDRESS_LIMIT (UINT64_C(1) << 52) /* Intel SDM volume 3, 4.1.4: MAXPHYADDR <= 52 */
#define PC_MAX_SLOTS 32768
#define PC_BASE_MEMORY_END UINT64_C(0x9fc00) /* a PC's last KiB below 640 KiB is not free */
#define PC_PAGE UINT64_C(4096)
#define PC_PCI_WINDOW UINT64_C(0xe0000000) /* BARs in memory, up to the I/O APIC */
#define PC_EXTENDED_MEMORY UINT64_C(0x100000)
#define PC_FIRST_INTX_LINE 16 /* pins 0 to 15 of the I/O APIC are the ISA interrupts */

typedef struct PcMachine {
    Machine parent;
    gboolean usb, nvdimm, graphics, hpet, acpi;
    int vmport, smm; /* index of switch_names */
    PciBus *bus;
    FwCfg *fw_cfg;
    LinuxBoot *linux_boot; /* NULL without -kernel */
    GByteArray *smbios;    /* the tables, written at each start */
} PcMachine;

typedef MachineClass PcMachineClass;

static const guint intx_lines[] = {PC_FIRST_INTX_LINE, PC_FIRST_INTX_LINE + 1,
                                   PC_FIRST_INTX_LINE + 2, PC_FIRST_INTX_LINE + 3};

enum { SWITCH_AUTO, SWITCH_ON, SWITCH_OFF };
static const char *const switch_names[] = {"auto", "on", "off", NULL};

static const VmField pc_machine_fields[] = {
    {.name = "acpi",
     .doc = "only on: hot-plug is done by ACPI",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(PcMachine, acpi),
     .default_value = TRUE},
    {.name = "graphics",
     .doc = "only off: there is no display",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(PcMachine, graphics)},
    {.name = "hpet",
     .doc = "only off: there is no HPET",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(PcMachine, hpet)},
    {.name = "nvdimm",
     .doc = "only off: there is no NVDIMM",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(PcMachine, nvdimm)},
    {.name = "smm",
     .doc = "only off or auto: there is no system management mode",
     .kind = VM_FIELD_ENUM,
     .offset = G_STRUCT_OFFSET(PcMachine, smm),
     .names = switch_names},
    {.name = "usb",
     .doc = "only off: there is no USB controller",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(PcMachine, usb)},
    {.name = "vmport",
     .doc = "only off or auto: there is no VMware port",
     .kind = VM_FIELD_ENUM,
     .offset = G_STRUCT_OFFSET(PcMachine, vmport),
     .names = switch_names},
    {.name = NULL},
};

/* Properties are there for the command lines that name them; each has one value that is true. */
static gboolean check_properties(const PcMachine *pc, GError **error)
{
    const struct {
        const char *given, *right;
        gboolean wrong;
    } checks[] = {
        {"acpi=off", "hot-plug is done by ACPI; use acpi=on", !pc->acpi},
        {"graphics=on", "there is no display; use graphics=off", pc->graphics},
        {"hpet=on", "there is no HPET; use hpet=off", pc->hpet},
        {"nvdimm=on", "there is no NVDIMM; use nvdimm=off", pc->nvdimm},
        {"smm=on", "there is no system management mode; use smm=off", pc->smm == SWITCH_ON},
        {"usb=on", "there is no USB controller; use usb=off", pc->usb},
        {"vmport=on", "there is no VMware port; use vmport=off", pc->vmport == SWITCH_ON},
    };

    for (guint i = 0; i < G_N_ELEMENTS(checks); i++) {
        if (checks[i].wrong) {
            vm_error_set(error, "-machine %s: not possible, %s", checks[i].given, checks[i].right);
            return FALSE;
        }
    }
    return TRUE;
}

/* --- memory --- */

static gboolean add_ram(Machine *machine, uint64_t address, uint64_t offset, uint64_t size,
                        GError **error)
{
    MemorySection section = {.guest_address = address,
                             .size = size,
                             .block = machine->ram->block,
                             .block_offset = offset};

    return size == 0 || memory_add_boot(&section, error);
}

static gboolean place_ram(Machine *machine, GError **error)
{
    uint64_t low = MIN(machine->ram_size, PC_HOLE_BASE);

    return add_ram(machine, 0, 0, low, error) &&
           add_ram(machine, PC_HIGH_BASE, low, machine->ram_size - low, error);
}

static gboolean place_hotplug_area(Machine *machine, GError **error)
{
    uint64_t above = machine->ram_size - MIN(machine->ram_size, PC_HOLE_BASE);
    uint64_t maximum = machine->maxram_size - machine->ram_size;
    uint64_t base, size;

    if (machine->maxram_size > PC_ADDRESS_LIMIT / 2) {
        vm_error_set(error,
                     "-m size= or maxmem=: %" PRIu64
                     " bytes are more than the machine can address, %" PRIu64,
                     machine->maxram_size, PC_ADDRESS_LIMIT / 2);
        return FALSE;
    }
    base = (PC_HIGH_BASE + above + GIB - 1) / GIB * GIB;
    size = (maximum + machine->ram_slots * PC_SLOT_ROOM + GIB - 1) / GIB * GIB;
    memory_device_area_set(base, size, maximum, (uint32_t)machine->ram_slots);
    return TRUE;
}

/* --- the board --- */

static void describe_to_firmware(PcMachine *pc)
{
    pc->fw_cfg = fw_cfg_new();
    fw_cfg_set_u64(pc->fw_cfg, FW_CFG_RAM_SIZE, pc->parent.ram_size);
    fw_cfg_set_u16(pc->fw_cfg, FW_CFG_CPU_COUNT, (uint16_t)vcpu_topology()->count);
    fw_cfg_set_u16(pc->fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)vcpu_topology()->count);
}

static gboolean make_smbios(PcMachine *pc, GError **error)
{
    const Machine *machine = &pc->parent;
    const VcpuTopology *cpus = vcpu_topology();
    uint64_t low = MIN(machine->ram_size, PC_HOLE_BASE);
    SmbiosBoard board = {
        .machine = MACHINE_GET_CLASS(machine)->name,
        .name = identity_name(),
        .uuid = identity_uuid(),
        .sockets = cpus->sockets,
        .cores = cpus->cores,
        .threads = cpus->threads,
        .low_ram = low,
        .high_base = PC_HIGH_BASE,
        .high_ram = machine->ram_size - low,
        .maximum_ram = machine->maxram_size,
        .memory_slots = (uint32_t)machine->ram_slots,
        .options = machine->smbios,
    };

    pc->smbios = smbios_tables_new(&board, error);
    return pc->smbios != NULL;
}

static gboolean place_smbios(const PcMachine *pc, GError **error)
{
    if (!memory_copy_out(SMBIOS_AREA, pc->smbios->data, pc->smbios->len)) {
        vm_error_set(error,
                     "the SMBIOS tables cannot be written: guest address 0x%" PRIx64
                     " is not RAM; give the guest more with -m",
                     SMBIOS_AREA);
        return FALSE;
    }
    return TRUE;
}

static gboolean read_kernel(PcMachine *pc, GError **error)
{
    const Machine *machine = &pc->parent;

    if (!machine->kernel) {
        if (machine->initrd || machine->append) {
            vm_error_set(error, "-%s: needs -kernel", machine->initrd ? "initrd" : "append");
            return FALSE;
        }
        return TRUE;
    }
    pc->linux_boot = linux_boot_new(machine->kernel, machine->initrd, machine->append, error);
    return pc->linux_boot != NULL;
}

static void add_boot_memory(GArray *memory, uint64_t address, uint64_t end, BootMemoryType type)
{
    BootMemory entry = {address, end - address, type};

    if (end > address) {
        g_array_append_val(memory, entry);
    }
}

static guint number_of(VmObject *object, const char *property)
{
    g_autoptr(json_object) value = vm_object_get_json(object, property, NULL);

    return value ? (guint)json_object_get_int64(value) : 0;
}

/* What of a user's device the tables tell. */
static void describe_device(VmObject *object, gpointer opaque)
{
    AcpiBoard *board = opaque;

    if (strcmp(G_OBJECT_TYPE_NAME(object), "isa-serial") == 0) {
        AcpiSerialPort port = {(uint16_t)number_of(object, "iobase"),
                               (uint8_t)number_of(object, "irq")};
        g_array_append_val((GArray *)board->serial_ports, port);
    } else if (strcmp(G_OBJECT_TYPE_NAME(object), "pvpanic") == 0) {
        board->panic_port = (uint16_t)number_of(object, "ioport");
    }
}

static void add_apic_ids(GArray *ids)
{
    for (guint i = 0; i < vcpu_topology()->count; i++) {
        guint id = vcpu_apic_id(i);
        g_array_append_val(ids, id);
    }
}

/* The tables lie below @end, in RAM below 4 GiB; what they tell is as long wherever that is. */
static gboolean write_tables(const AcpiBoard *board, uint64_t end, uint64_t *address,
                             GError **error)
{
    g_autoptr(GByteArray) dsdt = acpi_dsdt_new(board);
    g_autoptr(GByteArray) sized = acpi_tables_new(board, dsdt, 0);

    /* What lies below, down to where RAM begins again, is reserved in any case. */
    if (end < PC_EXTENDED_MEMORY + sized->len) {
        vm_error_set(error,
                     "-m %" PRIu64 "K: the ACPI tables of -m slots=%u -smp %u have %u KiB, which "
                     "are to lie above 1 MiB; give the guest more RAM with -m",
                     board->low_ram >> 10, board->memory_slots, board->apic_ids->len,
                     (sized->len + 1023) >> 10);
        return FALSE;
    }
    *address = (end - sized->len) / PC_PAGE * PC_PAGE;
    g_autoptr(GByteArray) tables = acpi_tables_new(board, dsdt, *address);
    if (!memory_copy_out(*address, tables->data, tables->len)) {
        vm_error_set(error, "the ACPI tables cannot be written: the file behind guest RAM is "
                            "shorter than it was");
        return FALSE;
    }
    return TRUE;
}

static gboolean place_tables(const Machine *machine, uint64_t low, uint64_t end, uint64_t *address,
                             GError **error)
{
    g_autoptr(GArray) apic_ids = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(AcpiSerialPort));
    AcpiBoard board = {
        .apic_ids = apic_ids,
        .serial_ports = ports,
        .intx_lines = intx_lines,
        .low_ram = low,
        .pci_window = PC_PCI_WINDOW,
        .ram_size = machine->ram_size,
        .high_ram = PC_HIGH_BASE,
        .memory_slots = (uint32_t)machine->ram_slots,
        .fw_cfg_port = FW_CFG_PORT,
        .fw_cfg_ports = FW_CFG_PORTS,
        .generation_page = end < low ? end : 0,
    };

    memory_device_area_get(&board.hotplug_base, &board.hotplug_size);
    add_apic_ids(apic_ids);
    vm_object_foreach_child(vm_object_container("machine/peripheral"), describe_device, &board);
    vm_object_foreach_child(vm_object_container("machine/peripheral-anon"), describe_device,
                            &board);
    return write_tables(&board, end, address, error);
}

static gboolean no_kernel(PcMachine *pc, GError **error)
{
    PciDevice *first = pci_bus_boot_device(pc->bus);

    vm_error_set(error, "-kernel is missing: there is no firmware here that could start a guest "
                        "from a disk");
    if (first) {
        g_prefix_error(error, "device '%s': bootindex=%d has no effect; ", pci_device_name(first),
                       first->boot_index);
    }
    return FALSE;
}

/* What a kernel may use: RAM, less what PCs keep for themselves below 1 MiB (ACPI 6.4, 15). */
static gboolean boot(Machine *machine, GError **error)
{
    g_autoptr(GArray) memory = g_array_new(FALSE, FALSE, sizeof(BootMemory));
    PcMachine *pc = (PcMachine *)machine;
    uint64_t low = MIN(machine->ram_size, PC_HOLE_BASE);
    uint64_t end = vmgenid_exists() ? low - PC_PAGE : low; /* of what the kernel may overwrite */
    BootBoard board = {.memory = memory, .low_limit = PC_HOLE_BASE};

    if (!pc->linux_boot) {
        return !ACCEL_GET_CLASS(accel_current())->has_cpus || no_kernel(pc, error);
    }
    if ((end < low && !vmgenid_place(end, error)) || !place_smbios(pc, error) ||
        !place_tables(machine, low, end, &board.rsdp, error)) {
        return FALSE;
    }
    board.low_ram = board.rsdp;
    add_boot_memory(memory, 0, MIN(low, PC_BASE_MEMORY_END), BOOT_MEMORY_RAM);
    add_boot_memory(memory, PC_BASE_MEMORY_END, PC_EXTENDED_MEMORY, BOOT_MEMORY_RESERVED);
    add_boot_memory(memory, PC_EXTENDED_MEMORY, board.rsdp, BOOT_MEMORY_RAM);
    add_boot_memory(memory, board.rsdp, end, BOOT_MEMORY_ACPI);
    add_boot_memory(memory, end, low, BOOT_MEMORY_RESERVED);
    add_boot_memory(memory, PC_HIGH_BASE, PC_HIGH_BASE + machine->ram_size - low, BOOT_MEMORY_RAM);
    return linux_boot_load(pc->linux_boot, &board, error);
}

static gboolean add_clock(const Machine *machine, GError **error)
{
    uint64_t low = MIN(machine->ram_size, PC_HOLE_BASE);

    return mc146818rtc_add(low, machine->ram_size - low, vcpu_topology()->count, error);
}

/* What the accelerator has of a PC's interrupt controllers is not built here. */
static gboolean add_interrupt_controllers(GError **error)
{
    return !accel_has_split_irqchip() ||
           (ioapic_add(error) && i8259_add(error) && i8254_add(error));
}

static gboolean build(Machine *machine, GError **error)
{
    PcMachine *pc = (PcMachine *)machine;

    if (!check_properties(pc, error) || !read_kernel(pc, error) ||
        !place_hotplug_area(machine, error) || !place_ram(machine, error) ||
        !add_interrupt_controllers(error)) {
        return FALSE;
    }
    describe_to_firmware(pc);
    if (!fw_cfg_add_options(pc->fw_cfg, machine->fw_cfg, error) || !make_smbios(pc, error)) {
        return FALSE;
    }
    pc->bus = pci_bus_new(intx_lines);
    if (!pci_bus_add_bridges(pc->bus, error)) {
        return FALSE;
    }
    acpi_init(pc->bus);
    return add_clock(machine, error) && i8042_add(error);
}

static void finalize(GObject *object)
{
    PcMachine *pc = (PcMachine *)object;
    GObjectClass *parent = g_type_class_peek(TYPE_MACHINE);

    if (pc->bus) {
        acpi_free();
        g_clear_pointer(&pc->bus, pci_bus_free);
    }
    g_clear_pointer(&pc->fw_cfg, fw_cfg_free);
    g_clear_pointer(&pc->linux_boot, linux_boot_free);
    g_clear_pointer(&pc->smbios, g_byte_array_unref);
    memory_device_area_clear();
    parent->finalize(object);
}

static void pc_machine_class_init(PcMachineClass *class)
{
    static const char *const aliases[] = {"pc", "pc-i440fx-8.1", "pc-i440fx-8.0", "pc-i440fx-7.2",
                                          NULL};

    VM_OBJECT_CLASS(class)->description = "PC with one PCI bus";
    G_OBJECT_CLASS(class)->finalize = finalize;
    class->name = "pc-i440fx-8.2";
    class->aliases = aliases;
    class->is_default = TRUE;
    class->acpi = TRUE;
    class->needs_accelerator = TRUE;
    class->cpu_max = VCPU_MAX;
    class->default_ram_size = UINT64_C(128) << 20;
    class->max_slots = PC_MAX_SLOTS;
    class->default_ram_id = "pc.ram";
    class->build = build;
    class->boot = boot;
    vm_object_class_install_fields(class, pc_machine_fields);
}

static void pc_machine_init(PcMachine *pc G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("pc-machine", PcMachine, PcMachineClass, pc_machine, TYPE_MACHINE, 0);
