/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine of the suites, and its DIMMs.
 */
#include "qtest/rig.h"

#include <string.h>

/* Memory hot-plug registers (published ACPI block at 0xa00): slot select, flags, eject bit. */
#define ACPI_MEMORY_SELECT 0xa00
#define ACPI_MEMORY_FLAGS 0xa14
#define ACPI_MEMORY_EJECT 0x08

/* Device @number with chardev "s@number"; a network card has it by way of netdev "n@number". */
static void append_device(GString *line, const RigOptions *options, guint number)
{
    const char *device = options->device   ? options->device
                         : options->netdev ? "virtio-net-pci"
                                           : "vhost-user-blk-pci";

    if (options->netdev) {
        g_string_append_printf(line, " -netdev vhost-user,id=n%u,chardev=s%u%s", number, number,
                               options->netdev);
    }
    g_string_append_printf(line, " -device %s,id=b%u,%s%u,addr=0x%x", device, number,
                           options->netdev ? "netdev=n" : "chardev=s", number,
                           RIG_DISK_SLOT + number);
}

static char *machine_arguments(Rig *rig, const RigOptions *options)
{
    guint slots = options->memory_slots ? options->memory_slots : 600;
    GString *line = g_string_new(NULL);

    g_string_append_printf(line,
                           "-machine pc,memory-backend=ram -m size=%" G_GUINT64_FORMAT
                           "M,slots=%u,maxmem=%" G_GUINT64_FORMAT
                           "M -object memory-backend-memfd,id=ram,size=%" G_GUINT64_FORMAT
                           "M,share=on",
                           RIG_RAM >> 20, slots,
                           (RIG_RAM + (slots + 1) * (RIG_DIMM + (1 << 20))) >> 20, RIG_RAM >> 20);
    for (guint i = 0; i < rig->devices; i++) {
        g_string_append_printf(line, " -chardev socket,id=s%u,path=%s%s", i,
                               options->sockets ? options->sockets[i]
                                                : backend_path(rig_backend(rig, i)),
                               options->chardev ? options->chardev : "");
        append_device(line, options, i);
    }
    if (options->arguments) {
        g_string_append_printf(line, " %s", options->arguments);
    }
    return g_string_free(line, FALSE);
}

static Rig *rig_new(const BackendConfig *config, const RigOptions *options)
{
    BackendConfig defaults;
    Rig *rig = g_new0(Rig, 1);

    backend_config_init(&defaults);
    rig->devices = options->devices ? options->devices : 1;
    rig->backends = g_ptr_array_new_with_free_func((GDestroyNotify)backend_free);
    rig->drivers = g_ptr_array_new_with_free_func((GDestroyNotify)virt_device_free);
    rig->disks = g_ptr_array_new_with_free_func((GDestroyNotify)blk_disk_free);
    for (guint i = 0; i < rig->devices && !options->sockets; i++) {
        BackendConfig own = config ? *config : defaults;

        if (options->configure) {
            options->configure(&own, i);
        }
        g_ptr_array_add(rig->backends, backend_start(&own));
    }
    pci_addresses_init(&rig->addresses);
    guest_memory_init(&rig->memory, 1 << 20, RIG_RAM);
    return rig;
}

void rig_free(Rig *rig)
{
    vmm_free(rig->vmm);
    g_ptr_array_free(rig->disks, TRUE);
    g_ptr_array_free(rig->drivers, TRUE);
    g_ptr_array_free(rig->backends, TRUE);
    g_free(rig);
}

Rig *rig_start(const BackendConfig *config, const RigOptions *options)
{
    static const RigOptions defaults;
    const RigOptions *o = options ? options : &defaults;
    VmmOptions vmm_options = {.monitors = o->monitors, .binary = o->binary};
    Rig *rig = rig_new(config, o);
    g_autofree char *arguments = machine_arguments(rig, o);

    rig->vmm = vmm_start_or_fail(&vmm_options, "%s", arguments);
    rig->qmp = rig->vmm->qmp;
    rig->qtest = rig->vmm->qtest;
    return rig;
}

Rig *rig_start_with(uint64_t features, uint64_t protocol_features, const RigOptions *options)
{
    BackendConfig config;

    backend_config_init(&config);
    config.features |= features;
    config.protocol_features |= protocol_features;
    return rig_start(&config, options);
}

