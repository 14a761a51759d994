/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The demonstration: a machine with a vhost-user disk takes DIMM after DIMM
 * until the backend's memory slots are used up, while the disk reads and
 * writes through buffers in them; behind Debian's storage daemon, and behind
 * vhost-user-blk of this tree.
 */
#include "progress.h"

#include "qtest/blk-daemon.h"
#include "qtest/virtio-blk.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536 /* bytes read and bytes written through each DIMM's buffer */
#define SECTOR 512
#define DISK_SLOT 4
#define DIMM_LIMIT 32000
#define ACPI_MEMORY_BASE 0xa00
#define ACPI_MEMORY_FLAGS (ACPI_MEMORY_BASE + 0x14)
#define ACPI_MEMORY_EJECT 8
#define WAIT_MILLISECONDS 30000
#define OUR_SLOTS 4097 /* that vhost-user-blk is to grant: the boot memory takes one */
#define CHECKED 64     /* DIMMs at most through which the disk is compared at a time */
#define ENDS 16        /* plugs whose median stands for the first and for the last ones */

static struct {
    char *vmm;
    char *backend; /* name of the only one to show, or NULL */
    char *programs[BLK_DAEMON_KINDS];
    int dimms; /* 0: as many as the backend takes */
    char *size;
} wanted;

typedef struct Dimm {
    guint number; /* in its id: a DIMM that replaces another one has a new number */
    guint slot;
    uint64_t address; /* guest physical */
    gboolean plugged;
} Dimm;

static struct {
    Vmm *vmm;
    PciAddresses addresses;
    GuestMemory memory;
    VirtDevice *device;
    BlkDisk *disk;
    char *image_path;
    uint8_t *image; /* what the disk must hold */
    gsize image_size;
    uint64_t dimm_size; /* bytes */
    GArray *dimms;      /* of Dimm */
    guint next_number;
    GArray *times;     /* of gint64: microseconds of each device_add */
    uint64_t compared; /* bytes */
} demo;

G_NORETURN static void fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    printf("\nFAILED: %s\n", message);
    if (demo.vmm) {
        g_autofree char *output = vmm_output(demo.vmm);
        printf("%s", output);
    }
    exit(1);
}

/* --- the disk --- */

static void make_image(gsize size)
{
    GError *error = NULL;
    int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    demo.image_path = vmm_temporary_path("disk.img");
    demo.image = g_malloc(size);
    demo.image_size = size;
    for (gsize done = 0; done < size;) {
        ssize_t length = read(random, demo.image + done, size - done);
        if (length <= 0) {
            fail("/dev/urandom gives nothing");
        }
        done += length;
    }
    close(random);
    if (!g_file_set_contents(demo.image_path, (char *)demo.image, size, &error)) {
        fail("%s", error->message);
    }
}

static void request(uint32_t type, uint64_t offset, uint64_t address, uint32_t size)
{
    int status = blk_disk_request(demo.disk, 0, type, offset / SECTOR, address, size);

    if (status != VIRTIO_BLK_S_OK) {
        fail("disk request type %u at %" G_GUINT64_FORMAT " through address 0x%" G_GINT64_MODIFIER
             "x: status %d",
             type, offset, address, status);
    }
}

static void compare(const uint8_t *have, gsize offset, const char *what, const Dimm *dimm)
{
    for (gsize i = 0; i < BLOCK; i++) {
        if (have[i] != demo.image[offset + i]) {
            fail("%s through dimm%u differs from the image at byte %" G_GSIZE_FORMAT, what,
                 dimm->number, offset + i);
        }
    }
    demo.compared += BLOCK;
}

