/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chardevs over real sockets, files and terminals in a directory of the test's own. */
#include "chardev-user.h"

#include "../../chardev/char-socket.h"
#include "system/main-loop.h"
#include "util/fd.h"
#include "util/json.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static Chardev *create_qmp(const char *id, const char *text, GError **error)
{
    g_autofree char *backend_text = chardev_in_directory(text);
    g_autoptr(json_object) backend = json_parse(backend_text, error);

    return backend ? chardev_create_qmp(id, backend, error) : NULL;
}

static int unix_listen(const char *name)
{
    struct sockaddr_un address = chardev_unix_name(name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

static void turn_until(const guint *counter, guint value)
{
    while (*counter < value) {
        main_loop_turn();
    }
}

/* A byte goes through both ways. */
static void check_pipe(const ChardevUser *user, int peer)
{
    char byte = 0;

    g_assert_cmpint(write(user->output, "x", 1), ==, 1);
    g_assert_cmpint(read(peer, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'x');
    g_assert_cmpint(write(peer, "y", 1), ==, 1);
    g_assert_cmpint(read(user->input, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'y');
    g_assert_cmpint(fcntl(user->input, F_GETFL) & O_NONBLOCK, !=, 0);
}

static void check_filename(Chardev *chardev, const char *expected)
{
    g_autofree char *filename = chardev_filename(chardev);
    g_autofree char *wanted = chardev_in_directory(expected);

    g_assert_cmpstr(filename, ==, wanted);
}

static void test_server(void)
{
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened,
                                .opaque = &user,
                                .user = "monitor 'm'"},
                    other = {.opened = chardev_user_opened, .opaque = NULL, .user = "b"};
    g_autofree char *path = chardev_file("s0");
    g_autoptr(GError) error = NULL;
    Chardev *chardev = chardev_from_text("socket,id=s0,path=DIR/s0,server=on,wait=off", &error);

    g_assert_no_error(error);
    check_filename(chardev, "disconnected:unix:DIR/s0,server=on");
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    g_assert_false(chardev_attach(chardev, &other, &error));
    g_assert_cmpstr(error->message, ==, "chardev 's0' is already in use by monitor 'm'");
    g_clear_error(&error);
    g_assert_cmpint(chardev_steal_socket(chardev, &error), ==, -1);
    g_clear_error(&error);
    g_assert_false(chardev_remove("s0", &error));
    g_assert_nonnull(strstr(error->message, "busy"));
    g_clear_error(&error);

    for (guint round = 1; round <= 3; round++) {
        int peer = chardev_unix_connect("s0");
        turn_until(&user.opened, round);
        check_filename(chardev, "unix:DIR/s0,server=on");
        check_pipe(&user, peer);
        close(peer);
        chardev_disconnected(chardev);
    }
    int peer = chardev_unix_connect("s0");
    turn_until(&user.opened, 4);
    int stolen = chardev_steal_socket(chardev, NULL);
    user.input = user.output = stolen;
    check_pipe(&user, peer);
    close(stolen);
    close(peer);
    chardev_disconnected(chardev);
    chardev_detach(chardev);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_true(chardev_remove("s0", NULL));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_false(chardev_remove("s0", &error));
    g_assert_cmpstr(error->message, ==, "Chardev 's0' not found");
}

static gpointer connect_soon(gpointer opaque)
{
    int fd = -1;

    while (fd < 0) {
        g_usleep(1000);
        fd = chardev_unix_connect(opaque);
    }
    return GINT_TO_POINTER(fd);
}

static void test_wait(void)
{
    GThread *thread = g_thread_new("client", connect_soon, (gpointer) "w0");
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    Chardev *chardev = chardev_create_short("w0", "null", &error);

    g_assert_no_error(error);
    g_assert_true(chardev_remove("w0", NULL));
    g_autofree char *text = chardev_in_directory("unix:DIR/w0,server");
    chardev = chardev_create_short("w0", text, &error);
    g_assert_no_error(error);
    g_assert_true(chardev->connected);
    int peer = GPOINTER_TO_INT(g_thread_join(thread));
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    g_assert_cmpuint(user.opened, ==, 1);
    check_pipe(&user, peer);
    close(peer);
    chardev_detach(chardev);
    g_assert_true(chardev_remove("w0", NULL));
}

static void test_reconnect(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    Chardev *chardev = chardev_from_text("socket,id=r0,path=DIR/r0,reconnect-ms=20", &error);

    g_assert_no_error(error);
    check_filename(chardev, "disconnected:unix:DIR/r0");
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    int listener = unix_listen("r0");
    for (guint round = 1; round <= 2; round++) {
        turn_until(&user.opened, round);
        int peer = accept(listener, NULL, NULL);
        check_pipe(&user, peer);
        close(peer);
        chardev_disconnected(chardev);
    }
    chardev_detach(chardev);
    g_assert_true(chardev_remove("r0", NULL));
    close(listener);
}

/* The interval, then up to twice as long each time, never above the ceiling. */
static void test_delays(void)
{
    static const guint intervals[] = {1, 20, 1000, 4000, 9999, 10000, 60000, G_MAXINT32};

    for (guint i = 0; i < G_N_ELEMENTS(intervals); i++) {
        guint longest = MAX(intervals[i], CHARDEV_SOCKET_DELAY_MAXIMUM);
        guint64 expected = intervals[i];
        guint doubled = 0, different = 0;

        g_assert_cmpuint(chardev_socket_delay(intervals[i], &doubled), ==, intervals[i]);
        for (guint try = 0; try < 60; try++) {
            guint delay = chardev_socket_delay(intervals[i], &doubled);

            expected = MIN(2 * expected, longest);
            g_assert_cmpuint(doubled, ==, expected);
            g_assert_cmpuint(delay, <=, expected);
            g_assert_cmpuint(delay, >=, expected - expected / 4);
            different += delay != expected;
        }
        g_assert_cmpuint(different, >, 0);
    }
}

/* A client without reconnect connects once more for its next front end. */
static void test_client(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    int listener = unix_listen("c0");
    Chardev *chardev = chardev_from_text("socket,id=c0,path=DIR/c0", &error);

    g_assert_no_error(error);
    for (guint round = 1; round <= 2; round++) {
        g_assert_true(chardev_attach(chardev, &frontend, &error));
        g_assert_cmpuint(user.opened, ==, round);
        int peer = accept(listener, NULL, NULL);
        check_pipe(&user, peer);
        close(peer);
        chardev_detach(chardev);
    }
    close(listener);
    g_assert_false(chardev_attach(chardev, &frontend, &error));
    g_assert_nonnull(strstr(error->message, "chardev 'c0': cannot connect to 'unix:"));
    g_assert_true(chardev_remove("c0", NULL));
}

static void test_tcp(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser server_user = {0}, client_user = {0};
    ChardevFrontend server_end = {
        .opened = chardev_user_opened, .opaque = &server_user, .user = "a"};
    ChardevFrontend client_end = {
        .opened = chardev_user_opened, .opaque = &client_user, .user = "b"};
    Chardev *server = chardev_create_short("t0", "tcp:127.0.0.1:0,server,nowait,nodelay", &error);

    g_assert_no_error(error);
    g_autofree char *name = chardev_filename(server);
    g_assert_true(g_str_has_prefix(name, "disconnected:tcp:127.0.0.1:"));
    g_autofree char *port = g_strdup(strrchr(name, ':') + 1);
    *strchr(port, ',') = '\0';
    g_autofree char *text = g_strdup_printf("tcp:127.0.0.1:%s,ipv4", port);
    Chardev *client = chardev_create_short("t1", text, &error);
    g_assert_no_error(error);
    g_assert_true(chardev_attach(server, &server_end, NULL));
    g_assert_true(chardev_attach(client, &client_end, NULL));
    turn_until(&server_user.opened, 1);
    check_pipe(&client_user, server_user.input);
    g_autofree char *connected = chardev_filename(server);
    g_autofree char *from = chardev_filename(client);
    g_autofree char *here = g_strdup_printf("tcp:127.0.0.1:%s,server=on <-> ", port);
    g_autofree char *there = g_strdup_printf(" <-> 127.0.0.1:%s", port);
    g_assert_true(g_str_has_prefix(connected, here));
    g_assert_true(g_str_has_suffix(from, there));
    /* What is one end's peer is where the other one is. */
    from[strlen(from) - strlen(there)] = '\0';
    g_assert_true(g_str_has_prefix(from, "tcp:"));
    g_assert_cmpstr(from + strlen("tcp:"), ==, connected + strlen(here));

    g_autofree char *taken = g_strdup_printf("tcp:127.0.0.1:%s,server=on,wait=off", port);
    g_assert_null(chardev_create_short("t2", taken, &error));
    g_assert_nonnull(strstr(error->message, "chardev 't2': cannot listen at '127.0.0.1:"));
    g_clear_error(&error);
    g_autofree char *range = g_strconcat(taken, ",to=65535", NULL);
    g_assert_nonnull(chardev_create_short("t2", range, &error));
    g_assert_no_error(error);
    chardev_cleanup();
}

static void test_descriptor(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    fd_names_put("mine", pair[0]);
    Chardev *chardev = create_qmp(
        "f0",
        "{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"fd\",\"data\":{\"str\":\"mine\"}},"
        "\"server\":false}}",
        &error);
    g_assert_no_error(error);
    check_filename(chardev, "fd:mine");
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    check_pipe(&user, pair[1]);
    chardev_detach(chardev);
    g_assert_true(chardev_remove("f0", NULL));
    close(pair[1]);

    int listener = unix_listen("f1");
    g_autofree char *text = g_strdup_printf("socket,id=f1,fd=%d,server=on,wait=off", listener);
    chardev = chardev_from_text(text, &error);
    g_assert_no_error(error);
    user.opened = 0;
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    int peer = chardev_unix_connect("f1");
    turn_until(&user.opened, 1);
    check_pipe(&user, peer);
    close(peer);
    chardev_cleanup();
    g_assert_null(chardev_find("f1"));
}

static void test_files(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    g_autofree char *path = chardev_file("log"), *text = NULL;

    g_assert_true(g_file_set_contents(path, "old;", -1, NULL));
    Chardev *chardev =
        chardev_from_text("file,id=o0,path=DIR/log,append=on,input-path=DIR/log", &error);
    g_assert_no_error(error);
    check_filename(chardev, "file");
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    g_assert_cmpint(write(user.output, "new", 3), ==, 3);
    char old[4];
    g_assert_cmpint(read(user.input, old, 4), ==, 4);
    g_assert_cmpint(chardev_steal_socket(chardev, &error), ==, -1);
    g_assert_cmpstr(error->message, ==, "chardev 'o0' is of type file, expected a socket");
    g_clear_error(&error);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "old;new");
    chardev_detach(chardev);

    chardev = create_qmp("n0", "{\"type\":\"null\",\"data\":{}}", &error);
    g_assert_no_error(error);
    g_assert_true(chardev_attach(chardev, &frontend, NULL));
    g_assert_cmpint(user.input, ==, -1);
    g_assert_cmpint(write(user.output, "x", 1), ==, 1);
    g_assert_nonnull(
        create_qmp("o1", "{\"type\":\"file\",\"data\":{\"out\":\"DIR/log\"}}", &error));
    g_assert_no_error(error);
    chardev_cleanup();
}

static void test_pty(void)
{
    g_autoptr(GError) error = NULL;
    ChardevUser user = {0};
    ChardevFrontend frontend = {.opened = chardev_user_opened, .opaque = &user, .user = "test"};
    Chardev *chardev = chardev_from_text("pty,id=p0,path=DIR/tty", &error);
    g_autofree char *link = chardev_file("tty");

    g_assert_no_error(error);
    g_autofree char *name = chardev_filename(chardev);
    g_assert_true(g_str_has_prefix(name, "pty:/dev/pts/"));
    int terminal = open(name + 4, O_RDWR | O_NOCTTY);
    for (guint round = 1; round <= 2; round++) {
        g_assert_true(chardev_attach(chardev, &frontend, NULL));
        g_assert_cmpuint(user.opened, ==, round);
        check_pipe(&user, terminal);
        chardev_detach(chardev);
    }
    close(terminal);
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    chardev_cleanup();
    g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

static void test_stdio(void)
{
    g_autoptr(GError) error = NULL;
    int before = fcntl(0, F_GETFL);
    Chardev *chardev = chardev_create_short("stdio0", "stdio,signal=off", &error);

    g_assert_no_error(error);
    check_filename(chardev, "stdio");
    g_assert_null(chardev_create_short("stdio1", "stdio", &error));
    g_assert_nonnull(strstr(error->message, "belong to chardev 'stdio0'"));
    g_clear_error(&error);
    g_assert_true(chardev_remove("stdio0", NULL));
    g_assert_cmpint(fcntl(0, F_GETFL), ==, before);
    g_assert_nonnull(chardev_create_short("stdio1", "stdio", &error));
    chardev_cleanup();
}

/* Whoever serves a path keeps it; what a dead server left is replaced. */
static void test_paths(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = chardev_file("u0"), *plain = chardev_file("plain");
    int listener = unix_listen("u0");

    g_assert_null(chardev_from_text("socket,id=u0,path=DIR/u0,server=on,wait=off", &error));
    g_assert_nonnull(strstr(error->message, "Address already in use"));
    g_clear_error(&error);
    close(listener);
    g_assert_nonnull(chardev_from_text("socket,id=u0,path=DIR/u0,server=on,wait=off", &error));
    g_assert_no_error(error);
    g_unlink(path);
    listener = unix_listen("u0");
    chardev_cleanup();
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    close(listener);
    g_unlink(path);

    g_assert_true(g_file_set_contents(plain, "mine", -1, NULL));
    g_assert_null(chardev_from_text("socket,id=u0,path=DIR/plain,server=on,wait=off", &error));
    g_assert_true(g_file_test(plain, G_FILE_TEST_IS_REGULAR));
    g_clear_error(&error);
    g_assert_nonnull(
        chardev_from_text("socket,id=u0,path=hotslot-DIR,abstract=on,server=on,wait=off", &error));
    g_assert_no_error(error);
    g_assert_nonnull(chardev_from_text("socket,id=u1,path=hotslot-DIR,abstract=on", &error));
    g_assert_no_error(error);
    chardev_cleanup();
}

static void test_bad_options(void)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"socket,path=DIR/x", "a chardev needs an id"},
        {"id=c", "chardev 'c': no backend"},
        {"foo,id=c", "chardev 'c': unknown backend 'foo'; known are file, mux, null, pipe, pty, "
                     "ringbuf, socket, stdio"},
        {"null,id=1c", "'1c' is not a letter"},
        {"null,id=c,x=1", "chardev 'c': unknown parameter 'x'"},
        {"socket,id=c,path=DIR/x,foo=1",
         "chardev 'c': unknown parameter 'foo'; known are logfile, logappend, path,"},
        {"socket,id=c", "chardev 'c': exactly one of path, port and fd"},
        {"socket,id=c,path=DIR/x,port=1,host=a", "exactly one of"},
        {"socket,id=c,port=1", "chardev 'c': a client needs a host"},
        {"socket,id=c,host=a", "exactly one of"},
        {"socket,id=c,path=DIR/x,wait=off", "chardev 'c': wait=off needs server=on"},
        {"socket,id=c,path=DIR/x,server=maybe", "chardev 'c': property 'server': 'maybe'"},
        {"socket,id=c,path=DIR/x,server=on,wait=off,reconnect=1", "chardev 'c': reconnect is for"},
        {"socket,id=c,path=DIR/x,reconnect=1,reconnect-ms=1", "exclude each other"},
        {"socket,id=c,path=DIR/x,reconnect=-1", "property 'reconnect': '-1'"},
        {"socket,id=c,path=DIR/missing", "chardev 'c': cannot connect to 'unix:"},
        {"socket,id=c,path=DIR/no/such,server=on,wait=off", "chardev 'c': cannot listen at '"},
        {"socket,id=c,path=,server=on,wait=off", "chardev 'c': path '' is empty"},
        {"socket,id=c,port=99999,server=on,wait=off", "chardev 'c': port '99999'"},
        {"socket,id=c,port=nosuchservice,server=on,wait=off",
         "':nosuchservice' cannot be resolved"},
        {"socket,id=c,port=1,server=on,wait=off,ipv4=off,ipv6=off", "no address family"},
        {"socket,id=c,fd=999", "chardev 'c': file descriptor 999 is not open"},
        {"socket,id=c,fd=nobody", "chardev 'c': file descriptor named 'nobody' not found"},
        {"socket,id=c,path=DIR/x,telnet=on", "chardev 'c': telnet=on is for servers"},
        {"socket,id=c,path=DIR/x,websocket", "chardev 'c': websocket=on: websockets are not spoken "
                                             "here; use a plain socket, or telnet=on"},
        {"socket,id=c,path=DIR/x,tls-creds=t",
         "chardev 'c': tls-creds=t: TLS is not spoken here; use a unix socket, or a tunnel (ssh, "
         "stunnel) in front"},
        {"null,id=c,mux=maybe", "chardev 'c': "},
        {"null,id=c,logfile=DIR/no/l", "chardev 'c': logfile: "},
        {"file,id=c", "chardev 'c': property 'path' is missing"},
        {"file,id=c,path=DIR/no/such", "no/such' cannot be opened: No such file"},
        {"file,id=c,path=DIR/x,input-path=DIR/none", "none' cannot be opened"},
        {"pty,id=c,path=DIR/no/such", "chardev 'c': link '"},
    };
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_null(chardev_from_text(rows[i].text, &error));
        if (!strstr(error->message, rows[i].message)) {
            g_error("%s: %s", rows[i].text, error->message);
        }
        g_clear_error(&error);
        g_assert_null(chardev_find("c"));
    }
    g_autofree char *longest = g_strnfill(120, 'x');
    g_autofree char *text = g_strconcat("socket,id=c,path=/", longest, NULL);
    g_assert_null(chardev_from_text(text, &error));
    g_assert_nonnull(strstr(error->message, "is too long: it has 121 bytes, at most 107"));
    g_clear_error(&error);
    g_assert_nonnull(chardev_from_text("null,id=c", NULL));
    g_assert_null(chardev_from_text("null,id=c", &error));
    g_assert_cmpstr(error->message, ==, "Chardev with id 'c' already exists");
    chardev_cleanup();
}

