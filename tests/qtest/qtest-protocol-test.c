/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest protocol to the letter: every command's answer, bad input, the log, the virtual
 * clock, interrupt lines, and that no monitor and no backend holds it up.
 */
#include "qtest/rig.h"
#include "qtest/temporary.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MACHINE "-machine pc -m 64"
#define MIB (1 << 20)
#define PM_STATUS 0x600
#define PM_ENABLE 0x602
#define PM_TIMER 0x608
#define PM_TIMER_HZ 3579545
#define PM_TIMER_EVENT 1
#define SCI_LINE 9
#define FIRST_INTX_LINE 16

/* The answer to @line is @wanted; with a '*' at its end only the beginning counts. */
static void expect(Qtest *qtest, const char *line, const char *wanted)
{
    g_autofree char *answer = qtest_raw(qtest, line);
    gsize length = strlen(wanted);
    gboolean same;

    if (!answer) {
        vmm_fail("no answer to '%.80s'", line);
    }
    same = g_str_has_suffix(wanted, "*") ? !strncmp(answer, wanted, length - 1)
                                         : !strcmp(answer, wanted);
    if (!same) {
        vmm_fail("'%.80s' was answered with '%.200s', not '%s'", line, answer, wanted);
    }
}

typedef struct Row {
    const char *line, *answer;
} Row;

static void expect_rows(Qtest *qtest, const Row *rows, guint count)
{
    for (guint i = 0; i < count; i++) {
        expect(qtest, rows[i].line, rows[i].answer);
    }
}

static void test_answers(void)
{
    static const Row rows[] = {
        {"endianness", "OK little"},
        {"writeq 0x100000 0x8877665544332211", "OK"},
        {"readb 0x100000", "OK 0x0000000000000011"},
        {"readw 0x100000", "OK 0x0000000000002211"},
        {"readl 0x100000", "OK 0x0000000044332211"},
        {"readq 0x100000", "OK 0x8877665544332211"},
        {"readq 1048576", "OK 0x8877665544332211"},
        {"readq 04000000", "OK 0x8877665544332211"},
        {"  readw\t0x100001  ", "OK 0x0000000000003322"},
        {"readb 0x100007\r", "OK 0x0000000000000088"},
        {"read 0x100000 8", "OK 0x1122334455667788"},
        {"read 0x100000 0", "OK 0x"},
        {"b64read 0x100000 8", "OK ESIzRFVmd4g="},
        {"writeb 0x100000 0xfff", "OK"},
        {"writew 0x100002 0xabcd", "OK"},
        {"writel 0x100004 0xDEADBEEF", "OK"},
        {"read 0x100000 8", "OK 0xff22cdabefbeadde"},
        {"write 0x100000 3 0xABcdef", "OK"},
        {"write 0x100000 0 0x", "OK"},
        {"read 0x100000 4", "OK 0xabcdefab"},
        {"b64write 0x100000 4 AQIDBA==", "OK"},
        {"read 0x100000 5", "OK 0x01020304ef"},
        {"memset 0x100001 2 0x5a", "OK"},
        {"memset 0x100003 0 0", "OK"},
        {"read 0x100000 4", "OK 0x015a5a04"},
        {"memset 0x100000 4 0x1ff", "OK"},
        {"readl 0x100000", "OK 0x00000000ffffffff"},
        {"outw 0x510 0", "OK"},
        {"inb 0x511", "OK 0x0051"},
        {"inb 0x511", "OK 0x0045"},
        {"inb 1297", "OK 0x004d"},
        {"outl 0xcf8 0x80000000", "OK"},
        {"inw 0xcfc", "OK 0x8086"},
        {"inl 0xcfc", "OK 0x12378086"},
        {"outb 0xcf8 0", "OK"},
        {"clock_step 0", "OK 0"},
        {"clock_step 1000", "OK 1000"},
        {"clock_set 5000", "OK 5000"},
        {"clock_set 4000", "OK 5000"}, /* never backwards */
        {"clock_step", "OK 5000"},     /* no timer */
        {"irq_intercept_in ioapic", "OK"},
        {"irq_intercept_out ioapic", "OK"},
    };
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);

    expect_rows(vmm->qtest, rows, G_N_ELEMENTS(rows));
    vmm_end(vmm);
}

