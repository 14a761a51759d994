/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of command-line options, their parsing and help.
 */
#include "system/command-line.h"

#include "system/version.h"
#include "util/error.h"

#include <stdio.h>
#include <string.h>

#define NO_MIGRATION "migration comes in a later version"
#define NO_GDB "there is no debugger's stub here"
#define NO_FIRMWARE "there is no firmware here; a guest starts with -kernel"
#define NO_DISPLAY "there is no display here"
#define NO_USB "there is no USB here"
#define NO_FILES "use -device vhost-user-fs-pci with a -chardev to its back-end, such as virtiofsd"
#define NO_SOFTWARE_CPU "there is no CPU in software here whose steps could be watched or counted"
#define NO_XEN "there is no support for Xen here; use -accel kvm"
#define NO_BLOCK "there is no block layer here; use -device vhost-user-blk-pci with a -chardev"
#define NO_NET                                                                                     \
    "use -netdev vhost-user,id=ID,chardev=ID and -device virtio-net-pci,netdev=ID; 'none' is "     \
    "accepted"

static const CommandLineOption options[] = {
    {"help", NULL, "print this text and exit", NULL, NULL},
    {"h", NULL, NULL, NULL, NULL},
    {"version", NULL, "print the version and exit", NULL, NULL},
    {"machine", "[type=]NAME[,key=value,...]", "the machine; 'help' lists the names",
     "type:string, accel:string, kernel-irqchip:string, memory-backend:string, mem-merge:boolean, "
     "dump-guest-core:boolean",
     NULL},
    {"M", "[type=]NAME[,key=value,...]", NULL, NULL, NULL},
    {"accel", "[accel=]NAME[:NAME...]", "what runs the guest; 'help' lists the names",
     "accel:string, kernel-irqchip:string, dirty-ring-size:number", NULL},
    {"m", "[size=]N[,slots=N,maxmem=N]",
     "guest RAM (default unit MiB), slots for memory devices, and the size it may grow to",
     "size:size, slots:number, maxmem:size", NULL},
    {"object", "TYPE,id=ID[,key=value,...]", "create an object; 'help', 'TYPE,help'",
     "qom-type:string, id:string", NULL},
    {"device", "TYPE[,key=value,...]", "add a device, also as JSON; 'help', 'TYPE,help'",
     "driver:string, id:string, bus:string", NULL},
    {"chardev", "TYPE,id=ID[,key=value,...]", "create a character device; 'help'",
     "id:string, path:string, host:string, port:string, fd:string, server:boolean, "
     "wait:boolean, reconnect:number, nodelay:boolean, ipv4:boolean, ipv6:boolean, to:number, "
     "append:boolean, signal:boolean",
     NULL},
    {"netdev", "vhost-user,id=ID,chardev=ID[,queues=N][,vhostforce=on|off]",
     "a network served by another process, for a -device virtio-net-pci; 'help'",
     "type:string, id:string, chardev:string, queues:number, vhostforce:boolean", NULL},
    {"mon", "[chardev=]ID[,mode=readline|control][,pretty=on]",
     "a monitor on a chardev, for people or (control) QMP",
     "chardev:string, mode:string, pretty:boolean", NULL},
    {"qmp", "CHARDEV", "a QMP monitor on unix:PATH, tcp:HOST:PORT, stdio, ...", NULL, NULL},
    {"qmp-pretty", "CHARDEV", "the same with answers broken into lines", NULL, NULL},
    {"monitor", "CHARDEV", "a human monitor on stdio, unix:PATH, tcp:HOST:PORT, ...; or none", NULL,
     NULL},
    {"numa", "node[,nodeid=0][,memdev=ID]", "guest RAM of the NUMA node from a memory backend",
     "type:string, nodeid:number, memdev:string", NULL},
    {"global", "TYPE.PROPERTY=VALUE", "default of a property for every object of the type",
     "driver:string, property:string, value:string", NULL},
    {"set", "GROUP.ID.KEY=VALUE", "change a key of the -device, -object, -chardev or -netdev ID",
     NULL, NULL},
    {"name", "[guest=]NAME[,process=NAME][,debug-threads=on|off]", "name of the guest",
     "guest:string, process:string, debug-threads:boolean", NULL},
    {"uuid", "UUID", "UUID of the guest", NULL, NULL},
    {"S", NULL, "do not start the guest; QMP's cont does", NULL, NULL},
    {"add-fd", "fd=N,set=N[,opaque=TEXT]", "put an inherited descriptor into an fd set",
     "fd:number, set:number, opaque:string", NULL},
    {"qtest", "CHARDEV", "serve the qtest protocol", NULL, NULL},
    {"qtest-log", "FILE", "log of the qtest protocol (default: standard error)", NULL, NULL},
    {"run-with", "[exit-with-parent=on|off][,chroot=DIRECTORY][,user=USER|UID:GID]",
     "end when the parent process ends; the same as -chroot and -runas",
     "exit-with-parent:boolean, chroot:string, user:string", NULL},
    {"runas", "USER|UID:GID", "go on as another user once everything is open", NULL, NULL},
    {"chroot", "DIRECTORY", "let the file system be that directory once everything is open", NULL,
     NULL},
    {"pidfile", "FILE", "write the process id to FILE", NULL, NULL},
    {"daemonize", NULL, "go to the background once the sockets listen", NULL, NULL},
    {"D", "FILE", "write the log to FILE instead of standard error", NULL, NULL},
    {"d", "trace:PATTERN[,trace:PATTERN...]", "log matching trace events", NULL, NULL},
    {"msg", "[timestamp=on|off][,guest-name=on|off]",
     "begin messages with the time, and with the guest's name",
     "timestamp:boolean, guest-name:boolean", NULL},
    {"trace", "[enable=]PATTERN[,events=FILE][,file=FILE]",
     "log matching trace events, one line each; 'help' lists them",
     "enable:string, events:string, file:string", NULL},
    {"nodefaults", NULL, "no default devices (there are none)", NULL, NULL},
    {"no-user-config", NULL, "no configuration files (none are read)", NULL, NULL},
    {"display", "none", "no display (there is none)", NULL, NULL},
    {"echr", "KEY", "the key before commands to a shared terminal, by its number (1: Ctrl-A)", NULL,
     NULL},
    {"nographic", NULL, "console and human monitor on standard input and output", NULL, NULL},
    {"audio", "none", "no sound (there is none)", NULL, NULL},
    {"audiodev", "[driver=]none,id=ID", "no sound (there is none)", "driver:string, id:string",
     NULL},
    {"no-hpet", NULL, "no HPET (there is none)", NULL, NULL},
    {"vga", "none", "no graphics card (there is none)", NULL, NULL},
    {"serial", "CHARDEV", "the next serial port on stdio, pty, unix:PATH, chardev:ID, ...; or none",
     NULL, NULL},
    {"smp", "[cpus=]N[,sockets=N][,cores=N][,threads=N][,maxcpus=N]",
     "how many CPUs, and their topology",
     "cpus:number, sockets:number, dies:number, clusters:number, cores:number, threads:number, "
     "maxcpus:number",
     NULL},
    {"cpu", "host|max[,+FEATURE][,-FEATURE][,PROPERTY=VALUE]",
     "what the host has, with and without single features; 'help' lists them", "model:string",
     NULL},
    {"no-reboot", NULL, "a reset ends the program", NULL, NULL},
    {"no-shutdown", NULL, "a shutdown pauses the machine instead of ending the program", NULL,
     NULL},
    {"action", "[reboot=reset|shutdown][,shutdown=poweroff|pause][,panic=ACTION][,watchdog=ACTION]",
     "what follows when the guest resets, shuts down or panics; there is no watchdog",
     "reboot:string, shutdown:string, panic:string, watchdog:string", NULL},
    {"overcommit", "[mem-lock=on|off|on-fault][,cpu-pm=on|off]",
     "keep the guest's memory in RAM, and let its CPUs sleep on the host's",
     "mem-lock:string, cpu-pm:boolean", NULL},
    {"rtc", "[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none]",
     "what the guest's clock shows at the start, and what it goes by",
     "base:string, clock:string, driftfix:string", NULL},
    {"boot", "[order=LETTERS][,once=LETTERS][,menu=off][,strict=on|off]",
     "accepted where it changes nothing: a guest starts with -kernel",
     "order:string, once:string, menu:boolean, strict:boolean", NULL},
    {"smbios", "type=0|1|2|3|4|11|17[,key=value,...]",
     "what the guest reads about its maker, board, processors and memory",
     "type:number, vendor:string, version:string, date:string, release:string, uefi:boolean, "
     "manufacturer:string, product:string, serial:string, uuid:string, sku:string, "
     "family:string, asset:string, location:string, sock_pfx:string, part:string, "
     "max-speed:number, current-speed:number, value:string, loc_pfx:string, bank:string, "
     "speed:number",
     NULL},
    {"fw_cfg", "[name=]NAME,string=TEXT|file=FILE", "a file that the guest reads by fw_cfg",
     "name:string, string:string, file:string", NULL},
    {"parallel", "none", "no parallel port (there is none)", NULL, NULL},
    {"net", "none", "no network card (none comes by itself)", NULL, NULL},
    {"nic", "none", "no network card (none comes by itself)", NULL, NULL},
    {"sandbox", "on|off[,obsolete|elevateprivileges|spawn|resourcecontrol=allow|deny]...",
     "forbid system calls that the program has no use for",
     "enable:boolean, obsolete:string, elevateprivileges:string, spawn:string, "
     "resourcecontrol:string",
     NULL},

    {"enable-kvm", NULL, "the same as -machine accel=kvm", NULL, NULL},
    {"kernel", "FILE", "start this kernel: a bzImage, or an ELF image with a PVH entry", NULL,
     NULL},
    {"initrd", "FILE", "its initial RAM disk", NULL, NULL},
    {"append", "TEXT", "its command line", NULL, NULL},
    {"bios", "FILE", NULL, NULL, NO_FIRMWARE},
    {"pflash", "FILE", NULL, NULL, NO_FIRMWARE},
    {"option-rom", "FILE", NULL, NULL, NO_FIRMWARE},
    {"no-fd-bootchk", NULL, NULL, NULL, NO_FIRMWARE},
    {"acpitable", "KEYS", NULL, NULL, "the ACPI tables are this machine's own"},
    {"no-acpi", NULL, NULL, NULL, "hot-plug is done by ACPI; a kernel may ignore it (acpi=off)"},
    {"dtb", "FILE", NULL, NULL, "a PC has no device tree"},
    {"watchdog", "MODEL", NULL, NULL, "there is no watchdog here"},
    {"watchdog-action", "ACTION", NULL, NULL, "there is no watchdog here"},
    {"gdb", "DEVICE", NULL, NULL, NO_GDB},
    {"s", NULL, NULL, NULL, NO_GDB},
    {"drive", "KEYS", NULL, NULL, NO_BLOCK},
    {"blockdev", "KEYS", NULL, NULL, NO_BLOCK},
    {"fda", "FILE", NULL, NULL, NO_BLOCK},
    {"fdb", "FILE", NULL, NULL, NO_BLOCK},
    {"hda", "FILE", NULL, NULL, NO_BLOCK},
    {"hdb", "FILE", NULL, NULL, NO_BLOCK},
    {"hdc", "FILE", NULL, NULL, NO_BLOCK},
    {"hdd", "FILE", NULL, NULL, NO_BLOCK},
    {"sd", "FILE", NULL, NULL, NO_BLOCK},
    {"mtdblock", "FILE", NULL, NULL, NO_BLOCK},
    {"iscsi", "KEYS", NULL, NULL, NO_BLOCK},
    {"win2k-hack", NULL, NULL, NULL, NO_BLOCK},
    {"fsdev", "KEYS", NULL, NULL, NO_FILES},
    {"virtfs", "KEYS", NULL, NULL, NO_FILES},
    {"cdrom", "FILE", NULL, NULL, NO_BLOCK},
    {"snapshot", NULL, NULL, NULL, NO_BLOCK},
    {"incoming", "URI", NULL, NULL, NO_MIGRATION},
    {"only-migratable", NULL, NULL, NULL, NO_MIGRATION},
    {"loadvm", "NAME", NULL, NULL, NO_MIGRATION},
    {"dump-vmstate", "FILE", NULL, NULL, NO_MIGRATION},
    {"mem-prealloc", NULL, NULL, NULL,
     "use -object memory-backend-memfd,prealloc=on with -machine memory-backend="},
    {"mem-path", "PATH", NULL, NULL,
     "use -object memory-backend-file,mem-path= with -machine memory-backend="},
    {"spice", "KEYS", NULL, NULL, NO_DISPLAY},
    {"vnc", "DISPLAY", NULL, NULL, NO_DISPLAY},
    {"k", "LANGUAGE", NULL, NULL, NO_DISPLAY},
    {"full-screen", NULL, NULL, NULL, NO_DISPLAY},
    {"rotate", "DEGREES", NULL, NULL, NO_DISPLAY},
    {"portrait", NULL, NULL, NULL, NO_DISPLAY},
    {"audio-help", NULL, NULL, NULL, "there is no sound here"},
    {"usb", NULL, NULL, NULL, NO_USB},
    {"usbdevice", "NAME", NULL, NULL, NO_USB},
    {"tpmdev", "KEYS", NULL, NULL, "there is no TPM here"},
    {"readconfig", "FILE", NULL, NULL, "configuration files are not read; give the options"},
    {"L", "PATH", NULL, NULL, "there is no firmware here"},
    {"debugcon", "CHARDEV", NULL, NULL, "there is no debug console here; use -serial"},
    {"icount", "KEYS", NULL, NULL, NO_SOFTWARE_CPU},
    {"singlestep", NULL, NULL, NULL, NO_SOFTWARE_CPU},
    {"one-insn-per-tb", NULL, NULL, NULL, NO_SOFTWARE_CPU},
    {"dfilter", "RANGES", NULL, NULL, NO_SOFTWARE_CPU},
    {"plugin", "FILE", NULL, NULL, NO_SOFTWARE_CPU},
    {"perfmap", NULL, NULL, NULL, NO_SOFTWARE_CPU},
    {"jitdump", NULL, NULL, NULL, NO_SOFTWARE_CPU},
    {"enable-sync-profile", NULL, NULL, NULL, "locks are not profiled here; use perf"},
    {"seed", "N", NULL, NULL, "randomness is the host's, and made from no seed"},
    {"compat", "KEYS", NULL, NULL, "no option, command or property is deprecated here"},
    {"preconfig", NULL, NULL, NULL, "the machine is made of the options; -S holds the guest"},
    {"async-teardown", NULL, NULL, NULL, "guest memory is freed before the program ends"},
    {"xen-attach", NULL, NULL, NULL, NO_XEN},
    {"xen-domid", "N", NULL, NULL, NO_XEN},
    {"xen-domid-restrict", NULL, NULL, NULL, NO_XEN},
};

