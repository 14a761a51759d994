/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of buses and devices, for people: what the human monitor's info qtree shows. */
#include "hw/core/device.h"
#include "monitor/qmp.h"

#include <inttypes.h>

typedef struct Walk {
    GPtrArray *devices; /* borrowed */
    GString *output;
} Walk;

static void print_bus(const Walk *walk, const char *kind, int depth);

static void collect(VmObject *device, gpointer devices)
{
    g_ptr_array_add(devices, device);
}

static GPtrArray *collect_devices(void)
{
    static const char *const containers[] = {"machine/unattached", "machine/peripheral",
                                             "machine/peripheral-anon"};
    GPtrArray *devices = g_ptr_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(containers); i++) {
        vm_object_foreach_child(vm_object_container(containers[i]), collect, devices);
    }
    return devices;
}

/* Ports and addresses are read in hexadecimal, sizes and counts in decimal: numbers are both. */
static void print_value(GString *output, json_object *value)
{
    uint64_t number = json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;

    g_string_append(output,
                    value ? json_object_to_json_string_ext(
                                value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                          : "");
    if (number >= 10) {
        g_string_append_printf(output, " (0x%" PRIx64 ")", number);
    }
}

static void print_properties(VmObject *device, GString *output, int depth)
{
    const GPtrArray *fields = vm_type_fields(G_OBJECT_TYPE(device));

    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        g_autoptr(json_object) value = vm_object_get_json(device, field->name, NULL);

        g_string_append_printf(output, "%*s%s = ", 2 * depth, "", field->name);
        print_value(output, value);
        g_string_append_c(output, '\n');
    }
}

static void print_device(const Walk *walk, VmObject *device, int depth)
{
    const char *behind = DEVICE_GET_CLASS(device)->bus_behind;

    g_string_append_printf(walk->output, "%*sdev: %s, id \"%s\"\n", 2 * depth, "",
                           G_OBJECT_TYPE_NAME(device), device->id ? device->id : "");
    print_properties(device, walk->output, depth + 1);
    if (behind) {
        print_bus(walk, behind, depth + 1);
    }
}

/* The devices on a bus of @kind; NULL: those that are on none. */
static void print_devices(const Walk *walk, const char *kind, int depth)
{
    for (guint i = 0; i < walk->devices->len; i++) {
        VmObject *device = walk->devices->pdata[i];

        if (g_strcmp0(DEVICE_GET_CLASS(device)->bus, kind) == 0) {
            print_device(walk, device, depth);
        }
    }
}

/* There is one bus of each kind. */
static void print_bus(const Walk *walk, const char *kind, int depth)
{
    g_autofree char *name = g_ascii_strdown(kind, -1);

    g_string_append_printf(walk->output, "%*sbus: %s.0\n%*stype %s\n", 2 * depth, "", name,
                           2 * depth + 2, "", kind);
    print_devices(walk, kind, depth + 1);
}

static gboolean is_behind_another(const Walk *walk, const char *kind)
{
    for (guint i = 0; i < walk->devices->len; i++) {
        if (g_strcmp0(DEVICE_GET_CLASS(walk->devices->pdata[i])->bus_behind, kind) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

/* Buses of the machine itself, each where its first device comes. */
static void print_buses(const Walk *walk)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < walk->devices->len; i++) {
        const char *kind = DEVICE_GET_CLASS(walk->devices->pdata[i])->bus;

        if (kind && g_hash_table_add(seen, (gpointer)kind) && !is_behind_another(walk, kind)) {
            print_bus(walk, kind, 1);
        }
    }
}

static json_object *query_qtree(json_object *arguments G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    g_autoptr(GPtrArray) devices = collect_devices();
    g_autoptr(GString) output = g_string_new("bus: main-system-bus\n  type System\n");
    const Walk walk = {devices, output};
    json_object *result = json_object_new_object();

    print_devices(&walk, NULL, 1);
    print_buses(&walk);
    json_add_string(result, "human-readable-text", output->str);
    return result;
}

static const QmpCommand commands[] = {
    {.name = "x-query-qtree",
     .returns = "HumanReadableText",
     .doc = "The buses and devices with their properties, for people.",
     .run = query_qtree},
    {.name = NULL},
};

QMP_REGISTER(commands, NULL, NULL);