/* Wrong lines are FAIL lines, and the session is as before. */
static void test_bad_input(void)
{
    static const Row rows[] = {
        {"foo", "FAIL Unknown command 'foo'"},
        {"", "FAIL Unknown command ''"},
        {"   ", "FAIL*"},
        {"READB 0", "FAIL Unknown command 'READB'"},
        {"readx 0", "FAIL Unknown command 'readx'"},
        {"readb", "FAIL readb*"},
        {"readb 0 0", "FAIL readb*"},
        {"readb x", "FAIL readb*'x'"},
        {"readb -1", "FAIL readb*"},
        {"readb +1", "FAIL readb*"},
        {"readb 0x", "FAIL readb*"},
        {"readb 0xg", "FAIL readb*"},
        {"readb 08", "FAIL readb*"},
        {"readb 1.5", "FAIL readb*"},
        {"readb 0x10000000000000000", "FAIL readb*"},
        {"readb 18446744073709551616", "FAIL readb*"},
        {"writel 0x100000", "FAIL writel*"},
        {"writel 0x100000 1 2", "FAIL writel*"},
        {"writel 0x100000 one", "FAIL writel*"},
        {"inb", "FAIL inb*"},
        {"inb 0x10000", "FAIL inb*"},
        {"outb 0x510", "FAIL outb*"},
        {"outl 65536 0", "FAIL outl*"},
        {"outl 0x80 zero", "FAIL outl*"},
        {"read 0", "FAIL read*"},
        {"read 0 0xffffffffffffffff", "FAIL read*"},
        {"read 0 -1", "FAIL read*"},
        {"read 0xffffffffffffffff 2", "FAIL read*"},
        {"write 0 4", "FAIL write*"},
        {"write 0 4 0x112233", "FAIL write*"},
        {"write 0 4 0x1122334455", "FAIL write*"},
        {"write 0 4 11223344", "FAIL write*"},
        {"write 0 4 0x1122334g", "FAIL write*"},
        {"write 0 0xffffffffffffffff 0x11", "FAIL write*"},
        {"b64write 0 3 AAA", "FAIL b64write*"},
        {"b64write 0 3 A*AA", "FAIL b64write*"},
        {"b64write 0 4 AAAA", "FAIL b64write*"},
        {"b64write 0 3 =AAA", "FAIL b64write*"},
        {"b64write 0 0 ====", "FAIL b64write*"},
        {"b64read 0", "FAIL b64read*"},
        {"b64read 0 1 2", "FAIL b64read*"},
        {"memset 0 1", "FAIL memset*"},
        {"memset 0 0xffffffffffffffff 0", "FAIL memset*"},
        {"memset 0 1 x", "FAIL memset*"},
        {"endianness now", "FAIL endianness*"},
        {"clock_step x", "FAIL clock_step*"},
        {"clock_step -5", "FAIL clock_step*"},
        {"clock_step 0x8000000000000000", "FAIL clock_step*"},
        {"clock_set", "FAIL clock_set*"},
        {"clock_set 0xffffffffffffffff", "FAIL clock_set*"},
        {"irq_intercept_in", "FAIL irq_intercept_in*"},
        {"irq_intercept_in nobody", "FAIL irq_intercept_in*'nobody'"},
        {"irq_intercept_out /machine", "FAIL irq_intercept_out*"},
    };
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);

    qtest_writel(vmm->qtest, 0, 0x12345678);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *star = strchr(rows[i].answer, '*');
        g_autofree char *answer = qtest_raw(vmm->qtest, rows[i].line);

        if (!answer ||
            strncmp(answer, rows[i].answer,
                    star ? (gsize)(star - rows[i].answer) : strlen(rows[i].answer) + 1)) {
            vmm_fail("'%s' was answered with '%s', not '%s'", rows[i].line, answer, rows[i].answer);
        }
        if (star && !g_str_has_suffix(answer, star + 1)) {
            vmm_fail("'%s': '%s' does not end with %s", rows[i].line, answer, star + 1);
        }
        g_assert_cmpuint(qtest_readl(vmm->qtest, 0), ==, 0x12345678);
    }
    vmm_end(vmm);
}