static void test_bad_qmp(void)
{
    static const char *const rows[][2] = {
        {"[]", "Invalid parameter type for 'backend'"},
        {"{}", "Parameter 'backend.type' is missing"},
        {"{\"type\":1}", "Invalid parameter type for 'backend.type'"},
        {"{\"type\":\"foo\"}", "chardev 'q': unknown backend 'foo'"},
        {"{\"type\":\"socket\"}", "chardev 'q': Parameter 'addr' is missing"},
        {"{\"type\":\"socket\",\"data\":[]}", "Invalid parameter type for 'backend.data'"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":1}}", "Invalid parameter type for 'addr'"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"vsock\",\"data\":{}}}}", "'vsock'"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\"}}}",
         "Parameter 'addr.data.path' is missing"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":5}}}}",
         "Invalid parameter type for 'addr.data.path'"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"DIR/"
         "q\"}},\"wait\":true}}",
         "wait=true is possible at start-up only"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"DIR/"
         "q\"}},\"server\":\"off\"}}",
         "Invalid parameter type for 'server'"},
        {"{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"DIR/"
         "q\"}},\"x\":1}}",
         "unknown parameter 'x'"},
        {"{\"type\":\"file\",\"data\":{}}", "Parameter 'out' is missing"},
        {"{\"type\":\"file\"}", "Parameter 'out' is missing"},
        {"{\"type\":\"null\",\"data\":{\"x\":null}}", "unknown parameter 'x'"},
    };
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_null(create_qmp("q", rows[i][0], &error));
        if (!strstr(error->message, rows[i][1])) {
            g_error("%s: %s", rows[i][0], error->message);
        }
        g_clear_error(&error);
    }
    g_assert_nonnull(create_qmp("q",
                                "{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"inet\","
                                "\"data\":{\"host\":\"127.0.0.1\",\"port\":\"0\",\"ipv4\":true}}}}",
                                &error));
    g_assert_no_error(error);
    chardev_cleanup();
}

