/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The human monitor as its users have it: over sockets, over a terminal, and through QMP's
 * human-monitor-command.
 */
#include "human.h"
#include "qtest/backend.h"
#include "qtest/process.h"
#include "qtest/rig.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY "-m 64M,slots=8,maxmem=1G"

/* human-monitor-command. */
static void check_line(Qmp *qmp, const char *line, const char *expected)
{
    g_autoptr(json_object) answer = qmp_command_or_fail(
        qmp, "{'execute':'human-monitor-command','arguments':{'command-line':'%s'}}", line);
    const char *text = json_object_get_string(answer);

    if (!strstr(text, expected) || (!*expected && *text)) {
        vmm_fail("%s printed '%s', not '%s'", line, text, expected);
    }
}

/* --- commands --- */

static void test_commands(void)
{
    static const struct {
        const char *line, *expected; /* empty: nothing is printed */
    } rows[] = {
        {"", ""},
        {"   ", ""},
        {"info status", "VM status: running\n"},
        {"stop", ""},
        {"info status", "VM status: paused\n"},
        {"c", ""},
        {"info name", "guest1\n"},
        {"info uuid", "550e8400-e29b-41d4-a716-446655440000\n"},
        {"info version", "(hotslot "},
        {"info kvm", "kvm support: disabled\n"},
        {"info cpus", ""},
        {"info chardev", "char0: filename="},
        {"info pci", "Host bridge: PCI device 8086:1237\n"},
        {"info qtree", "bus: main-system-bus\n  type System\n  bus: pci.0\n    type PCI\n"
                       "    dev: i440FX, id \"\"\n      realized = true\n"},
        {"info qtree", "\n      bus: isa.0\n        type ISA\n        dev: mc146818rtc, id \"\"\n"},
        {"info qtree", "\n          iobase = 1281 (0x501)\n          iosize = 2\n"},
        {"info qom-tree", "\n  /machine (pc-machine)\n"},
        {"info qom-tree /objects", "/objects (container)\n"},
        {"info mtree", "address-space: memory\n"
                       "  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
                       "    0000000000000000-0000000003ffffff (prio 1, ram): pc.ram\n"},
        {"info mtree", "address-space: I/O\n"
                       "  0000000000000000-000000000000ffff (prio 0, i/o): io\n"},
        {"info mtree", "    0000000000000070-0000000000000071 (prio 0, i/o): rtc "
                       "owner:{/machine/unattached/rtc}\n"},
        {"info mtree -f", "  0000000000000000-0000000003ffffff (prio 1, ram): pc.ram "
                          "@0000000000000000\n"},
        {"info mtree -f",
         "  0000000000000cf8-0000000000000cfb (prio 0, i/o): pci-config-address\n"},
        {"info mtree -x", "info mtree -x: expected nothing, or -f"},
        {"info numa", "node 0 size: 64 MB\n"},
        {"info vhost-user", ""},
        {"object_add memory-backend-memfd,id=m1,size=2M", ""},
        {"info memdev", "memory backend: m1\n  size: 2097152\n  share: true\n"},
        {"device_add pc-dimm,id=d1,memdev=m1", ""},
        {"info memory-devices",
         "Memory device [dimm]: \"d1\"\n  addr: 0x100000000\n  slot: 0\n  node: 0\n"
         "  size: 2097152\n  memdev: /objects/m1\n  hotplugged: true\n  hotpluggable: true\n"},
        {"info memory_size_summary", "base memory: 67108864\nplugged memory: 2097152\n"},
        {"device_del d1", ""},
        {"chardev-add null,id=n1", ""},
        {"info chardev", "n1: filename=null\n"},
        {"chardev-remove n1", ""},
        {"chardev-add socket,id=s1,path=@T,server=on", ""},
        {"chardev-remove s1", ""},
        {"qom-get /objects/m1 size", "2097152\n"},
        {"qom-list /objects", "m1 (child<memory-backend-memfd>)\n"},
        {"trace-event chardev_* on", ""},
        {"trace-event chardev_* off", ""},
        {"help stop", "stop | s -- pause the guest\n"},
        {"? info", "info status -- "},
        {"info", "info memory-devices -- "},
        {"system_reset", ""},
        {"system_powerdown", ""},
    };
    Vmm *vmm = vmm_start_or_fail(NULL, "-name guest1 -uuid 550e8400-e29b-41d4-a716-446655440000 "
                                       "-M pc -device isa-debug-exit " MEMORY);
    g_autofree char *path = vmm_temporary_path("hmp-s1");

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) parts = g_strsplit(rows[i].line, "@T", -1);
        g_autofree char *line = g_strjoinv(path, parts);
        check_line(vmm->qmp, line, rows[i].expected);
    }
    vmm_end(vmm);
}

