/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-net-vmm: as bench-net, through a virtual machine monitor's network card: the monitor
 * negotiates with the back-end and hands it memory and rings, this program drives them.  With
 * --dimms memory is plugged meanwhile.  For any QEMU-compatible program.
 */
#include "net-load.h"
#include "net-relay.h"
#include "process.h"
#include "times.h"

#include "qtest/virtio-pci.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT 4                /* of the card on the PCI bus */
#define RAM_SIZE (256u << 20) /* bytes */
#define LOAD_PLACE (1u << 20) /* guest address */
#define DIMM_SIZE (16u << 20) /* bytes */
#define DIMMS_MAXIMUM 250     /* what QEMU has slots for */
#define MILLISECOND 1000000ll /* in nanoseconds */
#define ENDLESS (600000 * MILLISECOND)

static struct {
    char *vmm, *socket, *sizes;
    int pid, milliseconds, dimms, pause;
} wanted = {.milliseconds = 500};

static Vmm *vmm;
static NetRelay *relay;
static NetLoad load;
static VhostUserMemoryArea ram;

/* --- start --- */

/* A file that the program lends to the back-end as its RAM, and that this process has as well. */
static char *make_ram(void)
{
    g_autofree char *path = g_strdup_printf("/dev/shm/bench-net-%d", getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, RAM_SIZE) < 0) {
        vmm_fail("%s: %s", path, g_strerror(errno));
    }
    ram = (VhostUserMemoryArea){.size = RAM_SIZE, .fd = fd};
    ram.host = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ram.host == MAP_FAILED) {
        vmm_fail("%s: %s", path, g_strerror(errno));
    }
    return g_steal_pointer(&path);
}

static void start_vmm(void)
{
    g_autofree char *path = make_ram();
    g_autoptr(GError) error = NULL;
    VmmOptions options = {.binary = wanted.vmm};

    relay = net_relay_start(wanted.socket);
    /* No MSI-X: interrupts do not come through the program (net-relay.h). */
    vmm = vmm_start(&options, &error,
                    "-M pc,memory-backend=ram -m 256M,slots=%d,maxmem=%dM "
                    "-object memory-backend-file,id=ram,size=%u,mem-path=%s,share=on "
                    "-chardev socket,id=c0,path=%s -netdev vhost-user,id=n0,chardev=c0 "
                    "-device virtio-net-pci,netdev=n0,vectors=0,addr=%x.0",
                    MAX(wanted.dimms, 1), 1024 + 32 * wanted.dimms, RAM_SIZE, path,
                    net_relay_path(relay), SLOT);
    unlink(path);
    if (!vmm) {
        vmm_fail("%s", error->message);
    }
}

/* The driver's part up to DRIVER_OK, over qtest. */
static void start_card(void)
{
    g_autoptr(VirtDevice) device = NULL;
    PciAddresses addresses;

    pci_addresses_init(&addresses);
    device = virt_device_new(vmm->qtest, &addresses, SLOT);
    if (!device || !virt_device_negotiate(device, NET_LOAD_FEATURES, FALSE)) {
        vmm_fail("there is no network card, or it refuses features");
    }
    net_load_init(&load, &ram, 1, LOAD_PLACE);
    net_relay_set_load(relay, &load);
    for (guint i = 0; i < NET_LOAD_QUEUES; i++) {
        const VhostUserDriverParameters *place = &load.places[i];

        virt_device_set_queue(device, (uint16_t)i, NET_LOAD_RING, place->descriptor,
                              place->available, place->used);
    }
    virt_device_driver_ok(device);
}

/* --- memory under load --- */

typedef struct Plugging {
    gint done;                    /* atomic */
    int64_t times[DIMMS_MAXIMUM]; /* nanoseconds of each DIMM */
} Plugging;

static gpointer plug(gpointer opaque)
{
    Plugging *plugging = opaque;

    for (int i = 0; i < wanted.dimms; i++) {
        int64_t begin = nanoseconds(CLOCK_MONOTONIC);

        json_object_put(qmp_command_or_fail(
            vmm->qmp,
            "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
            "'id':'m%d','size':%u,'share':true}}",
            i, DIMM_SIZE));
        json_object_put(qmp_command_or_fail(vmm->qmp,
                                            "{'execute':'device_add','arguments':{'driver':"
                                            "'pc-dimm','id':'d%d','memdev':'m%d'}}",
                                            i, i));
        plugging->times[i] = nanoseconds(CLOCK_MONOTONIC) - begin;
        g_usleep((gulong)wanted.pause);
    }
    g_atomic_int_set(&plugging->done, TRUE);
    return NULL;
}

