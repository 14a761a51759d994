/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of QEMU's finds out by QMP, without a machine and with one: types, properties, the
 * tree of objects, and answers that have the members of QEMU's schema and no other.
 */
#include "qtest/rig.h"

#include <string.h>

/* Every member of the objects in @value is in @allowed, a list with spaces around each name. */
static void check_keys(json_object *value, const char *allowed)
{
    if (json_object_is_type(value, json_type_array)) {
        g_assert_cmpuint(json_object_array_length(value), >, 0);
        for (gsize i = 0; i < json_object_array_length(value); i++) {
            check_keys(json_object_array_get_idx(value, i), allowed);
        }
        return;
    }
    json_object_object_foreach(value, key, member)
    {
        g_autofree char *word = g_strdup_printf(" %s ", key);

        (void)member;
        if (!strstr(allowed, word)) {
            vmm_fail("'%s' is not one of%s", key, allowed);
        }
    }
}

static void check_command(Qmp *qmp, const char *command, const char *allowed)
{
    g_autoptr(json_object) answer = qmp_command_or_fail(qmp, "%s", command);

    check_keys(answer, allowed);
}

#define MACHINE_KEYS                                                                               \
    " name alias is-default cpu-max hotpluggable-cpus numa-mem-supported deprecated "              \
    "default-cpu-type default-ram-id acpi "
#define PROPERTY_KEYS " name type description default-value "

static void check_discovery(Qmp *qmp)
{
    g_autoptr(json_object) types = NULL, machines = NULL;

    check_command(qmp, "{'execute':'query-machines'}", MACHINE_KEYS);
    machines = qmp_command_or_fail(qmp, "{'execute':'query-machines'}");
    for (gsize i = 0; i < json_object_array_length(machines); i++) {
        json_object *machine = json_object_array_get_idx(machines, i);
        static const char *const needed[] = {"name",       "cpu-max", "hotpluggable-cpus",
                                             "deprecated", "acpi",    "numa-mem-supported"};

        for (guint j = 0; j < G_N_ELEMENTS(needed); j++) {
            g_assert_nonnull(qmp_get(machine, needed[j]));
        }
        /* What -smp takes, so that managers let their users ask for it. */
        g_assert_cmpint(json_object_get_int(qmp_get(machine, "cpu-max")), ==,
                        strcmp(qmp_get_string(machine, "name"), "none") == 0 ? 1 : 240);
    }
    check_command(qmp,
                  "{'execute':'qom-list-types','arguments':{'implements':'device',"
                  "'abstract':true}}",
                  " name abstract parent ");
    types = qmp_command_or_fail(qmp, "{'execute':'qom-list-types','arguments':"
                                     "{'implements':'device','abstract':true}}");
    for (gsize i = 0; i < json_object_array_length(types); i++) {
        json_object *type = json_object_array_get_idx(types, i);
        json_object *abstract = qmp_get(type, "abstract");

        g_assert_nonnull(qmp_get_string(type, "name"));
        g_assert_nonnull(qmp_get_string(type, "parent"));
        if (abstract) {
            g_assert_true(json_object_get_boolean(abstract));
            continue;
        }
        g_autoptr(json_object) properties = qmp_command_or_fail(
            qmp, "{'execute':'device-list-properties','arguments':{'typename':'%s'}}",
            qmp_get_string(type, "name"));
        if (json_object_array_length(properties) > 0) {
            check_keys(properties, PROPERTY_KEYS);
        }
    }
    check_command(qmp, "{'execute':'query-current-machine'}", " wakeup-suspend-support ");
}

/* --- without a machine --- */

#define TREE                                                                                       \
    "{'execute':'qom-list-get','arguments':{'paths':['/','/machine','/machine/unattached',"        \
    "'/machine/peripheral','/machine/peripheral-anon']}}"

/* One element a path; the machine's has its type with the value, and its children with their path.
 */
