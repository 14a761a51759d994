/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long object-add and device_add take as DIMMs become many, with
 * vhost-user disks whose backends answer at once.  For any QEMU-compatible program.
 */
#include "process.h"
#include "times.h"

#include "qtest/backend.h"
#include "qtest/virtio-blk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AROUND 8     /* plugs whose median stands for a point */
#define COUNTED 32   /* plugs over which system calls and switches are counted */
#define FIRST_SLOT 4 /* of the disks on the PCI bus */

static struct {
    char *vmm;
    int devices;
    int dimms;
    int stop_after;
    char *size;
    char *points;
    gboolean count_calls;
} wanted = {.devices = 1, .dimms = 256};

static struct {
    Vmm *vmm;
    GPtrArray *backends;
    GPtrArray *disks;
    PciAddresses addresses;
    GuestMemory memory;
    gint64 *object_times; /* nanoseconds, by DIMM */
    gint64 *device_times;
    guint plugged;
    char *refusal; /* why there are no more */
} bench;

static gboolean plug_one(guint number, GError **error)
{
    g_autoptr(json_object) added = NULL;
    g_autoptr(json_object) plugged = NULL;
    gint64 begin = nanoseconds(CLOCK_MONOTONIC);
    gint64 middle;

    added = qmp_command(bench.vmm->qmp, error,
                        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                        "'id':'mem%u','size':%s,'share':true}}",
                        number, wanted.size);
    if (!added) {
        return FALSE;
    }
    middle = nanoseconds(CLOCK_MONOTONIC);
    plugged = qmp_command(bench.vmm->qmp, error,
                          "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':"
                          "'dimm%u','memdev':'mem%u'}}",
                          number, number);
    bench.object_times[number] = middle - begin;
    bench.device_times[number] = nanoseconds(CLOCK_MONOTONIC) - middle;
    return plugged != NULL;
}

static void plug(gpointer opaque)
{
    guint count = GPOINTER_TO_UINT(opaque);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < count && !bench.refusal; i++) {
        if (plug_one(bench.plugged, &error)) {
            bench.plugged++;
        } else {
            bench.refusal = g_strdup(error->message);
        }
    }
}

static void start_disk(guint index)
{
    VirtDevice *device = virt_device_new(bench.vmm->qtest, &bench.addresses, FIRST_SLOT + index);

    if (!device) {
        vmm_fail("no device in PCI slot %u", FIRST_SLOT + index);
    }
    g_ptr_array_add(bench.disks, blk_disk_start(device, &bench.memory, NULL));
}

static void start(void)
{
    g_autoptr(GString) devices = g_string_new(NULL);
    VmmOptions options = {.binary = wanted.vmm};
    BackendConfig config;
    guint64 maxmem = 1024 + 2 * (guint64)wanted.dimms * (strtoull(wanted.size, NULL, 10) >> 20);

    backend_config_init(&config);
    config.count_only = TRUE;
    config.keep_log = FALSE;
    config.slots = 32768;
    bench.backends = g_ptr_array_new();
    bench.disks = g_ptr_array_new();
    for (int i = 0; i < wanted.devices; i++) {
        Backend *backend = backend_start(&config);
        g_ptr_array_add(bench.backends, backend);
        g_string_append_printf(devices,
                               " -chardev socket,id=c%d,path=%s -device "
                               "vhost-user-blk-pci,id=b%d,chardev=c%d,num-queues=1,addr=%x.0",
                               i, backend_path(backend), i, i, FIRST_SLOT + i);
    }
    bench.vmm =
        vmm_start_or_fail(&options,
                          "-M pc,memory-backend=ram -m 256M,slots=%d,maxmem=%" G_GUINT64_FORMAT "M "
                          "-object memory-backend-memfd,id=ram,size=256M,share=on%s",
                          wanted.dimms, maxmem, devices->str);
    pci_addresses_init(&bench.addresses);
    guest_memory_init(&bench.memory, 1 << 20, 128 << 20);
    for (int i = 0; i < wanted.devices; i++) {
        start_disk(i);
    }
}

static double microseconds_around(const gint64 *times, guint last)
{
    gint64 values[AROUND];

    memcpy(values, times + last - AROUND, sizeof(values));
    return median(values, AROUND) / 1000.0;
}

