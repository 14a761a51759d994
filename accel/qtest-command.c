/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest commands: one table, one function a kind.  Addresses, sizes and
 * values are C literals; whatever is wrong with them is a FAIL line and the
 * session goes on.
 */
#include "qtest-session.h"

#include "system/clock.h"
#include "system/memory.h"
#include "system/vm-lock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ARGUMENTS_MAX 3

typedef struct QtestCommand QtestCommand;
struct QtestCommand {
    const char *name;
    const char *arguments;  /* as FAIL lines name them */
    guint minimum, maximum; /* number of arguments */
    /* @words: the arguments, NULL behind the last. */
    void (*run)(QtestSession *session, const QtestCommand *command, char **words);
    AddressSpace space; /* of single accesses */
    unsigned size;      /* of single accesses, bytes */
};

static void fail(QtestSession *session, const QtestCommand *command, const char *what,
                 const char *word)
{
    /* Data can be megabytes: the beginning will do. */
    qtest_printf(session, "FAIL %s: %s '%.64s'\n", command->name, what, word);
}

/* --- arguments --- */

static gboolean take_number(QtestSession *session, const QtestCommand *command, const char *word,
                            uint64_t *value)
{
    char *end;

    errno = 0;
    *value = g_ascii_isdigit(*word) ? g_ascii_strtoull(word, &end, 0) : 0;
    if (!g_ascii_isdigit(*word) || errno != 0 || *end != '\0') {
        fail(session, command, "not a number from 0 to 2^64 - 1:", word);
        return FALSE;
    }
    return TRUE;
}

/* ADDRESS SIZE of a piece of memory. */
static gboolean take_range(QtestSession *session, const QtestCommand *command, char **words,
                           uint64_t *address, uint64_t *size)
{
    if (!take_number(session, command, words[0], address) ||
        !take_number(session, command, words[1], size)) {
        return FALSE;
    }
    if (*size > QTEST_SIZE_MAX) {
        qtest_printf(session, "FAIL %s: size 0x%" PRIx64 " is above the limit of 0x%x\n",
                     command->name, *size, QTEST_SIZE_MAX);
        return FALSE;
    }
    if (*size > 0 && *address + (*size - 1) < *address) {
        qtest_printf(session,
                     "FAIL %s: 0x%" PRIx64 " bytes at 0x%" PRIx64
                     " reach beyond the end of the address space\n",
                     command->name, *size, *address);
        return FALSE;
    }
    return TRUE;
}

static gboolean take_port(QtestSession *session, const QtestCommand *command, const char *word,
                          uint64_t *address)
{
    if (!take_number(session, command, word, address)) {
        return FALSE;
    }
    if (command->space == ADDRESS_SPACE_IO && *address > 0xffff) {
        fail(session, command, "a port is at most 0xffff, not", word);
        return FALSE;
    }
    return TRUE;
}

/* --- memory, with the lock for one piece --- */

static void read_locked(AddressSpace space, uint64_t address, void *bytes, uint64_t size)
{
    vm_lock();
    memory_read(space, address, bytes, size);
    vm_unlock();
}

static void write_locked(AddressSpace space, uint64_t address, const void *bytes, uint64_t size)
{
    vm_lock();
    memory_write(space, address, bytes, size);
    vm_unlock();
}

static void run_read_one(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address;
    uint64_t value = 0;

    if (!take_port(session, command, words[0], &address)) {
        return;
    }
    read_locked(command->space, address, &value, command->size);
    value = GUINT64_FROM_LE(value);
    if (command->space == ADDRESS_SPACE_IO) {
        qtest_printf(session, "OK 0x%04" PRIx64 "\n", value);
    } else {
        qtest_printf(session, "OK 0x%016" PRIx64 "\n", value);
    }
}

static void run_write_one(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address, value;

    if (!take_port(session, command, words[0], &address) ||
        !take_number(session, command, words[1], &value)) {
        return;
    }
    value = GUINT64_TO_LE(value); /* what does not fit in is cut off, as a CPU's register is */
    write_locked(command->space, address, &value, command->size);
    qtest_printf(session, "OK\n");
}

static void run_read(QtestSession *session, const QtestCommand *command, char **words)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t address, size;

    if (!take_range(session, command, words, &address, &size)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(QTEST_PIECE);
    g_autofree char *text = g_malloc(2 * QTEST_PIECE);
    qtest_printf(session, "OK 0x");
    while (size > 0) {
        uint64_t piece = MIN(size, QTEST_PIECE);

        read_locked(ADDRESS_SPACE_MEMORY, address, bytes, piece);
        for (uint64_t i = 0; i < piece; i++) {
            text[2 * i] = digits[bytes[i] >> 4];
            text[2 * i + 1] = digits[bytes[i] & 0xf];
        }
        qtest_put(session, text, 2 * piece);
        address += piece;
        size -= piece;
    }
    qtest_printf(session, "\n");
}

