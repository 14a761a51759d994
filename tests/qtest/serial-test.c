/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa-serial as a driver of a PC16550D sees it, with a socket as its wire: registers, FIFO,
 * loopback, interrupts, a peer who does not read, one who goes and comes, reset.
 */
#include "qtest/rig.h"

#include <linux/serial_reg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT 0x3f8
#define LINE 4
#define EMPTY (UART_LSR_THRE | UART_LSR_TEMT)
#define TRIES 4000 /* of 5 ms each */

typedef struct Fixture {
    Vmm *vmm;
    Qtest *qtest;
    char *path;
    int peer; /* -1: not connected */
} Fixture;

static void hang_up(Fixture *fixture)
{
    close(fixture->peer);
    fixture->peer = -1;
}

static void end(Fixture *fixture)
{
    if (fixture->peer >= 0) {
        close(fixture->peer);
    }
    vmm_end(fixture->vmm);
    g_free(fixture->path);
    g_free(fixture);
}

static guint8 get(Fixture *fixture, guint reg)
{
    return qtest_inb(fixture->qtest, (guint16)(PORT + reg));
}

static void put(Fixture *fixture, guint reg, guint8 value)
{
    qtest_outb(fixture->qtest, (guint16)(PORT + reg), value);
}

static gboolean high(Fixture *fixture)
{
    return qtest_irq_level(fixture->qtest, LINE);
}

/* Waits until LSR is @value. */
static void wait_status(Fixture *fixture, guint8 value)
{
    guint8 status = get(fixture, UART_LSR);

    for (guint i = 0; i < TRIES && status != value; i++) {
        g_usleep(5000);
        status = get(fixture, UART_LSR);
    }
    g_assert_cmphex(status, ==, value);
}

/* The peer gets exactly @text. */
static void expect_peer(Fixture *fixture, const char *text)
{
    char bytes[256];
    gsize got = 0;

    while (got < strlen(text)) {
        ssize_t count = read(fixture->peer, bytes + got, strlen(text) - got);
        g_assert_cmpint(count, >, 0);
        got += (gsize)count;
    }
    g_assert_cmpmem(bytes, got, text, strlen(text));
}

static void send_peer(Fixture *fixture, const char *text)
{
    g_assert_cmpint(write(fixture->peer, text, strlen(text)), ==, (ssize_t)strlen(text));
}

/* Connects, and waits until a byte has come through: what is sent to nobody is lost. */
static void dial(Fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};

    g_strlcpy(address.sun_path, fixture->path, sizeof(address.sun_path));
    fixture->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fixture->peer, (const void *)&address, sizeof(address)), ==, 0);
    setsockopt(fixture->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    send_peer(fixture, "i");
    wait_status(fixture, EMPTY | UART_LSR_DR);
    g_assert_cmphex(get(fixture, UART_RX), ==, 'i');
}

static Fixture *start(void)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->path = vmm_temporary_path("wire");
    fixture->vmm = vmm_start_or_fail(NULL,
                                     "-M pc -m 16M -chardev "
                                     "socket,id=s,path=%s,server=on,wait=off "
                                     "-device isa-serial,id=u,chardev=s",
                                     fixture->path);
    fixture->qtest = fixture->vmm->qtest;
    qtest_irq_intercept_in(fixture->qtest, "ioapic");
    dial(fixture);
    return fixture;
}

static void put_text(Fixture *fixture, const char *text)
{
    for (; *text; text++) {
        put(fixture, UART_TX, (guint8)*text);
    }
}

/* A driver's first steps: interrupts reach the line only with OUT2. */
static void enable(Fixture *fixture, guint8 interrupts, guint8 fifo)
{
    put(fixture, UART_FCR, fifo);
    put(fixture, UART_MCR, UART_MCR_OUT2 | UART_MCR_DTR | UART_MCR_RTS);
    put(fixture, UART_IER, interrupts);
}

/* --- registers --- */