static double rate(const NetLoadRun *run)
{
    return (double)run->frames * 1e9 / (double)run->took;
}

/* Before, while DIMMs are plugged, and as long again. */
static void measure_plugging(void)
{
    NetLoadRun before = {0}, during = {0}, after = {0};
    Plugging plugging = {0};
    GThread *thread;

    net_load_run(&load, NET_LOAD_DEPTH, wanted.milliseconds * MILLISECOND / 10, NULL, &before);
    net_load_run(&load, NET_LOAD_DEPTH, wanted.milliseconds * MILLISECOND, NULL, &before);
    thread = g_thread_new("plug", plug, &plugging);
    net_load_run(&load, NET_LOAD_DEPTH, ENDLESS, &plugging.done, &during);
    g_thread_join(thread);
    net_load_run(&load, NET_LOAD_DEPTH, during.took, NULL, &after);
    printf("{\"dimms\": %d, \"regions_added\": %u, \"plug_us\": %.1f, \"took_ms\": %.2f, "
           "\"before\": %.0f, \"during\": %.0f, \"after\": %.0f, "
           "\"gap_during_ms\": %.3f, \"gap_after_ms\": %.3f}\n",
           wanted.dimms, net_relay_regions_added(relay),
           (double)median(plugging.times, (size_t)wanted.dimms) / 1e3, (double)during.took / 1e6,
           rate(&before), rate(&during), rate(&after), (double)during.longest_gap / 1e6,
           (double)after.longest_gap / 1e6);
}

/* --- all of it --- */

static void parse_options(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"vmm", 0, 0, G_OPTION_ARG_STRING, &wanted.vmm, "the program", "PATH"},
        {"socket", 0, 0, G_OPTION_ARG_STRING, &wanted.socket, "the back-end's", "PATH"},
        {"pid", 0, 0, G_OPTION_ARG_INT, &wanted.pid, "the back-end's process", "N"},
        {"sizes", 0, 0, G_OPTION_ARG_STRING, &wanted.sizes, "bytes of a frame", "N,N,..."},
        {"milliseconds", 0, 0, G_OPTION_ARG_INT, &wanted.milliseconds, "of each measurement", "N"},
        {"dimms", 0, 0, G_OPTION_ARG_INT, &wanted.dimms, "to plug under load", "N"},
        {"pause", 0, 0, G_OPTION_ARG_INT, &wanted.pause, "microseconds after each", "N"},
        G_OPTION_ENTRY_NULL,
    };

    process_parse_options(entries, argc, argv);
    if (!wanted.socket || wanted.pid <= 0 || wanted.milliseconds < 1 || wanted.dimms < 0 ||
        wanted.dimms > DIMMS_MAXIMUM || wanted.pause < 0) {
        vmm_fail("--socket and --pid are needed; --dimms goes to %d", DIMMS_MAXIMUM);
    }
}

int main(int argc, char **argv)
{
    g_autofree guint *sizes = NULL;

    parse_options(argc, argv);
    sizes = net_load_sizes(wanted.sizes ? wanted.sizes : "64");
    if (!sizes) {
        vmm_fail("--sizes are from %d to %d", NET_LOAD_FRAME_MIN, NET_LOAD_FRAME_MAX);
    }
    start_vmm();
    start_card();
    net_load_reach(&load);
    if (wanted.dimms > 0) {
        measure_plugging();
    } else {
        gint64 own = process_cpu(vmm->pid);
        guint64 switches = process_switches(vmm->pid);

        printf("{\"sizes\": ");
        net_load_measure(&load, sizes, wanted.pid, wanted.milliseconds * MILLISECOND);
        printf(", \"vmm_cpu_ms\": %.3f, \"vmm_switches\": %" G_GUINT64_FORMAT
               ", \"replaced\": %u}\n",
               (double)(process_cpu(vmm->pid) - own) / 1e6, process_switches(vmm->pid) - switches,
               net_relay_replaced(relay));
    }
    vmm_kill(vmm, SIGKILL);
    vmm_free(vmm);
    net_relay_free(relay);
    net_load_clear(&load);
    munmap(ram.host, ram.size);
    close(ram.fd);
    return 0;
}
