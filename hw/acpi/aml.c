/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI Machine Language: encodings of ACPI 6.4, 20.2; section numbers in comments are of that. */
#include "aml.h"

#include <string.h>

/* Opcodes of terms that have functions of their own (20.3). */
enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_QWORD = 0x0e,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXTENDED = 0x5b,
    OP_LOCAL0 = 0x60,
    OP_ARG0 = 0x68,
    OP_IF = 0xa0,
    OP_ELSE = 0xa1,
    OP_WHILE = 0xa2,
    EXTENDED_MUTEX = 0x01,
    EXTENDED_REGION = 0x80,
    EXTENDED_FIELD = 0x81,
    EXTENDED_DEVICE = 0x82,
};

#define SEGMENT 4u /* characters of a name */
#define NAME_SEGMENTS_MAX 255u

struct Aml {
    GByteArray *bytes;
    GArray *begun; /* of guint: where the contents of each term begin */
};

Aml *aml_new(void)
{
    Aml *aml = g_new(Aml, 1);

    aml->bytes = g_byte_array_new();
    aml->begun = g_array_new(FALSE, FALSE, sizeof(guint));
    return aml;
}

void aml_free(Aml *aml)
{
    if (aml) {
        g_byte_array_unref(aml->bytes);
        g_array_unref(aml->begun);
        g_free(aml);
    }
}

const GByteArray *aml_bytes(const Aml *aml)
{
    g_assert(aml->begun->len == 0);
    return aml->bytes;
}

/* --- bytes --- */

/* The lowest @size bytes of @value, little-endian. */
static void put(GByteArray *bytes, uint64_t value, guint size)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(bytes, (const uint8_t *)&value, size);
}

static void put_byte(Aml *aml, uint8_t byte)
{
    put(aml->bytes, byte, 1);
}

/* --- lengths (20.2.4) --- */

/* A length counts its own bytes: 6 bits in one, else 4 in the first and 8 in each that follows. */
static guint encode_length(gsize content, uint8_t encoded[4])
{
    guint size = 1;
    gsize limit = 1u << 6;

    while (content + size >= limit) {
        size++;
        limit = (gsize)1 << (4 + 8 * (size - 1));
    }
    gsize total = content + size;
    if (size == 1) {
        encoded[0] = (uint8_t)total;
        return 1;
    }
    g_assert(size <= 4);
    encoded[0] = (uint8_t)((size - 1) << 6 | (total & 0xf));
    for (guint i = 1; i < size; i++) {
        encoded[i] = (uint8_t)(total >> (4 + 8 * (i - 1)));
    }
    return size;
}

static void begin(Aml *aml)
{
    g_array_append_val(aml->begun, aml->bytes->len);
}

void aml_end(Aml *aml)
{
    guint start = g_array_index(aml->begun, guint, aml->begun->len - 1);
    guint content = aml->bytes->len - start;
    uint8_t encoded[4];
    guint size = encode_length(content, encoded);

    g_array_set_size(aml->begun, aml->begun->len - 1);
    g_byte_array_set_size(aml->bytes, aml->bytes->len + size);
    memmove(aml->bytes->data + start + size, aml->bytes->data + start, content);
    memcpy(aml->bytes->data + start, encoded, size);
}

/* --- names (20.2.2) --- */

static void put_segment(Aml *aml, const char *text, gsize length)
{
    char segment[SEGMENT + 1] = "____";

    g_assert(length >= 1 && length <= SEGMENT);
    memcpy(segment, text, length);
    g_byte_array_append(aml->bytes, (const uint8_t *)segment, SEGMENT);
}

void aml_reference(Aml *aml, const char *path)
{
    gsize prefix = strspn(path, "\\^");
    g_auto(GStrv) segments = g_strsplit(path + prefix, ".", -1);
    guint count = path[prefix] ? g_strv_length(segments) : 0;

    g_byte_array_append(aml->bytes, (const uint8_t *)path, (guint)prefix);
    g_assert(count <= NAME_SEGMENTS_MAX);
    if (count == 0) {
        put_byte(aml, 0); /* NullName: the root itself */
    } else if (count == 2) {
        put_byte(aml, OP_DUAL_NAME);
    } else if (count > 2) {
        put_byte(aml, OP_MULTI_NAME);
        put_byte(aml, (uint8_t)count);
    }
    for (guint i = 0; i < count; i++) {
        put_segment(aml, segments[i], strlen(segments[i]));
    }
}

/* --- operands --- */

