/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The qtest protocol over a socket pair: a client thread talks, the main thread runs its loop. */
#include "../../accel/qtest-session.h"

#include "accel/accel.h"
#include "chardev/chardev.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "system/vm-lock.h"
#include "util/fd.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RAM_SIZE (4 * 1024 * 1024)

static int client = -1;
static gint ended;

static void send_bytes(const char *text, gsize length)
{
    while (length > 0) {
        ssize_t count = write(client, text, length);

        g_assert_cmpint(count, >, 0);
        text += count;
        length -= (gsize)count;
    }
}

/* The next line without its end; caller frees. */
static char *receive(void)
{
    GString *line = g_string_new(NULL);
    char piece[4096];
    ssize_t count;
    const char *end = NULL;

    /* Looks first, so that only this line is taken out of the socket. */
    while (!end && (count = recv(client, piece, sizeof(piece), MSG_PEEK)) > 0) {
        end = memchr(piece, '\n', (gsize)count);
        count = recv(client, piece, end ? (gsize)(end - piece) + 1 : (gsize)count, 0);
        g_string_append_len(line, piece, end ? count - 1 : count);
    }
    return g_string_free(line, FALSE);
}

static void expect(const char *answer)
{
    g_autofree char *line = receive();

    g_assert_cmpstr(line, ==, answer);
}

static void ask(const char *command, const char *answer)
{
    send_bytes(command, strlen(command));
    send_bytes("\n", 1);
    expect(answer);
}

static void has_ended(gpointer opaque G_GNUC_UNUSED)
{
    g_atomic_int_inc(&ended);
}

static void quit(gpointer opaque G_GNUC_UNUSED)
{
    main_loop_quit();
}

static gpointer run_client(gpointer opaque)
{
    ((void (*)(void))opaque)();
    main_loop_post(quit, NULL);
    return NULL;
}

/* Runs @talk in a thread against a new session. */
static void converse(void (*talk)(void), FILE *log)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RamBlock) block = ram_block_new("m", -1, 0, RAM_SIZE, 0, 0, TRUE, FALSE, NULL);
    MemorySection section = {0, RAM_SIZE, block, 0};
    QtestSession *session;
    GThread *thread;
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    g_assert_true(fd_set_nonblocking(ends[0], TRUE, NULL));
    client = ends[1];
    ended = 0;
    g_assert_true(memory_add_boot(&section, NULL));
    session = qtest_session_new(ends[0], ends[0], log, has_ended, &error);
    g_assert_no_error(error);
    thread = g_thread_new("client", run_client, (gpointer)talk);
    main_loop_run();
    g_thread_join(thread);
    qtest_session_free(session);
    close(ends[0]);
    fd_clear(&client);
    memory_clear();
}

static void talk_accesses(void)
{
    ask("endianness", "OK little");
    ask("writeb 0x1000 0x1ff", "OK");
    ask("readb 0x1000", "OK 0x00000000000000ff");
    ask("writeq 010 0x1122334455667788", "OK"); /* octal, as C has it */
    ask("readl 8", "OK 0x0000000055667788");
    ask("readw 12", "OK 0x0000000000003344");
    ask("readq 8\r", "OK 0x1122334455667788");
    ask("writew 0x2000 0xabcd", "OK");
    ask("writel 0x2002 1", "OK");
    ask("read 0x2000 7", "OK 0xcdab0100000000");
    ask("read 0x2000 0", "OK 0x");
    ask("write 0x3000 3 0x0aBBfF", "OK");
    ask("b64read 0x3000 3", "OK Crv/");
    ask("b64read 0x3000 4", "OK Crv/AA==");
    ask("b64write 0x3001 2 AQI=", "OK");
    ask("read 0x3000 4", "OK 0x0a010200");
    ask("memset 0x3000 3 0x5a", "OK");
    ask("read 0x2fff 5", "OK 0x005a5a5a00");
    ask("inb 0x80", "OK 0x00ff");
    ask("inl 0xcfc", "OK 0xffffffff");
    ask("outw 0x80 1", "OK");
    ask("readl 0xfee00000", "OK 0x0000000000000000");
    ask("writel 0xffffffffffffffff 1", "OK");
}