char *rig_start_refused(const BackendConfig *config, const RigOptions *options)
{
    static const RigOptions defaults;
    g_autoptr(GError) error = NULL;
    Rig *rig = rig_new(config, options ? options : &defaults);
    g_autofree char *arguments = machine_arguments(rig, options ? options : &defaults);
    char *text;

    rig->vmm = vmm_start(NULL, &error, "%s", arguments);
    if (rig->vmm) {
        vmm_fail("the program was to refuse %s", arguments);
    }
    text = g_strdup(error->message);
    rig_free(rig);
    return text;
}

Backend *rig_backend(Rig *rig, guint device)
{
    return rig->backends->pdata[device];
}

VirtDevice *rig_driver(Rig *rig, guint device)
{
    return rig->drivers->pdata[device];
}

BlkDisk *rig_disk(Rig *rig, guint device)
{
    return rig->disks->pdata[device];
}

void rig_end(Rig *rig)
{
    g_autoptr(GError) error = NULL;

    if (!vmm_quit(rig->vmm, &error)) {
        vmm_fail("%s", error->message);
    }
    for (guint i = 0; i < rig->backends->len; i++) {
        const char *violation = backend_violation(rig_backend(rig, i));

        if (violation) {
            vmm_fail("backend %u: the front end broke the protocol: %s", i, violation);
        }
    }
    rig_free(rig);
}

VirtDevice *rig_find_driver(Rig *rig)
{
    VirtDevice *driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT);

    if (!driver) {
        vmm_fail("no disk at slot %u", RIG_DISK_SLOT);
    }
    g_ptr_array_add(rig->drivers, driver);
    return driver;
}

void rig_boot(Rig *rig, const BlkOptions *options)
{
    guint queues = options && options->queues ? options->queues : 1;

    g_ptr_array_set_size(rig->disks, 0);
    for (guint i = 0; i < rig->devices; i++) {
        if (rig->drivers->len <= i) {
            VirtDevice *driver = virt_device_new(rig->qtest, &rig->addresses, RIG_DISK_SLOT + i);

            if (!driver) {
                vmm_fail("no virtio device at PCI slot %u", RIG_DISK_SLOT + i);
            }
            g_ptr_array_add(rig->drivers, driver);
        }
        g_ptr_array_add(rig->disks, blk_disk_start(rig->drivers->pdata[i], &rig->memory, options));
    }
    for (guint i = 0; i < rig->backends->len; i++) {
        for (guint tries = 0; backend_rings_running(rig_backend(rig, i)) < queues; tries++) {
            if (tries > 20000) {
                vmm_fail("backend %u: the rings have not started", i);
            }
            g_usleep(500);
        }
    }
    rig_settle(rig);
}

void rig_forget_drivers(Rig *rig)
{
    g_ptr_array_set_size(rig->disks, 0);
    g_ptr_array_set_size(rig->drivers, 0);
    pci_addresses_init(&rig->addresses);
}

/* --- DIMMs --- */

gboolean rig_plug_at(Rig *rig, guint number, uint64_t address, GError **error)
{
    json_object *result;

    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'m%u',"
        "'size':%" G_GUINT64_FORMAT ",'share':true}}",
        number, RIG_DIMM));
    result = qmp_command(rig->qmp, error,
                         "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d%u',"
                         "'memdev':'m%u','addr':%" G_GUINT64_FORMAT "}}",
                         number, number, address);
    if (!result) {
        json_object_put(qmp_command_or_fail(
            rig->qmp, "{'execute':'object-del','arguments':{'id':'m%u'}}", number));
        return FALSE;
    }
    json_object_put(result);
    return TRUE;
}

void rig_plug(Rig *rig, guint number)
{
    g_autoptr(GError) error = NULL;

    if (!rig_plug_at(rig, number, 0, &error)) {
        vmm_fail("DIMM %u: %s", number, error->message);
    }
}

char *rig_fill(Rig *rig, guint first, guint count)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < count; i++) {
        rig_plug(rig, first + i);
    }
    if (rig_plug_at(rig, first + count, 0, &error)) {
        vmm_fail("DIMM %u was to be refused", first + count);
    }
    return g_strdup(error->message);
}

