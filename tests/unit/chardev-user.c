/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "chardev-user.h"

#include "util/fd.h"
#include "util/json.h"
#include "util/options.h"

#include <stdlib.h>
#include <sys/socket.h>

static char *directory;

void chardev_user_opened(gpointer opaque, int input, int output)
{
    ChardevUser *user = opaque;

    user->opened++;
    user->input = input;
    user->output = output;
}

void chardev_directory_make(void)
{
    directory = g_dir_make_tmp("hotslot-XXXXXX", NULL);
}

void chardev_directory_remove(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", directory);

    g_assert_cmpint(system(command), ==, 0);
    g_clear_pointer(&directory, g_free);
}

char *chardev_file(const char *name)
{
    return g_build_filename(directory, name, NULL);
}

char *chardev_in_directory(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "DIR", -1);

    return g_strjoinv(directory, parts);
}

Chardev *chardev_from_text(const char *text, GError **error)
{
    g_autofree char *options_text = chardev_in_directory(text);
    g_autoptr(json_object) options = options_parse(options_text, "backend", NULL, error);

    return options ? chardev_create(options, error) : NULL;
}

struct sockaddr_un chardev_unix_name(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_autofree char *path = chardev_file(name);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    return address;
}

int chardev_unix_connect(const char *name)
{
    struct sockaddr_un address = chardev_unix_name(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        fd_clear(&fd);
    }
    return fd;
}