static void talk_nonsense(void)
{
    ask("foo", "FAIL Unknown command 'foo'");
    ask("", "FAIL Unknown command ''");
    ask("module_load a b", "FAIL Unknown command 'module_load'");
    ask("readb", "FAIL readb needs ADDRESS");
    ask("readb 1 2", "FAIL readb needs ADDRESS");
    ask("write 1 2 0x0000 4 5 6 7", "FAIL write needs ADDRESS SIZE 0xDATA");
    ask("readb x", "FAIL readb: not a number from 0 to 2^64 - 1: 'x'");
    ask("readb -1", "FAIL readb: not a number from 0 to 2^64 - 1: '-1'");
    ask("readb 08", "FAIL readb: not a number from 0 to 2^64 - 1: '08'");
    ask("readb 0x10000000000000000",
        "FAIL readb: not a number from 0 to 2^64 - 1: '0x10000000000000000'");
    ask("inb 0x10000", "FAIL inb: a port is at most 0xffff, not '0x10000'");
    ask("read 0 0x10000001", "FAIL read: size 0x10000001 is above the limit of 0x10000000");
    ask("memset 0xffffffffffffffff 2 0",
        "FAIL memset: 0x2 bytes at 0xffffffffffffffff reach beyond the end of the address space");
    ask("write 0 2 0x000", "FAIL write: data must be two hexadecimal digits a byte of SIZE: '000'");
    ask("write 0 2 0x00zz",
        "FAIL write: data must be two hexadecimal digits a byte of SIZE: '00zz'");
    ask("write 0 2 0000", "FAIL write: data begins with 0x, not with '0000'");
    ask("b64write 0 2 AQID", "FAIL b64write: data must be base64 of SIZE bytes: 'AQID'");
    ask("b64write 0 1 A===", "FAIL b64write: data must be base64 of SIZE bytes: 'A==='");
    ask("irq_intercept_in /machine/x",
        "FAIL irq_intercept_in: the interrupt controller is 'ioapic', there is no '/machine/x'");
    ask("readb 0", "OK 0x0000000000000000");
}

static void tell_time(gpointer opaque)
{
    *(gint64 *)opaque = clock_now();
}

static ClockTimer *timer;
static gint64 expired;

static void talk_clock(void)
{
    vm_lock();
    timer = clock_timer_new(tell_time, &expired);
    clock_timer_set(timer, 700);
    vm_unlock();
    ask("clock_step 100", "OK 100");
    ask("clock_step", "OK 700");
    g_assert_cmpint(expired, ==, 700);
    ask("clock_step", "OK 700");
    ask("clock_set 1000", "OK 1000");
    ask("clock_set 5", "OK 1000");
    ask("clock_step 0x7fffffffffffffff", "FAIL clock_step: the clock ends at 2^63 - 1 ns, too far "
                                         "for a step of '0x7fffffffffffffff'");
    vm_lock();
    g_clear_pointer(&timer, clock_timer_free);
    vm_unlock();
}

static IrqSource *source;

static void raise_port(gpointer opaque G_GNUC_UNUSED, uint64_t offset G_GNUC_UNUSED, uint64_t value,
                       unsigned size G_GNUC_UNUSED)
{
    irq_source_set(source, value != 0);
}

static void talk_irqs(void)
{
    static const IoOps ops = {NULL, raise_port, 1, 4};
    IoRegion *region;

    vm_lock();
    source = irq_source_new(11);
    region = io_region_new(NULL, "raise", &ops, NULL, 1);
    io_region_map(region, ADDRESS_SPACE_IO, 0x500);
    irq_source_set(source, TRUE); /* nobody has asked yet */
    irq_source_set(source, FALSE);
    vm_unlock();
    ask("irq_intercept_in ioapic", "OK");
    ask("irq_intercept_in ioapic", "OK");
    ask("outb 0x500 1", "IRQ raise 11"); /* before the answer */
    expect("OK");
    vm_lock(); /* from another thread: at once */
    irq_source_set(source, FALSE);
    vm_unlock();
    expect("IRQ lower 11");
    vm_lock();
    io_region_free(region);
    irq_source_free(source);
    vm_unlock();
}

