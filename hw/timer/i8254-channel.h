/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One of the three counters of an 8254 (Intel 82C54 data sheet).  Nothing in it runs: each call
 * says at which tick of its clock it is made, and ticks never go back.
 */
#ifndef HW_TIMER_I8254_CHANNEL_H
#define HW_TIMER_I8254_CHANNEL_H

#include <glib.h>
#include <stdint.h>

typedef struct I8254Channel {
    uint8_t control; /* access, mode and BCD as they were programmed */
    uint8_t gate;
    uint8_t counts;     /* the counting element was loaded */
    uint8_t held_low;   /* the output was low when it was triggered again */
    uint8_t write_high; /* the second byte is the next that is written */
    uint8_t read_high;
    uint8_t low;            /* the first byte, while the second is waited for */
    uint8_t count_latched;  /* latched holds a count */
    uint8_t status_latched; /* status holds a status */
    uint8_t status;
    uint16_t latched;
    uint32_t count;    /* what the counting element was loaded with: never 0 */
    uint32_t next;     /* what it is loaded with when its time has come; 0: nothing */
    int64_t next_load; /* the tick of that, in the modes that repeat */
    int64_t start;     /* the tick at which it was loaded; one behind the write */
    int64_t gone;      /* ticks from there, while the gate stops it */
} I8254Channel;

/* As after power-on, with its gate high or low: it does nothing before it is programmed. */
void i8254_channel_reset(I8254Channel *channel, gboolean gate);

/* A control word for this channel that is no latch command. */
void i8254_channel_program(I8254Channel *channel, uint8_t control);
void i8254_channel_write(I8254Channel *channel, uint8_t value, int64_t tick);
uint8_t i8254_channel_read(I8254Channel *channel, int64_t tick);

/* What was latched and not read stays. */
void i8254_channel_latch_count(I8254Channel *channel, int64_t tick);
void i8254_channel_latch_status(I8254Channel *channel, int64_t tick);

void i8254_channel_set_gate(I8254Channel *channel, gboolean gate, int64_t tick);

gboolean i8254_channel_output(I8254Channel *channel, int64_t tick);
/* The first tick after @tick at which the output changes by itself; G_MAXINT64: never. */
int64_t i8254_channel_next_change(I8254Channel *channel, int64_t tick);

#endif
