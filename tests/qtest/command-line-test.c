/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line as users write it: every option in its forms, in any order; what only prints;
 * files, sockets and processes that options make.  What must be refused is in bad-options.c.
 */
#include "qtest/process.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MILLISECONDS 20000

/* --- accepted, and seen over QMP --- */

typedef struct GoodRow {
    const char *arguments;
    const char *command; /* QMP command whose answer is looked at, NULL: none */
    const char *answer;  /* what its JSON must contain, ' for " */
} GoodRow;

#define MEMORY "{'execute':'query-memory-size-summary'}"
#define MEMDEV "{'execute':'query-memdev'}"
#define DIMMS "{'execute':'query-memory-devices'}"
#define CHARDEVS "{'execute':'query-chardev'}"
#define NAME "{'execute':'query-name'}"
#define GET(path, property)                                                                        \
    "{'execute':'qom-get','arguments':{'path':'" path "','property':'" property "'}}"
#define QTEST "-accel qtest "

static const GoodRow good_rows[] = {
    {"-M none", MEMORY, "'base-memory':0"},
    {"-M none -nodefaults -no-user-config -nographic -S", "{'execute':'query-status'}",
     "'status':'prelaunch'"},
    {"--machine none --nodefaults --S", "{'execute':'query-status'}", "'running':false"},
    {"-M none", "{'execute':'query-status'}", "'status':'running'"},
    {"-M none,accel=kvm:tcg:qtest", NULL, NULL},
    {"-M type=none", NULL, NULL},
    {"-M none -accel kvm -accel qtest", NULL, NULL},
    {"-M none,accel=qtest", NULL, NULL},
    {"-machine none -M accel=qtest", NULL, NULL},
    {"-accel qtest,", MEMORY, "'base-memory':134217728"},
    {"-accel accel=qtest -machine pc", NULL, NULL},
    {"-M '{\"type\":\"pc\",\"accel\":\"qtest\"}'", NULL, NULL},
    {QTEST "-m 256", MEMORY, "'base-memory':268435456"},
    {QTEST "-m 256M,", MEMORY, "'base-memory':268435456"},
    {QTEST "-m size=0.25G", MEMORY, "'base-memory':268435456"},
    {QTEST "-m 262144k", MEMORY, "'base-memory':268435456"},
    {QTEST "-m 0x100", MEMORY, "'base-memory':268435456"},
    {QTEST "-smp maxcpus=3", NULL, NULL},
    {QTEST "-append x -append ''", MEMORY, "'base-memory':134217728"},
    {QTEST "-m 1G -m 64M", MEMORY, "'base-memory':67108864"},
    {QTEST "-m 64M -m slots=2,maxmem=1G", MEMORY, "'base-memory':67108864"},
    {QTEST "-m 64M,slots=2,maxmem=64M", MEMORY, "'base-memory':67108864"},
    {QTEST "-m '{\"size\":\"64M\"}'", MEMORY, "'base-memory':67108864"},
    {QTEST "-numa node,memdev=r -object memory-backend-memfd,id=r,size=64M,", MEMORY,
     "'base-memory':67108864"},
    {QTEST "-numa node,nodeid=0,memdev=r -m 64M -object memory-backend-memfd,id=r,size=64M", MEMDEV,
     "'id':'r'"},
    {QTEST
     "-M pc,memory-backend=r -object memory-backend-memfd,id=r,size=64M -M dump-guest-core=off",
     GET("/machine", "dump-guest-core"), "false"},
    {QTEST "-M memory-backend=x -M memory-backend=r -object memory-backend-shm,id=r,size=64M",
     MEMDEV, "'size':67108864"},
    {"-M none -object '{\"qom-type\":\"memory-backend-memfd\",\"id\":\"r\",\"size\":4096}'", MEMDEV,
     "'size':4096"},
    {"-M none -object memory-backend-memfd,id=r,size=64K,share", MEMDEV, "'share':true"},
    {"-M none -object memory-backend-memfd,id=r,size=64K,noshare", MEMDEV, "'share':false"},
    {"-M none -object memory-backend-memfd,id=r,size=4K,host-nodes=0,policy=bind", MEMDEV,
     "'host-nodes':[0]"},
    {"-M none -object memory-backend-memfd,id=r,size=4K,prealloc=on,prealloc-threads=2,merge=off",
     MEMDEV, "'prealloc':true"},
    {"-M none -set object.r.size=8192 -object memory-backend-memfd,id=r,size=4096", MEMDEV,
     "'size':8192"},
    {"-M none -object memory-backend-memfd,id=r -global memory-backend-memfd.size=8192", MEMDEV,
     "'size':8192"},
    {"-M none -object memory-backend-memfd,id=r "
     "-global driver=memory-backend-memfd,property=size,value=8192",
     MEMDEV, "'size':8192"},
    {"-M none -object memory-backend-memfd,id=r,size=4096 -global memory-backend-memfd.size=8192",
     MEMDEV, "'size':4096"},
    {QTEST "-m 64M,slots=2,maxmem=2G -device pc-dimm,id=d,memdev=m -set device.d.slot=1 "
           "-object memory-backend-memfd,id=m,size=128M",
     DIMMS, "'slot':1"},
    {QTEST "-m 64M,slots=2,maxmem=2G -object memory-backend-memfd,id=m,size=128M "
           "-device '{\"driver\":\"pc-dimm\",\"memdev\":\"m\",\"addr\":4429185024}'",
     DIMMS, "'addr':4429185024"},
    {QTEST "-m 64M,slots=2,maxmem=2G -device pc-dimm,memdev=/objects/m,slot=0x1, "
           "-object memory-backend-memfd,id=m,size=128M",
     DIMMS, "'slot':1"},
    {QTEST "-m 64M,slots=2,maxmem=2G -device pc-dimm,memdev=m -global pc-dimm.slot=1 "
           "-object memory-backend-memfd,id=m,size=128M",
     DIMMS, "'slot':1"},
    {"-M none -chardev null,id=c,", CHARDEVS, "'label':'c','filename':'null'"},
    {"-M none -chardev file,id=c,path=@T/a,,b", CHARDEVS, "'label':'c'"},
    {"-M none -chardev file,id=c,path=@T/x -set chardev.c.path=@T/other", CHARDEVS, "'label':'c'"},
    {"-M none -chardev pty,id=c", CHARDEVS, "'filename':'pty:/dev/pts/"},
    {"-M none -mon c,mode=control,pretty=on -chardev null,id=c", NULL, NULL},
    {"-M none -mon id=name,chardev=c,mode=control -chardev null,id=c", NULL, NULL},
    {"-M none -object monitor-qmp,id=q,chardev=c -chardev null,id=c", GET("/objects/q", "chardev"),
     "'c'"},
    {"-M none -qmp null -qmp-pretty null -qmp none -monitor none", CHARDEVS,
     "'label':'compat_monitor1'"},
    {"-M none -qmp chardev:c -chardev null,id=c", NULL, NULL},
    {"-M none -name vm", NAME, "'name':'vm'"},
    {"-M none -name guest=a,,b,process=p,debug-threads=on", NAME, "'name':'a,b'"},
    {"-M none -name x,process=a-name-that-the-kernel-cuts", NAME, "'name':'x'"},
    {"-M none", NAME, "{}"},
    {"-M none -uuid 550E8400-e29b-41d4-a716-446655440000", "{'execute':'query-uuid'}",
     "550e8400-e29b-41d4-a716-446655440000"},
    {"-M none -run-with exit-with-parent=off,async-teardown=off", NULL, NULL},
    {"-M none -audiodev none,id=a -audiodev '{\"id\":\"audio1\",\"driver\":\"none\"}' -no-hpet",
     NULL, NULL},
    {"-M none -display none -audio none -audio driver=none -vga none -serial none -parallel none "
     "-net none -nic none -sandbox off -sandbox enable=off",
     NULL, NULL},
    {"-M none -trace qmp_*,file=/dev/null -trace enable=chardev_connected",
     "{'execute':'trace-event-get-state','arguments':{'name':'qmp_event'}}", "'state':'enabled'"},
    {"-M none -global no-such-type.x=1", NULL, NULL},
    {"-M none -qtest-log /dev/null", NULL, NULL},
};

