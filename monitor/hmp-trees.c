/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info's trees: objects, devices, the memory map, the network. */
#include "hmp-internal.h"

#include "system/memory.h"
#include "util/object.h"

#include <inttypes.h>
#include <string.h>

typedef struct Walk {
    GString *output;
    guint depth;
} Walk;

static void print_children(VmObject *object, GString *output, guint depth,
                           void (*visit)(VmObject *child, gpointer opaque))
{
    Walk walk = {output, depth};

    vm_object_foreach_child(object, visit, &walk);
}

/* --- objects --- */

static void print_object(VmObject *object, gpointer opaque)
{
    Walk *walk = opaque;

    g_string_append_printf(walk->output, "%*s/%s (%s)\n", (int)(2 * walk->depth), "",
                           object->tree_name, G_OBJECT_TYPE_NAME(object));
    print_children(object, walk->output, walk->depth + 1, print_object);
}

static void run_qom_tree(GString *output, json_object *arguments, GError **error)
{
    json_object *path;
    VmObject *object = json_object_object_get_ex(arguments, "path", &path)
                           ? vm_object_resolve(json_object_get_string(path), error)
                           : vm_object_root();

    if (!object) {
        return;
    }
    g_string_append_printf(output, "/%s (%s)\n", object->tree_name ? object->tree_name : "",
                           G_OBJECT_TYPE_NAME(object));
    print_children(object, output, 1, print_object);
}

/* --- devices --- */

static void print_properties(VmObject *device, GString *output)
{
    const GPtrArray *fields = vm_type_fields(G_OBJECT_TYPE(device));

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        g_autoptr(json_object) value = vm_object_get_json(device, field->name, NULL);
        g_string_append_printf(
            output, "    %s = %s\n", field->name,
            value ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE)
                  : "");
    }
}

static void print_device(VmObject *device, gpointer opaque)
{
    Walk *walk = opaque;

    g_string_append_printf(walk->output, "  dev: %s, id \"%s\"\n", G_OBJECT_TYPE_NAME(device),
                           device->id ? device->id : "");
    print_properties(device, walk->output);
}

static void run_qtree(GString *output, json_object *arguments G_GNUC_UNUSED,
                      GError **error G_GNUC_UNUSED)
{
    static const char *const containers[] = {"machine/unattached", "machine/peripheral",
                                             "machine/peripheral-anon"};

    g_string_append(output, "bus: main-system-bus\n  type System\n");
    for (guint i = 0; i < G_N_ELEMENTS(containers); i++) {
        print_children(vm_object_container(containers[i]), output, 0, print_device);
    }
}

/* --- the memory map --- */

static void print_range(uint64_t first, uint64_t last, const char *name, gpointer output)
{
    g_string_append_printf(output, "  %016" PRIx64 "-%016" PRIx64 ": %s\n", first, last, name);
}

static void print_ram(GString *output)
{
    GArray *sections = memory_sections_copy(NULL);

    for (guint i = 0; i < sections->len; i++) {
        const MemorySection *section = &g_array_index(sections, MemorySection, i);
        g_string_append_printf(output, "  %016" PRIx64 "-%016" PRIx64 ": ram %s @%016" PRIx64 "\n",
                               section->guest_address, section->guest_address + section->size - 1,
                               section->block->name, section->block_offset);
    }
    memory_sections_free(sections);
}

static void run_mtree(GString *output, json_object *arguments G_GNUC_UNUSED,
                      GError **error G_GNUC_UNUSED)
{
    g_string_append(output, "memory: RAM\n");
    print_ram(output);
    g_string_append(output, "memory: I/O\n");
    memory_foreach_io(ADDRESS_SPACE_MEMORY, print_range, output);
    g_string_append(output, "I/O ports\n");
    memory_foreach_io(ADDRESS_SPACE_IO, print_range, output);
}

const HmpCommand hmp_tree_commands[] = {
    {.name = "info qtree", .help = "the devices with their properties", .run = run_qtree},
    {.name = "info qom-tree",
     .arguments =
         {{.name = "path", .kind = HMP_WORD, .optional = TRUE, .complete = hmp_complete_path}},
     .help = "the objects, or those below one",
     .run = run_qom_tree},
    {.name = "info mtree", .help = "the guest's memory map and I/O ports", .run = run_mtree},
    {.name = NULL},
};
