/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes through the JSON reader, at once and in slices.  Both give the same values and errors;
 * what is accepted reads the same again when it is written; memory stays in proportion.
 */
#include "fuzz.h"
#include "util/json.h"

#include <sanitizer/allocator_interface.h>
#include <string.h>

/* json-c makes a table of 16 members for "{}"; what is fixed is its stack for the nesting. */
#define BYTES_PER_BYTE 1024
#define BYTES_FIXED (512 * 1024)

static void check_again(json_object *value, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) again = json_parse(text, &error);

    fuzz_require(again && !error);
    fuzz_require(json_object_equal(value, again));
}

static void take(json_object *value, GError *error, gpointer opaque)
{
    GPtrArray *texts = opaque; /* a value's, or "!": json-c words its errors by slices */

    fuzz_require(!value != !error);
    if (error) {
        fuzz_require(g_utf8_validate(error->message, -1, NULL));
        g_ptr_array_add(texts, g_strdup("!"));
        g_error_free(error);
        return;
    }
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    check_again(value, text);
    g_ptr_array_add(texts, g_strdup(text));
    json_object_put(value);
}

/* Ends whatever is open: a line end in a string is an error, a stray byte elsewhere. */
static const char tail[] = "\n\xff\n";

/* @slice 0: at once; else the length of each slice follows from it and from what was before. */
static GPtrArray *read_all(const uint8_t *data, size_t size, uint8_t slice)
{
    g_autoptr(JsonReader) reader = json_reader_new();
    GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
    size_t before = __sanitizer_get_current_allocated_bytes();

    for (size_t at = 0, length; at < size; at += length) {
        slice = slice ? (uint8_t)(slice * 5 + data[at]) | 1 : 0;
        length = slice ? MIN(1 + slice % 32u, size - at) : size;
        json_reader_feed(reader, (const char *)data + at, length, take, texts);
        fuzz_require(__sanitizer_get_current_allocated_bytes() <=
                     before + BYTES_FIXED + BYTES_PER_BYTE * (at + length));
    }
    json_reader_feed(reader, tail, strlen(tail), take, texts);
    return texts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    uint8_t slice = fuzz_byte(&input) | 1;
    g_autoptr(GPtrArray) whole = read_all(input.data, input.size, 0);
    g_autoptr(GPtrArray) sliced = read_all(input.data, input.size, slice);

    for (guint i = 0; i < MIN(whole->len, sliced->len); i++) {
        const char *one = g_ptr_array_index(whole, i);
        const char *other = g_ptr_array_index(sliced, i);

        if (!g_str_equal(one, other)) {
            fprintf(stderr, "at once:   %s\nin slices: %s\n", one, other);
            abort();
        }
    }
    fuzz_require(whole->len == sliced->len);
    return 0;
}