/* Disk to DIMM, compared there; then new bytes from the DIMM to the disk, compared in the file. */
static void check_dimm(const Dimm *dimm, int file)
{
    static uint8_t bytes[BLOCK];
    gsize offset = (gsize)dimm->slot * 2 * BLOCK % demo.image_size;
    uint64_t buffer = dimm->address + demo.dimm_size - BLOCK;

    qtest_memset(demo.vmm->qtest, buffer, 0x5a, BLOCK);
    request(VIRTIO_BLK_T_IN, offset, buffer, BLOCK);
    qtest_memread(demo.vmm->qtest, buffer, bytes, BLOCK);
    compare(bytes, offset, "the disk read", dimm);

    offset += BLOCK;
    for (gsize i = 0; i < BLOCK; i += sizeof(guint32)) {
        guint32 word = g_random_int();
        memcpy(demo.image + offset + i, &word, sizeof(word));
    }
    qtest_memwrite(demo.vmm->qtest, buffer, demo.image + offset, BLOCK);
    request(VIRTIO_BLK_T_OUT, offset, buffer, BLOCK);
    if (pread(file, bytes, BLOCK, offset) != BLOCK) {
        fail("%s is too short", demo.image_path);
    }
    compare(bytes, offset, "the disk written", dimm);
}

/* Through every DIMM, or where there are very many, through some of them all over the place. */
static void check_disk(const char *what)
{
    g_autofree char *result = NULL;
    uint64_t before = demo.compared;
    guint plugged = 0, count = 0, every;
    int file = open(demo.image_path, O_RDONLY | O_CLOEXEC);

    for (guint i = 0; i < demo.dimms->len; i++) {
        plugged += g_array_index(demo.dimms, Dimm, i).plugged;
    }
    every = MAX(1, plugged / CHECKED);
    progress_begin(what, plugged / every);
    for (guint i = 0, seen = 0; i < demo.dimms->len; i++) {
        const Dimm *dimm = &g_array_index(demo.dimms, Dimm, i);
        if (dimm->plugged && seen++ % every == 0) {
            check_dimm(dimm, file);
            progress_update(++count, NULL);
        }
    }
    close(file);
    result = g_strdup_printf("%u of %u DIMMs, %.1f MiB compared, all equal", count, plugged,
                             (demo.compared - before) / 1048576.0);
    progress_end(result);
}

/* --- DIMMs --- */

/* Fills in slots and addresses as the machine gave them. */
static void find_dimms(void)
{
    g_autoptr(json_object) list =
        qmp_command(demo.vmm->qmp, NULL, "{'execute':'query-memory-devices'}");
    g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < demo.dimms->len; i++) {
        Dimm *dimm = &g_array_index(demo.dimms, Dimm, i);
        if (dimm->plugged) {
            g_hash_table_insert(known, GUINT_TO_POINTER(dimm->number), dimm);
        }
    }
    for (gsize i = 0; list && i < json_object_array_length(list); i++) {
        json_object *data = qmp_get(json_object_array_get_idx(list, i), "data");
        guint number = atoi(qmp_get_string(data, "id") + strlen("dimm"));
        Dimm *dimm = g_hash_table_lookup(known, GUINT_TO_POINTER(number));
        if (dimm) {
            dimm->slot = qmp_get_int(data, "slot", 0);
            dimm->address = qmp_get_int(data, "addr", 0);
            g_hash_table_remove(known, GUINT_TO_POINTER(number));
        }
    }
    if (g_hash_table_size(known) != 0) {
        fail("query-memory-devices does not show all DIMMs");
    }
}

static void remove_backend(guint number)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) answer = qmp_command(
        demo.vmm->qmp, &error, "{'execute':'object-del','arguments':{'id':'mem%u'}}", number);

    if (!answer) {
        fail("object-del mem%u: %s", number, error->message);
    }
}

/* object-add and device_add, timed.  FALSE with @error if the DIMM was refused. */
static gboolean plug(guint number, GError **error)
{
    g_autoptr(json_object) memory =
        qmp_command(demo.vmm->qmp, error,
                    "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                    "'id':'mem%u','size':%" G_GUINT64_FORMAT ",'share':true}}",
                    number, demo.dimm_size);
    if (!memory) {
        return FALSE;
    }
    gint64 begin = g_get_monotonic_time();
    g_autoptr(json_object) device = qmp_command(demo.vmm->qmp, error,
                                                "{'execute':'device_add','arguments':{'driver':"
                                                "'pc-dimm','id':'dimm%u','memdev':'mem%u'}}",
                                                number, number);
    gint64 time = g_get_monotonic_time() - begin;
    if (!device) {
        remove_backend(number);
        return FALSE;
    }
    g_array_append_val(demo.times, time);
    return TRUE;
}

