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
#include <sys/wait.h>
#include <unistd.h>

#define ROW_MILLISECONDS 10000

static char *directory;

/* --- what the rows name --- */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the directory, sorted, in one line.  Caller frees. */
static char *list_directory(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

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

/* --- one row --- */

static char *expand(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@T", -1);

    return g_strjoinv(directory, parts);
}

/* What is wrong with the refusal, NULL if nothing.  Caller frees. */
static char *judge(const char *words, int status, const char *output, const char *errors)
{
    const char *end = strchr(errors, '\n');
    g_autofree char *expanded = expand(words);
    g_auto(GStrv) wanted = g_strsplit(expanded, "|", -1);

    if (status == -1) {
        return g_strdup("it was accepted");
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) {
        return g_strdup_printf("wait status 0x%x, expected exit status 1", status);
    }
    if (!end || end[1] || *output) {
        return g_strdup_printf("not exactly one line on standard error; output '%s'", output);
    }
    for (guint i = 0; wanted[i]; i++) {
        if (!strstr(errors, wanted[i])) {
            return g_strdup_printf("does not contain \"%s\"", wanted[i]);
        }
    }
    return NULL;
}

static gboolean run_row(const BadOptionGroup *group, const BadOption *row)
{
    g_autofree char *before = list_directory();
    g_autofree char *joined = g_strdup_printf("%s %s", group->before, row->arguments);
    g_autofree char *arguments = expand(joined);
    g_autofree char *output = NULL, *errors = NULL, *wrong = NULL, *after = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!vmm_run(NULL, arguments, ROW_MILLISECONDS, &status, &output, &errors, &error)) {
        vmm_fail("%s: %s", arguments, error->message);
    }
    wrong = judge(row->words, status, output, errors);
    after = list_directory();
    if (!wrong && strcmp(before, after) != 0) {
        wrong = g_strdup_printf("left behind: before '%s', after '%s'", before, after);
    }
    if (wrong || g_test_verbose()) {
        g_test_message("%s\n    %s%s%s", row->arguments, errors, wrong ? "    WRONG: " : "",
                       wrong ? wrong : "");
    }
    return !wrong;
}

static void test_group(gconstpointer data)
{
    const BadOptionGroup *group = data;
    guint wrong = 0, count = 0;

    for (const BadOption *row = group->rows; row->arguments; row++) {
        count++;
        wrong += !run_row(group, row);
    }
    g_test_message("%u rows, %u wrong", count, wrong);
    if (wrong) {
        g_test_fail();
    }
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