/* Accesses to where nothing is: like a bus that nobody drives, and never an end. */
static void test_nowhere(void)
{
    static const char *const addresses[] = {
        "0x4000000",          "0xc0000000",         "0xfffffffc",         "0x100000000",
        "0x7fffffffffffffff", "0xfffffffffffffff8", "0xffffffffffffffff", "0x3ffffff"};
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);

    for (guint i = 0; i < G_N_ELEMENTS(addresses); i++) {
        for (const char *size = "bwlq"; *size; size++) {
            g_autofree char *read = g_strdup_printf("read%c %s", *size, addresses[i]);
            g_autofree char *write = g_strdup_printf("write%c %s 1", *size, addresses[i]);

            expect(vmm->qtest, write, "OK");
            expect(vmm->qtest, read, "OK 0x*");
        }
    }
    for (guint port = 0; port < 0x10000; port += port < 0x1000 ? 61 : 977) {
        qtest_inl(vmm->qtest, (uint16_t)port);
        qtest_inw(vmm->qtest, (uint16_t)port);
        qtest_inb(vmm->qtest, (uint16_t)port);
    }
    qtest_inl(vmm->qtest, 0xffff);
    qtest_outl(vmm->qtest, 0xfffe, UINT32_MAX);
    qtest_readq(vmm->qtest, 0x3fffffc); /* half in RAM, half behind it */
    qtest_memset(vmm->qtest, 0x3fff000, 1, 0x2000);
    g_assert_cmphex(qtest_readb(vmm->qtest, 0x3ffffff), ==, 1);
    vmm_end(vmm);
}

static void test_big(void)
{
    const gsize size = 16 * MIB;
    g_autofree guchar *bytes = g_malloc(size);
    g_autoptr(GString) text = g_string_new("write 0x1000000 0x1000000 0x");
    g_autofree char *encoded = NULL, *answer = NULL, *line = NULL;
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);

    for (gsize i = 0; i < size; i++) {
        bytes[i] = (guchar)(i * 2654435761u >> 13);
    }
    for (gsize i = 0, at = text->len; i < size; i++) {
        static const char digits[] = "0123456789abcdef";

        if (i == 0) {
            g_string_set_size(text, at + 2 * size);
        }
        text->str[at + 2 * i] = digits[bytes[i] >> 4];
        text->str[at + 2 * i + 1] = digits[bytes[i] & 15];
    }
    expect(vmm->qtest, text->str, "OK");
    answer = qtest_raw(vmm->qtest, "read 0x1000000 0x1000000");
    g_assert_true(g_str_has_prefix(answer, "OK 0x"));
    g_assert_cmpuint(strlen(answer), ==, 5 + 2 * size);
    g_assert_cmpint(memcmp(answer + 3, text->str + text->len - 2 * size - 2, 2 + 2 * size), ==, 0);
    encoded = g_base64_encode(bytes, size);
    line = g_strdup_printf("b64write 0x2000000 0x1000000 %s", encoded);
    expect(vmm->qtest, line, "OK");
    g_free(answer);
    answer = qtest_raw(vmm->qtest, "b64read 0x2000000 0x1000000");
    g_assert_true(g_str_has_prefix(answer, "OK "));
    g_assert_cmpint(strcmp(answer + 3, encoded), ==, 0);
    qtest_memset(vmm->qtest, 0x1000000, 0xa5, size);
    g_assert_cmphex(qtest_readl(vmm->qtest, 0x1fffffc), ==, 0xa5a5a5a5);
    g_assert_cmphex(qtest_readb(vmm->qtest, 0x2000000), ==, bytes[0]);
    vmm_end(vmm);
}

