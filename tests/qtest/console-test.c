/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -nographic and shared terminals as their users have them: the console of the guest, the monitor
 * behind Ctrl-A c, the keys behind Ctrl-A, and a terminal that is put back.
 */
#include "human.h"
#include "qtest/forbid.h"
#include "qtest/qtest.h"
#include "qtest/rig.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define COM1 0x3f8

/* A terminal with the machine, and the test in place of the guest. */
typedef struct Console {
    Terminal *terminal;
    Human *human;
    Qtest *qtest;
} Console;

static Console start(const char *arguments)
{
    g_autofree char *path = vmm_temporary_path("console-qtest");
    g_autofree char *all =
        g_strdup_printf("-M pc -qtest unix:%s -qtest-log /dev/null %s", path, arguments);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Console console;

    unlink(path);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    console.terminal = terminal_start(all);
    console.human = console.terminal->human;
    console.qtest = qtest_new(accept(listener, NULL, NULL), HUMAN_TIMEOUT / 1000);
    close(listener);
    return console;
}

static void end(Console *console)
{
    terminal_end(console->terminal);
    qtest_free(console->qtest);
}

static void guest_says(Console *console, const char *text)
{
    for (; *text; text++) {
        qtest_outb(console->qtest, COM1, (guint8)*text);
    }
}

static void guest_hears(Console *console, const char *text)
{
    for (; *text; text++) {
        for (guint i = 0; !(qtest_inb(console->qtest, COM1 + UART_LSR) & UART_LSR_DR); i++) {
            if (i == 2000) {
                vmm_fail("the guest waits for '%c'", *text);
            }
            g_usleep(5000);
        }
        g_assert_cmpint(qtest_inb(console->qtest, COM1), ==, *text);
    }
}

static void test_nographic(void)
{
    Console console = start("-nographic");

    guest_says(&console, "login: ");
    human_expect(console.human, "login: ");
    g_assert_null(strstr(console.human->text->str, "monitor"));
    human_type(console.human, "root\r\x03"); /* Ctrl-C is the guest's */
    guest_hears(&console, "root\r\x03");
    human_type_and_expect(console.human,
                          "\x01"
                          "c",
                          "monitor - type 'help' for more information");
    human_expect(console.human, HUMAN_PROMPT);
    human_check(console.human, "info status", "VM status: running\n");
    human_check(console.human, "info chardev", "serial0: filename=mux\n");
    guest_says(&console, "meanwhile");
    human_expect(console.human, "meanwhile");
    human_type(console.human, "\x01"
                              "cls\r");
    guest_hears(&console, "ls\r");
    human_type(console.human, "\x01\x01");
    guest_hears(&console, "\x01");
    human_type_and_expect(console.human, "\x01h", "Ctrl-A x");
    human_type(console.human, "\x01"
                              "b");
    for (guint i = 0; !(qtest_inb(console.qtest, COM1 + UART_LSR) & UART_LSR_BI); i++) {
        g_assert_cmpuint(i, <, 2000);
        g_usleep(5000);
    }
    human_type(console.human, "\x01"
                              "c");
    human_expect(console.human, HUMAN_PROMPT);
    human_type(console.human, "\x01"
                              "x");
    end(&console);
}

/* Another key before commands: Ctrl-T, and Ctrl-A is the guest's. */
static void test_escape_key(void)
{
    Console console = start("-nographic -echr 0x14");

    guest_says(&console, "login: ");
    human_expect(console.human, "login: ");
    human_type(console.human, "\x01"
                              "c");
    guest_hears(&console, "\x01"
                          "c");
    human_type_and_expect(console.human, "\x14h", "Ctrl-T Ctrl-T  send Ctrl-T");
    human_type(console.human, "\x14\x14");
    guest_hears(&console, "\x14");
    human_type(console.human, "\x14x");
    end(&console);
}

