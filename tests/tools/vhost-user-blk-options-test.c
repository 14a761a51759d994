/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of vhost-user-blk: each wrong one is refused by one line that names option and
 * value, with status 1, and leaves nothing behind; and what only prints.  A second program over
 * the same image, socket and pidfile is among the wrong ones.
 */
#include "qtest/bad-options.h"
#include "qtest/vmm.h"
#include "tools/program.h"

#include <glib/gstdio.h>
#include <json-c/json.h>
#include <string.h>

static char *directory;

static const BadOption words[] = {
    {"--foo", "--foo|unknown option|--help"},
    {"--foo=1", "--foo|unknown option"},
    {"--blk-fil @T/disk", "--blk-fil|unknown option"},
    {"--BLK-FILE @T/disk", "--BLK-FILE|unknown option"},
    {"-help", "-help|unknown option|--help"},
    {"--", "--|unknown option"},
    {"-", "-|unknown option"},
    {"@T/disk", "@T/disk|not an option|--help"},
    {"''", "''|not an option"},
    {"--read-only=on", "--read-only=on|takes no value"},
    {"--read-only on", "'on'|not an option"},
    {"--daemonize=", "--daemonize=|takes no value"},
    {"--version=2", "--version=2|takes no value"},
    {NULL, NULL},
};

static const BadOption missing[] = {
    {"", "--blk-file|missing|PATH"},
    {"--socket-path @T/s", "--blk-file|missing"},
    {"--blk-file @T/disk", "--socket-path|missing|--fd N"},
    {"--blk-file @T/disk --socket-path", "--socket-path|needs a value|PATH"},
    {"--blk-file @T/disk --socket-path=", "--socket-path|needs a value|PATH"},
    {"--blk-file @T/disk --socket-path ''", "--socket-path|needs a value|PATH"},
    {"--socket-path @T/s --blk-file", "--blk-file|needs a value|PATH"},
    {"--fd", "--fd|needs a value|N"},
    {"--num-queues", "--num-queues|needs a value|N"},
    {"--queue-size", "--queue-size|needs a value|N"},
    {"--mem-slots", "--mem-slots|needs a value|N"},
    {"--block-size", "--block-size|needs a value|512"},
    {"--cache", "--cache|needs a value|writeback"},
    {"--serial", "--serial|needs a value|TEXT"},
    {"--iothreads", "--iothreads|needs a value|N"},
    {"--pidfile", "--pidfile|needs a value|PATH"},
    {"--log", "--log|needs a value|LEVEL"},
    {NULL, NULL},
};

/* Behind a command line that would be good. */
static const BadOption values[] = {
    {"--num-queues 0", "--num-queues 0|1 to 256"},
    {"--num-queues 257", "--num-queues 257|1 to 256"},
    {"--num-queues=-1", "--num-queues -1|1 to 256"},
    {"--num-queues 4x", "--num-queues 4x|'4x'|whole number"},
    {"--num-queues 1.5", "--num-queues 1.5|whole number"},
    {"--num-queues 18446744073709551617", "--num-queues 18446744073709551617|1 to 256"},
    {"--num-queues 4294967297", "--num-queues 4294967297|1 to 256"},
    {"--num-queues ' 4'", "--num-queues|' 4'|whole number"},
    {"--queue-size 1", "--queue-size 1|2 to 32768"},
    {"--queue-size 32769", "--queue-size 32769|2 to 32768"},
    {"--queue-size many", "--queue-size many|whole number"},
    {"--mem-slots 0", "--mem-slots 0|1 to 32768"},
    {"--mem-slots 32769", "--mem-slots 32769|1 to 32768"},
    {"--mem-slots ''", "--mem-slots|needs a value"},
    {"--block-size 1024", "--block-size 1024|512 or 4096"},
    {"--block-size 0", "--block-size 0|512 or 4096"},
    {"--block-size 4k", "--block-size 4k|512 or 4096"},
    {"--cache writethrough", "--cache writethrough|writeback, none, unsafe"},
    {"--cache NONE", "--cache NONE|writeback, none, unsafe"},
    {"--serial 123456789012345678901", "--serial 123456789012345678901|21 bytes|20"},
    {"--serial 'a\tb'", "--serial|0x09|printable"},
    {"--serial \xc3\xbc", "--serial|0xc3|printable"},
    {"--iothreads 0", "--iothreads 0|1 to 256"},
    {"--iothreads 2", "--iothreads 2|--num-queues 1"},
    {"--num-queues 4 --iothreads 5", "--iothreads 5|--num-queues 4"},
    {"--fd 3", "--fd 3|excludes|--socket-path @T/s"},
    {"--fd -1", "--fd -1|0 to 2147483647"},
    {"--fd x", "--fd x|whole number"},
    {"--log @T/no/such", "--log @T/no/such|No such"},
    {"--log @T", "--log @T|directory"},
    {"--pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--pidfile @T", "--pidfile @T|directory"},
    {"--daemonize --pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--daemonize --num-queues 0", "--num-queues 0|1 to 256"},
    {"--sandbox --pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--pidfile @T/live.pid", "--pidfile @T/live.pid|another process"},
    {"--daemonize --pidfile @T/live.pid", "--pidfile @T/live.pid|another process"},
    {NULL, NULL},
};

