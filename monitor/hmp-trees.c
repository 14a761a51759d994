/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info's trees: objects, devices, the memory map, the network. */
#include "hmp-internal.h"

#include "monitor/qmp.h"
#include "system/memory.h"
#include "util/error.h"
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

/* --- the memory map --- */

static const char *const space_names[] = {
    [ADDRESS_SPACE_MEMORY] = "memory", [ADDRESS_SPACE_IO] = "I/O"};

/* A line of the map. */
typedef struct Line {
    uint64_t first, last;
    char *text;
} Line;

static void line_clear(gpointer opaque)
{
    g_free(((Line *)opaque)->text);
}

static GArray *lines_new(void)
{
    GArray *lines = g_array_new(FALSE, FALSE, sizeof(Line));

    g_array_set_clear_func(lines, line_clear);
    return lines;
}

/* By address; what is larger comes first. */
static int compare_lines(gconstpointer left, gconstpointer right)
{
    const Line *a = left, *b = right;

    if (a->first != b->first) {
        return a->first < b->first ? -1 : 1;
    }
    return a->last == b->last ? strcmp(a->text, b->text) : a->last > b->last ? -1 : 1;
}

/* What lies within an earlier line is set in below it. */
static void print_lines(GString *output, GArray *lines, gboolean nested)
{
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    g_array_sort(lines, compare_lines);
    for (guint i = 0; i < lines->len; i++) {
        const Line *line = &g_array_index(lines, Line, i);

        while (ends->len > 0 && g_array_index(ends, uint64_t, ends->len - 1) < line->last) {
            g_array_set_size(ends, ends->len - 1);
        }
        g_string_append_printf(output, "%*s%016" PRIx64 "-%016" PRIx64 " %s\n",
                               nested ? (int)(2 * ends->len) + 2 : 2, "", line->first, line->last,
                               line->text);
        g_array_append_val(ends, line->last);
    }
    g_array_unref(lines);
}

/* RAM lies over everything else.  A section that is not a whole block is an alias of its part. */
static void add_ram(GArray *lines, gboolean flat)
{
    GArray *sections = memory_sections_copy(NULL);

    for (guint i = 0; i < sections->len; i++) {
        const MemorySection *section = &g_array_index(sections, MemorySection, i);
        const RamBlock *block = section->block;
        uint64_t offset = section->block_offset;
        Line line = {section->guest_address, section->guest_address + section->size - 1, NULL};
        const char *kind = block->read_only ? "rom" : "ram";

        if (flat) {
            line.text = g_strdup_printf("(prio 1, %s): %s @%016" PRIx64, kind, block->name, offset);
        } else if (section->size == block->size) {
            line.text = g_strdup_printf("(prio 1, %s): %s", kind, block->name);
        } else {
            line.text =
                g_strdup_printf("(prio 1, %s): alias %s @%s %016" PRIx64 "-%016" PRIx64, kind, kind,
                                block->name, offset, offset + section->size - 1);
        }
        g_array_append_val(lines, line);
    }
    memory_sections_free(sections);
}

static char *describe_owner(GObject *owner)
{
    g_autofree char *path = owner ? vm_object_path(VM_OBJECT(owner)) : NULL;

    return path ? g_strdup_printf(" owner:{%s}", path) : g_strdup("");
}

static void add_region(const IoRegionView *region, gpointer lines)
{
    uint64_t size = region->last - region->first + 1;
    g_autofree char *owner = describe_owner(region->owner);
    const char *hidden = region->answered == 0     ? " [hidden]"
                         : region->answered < size ? " [partly hidden]"
                                                   : "";
    Line line = {region->first, region->last,
                 g_strdup_printf("(prio 0, i/o): %s%s%s", region->name, owner, hidden)};

    g_array_append_val((GArray *)lines, line);
}

static void add_range(uint64_t first, uint64_t last, const char *name, gpointer lines)
{
    Line line = {first, last, g_strdup_printf("(prio 0, i/o): %s", name)};

    g_array_append_val((GArray *)lines, line);
}

/* All regions as they were mapped. */
static void print_space(GString *output, AddressSpace space)
{
    GArray *lines = lines_new();
    Line root = {0, space == ADDRESS_SPACE_IO ? UINT16_MAX : UINT64_MAX,
                 g_strdup_printf("(prio 0, i/o): %s", space == ADDRESS_SPACE_IO ? "io" : "system")};

    g_string_append_printf(output, "address-space: %s\n", space_names[space]);
    g_array_append_val(lines, root);
    if (space == ADDRESS_SPACE_MEMORY) {
        add_ram(lines, FALSE);
    }
    memory_foreach_region(space, add_region, lines);
    print_lines(output, lines, TRUE);
    g_string_append_c(output, '\n');
}

/* Who answers where. */
static void print_flat_space(GString *output, AddressSpace space)
{
    GArray *lines = lines_new();

    g_string_append_printf(output, "FlatView of address-space: %s\n", space_names[space]);
    if (space == ADDRESS_SPACE_MEMORY) {
        add_ram(lines, TRUE);
    }
    memory_foreach_io(space, add_range, lines);
    print_lines(output, lines, FALSE);
    g_string_append_c(output, '\n');
}

static void run_mtree(GString *output, json_object *arguments, GError **error)
{
    json_object *word;
    const char *flag =
        json_object_object_get_ex(arguments, "flag", &word) ? json_object_get_string(word) : NULL;

    if (flag && strcmp(flag, "-f") != 0) {
        vm_error_set(error, "info mtree %s: expected nothing, or -f for who answers where", flag);
        return;
    }
    for (AddressSpace space = ADDRESS_SPACE_MEMORY; space <= ADDRESS_SPACE_IO; space++) {
        if (flag) {
            print_flat_space(output, space);
        } else {
            print_space(output, space);
        }
    }
}

static void print_text(GString *output, json_object *result)
{
    g_string_append(output, qmp_string(result, "human-readable-text"));
}

static void complete_flag(HmpWords *words)
{
    hmp_words_add(words, "-f");
}

const HmpCommand hmp_tree_commands[] = {
    {.name = "info qtree",
     .help = "the buses and devices with their properties",
     .qmp = "x-query-qtree",
     .print = print_text},
    {.name = "info qom-tree",
     .arguments =
         {{.name = "path", .kind = HMP_WORD, .optional = TRUE, .complete = hmp_complete_path}},
     .help = "the objects, or those below one",
     .run = run_qom_tree},
    {.name = "info mtree",
     .arguments = {{.name = "flag", .kind = HMP_WORD, .optional = TRUE, .complete = complete_flag}},
     .help = "the guest's memory map and I/O ports; -f: who answers where",
     .run = run_mtree},
    {.name = NULL},
};
