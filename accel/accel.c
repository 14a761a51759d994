/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing an accelerator: every type that derives from "accel" is one. */
#include "accel/accel.h"

#include "accel/stats.h"
#include "accel/vcpu.h"
#include "util/error.h"

#include <stdio.h>

VM_DEFINE_TYPE("accel", Accel, AccelClass, accel, VM_TYPE_OBJECT, G_TYPE_FLAG_ABSTRACT);

static Accel *current;
static gboolean split_irqchip;

static void accel_class_init(AccelClass *class)
{
    VM_OBJECT_CLASS(class)->description = "accelerator";
}

static void accel_init(Accel *accel G_GNUC_UNUSED)
{
}

/* Names that users of other machine monitors know, with what they stand for. */
static const struct {
    const char *name;
    const char *label;
} foreign[] = {
    {"hvf", "Hypervisor.framework"},
    {"nitro", "Nitro"},
    {"nvmm", "NVMM"},
    {"tcg", "TCG"},
    {"whpx", "WHPX"},
    {"xen", "Xen"},
    {"mshv", "MSHV"},
};

typedef struct Search {
    const char *name;
    GType found;
    GString *names; /* of all accelerators, comma separated; NULL: not wanted */
} Search;

static void visit(GType type, gpointer opaque)
{
    Search *search = opaque;

    if (!g_type_is_a(type, accel_get_type()) || G_TYPE_IS_ABSTRACT(type)) {
        return;
    }
    AccelClass *class = g_type_class_ref(type);
    if (search->names) {
        g_string_append_printf(search->names, "%s%s", search->names->len ? ", " : "", class->name);
    }
    if (g_strcmp0(class->name, search->name) == 0) {
        search->found = type;
    }
    g_type_class_unref(class);
}

/* Says why @name cannot be chosen. */
static void refuse(const char *name, const char *available, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(foreign); i++) {
        if (g_str_equal(foreign[i].name, name)) {
            vm_error_set(error,
                         "-accel %s: this version has no %s support yet; available accelerators: "
                         "%s",
                         name, foreign[i].label, available);
            return;
        }
    }
    vm_error_set(error, "-accel %s: there is no such accelerator; available accelerators: %s",
                 *name ? name : "''", available);
}

static gboolean try_name(const char *name, GError **error)
{
    g_autoptr(GString) available = g_string_new(NULL);
    Search search = {name, 0, available};
    Accel *accel;

    vm_types_foreach(visit, &search);
    if (!search.found) {
        refuse(name, available->str, error);
        return FALSE;
    }
    accel = (Accel *)vm_object_new(search.found, NULL, error);
    if (!accel) {
        return FALSE;
    }
    AccelClass *class = ACCEL_GET_CLASS(accel);
    if (!class->has_cpus && vcpu_own_power_management()) {
        vm_error_set(error, "-overcommit cpu-pm=on: -accel %s has no CPUs; use -accel kvm", name);
        g_object_unref(accel);
        return FALSE;
    }
    if (class->init && !class->init(accel, error)) {
        g_object_unref(accel);
        return FALSE;
    }
    g_clear_object(&current);
    current = accel;
    return TRUE;
}

gboolean accel_select(const char *names, GError **passed_over, GError **error)
{
    g_auto(GStrv) list = g_strsplit(names, ":", -1);
    GError *first = NULL;

    if (!list[0]) {
        return try_name("", error);
    }
    for (guint i = 0; list[i]; i++) {
        /* A list asks for the best that works: what is said is why the first does not. */
        if (try_name(list[i], first ? NULL : &first)) {
            if (first) {
                g_propagate_error(passed_over, first);
            }
            return TRUE;
        }
    }
    g_propagate_error(error, first);
    return FALSE;
}

void accel_set_split_irqchip(gboolean split)
{
    split_irqchip = split;
}

gboolean accel_has_split_irqchip(void)
{
    return split_irqchip;
}

void accel_print_help(void)
{
    g_autoptr(GString) names = g_string_new(NULL);
    Search search = {NULL, 0, names};

    vm_types_foreach(visit, &search);
    g_auto(GStrv) list = g_strsplit(names->str, ", ", -1);
    printf("Accelerators:\n");
    for (guint i = 0; list[i]; i++) {
        printf("  %s\n", list[i]);
    }
}

Accel *accel_current(void)
{
    return current;
}

guint accel_cpu_count(void)
{
    return current && ACCEL_GET_CLASS(current)->has_cpus ? vcpu_topology()->count : 0;
}

GPtrArray *accel_stats(gint cpu, GError **error)
{
    return current && ACCEL_GET_CLASS(current)->stats ? ACCEL_GET_CLASS(current)->stats(cpu, error)
                                                      : g_ptr_array_new();
}

gboolean accel_start(GError **error)
{
    return !current || !ACCEL_GET_CLASS(current)->start ||
           ACCEL_GET_CLASS(current)->start(current, error);
}

void accel_stop(void)
{
    if (current && ACCEL_GET_CLASS(current)->stop) {
        ACCEL_GET_CLASS(current)->stop(current);
    }
}
