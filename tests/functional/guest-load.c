/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in a guest: writes blocks that say their number, sequence and checksum to random places of a
 * disk and reads them back, in several processes, past the page cache, until it is told to stop. It
 * takes the CPU time that the rest of the guest leaves.
 * Its buffers are mapped anew again and again, so that they come to lie in hot-added memory.
 */
#include "guest-pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096
#define MAGIC UINT64_C(0x746f6c73746f68) /* "hotslot" */
#define REQUEST_MOST 8                   /* blocks of a request */
#define REMAP_AFTER 16                   /* requests through the same buffer */
#define FLUSH_AFTER 200                  /* requests between flushes */

/* A block of the disk, as functional tests read it from the image. */
typedef struct Block {
    uint64_t magic, number, sequence;
    uint32_t checksum; /* CRC-32 of the payload */
    uint32_t unused;
    uint8_t payload[BLOCK - 32];
} Block;

/* Shared by the processes; each counter is its worker's own. */
typedef struct Counters {
    uint64_t writes, reads; /* blocks */
    uint64_t hot;           /* requests whose buffer began in hot-added memory */
    uint64_t flushes, errors;
    uint64_t blocks, digest; /* written blocks; sum of the CRC-32 of (number, sequence) of each */
} Counters;

typedef struct Worker {
    int disk, pagemap;
    uint64_t first, count; /* its blocks */
    uint64_t *sequences;   /* of each, 0: never written */
    uint64_t random;
    Counters *counters;
    Block *buffer;
    unsigned requests;
} Worker;

static uint32_t crc_table[256];

static void crc_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++) {
            value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
        }
        crc_table[i] = value;
    }
}

static uint32_t crc(const void *bytes, size_t size)
{
    uint32_t value = 0xffffffffu;

    for (size_t i = 0; i < size; i++) {
        value = crc_table[(value ^ ((const uint8_t *)bytes)[i]) & 0xff] ^ value >> 8;
    }
    return ~value;
}

