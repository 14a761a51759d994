/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the payload (payload.c), which all print their checks.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdint.h>

/* What both sides read and write, at 2 MiB. */
typedef struct Mailbox {
    uint32_t announced; /* by the payload: the step that it has come to */
    uint32_t go;        /* by the test: the step that it may leave */
    uint32_t boots;     /* starts since the machine was made: RAM survives a reset */
    uint32_t before;    /* registers_across() waits */
    uint32_t resume;
    uint32_t reserved;
    uint64_t address; /* of memory that was plugged */
} Mailbox;
#define MAILBOX ((volatile Mailbox *)0x200000)

void payload(void);
void registers_across(volatile uint32_t *announce, volatile uint32_t *go,
                      void (*after)(long changed));
extern const uint8_t second_cpu[], second_cpu_end[];

/* payload-report.c */

void print(const char *text);
/* "ok NAME", or "not ok NAME: ..." with both values. */
void check_value(const char *name, uint64_t value, uint64_t expected);
void check(const char *name, int good);
/* Lets the test do what belongs to @step. */
void wait_step(uint32_t step);

/* payload-interrupts.c */

#define VECTOR_MESSAGE 0x41    /* free for MSIs, counted in messages */
#define BAR_MODERN 0xe0004000u /* where the ISR is that takes the line down */

extern volatile uint32_t messages, lines, ticks; /* interrupts so far */
extern volatile uint32_t lines_ignored; /* so many times the line's cause is left as it is */

void set_up_interrupts(void);
/* @size bytes of the table. */
void load_gates(uint16_t size);
/* Sleeps until @counter has come to @wanted; the timer wakes it up, so it ends in any case. */
int sleep_until(const volatile uint32_t *counter, uint32_t wanted);
void check_interval_timer(void);

/* payload-disk.c */

int find_disk(void);
/* Of the disk that was found: configuration space, BARs, requests and their interrupts. */
void check_pci(void);
/* Of the disk behind it, whose backend hands over a page to be a doorbell. */
void check_doorbell(void);

#endif