static void plug_until_refused(void)
{
    guint limit = wanted.dimms ? (guint)wanted.dimms : DIMM_LIMIT;
    g_autoptr(GError) error = NULL;
    g_autofree char *result = NULL;

    progress_begin("plugging DIMMs", wanted.dimms);
    while (demo.dimms->len < limit) {
        Dimm dimm = {.number = demo.next_number++, .plugged = TRUE};
        if (!plug(dimm.number, &error)) {
            break;
        }
        g_array_append_val(demo.dimms, dimm);
        progress_update(demo.dimms->len, NULL);
    }
    result = g_strdup_printf("%u DIMMs of %s", demo.dimms->len, wanted.size);
    progress_end(result);
    if (!demo.dimms->len) {
        fail("not one DIMM: %s", error ? error->message : "none was wanted");
    }
    if (error) {
        printf("%-34s %s\n", "and one more, says QMP:", error->message);
    } else {
        printf("%-34s as many as were asked for\n", "no refusal:");
    }
    find_dimms();
}

/* What a guest's kernel does when it is asked to let go: selects the slot and ejects it. */
static void guest_ejects(guint slot)
{
    qtest_outl(demo.vmm->qtest, ACPI_MEMORY_BASE, slot);
    qtest_outb(demo.vmm->qtest, ACPI_MEMORY_FLAGS, ACPI_MEMORY_EJECT);
}

static void unplug(Dimm *dimm)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *id = g_strdup_printf("dimm%u", dimm->number);
    g_autoptr(json_object) answer =
        qmp_command(demo.vmm->qmp, &error, "{'execute':'device_del','arguments':{'id':'%s'}}", id);

    if (!answer) {
        fail("device_del %s: %s", id, error->message);
    }
    guest_ejects(dimm->slot);
    g_autoptr(json_object) event =
        qmp_event_where(demo.vmm->qmp, "DEVICE_DELETED", "device", id, WAIT_MILLISECONDS);
    if (!event) {
        fail("no DEVICE_DELETED for %s", id);
    }
    remove_backend(dimm->number);
    dimm->plugged = FALSE;
}

static void unplug_every_second(void)
{
    g_autofree char *result = NULL;
    guint count = 0;

    progress_begin("unplugging every second one", demo.dimms->len / 2);
    for (guint i = 1; i < demo.dimms->len; i += 2) {
        unplug(&g_array_index(demo.dimms, Dimm, i));
        progress_update(++count, NULL);
    }
    result = g_strdup_printf("%u DIMMs", count);
    progress_end(result);
}

static void plug_others(void)
{
    g_autofree char *result = NULL;
    guint count = 0;

    progress_begin("plugging others in their place", demo.dimms->len / 2);
    for (guint i = 1; i < demo.dimms->len; i += 2) {
        Dimm *dimm = &g_array_index(demo.dimms, Dimm, i);
        g_autoptr(GError) error = NULL;
        dimm->number = demo.next_number++;
        if (!plug(dimm->number, &error)) {
            fail("dimm%u: %s", dimm->number, error->message);
        }
        dimm->plugged = TRUE;
        progress_update(++count, NULL);
    }
    find_dimms();
    result = g_strdup_printf("%u DIMMs", count);
    progress_end(result);
}

/* --- the machine --- */