/* Xorshift (Marsaglia 2003): quick, and never 0 if it was not. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void complain(Worker *worker, const char *what, uint64_t block)
{
    worker->counters->errors++;
    printf("block %" PRIu64 ": %s (%s)\n", block, what, strerror(errno));
    fflush(stdout);
}

static int is_hot(Worker *worker)
{
    return physical_address(worker->pagemap, worker->buffer) >= HOT_AREA;
}

static void renew_buffer(Worker *worker)
{
    size_t size = REQUEST_MOST * sizeof(Block);

    if (worker->buffer) {
        munmap(worker->buffer, size);
    }
    worker->buffer =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (worker->buffer == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
}

static void write_blocks(Worker *worker, uint64_t first, unsigned count)
{
    size_t size = count * sizeof(Block);

    for (unsigned i = 0; i < count; i++) {
        Block *block = &worker->buffer[i];

        block->magic = MAGIC;
        block->number = worker->first + first + i;
        block->sequence = ++worker->sequences[first + i];
        for (size_t at = 0; at + 8 <= sizeof(block->payload); at += 8) {
            uint64_t word = next_random(&worker->random);

            memcpy(block->payload + at, &word, 8);
        }
        block->checksum = crc(block->payload, sizeof(block->payload));
    }
    if (pwrite(worker->disk, worker->buffer, size, (off_t)((worker->first + first) * BLOCK)) !=
        (ssize_t)size) {
        complain(worker, "cannot be written", worker->first + first);
    }
    worker->counters->writes += count;
}

static void read_blocks(Worker *worker, uint64_t first, unsigned count)
{
    size_t size = count * sizeof(Block);

    memset(worker->buffer, 0x5a, size);
    if (pread(worker->disk, worker->buffer, size, (off_t)((worker->first + first) * BLOCK)) !=
        (ssize_t)size) {
        complain(worker, "cannot be read", worker->first + first);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const Block *block = &worker->buffer[i];
        uint64_t sequence = worker->sequences[first + i];

        errno = 0;
        if (sequence == 0) {
            continue;
        }
        if (block->magic != MAGIC || block->number != worker->first + first + i ||
            block->checksum != crc(block->payload, sizeof(block->payload))) {
            complain(worker, "is damaged", worker->first + first + i);
        } else if (block->sequence != sequence) {
            complain(worker, "is not what was written last", worker->first + first + i);
        }
        worker->counters->reads++;
    }
}

static void request(Worker *worker)
{
    unsigned count = 1 + next_random(&worker->random) % REQUEST_MOST;
    uint64_t first = next_random(&worker->random) % (worker->count - count + 1);

    if (worker->requests % REMAP_AFTER == 0) {
        renew_buffer(worker);
    }
    worker->counters->hot += is_hot(worker);
    if (next_random(&worker->random) % 2) {
        write_blocks(worker, first, count);
    } else {
        read_blocks(worker, first, count);
    }
    if (++worker->requests % FLUSH_AFTER == 0) {
        worker->counters->flushes++;
        if (fdatasync(worker->disk)) {
            complain(worker, "cannot be flushed", worker->first);
        }
    }
}

/* Reads every block once more. */
static void finish(Worker *worker)
{
    for (uint64_t i = 0; i < worker->count; i++) {
        uint64_t entry[2] = {worker->first + i, worker->sequences[i]};

        if (entry[1]) {
            read_blocks(worker, i, 1);
            worker->counters->blocks++;
            worker->counters->digest += crc(entry, sizeof(entry));
        }
    }
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void work(Worker *worker, const char *stop)
{
    worker->sequences = calloc(worker->count, sizeof(uint64_t));
    worker->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (!worker->sequences || worker->pagemap < 0) {
        perror("worker");
        exit(1);
    }
    while (!exists(stop)) {
        request(worker);
    }
    finish(worker);
    exit(0);
}

/* One line with the sum of all counters, which replaces @path as a whole. */
static void report(const Counters *counters, unsigned workers, const char *state, const char *path)
{
    Counters sum = {0};
    char next[256];
    FILE *file;

    for (unsigned i = 0; i < workers; i++) {
        sum.writes += counters[i].writes;
        sum.reads += counters[i].reads;
        sum.hot += counters[i].hot;
        sum.flushes += counters[i].flushes;
        sum.errors += counters[i].errors;
        sum.blocks += counters[i].blocks;
        sum.digest += counters[i].digest;
    }
    snprintf(next, sizeof(next), "%s.next", path);
    file = fopen(next, "we");
    if (!file) {
        perror(next);
        exit(1);
    }
    fprintf(file,
            "state=%s writes=%" PRIu64 " reads=%" PRIu64 " hot=%" PRIu64 " flushes=%" PRIu64
            " errors=%" PRIu64 " blocks=%" PRIu64 " digest=%" PRIu64 "\n",
            state, sum.writes, sum.reads, sum.hot, sum.flushes, sum.errors, sum.blocks, sum.digest);
    fclose(file);
    rename(next, path);
}

int main(int argc, char **argv)
{
    unsigned workers = argc == 6 ? (unsigned)atoi(argv[3]) : 0;
    uint64_t blocks = argc == 6 ? strtoull(argv[2], NULL, 10) : 0;
    Counters *counters;
    int failed = 0;

    if (workers == 0 || blocks / workers < REQUEST_MOST) {
        fprintf(stderr, "usage: guest-load DISK BLOCKS WORKERS STOP-FILE REPORT-FILE\n");
        return 2;
    }
    /* What is tested under load comes first, where two CPUs are emulated on one. */
    setpriority(PRIO_PROCESS, 0, 19);
    crc_init();
    counters = mmap(NULL, workers * sizeof(*counters), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < workers; i++) {
        Worker worker = {.disk = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC),
                         .first = blocks / workers * i,
                         .count = blocks / workers,
                         .random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1),
                         .counters = &counters[i]};

        if (worker.disk < 0) {
            perror(argv[1]);
            return 1;
        }
        if (fork() == 0) {
            work(&worker, argv[4]);
        }
        close(worker.disk);
    }
    for (unsigned left = workers; left;) {
        int status;

        report(counters, workers, "running", argv[5]);
        usleep(200000);
        while (left && waitpid(-1, &status, WNOHANG) > 0) {
            failed |= status;
            left--;
        }
    }
    report(counters, workers, failed ? "failed" : "done", argv[5]);
    return failed ? 1 : 0;
}
