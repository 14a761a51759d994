/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chardevs whose bytes pass through our hands: multiplexers, ring buffers, telnet, log files; and
 * FIFOs.
 */
#include "chardev-user.h"
#include "chardev/ringbuf.h"
#include "system/main-loop.h"
#include "system/run-state.h"
#include "util/fd.h"

#include <arpa/telnet.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A front end and what it saw. */
typedef struct User {
    ChardevUser noted; /* the first member: callbacks get both */
    ChardevFrontend frontend;
    guint breaks;
    gboolean focus;
} User;

static void note_focus(gpointer opaque, gboolean here)
{
    ((User *)opaque)->focus = here;
}

static void note_break(gpointer opaque)
{
    ((User *)opaque)->breaks++;
}

static void attach(User *user, Chardev *chardev)
{
    *user = (User){.frontend = {.opened = chardev_user_opened,
                                .opaque = user,
                                .user = "test",
                                .focus = note_focus,
                                .line_break = note_break},
                   .noted = {.input = -1, .output = -1}};
    g_assert_true(chardev_attach(chardev, &user->frontend, NULL));
}

static Chardev *create(const char *text)
{
    g_autoptr(GError) error = NULL;
    Chardev *chardev = chardev_from_text(text, &error);

    g_assert_no_error(error);
    return chardev;
}

static int connect_client(const char *name)
{
    int fd = chardev_unix_connect(name);

    g_assert_true(fd_set_nonblocking(fd, TRUE, NULL));
    return fd;
}