/* Bytes that no client sends: answered line by line, as many FAILs as there are line ends. */
static void test_hostile(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    g_autofree char *sent = g_malloc(256 * 1024);
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);
    guint lines = 0;

    for (guint i = 0; i < 256 * 1024; i++) {
        sent[i] = (char)g_rand_int(random);
    }
    memset(sent + 1000, 'a', 100000);
    sent[256 * 1024 - 1] = '\n';
    for (guint i = 0; i < 256 * 1024; i++) {
        lines += sent[i] == '\n';
    }
    g_assert_true(qtest_send_bytes(vmm->qtest, sent, 256 * 1024));
    for (guint i = 0; i < lines; i++) {
        g_autofree char *answer = qtest_line(vmm->qtest, 10000);

        if (!answer || !g_str_has_prefix(answer, "FAIL ")) {
            vmm_fail("random bytes were answered with '%.80s'", answer ? answer : "nothing");
        }
    }
    g_assert_true(qtest_send_bytes(vmm->qtest, "readb 0\0 7\nread", 15)); /* NUL ends nothing */
    g_free(qtest_line(vmm->qtest, 10000));
    expect(vmm->qtest, "b 0x100000", "OK 0x0000000000000000");
    g_assert_true(qtest_send_bytes(vmm->qtest, "endianness\nendianness\nendianness\n", 33));
    for (guint i = 0; i < 3; i++) {
        g_autofree char *answer = qtest_line(vmm->qtest, 10000);

        g_assert_cmpstr(answer, ==, "OK little");
    }
    vmm_end(vmm);
}

static void test_log(void)
{
    g_autofree char *path = vmm_temporary_path("log");
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE " -qtest-log %s", path);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    static const char *const patterns[] = {
        "^\\[R \\+[0-9]+\\.[0-9]{6}\\] writel 0x100000 0x12$",
        "^\\[S \\+[0-9]+\\.[0-9]{6}\\] OK$",
        "^\\[R \\+[0-9]+\\.[0-9]{6}\\] read 0x100000 2$",
        "^\\[S \\+[0-9]+\\.[0-9]{6}\\] OK 0x1200$",
        "^\\[R \\+[0-9]+\\.[0-9]{6}\\] bad$",
        "^\\[S \\+[0-9]+\\.[0-9]{6}\\] FAIL Unknown command 'bad'$",
    };

    expect(vmm->qtest, "writel 0x100000 0x12", "OK");
    expect(vmm->qtest, "read 0x100000 2", "OK 0x1200");
    expect(vmm->qtest, "bad", "FAIL*");
    vmm_end(vmm);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, G_N_ELEMENTS(patterns) + 1);
    for (guint i = 0; i < G_N_ELEMENTS(patterns); i++) {
        if (!g_regex_match_simple(patterns[i], lines[i], 0, 0)) {
            vmm_fail("log line '%s' is not like %s", lines[i], patterns[i]);
        }
    }
}

/* --- clock --- */

