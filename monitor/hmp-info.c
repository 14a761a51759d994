/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What info shows of QMP's answers.  Scripts read these lines: their form is QEMU's. */
#include "hmp-internal.h"

#include "util/error.h"

#include "qmp-internal.h"

#include <inttypes.h>
#include <string.h>

/* --- small ones --- */

static void print_status(GString *output, json_object *result)
{
    const char *status = qmp_string(result, "status");
    gboolean running = qmp_bool(result, "running", FALSE);
    gboolean plain = !strcmp(status, running ? "running" : "paused");

    g_string_append_printf(output, "VM status: %s%s%s%s\n", running ? "running" : "paused",
                           plain ? "" : " (", plain ? "" : status, plain ? "" : ")");
}

static void print_version(GString *output, json_object *result)
{
    json_object *version = json_object_object_get(result, "qemu");

    g_string_append_printf(output, "%" PRId64 ".%" PRId64 ".%" PRId64 " (%s)\n",
                           qmp_int(version, "major", 0), qmp_int(version, "minor", 0),
                           qmp_int(version, "micro", 0), qmp_string(result, "package"));
}

static void print_name(GString *output, json_object *result)
{
    if (qmp_string(result, "name")) {
        g_string_append_printf(output, "%s\n", qmp_string(result, "name"));
    }
}

static void print_uuid(GString *output, json_object *result)
{
    g_string_append_printf(output, "%s\n", qmp_string(result, "UUID"));
}

static void print_kvm(GString *output, json_object *result)
{
    g_string_append_printf(output, "kvm support: %s\n",
                           !qmp_bool(result, "present", FALSE)  ? "not compiled"
                           : qmp_bool(result, "enabled", FALSE) ? "enabled"
                                                                : "disabled");
}

static void print_cpus(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *cpu = json_object_array_get_idx(result, i);
        g_string_append_printf(output, "%c CPU #%" PRId64 ": thread_id=%" PRId64 "\n",
                               i == 0 ? '*' : ' ', qmp_int(cpu, "cpu-index", 0),
                               qmp_int(cpu, "thread-id", 0));
    }
}

static void print_chardevs(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *chardev = json_object_array_get_idx(result, i);
        g_string_append_printf(output, "%s: filename=%s\n", qmp_string(chardev, "label"),
                               qmp_string(chardev, "filename"));
    }
}

/* --- memory --- */

static void print_memory_device(GString *output, json_object *info)
{
    json_object *data = json_object_object_get(info, "data");
    const char *id = qmp_string(data, "id");

    g_string_append_printf(output, "Memory device [%s]: \"%s\"\n", qmp_string(info, "type"),
                           id ? id : "");
    g_string_append_printf(output, "  addr: 0x%" PRIx64 "\n", qmp_uint(data, "addr", 0));
    g_string_append_printf(output, "  slot: %" PRId64 "\n", qmp_int(data, "slot", 0));
    g_string_append_printf(output, "  node: %" PRId64 "\n", qmp_int(data, "node", 0));
    g_string_append_printf(output, "  size: %" PRIu64 "\n", qmp_uint(data, "size", 0));
    g_string_append_printf(output, "  memdev: %s\n", qmp_string(data, "memdev"));
    g_string_append_printf(output, "  hotplugged: %s\n",
                           qmp_bool(data, "hotplugged", FALSE) ? "true" : "false");
    g_string_append_printf(output, "  hotpluggable: %s\n",
                           qmp_bool(data, "hotpluggable", FALSE) ? "true" : "false");
}

static void print_memory_devices(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        print_memory_device(output, json_object_array_get_idx(result, i));
    }
}

static void print_memory_size(GString *output, json_object *result)
{
    g_string_append_printf(output, "base memory: %" PRIu64 "\n",
                           qmp_uint(result, "base-memory", 0));
    if (json_object_object_get_ex(result, "plugged-memory", NULL)) {
        g_string_append_printf(output, "plugged memory: %" PRIu64 "\n",
                               qmp_uint(result, "plugged-memory", 0));
    }
}

static void print_memdevs(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *backend = json_object_array_get_idx(result, i);
        const char *id = qmp_string(backend, "id");
        g_string_append_printf(output, "memory backend: %s\n  size: %" PRIu64 "\n  share: %s\n",
                               id ? id : "", qmp_uint(backend, "size", 0),
                               qmp_bool(backend, "share", FALSE) ? "true" : "false");
    }
}

