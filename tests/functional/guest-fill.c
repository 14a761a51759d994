/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest.  "fill DISK SIZE DIMMS MOST": takes memory until some of it lies in DIMMS ranges
 * of SIZE MiB above 4 GiB, at most MOST MiB, and lets a disk write from and read to pages of all of
 * them, past the page cache.  "pin MIB": holds memory of the kernel's that it cannot move.
 */
#include "guest-pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB (1u << 20)
#define CHUNK (2u * MIB) /* a large page of the guest */
#define SPAN (8u * PAGE) /* of a chunk that the disk sees */
#define DIMMS_MOST 4096u
#define SPANS_OF_DIMM 2u

typedef struct Fill {
    int disk, pagemap;
    uint64_t dimm_size;
    unsigned dimms;                 /* wanted */
    unsigned covered;               /* DIMMs with pages that were verified */
    unsigned char seen[DIMMS_MOST]; /* spans that were, by number of the range */
} Fill;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* A page's words: no two pages or passes have the same. */
static uint64_t word(uint64_t page, uint64_t index)
{
    uint64_t value = (page << 10 | index) * UINT64_C(0x9e3779b97f4a7c15) + 1;

    return value ^ value >> 29;
}

static void put_pattern(uint64_t *words, uint64_t page)
{
    for (unsigned i = 0; i < SPAN / 8; i++) {
        words[i] = word(page, i);
    }
}

static void check_pattern(const uint64_t *words, uint64_t page)
{
    for (unsigned i = 0; i < SPAN / 8; i++) {
        if (words[i] != word(page, i)) {
            printf("page at 0x%" PRIx64 ": word %u is 0x%" PRIx64 "\n", page, i, words[i]);
            exit(1);
        }
    }
}

/* Memory goes to the disk, is overwritten, and comes back from it.  A few times for each DIMM are
 * enough: what takes long is to find memory of all of them. */
static int transfer(Fill *fill, char *span, unsigned index)
{
    uint64_t page = physical_address(fill->pagemap, span);
    uint64_t number = page < HOT_AREA ? DIMMS_MOST : (page - HOT_AREA) / fill->dimm_size;
    off_t place = (off_t)(index % 64) * SPAN;

    if (number >= DIMMS_MOST || fill->seen[number] >= SPANS_OF_DIMM) {
        return 0;
    }
    put_pattern((uint64_t *)(void *)span, page);
    if (pwrite(fill->disk, span, SPAN, place) != SPAN) {
        fail("write");
    }
    memset(span, 0x5a, SPAN);
    if (pread(fill->disk, span, SPAN, place) != SPAN) {
        fail("read");
    }
    check_pattern((const uint64_t *)(const void *)span, page);
    fill->covered += fill->seen[number]++ == 0;
    return 1;
}

static int run_fill(char **arguments)
{
    static Fill fill;
    unsigned most = (unsigned)atoi(arguments[3]) / (CHUNK / MIB), chunks = 0, spans = 0;
    char *memory;

    fill.disk = open(arguments[0], O_RDWR | O_DIRECT | O_CLOEXEC);
    fill.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    fill.dimm_size = (uint64_t)atoi(arguments[1]) * MIB;
    fill.dimms = (unsigned)atoi(arguments[2]);
    if (fill.disk < 0 || fill.pagemap < 0 || fill.dimm_size == 0) {
        fail(arguments[0]);
    }
    memory = mmap(NULL, (size_t)(most + 1) * CHUNK, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        fail("mmap");
    }
    memory += CHUNK - (uintptr_t)memory % CHUNK;
    madvise(memory, (size_t)most * CHUNK, MADV_HUGEPAGE);
    for (; chunks < most && fill.covered < fill.dimms; chunks++) {
        char *chunk = memory + (size_t)chunks * CHUNK;
        char *span = chunk + chunks % 63 * SPAN;
        memset(span, 0, SPAN); /* one large page comes with it, if the guest has one */
        spans += (unsigned)transfer(&fill, span, chunks);
    }
    printf("dimms=%u spans=%u taken=%u\n", fill.covered, spans, chunks * (CHUNK / MIB));
    return 0;
}

/* What is in a pipe is the kernel's and stays where it is. */
static int run_pin(char **arguments)
{
    static char content[64 * PAGE];
    unsigned left = (unsigned)atoi(arguments[0]) * (MIB / sizeof(content));

    memset(content, 0xa5, sizeof(content));
    while (left-- > 0) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) || fcntl(ends[1], F_SETPIPE_SZ, sizeof(content)) < 0 ||
            write(ends[1], content, sizeof(content)) < 0) {
            fail("pipe");
        }
    }
    puts("pinned");
    fflush(stdout);
    return pause();
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "fill") == 0) {
        return run_fill(argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "pin") == 0) {
        return run_pin(argv + 2);
    }
    fprintf(stderr, "usage: guest-fill fill DISK MIB DIMMS MIB | guest-fill pin MIB\n");
    return 2;
}