void aml_operator(Aml *aml, AmlOperator operator)
{
    if (operator> 0xff) {
        put_byte(aml, (uint8_t)(operator>> 8));
    }
    put_byte(aml, (uint8_t) operator);
}

void aml_integer(Aml *aml, uint64_t value)
{
    if (value <= 1) {
        put_byte(aml, value ? OP_ONE : OP_ZERO);
    } else if (value <= UINT8_MAX) {
        put_byte(aml, OP_BYTE);
        put(aml->bytes, value, 1);
    } else if (value <= UINT16_MAX) {
        put_byte(aml, OP_WORD);
        put(aml->bytes, value, 2);
    } else if (value <= UINT32_MAX) {
        put_byte(aml, OP_DWORD);
        put(aml->bytes, value, 4);
    } else {
        put_byte(aml, OP_QWORD);
        put(aml->bytes, value, 8);
    }
}

void aml_word(Aml *aml, uint16_t value)
{
    put(aml->bytes, value, 2);
}

void aml_string(Aml *aml, const char *text)
{
    put_byte(aml, OP_STRING);
    g_byte_array_append(aml->bytes, (const uint8_t *)text, (guint)strlen(text) + 1);
}

/* 19.3.4: three letters of 5 bits and four digits, most significant first, as a big-endian number.
 */
void aml_eisa_id(Aml *aml, const char *id)
{
    uint32_t number = 0;

    g_assert(strlen(id) == 7);
    for (guint i = 0; i < 3; i++) {
        number = number << 5 | (uint32_t)(id[i] - '@');
    }
    for (guint i = 3; i < 7; i++) {
        number = number << 4 | (uint32_t)g_ascii_xdigit_value(id[i]);
    }
    put_byte(aml, OP_DWORD);
    put(aml->bytes, GUINT32_SWAP_LE_BE(number), 4);
}

void aml_local(Aml *aml, unsigned number)
{
    put_byte(aml, (uint8_t)(OP_LOCAL0 + number));
}

void aml_argument(Aml *aml, unsigned number)
{
    put_byte(aml, (uint8_t)(OP_ARG0 + number));
}

void aml_no_target(Aml *aml)
{
    put_byte(aml, OP_ZERO);
}

void aml_buffer(Aml *aml, const void *bytes, gsize size)
{
    put_byte(aml, OP_BUFFER);
    begin(aml);
    aml_integer(aml, size);
    g_byte_array_append(aml->bytes, bytes, (guint)size);
    aml_end(aml);
}

/* --- terms (20.2.5) --- */

static void put_extended(Aml *aml, uint8_t opcode)
{
    put_byte(aml, OP_EXTENDED);
    put_byte(aml, opcode);
}

void aml_name(Aml *aml, const char *name)
{
    put_byte(aml, OP_NAME);
    aml_reference(aml, name);
}

void aml_mutex(Aml *aml, const char *name)
{
    put_extended(aml, EXTENDED_MUTEX);
    aml_reference(aml, name);
    put_byte(aml, 0); /* sync level */
}

void aml_scope(Aml *aml, const char *path)
{
    put_byte(aml, OP_SCOPE);
    begin(aml);
    aml_reference(aml, path);
}

void aml_device(Aml *aml, const char *name)
{
    put_extended(aml, EXTENDED_DEVICE);
    begin(aml);
    aml_reference(aml, name);
}

void aml_method(Aml *aml, const char *name, unsigned arguments, gboolean serialized)
{
    put_byte(aml, OP_METHOD);
    begin(aml);
    aml_reference(aml, name);
    put_byte(aml, (uint8_t)(arguments | (serialized ? 1u << 3 : 0)));
}

void aml_package(Aml *aml, uint8_t elements)
{
    put_byte(aml, OP_PACKAGE);
    begin(aml);
    put_byte(aml, elements);
}

void aml_if(Aml *aml)
{
    put_byte(aml, OP_IF);
    begin(aml);
}

void aml_else(Aml *aml)
{
    put_byte(aml, OP_ELSE);
    begin(aml);
}

void aml_while(Aml *aml)
{
    put_byte(aml, OP_WHILE);
    begin(aml);
}

void aml_region(Aml *aml, const char *name, AmlSpace space, uint64_t address, uint64_t size)
{
    put_extended(aml, EXTENDED_REGION);
    aml_reference(aml, name);
    put_byte(aml, (uint8_t)space);
    aml_integer(aml, address);
    aml_integer(aml, size);
}

void aml_field(Aml *aml, const char *region, AmlAccess access)
{
    const uint8_t write_as_zeros = 2u << 5;

    put_extended(aml, EXTENDED_FIELD);
    begin(aml);
    aml_reference(aml, region);
    put_byte(aml, (uint8_t)access | write_as_zeros);
}

