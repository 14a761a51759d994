/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes and goes leaves nothing behind: after hundreds of rounds the program has the
 * descriptors, mappings, private memory and objects with which it began.
 */
#include "human.h"

#include "qtest/process.h"
#include "qtest/rig.h"

#include <stdlib.h>
#include <string.h>

#define HOT_SLOT 9
#define WARM_UP 20 /* rounds before the first look: caches and pools have filled then */

/* The allocator keeps freed pieces and the C library the stacks of ended threads; a leak of 256
 * bytes a round shows all the same. */
#define PRIVATE_TOLERANCE 128 /* KiB */
#define MAPS_TOLERANCE 2

typedef struct Use {
    guint descriptors, maps;
    gint64 private_memory; /* KiB */
    char *objects;         /* lists of what there is */
} Use;

/* --- a look at the program --- */

static guint count_maps(Rig *rig)
{
    g_autofree char *text = process_read(rig->vmm->pid, "maps");
    guint count = 0;

    for (gsize i = 0; text[i]; i++) {
        count += text[i] == '\n';
    }
    return count;
}

/* Heap and stacks.  Pages of files count as private or not as other processes come and go. */
static gint64 private_memory(Rig *rig)
{
    return process_number(rig->vmm->pid, "smaps_rollup", "Anonymous");
}

static void list(Rig *rig, GString *objects, const char *text)
{
    g_autoptr(json_object) answer = qmp_command_or_fail(rig->qmp, "%s", text);

    g_string_append_printf(objects, "%s\n", json_object_to_json_string(answer));
}

static char *list_objects(Rig *rig)
{
    g_autoptr(json_object) devices =
        qmp_command_or_fail(rig->qmp, "{'execute':'x-query-vhost-user'}");
    GString *objects = g_string_new(NULL);

    list(rig, objects, "{'execute':'qom-list','arguments':{'path':'/objects'}}");
    list(rig, objects, "{'execute':'qom-list','arguments':{'path':'/machine/peripheral'}}");
    list(rig, objects, "{'execute':'qom-list','arguments':{'path':'/machine'}}");
    list(rig, objects, "{'execute':'query-chardev'}");
    list(rig, objects, "{'execute':'query-memdev'}");
    list(rig, objects, "{'execute':'query-memory-devices'}");
    for (gsize i = 0; i < json_object_array_length(devices); i++) {
        json_object *device = json_object_array_get_idx(devices, i);

        g_string_append_printf(objects, "%s: %" G_GINT64_FORMAT " slots, connected %s\n",
                               qmp_get_string(device, "id"), qmp_get_int(device, "slots-used", -1),
                               json_object_get_string(qmp_get(device, "connected")));
    }
    return g_string_free(objects, FALSE);
}

static Use look(Rig *rig)
{
    Use use = {.objects = list_objects(rig)};

    use.descriptors = process_descriptors(rig->vmm->pid);
    use.maps = count_maps(rig);
    use.private_memory = private_memory(rig);
    return use;
}

/* --- rounds --- */

typedef void Round(Rig *rig, guint number);

/* @count rounds; descriptors of ended connections may take the main loop another turn. */
static void run_rounds(Rig *rig, Round *round, guint count)
{
    Use before, after;

    for (guint i = 0; i < WARM_UP; i++) {
        round(rig, i);
    }
    before = look(rig);
    for (guint i = 0; i < count; i++) {
        round(rig, i);
    }
    after = look(rig);
    for (guint tries = 0; after.descriptors != before.descriptors && tries < 2000; tries++) {
        g_usleep(1000);
        after.descriptors = process_descriptors(rig->vmm->pid);
    }
    g_test_message("%u rounds: descriptors %u, %u; maps %u, %u; private memory %" G_GINT64_FORMAT
                   ", %" G_GINT64_FORMAT " KiB",
                   count, before.descriptors, after.descriptors, before.maps, after.maps,
                   before.private_memory, after.private_memory);
    g_assert_cmpuint(after.descriptors, ==, before.descriptors);
    g_assert_cmpstr(after.objects, ==, before.objects);
    /* AddressSanitizer keeps what is freed for a while, in mappings of its own. */
    if (!process_is_sanitized(rig->vmm->pid)) {
        g_assert_cmpuint(after.maps, <=, before.maps + MAPS_TOLERANCE);
        g_assert_cmpint(after.private_memory, <=, before.private_memory + PRIVATE_TOLERANCE);
    }
    g_free(before.objects);
    g_free(after.objects);
}

