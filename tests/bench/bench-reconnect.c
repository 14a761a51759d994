/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long it takes to bring a backend back that has hung up: from the first message of its new
 * connection until its ring is enabled, as the backend sees it, so that delays before the
 * connection do not count.  For any QEMU-compatible program.
 */
#include "process.h"
#include "times.h"

#include "qtest/backend.h"
#include "qtest/virtio-blk.h"

#include <signal.h>
#include <stdio.h>

#define SLOT 4         /* of the disk on the PCI bus */
#define DIMM "2097152" /* bytes */
#define PATIENCE 30000 /* milliseconds for a return */
#define RETURNS_MAXIMUM 99

static struct {
    char *vmm;
    char *chardev;
    int regions;
    int returns;
} wanted = {.regions = 250, .returns = 5};

static Vmm *vmm;
static Backend *backend;

static void start(void)
{
    VmmOptions options = {.binary = wanted.vmm};
    BackendConfig config;

    backend_config_init(&config);
    config.count_only = TRUE;
    config.slots = 32768;
    backend = backend_start(&config);
    vmm = vmm_start_or_fail(&options,
                            "-M pc,memory-backend=ram -m 256M,slots=%d,maxmem=%dM "
                            "-object memory-backend-memfd,id=ram,size=256M,share=on "
                            "-chardev socket,id=c0,path=%s,%s "
                            "-device vhost-user-blk-pci,id=b0,chardev=c0,num-queues=1,addr=%x.0",
                            wanted.regions, 1024 + 4 * wanted.regions, backend_path(backend),
                            wanted.chardev, SLOT);
}

/* DIMMs until the backend has as many regions as are wanted. */
static void plug(void)
{
    for (guint i = 0; (int)backend_regions(backend) < wanted.regions; i++) {
        json_object_put(qmp_command_or_fail(
            vmm->qmp,
            "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
            "'id':'m%u','size':" DIMM ",'share':true}}",
            i));
        json_object_put(qmp_command_or_fail(vmm->qmp,
                                            "{'execute':'device_add','arguments':{'driver':"
                                            "'pc-dimm','id':'d%u','memdev':'m%u'}}",
                                            i, i));
    }
}

/* Nanoseconds of one return; *@messages it took. */
static gint64 come_back(guint64 *messages)
{
    BackendMessage message;
    gint64 begin;

    backend_clear(backend);
    backend_hang_up(backend);
    if (!backend_wait(backend, VHOST_USER_SET_VRING_ENABLE, 1, PATIENCE) ||
        !backend_message(backend, 0, &message)) {
        vmm_fail("the program has not come back within %d s", PATIENCE / 1000);
    }
    begin = message.time;
    *messages = 0;
    do {
        ++*messages;
    } while (message.header.request != VHOST_USER_SET_VRING_ENABLE &&
             backend_message(backend, *messages, &message));
    /* The program's own answers to its monitor: what is left of the return is over with this. */
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'query-status'}"));
    return (message.time - begin) * 1000;
}

static void parse_options(int argc, char **argv)
{
    GOptionEntry entries[] = {
        {"vmm", 0, 0, G_OPTION_ARG_STRING, &wanted.vmm, "the program", "PATH"},
        {"chardev", 0, 0, G_OPTION_ARG_STRING, &wanted.chardev, "its way to connect again",
         "OPTIONS"},
        {"regions", 0, 0, G_OPTION_ARG_INT, &wanted.regions, "memory regions", "N"},
        {"returns", 0, 0, G_OPTION_ARG_INT, &wanted.returns, "how often", "N"},
        G_OPTION_ENTRY_NULL,
    };

    process_parse_options(entries, argc, argv);
    wanted.chardev = wanted.chardev ? wanted.chardev : g_strdup("reconnect=1");
    if (wanted.regions < 8 || wanted.regions > 32000 || wanted.returns < 1 ||
        wanted.returns > RETURNS_MAXIMUM) {
        vmm_fail("--regions goes from 8 to 32000, --returns from 1 to %d", RETURNS_MAXIMUM);
    }
}

int main(int argc, char **argv)
{
    gint64 times[RETURNS_MAXIMUM];
    g_autoptr(VirtDevice) device = NULL;
    g_autoptr(BlkDisk) disk = NULL;
    PciAddresses addresses;
    GuestMemory memory;
    guint64 messages = 0;

    parse_options(argc, argv);
    process_raise_descriptors();
    start();
    pci_addresses_init(&addresses);
    guest_memory_init(&memory, 1 << 20, 128 << 20);
    device = virt_device_new(vmm->qtest, &addresses, SLOT);
    disk = blk_disk_start(device, &memory, NULL);
    if (!backend_wait(backend, VHOST_USER_SET_VRING_ENABLE, 1, PATIENCE)) {
        vmm_fail("the disk has not started");
    }
    plug();
    for (int i = 0; i < wanted.returns; i++) {
        times[i] = come_back(&messages);
    }
    printf("{\"vmm\":\"%s\",\"regions\":%u,\"messages\":%" G_GUINT64_FORMAT
           ",\"milliseconds\":%.3f}\n",
           vmm->binary, backend_regions(backend), messages,
           (double)median(times, wanted.returns) / 1e6);
    vmm_kill(vmm, SIGKILL);
    vmm_free(vmm);
    backend_free(backend);
    return 0;
}
