/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of dirty pages against a naive model, with marks from many threads, and logs that a
 * front-end should not have sent.
 */
#include "dirty-log.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "map-fixture.h"

#define PAGE VHOST_USER_LOG_PAGE_SIZE

static VhostUserDirtyLog log_of(int fd, guint64 offset, guint64 size)
{
    VhostUserDirtyLog log = {0};
    const VhostUserLog description = {.size = size, .offset = offset};
    const char *reason = NULL;
    int result = vhost_user_dirty_log_set(&log, &description, fd, &reason);

    g_assert_cmpstr(reason, ==, NULL);
    g_assert_cmpint(result, ==, 0);
    return log;
}

/* Page by page, byte by byte of the file, as the specification says it. */
static void model_mark(guint8 *model, guint64 size, guint64 address, guint64 length)
{
    for (guint64 i = 0; i < length; i++) {
        guint64 page = (address + i) / PAGE;

        if (page / 8 < size) {
            model[page / 8] |= (guint8)(1 << page % 8);
        }
        if (i + PAGE < length) { /* the rest of the page is the same bit */
            i += PAGE - 1 - (address + i) % PAGE;
        }
    }
}

/* The file: what is in front of the log and behind it stays as it was. */
static void check_file(int fd, guint64 offset, const guint8 *model, guint64 size)
{
    guint64 length = offset + size + 64;
    g_autofree guint8 *bytes = g_malloc(length);

    g_assert_cmpint(pread(fd, bytes, length, 0), ==, length);
    g_assert_cmpmem(bytes + offset, size, model, size);
    for (guint64 i = 0; i < length; i++) {
        if (i < offset || i >= offset + size) {
            g_assert_cmphex(bytes[i], ==, 0);
        }
    }
}

/* Sizes and offsets that are no whole pages. */
static void test_random(void)
{
    enum { FILE_PAGES = 4 };

    for (guint round = 0; round < 50; round++) {
        guint64 size = (guint64)g_test_rand_int_range(1, 2 * MAP_PAGE);
        guint64 offset = (guint64)g_test_rand_int_range(0, MAP_PAGE + 100);
        g_autofree guint8 *model = g_malloc0(size);
        int fd = map_file_new(FILE_PAGES);
        VhostUserDirtyLog log = log_of(fd, offset, size);

        for (guint i = 0; i < 100; i++) {
            guint64 address = (guint64)g_test_rand_int_range(0, (gint)(size * 8 + 20)) * PAGE +
                              (guint64)g_test_rand_int_range(0, PAGE);
            guint64 length = (guint64)g_test_rand_int_range(0, 40 * PAGE);

            vhost_user_dirty_log_mark(&log, address, length);
            model_mark(model, size, address, length);
        }
        check_file(fd, offset, model, size);
        vhost_user_dirty_log_clear(&log);
        g_assert_cmpuint(map_count_pages(fd), ==, 0);
        close(fd);
    }
}

static void test_edges(void)
{
    const struct {
        guint64 address, size;
        guint8 expected[3];
    } rows[] = {
        {0, 0, {0, 0, 0}},
        {0, 1, {1, 0, 0}},
        {PAGE - 1, 1, {1, 0, 0}},
        {PAGE - 1, 2, {3, 0, 0}},
        {PAGE, PAGE, {2, 0, 0}},
        {7 * PAGE, PAGE + 1, {0x80, 1, 0}},
        {3 * PAGE, 10 * PAGE, {0xf8, 0x1f, 0}},
        {0, 24 * PAGE, {0xff, 0xff, 0xff}},
        {23 * PAGE, PAGE, {0, 0, 0x80}},
        {23 * PAGE, 2 * PAGE, {0, 0, 0x80}}, /* the log is too short for the second */
        {24 * PAGE, PAGE, {0, 0, 0}},
        {UINT64_MAX - PAGE, PAGE, {0, 0, 0}},
        {23 * PAGE, UINT64_MAX, {0, 0, 0x80}}, /* a sum that wraps ends at the end */
        {0, UINT64_MAX, {0xff, 0xff, 0xff}},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        int fd = map_file_new(1);
        VhostUserDirtyLog log = log_of(fd, 0, 3);

        vhost_user_dirty_log_mark(&log, rows[i].address, rows[i].size);
        check_file(fd, 0, rows[i].expected, 3);
        vhost_user_dirty_log_clear(&log);
        close(fd);
    }
}

static void test_none(void)
{
    VhostUserDirtyLog log = {0};

    vhost_user_dirty_log_mark(&log, 0, PAGE);
    g_assert_false(vhost_user_dirty_log_recover_fault(&log, NULL));
    vhost_user_dirty_log_clear(&log);
    g_assert_null(log.bits);
}

typedef struct Setter {
    const VhostUserDirtyLog *log;
    guint first;
} Setter;

#define SETTERS 4u
#define LOG_SIZE 512u

/* Every SETTERS-th page, so that all threads meet in each byte. */
static gpointer setter_run(gpointer opaque)
{
    const Setter *setter = opaque;

    for (guint page = setter->first; page < LOG_SIZE * 8; page += SETTERS) {
        vhost_user_dirty_log_mark(setter->log, (guint64)page * PAGE, 1);
    }
    return NULL;
}