static void print_points(void)
{
    g_auto(GStrv) points = g_strsplit(wanted.points ? wanted.points : "8,64,256", ",", -1);
    const char *comma = "";
    gboolean beyond = FALSE;

    printf("\"points\":[");
    for (guint i = 0; points[i]; i++) {
        guint at = atoi(points[i]);
        if (at < AROUND || at > bench.plugged) {
            if (beyond || bench.plugged < AROUND) {
                continue;
            }
            beyond = TRUE; /* the last DIMM stands for the first point that was not reached */
            at = bench.plugged;
        }
        printf("%s{\"dimm\":%u,\"object_add_us\":%.1f,\"device_add_us\":%.1f}", comma, at,
               microseconds_around(bench.object_times, at),
               microseconds_around(bench.device_times, at));
        comma = ",";
    }
    printf("]");
}

static void print_end(void)
{
    g_autoptr(json_object) refusal = bench.refusal ? json_object_new_string(bench.refusal) : NULL;

    printf(",\"plugged\":%u,\"refusal\":%s", bench.plugged, json_object_to_json_string(refusal));
}

static void parse_options(int argc, char **argv)
{
    GOptionEntry entries[] = {
        {"vmm", 0, 0, G_OPTION_ARG_STRING, &wanted.vmm, "the program", "PATH"},
        {"devices", 0, 0, G_OPTION_ARG_INT, &wanted.devices, "vhost-user disks", "N"},
        {"dimms", 0, 0, G_OPTION_ARG_INT, &wanted.dimms, "DIMMs to plug", "N"},
        {"stop-after", 0, 0, G_OPTION_ARG_INT, &wanted.stop_after,
         "plug only N of them; the slots are there for all", "N"},
        {"size", 0, 0, G_OPTION_ARG_STRING, &wanted.size, "bytes of a DIMM", "BYTES"},
        {"points", 0, 0, G_OPTION_ARG_STRING, &wanted.points, "report around these", "N,N,..."},
        {"count-calls", 0, 0, G_OPTION_ARG_NONE, &wanted.count_calls,
         "count system calls of a plug with strace; no times then", NULL},
        G_OPTION_ENTRY_NULL,
    };

    process_parse_options(entries, argc, argv);
    wanted.size = wanted.size ? wanted.size : g_strdup("16777216");
    if (wanted.devices < 1 || wanted.devices > 28 || wanted.dimms < 2 * COUNTED) {
        vmm_fail("--devices goes from 1 to 28, --dimms from %d", 2 * COUNTED);
    }
    if (wanted.stop_after < 2 * COUNTED || wanted.stop_after > wanted.dimms) {
        wanted.stop_after = wanted.dimms;
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    process_raise_descriptors();
    bench.object_times = g_new0(gint64, wanted.dimms);
    bench.device_times = g_new0(gint64, wanted.dimms);
    start();
    printf("{\"vmm\":\"%s\",\"devices\":%d,", bench.vmm->binary, wanted.devices);
    plug(GUINT_TO_POINTER(COUNTED));
    if (wanted.count_calls) {
        guint64 calls = process_system_calls(bench.vmm->pid, plug, GUINT_TO_POINTER(COUNTED));
        printf("\"system_calls\":%.1f}\n", (double)calls / COUNTED);
    } else {
        guint64 before = process_switches(bench.vmm->pid);
        guint64 memory = process_private(bench.vmm->pid);
        plug(GUINT_TO_POINTER(COUNTED));
        printf("\"switches\":%.1f,", (double)(process_switches(bench.vmm->pid) - before) / COUNTED);
        gint64 begin = nanoseconds(CLOCK_MONOTONIC);
        plug(GUINT_TO_POINTER(wanted.stop_after - bench.plugged));
        printf("\"seconds_of_the_rest\":%.3f,", (nanoseconds(CLOCK_MONOTONIC) - begin) / 1e9);
        printf("\"private_kib_per_dimm\":%.2f,",
               (double)(gint64)(process_private(bench.vmm->pid) - memory) /
                   (bench.plugged - COUNTED));
        print_points();
        print_end();
        printf("}\n");
    }
    vmm_kill(bench.vmm, SIGKILL);
    vmm_free(bench.vmm);
    g_ptr_array_foreach(bench.backends, (GFunc)(void (*)(void))backend_free, NULL);
    return 0;
}