static void check_tree(json_object *tree)
{
    json_object *properties, *type;

    g_assert_cmpuint(json_object_array_length(tree), ==, 5);
    properties = qmp_get(json_object_array_get_idx(tree, 1), "properties");
    type = json_object_array_get_idx(properties, 0);
    g_assert_cmpstr(qmp_get_string(type, "name"), ==, "type");
    g_assert_cmpstr(qmp_get_string(type, "value"), ==, "none-machine");
    for (gsize i = 1; i < json_object_array_length(properties); i++) {
        json_object *child = json_object_array_get_idx(properties, i);

        if (strcmp(qmp_get_string(child, "name"), "peripheral") == 0) {
            g_assert_cmpstr(qmp_get_string(child, "type"), ==, "child<container>");
            g_assert_cmpstr(qmp_get_string(child, "value"), ==, "/machine/peripheral");
            return;
        }
    }
    g_assert_not_reached();
}

static void test_none(void)
{
    VmmOptions options = {.no_qtest = TRUE};
    Vmm *vmm =
        vmm_start_or_fail(&options, "-machine none -accel qtest -nodefaults -display none -S");
    char *text;

    g_autoptr(json_object) before = qmp_command_or_fail(vmm->qmp, TREE);
    check_tree(before);
    check_discovery(vmm->qmp);
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'human-monitor-command','arguments':{'command-line':'info qtree'}}"));
    g_autoptr(json_object) after = qmp_command_or_fail(vmm->qmp, TREE);
    g_assert_true(json_object_equal(before, after)); /* who looks changes nothing */
    text = qmp_command_refused(vmm->qmp, "{'execute':'query-acpi-ospm-status'}");
    g_assert_nonnull(strstr(text, "ACPI"));
    g_free(text);
    text = qmp_command_refused(vmm->qmp, "{'execute':'query-hotpluggable-cpus'}");
    g_assert_nonnull(strstr(text, "query-hotpluggable-cpus: this machine has no places for CPUs"));
    g_free(text);
    g_autoptr(json_object) cpus = qmp_command_or_fail(vmm->qmp, "{'execute':'query-cpus-fast'}");
    g_assert_cmpuint(json_object_array_length(cpus), ==, 0);
    text = qmp_command_refused(vmm->qmp, "{'execute':'device_add','arguments':"
                                         "{'driver':'vhost-user-blk-pci','chardev':'none'}}");
    g_assert_nonnull(text);
    g_free(text);
    vmm_end(vmm);
}

/* --- with one --- */

static void test_pc(void)
{
    Rig *rig = rig_start(NULL, NULL);
    g_autoptr(json_object) summary = NULL, pci = NULL;

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    check_discovery(rig->qmp);
    check_command(rig->qmp, "{'execute':'query-memdev'}",
                  " id size merge dump prealloc share reserve host-nodes policy ");
    check_command(rig->qmp, "{'execute':'query-memory-size-summary'}",
                  " base-memory plugged-memory ");
    summary = qmp_command_or_fail(rig->qmp, "{'execute':'query-memory-size-summary'}");
    g_assert_cmpint(qmp_get_int(summary, "base-memory", 0), ==, RIG_RAM);
    g_assert_cmpint(qmp_get_int(summary, "plugged-memory", 0), ==, RIG_DIMM);
    check_command(rig->qmp, "{'execute':'query-pci'}", " bus devices ");
    pci = qmp_command_or_fail(rig->qmp, "{'execute':'query-pci'}");
    check_keys(qmp_get(pci, "0/devices"),
               " bus slot function class_info id irq irq_pin qdev_id pci_bridge regions ");
    g_assert_cmpuint(json_object_array_length(qmp_get(pci, "0/devices")), ==, 3);
    check_keys(qmp_get(pci, "0/devices/2/regions"), " bar type address size prefetch mem_type_64 ");
    check_keys(qmp_get(pci, "0/devices/2/class_info"), " desc class ");
    check_keys(qmp_get(pci, "0/devices/2/id"), " device vendor subsystem subsystem-vendor ");
    g_assert_cmpstr(qmp_get_string(pci, "0/devices/2/qdev_id"), ==, "b0");
    check_command(rig->qmp, "{'execute':'query-memory-devices'}", " type data ");
    check_command(rig->qmp, "{'execute':'query-chardev'}", " label filename frontend-open ");
    check_command(rig->qmp, "{'execute':'query-status'}", " status running ");
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'query-hotpluggable-cpus'}"));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/discovery/none", test_none);
    g_test_add_func("/discovery/pc", test_pc);
    return g_test_run();
}