/* The entry of DIMM @number in query-memory-devices; new reference. */
static json_object *find_dimm(Rig *rig, guint number)
{
    g_autoptr(json_object) list =
        qmp_command_or_fail(rig->qmp, "{'execute':'query-memory-devices'}");
    g_autofree char *id = g_strdup_printf("d%u", number);

    for (gsize i = 0; i < json_object_array_length(list); i++) {
        json_object *data = qmp_get(json_object_array_get_idx(list, i), "data");

        if (!g_strcmp0(qmp_get_string(data, "id"), id)) {
            return json_object_get(data);
        }
    }
    return NULL;
}

guint rig_dimms(Rig *rig)
{
    g_autoptr(json_object) list =
        qmp_command_or_fail(rig->qmp, "{'execute':'query-memory-devices'}");

    return json_object_array_length(list);
}

uint64_t rig_dimm_address(Rig *rig, guint number)
{
    g_autoptr(json_object) dimm = find_dimm(rig, number);

    return dimm ? (uint64_t)qmp_get_int(dimm, "addr", 0) : 0;
}

uint64_t *rig_dimm_addresses(Rig *rig, guint first, guint count)
{
    g_autoptr(json_object) list =
        qmp_command_or_fail(rig->qmp, "{'execute':'query-memory-devices'}");
    uint64_t *addresses = g_new0(uint64_t, count);

    for (gsize i = 0; i < json_object_array_length(list); i++) {
        json_object *data = qmp_get(json_object_array_get_idx(list, i), "data");
        guint64 number = g_ascii_strtoull(qmp_get_string(data, "id") + 1, NULL, 10);

        if (number >= first && number - first < count) {
            addresses[number - first] = (uint64_t)qmp_get_int(data, "addr", 0);
        }
    }
    return addresses;
}

gint64 rig_dimm_slot(Rig *rig, guint number)
{
    g_autoptr(json_object) dimm = find_dimm(rig, number);

    return dimm ? qmp_get_int(dimm, "slot", -1) : -1;
}

void rig_unplug(Rig *rig, guint number)
{
    gint64 slot = rig_dimm_slot(rig, number);

    if (slot < 0) {
        vmm_fail("DIMM %u is not there", number);
    }
    rig_unplug_slot(rig, number, (guint)slot);
}

void rig_unplug_slot(Rig *rig, guint number, guint slot)
{
    g_autofree char *id = g_strdup_printf("d%u", number);

    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'device_del','arguments':{'id':'%s'}}", id));
    qtest_outl(rig->qtest, ACPI_MEMORY_SELECT, slot);
    qtest_outb(rig->qtest, ACPI_MEMORY_FLAGS, ACPI_MEMORY_EJECT);
    json_object_put(qmp_event_where_or_fail(rig->qmp, "DEVICE_DELETED", "device", id, 30000));
    json_object_put(
        qmp_command_or_fail(rig->qmp, "{'execute':'object-del','arguments':{'id':'m%u'}}", number));
}

/* --- checks --- */

uint64_t rig_buffer(Rig *rig)
{
    return guest_memory_alloc(&rig->memory, 4096, 4096);
}

void rig_check_data(Rig *rig, guint device, uint64_t address)
{
    uint8_t out[4096], in[4096];
    uint64_t sector = (address >> 12) % 128 * 8;

    for (guint i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)((address >> 20) + i * 7 + device);
    }
    qtest_memwrite(rig->qtest, address, out, sizeof(out));
    if (blk_disk_request(rig_disk(rig, device), 0, VIRTIO_BLK_T_OUT, sector, address,
                         sizeof(out)) != VIRTIO_BLK_S_OK) {
        vmm_fail("disk %u: writing from 0x%" G_GINT64_MODIFIER "x failed", device, address);
    }
    if (memcmp(backend_disk(rig_backend(rig, device)) + sector * 512, out, sizeof(out))) {
        vmm_fail("disk %u: other bytes than those at 0x%" G_GINT64_MODIFIER "x arrived", device,
                 address);
    }
    qtest_memset(rig->qtest, address, 0, sizeof(in));
    if (blk_disk_request(rig_disk(rig, device), 0, VIRTIO_BLK_T_IN, sector, address, sizeof(in)) !=
        VIRTIO_BLK_S_OK) {
        vmm_fail("disk %u: reading to 0x%" G_GINT64_MODIFIER "x failed", device, address);
    }
    qtest_memread(rig->qtest, address, in, sizeof(in));
    if (memcmp(in, out, sizeof(in))) {
        vmm_fail("disk %u: other bytes came to 0x%" G_GINT64_MODIFIER "x", device, address);
    }
}