/* The machine has one node, which all CPUs and all memory belong to. */
static void print_numa(GString *output, json_object *result)
{
    guint64 plugged = qmp_uint(result, "plugged-memory", 0);

    g_string_append_printf(output,
                           "1 nodes\nnode 0 size: %" PRIu64 " MB\nnode 0 plugged: %" PRIu64 " MB\n",
                           (qmp_uint(result, "base-memory", 0) + plugged) >> 20, plugged >> 20);
}

/* --- PCI --- */

static void print_region(GString *output, json_object *region)
{
    gboolean io = !strcmp(qmp_string(region, "type"), "io");
    guint64 address = qmp_uint(region, "address", 0), size = qmp_uint(region, "size", 0);

    g_string_append_printf(output, "      BAR%" PRId64 ": ", qmp_int(region, "bar", 0));
    if (!io) {
        g_string_append_printf(output, "%d bit%s memory",
                               qmp_bool(region, "mem_type_64", FALSE) ? 64 : 32,
                               qmp_bool(region, "prefetch", FALSE) ? " prefetchable" : "");
    } else {
        g_string_append(output, "I/O");
    }
    if (qmp_int(region, "address", 0) < 0) {
        g_string_append_printf(output, " of 0x%" PRIx64 " bytes, not mapped.\n", size);
    } else {
        g_string_append_printf(output, " at 0x%0*" PRIx64 " [0x%0*" PRIx64 "].\n", io ? 4 : 8,
                               address, io ? 4 : 8, address + size - 1);
    }
}

static void print_pci_device(GString *output, json_object *device)
{
    json_object *class = json_object_object_get(device, "class_info");
    json_object *id = json_object_object_get(device, "id");
    json_object *regions = json_object_object_get(device, "regions");
    const char *description = qmp_string(class, "desc");

    g_string_append_printf(
        output, "  Bus %2" PRId64 ", device %3" PRId64 ", function %" PRId64 ":\n",
        qmp_int(device, "bus", 0), qmp_int(device, "slot", 0), qmp_int(device, "function", 0));
    if (description) {
        g_string_append_printf(output, "    %s: ", description);
    } else {
        g_string_append_printf(output, "    Class %04" PRIx64 ": ", qmp_uint(class, "class", 0));
    }
    g_string_append_printf(output, "PCI device %04" PRIx64 ":%04" PRIx64 "\n",
                           qmp_uint(id, "vendor", 0), qmp_uint(id, "device", 0));
    if (qmp_int(device, "irq_pin", 0) > 0) {
        g_string_append_printf(output, "      IRQ %" PRId64 ", pin %c\n", qmp_int(device, "irq", 0),
                               (char)('@' + qmp_int(device, "irq_pin", 0)));
    }
    for (gsize i = 0; i < json_object_array_length(regions); i++) {
        print_region(output, json_object_array_get_idx(regions, i));
    }
    g_string_append_printf(output, "      id \"%s\"\n", qmp_string(device, "qdev_id"));
}

static void print_pci(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *bus = json_object_array_get_idx(result, i);
        json_object *devices = json_object_object_get(bus, "devices");
        for (gsize j = 0; j < json_object_array_length(devices); j++) {
            print_pci_device(output, json_object_array_get_idx(devices, j));
        }
    }
}

/* --- any answer --- */

static void print_value(GString *output, json_object *value, guint depth);

static gboolean is_simple(json_object *value)
{
    return !json_object_is_type(value, json_type_object) &&
           !json_object_is_type(value, json_type_array);
}

static void print_member(GString *output, const char *name, json_object *value, guint depth)
{
    g_string_append_printf(output, "%*s%s:", (int)(2 * depth), "", name);
    if (is_simple(value)) {
        g_string_append_printf(output, " %s\n", value ? json_object_get_string(value) : "");
        return;
    }
    g_string_append_c(output, '\n');
    print_value(output, value, depth + 1);
}

/* The words of a list in one line, its objects one after the other. */
static void print_list(GString *output, json_object *list, guint depth)
{
    gboolean words = FALSE;

    for (gsize i = 0; i < json_object_array_length(list); i++) {
        json_object *value = json_object_array_get_idx(list, i);
        if (is_simple(value)) {
            g_string_append_printf(output, "%*s%s", words ? 1 : (int)(2 * depth), "",
                                   json_object_get_string(value));
            words = TRUE;
        } else {
            print_value(output, value, depth);
        }
    }
    g_string_append(output, words ? "\n" : "");
}

