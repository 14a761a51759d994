/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the qtest protocol: port and memory accesses, the virtual clock, interrupt lines.
 * A lost connection, a timeout or a FAIL answer ends the program through vmm_fail(), except in
 * qtest_raw().  One thread at a time.
 */
#ifndef QTEST_QTEST_H
#define QTEST_QTEST_H

#include <glib.h>
#include <stdint.h>

typedef struct Qtest Qtest;

/* Takes the connected @socket. @timeout: seconds for each answer. */
Qtest *qtest_new(int socket, guint timeout);
void qtest_free(Qtest *qtest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qtest, qtest_free)

/* Sends @line (without line end) and returns the answer line as it is, caller frees; NULL if the
 * peer is gone or silent. */
char *qtest_raw(Qtest *qtest, const char *line);
/* Bytes as they are, no answer awaited.  FALSE if the peer is gone. */
gboolean qtest_send_bytes(Qtest *qtest, const void *bytes, gsize size);
/* The next answer line; NULL after @milliseconds. */
char *qtest_line(Qtest *qtest, guint milliseconds);

void qtest_outb(Qtest *qtest, uint16_t port, uint8_t value);
void qtest_outw(Qtest *qtest, uint16_t port, uint16_t value);
void qtest_outl(Qtest *qtest, uint16_t port, uint32_t value);
uint8_t qtest_inb(Qtest *qtest, uint16_t port);
uint16_t qtest_inw(Qtest *qtest, uint16_t port);
uint32_t qtest_inl(Qtest *qtest, uint16_t port);

void qtest_writeb(Qtest *qtest, uint64_t address, uint8_t value);
void qtest_writew(Qtest *qtest, uint64_t address, uint16_t value);
void qtest_writel(Qtest *qtest, uint64_t address, uint32_t value);
void qtest_writeq(Qtest *qtest, uint64_t address, uint64_t value);
uint8_t qtest_readb(Qtest *qtest, uint64_t address);
uint16_t qtest_readw(Qtest *qtest, uint64_t address);
uint32_t qtest_readl(Qtest *qtest, uint64_t address);
uint64_t qtest_readq(Qtest *qtest, uint64_t address);

void qtest_memread(Qtest *qtest, uint64_t address, void *bytes, gsize size);
void qtest_memwrite(Qtest *qtest, uint64_t address, const void *bytes, gsize size);
void qtest_memset(Qtest *qtest, uint64_t address, uint8_t value, gsize size);

/* Moves the virtual clock by @nanoseconds, or to its next timer (0); returns what it shows then. */
gint64 qtest_clock_step(Qtest *qtest, gint64 nanoseconds);
gint64 qtest_clock_set(Qtest *qtest, gint64 nanoseconds);

/* From now on the lines of the device at @path are watched. */
void qtest_irq_intercept_in(Qtest *qtest, const char *path);
void qtest_irq_intercept_out(Qtest *qtest, const char *path);
#define QTEST_IRQ_LINES 256
gboolean qtest_irq_level(Qtest *qtest, guint line);
guint qtest_irq_raised(Qtest *qtest, guint line); /* how often so far */

#endif
