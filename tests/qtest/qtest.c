/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest client: a line out, a line back; "IRQ" lines may come between.
 */
#include "qtest/qtest.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes moved by one read or write command; a multiple of three leaves base64 without padding. */
#define CHUNK 49152

struct Qtest {
    int socket;
    guint timeout; /* milliseconds */
    GString *input;
    gsize scanned; /* bytes of input that hold no line end */
    gboolean levels[QTEST_IRQ_LINES];
    guint raised[QTEST_IRQ_LINES];
};

Qtest *qtest_new(int socket, guint timeout)
{
    Qtest *qtest = g_new0(Qtest, 1);

    qtest->socket = socket;
    qtest->timeout = timeout * 1000;
    qtest->input = g_string_new(NULL);
    return qtest;
}

void qtest_free(Qtest *qtest)
{
    if (!qtest) {
        return;
    }
    close(qtest->socket);
    g_string_free(qtest->input, TRUE);
    g_free(qtest);
}

gboolean qtest_send_bytes(Qtest *qtest, const void *bytes, gsize size)
{
    const char *next = bytes;

    while (size) {
        ssize_t sent = send(qtest->socket, next, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return FALSE;
        }
        next += sent;
        size -= sent;
    }
    return TRUE;
}

/* One line without its end, whatever it is. */
static char *read_line(Qtest *qtest, gint64 deadline)
{
    for (;;) {
        char *end =
            memchr(qtest->input->str + qtest->scanned, '\n', qtest->input->len - qtest->scanned);
        struct pollfd poller = {.fd = qtest->socket, .events = POLLIN};
        gint64 left;
        char bytes[16384];
        ssize_t got;

        if (end) {
            char *line = g_strndup(qtest->input->str, end - qtest->input->str);

            g_string_erase(qtest->input, 0, end - qtest->input->str + 1);
            qtest->scanned = 0;
            return line;
        }
        qtest->scanned = qtest->input->len;
        left = MAX(0, deadline - g_get_monotonic_time());
        if (poll(&poller, 1, (int)((left + 999) / 1000)) == 0) {
            return NULL;
        }
        got = recv(qtest->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return NULL;
        }
        if (got > 0) {
            g_string_append_len(qtest->input, bytes, got);
        }
    }
}

/* TRUE if @line was an interrupt message. */
static gboolean take_irq(Qtest *qtest, const char *line)
{
    gboolean raise = g_str_has_prefix(line, "IRQ raise ");
    guint64 number;

    if (!raise && !g_str_has_prefix(line, "IRQ lower ")) {
        return FALSE;
    }
    number = g_ascii_strtoull(line + strlen("IRQ raise "), NULL, 10);
    if (number < QTEST_IRQ_LINES) {
        qtest->levels[number] = raise;
        qtest->raised[number] += raise;
    }
    return TRUE;
}

char *qtest_line(Qtest *qtest, guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;

    for (;;) {
        char *line = read_line(qtest, deadline);

        if (!line || !take_irq(qtest, line)) {
            return line;
        }
        g_free(line);
    }
}

char *qtest_raw(Qtest *qtest, const char *line)
{
    g_autofree char *sent = g_strconcat(line, "\n", NULL);

    return qtest_send_bytes(qtest, sent, strlen(sent)) ? qtest_line(qtest, qtest->timeout) : NULL;
}

/* Sends and returns what follows "OK"; ends the program otherwise. */
static char *command(Qtest *qtest, const char *line)
{
    char *answer = qtest_raw(qtest, line);

    if (!answer) {
        vmm_fail("qtest: no answer to '%.80s'", line);
    }
    if (strncmp(answer, "OK", 2) || (answer[2] && answer[2] != ' ')) {
        vmm_fail("qtest: '%.80s' was answered with '%.200s'", line, answer);
    }
    memmove(answer, answer + (answer[2] ? 3 : 2), strlen(answer) + 1 - (answer[2] ? 3 : 2));
    return answer;
}

static G_GNUC_PRINTF(2, 3) uint64_t number_command(Qtest *qtest, const char *format, ...)
{
    g_autofree char *line = NULL;
    g_autofree char *answer = NULL;
    va_list arguments;

    va_start(arguments, format);
    line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    answer = command(qtest, line);
    return g_ascii_strtoull(answer, NULL, 0);
}

void qtest_outb(Qtest *qtest, uint16_t port, uint8_t value)
{
    number_command(qtest, "outb 0x%x 0x%x", port, value);
}