static void print_value(GString *output, json_object *value, guint depth)
{
    if (json_object_is_type(value, json_type_array)) {
        print_list(output, value, depth);
        return;
    }
    json_object_object_foreach(value, name, member)
    {
        print_member(output, name, member, depth);
    }
}

static void print_vhost_user(GString *output, json_object *result)
{
    for (gsize i = 0; i < json_object_array_length(result); i++) {
        json_object *device = json_object_array_get_idx(result, i);
        g_string_append_printf(output, "%s\n", qmp_string(device, "path"));
        print_value(output, device, 1);
    }
}

static void print_text(GString *output, json_object *result)
{
    g_string_append(output, qmp_string(result, "human-readable-text"));
}

static void print_any(GString *output, json_object *result)
{
    print_value(output, result, 0);
}

/* --- what there is not --- */

static void run_block(GString *output G_GNUC_UNUSED, json_object *arguments G_GNUC_UNUSED,
                      GError **error)
{
    vm_error_set(error, "info block: there is no block layer here: disks are vhost-user devices, "
                        "see info vhost-user");
}

static void run_balloon(GString *output G_GNUC_UNUSED, json_object *arguments G_GNUC_UNUSED,
                        GError **error)
{
    vm_error_set(error, "info balloon: there is no balloon device here");
}

static void run_registers(GString *output G_GNUC_UNUSED, json_object *arguments G_GNUC_UNUSED,
                          GError **error)
{
    vm_error_set(error, "info registers: the CPUs' registers cannot be shown");
}

static void print_generation(GString *output, json_object *result)
{
    g_string_append_printf(output, "%s\n", qmp_string(result, "guid"));
}

const HmpCommand hmp_info_commands[] = {
    {.name = "info status",
     .help = "whether the guest runs",
     .qmp = "query-status",
     .print = print_status},
    {.name = "info version",
     .help = "this program's version",
     .qmp = "query-version",
     .print = print_version},
    {.name = "info name", .help = "the guest's name", .qmp = "query-name", .print = print_name},
    {.name = "info uuid", .help = "the guest's UUID", .qmp = "query-uuid", .print = print_uuid},
    {.name = "info kvm",
     .help = "whether KVM runs the guest",
     .qmp = "query-kvm",
     .print = print_kvm},
    {.name = "info cpus",
     .help = "the CPUs and their threads",
     .qmp = "query-cpus-fast",
     .print = print_cpus},
    {.name = "info chardev",
     .help = "the character devices",
     .qmp = "query-chardev",
     .print = print_chardevs},
    {.name = "info memory-devices",
     .help = "the memory devices",
     .qmp = "query-memory-devices",
     .print = print_memory_devices},
    {.name = "info memory_size_summary",
     .help = "how much memory the guest has",
     .qmp = "query-memory-size-summary",
     .print = print_memory_size},
    {.name = "info memdev",
     .help = "the memory backends",
     .qmp = "query-memdev",
     .print = print_memdevs},
    {.name = "info numa",
     .help = "the NUMA nodes",
     .qmp = "query-memory-size-summary",
     .print = print_numa},
    {.name = "info pci", .help = "the PCI devices", .qmp = "query-pci", .print = print_pci},
    {.name = "info vhost-user",
     .help = "the vhost-user devices and their backends",
     .qmp = "x-query-vhost-user",
     .print = print_vhost_user},
    {.name = "info network",
     .help = "the network cards and what they are plugged into",
     .qmp = "x-query-network",
     .print = print_text},
    {.name = "info rx-filter",
     .help = "the receive filters of the network devices",
     .qmp = "query-rx-filter",
     .print = print_any},
    {.name = "info vm-generation-id",
     .help = "the number of the guest's generation",
     .qmp = "query-vm-generation-id",
     .print = print_generation},
    {.name = "info block", .help = "refused: there is no block layer", .run = run_block},
    {.name = "info balloon", .help = "refused: there is no balloon", .run = run_balloon},
    {.name = "info registers", .help = "refused: registers cannot be shown", .run = run_registers},
    {.name = NULL},
};