/* RAM in two pieces: each is an alias of a part. */
static void test_map(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 4G");

    check_line(vmm->qmp, "info mtree",
               "    0000000100000000-000000013fffffff (prio 1, ram): alias ram @pc.ram "
               "00000000c0000000-00000000ffffffff\n");
    check_line(vmm->qmp, "info mtree -f",
               "  0000000100000000-000000013fffffff (prio 1, ram): pc.ram @00000000c0000000\n");
    vmm_end(vmm);
}

static void test_wrong(void)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"foo", "Error: unknown command: 'foo'; help lists them\n"},
        {"info foo", "Error: unknown command: 'info foo'; info lists what it knows\n"},
        {"info status x", "Error: info status: 'x' is too much; expected: info status\n"},
        {"device_add", "Error: device_add: driver is missing; expected: device_add driver"},
        {"device_add foo", "Error: "},
        {"device_add pc-dimm,id=d,memdev=none", "none"},
        {"device_add pc-dimm,id=d x", "Error: device_add: 'x' is too much"},
        {"device_del", "Error: device_del: id is missing"},
        {"device_del none", "Error: "},
        {"object_add foo,id=x", "Error: "},
        {"object_del none", "none"},
        {"chardev-add", "Error: chardev-add: backend is missing"},
        {"chardev-add foo,id=x", "'foo'"},
        {"chardev-add null", "id=NAME"},
        {"chardev-add socket,id=x,path=/none,server=on,wait=on", "wait=on"},
        {"chardev-add socket,id=x,path=/none,server=on,wait=maybe", "'maybe'"},
        {"chardev-remove char0", "busy"},
        {"trace-event", "Error: trace-event: name is missing"},
        {"trace-event chardev_* maybe", "enable: 'maybe' is neither on nor off"},
        {"trace-event none on", "none"},
        {"qom-get /objects", "Error: qom-get: property is missing"},
        {"qom-get /none size", "none"},
        {"qom-set /machine type x", "Error: "},
        {"info block", "Error: info block: there is no block layer"},
        {"info registers", "Error: "},
        {"info balloon", "Error: "},
        {"logfile", "Error: logfile: path is missing"},
        {"logfile /none/x", "/none/x"},
        {"help foo", "Error: unknown command: 'foo'"},
        {"info vm-generation-id", "Error: "}, /* without a vmgenid device */
        {"help \\\"foo", "the quote is not closed"},
        {"sendkey a", "Error: unknown command: 'sendkey'"},
        {"migrate -d unix:x",
         "Error: unknown command: 'migrate'; migration comes in a later version\n"},
        {"migrate_incoming unix:x",
         "Error: unknown command: 'migrate_incoming'; migration comes in a later version\n"},
        {"migrate_cancel",
         "Error: unknown command: 'migrate_cancel'; migration comes in a later version\n"},
        {"migrate_set_capability events on",
         "Error: unknown command: 'migrate_set_capability'; migration comes in a later version\n"},
        {"migrate_set_parameter max-bandwidth 0",
         "Error: unknown command: 'migrate_set_parameter'; migration comes in a later version\n"},
        {"migrate_set_speed 1",
         "Error: unknown command: 'migrate_set_speed'; migration comes in a later version\n"},
        {"migrate_set_downtime 1",
         "Error: unknown command: 'migrate_set_downtime'; migration comes in a later version\n"},
        {"migrate_start_postcopy",
         "Error: unknown command: 'migrate_start_postcopy'; migration comes in a later version\n"},
        {"info migrate",
         "Error: unknown command: 'info migrate'; migration comes in a later version\n"},
        {"info migrate_capabilities", "Error: unknown command: 'info migrate_capabilities'; "
                                      "migration comes in a later version\n"},
        {"info migrate_parameters",
         "Error: unknown command: 'info migrate_parameters'; migration comes in a later version\n"},
        {"savevm s", "Error: unknown command: 'savevm'; migration comes in a later version\n"},
        {"loadvm s", "Error: unknown command: 'loadvm'; migration comes in a later version\n"},
        {"delvm s", "Error: unknown command: 'delvm'; migration comes in a later version\n"},
        {"info snapshots",
         "Error: unknown command: 'info snapshots'; migration comes in a later version\n"},
        {"announce_self",
         "Error: unknown command: 'announce_self'; migration comes in a later version\n"},
    };
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc " MEMORY);

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_line(vmm->qmp, rows[i].line, rows[i].expected);
    }
    vmm_end(vmm);
}