static void test_registers(void)
{
    Fixture *fixture = start();

    g_assert_cmphex(get(fixture, UART_IER), ==, 0);
    g_assert_cmphex(get(fixture, UART_IIR), ==, UART_IIR_NO_INT);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    g_assert_cmphex(get(fixture, UART_MSR), ==, UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
    g_assert_cmphex(get(fixture, UART_RX), ==, 0);
    put(fixture, UART_SCR, 0x5a);
    g_assert_cmphex(get(fixture, UART_SCR), ==, 0x5a);
    put(fixture, UART_IER, 0xf0); /* bits that are always 0 */
    g_assert_cmphex(get(fixture, UART_IER), ==, 0);
    put(fixture, UART_MCR, 0xff & ~UART_MCR_LOOP);
    g_assert_cmphex(get(fixture, UART_MCR), ==, 0x0f);
    put(fixture, UART_LSR, 0); /* read-only */
    put(fixture, UART_MSR, 0);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    /* The divisor lies behind the data and interrupt registers. */
    put(fixture, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
    put(fixture, UART_DLL, 0x34);
    put(fixture, UART_DLM, 0x12);
    g_assert_cmphex(get(fixture, UART_DLL), ==, 0x34);
    g_assert_cmphex(get(fixture, UART_DLM), ==, 0x12);
    put(fixture, UART_LCR, UART_LCR_WLEN8);
    g_assert_cmphex(get(fixture, UART_IER), ==, 0);
    g_assert_cmphex(get(fixture, UART_LCR), ==, UART_LCR_WLEN8);
    put(fixture, UART_FCR, UART_FCR_ENABLE_FIFO);
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_NO_INT);
    end(fixture);
}

static void test_loopback(void)
{
    Fixture *fixture = start();

    put(fixture, UART_FCR, UART_FCR_ENABLE_FIFO);
    put(fixture, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS | UART_MCR_OUT1);
    g_assert_cmphex(get(fixture, UART_MSR) & 0xf0, ==, UART_MSR_CTS | UART_MSR_RI);
    put(fixture, UART_MCR, UART_MCR_LOOP | UART_MCR_DTR | UART_MCR_OUT2);
    g_assert_cmphex(get(fixture, UART_MSR), ==,
                    UART_MSR_DSR | UART_MSR_DCD | UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_TERI |
                        UART_MSR_DDCD);
    g_assert_cmphex(get(fixture, UART_MSR), ==, UART_MSR_DSR | UART_MSR_DCD);
    /* What is sent comes back, up to 16 bytes; no interrupt leaves the chip. */
    put(fixture, UART_IER, UART_IER_RDI | UART_IER_RLSI);
    put_text(fixture, "0123456789abcdefX");
    g_assert_false(high(fixture));
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_RLSI);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY | UART_LSR_DR | UART_LSR_OE);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY | UART_LSR_DR);
    for (guint i = 0; i < 16; i++) {
        g_assert_cmphex(get(fixture, UART_RX), ==, (guint8) "0123456789abcdef"[i]);
    }
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    put(fixture, UART_MCR, 0);
    put_text(fixture, "out"); /* the peer got nothing of what was before */
    expect_peer(fixture, "out");
    end(fixture);
}

/* --- interrupts --- */

static void test_transmit_interrupt(void)
{
    Fixture *fixture = start();

    enable(fixture, UART_IER_THRI, UART_FCR_ENABLE_FIFO);
    g_assert_true(high(fixture)); /* it is empty, and that was not told yet */
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_THRI);
    g_assert_false(high(fixture)); /* reading that takes it back */
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_NO_INT);
    guint before = qtest_irq_raised(fixture->qtest, LINE);
    put_text(fixture, "a");
    expect_peer(fixture, "a");
    wait_status(fixture, EMPTY);
    g_assert_true(high(fixture));
    g_assert_cmpuint(qtest_irq_raised(fixture->qtest, LINE), ==, before + 1);
    put(fixture, UART_MCR, 0); /* without OUT2 the line is not connected */
    g_assert_false(high(fixture));
    put(fixture, UART_MCR, UART_MCR_OUT2);
    g_assert_true(high(fixture));
    put(fixture, UART_IER, 0);
    g_assert_false(high(fixture));
    end(fixture);
}

