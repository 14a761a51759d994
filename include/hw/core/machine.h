/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: one object at /machine, whose type -machine chooses.  VM lock
 * held.
 */
#ifndef HW_CORE_MACHINE_H
#define HW_CORE_MACHINE_H

#include "backends/host-memory.h"
#include "util/object.h"

typedef struct Machine Machine;

struct Machine {
    VmObject parent;
    char *memory_backend_id; /* -machine memory-backend= or -numa node,memdev= */
    uint64_t ram_size;       /* bytes; -m size, 0: not given */
    uint64_t maxram_size;    /* bytes; -m maxmem, 0: not given */
    uint64_t ram_slots;      /* -m slots, 0 without */
    HostMemory *ram;         /* reference; claimed as "machine" */
    gboolean ram_is_default; /* the machine made it, as /objects/DEFAULT-RAM-ID */
    gboolean mem_merge, dump_guest_core;
    char *kernel, *initrd, *append; /* -kernel and its like; NULL: not given */
    json_object *smbios, *fw_cfg;   /* arrays of what each -smbios and -fw_cfg says, or NULL */
};

typedef struct MachineClass {
    VmObjectClass parent;
    const char *name;           /* -machine pc-i440fx-8.2 */
    const char *const *aliases; /* NULL-terminated or NULL; the first is query-machines' alias */
    gboolean is_default;
    gboolean acpi;
    gboolean needs_accelerator; /* FALSE for none */
    guint cpu_max;              /* that -smp takes; 0: 1, which does nothing */
    uint64_t default_ram_size;  /* bytes; 0: no RAM at all */
    uint32_t max_slots;         /* of memory devices */
    const char *default_ram_id; /* query-machines */
    /* Builds the board around @machine->ram.  NULL: there is nothing to build. */
    gboolean (*build)(Machine *machine, GError **error);
    /*
     * Puts into RAM what the first CPU begins with; when all devices exist, and at each reset after
     * theirs.  NULL: nothing.
     */
    gboolean (*boot)(Machine *machine, GError **error);
} MachineClass;

#define TYPE_MACHINE (machine_get_type())
VM_DECLARE_TYPE(Machine, machine, MACHINE)
#define MACHINE_CLASS(class) ((MachineClass *)(class))
#define MACHINE_GET_CLASS(object) (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_MACHINE, MachineClass))

/* The machine, or NULL before it exists. Borrowed. */
Machine *machine_current(void);

/* The class that @name or an alias of it names; borrowed for ever. NULL with @error listing
 * -machine help. */
MachineClass *machine_find(const char *name, GError **error);
void machine_foreach(void (*visit)(MachineClass *class, gpointer opaque), gpointer opaque);
void machine_print_help(void); /* -machine help */

/* Creates the object at /machine with @properties set (JSON object; "memory-backend", "mem-merge",
 * ...). */
gboolean machine_create(MachineClass *class, json_object *properties, GError **error);

/* Checks what -m said, finds or makes the RAM and builds the board; sizes not given are filled in.
 */
gboolean machine_build(GError **error);

/* When all devices exist: what the CPUs begin with is in place. */
gboolean machine_boot(GError **error);

/* At exit, after device_cleanup_all() and before memory_clear(): takes the board apart. */
void machine_cleanup(void);

#endif