static void talk_large(void)
{
    gsize digits = 2 * 3 * 1024 * 1024;
    g_autofree char *data = g_malloc(digits + 1);
    g_autofree char *command = NULL;
    g_autofree char *answer = NULL;

    for (gsize i = 0; i < digits; i++) {
        data[i] = "0123456789abcdef"[(i * 7 + i / 1000) % 16];
    }
    data[digits] = '\0';
    command = g_strdup_printf("write 0x1003 0x300000 0x%s\r\nread 0x1003 0x300000", data);
    answer = g_strdup_printf("OK 0x%s", data);
    ask(command, "OK");
    expect(answer);
    send_bytes("b64read 0x1003 0x300000\n", strlen("b64read 0x1003 0x300000\n"));
    g_autofree char *base64 = receive();
    ask("memset 0x1003 0x300000 0", "OK");
    g_autofree char *back = g_strdup_printf("b64write 0x1003 0x300000 %s", base64 + 3);
    ask(back, "OK");
    ask("read 0x1003 0x300000", answer);
}

static void talk_too_long(void)
{
    g_autofree char *block = g_malloc(1024 * 1024);

    memset(block, 'x', 1024 * 1024);
    for (guint i = 0; i < QTEST_LINE_MAX / (1024 * 1024) + 2; i++) {
        send_bytes(block, 1024 * 1024);
    }
    ask("", "FAIL line is longer than 134217728 bytes");
    ask("readb 0", "OK 0x0000000000000000");
}

/* Commands come in pieces, several in one piece, and without waiting for answers. */
static void talk_pieces(void)
{
    GString *all = g_string_new(NULL);

    for (guint i = 0; i < 500; i++) {
        g_string_append_printf(all, "writel %u %u\nreadl %u\n", 4 * i, i, 4 * i);
    }
    for (gsize at = 0; at < all->len; at += 77) {
        send_bytes(all->str + at, MIN(77, all->len - at));
    }
    for (guint i = 0; i < 500; i++) {
        g_autofree char *answer = g_strdup_printf("OK 0x%016x", i);

        expect("OK");
        expect(answer);
    }
    g_string_free(all, TRUE);
}

/* Never reads its megabytes of answers: the session must end all the same. */
static void talk_deaf(void)
{
    const char *command = "read 0 0x400000\n";

    send_bytes(command, strlen(command));
    send_bytes(command, strlen(command));
    g_usleep(20000);
}

static void talk_leave(void)
{
    send_bytes("readb 0\nreadb", strlen("readb 0\nreadb"));
    expect("OK 0x0000000000000000");
    fd_clear(&client);
    while (!g_atomic_int_get(&ended)) {
        g_usleep(1000);
    }
}

static void test_talk(gconstpointer talk)
{
    converse((void (*)(void))talk, NULL);
    g_assert_cmpint(ended, ==, talk == (gconstpointer)talk_leave ? 1 : 0);
}

static void test_log(void)
{
    char *text = NULL;
    size_t length;
    FILE *log = open_memstream(&text, &length);
    GString *plain = g_string_new(NULL);

    converse(talk_irqs, log);
    fclose(log);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] && *lines[i]; i++) {
        gint64 seconds;
        int micros, used = 0;
        char direction;

        g_assert_cmpint(sscanf(lines[i], "[%c +%" G_GINT64_FORMAT ".%6d] %n", &direction, &seconds,
                               &micros, &used),
                        ==, 3);
        g_string_append_printf(plain, "%c:%s|", direction, lines[i] + used);
    }
    g_assert_cmpstr(plain->str, ==,
                    "R:irq_intercept_in ioapic|S:OK|R:irq_intercept_in ioapic|S:OK|"
                    "R:outb 0x500 1|S:IRQ raise 11|S:OK|S:IRQ lower 11|");
    g_string_free(plain, TRUE);
    free(text);
}

static void check_accel(const char *names, const char *message)
{
    g_autoptr(GError) error = NULL, passed_over = NULL;

    g_assert_true(accel_select(names, &passed_over, &error) == (message == NULL));
    g_assert_true((passed_over != NULL) == (!message && strchr(names, ':') != NULL));
    if (message) {
        g_assert_cmpstr(error->message, ==, message);
    } else {
        g_assert_cmpstr(ACCEL_GET_CLASS(accel_current())->name, ==, "qtest");
    }
}

