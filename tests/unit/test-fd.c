/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qtest/forbid.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static gboolean is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_limit(void)
{
    struct rlimit limit, lowered;
    g_autoptr(GError) error = NULL;

    getrlimit(RLIMIT_NOFILE, &limit);
    lowered = (struct rlimit){64, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lowered);
    g_assert_true(fd_limit_raise(200, &error));
    getrlimit(RLIMIT_NOFILE, &lowered);
    g_assert_cmpuint(lowered.rlim_cur, >=, 200);
    g_assert_true(fd_limit_raise(10, &error));
    g_assert_false(fd_limit_raise(G_MAXUINT64, &error));
    g_assert_nonnull(strstr(error->message, "open files are needed"));
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Who shares an event fd can make it one that blocks, empty or with its counter at its end: nobody
 * waits here all the same. */
static void test_event_blocking(void)
{
    static const uint64_t end = UINT64_MAX - 1;
    int fd = event_fd_new(NULL);

    g_assert_true(fd_set_nonblocking(fd, FALSE, NULL));
    g_assert_false(event_fd_clear(fd));
    event_fd_signal(fd);
    g_assert_true(event_fd_clear(fd));
    g_assert_cmpint(write(fd, &end, sizeof(end)), ==, sizeof(end));
    event_fd_signal(fd);
    g_assert_true(event_fd_clear(fd));
    g_assert_false(event_fd_clear(fd));
    close(fd);
}

/* Who shares one can fill its counter at any moment: the kernel goes beyond what a write can. */
static void test_event_shared(void)
{
    static const uint64_t end = UINT64_MAX - 1;
    int fd = event_fd_new(NULL);
    uint64_t count;

    g_assert_true(fd_set_nonblocking(fd, FALSE, NULL));
    for (guint i = 0; i < 1000; i++) {
        event_fd_signal_shared(fd);
    }
    g_assert_cmpint(read(fd, &count, sizeof(count)), ==, sizeof(count));
    g_assert_cmpuint(count, ==, 1000);
    g_assert_cmpint(write(fd, &end, sizeof(end)), ==, sizeof(end));
    event_fd_signal_shared(fd);
    event_fd_signal_shared(fd);
    g_assert_cmpint(read(fd, &count, sizeof(count)), ==, sizeof(count));
    if (count == end) {
        g_test_skip("no asynchronous I/O here");
    } else {
        g_assert_cmpuint(count, ==, UINT64_MAX);
    }
    close(fd);
}

static gpointer signal_often(gpointer fd)
{
    for (guint i = 0; i < 1000; i++) {
        event_fd_signal_shared(GPOINTER_TO_INT(fd));
    }
    return NULL;
}

/* None is lost, however many threads share the requests to the kernel; some come a little later. */
static void test_event_threads(void)
{
    int fd = event_fd_new(NULL);
    GThread *threads[8];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    uint64_t count, total = 0;

    for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
        threads[i] = g_thread_new("signal", signal_often, GINT_TO_POINTER(fd));
    }
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_thread_join(threads[i]);
    }
    while (total < G_N_ELEMENTS(threads) * 1000 && poll(&readable, 1, 20000) == 1) {
        g_assert_cmpint(read(fd, &count, sizeof(count)), ==, sizeof(count));
        total += count;
    }
    g_assert_cmpuint(total, ==, G_N_ELEMENTS(threads) * 1000);
    close(fd);
}

/* What may wait is closed by somebody else, soon; the rest at once. */
static void test_foreign(void)
{
    int memory = memfd_create("memory", MFD_CLOEXEC), ends[2], lingering;

    g_assert_true(fd_is_memory(memory));
    lingering = memory;
    fd_clear_foreign(&memory);
    g_assert_cmpint(memory, ==, -1);
    g_assert_false(is_open(lingering));
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        g_assert_false(fd_is_memory(ends[0]));
        lingering = ends[0];
        fd_clear_foreign(&ends[0]);
        g_assert_cmpint(ends[0], ==, -1);
        for (guint tries = 0; is_open(lingering) && tries < 30000; tries++) {
            g_usleep(1000);
        }
        g_assert_false(is_open(lingering));
        close(ends[1]);
    }
}

/* A sandbox that does not know the read that never waits: an event is taken all the same. */
static void test_event_forbidden(void)
{
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        return;
    }
    int fd = event_fd_new(NULL);

    forbid_call(SYS_preadv2, EPERM);
    g_assert_false(event_fd_clear(fd));
    event_fd_signal(fd);
    g_assert_true(event_fd_clear(fd));
    g_assert_false(event_fd_clear(fd));
    close(fd);
}