static char *expand(const char *text)
{
    g_autofree char *file = vmm_temporary_path("x");
    g_autofree char *directory = g_path_get_dirname(file);
    g_auto(GStrv) parts = g_strsplit(text, "@T", -1);

    return g_strjoinv(directory, parts);
}

static void test_good(void)
{
    const VmmOptions options = {.no_qtest = TRUE};

    for (guint i = 0; i < G_N_ELEMENTS(good_rows); i++) {
        const GoodRow *row = &good_rows[i];
        g_autofree char *arguments = expand(row->arguments);
        Vmm *vmm = vmm_start_or_fail(&options, "%s", arguments);

        if (row->command) {
            g_autoptr(json_object) answer = qmp_command_or_fail(vmm->qmp, "%s", row->command);
            g_autofree char *wanted = g_strdelimit(g_strdup(row->answer), "'", '"');
            const char *text = json_object_to_json_string_ext(
                answer, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

            if (!strstr(text, wanted)) {
                vmm_fail("%s: %s does not contain %s", row->arguments, text, wanted);
            }
        }
        vmm_end(vmm);
    }
}

/* As an existing qtest client composes it, in both ways that it asks for QMP. */
static void test_client_lines(void)
{
    static const char *const monitors[] = {"-mon chardev=charx,mode=control",
                                           "-object monitor-qmp,id=qmp0,chardev=charx"};

    for (guint i = 0; i < G_N_ELEMENTS(monitors); i++) {
        g_autofree char *path = vmm_temporary_path("client");
        g_autoptr(GError) error = NULL;
        Vmm *vmm = vmm_start_or_fail(
            NULL,
            "-chardev socket,path=%s,id=charx,server=on,wait=off %s -display none -audio none "
            "-run-with exit-with-parent=on -M pc -m 256 "
            "-object memory-backend-memfd,id=mem,size=256M, -numa node,memdev=mem",
            path, monitors[i]);
        g_autoptr(Qmp) qmp = qmp_connect(path, 20, &error);

        g_assert_no_error(error);
        g_assert_true(qmp_negotiate(qmp, &error));
        vmm_end(vmm);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

/* --- what only prints --- */

static void check_prints(const char *arguments, const char *words)
{
    g_auto(GStrv) wanted = g_strsplit(words, "|", -1);
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(vmm_run(NULL, arguments, MILLISECONDS, &status, &output, &errors, &error));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(errors, ==, "");
    for (guint i = 0; wanted[i]; i++) {
        if (!strstr(output, wanted[i])) {
            vmm_fail("%s: does not print \"%s\": %s", arguments, wanted[i], output);
        }
    }
}

static void test_help(void)
{
    static const char *const rows[][2] = {
        {"-help", "usage:|-machine|-object|-device|-chardev|-qmp|-daemonize|-trace|QEMU emulator"},
        {"--help", "usage:|-machine"},
        {"-h", "usage:|-machine"},
        {"-M none -help", "usage:"},
        {"-version", "QEMU emulator version |hotslot"},
        {"--version", "QEMU emulator version "},
        {"-M help", "Supported machines|pc |none |default"},
        {"-machine ?", "Supported machines"},
        {"-M none -machine help", "Supported machines"},
        {"-accel help", "qtest"},
        {"-accel ?", "qtest"},
        {"-chardev help", "socket|stdio|null|file|pty"},
        {"-chardev socket,help", "path|server|wait|reconnect-ms|logfile|to=|telnet"},
        {"-chardev ringbuf,?", "size=|power of two|logappend"},
        {"-chardev mux,help", "chardev="},
        {"-netdev help", "vhost-user|queues"},
        {"-netdev vhost-user,help", "chardev|queues|vhostforce"},
        {"-object help", "memory-backend-memfd|memory-backend-file|monitor-qmp"},
        {"-object memory-backend-memfd,help", "size|share|prealloc|hugetlbsize|policy"},
        {"-object memory-backend-file,?", "mem-path|discard-data|align"},
        {"-object memory-backend-shm,help", "size|share"},
        {"-object memory-backend-ram,help", "size|share"},
        {"-object monitor-qmp,help", "chardev|pretty"},
        {"-device help", "pc-dimm|vhost-user-blk-pci"},
        {"-device ?", "pc-dimm"},
        {"-device pc-dimm,help", "memdev|addr|slot|node"},
        {"-device vhost-user-blk-pci,?", "chardev|num-queues|queue-size|config-wce|bootindex"},
        {"-trace help", "vhost_user_send|qmp_event"},
        {"-trace ?", "vhost_user_send"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_prints(rows[i][0], rows[i][1]);
    }
}

static void test_version_line(void)
{
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(vmm_run(NULL, "-version", MILLISECONDS, &status, &output, &errors, &error));
    g_assert_true(
        g_regex_match_simple("^QEMU emulator version [0-9]+\\.[0-9]+\\.[0-9]+ ", output, 0, 0));
}

/* --- the process --- */

static char *read_file(const char *path)
{
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

static gboolean wait_gone(const char *path)
{
    for (guint i = 0; i < 2000 && g_file_test(path, G_FILE_TEST_EXISTS); i++) {
        g_usleep(5000);
    }
    return !g_file_test(path, G_FILE_TEST_EXISTS);
}

/* When the parent has ended the socket listens and the pidfile is written; both go at the end. */
static void test_daemonize(void)
{
    g_autofree char *pidfile = vmm_temporary_path("daemon.pid");
    g_autofree char *socket = vmm_temporary_path("daemon.qmp");
    g_autofree char *arguments = g_strdup_printf(
        "-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg:qtest "
        "-qmp unix:%s,server=on,wait=off -pidfile %s -daemonize",
        socket, pidfile);
    g_autofree char *output = NULL, *errors = NULL, *again = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(
        g_file_set_contents(pidfile, "99999999 stale and long enough to show\n", -1, NULL));
    g_assert_true(vmm_run(NULL, arguments, MILLISECONDS, &status, &output, &errors, &error));
    g_assert_cmpstr(errors, ==, "");
    g_assert_cmpint(status, ==, 0);
    g_autofree char *pid = read_file(pidfile);
    g_autofree char *number = g_strdup_printf("%d\n", atoi(pid));
    g_assert_cmpstr(pid, ==, number);
    g_assert_cmpint(kill(atoi(pid), 0), ==, 0);
    g_autoptr(Qmp) qmp = qmp_connect(socket, 0, &error);
    g_assert_no_error(error);
    qmp_set_timeout(qmp, MILLISECONDS);
    g_assert_true(qmp_negotiate(qmp, &error));
    /* a second one with the same pidfile is refused and the first one's file stays */
    again = g_strdup_printf("-M none -daemonize -pidfile %s", pidfile);
    g_clear_pointer(&output, g_free);
    g_clear_pointer(&errors, g_free);
    g_assert_true(vmm_run(NULL, again, MILLISECONDS, &status, &output, &errors, &error));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_assert_nonnull(strstr(errors, "another process holds it"));
    g_assert_true(g_file_test(pidfile, G_FILE_TEST_EXISTS));
    json_object_put(qmp_command_or_fail(qmp, "{'execute':'quit'}"));
    g_assert_true(wait_gone(pidfile));
    g_assert_true(wait_gone(socket));
}

/* Names relative to where it was started are right at its end too, when it is at "/". */
static void test_daemonize_relative(void)
{
    g_autofree char *file = vmm_temporary_path("x");
    g_autofree char *directory = g_path_get_dirname(file);
    g_autofree char *binary = g_canonicalize_filename(vmm_binary(NULL, NULL), NULL);
    g_autofree char *before = g_get_current_dir();
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_cmpint(g_chdir(directory), ==, 0);
    g_assert_true(vmm_run(binary,
                          "-M none -daemonize -qmp unix:relative.qmp,server=on,wait=off "
                          "-chardev pty,id=p,path=relative.pty -pidfile relative.pid",
                          MILLISECONDS, &status, &output, &errors, &error));
    g_assert_cmpint(status, ==, 0);
    g_autofree char *terminal = g_file_read_link("relative.pty", NULL);
    g_autofree char *expected =
        g_strdup_printf("char device redirected to %s (label p)\n", terminal);
    g_assert_cmpstr(output, ==, expected); /* the only place where its name can be seen */
    g_autoptr(Qmp) qmp = qmp_connect("relative.qmp", 0, &error);
    g_assert_no_error(error);
    qmp_set_timeout(qmp, MILLISECONDS);
    g_assert_true(qmp_negotiate(qmp, &error));
    json_object_put(qmp_command_or_fail(qmp, "{'execute':'quit'}"));
    g_assert_true(wait_gone("relative.pid"));
    g_assert_true(wait_gone("relative.qmp"));
    g_assert_true(wait_gone("relative.pty"));
    g_assert_cmpint(g_chdir(before), ==, 0);
}

static void test_pidfile(void)
{
    g_autofree char *pidfile = vmm_temporary_path("pid");
    const VmmOptions options = {.no_qtest = TRUE};
    Vmm *vmm = vmm_start_or_fail(&options, "-M none -pidfile %s", pidfile);
    g_autofree char *wanted = g_strdup_printf("%d\n", vmm->pid);
    g_autofree char *text = read_file(pidfile);

    g_assert_cmpstr(text, ==, wanted);
    vmm_end(vmm);
    g_assert_false(g_file_test(pidfile, G_FILE_TEST_EXISTS));
}

/* SIGTERM, SIGINT and SIGHUP end it in order. */
static void test_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    const VmmOptions options = {.no_qtest = TRUE};

    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_autofree char *path = vmm_temporary_path("signal");
        Vmm *vmm = vmm_start_or_fail(&options, "-M none -qmp unix:%s,server=on,wait=off", path);
        int status;

        vmm_kill(vmm, signals[i]);
        g_assert_true(vmm_wait(vmm, MILLISECONDS, &status));
        g_assert_cmpint(status, ==, 0);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        vmm_free(vmm);
    }
}

/* It goes as after any other signal: with its pidfile. */
static void test_exit_with_parent(void)
{
    g_autofree char *pidfile = vmm_temporary_path("orphan.pid");
    g_autofree char *arguments =
        g_strdup_printf("-M none -run-with exit-with-parent=on -pidfile %s", pidfile);
    g_autofree char *written = g_strdup_printf("test -s %s", pidfile);

    process_check_ends_with_parent(arguments, written);
    g_assert_false(g_file_test(pidfile, G_FILE_TEST_EXISTS));
}

static void test_log(void)
{
    g_autofree char *log = vmm_temporary_path("log");
    g_autofree char *list = vmm_temporary_path("list");
    const VmmOptions options = {.no_qtest = TRUE};
    Vmm *vmm;

    g_assert_true(g_file_set_contents(list, "# a comment\n\n qmp_request \nqmp_resp*\n", -1, NULL));
    vmm = vmm_start_or_fail(&options, "-M none -D %s -trace events=%s", log, list);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'query-name'}"));
    g_autofree char *output = vmm_output(vmm);
    g_assert_cmpstr(output, ==, "");
    vmm_end(vmm);
    g_autofree char *text = read_file(log);
    g_assert_nonnull(strstr(text, "qmp_request"));
    g_assert_nonnull(strstr(text, "query-name"));
    g_assert_nonnull(strstr(text, "qmp_response"));
    g_assert_null(strstr(text, "qmp_event"));
}

/* -d names events as -trace does, a list of them. */
static void test_log_items(void)
{
    g_autofree char *log = vmm_temporary_path("log");
    const VmmOptions options = {.no_qtest = TRUE};
    Vmm *vmm =
        vmm_start_or_fail(&options, "-M none -D %s -d trace:chardev_connected,trace:qmp_req*", log);

    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'query-name'}"));
    vmm_end(vmm);
    g_autofree char *text = read_file(log);
    g_assert_nonnull(strstr(text, "chardev_connected"));
    g_assert_nonnull(strstr(text, "qmp_request"));
    g_assert_null(strstr(text, "qmp_response"));
}

static void test_message_form(void)
{
    static const struct {
        const char *arguments, *expected; /* a regular expression for the one line */
    } rows[] = {
        {"-msg timestamp=on -M x",
         "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{6}Z "
         "qemu-system-x86_64: -machine: "},
        {"-msg guest-name=on -name vm1 -M x", "^vm1 qemu-system-x86_64: -machine: "},
        {"-M x -name vm1 -msg timestamp=on,guest-name=on", "^[^ ]+Z vm1 qemu-system-x86_64: -mach"},
        {"-msg guest-name=on -M x", "^qemu-system-x86_64: -machine: "},
        {"-msg timestamp=off -name vm1 -M x", "^qemu-system-x86_64: -machine: "},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *output = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        int status;

        g_assert_true(
            vmm_run(NULL, rows[i].arguments, MILLISECONDS, &status, &output, &errors, &error));
        if (!g_regex_match_simple(rows[i].expected, errors, 0, 0)) {
            vmm_fail("%s prints %s", rows[i].arguments, errors);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command-line/good", test_good);
    g_test_add_func("/command-line/client-lines", test_client_lines);
    g_test_add_func("/command-line/help", test_help);
    g_test_add_func("/command-line/version-line", test_version_line);
    g_test_add_func("/command-line/daemonize", test_daemonize);
    g_test_add_func("/command-line/daemonize-relative", test_daemonize_relative);
    g_test_add_func("/command-line/pidfile", test_pidfile);
    g_test_add_func("/command-line/signals", test_signals);
    g_test_add_func("/command-line/exit-with-parent", test_exit_with_parent);
    g_test_add_func("/command-line/log", test_log);
    g_test_add_func("/command-line/log-items", test_log_items);
    g_test_add_func("/command-line/message-form", test_message_form);
    return g_test_run();
}
