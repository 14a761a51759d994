/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every command line that must be refused is refused by one line that names what is wrong, with
 * status 1, and leaves nothing behind.  With --verbose the lines are printed, to be read aloud.
 */
#include "qtest/backend.h"
#include "qtest/bad-options.h"
#include "qtest/vmm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *directory;

static char *path_of(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

static int listen_at(const char *name)
{
    g_autofree char *path = path_of(name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

/* As a running program holds its pidfile. */
static int lock_file(const char *name)
{
    g_autofree char *path = path_of(name);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = g_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    g_assert_cmpint(fcntl(fd, F_SETLK, &lock), ==, 0);
    return fd;
}

static void write_file(const char *name, const char *content, gsize size)
{
    g_autofree char *path = path_of(name);

    g_assert_true(g_file_set_contents(path, content, size, NULL));
}

typedef struct Fixtures {
    int listener;
    int locked;
    Backend *disk;
} Fixtures;

static void make_fixtures(Fixtures *fixtures)
{
    g_autofree char *memory = g_malloc0(2 << 20);
    g_autofree char *disk = NULL;
    BackendConfig config;

    directory = vmm_temporary_path("rows");
    g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
    write_file("file", "content\n", 8);
    write_file("memory", memory, 2 << 20);
    fixtures->listener = listen_at("listening");
    fixtures->locked = lock_file("locked");
    backend_config_init(&config);
    fixtures->disk = backend_new(&config);
    disk = path_of("disk");
    g_assert_true(backend_listen(fixtures->disk, disk, NULL));
}

static void drop_fixtures(Fixtures *fixtures)
{
    backend_free(fixtures->disk);
    close(fixtures->locked);
    close(fixtures->listener);
    g_free(directory);
}

static void test_group(gconstpointer group)
{
    bad_options_run(NULL, directory, group);
}

int main(int argc, char **argv)
{
    Fixtures fixtures;

    g_test_init(&argc, &argv, NULL);
    make_fixtures(&fixtures);
    for (const BadOptionGroup *group = bad_option_groups; group->name; group++) {
        g_autofree char *path = g_strconcat("/bad-options/", group->name, NULL);

        g_test_add_data_func(path, group, test_group);
    }
    int result = g_test_run();
    drop_fixtures(&fixtures);
    return result;
}