/* --- values of every kind, with a device of each --- */

static void network_config_init(BackendConfig *config)
{
    backend_config_init(config);
    config->features = 1ull << VHOST_USER_F_PROTOCOL_FEATURES | 1ull << VIRTIO_F_VERSION_1;
    config->protocol_features |= 1ull << VHOST_USER_PROTOCOL_F_MQ;
    config->queues = 4;
    config->network = TRUE;
}

/* What is typed is text; numbers, sizes, switches and lists are made of it by those who know. */
static void test_values(void)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"chardev-add socket,id=c0,path=@N,server=off", ""},
        {"netdev_add vhost-user,id=n0,chardev=c0,queues=x", "'n0'"},
        {"netdev_add vhost-user,id=n0,chardev=c0,queues=0", "property 'queues': 0 is out of range"},
        {"netdev_add vhost-user,id=n0,chardev=c0,vhostforce=maybe", "'maybe'"},
        {"netdev_add vhost-user,id=n0,chardev=c0,queues=2,vhostforce=on", ""},
        {"netdev_add vhost-user,id=n0,chardev=c0", "'n0'"},
        {"device_add virtio-net-pci,id=net0,netdev=n0,mq=on,vectors=6,mac=52:54:00:00:00:07,addr=4",
         ""},
        {"info network", "52:54:00:00:00:07"},
        {"info network", "queues=2"},
        {"qom-get /machine/peripheral/net0 mq", "true\n"},
        {"qom-get /machine/peripheral/net0 vectors", "6\n"},
        {"set_link net0 off", ""},
        {"info network", "link down"},
        {"set_link net0 on", ""},
        {"set_link net0 maybe", "Error: set_link: up: 'maybe' is neither on nor off"},
        {"set_link net0", "Error: set_link: up is missing"},
        {"set_link none on", "'none'"},
        {"netdev_del n0", "net0"},
        {"netdev_del none", "'none'"},
        {"chardev-add socket,id=c1,path=@B", ""},
        {"device_add vhost-user-blk-pci,id=b0,chardev=c1,num-queues=many", "'many'"},
        {"device_add vhost-user-blk-pci,id=b0,chardev=c1,num-queues=4,config-wce=off", ""},
        {"qom-get /machine/peripheral/b0 num-queues", "4\n"},
        {"qom-get /machine/peripheral/b0 config-wce", "false\n"},
        {"object_add memory-backend-memfd,id=m0,size=0x200000,share=on,merge=off", ""},
        {"qom-get /objects/m0 merge", "false\n"},
        {"object_add memory-backend-memfd,id=m1,size=2097152,host-nodes=0,policy=bind", ""},
        {"qom-get /objects/m1 host-nodes", "[0]\n"},
        {"object_add memory-backend-memfd,id=m2,size=much", "'much'"},
        {"object_add memory-backend-memfd,id=m2,size=2M,share=maybe", "'maybe'"},
        {"object_add memory-backend-memfd,id=m2,size=-1", "'-1'"},
        {"device_add pc-dimm,id=d0,memdev=m0,slot=x", "'x'"},
        {"device_add pc-dimm,id=d0,memdev=m0,slot=3,addr=0x140000000,node=0", ""},
        {"info memory-devices", "  addr: 0x140000000\n  slot: 3\n"},
        {"chardev-add ringbuf,id=r0,size=4096", ""},
        {"ringbuf_write r0 \\\"two words\\\"", ""},
        {"ringbuf_read r0 0x10", "two words\n"},
        {"ringbuf_read r0 ten", "Error: ringbuf_read: size: 'ten' is not a whole number"},
        {"ringbuf_read r0 99999999999999999999", "'99999999999999999999' is not a whole number"},
        {"ringbuf_read r0 -1", "'-1' is not a whole number"},
    };
    BackendConfig network, disk;

    network_config_init(&network);
    backend_config_init(&disk);
    Backend *card = backend_start(&network), *blk = backend_start(&disk);
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64M,slots=8,maxmem=16G");

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) line = g_string_new(rows[i].line);
        g_string_replace(line, "@N", backend_path(card), 0);
        g_string_replace(line, "@B", backend_path(blk), 0);
        check_line(vmm->qmp, line->str, rows[i].expected);
    }
    vmm_end(vmm);
    backend_free(card);
    backend_free(blk);
}