/* Reads until @expected has come, no more and no less. */
static void expect_bytes(int fd, const char *expected, gsize length)
{
    g_autofree char *bytes = g_malloc0(length + 1);
    gint64 deadline = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    gsize got = 0;

    while (got < length && g_get_monotonic_time() < deadline) {
        ssize_t count = read(fd, bytes + got, length - got);
        g_assert_cmpint(count, !=, 0);
        got += count > 0 ? (gsize)count : 0;
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpmem(bytes, got, expected, length);
    g_assert_cmpint(read(fd, bytes, 1), ==, -1);
}

static void expect(int fd, const char *expected)
{
    expect_bytes(fd, expected, strlen(expected));
}

static void say(int fd, const char *text)
{
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void settle(void)
{
    for (guint i = 0; i < 50; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
}

static void expect_end(int fd)
{
    char byte;

    settle();
    g_assert_cmpint(read(fd, &byte, 1), ==, 0);
}

static void expect_file(const char *name, const char *expected)
{
    g_autofree char *path = chardev_file(name);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

/* --- multiplexers --- */

static void test_mux(void)
{
    User first, second;
    Chardev *mux = create("socket,id=m,path=DIR/m,server=on,wait=off,mux=on");
    Chardev *ports[] = {chardev_port(mux), chardev_port(mux)};
    g_autoptr(GError) error = NULL;
    guint opened = 0;

    g_assert_nonnull(chardev_find("m-base"));
    attach(&first, ports[0]);
    attach(&second, ports[1]);
    g_assert_cmpuint(first.noted.opened, ==, 0);
    g_assert_true(!chardev_has_focus(ports[0]) && chardev_has_focus(ports[1]));
    g_assert_false(chardev_remove("m", &error));
    for (guint round = 1; round <= 2; round++) { /* the terminal goes, and another comes */
        int peer = connect_client("m");
        while (first.noted.opened < round || second.noted.opened < round) {
            main_loop_turn();
        }
        say(first.noted.output, "one ");
        expect(peer, "one ");
        say(second.noted.output, "two");
        expect(peer, "two");
        /* Keys go to the one that has the focus, also where it changes in the middle. */
        say(peer, round == 1 ? "ab\x01"
                               "ccd\x01\x01"
                             : "\x01"
                               "cab\x01"
                               "ccd\x01\x01");
        expect(second.noted.input, "ab");
        expect(first.noted.input, "cd\x01");
        g_assert_true(first.focus && !second.focus);
        say(peer, "\x01"
                  "b\x01?\x01z");
        settle();
        g_assert_cmpuint(first.breaks, ==, 1 + opened++);
        char help[1024];
        ssize_t length = read(peer, help, sizeof(help) - 1);
        g_assert_cmpint(length, >, 0);
        help[length] = '\0';
        g_assert_nonnull(strstr(help, "Ctrl-A x"));
        close(peer);
        expect_end(first.noted.input);
        expect_end(second.noted.input);
        chardev_disconnected(ports[0]);
        chardev_disconnected(ports[1]);
    }
    for (guint i = 0; i < 2; i++) {
        chardev_detach(ports[i]);
        g_object_unref(ports[i]);
    }
    g_clear_error(&error);
    g_assert_true(chardev_remove("m", &error));
    g_assert_null(chardev_find("m-base"));
    chardev_cleanup();
}

static void test_mux_times(void)
{
    User user;
    Chardev *mux = create("socket,id=m,path=DIR/t,server=on,wait=off,mux=on");
    Chardev *port = chardev_port(mux);
    int peer = connect_client("t");
    char text[128];

    attach(&user, port);
    while (user.noted.opened == 0) {
        main_loop_turn();
    }
    say(peer, "\x01t");
    settle();
    say(user.noted.output, "a\nb");
    settle();
    ssize_t length = read(peer, text, sizeof(text) - 1);
    g_assert_cmpint(length, >, 0);
    text[length] = '\0';
    g_assert_true(g_regex_match_simple("^\\[00:00:0\\d\\.\\d{3}\\] a\n\\[00:00:0\\d\\.\\d{3}\\] b$",
                                       text, 0, 0));
    /* What a front end wrote last is not lost when it leaves. */
    say(peer, "\x01t");
    settle();
    say(user.noted.output, "last words");
    chardev_detach(port);
    expect(peer, "last words");
    g_object_unref(port);
    close(peer);
    chardev_cleanup();
}

/* --- ring buffers --- */

static void check_ring(const char *id, gsize size, const char *expected)
{
    g_autoptr(GByteArray) bytes = chardev_ringbuf_read(id, size, NULL);

    g_assert_cmpmem(bytes->data, bytes->len, expected, strlen(expected));
}

static void test_ringbuf(void)
{
    User user;
    Chardev *ringbuf = create("ringbuf,id=r,size=8");

    attach(&user, ringbuf);
    check_ring("r", 8, "");
    say(user.noted.output, "abc");
    check_ring("r", 2, "ab");
    say(user.noted.output, "defghij");
    check_ring("r", 3, "cde");
    g_assert_true(chardev_ringbuf_write("r", (const guint8 *)"0123456789", 10, NULL));
    check_ring("r", 100, "23456789");
    check_ring("r", 100, "");
    say(user.noted.output, "kept");
    chardev_detach(ringbuf);
    check_ring("r", 100, "kept");
    g_assert_true(chardev_remove("r", NULL));
}

/* --- log files --- */

static void test_log(void)
{
    User user;
    Chardev *chardev = create("socket,id=l,path=DIR/l,server=on,wait=off,logfile=DIR/log");
    g_autoptr(GError) error = NULL;

    for (guint round = 1; round <= 2; round++) {
        int peer = connect_client("l");
        if (round == 1) {
            attach(&user, chardev);
        }
        while (user.noted.opened < round) {
            main_loop_turn();
        }
        say(user.noted.output, "out");
        expect(peer, "out");
        say(peer, "in");
        expect(user.noted.input, "in");
        close(peer);
        expect_end(user.noted.input);
        chardev_disconnected(chardev);
    }
    g_assert_false(chardev_check_socket(chardev, &error));
    g_assert_nonnull(strstr(error->message, "logfile="));
    chardev_detach(chardev);
    chardev_cleanup();
    expect_file("log", "outout");

    chardev = create("null,id=l,logfile=DIR/log,logappend=on");
    attach(&user, chardev);
    say(user.noted.output, "more");
    chardev_detach(chardev);
    chardev_cleanup();
    expect_file("log", "outoutmore");
    create("null,id=l,logfile=DIR/log");
    chardev_cleanup();
    expect_file("log", "");
}

/* A peer that does not read holds up the front end, and what waits comes later. */
static void test_slow_peer(void)
{
    User user;
    Chardev *chardev = create("socket,id=l,path=DIR/slow,server=on,wait=off,logfile=DIR/slow.log");
    int peer = connect_client("slow");
    char piece[4096], bytes[4096];
    gsize sent = 0, received = 0;
    gboolean good = TRUE;

    attach(&user, chardev);
    while (user.noted.opened == 0) {
        main_loop_turn();
    }
    for (guint i = 0; i < 1000; i++) {
        memset(piece, (int)(sent / sizeof(piece)), sizeof(piece));
        ssize_t count = write(user.noted.output, piece, sizeof(piece) - sent % sizeof(piece));
        sent += count > 0 ? (gsize)count : 0;
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(sent, <, 1000 * sizeof(piece)); /* it was held up */
    for (guint i = 0; i < 100000 && received < sent; i++) {
        ssize_t count = read(peer, bytes, sizeof(bytes));
        for (ssize_t j = 0; j < count; j++, received++) {
            good = good && bytes[j] == (char)(received / sizeof(piece));
        }
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(received, ==, sent);
    g_assert_true(good);
    chardev_detach(chardev);
    close(peer);
    chardev_cleanup();
}

/* --- telnet --- */

static void test_telnet(void)
{
    static const char offers[] = "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd";
    static const char sent[] = "a\xff\xfd\x01"                         /* DO ECHO */
                               "\xff\xfa\x18\x00xterm\xff\xff\xff\xf0" /* a subnegotiation */
                               "b\r\n\r\0c\xff\xff"                    /* line ends; 255 itself */
                               "\xff\xf3"                              /* BRK */
                               "d";
    User user;
    Chardev *chardev = create("socket,id=t,path=DIR/telnet,server=on,wait=off,telnet=on");
    int peer = connect_client("telnet");

    attach(&user, chardev);
    while (user.noted.opened == 0) {
        main_loop_turn();
    }
    expect_bytes(peer, offers, 12);
    for (gsize i = 0; i < sizeof(sent) - 1; i++) { /* a byte at a time */
        g_assert_cmpint(write(peer, sent + i, 1), ==, 1);
        settle();
    }
    expect(user.noted.input, "ab\r\rc\xff"
                             "d");
    g_assert_cmpuint(user.breaks, ==, 1);
    say(user.noted.output, "x\xffy");
    expect(peer, "x\xff\xffy");
    chardev_detach(chardev);
    close(peer);
    chardev_cleanup();
}

/* --- FIFOs --- */

static void test_pipe(void)
{
    g_autofree char *in_path = chardev_file("p.in");
    g_autofree char *out_path = chardev_file("p.out");
    User user;

    g_assert_cmpint(mkfifo(in_path, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out_path, 0600), ==, 0);
    Chardev *chardev = create("pipe,id=p,path=DIR/p");
    attach(&user, chardev);
    int in = open(in_path, O_WRONLY | O_NONBLOCK), out = open(out_path, O_RDONLY | O_NONBLOCK);
    say(in, "to us");
    expect(user.noted.input, "to us");
    say(user.noted.output, "from us");
    expect(out, "from us");
    close(in); /* others come and go */
    in = open(in_path, O_WRONLY | O_NONBLOCK);
    say(in, "again");
    expect(user.noted.input, "again");
    close(in);
    close(out);
    chardev_detach(chardev);
    chardev_cleanup();
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    chardev_directory_make();
    g_test_add_func("/chardev-shared/mux", test_mux);
    g_test_add_func("/chardev-shared/mux-times", test_mux_times);
    g_test_add_func("/chardev-shared/ringbuf", test_ringbuf);
    g_test_add_func("/chardev-shared/log", test_log);
    g_test_add_func("/chardev-shared/slow-peer", test_slow_peer);
    g_test_add_func("/chardev-shared/telnet", test_telnet);
    g_test_add_func("/chardev-shared/pipe", test_pipe);
    int result = g_test_run();
    chardev_directory_remove();
    return result;
}