void aml_field_unit(Aml *aml, const char *name, unsigned bits)
{
    uint8_t encoded[4];
    guint size;

    if (name) {
        put_segment(aml, name, strlen(name));
    } else {
        put_byte(aml, 0); /* ReservedField */
    }
    /* The same code as lengths have, but it does not count itself. */
    if (bits < 1u << 6) {
        put_byte(aml, (uint8_t)bits);
        return;
    }
    size = bits < 1u << 12 ? 2 : bits < 1u << 20 ? 3 : 4;
    encoded[0] = (uint8_t)((size - 1) << 6 | (bits & 0xf));
    for (guint i = 1; i < size; i++) {
        encoded[i] = (uint8_t)(bits >> (4 + 8 * (i - 1)));
    }
    g_byte_array_append(aml->bytes, encoded, size);
}

/* --- resources (6.4.2, 6.4.3) --- */

enum {
    TAG_IRQ = 0x22, /* small, 2 bytes */
    TAG_IO = 0x47,  /* small, 7 bytes */
    TAG_END = 0x79, /* small, 1 byte */
    TAG_DWORD_SPACE = 0x87,
    TAG_WORD_SPACE = 0x88,
    TAG_INTERRUPT = 0x89,
    TAG_QWORD_SPACE = 0x8a,
};

enum { SPACE_MEMORY = 0, SPACE_IO = 1, SPACE_BUS = 2 };
#define SPACE_FIXED 0x0cu        /* general flags: minimum and maximum are fixed, positive decode */
#define MEMORY_CACHEABLE_RW 0x3u /* 6.4.3.5.5: cacheable, read-write */
#define MEMORY_UNCACHED_RW 0x1u
#define IO_WHOLE_RANGE 0x3u

AmlResources *aml_resources_new(void)
{
    return g_byte_array_new();
}

void aml_resource_io(AmlResources *resources, uint16_t first, uint8_t length)
{
    put(resources, TAG_IO, 1);
    put(resources, 1, 1); /* decodes 16 bits */
    put(resources, first, 2);
    put(resources, first, 2);
    put(resources, 1, 1); /* alignment */
    put(resources, length, 1);
}

void aml_resource_irq(AmlResources *resources, unsigned line)
{
    put(resources, TAG_IRQ, 1);
    put(resources, 1u << line, 2);
}

void aml_resource_interrupt(AmlResources *resources, uint32_t line)
{
    const uint8_t consumer_level_high_shared = 1u << 0 | 1u << 3;

    put(resources, TAG_INTERRUPT, 1);
    put(resources, 6, 2);
    put(resources, consumer_level_high_shared, 1);
    put(resources, 1, 1);
    put(resources, line, 4);
}

/* An address space descriptor whose numbers have @width bytes. */
static void put_space(AmlResources *resources, uint8_t tag, guint width, uint8_t type,
                      uint8_t flags, uint64_t first, uint64_t last)
{
    put(resources, tag, 1);
    put(resources, 3 + 5 * width, 2);
    put(resources, type, 1);
    put(resources, SPACE_FIXED, 1);
    put(resources, flags, 1);
    put(resources, 0, width); /* granularity */
    put(resources, first, width);
    put(resources, last, width);
    put(resources, 0, width); /* translation */
    put(resources, last - first + 1, width);
}

void aml_resource_buses(AmlResources *resources, uint16_t first, uint16_t last)
{
    put_space(resources, TAG_WORD_SPACE, 2, SPACE_BUS, 0, first, last);
}

void aml_resource_ports(AmlResources *resources, uint16_t first, uint16_t last)
{
    put_space(resources, TAG_WORD_SPACE, 2, SPACE_IO, IO_WHOLE_RANGE, first, last);
}

void aml_resource_memory32(AmlResources *resources, uint32_t first, uint32_t last)
{
    put_space(resources, TAG_DWORD_SPACE, 4, SPACE_MEMORY, MEMORY_UNCACHED_RW, first, last);
}

void aml_resource_memory64(AmlResources *resources, uint64_t first, uint64_t last)
{
    put_space(resources, TAG_QWORD_SPACE, 8, SPACE_MEMORY, MEMORY_CACHEABLE_RW, first, last);
}

void aml_resources(Aml *aml, AmlResources *resources)
{
    put(resources, TAG_END, 1);
    put(resources, 0, 1); /* checksum 0: none */
    aml_buffer(aml, resources->data, resources->len);
    g_byte_array_unref(resources);
}