/* --- sockets --- */

static void test_socket(void)
{
    g_autofree char *path = vmm_temporary_path("hmp");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -monitor unix:%s,server=on,wait=off", path);

    for (guint i = 0; i < 2; i++) { /* a client goes, another comes */
        Human *human = human_connect(path);
        human_expect(human, "monitor - type 'help' for more information\r\n" HUMAN_PROMPT);
        human_check(human, "info status", "VM status: running\n");
        human_check(human, "device_add", "Error: ");
        human_free(human);
    }
    vmm_end(vmm);
}

/* What a script sends at once and without waiting is all done, in order, before the end. */
static void test_script(void)
{
    g_autofree char *path = vmm_temporary_path("hmp");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -monitor unix:%s,server=on,wait=off", path);
    Human *human = human_connect(path);

    human_type(human, "stop\ninfo status\ncont\ninfo status\n");
    shutdown(human->fd, SHUT_WR);
    while (human_receive(human, HUMAN_TIMEOUT)) {
    }
    const char *paused = strstr(human->text->str, "VM status: paused");
    g_assert_nonnull(paused);
    g_assert_nonnull(strstr(paused, "VM status: running"));
    human_free(human);
    vmm_end(vmm);
}

static void test_quit(void)
{
    g_autofree char *path = vmm_temporary_path("hmp");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -monitor unix:%s,server=on,wait=off", path);
    Human *human = human_connect(path);
    int status;

    human_type(human, "q\n");
    g_assert_true(vmm_wait(vmm, HUMAN_TIMEOUT, &status));
    g_assert_cmpint(status, ==, 0);
    human_free(human);
    vmm_free(vmm);
}

/* Many at once, each with its own line and history. */
static void test_many(void)
{
    enum { COUNT = 20 };
    g_autoptr(GString) arguments = g_string_new("-M pc");
    char *paths[COUNT];
    Human *humans[COUNT];

    for (guint i = 0; i < COUNT; i++) {
        g_autofree char *name = g_strdup_printf("hmp%u", i);
        paths[i] = vmm_temporary_path(name);
        g_string_append_printf(arguments,
                               " -chardev socket,id=h%u,path=%s,server=on,wait=off -mon h%u", i,
                               paths[i], i);
    }
    Vmm *vmm = vmm_start_or_fail(NULL, "%s", arguments->str);
    for (guint i = 0; i < COUNT; i++) {
        g_autofree char *half = g_strdup_printf("help h%u", i);
        humans[i] = human_connect(paths[i]);
        human_expect(humans[i], HUMAN_PROMPT);
        human_type(humans[i], half);
        human_expect(humans[i], half);
    }
    for (guint i = 0; i < COUNT; i++) {
        g_autofree char *expected = g_strdup_printf("unknown command: 'h%u!'", i);
        human_check(humans[i], "!", expected);
        human_free(humans[i]);
        g_free(paths[i]);
    }
    vmm_end(vmm);
}

/* --- hostile input --- */