/* Options that QEMU's users may write with a value that asks for nothing. */
static gboolean asks_for_nothing(const CommandLineOption *option, const char *value)
{
    return !strcmp(value, "none") ||
           (!strcmp(option->name, "audio") && !strcmp(value, "driver=none"));
}

static const char *what_is_missing(const CommandLineOption *option)
{
    static const struct {
        const char *name;
        const char *missing;
    } missing[] = {
        {"display", "there is no display here; use 'none'"},
        {"audio", "there is no sound here; use 'none'"},
        {"vga", "there is no graphics card here; use 'none'"},
        {"parallel", "there is no parallel port here; use 'none'"},
        {"net", NO_NET},
        {"nic", NO_NET},
    };

    for (guint i = 0; i < G_N_ELEMENTS(missing); i++) {
        if (!strcmp(option->name, missing[i].name)) {
            return missing[i].missing;
        }
    }
    return NULL;
}

static const CommandLineOption *find_option(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (!strcmp(options[i].name, name)) {
            return &options[i];
        }
    }
    return NULL;
}

static gboolean check_item(const CommandLineItem *item, GError **error)
{
    const CommandLineOption *option = item->option;
    const char *missing = what_is_missing(option);

    if (option->refusal) {
        vm_error_set(error, "-%s%s%s: %s", option->name, item->value ? " " : "",
                     item->value ? item->value : "", option->refusal);
        return FALSE;
    }
    if (item->value && !*item->value && strcmp(option->name, "append") != 0) {
        vm_error_set(error, "-%s '': the argument is empty; expected -%s %s", option->name,
                     option->name, option->argument);
        return FALSE;
    }
    if (missing && !asks_for_nothing(option, item->value)) {
        vm_error_set(error, "-%s %s: %s", option->name, item->value, missing);
        return FALSE;
    }
    return TRUE;
}