static void test_select(void)
{
    g_assert_null(accel_current());
    check_accel("tcg", "-accel tcg: this version has no TCG support yet; available accelerators: "
                       "kvm, qtest");
    check_accel("warp",
                "-accel warp: there is no such accelerator; available accelerators: kvm, qtest");
    check_accel("", "-accel '': there is no such accelerator; available accelerators: kvm, qtest");
    check_accel("tcg:qtest", NULL);
    check_accel("qtest", NULL);
}

/* --- over a chardev --- */

static GString *events;

static void event(const char *name, ShutdownCause cause)
{
    g_string_append_printf(events, "%s(%s) ", name, shutdown_cause_name(cause));
}

static void test_open(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(qtest_is_open());
    g_assert_false(qtest_open("unix:/nonexistent/socket", NULL, &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/socket"));
    g_clear_error(&error);
    g_assert_false(qtest_open("null", "/nonexistent/log", &error));
    g_assert_cmpstr(error->message, ==,
                    "-qtest-log /nonexistent/log: cannot be written: No such file or directory");
    g_assert_false(qtest_is_open());
}

static gpointer talk_and_quit(gpointer opaque G_GNUC_UNUSED)
{
    ask("endianness", "OK little");
    fd_clear(&client);
    return NULL;
}

/* We connect to the test program; when that dies, nothing of us stays behind. */
static void test_client_dies(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    g_autofree char *option = g_strdup_printf("unix:%s", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    events = g_string_new(NULL);
    run_state_set_event_hook(event);
    qtest_open(option, "/dev/null", &error);
    g_assert_no_error(error);
    g_assert_true(qtest_is_open());
    client = accept(listener, NULL, NULL);
    qtest_start();
    GThread *thread = g_thread_new("client", talk_and_quit, NULL);
    main_loop_run();
    g_thread_join(thread);
    g_assert_cmpstr(events->str, ==, "SHUTDOWN(host-error) ");
    qtest_stop();
    g_assert_false(qtest_is_open());
    g_assert_true(chardev_remove("qtest", NULL));
    run_state_set_event_hook(NULL);
    g_string_free(events, TRUE);
    close(listener);
    unlink(path);
    rmdir(directory);
}

static gpointer connect_twice(gpointer opaque)
{
    for (guint i = 0; i < 2; i++) {
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(connect(client, opaque, sizeof(struct sockaddr_un)), ==, 0);
        ask("endianness", "OK little");
        fd_clear(&client);
    }
    main_loop_post(quit, NULL);
    return NULL;
}

/* They connect to us: after one has left the next may come. */
static void test_server(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("qtest-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    g_autofree char *option = g_strdup_printf("unix:%s,server=on,wait=off", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    qtest_open(option, "none", &error);
    g_assert_no_error(error);
    qtest_start();
    GThread *thread = g_thread_new("clients", connect_twice, &address);
    main_loop_run();
    g_thread_join(thread);
    qtest_stop();
    g_assert_true(chardev_remove("qtest", NULL));
    unlink(path);
    rmdir(directory);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    g_test_add_data_func("/qtest/accesses", (gconstpointer)talk_accesses, test_talk);
    g_test_add_data_func("/qtest/nonsense", (gconstpointer)talk_nonsense, test_talk);
    g_test_add_data_func("/qtest/clock", (gconstpointer)talk_clock, test_talk);
    g_test_add_data_func("/qtest/irqs", (gconstpointer)talk_irqs, test_talk);
    g_test_add_data_func("/qtest/large", (gconstpointer)talk_large, test_talk);
    g_test_add_data_func("/qtest/too-long", (gconstpointer)talk_too_long, test_talk);
    g_test_add_data_func("/qtest/pieces", (gconstpointer)talk_pieces, test_talk);
    g_test_add_data_func("/qtest/deaf", (gconstpointer)talk_deaf, test_talk);
    g_test_add_data_func("/qtest/leave", (gconstpointer)talk_leave, test_talk);
    g_test_add_func("/qtest/log", test_log);
    g_test_add_func("/accel/select", test_select);
    g_test_add_func("/qtest/open", test_open);
    g_test_add_func("/qtest/client-dies", test_client_dies);
    g_test_add_func("/qtest/server", test_server);
    return g_test_run();
}