static void test_clock(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);
    Qtest *qtest = vmm->qtest;
    gint64 carry = (gint64)(((unsigned __int128)1000000000 << 31) / PM_TIMER_HZ) + 1;

    g_assert_cmpuint(qtest_inl(qtest, PM_TIMER), ==, 0);
    g_usleep(2000);
    g_assert_cmpuint(qtest_inl(qtest, PM_TIMER), ==, 0); /* stands still by itself */
    g_assert_cmpint(qtest_clock_step(qtest, 1000000000), ==, 1000000000);
    g_assert_cmpuint(qtest_inl(qtest, PM_TIMER), ==, PM_TIMER_HZ);
    g_assert_cmphex(qtest_inw(qtest, PM_TIMER), ==, PM_TIMER_HZ & 0xffff);
    g_assert_cmphex(qtest_inb(qtest, PM_TIMER + 2), ==, PM_TIMER_HZ >> 16 & 0xff);
    qtest_clock_set(qtest, 10000000000);
    g_assert_cmpuint(qtest_inl(qtest, PM_TIMER), ==, 10u * PM_TIMER_HZ);

    qtest_irq_intercept_in(qtest, "ioapic");
    g_assert_cmphex(qtest_inw(qtest, PM_STATUS), ==, 0);
    qtest_outw(qtest, PM_ENABLE, PM_TIMER_EVENT);
    g_assert_cmpint(qtest_clock_step(qtest, 0), ==, carry); /* to the timer, and no further */
    g_assert_true(qtest_irq_level(qtest, SCI_LINE));
    g_assert_cmphex(qtest_inw(qtest, PM_STATUS), ==, PM_TIMER_EVENT);
    g_assert_cmphex(qtest_inl(qtest, PM_TIMER) >> 31, ==, 1);
    qtest_outw(qtest, PM_STATUS, PM_TIMER_EVENT);
    g_assert_false(qtest_irq_level(qtest, SCI_LINE));
    g_assert_cmpuint(qtest_irq_raised(qtest, SCI_LINE), ==, 1);
    qtest_outw(qtest, PM_ENABLE, 0);
    qtest_clock_step(qtest, 3 * carry);
    g_assert_cmpuint(qtest_irq_raised(qtest, SCI_LINE), ==, 1);
    g_assert_cmphex(qtest_inw(qtest, PM_STATUS), ==, PM_TIMER_EVENT); /* latched all the same */
    vmm_end(vmm);
}

/* The end of time: 2^63 - 1 ns, where nothing may run over or for ever. */
static void test_clock_end(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);
    Qtest *qtest = vmm->qtest;

    qtest_outw(qtest, PM_ENABLE, PM_TIMER_EVENT);
    qtest_outw(qtest, PM_STATUS, PM_TIMER_EVENT);
    expect(qtest, "clock_set 9223372036854775807", "OK 9223372036854775807");
    qtest_outw(qtest, PM_STATUS, PM_TIMER_EVENT);
    expect(qtest, "clock_step", "OK 9223372036854775807");
    expect(qtest, "clock_step 1", "FAIL clock_step*");
    expect(qtest, "clock_step 0", "OK 9223372036854775807");
    qtest_inl(qtest, PM_TIMER);
    vmm_end(vmm);
}

/* --- interrupts --- */

static guint raised_intx(Qtest *qtest)
{
    guint count = 0;

    for (guint line = FIRST_INTX_LINE; line < FIRST_INTX_LINE + 4; line++) {
        count += qtest_irq_raised(qtest, line);
    }
    return count;
}

static gboolean high_intx(Qtest *qtest)
{
    gboolean high = FALSE;

    for (guint line = FIRST_INTX_LINE; line < FIRST_INTX_LINE + 4; line++) {
        high = high || qtest_irq_level(qtest, line);
    }
    return high;
}

/* INTx of a disk: one raise a request, lowered by reading ISR. */
static void test_interrupts(void)
{
    Rig *rig = rig_start(NULL, NULL);
    VirtDevice *driver;
    uint64_t buffer;

    qtest_irq_intercept_in(rig->qtest, "ioapic");
    rig_boot(rig, NULL);
    driver = rig->drivers->pdata[0];
    buffer = guest_memory_alloc(&rig->memory, 4096, 4096);
    for (guint i = 1; i <= 5; i++) {
        g_assert_cmpint(blk_disk_request(rig_disk(rig, 0), 0, VIRTIO_BLK_T_IN, 0, buffer, 512), ==,
                        0);
        for (guint tries = 0; !high_intx(rig->qtest) && tries < 5000; tries++) {
            qtest_readb(rig->qtest, 0);
            g_usleep(1000);
        }
        g_assert_cmpuint(raised_intx(rig->qtest), ==, i);
        g_assert_true(high_intx(rig->qtest));
        g_assert_cmphex(pci_config_readw(driver->pci, PCI_STATUS) & PCI_STATUS_INTERRUPT, !=, 0);
        g_assert_cmphex(qtest_readb(rig->qtest, driver->isr), ==, 1);
        g_assert_false(high_intx(rig->qtest));
        g_assert_cmphex(qtest_readb(rig->qtest, driver->isr), ==, 0);
    }
    rig_end(rig);
}

