/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machine, accelerator and size of RAM from -machine, -accel, -m and -numa. */
#include "setup-internal.h"

#include "accel/accel.h"
#include "accel/vcpu.h"
#include "hw/core/machine.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/options.h"
#include "util/report.h"
#include "util/size.h"

/* Descriptors beside one for each memory slot: sockets, event fds, files. */
#define DESCRIPTORS_BESIDE_SLOTS 4096

/* Merges every -machine and -M; the last wins. */
static json_object *merge_machine(const GArray *items, GError **error)
{
    g_autoptr(json_object) merged = json_object_new_object();

    for (guint i = 0; i < items->len; i++) {
        const CommandLineItem *item = &g_array_index(items, CommandLineItem, i);
        if (strcmp(item->option->name, "machine") && strcmp(item->option->name, "M")) {
            continue;
        }
        g_autoptr(json_object) options = setup_parse("machine", item->value, "type", error);
        if (!options) {
            return NULL;
        }
        json_object_object_foreach(options, key, value)
        {
            json_object_object_add(merged, key, json_object_get(value));
        }
    }
    return g_steal_pointer(&merged);
}

static gboolean apply_numa(const char *value, json_object *machine, gboolean *seen, GError **error)
{
    g_autoptr(json_object) options = setup_parse("numa", value, "type", error);
    uint64_t node = 0;
    if (!options) {
        return FALSE;
    }
    g_autofree char *type = options_take(options, "type");
    g_autofree char *memdev = options_take(options, "memdev");
    const char *given = options_get(machine, "memory-backend");

    if (g_strcmp0(type, "node")) {
        vm_error_set(error, "-numa %s: '%s' is not supported; expected -numa node[,memdev=ID]",
                     value, type ? type : "");
        return FALSE;
    }
    if (*seen) {
        vm_error_set(error, "-numa %s: the guest has one node, give -numa node once", value);
        return FALSE;
    }
    *seen = TRUE;
    if (!options_take_number(options, "-numa", "nodeid", 0, 0, &node, error) ||
        !options_check_empty(options, "-numa", "nodeid, memdev", error)) {
        return FALSE;
    }
    if (memdev && !*memdev) {
        vm_error_set(error, "-numa %s: memdev= is empty, expected the id of an -object", value);
        return FALSE;
    }
    if (memdev && given && strcmp(given, memdev)) {
        vm_error_set(error, "-numa %s: guest RAM is '%s' already", value, given);
        return FALSE;
    }
    if (memdev) {
        json_add_string(machine, "memory-backend", memdev);
    }
    return TRUE;
}