static void run_write(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address, size;
    const char *data = words[2];

    if (!take_range(session, command, words, &address, &size)) {
        return;
    }
    if (data[0] != '0' || data[1] != 'x') {
        fail(session, command, "data begins with 0x, not with", data);
        return;
    }
    data += 2;
    if (strlen(data) != 2 * size || strspn(data, "0123456789abcdefABCDEF") != 2 * size) {
        fail(session, command, "data must be two hexadecimal digits a byte of SIZE:", data);
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(QTEST_PIECE);
    while (size > 0) {
        uint64_t piece = MIN(size, QTEST_PIECE);

        for (uint64_t i = 0; i < piece; i++, data += 2) {
            bytes[i] =
                (uint8_t)(g_ascii_xdigit_value(data[0]) << 4 | g_ascii_xdigit_value(data[1]));
        }
        write_locked(ADDRESS_SPACE_MEMORY, address, bytes, piece);
        address += piece;
        size -= piece;
    }
    qtest_printf(session, "OK\n");
}

static void run_memset(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address, size, value;

    if (!take_range(session, command, words, &address, &size) ||
        !take_number(session, command, words[2], &value)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(QTEST_PIECE);
    memset(bytes, (int)(value & 0xff), QTEST_PIECE);
    while (size > 0) {
        uint64_t piece = MIN(size, QTEST_PIECE);

        write_locked(ADDRESS_SPACE_MEMORY, address, bytes, piece);
        address += piece;
        size -= piece;
    }
    qtest_printf(session, "OK\n");
}

static void run_b64read(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address, size;
    gint state = 0;
    gint save = 0;

    if (!take_range(session, command, words, &address, &size)) {
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(QTEST_PIECE);
    g_autofree char *text = g_malloc(QTEST_PIECE / 3 * 4 + 8); /* g_base64_encode_step() */
    qtest_printf(session, "OK ");
    while (size > 0) {
        uint64_t piece = MIN(size, QTEST_PIECE);

        read_locked(ADDRESS_SPACE_MEMORY, address, bytes, piece);
        qtest_put(session, text, g_base64_encode_step(bytes, piece, FALSE, text, &state, &save));
        address += piece;
        size -= piece;
    }
    qtest_put(session, text, g_base64_encode_close(FALSE, text, &state, &save));
    qtest_printf(session, "\n");
}

/* RFC 4648, section 4: groups of four, padding only at the end, exactly @size bytes. */
static gboolean base64_is_valid(const char *data, uint64_t size)
{
    gsize length = strlen(data);
    gsize letters =
        strspn(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    gsize padding = strspn(data + letters, "=");

    return length % 4 == 0 && letters + padding == length && padding <= 2 &&
           length / 4 * 3 - padding == size;
}

static void run_b64write(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t address, size;
    const char *data = words[2];
    gint state = 0;
    guint save = 0;

    if (!take_range(session, command, words, &address, &size)) {
        return;
    }
    if (!base64_is_valid(data, size)) {
        fail(session, command, "data must be base64 of SIZE bytes:", data);
        return;
    }
    g_autofree uint8_t *bytes = g_malloc(QTEST_PIECE + 3);
    for (gsize left = strlen(data); left > 0;) {
        gsize piece = MIN(left, QTEST_PIECE / 3 * 4);
        gsize decoded = g_base64_decode_step(data, piece, bytes, &state, &save);

        write_locked(ADDRESS_SPACE_MEMORY, address, bytes, decoded);
        data += piece;
        left -= piece;
        address += decoded;
    }
    qtest_printf(session, "OK\n");
}

/* --- the rest of the machine --- */

static void run_endianness(QtestSession *session, const QtestCommand *command G_GNUC_UNUSED,
                           char **words G_GNUC_UNUSED)
{
    qtest_printf(session, "OK little\n");
}

static void advance(QtestSession *session, gint64 target)
{
    gint64 now;

    vm_lock();
    clock_advance(target);
    now = clock_now();
    vm_unlock();
    qtest_printf(session, "OK %" PRId64 "\n", now);
}

/* Without an argument: to the next deadline, if there is one. */
static void run_clock_step(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t step;
    gint64 now, next;

    vm_lock();
    now = clock_now();
    next = clock_next_deadline();
    vm_unlock();
    if (!words[0]) {
        advance(session, next);
        return;
    }
    if (!take_number(session, command, words[0], &step)) {
        return;
    }
    if (step > (uint64_t)(INT64_MAX - now)) {
        fail(session, command, "the clock ends at 2^63 - 1 ns, too far for a step of", words[0]);
        return;
    }
    advance(session, now + (gint64)step);
}

static void run_clock_set(QtestSession *session, const QtestCommand *command, char **words)
{
    uint64_t target;

    if (!take_number(session, command, words[0], &target)) {
        return;
    }
    if (target > INT64_MAX) {
        fail(session, command, "the clock ends at 2^63 - 1 ns, not at", words[0]);
        return;
    }
    advance(session, (gint64)target);
}

/*
 * There is one interrupt controller, and no CPU behind it: what goes in and
 * what comes out are the same lines.
 */
static void run_irq_intercept(QtestSession *session, const QtestCommand *command, char **words)
{
    static const char *const names[] = {"ioapic", "/machine/ioapic", "/machine/unattached/ioapic"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_equal(words[0], names[i])) {
            vm_lock();
            qtest_intercept_irqs(session);
            vm_unlock();
            qtest_printf(session, "OK\n");
            return;
        }
    }
    fail(session, command, "the interrupt controller is 'ioapic', there is no", words[0]);
}

/* --- the table --- */

#define MEMORY_ACCESS(letter, bytes)                                                               \
    {"read" letter, "ADDRESS", 1, 1, run_read_one, ADDRESS_SPACE_MEMORY, bytes},                   \
    {                                                                                              \
        "write" letter, "ADDRESS VALUE", 2, 2, run_write_one, ADDRESS_SPACE_MEMORY, bytes          \
    }
#define PORT_ACCESS(letter, bytes)                                                                 \
    {"in" letter, "PORT", 1, 1, run_read_one, ADDRESS_SPACE_IO, bytes},                            \
    {                                                                                              \
        "out" letter, "PORT VALUE", 2, 2, run_write_one, ADDRESS_SPACE_IO, bytes                   \
    }

static const QtestCommand commands[] = {
    MEMORY_ACCESS("b", 1),
    MEMORY_ACCESS("w", 2),
    MEMORY_ACCESS("l", 4),
    MEMORY_ACCESS("q", 8),
    PORT_ACCESS("b", 1),
    PORT_ACCESS("w", 2),
    PORT_ACCESS("l", 4),
    {"read", "ADDRESS SIZE", 2, 2, run_read, 0, 0},
    {"write", "ADDRESS SIZE 0xDATA", 3, 3, run_write, 0, 0},
    {"b64read", "ADDRESS SIZE", 2, 2, run_b64read, 0, 0},
    {"b64write", "ADDRESS SIZE DATA", 3, 3, run_b64write, 0, 0},
    {"memset", "ADDRESS SIZE VALUE", 3, 3, run_memset, 0, 0},
    {"endianness", "no arguments", 0, 0, run_endianness, 0, 0},
    {"clock_step", "[NANOSECONDS]", 0, 1, run_clock_step, 0, 0},
    {"clock_set", "NANOSECONDS", 1, 1, run_clock_set, 0, 0},
    {"irq_intercept_in", "PATH", 1, 1, run_irq_intercept, 0, 0},
    {"irq_intercept_out", "PATH", 1, 1, run_irq_intercept, 0, 0},
};

/* Takes the next word out of *@line in place; NULL at the end. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " \t");

    if (*word == '\0') {
        return NULL;
    }
    *line = word + strcspn(word, " \t");
    if (**line) {
        *(*line)++ = '\0';
    }
    return word;
}

void qtest_command(QtestSession *session, char *line)
{
    char *words[ARGUMENTS_MAX + 2] = {NULL}; /* one too many is seen, NULL stays behind */
    const char *name = next_word(&line);
    guint count = 0;

    while (count <= ARGUMENTS_MAX && (words[count] = next_word(&line))) {
        count++;
    }
    for (guint i = 0; name && i < G_N_ELEMENTS(commands); i++) {
        const QtestCommand *command = &commands[i];

        if (strcmp(command->name, name) != 0) {
            continue;
        }
        if (count < command->minimum || count > command->maximum) {
            qtest_printf(session, "FAIL %s needs %s\n", command->name, command->arguments);
        } else {
            command->run(session, command, words);
        }
        return;
    }
    qtest_printf(session, "FAIL Unknown command '%.64s'\n", name ? name : "");
}