/* Reads the option at argv[*index] and moves *index to the next one. */
static gboolean parse_item(int argc, char **argv, int *index, CommandLineItem *item, GError **error)
{
    const char *word = argv[(*index)++];

    if (word[0] != '-' || word[1] == '\0') {
        vm_error_set(error,
                     "'%s' is not an option; disks come as -device vhost-user-blk-pci with "
                     "a -chardev to their backend",
                     word);
        return FALSE;
    }
    item->option = find_option(word + (word[1] == '-' ? 2 : 1));
    item->value = NULL;
    if (!item->option) {
        vm_error_set(error, "%s: invalid option; -help lists them", word);
        return FALSE;
    }
    if (item->option->argument) {
        if (*index >= argc) {
            vm_error_set(error, "-%s: requires an argument: -%s %s", item->option->name,
                         item->option->name, item->option->argument);
            return FALSE;
        }
        item->value = argv[(*index)++];
    }
    return check_item(item, error);
}

GArray *command_line_parse(int argc, char **argv, GError **error)
{
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(CommandLineItem));
    int index = 1;

    while (index < argc) {
        CommandLineItem item;
        if (!parse_item(argc, argv, &index, &item, error)) {
            return NULL;
        }
        g_array_append_val(items, item);
    }
    return g_steal_pointer(&items);
}