/* While they set, the front-end takes bits: none is lost, none is there twice. */
static void test_concurrent(void)
{
    int fd = map_file_new(1);
    VhostUserDirtyLog log = log_of(fd, 0, LOG_SIZE);
    _Atomic guint8 *front_end = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    for (guint round = 0; round < 20; round++) {
        guint8 taken[LOG_SIZE] = {0};
        Setter setters[SETTERS];
        GThread *threads[SETTERS];

        for (guint i = 0; i < SETTERS; i++) {
            setters[i] = (Setter){&log, i};
            threads[i] = g_thread_new("setter", setter_run, &setters[i]);
        }
        for (guint sweep = 0; sweep <= 10; sweep++) {
            if (sweep == 10) {
                for (guint i = 0; i < SETTERS; i++) {
                    g_thread_join(threads[i]);
                }
            }
            for (guint i = 0; i < LOG_SIZE; i++) {
                guint8 bits = atomic_exchange(&front_end[i], 0);

                g_assert_cmphex(taken[i] & bits, ==, 0);
                taken[i] |= bits;
            }
        }
        for (guint i = 0; i < LOG_SIZE; i++) {
            g_assert_cmphex(taken[i], ==, 0xff);
        }
    }
    vhost_user_dirty_log_clear(&log);
    munmap((void *)front_end, LOG_SIZE);
    close(fd);
}

/* A log that is refused leaves the one before as it is. */
static void test_refused(void)
{
    const struct {
        VhostUserLog description;
        gboolean no_file;
        int error;
        const char *reason;
    } rows[] = {
        {{.size = 0}, FALSE, -EINVAL, "the log's size is 0"},
        {{.size = UINT64_MAX, .offset = 1},
         FALSE,
         -EINVAL,
         "offset plus size is more than a file can have"},
        {{.size = INT64_MAX, .offset = 1},
         FALSE,
         -EINVAL,
         "offset plus size is more than a file can have"},
        {{.size = 2 * MAP_PAGE + 1}, FALSE, -EINVAL, "the file is shorter than offset plus size"},
        {{.size = MAP_PAGE, .offset = MAP_PAGE + 1},
         FALSE,
         -EINVAL,
         "the file is shorter than offset plus size"},
        {{.size = MAP_PAGE}, TRUE, -EBADF, "there is no usable descriptor"},
    };
    int fd = map_file_new(2);
    VhostUserDirtyLog log = log_of(fd, 0, 8);
    const VhostUserDirtyLog before = log;
    guint descriptors = map_count_descriptors();

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *reason = NULL;

        g_assert_cmpint(vhost_user_dirty_log_set(&log, &rows[i].description,
                                                 rows[i].no_file ? -1 : fd, &reason),
                        ==, rows[i].error);
        g_assert_cmpstr(reason, ==, rows[i].reason);
        g_assert_cmpmem(&before, sizeof(before), &log, sizeof(log));
        g_assert_cmpuint(map_count_pages(fd), ==, 1);
        g_assert_cmpuint(map_count_descriptors(), ==, descriptors);
    }
    vhost_user_dirty_log_mark(&log, 0, 1);
    check_file(fd, 0, (const guint8[8]){1}, 8);
    vhost_user_dirty_log_clear(&log);
    close(fd);
}

/* A new log takes the place of the old one, which is unmapped. */
static void test_replaced(void)
{
    int first = map_file_new(1), second = map_file_new(1);
    VhostUserDirtyLog log = log_of(first, 0, 8);
    const char *reason = NULL;

    g_assert_cmpint(
        vhost_user_dirty_log_set(&log, &(VhostUserLog){.size = 8, .offset = 16}, second, &reason),
        ==, 0);
    g_assert_cmpuint(map_count_pages(first), ==, 0);
    vhost_user_dirty_log_mark(&log, PAGE, 1);
    check_file(first, 0, (const guint8[8]){0}, 8);
    check_file(second, 16, (const guint8[8]){2}, 8);
    vhost_user_dirty_log_clear(&log);
    g_assert_cmpuint(map_count_pages(second), ==, 0);
    close(first);
    close(second);
}

static VhostUserDirtyLog faulting_log;
static volatile sig_atomic_t faults;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    faults++;
    if (!vhost_user_dirty_log_recover_fault(&faulting_log, info->si_addr)) {
        signal(number, SIG_DFL);
    }
}

static void test_truncated(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    int fd = map_file_new(2);

    faulting_log = log_of(fd, 0, 2 * MAP_PAGE);
    g_assert_cmpint(sigaction(SIGBUS, &action, NULL), ==, 0);
    g_assert_cmpint(ftruncate(fd, 0), ==, 0);
    vhost_user_dirty_log_mark(&faulting_log, 0, 2 * MAP_PAGE * 8ull * PAGE);
    g_assert_cmpint(faults, ==, 1); /* one for both pages */
    g_assert_cmphex(faulting_log.bits[0], ==, 0xff);
    signal(SIGBUS, SIG_DFL);
    vhost_user_dirty_log_clear(&faulting_log);
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvhost-user/dirty-log/random", test_random);
    g_test_add_func("/libvhost-user/dirty-log/edges", test_edges);
    g_test_add_func("/libvhost-user/dirty-log/none", test_none);
    g_test_add_func("/libvhost-user/dirty-log/concurrent", test_concurrent);
    g_test_add_func("/libvhost-user/dirty-log/refused", test_refused);
    g_test_add_func("/libvhost-user/dirty-log/replaced", test_replaced);
    g_test_add_func("/libvhost-user/dirty-log/truncated", test_truncated);
    return g_test_run();
}