static void test_receive_interrupt(void)
{
    Fixture *fixture = start();

    enable(fixture, UART_IER_RDI, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_4);
    g_assert_false(high(fixture));
    send_peer(fixture, "abc");
    wait_status(fixture, EMPTY | UART_LSR_DR);
    g_assert_true(high(fixture));
    g_assert_cmphex(get(fixture, UART_RX), ==, 'a');
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_RX_TIMEOUT); /* below the trigger */
    g_assert_cmphex(get(fixture, UART_RX), ==, 'b');
    g_assert_true(high(fixture));
    g_assert_cmphex(get(fixture, UART_RX), ==, 'c');
    g_assert_false(high(fixture));
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);

    put(fixture, UART_FCR, 0); /* without FIFO: one byte */
    send_peer(fixture, "de");
    wait_status(fixture, EMPTY | UART_LSR_DR);
    g_assert_cmphex(get(fixture, UART_IIR), ==, UART_IIR_RDI);
    g_assert_cmphex(get(fixture, UART_RX), ==, 'd');
    wait_status(fixture, EMPTY | UART_LSR_DR);
    g_assert_cmphex(get(fixture, UART_RX), ==, 'e');
    g_assert_false(high(fixture));
    end(fixture);
}

/* --- the wire --- */

/* More than the FIFO holds stays at the peer until there is room: nothing is lost. */
static void test_receive_room(void)
{
    const char *text = "The quick brown fox jumps over the lazy dog 0123456789";
    Fixture *fixture = start();

    enable(fixture, UART_IER_RLSI, UART_FCR_ENABLE_FIFO);
    send_peer(fixture, text);
    for (const char *at = text; *at; at++) {
        wait_status(fixture, EMPTY | UART_LSR_DR);
        g_assert_cmphex(get(fixture, UART_RX), ==, (guint8)*at);
    }
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    put(fixture, UART_FCR, UART_FCR_ENABLE_FIFO);
    send_peer(fixture, "x");
    wait_status(fixture, EMPTY | UART_LSR_DR);
    put(fixture, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    end(fixture);
}

/* Writes until the transmitter does not get empty any more; how many bytes that took. */
static guint fill(Fixture *fixture)
{
    guint count = 0;

    while (get(fixture, UART_LSR) == EMPTY) {
        put(fixture, UART_TX, (guint8)count++);
        g_assert_cmpuint(count, <, 1000000);
    }
    return count;
}

/* A peer that does not read holds up the driver, and nothing else; all arrives in the end. */
static void test_transmit_room(void)
{
    Fixture *fixture = start();

    enable(fixture, UART_IER_THRI, UART_FCR_ENABLE_FIFO);
    guint count = fill(fixture);
    g_assert_cmphex(get(fixture, UART_IIR), ==, 0xc0 | UART_IIR_NO_INT);
    g_assert_false(high(fixture));
    json_object_put(qmp_command_or_fail(fixture->vmm->qmp, "{'execute':'query-status'}"));
    for (guint i = 0; i < count; i++) {
        guint8 byte;
        g_assert_cmpint(read(fixture->peer, &byte, 1), ==, 1);
        g_assert_cmphex(byte, ==, (guint8)i);
    }
    wait_status(fixture, EMPTY);
    g_assert_true(high(fixture));
    put_text(fixture, "after");
    expect_peer(fixture, "after");
    end(fixture);
}

/* When such a peer goes the driver does not wait for it for ever; the next one is served. */
static void test_peer_goes(void)
{
    Fixture *fixture = start();

    enable(fixture, UART_IER_THRI, UART_FCR_ENABLE_FIFO);
    fill(fixture);
    hang_up(fixture);
    wait_status(fixture, EMPTY);
    g_assert_true(high(fixture));
    put_text(fixture, "nobody hears this");
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);

    for (guint round = 0; round < 3; round++) {
        dial(fixture);
        put_text(fixture, "back");
        expect_peer(fixture, "back");
        hang_up(fixture);
    }
    end(fixture);
}