const char *command_line_last(const GArray *items, const char *name)
{
    for (guint i = items->len; i > 0; i--) {
        const CommandLineItem *item = &g_array_index(items, CommandLineItem, i - 1);
        if (!strcmp(item->option->name, name)) {
            return item->value;
        }
    }
    return NULL;
}

gboolean command_line_has(const GArray *items, const char *name)
{
    for (guint i = 0; i < items->len; i++) {
        if (!strcmp(g_array_index(items, CommandLineItem, i).option->name, name)) {
            return TRUE;
        }
    }
    return FALSE;
}

void command_line_foreach(void (*visit)(const CommandLineOption *option, gpointer opaque),
                          gpointer opaque)
{
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (!options[i].refusal) {
            visit(&options[i], opaque);
        }
    }
}

void command_line_print_version(void)
{
    /* Scripts look for the first three words and the number behind them. */
    printf("QEMU emulator version %s (hotslot %s)\n"
           "This is hotslot: it speaks QEMU's command line, QMP and qtest and holds none of its "
           "code.\n",
           QMP_VERSION_TEXT, HOTSLOT_VERSION);
}

void command_line_print_help(void)
{
    command_line_print_version();
    printf("\nusage: %s [options]\n\n", g_get_prgname());
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        const CommandLineOption *option = &options[i];
        if (!option->help) {
            continue;
        }
        printf("-%s%s%s\n        %s\n", option->name, option->argument ? " " : "",
               option->argument ? option->argument : "", option->help);
    }
    printf("\nEvery option may be written with two dashes. Sizes take the suffixes K, M, G, T.\n"
           "A vhost-user disk, and memory to plug while it runs:\n"
           "  %s -accel qtest -qtest unix:QTEST -qmp unix:QMP,server=on,wait=off \\\n"
           "      -m 256M,slots=64,maxmem=64G -chardev socket,id=c0,path=DISK \\\n"
           "      -device vhost-user-blk-pci,id=b0,chardev=c0\n",
           g_get_prgname());
}