/* The machine with a disk in use, @round many times. */
static void run_test(Round *round, guint count, const char *arguments)
{
    RigOptions options = {.arguments = arguments};
    BackendConfig config;
    Rig *rig;

    backend_config_init(&config);
    config.keep_log = FALSE;
    rig = rig_start(&config, &options);
    rig_boot(rig, NULL);
    run_rounds(rig, round, count);
    rig_check_data(rig, 0, guest_memory_alloc(&rig->memory, 4096, 4096));
    rig_end(rig);
}

static void plug_and_unplug(Rig *rig, guint number)
{
    rig_plug(rig, number);
    rig_unplug_slot(rig, number, 0);
}

static void test_dimms(void)
{
    run_test(plug_and_unplug, 1000, NULL);
}

static void refused_by_backend(Rig *rig, guint number)
{
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG, .occurrence = 1, .kind = FAULT_REFUSE};
    g_autoptr(GError) error = NULL;

    backend_faults_clear(rig_backend(rig, 0));
    backend_fault(rig_backend(rig, 0), &fault);
    if (rig_plug_at(rig, number, 0, &error)) {
        vmm_fail("DIMM %u: the backend was to refuse it", number);
    }
}

static void test_refused(void)
{
    run_test(refused_by_backend, 200, NULL);
}

/* Commands that are wrong in themselves, each in another place. */
static void refused_by_program(Rig *rig, guint number G_GNUC_UNUSED)
{
    static const char *const commands[] = {
        "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'x','memdev':'none'}}",
        "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'x','memdev':'ram'}}",
        "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'x','slot':'y'}}",
        "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'x'}}",
        "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','chardev':'s0'}}",
        "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','chardev':'s0',"
        "'addr':'4'}}",
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'x'}}",
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-file','id':'x',"
        "'size':4096,'mem-path':'/nowhere/x'}}",
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'x',"
        "'size':4096,'nothing':1}}",
        "{'execute':'chardev-add','arguments':{'id':'x','backend':{'type':'socket','data':"
        "{'addr':{'type':'unix','data':{'path':'/nowhere/x'}},'server':false}}}}",
        "{'execute':'qom-get','arguments':{'path':'/objects/none','property':'x'}}",
        "{'execute':'getfd','arguments':{'fdname':'x'}}",
    };

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_free(qmp_command_refused(rig->qmp, "%s", commands[i]));
    }
}

static void test_errors(void)
{
    run_test(refused_by_program, 200, NULL);
}

static void add_socket(Rig *rig, const char *path)
{
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'hot','backend':{'type':'socket','data':"
        "{'addr':{'type':'unix','data':{'path':'%s'}},'server':false}}}}",
        path));
}

static void remove_socket(Rig *rig)
{
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'chardev-remove','arguments':{'id':'hot'}}"));
}

static Backend *hot_backend;

/* Connects, drives the disk in every second round, asks for it back and ejects it. */
static void plug_and_unplug_disk(Rig *rig, guint number)
{
    PciAddresses addresses = {0xd000, 0xe8000000, PCI_MESSAGE_MEMORY + 0x1000};

    add_socket(rig, backend_path(hot_backend));
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'hot0',"
                  "'chardev':'hot','addr':'0x9'}}"));
    if (number % 2) {
        g_autoptr(VirtDevice) driver = virt_device_new(rig->qtest, &addresses, HOT_SLOT);
        GuestMemory memory = {32 << 20, 48 << 20};
        BlkOptions options = {.msix = TRUE};
        g_autoptr(BlkDisk) disk = blk_disk_start(driver, &memory, &options);

        g_assert_cmpint(blk_disk_request(disk, 0, VIRTIO_BLK_T_IN, 0,
                                         guest_memory_alloc(&memory, 4096, 4096), 4096),
                        ==, VIRTIO_BLK_S_OK);
    }
    vmm_unplug(rig->vmm, "hot0", HOT_SLOT);
    remove_socket(rig);
}

static void test_disk(void)
{
    BackendConfig config;

    backend_config_init(&config);
    config.keep_log = FALSE;
    hot_backend = backend_start(&config);
    run_test(plug_and_unplug_disk, 100, NULL);
    g_clear_pointer(&hot_backend, backend_free);
}

/* A device_add of a disk that fails in the negotiation. */
static void disk_refused(Rig *rig, guint number G_GNUC_UNUSED)
{
    add_socket(rig, backend_path(hot_backend));
    g_free(qmp_command_refused(
        rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'hot0',"
                  "'chardev':'hot','addr':'0x9'}}"));
    remove_socket(rig);
}