/* --- never held up --- */

/* A monitor's client that asks without end and reads nothing. */
static void flood(Qmp *qmp)
{
    static const char command[] = "{\"execute\":\"query-qmp-schema\"}\n";

    for (guint i = 0; i < 20000; i++) {
        if (send(qmp_socket(qmp), command, sizeof(command) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            g_assert_cmpint(errno, ==, EAGAIN);
            return;
        }
    }
}

static void test_monitor_that_never_reads(void)
{
    VmmOptions options = {.monitors = 2};
    Vmm *vmm = vmm_start_or_fail(&options, MACHINE);
    gint64 longest = 0;

    flood(vmm->monitors->pdata[1]);
    for (guint i = 0; i < 300; i++) {
        gint64 before = g_get_monotonic_time();

        qtest_writel(vmm->qtest, 0x100000, i);
        g_assert_cmpuint(qtest_readl(vmm->qtest, 0x100000), ==, i);
        longest = MAX(longest, g_get_monotonic_time() - before);
        g_usleep(1000);
    }
    g_test_message("longest access %" G_GINT64_FORMAT " us", longest);
    g_assert_cmpint(longest, <, G_USEC_PER_SEC);
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'query-status'}"));
    vmm_end(vmm);
}

static void test_backend_that_hangs(void)
{
    static const BackendFault hang = {
        .request = VHOST_USER_ADD_MEM_REG, .occurrence = 1, .kind = FAULT_HANG};
    g_autoptr(GError) error = NULL;
    Rig *rig = rig_start(NULL, NULL);
    gint64 longest = 0;
    guint accesses = 0;

    rig_boot(rig, NULL);
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'m0','size':2097152,'share':true}}"));
    backend_fault(rig_backend(rig, 0), &hang);
    qmp_send(rig->qmp, "{'execute':'device_add','arguments':{'driver':'pc-dimm','id':'d0',"
                       "'memdev':'m0'}}");
    while (!qmp_answer_ready(rig->qmp, 5)) {
        gint64 before = g_get_monotonic_time();

        qtest_readl(rig->qtest, 0x100000);
        qtest_inl(rig->qtest, PM_TIMER);
        qtest_writeb(rig->qtest, 0x100000, 1);
        longest = MAX(longest, g_get_monotonic_time() - before);
        accesses++;
    }
    g_assert_null(qmp_answer(rig->qmp, &error));
    rig_assert_names(error->message, "'b0'", NULL);
    g_assert_cmpuint(accesses, >, 500); /* of about 2000 in 10 s */
    g_assert_cmpint(longest, <, 2 * G_USEC_PER_SEC);
    rig_end(rig);
}

/* The client goes: QMP still answers and the program ends in order. */
static void test_client_gone(void)
{
    Vmm *vmm = vmm_start_or_fail(NULL, MACHINE);

    g_assert_true(qtest_send_bytes(vmm->qtest, "read 0 0x1000000\nread 0 0x10", 28));
    g_clear_pointer(&vmm->qtest, qtest_free);
    g_usleep(100000);
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qtest/answers", test_answers);
    g_test_add_func("/qtest/bad-input", test_bad_input);
    g_test_add_func("/qtest/nowhere", test_nowhere);
    g_test_add_func("/qtest/big", test_big);
    g_test_add_func("/qtest/hostile", test_hostile);
    g_test_add_func("/qtest/log", test_log);
    g_test_add_func("/qtest/clock", test_clock);
    g_test_add_func("/qtest/clock/end", test_clock_end);
    g_test_add_func("/qtest/interrupts", test_interrupts);
    g_test_add_func("/qtest/not-held-up/monitor", test_monitor_that_never_reads);
    g_test_add_func("/qtest/not-held-up/backend", test_backend_that_hangs);
    g_test_add_func("/qtest/client-gone", test_client_gone);
    return g_test_run();
}