/* What is named explicitly is not put on the terminal a second time. */
static void test_defaults(void)
{
    static const struct {
        const char *arguments, *expected; /* of info chardev, over QMP */
        gboolean absent;
    } rows[] = {
        {"-nographic", "'label':'serial0-base','filename':'stdio'", FALSE},
        {"-nographic -monitor none", "'label':'serial0','filename':'stdio'", FALSE},
        {"-nographic -serial null", "'label':'compat_monitor0','filename':'stdio'", FALSE},
        {"-nographic -serial none", "'label':'compat_monitor0','filename':'stdio'", FALSE},
        {"-nographic -serial null -monitor none", "stdio", TRUE},
        {"-nographic -nodefaults", "stdio", TRUE},
        {"-nographic -serial mon:stdio", "'label':'serial0-base','filename':'stdio'", FALSE},
        {"-nographic -serial null -serial mon:stdio", "'label':'serial1-base','filename':'stdio'",
         FALSE},
        {"-display none", "stdio", TRUE},
        {"-serial mon:stdio", "'label':'serial0-base','filename':'stdio'", FALSE},
        {"-serial mon:stdio", "'label':'serial0','filename':'mux','frontend-open':true", FALSE},
        {"-chardev null,id=n -chardev mux,id=m0,chardev=n",
         "'label':'m0','filename':'mux','frontend-open':false", FALSE},
        {"-serial telnet:127.0.0.1:0,server=on,wait=off",
         "'label':'serial0','filename':'disconnected:telnet:127.0.0.1:", FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        /* The first QMP monitor would be one: this one is an object. */
        g_autofree char *path = vmm_temporary_path("console-qmp");
        g_autofree char *arguments = g_strdup_printf(
            "-chardev socket,id=q,path=%s,server=on,wait=off -object monitor-qmp,id=m,chardev=q %s",
            path, rows[i].arguments);
        Console console = start(arguments);
        g_autoptr(GError) error = NULL;
        g_autoptr(Qmp) qmp = qmp_connect(path, HUMAN_TIMEOUT / 1000, &error);
        g_assert_no_error(error);
        g_assert_true(qmp_negotiate(qmp, NULL));
        g_autoptr(json_object) list = qmp_command_or_fail(qmp, "{'execute':'query-chardev'}");
        g_autofree char *text =
            g_strdup(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
        g_strdelimit(text, "\"", '\'');
        if ((strstr(text, rows[i].expected) == NULL) != rows[i].absent) {
            vmm_fail("%s: %s", rows[i].arguments, text);
        }
        json_object_put(qmp_command_or_fail(qmp, "{'execute':'quit'}"));
        end(&console);
        unlink(path);
    }
}

/* A terminal that was taken from us while we stood still is raw again afterwards. */
static void test_stop_and_go_on(void)
{
    Terminal *terminal = terminal_start("-M pc -monitor stdio");
    struct termios now;

    /* A command first: TSan loses a signal that meets a thread before it has ever waited. */
    human_expect(terminal->human, HUMAN_PROMPT);
    human_check(terminal->human, "info status", "VM status: running\n");
    kill(terminal->pid, SIGTSTP);
    for (guint i = 0; i < 2000; i++) {
        tcgetattr(terminal->slave, &now);
        if (now.c_lflag == terminal->before.c_lflag) {
            break;
        }
        g_usleep(5000);
    }
    g_assert_cmpuint(now.c_lflag, ==, terminal->before.c_lflag);
    kill(terminal->pid, SIGCONT);
    human_check(terminal->human, "info status", "VM status: running\n");
    human_type(terminal->human, "quit\r");
    terminal_end(terminal);
}

/* As where /dev/pts is not mounted. */
static void forbid_terminals(void)
{
    forbid_argument(SYS_ioctl, 1, TIOCSPTLCK, ENODEV);
}

/* Without pseudo-terminals the monitor says so once, and takes lines as they come. */
static void test_without_terminals(void)
{
    Terminal *terminal = terminal_start_prepared("-M pc -nographic", forbid_terminals);
    Human *human = terminal->human;

    human_expect(human, "warning: human monitors take lines without editing or completion: no "
                        "pseudo-terminal can be made: No such device\r\n");
    human_type_and_expect(human,
                          "\x01"
                          "c",
                          "monitor - type 'help' for more information");
    human_expect(human, HUMAN_PROMPT);
    human_check(human, "info status", "VM status: running\n");
    human_type_and_expect(human,
                          "info x\x7fzz\b\bst\303\244\x7f"
                          "atus\r",
                          "VM status: running");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "quit\x15help me\t\033[A\r", "unknown command: 'me'");
    human_expect(human, HUMAN_PROMPT);
    human_type_and_expect(human, "quit\x03\r", HUMAN_PROMPT);
    human_type(human, "info status\rquit\r");
    human_expect(human, "VM status: running");
    while (human_receive(human, 100)) {
    }
    g_assert_null(strstr(human->text->str, "pseudo"));
    terminal_end(terminal);
}

/* The last words of a guest are not lost when the program ends at once. */
static void test_last_words(void)
{
    g_autofree char *log = vmm_temporary_path("console-log");
    g_autofree char *arguments = g_strdup_printf(
        "-chardev stdio,id=c,mux=on,logfile=%s -serial chardev:c -mon chardev=c", log);
    Console console = start(arguments);
    g_autofree char *text = NULL;

    guest_says(&console, "last words");
    human_type(console.human, "\x01"
                              "x");
    human_expect(console.human, "last words");
    end(&console);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "last words"));
}

