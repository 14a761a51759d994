/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A counter of an 8254: what its output and its count are follows from the tick at which it was
 * loaded.
 */
#include "i8254-channel.h"

#define BINARY_COUNTS 0x10000
#define DECIMAL_COUNTS 10000

/* Access to the count: which of its bytes */
enum { ACCESS_LOW = 1, ACCESS_HIGH, ACCESS_BOTH };
#define ACCESS_SHIFT 4
#define MODE_SHIFT 1
#define DECIMAL 0x01
#define CONTROL_MASK 0x3f

/* Status */
#define STATUS_OUTPUT 0x80
#define STATUS_NOT_LOADED 0x40

enum { END_OF_COUNT, ONE_SHOT, RATE, SQUARE_WAVE, STROBE, TRIGGERED_STROBE };

static guint access_of(const I8254Channel *channel)
{
    return channel->control >> ACCESS_SHIFT;
}

/* Bit 2 counts in the upper modes only. */
static guint mode_of(const I8254Channel *channel)
{
    guint mode = channel->control >> MODE_SHIFT & 7;

    return mode > TRIGGERED_STROBE ? mode & 3 : mode;
}

static gboolean repeats(const I8254Channel *channel)
{
    return mode_of(channel) == RATE || mode_of(channel) == SQUARE_WAVE;
}

/* The gate's rise is what starts it. */
static gboolean is_triggered(const I8254Channel *channel)
{
    return mode_of(channel) == ONE_SHOT || mode_of(channel) == TRIGGERED_STROBE;
}

static gboolean is_stopped(const I8254Channel *channel)
{
    return !channel->gate && !is_triggered(channel);
}

static int64_t counts_of(const I8254Channel *channel)
{
    return channel->control & DECIMAL ? DECIMAL_COUNTS : BINARY_COUNTS;
}

/* --- time --- */

static int64_t gone(const I8254Channel *channel, int64_t tick)
{
    return is_stopped(channel) ? channel->gone : tick - channel->start;
}

/* Within its period. */
static int64_t phase(const I8254Channel *channel, int64_t tick)
{
    return MAX(gone(channel, tick), 0) % channel->count;
}

/* At tick @start. */
static void load(I8254Channel *channel, uint32_t count, int64_t start)
{
    channel->count = count;
    channel->next = 0;
    channel->start = start;
    channel->gone = 0;
    channel->counts = TRUE;
}

/* A count that was written while another is counted comes with the next period. */
static void catch_up(I8254Channel *channel, int64_t tick)
{
    if (channel->next && repeats(channel) && channel->counts && !is_stopped(channel) &&
        tick >= channel->next_load) {
        load(channel, channel->next, channel->next_load);
    }
}

/* --- output --- */

gboolean i8254_channel_output(I8254Channel *channel, int64_t tick)
{
    guint mode = mode_of(channel);

    catch_up(channel, tick);
    int64_t since = gone(channel, tick);
    if (!channel->counts || since < 0) {
        return mode != END_OF_COUNT && !(channel->counts && channel->held_low);
    }
    switch (mode) {
    case END_OF_COUNT:
        return since >= channel->count;
    case ONE_SHOT:
        return since >= channel->count;
    case RATE:
        return is_stopped(channel) || phase(channel, tick) != channel->count - 1;
    case SQUARE_WAVE:
        return is_stopped(channel) || phase(channel, tick) < (channel->count + 1) / 2;
    default:
        return since != channel->count;
    }
}

/* The same in ticks since it was loaded. */
static int64_t next_change_since(const I8254Channel *channel, int64_t since)
{
    int64_t count = channel->count;
    int64_t begin = since - since % count; /* of the period */
    int64_t half = begin + (mode_of(channel) == RATE ? count - 1 : (count + 1) / 2);

    switch (mode_of(channel)) {
    case END_OF_COUNT:
    case ONE_SHOT:
        return since < count ? count : G_MAXINT64;
    case RATE:
    case SQUARE_WAVE:
        if (count == 1) { /* not allowed; the output stays as it is */
            return G_MAXINT64;
        }
        return since < half ? half : begin + count;
    default:
        return since < count ? count : since == count ? count + 1 : G_MAXINT64;
    }
}

int64_t i8254_channel_next_change(I8254Channel *channel, int64_t tick)
{
    catch_up(channel, tick);
    if (!channel->counts || is_stopped(channel)) {
        return G_MAXINT64;
    }
    int64_t since = gone(channel, tick);
    if (since < 0 && mode_of(channel) == ONE_SHOT) { /* what the load itself changes */
        return channel->start;
    }
    int64_t next = next_change_since(channel, MAX(since, 0));
    return next == G_MAXINT64 ? next : channel->start + next;
}

/* --- the count --- */