static void start_machine(const char *socket)
{
    g_autoptr(GError) error = NULL;
    guint slots = wanted.dimms ? wanted.dimms : DIMM_LIMIT;
    /* Room for each DIMM and as much again, so that alignment never decides. */
    uint64_t maxmem = (256 << 20) + 2 * demo.dimm_size * slots;
    VmmOptions options = {.binary = wanted.vmm};
    BlkOptions blk = {.msix = TRUE};

    demo.vmm = vmm_start(&options, &error,
                         "-M pc -m 256M,slots=%u,maxmem=%" G_GUINT64_FORMAT "M "
                         "-chardev socket,id=c0,path=%s "
                         "-device vhost-user-blk-pci,id=b0,chardev=c0,addr=%d.0",
                         slots, maxmem >> 20, socket, DISK_SLOT);
    if (!demo.vmm) {
        fail("%s", error->message);
    }
    pci_addresses_init(&demo.addresses);
    guest_memory_init(&demo.memory, 1 << 20, 64 << 20);
    demo.device = virt_device_new(demo.vmm->qtest, &demo.addresses, DISK_SLOT);
    if (!demo.device) {
        fail("there is no device in PCI slot %d", DISK_SLOT);
    }
    demo.disk = blk_disk_start(demo.device, &demo.memory, &blk);
    if (blk_disk_sectors(demo.disk) * SECTOR != demo.image_size) {
        fail("the disk shows %" G_GUINT64_FORMAT " sectors", blk_disk_sectors(demo.disk));
    }
}

static int compare_times(gconstpointer a, gconstpointer b)
{
    gint64 difference = *(const gint64 *)a - *(const gint64 *)b;

    return difference < 0 ? -1 : difference > 0;
}

/* The median of @count times from @first on, in microseconds. */
static gint64 median(guint first, guint count)
{
    g_autofree gint64 *times =
        g_memdup2(&g_array_index(demo.times, gint64, first), count * sizeof(gint64));

    qsort(times, count, sizeof(times[0]), compare_times);
    return times[count / 2];
}

static void print_times(guint filled)
{
    guint ends = MIN(ENDS, filled);

    printf("%-34s %" G_GINT64_FORMAT " microseconds for the first %u, %" G_GINT64_FORMAT
           " for the last %u (medians)\n",
           "device_add took", median(0, ends), ends, median(filled - ends, ends), ends);
}

/* @filled: how many plugs there were before any unplug. */
static void print_table(guint filled)
{
    g_autoptr(json_object) list =
        qmp_command(demo.vmm->qmp, NULL, "{'execute':'x-query-vhost-user'}");
    json_object *messages = list ? qmp_get(list, "0/messages") : NULL;
    guint plugged = 0;

    if (!messages) {
        fail("x-query-vhost-user has no counts");
    }
    for (guint i = 0; i < demo.dimms->len; i++) {
        plugged += g_array_index(demo.dimms, Dimm, i).plugged;
    }
    printf("\n%-34s %u\n", "DIMMs plugged at the end", plugged);
    printf("%-34s %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT "\n", "memory slots used",
           qmp_get_int(list, "0/slots-used", -1), qmp_get_int(list, "0/slot-limit", -1));
    for (gsize i = 0; i < json_object_array_length(messages); i++) {
        json_object *message = json_object_array_get_idx(messages, i);
        printf("  %-32s %6" G_GINT64_FORMAT " sent, %6" G_GINT64_FORMAT " answered\n",
               qmp_get_string(message, "request"), qmp_get_int(message, "sent", 0),
               qmp_get_int(message, "answered", 0));
    }
    print_times(filled);
    printf("%-34s %.1f MiB, byte by byte\n\n", "disk data compared", demo.compared / 1048576.0);
}

static uint64_t parse_size(const char *text)
{
    char *end;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    const char *units = "KMGT";
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;

    if (end == text || !unit || end[1] || number == 0 || number > 1 << 20) {
        fprintf(stderr, "--size %s: write it as 16M or 1G\n", text);
        exit(2);
    }
    return number << (10 * (unit - units + 1));
}