void qtest_outw(Qtest *qtest, uint16_t port, uint16_t value)
{
    number_command(qtest, "outw 0x%x 0x%x", port, value);
}

void qtest_outl(Qtest *qtest, uint16_t port, uint32_t value)
{
    number_command(qtest, "outl 0x%x 0x%x", port, value);
}

uint8_t qtest_inb(Qtest *qtest, uint16_t port)
{
    return number_command(qtest, "inb 0x%x", port);
}

uint16_t qtest_inw(Qtest *qtest, uint16_t port)
{
    return number_command(qtest, "inw 0x%x", port);
}

uint32_t qtest_inl(Qtest *qtest, uint16_t port)
{
    return number_command(qtest, "inl 0x%x", port);
}

void qtest_writeb(Qtest *qtest, uint64_t address, uint8_t value)
{
    number_command(qtest, "writeb 0x%" PRIx64 " 0x%x", address, value);
}

void qtest_writew(Qtest *qtest, uint64_t address, uint16_t value)
{
    number_command(qtest, "writew 0x%" PRIx64 " 0x%x", address, value);
}

void qtest_writel(Qtest *qtest, uint64_t address, uint32_t value)
{
    number_command(qtest, "writel 0x%" PRIx64 " 0x%x", address, value);
}

void qtest_writeq(Qtest *qtest, uint64_t address, uint64_t value)
{
    number_command(qtest, "writeq 0x%" PRIx64 " 0x%" PRIx64, address, value);
}

uint8_t qtest_readb(Qtest *qtest, uint64_t address)
{
    return number_command(qtest, "readb 0x%" PRIx64, address);
}

uint16_t qtest_readw(Qtest *qtest, uint64_t address)
{
    return number_command(qtest, "readw 0x%" PRIx64, address);
}

uint32_t qtest_readl(Qtest *qtest, uint64_t address)
{
    return number_command(qtest, "readl 0x%" PRIx64, address);
}

uint64_t qtest_readq(Qtest *qtest, uint64_t address)
{
    return number_command(qtest, "readq 0x%" PRIx64, address);
}

void qtest_memread(Qtest *qtest, uint64_t address, void *bytes, gsize size)
{
    guchar *target = bytes;

    while (size) {
        gsize part = MIN(size, CHUNK), length;
        g_autofree char *line = g_strdup_printf("b64read 0x%" PRIx64 " 0x%zx", address, part);
        g_autofree char *answer = command(qtest, line);
        g_autofree guchar *decoded = g_base64_decode(answer, &length);

        if (length != part) {
            vmm_fail("qtest: '%s' was answered with %zu bytes", line, length);
        }
        memcpy(target, decoded, part);
        target += part;
        address += part;
        size -= part;
    }
}

void qtest_memwrite(Qtest *qtest, uint64_t address, const void *bytes, gsize size)
{
    const guchar *source = bytes;

    while (size) {
        gsize part = MIN(size, CHUNK);
        g_autofree char *encoded = g_base64_encode(source, part);

        number_command(qtest, "b64write 0x%" PRIx64 " 0x%zx %s", address, part, encoded);
        source += part;
        address += part;
        size -= part;
    }
}

void qtest_memset(Qtest *qtest, uint64_t address, uint8_t value, gsize size)
{
    number_command(qtest, "memset 0x%" PRIx64 " 0x%zx 0x%02x", address, size, value);
}

gint64 qtest_clock_step(Qtest *qtest, gint64 nanoseconds)
{
    return nanoseconds ? (gint64)number_command(qtest, "clock_step %" PRId64, nanoseconds)
                       : (gint64)number_command(qtest, "clock_step");
}

gint64 qtest_clock_set(Qtest *qtest, gint64 nanoseconds)
{
    return number_command(qtest, "clock_set %" PRId64, nanoseconds);
}

void qtest_irq_intercept_in(Qtest *qtest, const char *path)
{
    number_command(qtest, "irq_intercept_in %s", path);
}

void qtest_irq_intercept_out(Qtest *qtest, const char *path)
{
    number_command(qtest, "irq_intercept_out %s", path);
}

gboolean qtest_irq_level(Qtest *qtest, guint line)
{
    return line < QTEST_IRQ_LINES && qtest->levels[line];
}

guint qtest_irq_raised(Qtest *qtest, guint line)
{
    return line < QTEST_IRQ_LINES ? qtest->raised[line] : 0;
}