static uint16_t encode(const I8254Channel *channel, int64_t value)
{
    value = (value % counts_of(channel) + counts_of(channel)) % counts_of(channel);
    if (!(channel->control & DECIMAL)) {
        return (uint16_t)value;
    }
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

/* 0 stands for the highest. */
static uint32_t decode(const I8254Channel *channel, uint16_t written)
{
    uint32_t value = written;

    if (channel->control & DECIMAL) {
        value = (written >> 12) * 1000u + (written >> 8 & 15) * 100u + (written >> 4 & 15) * 10u +
                (written & 15);
    }
    return value ? value : (uint32_t)counts_of(channel);
}

static uint16_t current_count(I8254Channel *channel, int64_t tick)
{
    catch_up(channel, tick);
    if (!channel->counts) {
        return encode(channel, channel->next);
    }
    int64_t at = phase(channel, tick);
    int64_t count = channel->count;
    int64_t half = (count + 1) / 2;
    switch (mode_of(channel)) {
    case RATE:
        return encode(channel, count - at);
    case SQUARE_WAVE: /* by twos, in each half; an odd count begins at the even one below */
        return encode(channel, (count & ~INT64_C(1)) - 2 * (at < half ? at : at - half));
    default: /* and goes on below 0 */
        return encode(channel, count - MAX(gone(channel, tick), 0));
    }
}

static void take_count(I8254Channel *channel, uint16_t written, int64_t tick)
{
    uint32_t count = decode(channel, written);

    catch_up(channel, tick);
    if (is_triggered(channel)) {
        channel->next = count;
    } else if (repeats(channel) && channel->counts) {
        channel->next = count;
        channel->next_load = tick - phase(channel, tick) + channel->count;
    } else {
        load(channel, count, tick + 1);
    }
}

/* --- registers --- */

void i8254_channel_reset(I8254Channel *channel, gboolean gate)
{
    *channel = (I8254Channel){.control = ACCESS_BOTH << ACCESS_SHIFT, .gate = gate, .count = 1};
}

void i8254_channel_program(I8254Channel *channel, uint8_t control)
{
    i8254_channel_reset(channel, channel->gate);
    channel->control = control & CONTROL_MASK;
}

void i8254_channel_write(I8254Channel *channel, uint8_t value, int64_t tick)
{
    switch (access_of(channel)) {
    case ACCESS_LOW:
        take_count(channel, value, tick);
        return;
    case ACCESS_HIGH:
        take_count(channel, (uint16_t)(value << 8), tick);
        return;
    default:
        break;
    }
    channel->write_high = !channel->write_high;
    if (!channel->write_high) {
        take_count(channel, (uint16_t)(value << 8 | channel->low), tick);
        return;
    }
    channel->low = value;
    if (mode_of(channel) == END_OF_COUNT) { /* the first byte stops it, and takes the output down */
        channel->counts = FALSE;
    }
}

uint8_t i8254_channel_read(I8254Channel *channel, int64_t tick)
{
    if (channel->status_latched) {
        channel->status_latched = FALSE;
        return channel->status;
    }
    uint16_t value = channel->count_latched ? channel->latched : current_count(channel, tick);
    gboolean high = access_of(channel) == ACCESS_HIGH || channel->read_high;
    if (access_of(channel) == ACCESS_BOTH) {
        channel->read_high = !channel->read_high;
    }
    if (!channel->read_high) {
        channel->count_latched = FALSE;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

void i8254_channel_latch_count(I8254Channel *channel, int64_t tick)
{
    if (!channel->count_latched) {
        channel->latched = current_count(channel, tick);
        channel->count_latched = TRUE;
    }
}

void i8254_channel_latch_status(I8254Channel *channel, int64_t tick)
{
    gboolean output = i8254_channel_output(channel, tick);

    if (!channel->status_latched) {
        gboolean loaded = channel->counts && !channel->next && gone(channel, tick) >= 0;
        channel->status =
            channel->control | (output ? STATUS_OUTPUT : 0) | (loaded ? 0 : STATUS_NOT_LOADED);
        channel->status_latched = TRUE;
    }
}

void i8254_channel_set_gate(I8254Channel *channel, gboolean gate, int64_t tick)
{
    gate = gate != FALSE;
    if (channel->gate == gate) {
        return;
    }
    catch_up(channel, tick);
    if (!gate) {
        channel->gone = MAX(tick - channel->start, 0);
        channel->gate = FALSE;
        return;
    }
    channel->gate = TRUE;
    uint32_t again = channel->next ? channel->next : channel->count;
    if (is_triggered(channel) && (channel->counts || channel->next)) {
        channel->held_low = !i8254_channel_output(channel, tick);
        load(channel, again, tick + 1);
    } else if (repeats(channel) && channel->counts) {
        load(channel, again, tick + 1);
    } else if (channel->counts) {
        channel->start = tick - channel->gone;
    }
}