static const BadOption sockets[] = {
    {"--socket-path @T/no/such", "--socket-path @T/no/such|No such"},
    {"--socket-path @T/live.sock", "--socket-path @T/live.sock|another process listens"},
    {"--socket-path @T/file", "--socket-path @T/file|no socket"},
    {"--socket-path @T", "--socket-path @T|no socket"},
    {"--socket-path "
     "@T/"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaa",
     "--socket-path|bytes|at most 107"},
    {"--daemonize --socket-path @T/live.sock", "@T/live.sock|another process listens"},
    {"--daemonize --pidfile @T/new.pid --socket-path @T/file", "--socket-path @T/file|no socket"},
    {"--sandbox --pidfile @T/new.pid --socket-path @T/file", "--socket-path @T/file|no socket"},
    {"--fd 999", "--fd 999|no such descriptor"},
    {"--fd 0", "--fd 0|no socket"},
    {"--fd 2147483647", "--fd 2147483647|no such descriptor"},
    {NULL, NULL},
};

static const BadOption images[] = {
    {"--blk-file @T/none", "@T/none|No such"},
    {"--blk-file @T", "@T|directory"},
    {"--blk-file @T/empty", "@T/empty"},
    {"--blk-file /dev/null", "/dev/null"},
    {"--blk-file @T/live.disk", "@T/live.disk"},
    {"--blk-file @T/live.disk --read-only", "@T/live.disk"},
    {"--daemonize --blk-file @T/none", "@T/none|No such"},
    {"--sandbox --blk-file @T/none", "@T/none|No such"},
    {NULL, NULL},
};

static const BadOptionGroup groups[] = {
    {"words", "", words},
    {"missing", "", missing},
    {"values", "--blk-file @T/disk --socket-path @T/s", values},
    {"sockets", "--blk-file @T/disk", sockets},
    {"images", "--socket-path @T/s", images},
    {NULL, NULL, NULL},
};

static void test_group(gconstpointer group)
{
    bad_options_run(tool_program_path(), directory, group);
}

static void test_prints(void)
{
    tool_program_check_prints(
        "--help", "usage: vhost-user-blk|--blk-file PATH|--socket-path PATH|--fd N|"
                  "--read-only|--num-queues N|--queue-size N|--mem-slots N|--block-size|"
                  "--direct|--cache|--serial|--iothreads|--print-capabilities|"
                  "--daemonize|--pidfile|--log|--sandbox|--stats|--version");
    tool_program_check_prints("--version", "vhost-user-blk (hotslot) ");
    tool_program_check_prints("--num-queues 4 --help", "usage:");
}

/* The protocol's "Backend program conventions". */
static void test_capabilities(void)
{
    g_autofree char *output = NULL, *errors = NULL;
    const char *names[] = {"read-only", "blk-file"};

    g_assert_cmpint(tool_program_run(&output, &errors, "--print-capabilities"), ==, 0);
    g_assert_cmpstr(errors, ==, "");
    json_object *parsed = json_tokener_parse(output);
    g_assert_nonnull(parsed);
    g_assert_cmpint(json_object_object_length(parsed), ==, 2);
    g_assert_cmpstr(json_object_get_string(json_object_object_get(parsed, "type")), ==, "block");
    json_object *features = json_object_object_get(parsed, "features");
    g_assert_true(json_object_is_type(features, json_type_array));
    g_assert_cmpuint(json_object_array_length(features), ==, G_N_ELEMENTS(names));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        json_object *feature = json_object_array_get_idx(features, i);
        g_assert_cmpstr(json_object_get_string(feature), ==, names[i]);
    }
    json_object_put(parsed);
}

static void write_file(const char *name, gsize size)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autofree char *zeros = g_malloc0(size + 1);

    g_assert_true(g_file_set_contents(path, zeros, (gssize)size, NULL));
}

/* A program that has what the rows may not have. */
static ToolProgram *start_living(void)
{
    ToolProgram *living = tool_program_start(NULL,
                                             "--blk-file %s/live.disk --socket-path %s/live.sock "
                                             "--pidfile %s/live.pid --log info",
                                             directory, directory, directory);
    g_autofree char *path = g_build_filename(directory, "live.sock", NULL);

    for (guint i = 0; i < 4000 && !g_file_test(path, G_FILE_TEST_EXISTS); i++) {
        g_usleep(5000);
    }
    return living;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    directory = vmm_temporary_path("rows");
    g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
    write_file("disk", 65536);
    write_file("live.disk", 65536);
    write_file("file", 8);
    write_file("empty", 0);
    ToolProgram *living = start_living();
    for (const BadOptionGroup *group = groups; group->name; group++) {
        g_autofree char *path = g_strconcat("/vhost-user-blk/refused/", group->name, NULL);

        g_test_add_data_func(path, group, test_group);
    }
    g_test_add_func("/vhost-user-blk/prints", test_prints);
    g_test_add_func("/vhost-user-blk/capabilities", test_capabilities);
    int result = g_test_run();
    tool_program_end(living);
    g_free(directory);
    return result;
}