static void test_hostile(void)
{
    static const char *const inputs[] = {
        "\033[",
        "\033[999999999999999999999C",
        "\xff\xfe\xc3",
        "\033\033\033[[[O",
        "\x16\x16\x18",
        "\x12\x13\x12",
        "\033x\r",
        "\0331\0332\0333\033-x",
        "\t\t\t",
        "\"\\\t",
        "\x04\x03\x1a\x1c",
        "\xf0\x9f\x98\x80\x7f",
        "info \t\x15",
        "device_add a,b=,=c,,\t",
    };
    g_autofree char *path = vmm_temporary_path("hmp");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -monitor unix:%s,server=on,wait=off", path);
    guint before = process_descriptors(vmm->pid);

    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        Human *human = human_connect(path);
        human_expect(human, HUMAN_PROMPT);
        human_type(human, inputs[i]);
        human_type(human, "\r\r\x03help alive\r");
        human_expect(human, "unknown command: 'alive'; help lists them\r\n" HUMAN_PROMPT);
        human_free(human);
    }
    Human *human = human_connect(path); /* Ctrl-Space: a NUL */
    human_expect(human, HUMAN_PROMPT);
    g_assert_cmpint(write(human->fd, "help\0 ali\xcd\0ve\r", 14), ==, 14);
    human_expect(human, "unknown command: 'alive'; help lists them\r\n" HUMAN_PROMPT);
    human_free(human);
    human = human_connect(path);
    g_autofree char *big = g_strnfill(200000, 'a'); /* one line, of which 4,095 are kept */
    human_expect(human, HUMAN_PROMPT);
    human_type(human, big);
    human_type(human, "\r");
    g_autofree char *text = human_wait(human, "help lists them");
    const char *name = strstr(text, "unknown command: '");
    g_assert_nonnull(name);
    g_assert_cmpuint(strspn(strchr(name, '\'') + 1, "a"), ==, 4095);
    human_free(human);
    /* Nothing of the clients stays. */
    human = human_connect(path);
    human_expect(human, HUMAN_PROMPT);
    human_free(human);
    for (guint i = 0; i < 100 && process_descriptors(vmm->pid) != before; i++) {
        g_usleep(10000);
    }
    g_assert_cmpuint(process_descriptors(vmm->pid), ==, before);
    vmm_end(vmm);
}

/* --- order --- */

/* A DIMM whose backend takes its time: the prompt waits, other monitors do not. */
static void test_order(void)
{
    g_autofree char *path = vmm_temporary_path("hmp");
    g_autofree char *other_path = vmm_temporary_path("hmp-other");
    g_autofree char *arguments =
        g_strdup_printf("-monitor unix:%s,server=on,wait=off -monitor unix:%s,server=on,wait=off",
                        path, other_path);
    RigOptions options = {.arguments = arguments};
    BackendFault fault = {.request = VHOST_USER_ADD_MEM_REG,
                          .occurrence = 1,
                          .kind = FAULT_DELAY,
                          .milliseconds = 1500};
    Rig *rig = rig_start(NULL, &options);
    Human *human = human_connect(path), *other = human_connect(other_path);

    rig_boot(rig, NULL);
    backend_fault(rig_backend(rig, 0), &fault);
    human_expect(human, HUMAN_PROMPT);
    human_expect(other, HUMAN_PROMPT);
    human_check(human, "object_add memory-backend-memfd,id=m1,size=2M", "");
    human_type(human, "device_add pc-dimm,id=d1,memdev=m1\rinfo memory_size_summary\r");
    human_expect(human, "memdev=m1\r\n");
    human_check(other, "info memory-devices", ""); /* not there yet */
    g_assert_false(human_receive(human, 100));
    human_expect(human, "plugged memory: 2097152\r\n" HUMAN_PROMPT);
    human_check(other, "info memory-devices", "\"d1\"");

    /* One who leaves meanwhile is not waited for, and what he began is done. */
    fault.occurrence = 1;
    backend_fault(rig_backend(rig, 0), &fault);
    human_check(human, "object_add memory-backend-memfd,id=m2,size=2M", "");
    human_type(human, "device_add pc-dimm,id=d2,memdev=m2\r");
    human_expect(human, "memdev=m2\r\n");
    human_free(human);
    for (guint i = 0; i < 200 && rig_dimms(rig) < 2; i++) {
        g_usleep(20000);
    }
    g_assert_cmpuint(rig_dimms(rig), ==, 2);
    human_free(other);
    rig_end(rig);
}