static void test_reset(void)
{
    Fixture *fixture = start();

    enable(fixture, UART_IER_THRI | UART_IER_RDI, UART_FCR_ENABLE_FIFO);
    put(fixture, UART_LCR, UART_LCR_WLEN8);
    send_peer(fixture, "x");
    wait_status(fixture, EMPTY | UART_LSR_DR);
    g_assert_true(high(fixture));
    json_object_put(qmp_command_or_fail(fixture->vmm->qmp, "{'execute':'system_reset'}"));
    qmp_expect_event(fixture->vmm->qmp, "RESET", 10000);
    g_assert_cmphex(get(fixture, UART_LSR), ==, EMPTY);
    g_assert_false(high(fixture));
    g_assert_cmphex(get(fixture, UART_IER), ==, 0);
    g_assert_cmphex(get(fixture, UART_LCR), ==, 0);
    g_assert_cmphex(get(fixture, UART_MCR), ==, 0);
    g_assert_cmphex(get(fixture, UART_IIR), ==, UART_IIR_NO_INT);
    put_text(fixture, "up"); /* the connection is the same */
    expect_peer(fixture, "up");
    end(fixture);
}

/* --- -serial, and several ports --- */

static void test_second_port(void)
{
    g_autofree char *first = vmm_temporary_path("com1");
    g_autofree char *second = vmm_temporary_path("com2");
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 16M -serial none -serial file:%s -serial file:%s",
                                 first, second);
    g_autofree char *text = NULL;

    qtest_irq_intercept_in(vmm->qtest, "ioapic");
    g_assert_cmphex(qtest_inb(vmm->qtest, 0x3f8 + UART_LSR), ==, 0xff); /* left out */
    qtest_outb(vmm->qtest, 0x2f8, 'b');
    qtest_outb(vmm->qtest, 0x3e8, 'c');
    qtest_outb(vmm->qtest, 0x2f8 + UART_MCR, UART_MCR_OUT2);
    qtest_outb(vmm->qtest, 0x2f8 + UART_IER, UART_IER_THRI);
    g_assert_true(qtest_irq_level(vmm->qtest, 3));
    g_assert_false(qtest_irq_level(vmm->qtest, 4));
    vmm_end(vmm);
    g_assert_true(g_file_get_contents(first, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "b");
    g_free(g_steal_pointer(&text));
    g_assert_true(g_file_get_contents(second, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "c");
}

/* A file that is read to its end is no peer that went. */
static void test_input_ends(void)
{
    g_autofree char *input = vmm_temporary_path("input");
    g_autofree char *output = vmm_temporary_path("output");
    g_autofree char *text = NULL;
    Fixture fixture = {.peer = -1};

    g_assert_true(g_file_set_contents(input, "i", 1, NULL));
    fixture.vmm = vmm_start_or_fail(NULL,
                                    "-M pc -m 16M -chardev file,id=s,path=%s,input-path=%s "
                                    "-device isa-serial,id=u,chardev=s",
                                    output, input);
    fixture.qtest = fixture.vmm->qtest;
    wait_status(&fixture, EMPTY | UART_LSR_DR);
    g_assert_cmphex(get(&fixture, UART_RX), ==, 'i'); /* room again: the end is read */
    json_object_put(qmp_command_or_fail(fixture.vmm->qmp, "{'execute':'query-status'}"));
    put_text(&fixture, "still here");
    vmm_end(fixture.vmm);
    g_assert_true(g_file_get_contents(output, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "still here");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/serial/registers", test_registers);
    g_test_add_func("/serial/loopback", test_loopback);
    g_test_add_func("/serial/transmit-interrupt", test_transmit_interrupt);
    g_test_add_func("/serial/receive-interrupt", test_receive_interrupt);
    g_test_add_func("/serial/receive-room", test_receive_room);
    g_test_add_func("/serial/transmit-room", test_transmit_room);
    g_test_add_func("/serial/peer-goes", test_peer_goes);
    g_test_add_func("/serial/reset", test_reset);
    g_test_add_func("/serial/second-port", test_second_port);
    g_test_add_func("/serial/input-ends", test_input_ends);
    return g_test_run();
}