static void test_events(void)
{
    int fd = event_fd_new(NULL);

    g_assert_false(event_fd_clear(fd));
    event_fd_signal(fd);
    event_fd_signal(fd);
    g_assert_true(event_fd_clear(fd));
    g_assert_false(event_fd_clear(fd));
    g_assert_true(fd_set_nonblocking(fd, FALSE, NULL));
    g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, ==, 0);
    fd_clear(&fd);
    g_assert_cmpint(fd, ==, -1);
    g_assert_false(fd_set_nonblocking(-1, TRUE, NULL));
}

static void test_names(void)
{
    g_autoptr(GError) error = NULL;
    int first = event_fd_new(NULL), second = event_fd_new(NULL);
    g_autofree char *number = g_strdup_printf("%d", second);

    fd_names_put("a", first);
    fd_names_put("a", second);
    g_assert_false(is_open(first));
    g_assert_cmpint(fd_resolve(number, NULL), ==, second);
    g_assert_cmpint(fd_resolve("a", NULL), ==, second);
    g_assert_cmpint(fd_names_take("a"), ==, -1);
    g_assert_cmpint(fd_resolve("a", &error), ==, -1);
    g_assert_cmpstr(error->message, ==, "file descriptor named 'a' not found");
    g_clear_error(&error);
    g_assert_cmpint(fd_resolve("99999", &error), ==, -1);
    g_assert_nonnull(strstr(error->message, "99999"));
    fd_names_put("b", second);
    fd_names_clear();
    g_assert_false(is_open(second));
}

static void note_set(gint64 set_id, GArray *entries, gpointer opaque)
{
    g_string_append_printf(opaque, "%" G_GINT64_FORMAT ":%u;", set_id, entries->len);
}

static void check_sets(const char *expected)
{
    g_autoptr(GString) list = g_string_new(NULL);

    fd_set_foreach(note_set, list);
    g_assert_cmpstr(list->str, ==, expected);
}

static void test_sets(void)
{
    g_autoptr(GError) error = NULL;
    gint64 automatic = -1, two = 2, next = -1;
    int reader = open("/dev/null", O_RDONLY), writer = open("/dev/null", O_WRONLY);
    int both = open("/dev/null", O_RDWR);

    g_assert_true(fd_set_add(&automatic, reader, "r", NULL));
    g_assert_cmpint(automatic, ==, 0);
    g_assert_true(fd_set_add(&two, both, NULL, NULL));
    g_assert_true(fd_set_add(&automatic, writer, NULL, NULL));
    check_sets("0:2;2:1;");
    g_assert_false(fd_set_add(&automatic, 99999, NULL, &error));
    g_clear_error(&error);

    int fd = fd_open("/dev/fdset/0", O_WRONLY, 0, NULL);
    g_assert_cmpint(fcntl(fd, F_GETFL) & O_ACCMODE, ==, O_WRONLY);
    g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
    fd_clear(&fd);
    fd = fd_open("/dev/fdset/2", O_RDONLY, 0, NULL);
    g_assert_cmpint(fd, >=, 0);
    fd_clear(&fd);
    static const char *const bad[] = {"/dev/fdset/0", "/dev/fdset/1", "/dev/fdset/x",
                                      "/nonexistent/file"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_cmpint(fd_open(bad[i], O_RDWR, 0, &error), ==, -1);
        g_assert_nonnull(strstr(error->message, bad[i]));
        g_clear_error(&error);
    }

    g_assert_false(fd_set_remove(7, -1, &error));
    g_clear_error(&error);
    g_assert_false(fd_set_remove(0, both, &error));
    g_clear_error(&error);
    g_assert_true(fd_set_remove(0, reader, NULL));
    g_assert_true(fd_set_remove(0, writer, NULL));
    check_sets("2:1;");
    int again = open("/dev/null", O_RDONLY);
    g_assert_true(fd_set_add(&next, again, NULL, NULL));
    g_assert_cmpint(next, ==, 0);
    g_assert_true(fd_set_remove(2, -1, NULL));
    g_assert_false(is_open(both));
    fd_names_clear();
    g_assert_false(is_open(again));
    check_sets("");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fd/limit", test_limit);
    g_test_add_func("/fd/events", test_events);
    g_test_add_func("/fd/events-forbidden", test_event_forbidden);
    g_test_add_func("/fd/events-blocking", test_event_blocking);
    g_test_add_func("/fd/events-shared", test_event_shared);
    g_test_add_func("/fd/events-threads", test_event_threads);
    g_test_add_func("/fd/foreign", test_foreign);
    g_test_add_func("/fd/names", test_names);
    g_test_add_func("/fd/sets", test_sets);
    return g_test_run();
}
