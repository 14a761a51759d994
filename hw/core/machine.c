/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine types by name, and what every machine does with -m and its memory backend. */
#include "hw/core/machine.h"

#include "hw/core/device.h"
#include "system/run-state.h"
#include "util/error.h"
#include "util/report.h"
#include "util/size.h"

#include <inttypes.h>
#include <stdio.h>

#define HOST_PAGE 4096 /* of x86 */

static Machine *current;

static const VmField machine_fields[] = {
    {.name = "memory-backend",
     .doc = "id of the memory backend that is the guest's RAM",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(Machine, memory_backend_id)},
    {.name = "mem-merge",
     .doc = "let the host merge equal pages of private RAM",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(Machine, mem_merge),
     .default_value = TRUE},
    {.name = "dump-guest-core",
     .doc = "put guest RAM into core dumps of the emulator",
     .kind = VM_FIELD_BOOL,
     .offset = G_STRUCT_OFFSET(Machine, dump_guest_core),
     .default_value = TRUE},
    {.name = "kernel",
     .doc = "file of the kernel that the machine starts",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(Machine, kernel)},
    {.name = "initrd",
     .doc = "file of the kernel's initial RAM disk",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(Machine, initrd)},
    {.name = "append",
     .doc = "command line of the kernel",
     .kind = VM_FIELD_STRING,
     .offset = G_STRUCT_OFFSET(Machine, append)},
    {.name = NULL},
};

static void finalize(GObject *object)
{
    Machine *machine = MACHINE(object);
    GObjectClass *parent = g_type_class_peek(VM_TYPE_OBJECT);

    if (machine->ram) {
        host_memory_unclaim(machine->ram);
        if (machine->ram_is_default) {
            vm_object_unparent(VM_OBJECT(machine->ram));
        }
        g_clear_object(&machine->ram);
    }
    g_clear_pointer(&machine->smbios, json_object_put);
    g_clear_pointer(&machine->fw_cfg, json_object_put);
    parent->finalize(object);
}

static void machine_class_init(MachineClass *class)
{
    VM_OBJECT_CLASS(class)->noun = "machine";
    G_OBJECT_CLASS(class)->finalize = finalize;
    vm_object_class_install_fields(class, machine_fields);
}

static void machine_init(Machine *machine G_GNUC_UNUSED)
{
}

VM_DEFINE_TYPE("machine", Machine, MachineClass, machine, VM_TYPE_OBJECT, G_TYPE_FLAG_ABSTRACT);

Machine *machine_current(void)
{
    return current;
}

/* --- types --- */

typedef struct Visit {
    void (*visit)(MachineClass *class, gpointer opaque);
    gpointer opaque;
} Visit;

static void visit_type(GType type, gpointer opaque)
{
    Visit *visit = opaque;

    if (g_type_is_a(type, TYPE_MACHINE) && !G_TYPE_IS_ABSTRACT(type)) {
        visit->visit(g_type_class_ref(type), visit->opaque);
    }
}

void machine_foreach(void (*visit)(MachineClass *class, gpointer opaque), gpointer opaque)
{
    Visit both = {visit, opaque};

    vm_types_foreach(visit_type, &both);
}

typedef struct Search {
    const char *name;
    MachineClass *found;
} Search;

static void match(MachineClass *class, gpointer opaque)
{
    Search *search = opaque;

    if (strcmp(class->name, search->name) == 0 ||
        (class->aliases && g_strv_contains(class->aliases, search->name))) {
        search->found = class;
    }
}

MachineClass *machine_find(const char *name, GError **error)
{
    Search search = {name, NULL};

    machine_foreach(match, &search);
    if (!search.found) {
        vm_error_set(error, "machine type '%s' does not exist; '-machine help' lists those that do",
                     name);
    }
    return search.found;
}

static void print_machine(MachineClass *class, gpointer opaque G_GNUC_UNUSED)
{
    const char *description = class->parent.description;

    printf("  %-16s %s%s\n", class->name, description, class->is_default ? " (default)" : "");
    for (guint i = 0; class->aliases && class->aliases[i]; i++) {
        printf("  %-16s the same by another name\n", class->aliases[i]);
    }
}

void machine_print_help(void)
{
    printf("Supported machines:\n");
    machine_foreach(print_machine, NULL);
}

/* --- the one machine --- */

/* All from the start, so that the tree of a machine does not depend on who has looked at it. */
static void make_containers(void)
{
    vm_object_container("machine/unattached");
    vm_object_container("machine/peripheral");
    vm_object_container("machine/peripheral-anon");
}

gboolean machine_create(MachineClass *class, json_object *properties, GError **error)
{
    g_autoptr(VmObject) object = vm_object_new(G_TYPE_FROM_CLASS(class), NULL, error);

    if (!object || !vm_object_set_all(object, properties, error) ||
        !vm_object_add_child(vm_object_root(), "machine", object, error)) {
        return FALSE;
    }
    object->frozen = TRUE;
    current = MACHINE(object);
    make_containers();
    return TRUE;
}