static void parse_options(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    GOptionEntry entries[] = {
        {"dimms", 0, 0, G_OPTION_ARG_INT, &wanted.dimms,
         "plug N DIMMs (default: until the backend's slots are used up)", "N"},
        {"size", 0, 0, G_OPTION_ARG_STRING, &wanted.size, "size of a DIMM (default: 128M)", "SIZE"},
        {"backend", 0, 0, G_OPTION_ARG_STRING, &wanted.backend,
         "show only qemu-storage-daemon or vhost-user-blk (default: one after the other)", "NAME"},
        {"storage-daemon", 0, 0, G_OPTION_ARG_STRING, &wanted.programs[BLK_DAEMON_DEBIAN],
         "program of qemu-storage-daemon (default: from PATH)", "PATH"},
        {"vhost-user-blk", 0, 0, G_OPTION_ARG_STRING, &wanted.programs[BLK_DAEMON_OURS],
         "program of vhost-user-blk", "PATH"},
        {"vmm", 0, 0, G_OPTION_ARG_STRING, &wanted.vmm, "the emulator to start", "PATH"},
        {.long_name = NULL},
    };
    GOptionContext *context = g_option_context_new("- hot-add memory behind a vhost-user disk");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s; see --help\n", error->message);
        exit(2);
    }
    g_option_context_free(context);
    if (argc > 1 || wanted.dimms < 0 || wanted.dimms > DIMM_LIMIT) {
        fprintf(stderr, "%s; see --help\n",
                argc > 1 ? "unexpected argument" : "--dimms goes from 1 to 32000");
        exit(2);
    }
    wanted.size = wanted.size ? wanted.size : g_strdup("128M");
    demo.dimm_size = parse_size(wanted.size);
    if (demo.dimm_size < 2 << 20) {
        fprintf(stderr, "--size %s: at least 2M\n", wanted.size);
        exit(2);
    }
}

/* Frees what one demonstration made, and begins the next with nothing. */
static void forget_all(void)
{
    uint64_t dimm_size = demo.dimm_size;

    blk_disk_free(demo.disk);
    virt_device_free(demo.device);
    vmm_free(demo.vmm);
    g_array_free(demo.dimms, TRUE);
    g_array_free(demo.times, TRUE);
    g_free(demo.image_path);
    g_free(demo.image);
    memset(&demo, 0, sizeof(demo));
    demo.dimm_size = dimm_size;
}

/* The whole demonstration behind one backend. */
static void show(BlkDaemonKind kind)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *socket = vmm_temporary_path("disk.sock");
    BlkDaemonOptions options = {.kind = kind,
                                .program = wanted.programs[kind],
                                .socket = socket,
                                .slots = wanted.dimms ? wanted.dimms + 1 : OUR_SLOTS};
    guint filled;
    pid_t daemon;

    demo.dimms = g_array_new(FALSE, TRUE, sizeof(Dimm));
    demo.times = g_array_new(FALSE, FALSE, sizeof(gint64));
    make_image(64 << 20);
    options.image = demo.image_path;
    daemon = blk_daemon_start(&options, &error);
    if (!daemon) {
        fail("%s", error->message);
    }
    start_machine(socket);
    printf("%-34s %s over 64 MiB of random bytes\n", "backend", blk_daemon_name(kind));
    printf("%-34s %s, qtest accelerator\n\n", "machine", demo.vmm->binary);

    plug_until_refused();
    filled = demo.times->len;
    check_disk("disk through DIMMs");
    unplug_every_second();
    check_disk("disk through those that stayed");
    plug_others();
    check_disk("disk through DIMMs again");
    print_table(filled);

    if (!vmm_quit(demo.vmm, &error)) {
        fail("the machine does not end well: %s", error->message);
    }
    blk_daemon_end(daemon, SIGTERM);
    forget_all();
}

int main(int argc, char **argv)
{
    gboolean shown = FALSE;

    setlinebuf(stdout);
    parse_options(argc, argv);
    for (guint kind = 0; kind < BLK_DAEMON_KINDS; kind++) {
        if (!wanted.backend || !strcmp(wanted.backend, blk_daemon_name(kind))) {
            show(kind);
            shown = TRUE;
        }
    }
    if (!shown) {
        fprintf(stderr, "--backend %s: it is qemu-storage-daemon or vhost-user-blk\n",
                wanted.backend);
        return 2;
    }
    return 0;
}
