/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzzers share: the input as a stream of decisions, and what must hold. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Aborts, so that the fuzzer keeps the input; not an assertion, which a build may leave out. */
#define fuzz_require(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct FuzzInput {
    const uint8_t *data; /* what is left */
    size_t size;
} FuzzInput;

/* The next byte, 0 at the end. */
static inline uint8_t fuzz_byte(FuzzInput *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

/* The next @size (at most 8) bytes, the lowest first. */
static inline uint64_t fuzz_number(FuzzInput *input, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)fuzz_byte(input) << (8 * i);
    }
    return value;
}

/* What is left as text that ends at the first NUL; caller frees. */
static inline char *fuzz_text(FuzzInput *input)
{
    return g_strndup((const char *)input->data, input->size);
}

#endif