/* chardev-change: the serial port goes on with another wire; chardev-send-break reaches it. */
static void test_change(void)
{
    g_autofree char *file = vmm_temporary_path("console-file");
    g_autofree char *other = vmm_temporary_path("console-other");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -chardev file,id=c,path=%s -serial chardev:c", file);
    g_autofree char *first = NULL, *second = NULL;

    qtest_outb(vmm->qtest, COM1, 'a');
    json_object_put(qmp_command_or_fail(
        vmm->qmp,
        "{'execute':'chardev-change','arguments':{'id':'c','backend':{'type':'file','data':"
        "{'out':'%s'}}}}",
        other));
    qtest_outb(vmm->qtest, COM1, 'b');
    g_free(qmp_command_refused(
        vmm->qmp, "{'execute':'chardev-change','arguments':{'id':'c','backend':{'type':'file',"
                  "'data':{'out':'/none/x'}}}}"));
    qtest_outb(vmm->qtest, COM1, 'c');
    json_object_put(
        qmp_command_or_fail(vmm->qmp, "{'execute':'chardev-send-break','arguments':{'id':'c'}}"));
    g_assert_cmpint(qtest_inb(vmm->qtest, COM1 + UART_LSR) & UART_LSR_BI, ==, UART_LSR_BI);
    vmm_end(vmm);
    g_assert_true(g_file_get_contents(file, &first, NULL, NULL));
    g_assert_true(g_file_get_contents(other, &second, NULL, NULL));
    g_assert_cmpstr(first, ==, "a");
    g_assert_cmpstr(second, ==, "bc");
}

/* QMP's ring buffer: what the guest wrote, as text and as base64. */
static void test_ringbuf(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -chardev ringbuf,id=r,size=16 -serial chardev:r");
    static const char said[] = "\xffhi";

    for (guint i = 0; said[i]; i++) {
        qtest_outb(vmm->qtest, COM1, (guint8)said[i]);
    }
    g_autoptr(json_object) coded = qmp_command_or_fail(
        vmm->qmp, "{'execute':'ringbuf-read','arguments':{'device':'r','size':2,"
                  "'format':'base64'}}");
    g_assert_cmpstr(json_object_get_string(coded), ==, "/2g=");
    json_object_put(qmp_command_or_fail(
        vmm->qmp, "{'execute':'ringbuf-write','arguments':{'device':'r','data':'IHlvdQ==',"
                  "'format':'base64'}}"));
    g_autoptr(json_object) text = qmp_command_or_fail(
        vmm->qmp, "{'execute':'ringbuf-read','arguments':{'device':'r','size':100}}");
    g_assert_cmpstr(json_object_get_string(text), ==, "i you");
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_setenv("TERM", "xterm", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/console/nographic", test_nographic);
    g_test_add_func("/console/escape-key", test_escape_key);
    g_test_add_func("/console/defaults", test_defaults);
    g_test_add_func("/console/stop-and-go-on", test_stop_and_go_on);
    g_test_add_func("/console/without-terminals", test_without_terminals);
    g_test_add_func("/console/last-words", test_last_words);
    g_test_add_func("/console/change", test_change);
    g_test_add_func("/console/ringbuf", test_ringbuf);
    return g_test_run();
}