static void test_disk_refused(void)
{
    BackendFault fault = {.request = VHOST_USER_GET_CONFIG, .kind = FAULT_CLOSE_BEFORE};
    BackendConfig config;

    backend_config_init(&config);
    config.keep_log = FALSE;
    hot_backend = backend_start(&config);
    backend_fault(hot_backend, &fault);
    run_test(disk_refused, 200, NULL);
    g_clear_pointer(&hot_backend, backend_free);
}

static char *monitor_path;

static void monitor_comes_and_leaves(Rig *rig G_GNUC_UNUSED, guint number)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Qmp) qmp = qmp_connect(monitor_path, 30, &error);

    if (!qmp || !qmp_negotiate(qmp, &error)) {
        vmm_fail("monitor %u: %s", number, error->message);
    }
    if (number % 2) { /* the others leave with a command under way */
        json_object_put(qmp_command_or_fail(qmp, "{'execute':'query-version'}"));
    } else {
        qmp_send(qmp, "{'execute':'query-qmp-schema'}");
    }
}

static void test_monitors(void)
{
    g_autofree char *arguments = NULL;

    monitor_path = vmm_temporary_path("monitor");
    arguments = g_strdup_printf("-qmp unix:%s,server=on,wait=off", monitor_path);
    run_test(monitor_comes_and_leaves, 200, arguments);
    g_clear_pointer(&monitor_path, g_free);
}

static void human_comes_and_leaves(Rig *rig G_GNUC_UNUSED, guint number)
{
    Human *human = human_connect(monitor_path);

    human_expect(human, HUMAN_PROMPT);
    if (number % 2) {
        human_check(human, "info status", "VM status: running");
    }
    human_free(human);
}

static void test_human_monitors(void)
{
    g_autofree char *arguments = NULL;

    g_setenv("TERM", "xterm", TRUE);
    monitor_path = vmm_temporary_path("monitor");
    arguments = g_strdup_printf("-monitor unix:%s,server=on,wait=off", monitor_path);
    run_test(human_comes_and_leaves, 200, arguments);
    g_clear_pointer(&monitor_path, g_free);
}

static void chardev_comes_and_leaves(Rig *rig, guint number)
{
    static const char *const backends[] = {
        "{'type':'null','data':{}}",
        "{'type':'pty','data':{}}",
        "{'type':'file','data':{'out':'/dev/null'}}",
        ("{'type':'socket','data':{'addr':{'type':'inet','data':{'host':'127.0.0.1','port':'0'}},"
         "'server':true,'wait':false}}"),
    };

    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'chardev-add','arguments':{'id':'hot','backend':%s}}",
        backends[number % G_N_ELEMENTS(backends)]));
    remove_socket(rig);
}

static void test_chardevs(void)
{
    run_test(chardev_comes_and_leaves, 200, NULL);
}

/* --- the end --- */

/* TRUE if the file behind a memory backend still has its bytes when the program has ended. */
static gboolean keeps_bytes(const char *discard)
{
    g_autofree char *path = vmm_temporary_path("memory.bin");
    g_autofree char *bytes = g_strnfill(RIG_DIMM, 'x');
    g_autofree char *after = NULL;
    g_autoptr(GError) error = NULL;
    gsize size;

    g_assert_true(g_file_set_contents(path, bytes, (gssize)RIG_DIMM, &error));
    vmm_end(vmm_start_or_fail(NULL,
                              "-machine pc -m 64M,slots=1,maxmem=128M -object "
                              "memory-backend-file,id=m,size=2M,mem-path=%s,share=on,"
                              "discard-data=%s -device pc-dimm,memdev=m",
                              path, discard));
    g_assert_true(g_file_get_contents(path, &after, &size, &error));
    g_assert_cmpuint(size, ==, RIG_DIMM);
    return memcmp(after, bytes, size) == 0;
}

/* Objects that nobody deleted are freed at the end, so what they promised for then is done. */
static void test_end(void)
{
    g_assert_true(keeps_bytes("off"));
    g_assert_false(keeps_bytes("on"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/leak/dimms", test_dimms);
    g_test_add_func("/leak/refused-by-backend", test_refused);
    g_test_add_func("/leak/errors", test_errors);
    g_test_add_func("/leak/disk", test_disk);
    g_test_add_func("/leak/disk-refused", test_disk_refused);
    g_test_add_func("/leak/monitors", test_monitors);
    g_test_add_func("/leak/human-monitors", test_human_monitors);
    g_test_add_func("/leak/chardevs", test_chardevs);
    g_test_add_func("/leak/end", test_end);
    return g_test_run();
}