static gboolean find_backend(Machine *machine, GError **error)
{
    const char *id = machine->memory_backend_id;
    VmObject *object = vm_object_find("objects", id);

    if (!*id) {
        vm_error_set(error, "-machine memory-backend=: it is empty, expected the id of an -object");
        return FALSE;
    }
    if (!object || !g_type_is_a(G_OBJECT_TYPE(object), TYPE_HOST_MEMORY)) {
        vm_error_set(error,
                     "memory-backend '%s': there is no such memory backend; define it with "
                     "'-object memory-backend-memfd,id=%s,size=SIZE'",
                     id, id);
        return FALSE;
    }
    if (machine->ram_size && HOST_MEMORY(object)->size != machine->ram_size) {
        g_autofree char *has = size_format(HOST_MEMORY(object)->size);
        g_autofree char *wanted = size_format(machine->ram_size);
        vm_error_set(error,
                     "memory-backend '%s' has %s, but '-m' says %s: make them equal, or leave out "
                     "the size of '-m'",
                     id, has, wanted);
        return FALSE;
    }
    if (!host_memory_claim(HOST_MEMORY(object), "machine", error)) {
        return FALSE;
    }
    machine->ram = HOST_MEMORY(g_object_ref(object));
    machine->ram_size = machine->ram->size;
    return TRUE;
}

static gboolean make_backend(Machine *machine, GError **error)
{
    MachineClass *class = MACHINE_GET_CLASS(machine);
    HostMemory *ram;

    if (machine->ram_size == 0) {
        machine->ram_size = class->default_ram_size;
    }
    ram = host_memory_new_default(class->default_ram_id, machine->ram_size, machine->mem_merge,
                                  machine->dump_guest_core, error);
    if (!ram) {
        g_prefix_error(error, "-m size=%" PRIu64 ": ", machine->ram_size);
        return FALSE;
    }
    machine->ram = ram;
    machine->ram_is_default = TRUE;
    return host_memory_claim(ram, "machine", error) &&
           vm_object_add_child(vm_object_container("objects"), class->default_ram_id,
                               VM_OBJECT(ram), error);
}

/* -m maxmem= and slots= only make sense together. */
static gboolean check_slots(Machine *machine, GError **error)
{
    uint32_t maximum = MACHINE_GET_CLASS(machine)->max_slots;

    if (machine->ram_slots > maximum) {
        vm_error_set(error,
                     "-m slots=%" PRIu64 ": machine type '%s' has at most %" PRIu32 " memory slots",
                     machine->ram_slots, MACHINE_GET_CLASS(machine)->name, maximum);
        return FALSE;
    }
    if (machine->ram_slots > 0 && machine->maxram_size == 0) {
        vm_error_set(error,
                     "-m slots=%" PRIu64 " needs maxmem=, the most memory that the guest "
                     "can have",
                     machine->ram_slots);
        return FALSE;
    }
    if (machine->maxram_size == 0) {
        machine->maxram_size = machine->ram_size;
    }
    if (machine->maxram_size < machine->ram_size) {
        g_autofree char *most = size_format(machine->maxram_size);
        g_autofree char *now = size_format(machine->ram_size);
        vm_error_set(error, "-m maxmem= (%s) is less than size= (%s)", most, now);
        return FALSE;
    }
    if (machine->maxram_size % HOST_PAGE != 0) {
        vm_error_set(error, "-m maxmem=%" PRIu64 " is not a multiple of the page size, %d",
                     machine->maxram_size, HOST_PAGE);
        return FALSE;
    }
    if (machine->maxram_size > machine->ram_size && machine->ram_slots == 0) {
        vm_error_set(error,
                     "-m maxmem=%" PRIu64 " needs slots=, the number of memory devices that "
                     "can be added",
                     machine->maxram_size);
        return FALSE;
    }
    return TRUE;
}

static gboolean check_no_memory(Machine *machine, GError **error)
{
    if (machine->memory_backend_id || machine->ram_slots || machine->maxram_size) {
        vm_error_set(error, "machine '%s' has no memory: leave out %s",
                     MACHINE_GET_CLASS(machine)->name,
                     machine->memory_backend_id ? "memory-backend" : "slots and maxmem of '-m'");
        return FALSE;
    }
    if (machine->kernel || machine->initrd || machine->append) {
        vm_error_set(error, "machine '%s' starts no kernel: leave out -%s",
                     MACHINE_GET_CLASS(machine)->name,
                     machine->kernel   ? "kernel"
                     : machine->initrd ? "initrd"
                                       : "append");
        return FALSE;
    }
    machine->ram_size = 0;
    return TRUE;
}

gboolean machine_boot(GError **error)
{
    MachineClass *class = MACHINE_GET_CLASS(current);

    return !class->boot || class->boot(current, error);
}

static void reset_devices(gpointer opaque G_GNUC_UNUSED)
{
    g_autoptr(GError) error = NULL;

    device_reset_all();
    if (!machine_boot(&error)) {
        report_error("the machine cannot start again: %s", error->message);
    }
}

gboolean machine_build(GError **error)
{
    Machine *machine = current;
    MachineClass *class = MACHINE_GET_CLASS(machine);

    run_state_reset_handler_add(reset_devices, NULL);
    if (class->default_ram_size == 0) {
        return check_no_memory(machine, error);
    }
    return (machine->memory_backend_id ? find_backend(machine, error)
                                       : make_backend(machine, error)) &&
           check_slots(machine, error) && class->build(machine, error);
}

void machine_cleanup(void)
{
    VmObject *machine = VM_OBJECT(g_steal_pointer(&current));

    if (machine) {
        run_state_reset_handler_remove(reset_devices, NULL);
        vm_object_unparent(machine);
    }
}