static void test_bad_short(void)
{
    static const char *const bad[] = {"",        "foo",      "tcp:1234", "chardev:none",
                                      "udp:x:1", "stdio,x=1"};
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_null(chardev_create_short("b", bad[i], &error));
        g_assert_nonnull(error);
        g_clear_error(&error);
    }
    Chardev *chardev = chardev_create_short("b", "null", NULL);
    g_assert_true(chardev_create_short("x", "chardev:b", NULL) == chardev);
    chardev_cleanup();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    chardev_directory_make();
    g_test_add_func("/chardev/server", test_server);
    g_test_add_func("/chardev/wait", test_wait);
    g_test_add_func("/chardev/reconnect", test_reconnect);
    g_test_add_func("/chardev/delays", test_delays);
    g_test_add_func("/chardev/client", test_client);
    g_test_add_func("/chardev/tcp", test_tcp);
    g_test_add_func("/chardev/descriptor", test_descriptor);
    g_test_add_func("/chardev/files", test_files);
    g_test_add_func("/chardev/pty", test_pty);
    g_test_add_func("/chardev/stdio", test_stdio);
    g_test_add_func("/chardev/paths", test_paths);
    g_test_add_func("/chardev/bad-options", test_bad_options);
    g_test_add_func("/chardev/bad-qmp", test_bad_qmp);
    g_test_add_func("/chardev/bad-short", test_bad_short);
    int result = g_test_run();
    chardev_directory_remove();
    return result;
}