/* --- a terminal --- */

static void test_terminal(void)
{
    Terminal *terminal = terminal_start("-M pc " MEMORY " -monitor stdio");
    Human *human = terminal->human;

    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "info staXtus", "staXtus");
    human_type_and_expect(human, "\033[D\033[D\033[D\177\r",
                          "VM status: running"); /* left, backspace */
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "info name", "info name");
    human_type_and_expect(human, "\x01\x0binfo uuid\r", "00000000-0000"); /* beginning, kill */
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "\033[A\033[A\r", "VM status: running"); /* history */
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "info u\x12\r", "00000000-0000"); /* search */
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "no\xc3\xa9\x01\033[C\033[C\033[Cx\r",
                          "unknown command: 'no\xc3\xa9x'");
    human_expect(human, HUMAN_PROMPT);
    human_type(human, "quit\r");
    terminal_end(terminal);
}

static void test_completion(void)
{
    Terminal *terminal = terminal_start("-M pc " MEMORY " -monitor stdio");
    Human *human = terminal->human;

    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "inf\tstat\t\r", "VM status: running");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "device_\t", "device_add  device_del"); /* several: a list */
    human_type_and_expect(human, "\x15object_add memory-backend-mem\t,id=mem1,siz\t2M\r",
                          HUMAN_PROMPT);
    human_type_and_expect(human, "device_add pc-di\t,id=dim1,memd\tmem\t\r", HUMAN_PROMPT);
    human_type_and_expect(human, "info memory-d\t\r", "/objects/mem1");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "chardev-add nul\t,id=nothing\r", HUMAN_PROMPT);
    human_type_and_expect(human, "chardev-rem\tnot\t\r", HUMAN_PROMPT);
    human_type_and_expect(human, "info chard\t\r", "filename=stdio");
    human_type_and_expect(human, "qom-get /obj\tm\tsize\r", "2097152");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "trace-event chardev_c\tonn\r", "'onn' is neither");
    human_expect(human, HUMAN_PROMPT);
    /* Only what can be added now: neither the board's i8042 nor a pvpanic. */
    human_type_and_expect(human, "device_add i8\t,\r", "'i8'");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "device_add pvpa\t,\r", "'pvpa'");
    human_expect(human, HUMAN_PROMPT);
    /* A multiplexer's ports are its own. */
    human_type_and_expect(human, "chardev-add mux-\t,id=x\r", "'mux-'");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "device_del di\tfoo\r", "'foo' is too much");
    human_expect(human, HUMAN_PROMPT);
    human_type(human, "q\r");
    terminal_end(terminal);
}

/* Every command of the table can be asked for help, and nothing is listed twice. */
static void test_help(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc " MEMORY);
    g_autoptr(json_object) help = qmp_command_or_fail(
        vmm->qmp, "{'execute':'human-monitor-command','arguments':{'command-line':'help'}}");
    g_autoptr(json_object) info = qmp_command_or_fail(
        vmm->qmp, "{'execute':'human-monitor-command','arguments':{'command-line':'info'}}");
    g_autofree char *text =
        g_strconcat(json_object_get_string(help), json_object_get_string(info), NULL);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    g_assert_cmpuint(g_strv_length(lines), >, 30);
    for (guint i = 0; lines[i]; i++) {
        g_assert_nonnull(strstr(lines[i], " -- "));
        g_assert_true(g_hash_table_add(seen, lines[i]));
    }
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_setenv("TERM", "xterm", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hmp/commands", test_commands);
    g_test_add_func("/hmp/map", test_map);
    g_test_add_func("/hmp/wrong", test_wrong);
    g_test_add_func("/hmp/values", test_values);
    g_test_add_func("/hmp/help", test_help);
    g_test_add_func("/hmp/socket", test_socket);
    g_test_add_func("/hmp/script", test_script);
    g_test_add_func("/hmp/quit", test_quit);
    g_test_add_func("/hmp/many", test_many);
    g_test_add_func("/hmp/hostile", test_hostile);
    g_test_add_func("/hmp/order", test_order);
    g_test_add_func("/hmp/terminal", test_terminal);
    g_test_add_func("/hmp/completion", test_completion);
    return g_test_run();
}