uint64_t rig_count(Rig *rig, uint32_t request)
{
    uint64_t count = 0;

    for (guint i = 0; i < rig->backends->len; i++) {
        count += backend_count(rig_backend(rig, i), request);
    }
    return count;
}

void rig_clear(Rig *rig)
{
    for (guint i = 0; i < rig->backends->len; i++) {
        backend_clear(rig_backend(rig, i));
    }
}

static uint64_t total(Rig *rig)
{
    uint64_t sum = 0;

    for (guint i = 0; i < rig->backends->len; i++) {
        sum += backend_total(rig_backend(rig, i));
    }
    return sum;
}

void rig_settle(Rig *rig)
{
    uint64_t before = total(rig), now;

    for (;;) {
        g_usleep(20000);
        now = total(rig);
        if (now == before) {
            return;
        }
        before = now;
    }
}

void rig_wait_request(Rig *rig, uint32_t request, uint64_t count)
{
    if (!backend_wait(rig_backend(rig, 0), request, count, RIG_WAIT)) {
        vmm_fail("%s did not come %" G_GUINT64_FORMAT " times", vhost_user_request_name(request),
                 count);
    }
}

void rig_wait_rings(Rig *rig, guint count)
{
    for (guint tries = 0; backend_rings_running(rig_backend(rig, 0)) != count; tries++) {
        if (tries > RIG_WAIT) {
            vmm_fail("%u rings run where %u were to", backend_rings_running(rig_backend(rig, 0)),
                     count);
        }
        g_usleep(1000);
    }
}

void rig_wait_output(Rig *rig, const char *wanted)
{
    for (guint tries = 0; tries < RIG_WAIT; tries++) {
        g_autofree char *output = vmm_output(rig->vmm);

        if (strstr(output, wanted)) {
            return;
        }
        g_usleep(1000);
    }
    vmm_fail("the program does not say '%s'", wanted);
}

void rig_recover(Rig *rig)
{
    for (guint tries = 0; !(virt_device_status(rig_driver(rig, 0)) & VIRTIO_CONFIG_S_NEEDS_RESET);
         tries++) {
        if (tries > RIG_WAIT) {
            vmm_fail("the device does not ask for a reset");
        }
        g_usleep(1000);
    }
    backend_faults_clear(rig_backend(rig, 0));
    rig_boot(rig, NULL);
    rig_check_data(rig, 0, rig_buffer(rig));
}

void rig_assert_names(const char *text, ...)
{
    const char *wanted;
    va_list list;

    va_start(list, text);
    while ((wanted = va_arg(list, const char *))) {
        if (!strstr(text, wanted)) {
            vmm_fail("'%s' does not say '%s'", text, wanted);
        }
    }
    va_end(list);
}

void rig_run_parallel(GThreadFunc function, gconstpointer cases, guint count, gsize size)
{
    g_autoptr(GPtrArray) threads = g_ptr_array_new();

    for (guint i = 0; i < count; i++) {
        g_ptr_array_add(threads, g_thread_new("case", function, (char *)cases + i * size));
    }
    for (guint i = 0; i < count; i++) {
        g_thread_join(threads->pdata[i]);
    }
}

void rig_check_other_monitor(Rig *rig, gboolean slow)
{
    Qmp *other = rig->vmm->monitors->pdata[1];

    qmp_set_timeout(other, RIG_PROMPT);
    for (guint i = 0; i < (slow ? 20 : 2); i++) {
        json_object_put(qmp_command_or_fail(other, "{'execute':'query-status'}"));
        json_object_put(qmp_command_or_fail(other, "{'execute':'x-query-vhost-user'}"));
        json_object_put(qmp_command_or_fail(other, "{'execute':'query-memory-devices'}"));
        qtest_readl(rig->qtest, 0x100000);
        g_usleep(slow ? 100000 : 1000);
    }
    if (slow && qmp_answer_ready(rig->qmp, 0)) {
        vmm_fail("device_add was answered before its deadline");
    }
}