static gboolean take_size(json_object *options, const char *key, char unit, uint64_t *size,
                          GError **error)
{
    g_autofree char *text = options_take(options, key);

    if (text && !size_parse(text, unit, size, error)) {
        g_prefix_error(error, "-m %s: ", key);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_memory(const char *value, uint64_t *size, uint64_t *slots, uint64_t *maxmem,
                             GError **error)
{
    g_autoptr(json_object) options = setup_parse("m", value, "size", error);
    uint64_t given = G_MAXUINT64;

    if (!options) {
        return FALSE;
    }
    if (!take_size(options, "size", 'M', &given, error) ||
        !take_size(options, "maxmem", 'B', maxmem, error) ||
        !options_take_number(options, "-m", "slots", 0, G_MAXUINT32, slots, error) ||
        !options_check_empty(options, "-m", "size, slots, maxmem", error)) {
        return FALSE;
    }
    if (given == 0) {
        vm_error_set(error, "-m %s: guest RAM of 0 bytes is not possible", value);
        return FALSE;
    }
    if (given != G_MAXUINT64) {
        *size = given;
    }
    return TRUE;
}

/* Where the interrupt controllers are: all of them in the kernel, or the local APICs only. */
static gboolean take_irqchip(json_object *options, const char *option, GError **error)
{
    g_autofree char *place = options_take(options, "kernel-irqchip");

    if (!place) {
        return TRUE;
    }
    if (g_str_equal(place, "on") || g_str_equal(place, "split")) {
        accel_set_split_irqchip(g_str_equal(place, "split"));
        return TRUE;
    }
    if (g_str_equal(place, "off")) {
        vm_error_set(
            error,
            "%s kernel-irqchip=off: this version has no local APIC of its own, it is KVM's; "
            "use kernel-irqchip=on or kernel-irqchip=split",
            option);
    } else {
        vm_error_set(error, "%s kernel-irqchip=%s: expected on or split", option, place);
    }
    return FALSE;
}

/* What comes behind the name in -accel. */
static gboolean take_accelerator_options(json_object *options, const char *name, GError **error)
{
    uint64_t ring = 0;

    if (g_strcmp0(name, "kvm") != 0) {
        g_autofree char *option = g_strconcat("-accel ", name, NULL);
        return options_check_empty(options, option, NULL, error);
    }
    if (!take_irqchip(options, "-accel kvm", error) ||
        !options_take_number(options, "-accel kvm", "dirty-ring-size", 0, G_MAXUINT32, &ring,
                             error)) {
        return FALSE;
    }
    if (ring) {
        vm_error_set(error,
                     "-accel kvm dirty-ring-size=%" G_GUINT64_FORMAT
                     ": written pages are noted in a bitmap here; use dirty-ring-size=0",
                     ring);
        return FALSE;
    }
    return options_check_empty(options, "-accel kvm", "kernel-irqchip, dirty-ring-size", error);
}

/* The first of @names that works.  That it is not the first of all is said where a guest would
 * notice. */
static gboolean select_accelerator(const char *names, const MachineClass *class, GError **error)
{
    g_autoptr(GError) passed_over = NULL;

    if (!accel_select(names, &passed_over, error)) {
        return FALSE;
    }
    if (passed_over && class->needs_accelerator) {
        report_warning("%s; -accel %s is taken instead", passed_over->message,
                       ACCEL_GET_CLASS(accel_current())->name);
    }
    return TRUE;
}

static gboolean choose_accelerator(const GArray *items, json_object *machine, MachineClass *class,
                                   GError **error)
{
    g_autofree char *property = options_take(machine, "accel");
    g_autoptr(GString) names = g_string_new(NULL);

    if (!take_irqchip(machine, "-machine", error)) {
        return FALSE;
    }
    FOR_EACH_ITEM(items, item, "accel")
    {
        g_autoptr(json_object) options = setup_parse("accel", item->value, "accel", error);
        if (!options) {
            return FALSE;
        }
        g_autofree char *name = options_take(options, "accel");
        if (!name) {
            vm_error_set(error, "-accel %s: names no accelerator; -accel help lists them",
                         item->value);
            return FALSE;
        }
        if (!take_accelerator_options(options, name, error)) {
            return FALSE;
        }
        g_string_append_printf(names, "%s%s", names->len ? ":" : "", name);
    }
    gboolean enabled = !property && command_line_has(items, "enable-kvm");
    if (enabled) {
        property = g_strdup("kvm");
    }
    if (property && !*property) {
        vm_error_set(error, "-machine accel=: names no accelerator; -accel help lists them");
        return FALSE;
    }
    if (property && names->len) {
        vm_error_set(error, "%s%s and -accel %s exclude each other",
                     enabled ? "-enable-" : "-machine accel=", property, names->str);
        return FALSE;
    }
    g_string_append(names, property ? property : "");
    if (!names->len && (qtest_is_open() || !class->needs_accelerator)) {
        g_string_append(names, "qtest");
    }
    if (!names->len) {
        vm_error_set(error,
                     "-machine %s needs an accelerator: -accel kvm for a guest, -accel qtest for a "
                     "test program that plays one",
                     class->name);
        return FALSE;
    }
    return select_accelerator(names->str, class, error);
}

/* -kernel and its like are properties of the machine; scripts write -append '' for none. */
static void take_boot_options(const GArray *items, json_object *machine)
{
    static const char *const names[] = {"kernel", "initrd", "append"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *value = command_line_last(items, names[i]);
        if (value && *value) {
            json_add_string(machine, names[i], value);
        }
    }
}

/* -smp is given or not: a machine without a board has nothing to put CPUs on. */
static gboolean check_cpus(const MachineClass *class, GError **error)
{
    static const VcpuTopology none = {.count = 0, .sockets = 1, .cores = 1, .threads = 1};
    guint count = vcpu_topology()->count;

    if (count > MAX(class->cpu_max, 1)) {
        vm_error_set(error, "-smp %u: machine %s has no CPUs, expected -smp 1 or -machine pc",
                     count, class->name);
        return FALSE;
    }
    if (class->cpu_max == 0) {
        vcpu_set_topology(&none);
    }
    return TRUE;
}

gboolean setup_machine_object(const GArray *items, GError **error)
{
    g_autoptr(json_object) options = merge_machine(items, error);
    uint64_t size = 0;
    uint64_t slots = 0;
    uint64_t maxmem = 0;
    gboolean numa = FALSE;

    if (!options) {
        return FALSE;
    }
    g_autofree char *type = options_take(options, "type");
    MachineClass *class = machine_find(type ? type : "pc", error);
    if (!class) {
        g_prefix_error(error, "-machine: ");
        return FALSE;
    }
    if (!check_cpus(class, error) || !choose_accelerator(items, options, class, error)) {
        return FALSE;
    }
    take_boot_options(items, options);
    FOR_EACH_ITEM(items, item, "numa")
    {
        if (!apply_numa(item->value, options, &numa, error)) {
            return FALSE;
        }
    }
    FOR_EACH_ITEM(items, item, "m")
    {
        if (!apply_memory(item->value, &size, &slots, &maxmem, error)) {
            return FALSE;
        }
    }
    if (!machine_create(class, options, error)) {
        g_prefix_error(error, "-machine: ");
        return FALSE;
    }
    Machine *machine = machine_current();
    machine->ram_size = size;
    machine->maxram_size = maxmem;
    machine->ram_slots = slots;

    g_autoptr(GError) limit = NULL;
    /* With more slots than the machine has, machine_build() refuses. */
    if (slots <= class->max_slots && !fd_limit_raise(slots + DESCRIPTORS_BESIDE_SLOTS, &limit)) {
        report_warning("-m slots=%" G_GUINT64_FORMAT ": %s", slots, limit->message);
    }
    return TRUE;
}
