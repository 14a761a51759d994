/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of vhost-user-net: each wrong one is refused by one line that names option and
 * value, with status 1, and leaves nothing behind; and what only prints.
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
    {"--tapp x", "--tapp|unknown option"},
    {"-help", "-help|unknown option|--help"},
    {"eth0", "eth0|not an option|--help"},
    {"--loopback=on", "--loopback=on|takes no value"},
    {"--loopback on", "'on'|not an option"},
    {NULL, NULL},
};

static const BadOption missing[] = {
    {"", "--tap|missing|--tap-fd N|--pair PATH|--loopback|--pcap FILE"},
    {"--socket-path @T/s", "--tap|missing"},
    {"--loopback", "--socket-path|missing|--fd N"},
    {"--loopback --socket-path", "--socket-path|needs a value|PATH"},
    {"--tap", "--tap|needs a value|NAME"},
    {"--tap-fd", "--tap-fd|needs a value|N"},
    {"--pair", "--pair|needs a value|PATH"},
    {"--pcap", "--pcap|needs a value|FILE"},
    {"--queues", "--queues|needs a value|N"},
    {"--queue-size", "--queue-size|needs a value|N"},
    {"--mtu", "--mtu|needs a value|N"},
    {"--poll-us", "--poll-us|needs a value|N"},
    {"--mem-slots", "--mem-slots|needs a value|N"},
    {"--pidfile", "--pidfile|needs a value|PATH"},
    {"--log", "--log|needs a value|LEVEL"},
    {NULL, NULL},
};

/* Behind a command line that would be good. */
static const BadOption values[] = {
    {"--queues 0", "--queues 0|1 to 128"},
    {"--queues 129", "--queues 129|1 to 128"},
    {"--queues 2x", "--queues 2x|'2x'|whole number"},
    {"--queue-size 1", "--queue-size 1|2 to 32768"},
    {"--queue-size 32769", "--queue-size 32769|2 to 32768"},
    {"--mtu 67", "--mtu 67|68 to 65535"},
    {"--mtu 65536", "--mtu 65536|68 to 65535"},
    {"--mtu big", "--mtu big|whole number"},
    {"--poll-us 1000001", "--poll-us 1000001|0 to 1000000"},
    {"--poll-us -1", "--poll-us -1|0 to 1000000"},
    {"--mem-slots 0", "--mem-slots 0|1 to 32768"},
    {"--mem-slots 32769", "--mem-slots 32769|1 to 32768"},
    {"--fd 3", "--fd 3|excludes|--socket-path @T/s"},
    {"--log @T/no/such", "--log @T/no/such|No such"},
    {"--pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--daemonize --pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--daemonize --queues 0", "--queues 0|1 to 128"},
    {"--sandbox --pidfile @T/no/such", "--pidfile @T/no/such|No such"},
    {"--tap x", "--loopback: excludes --tap"},
    {"--tap-fd 3", "--loopback: excludes --tap-fd"},
    {"--pair @T/p", "--loopback: excludes --pair"},
    {"--pcap @T/f", "--pcap @T/f: excludes --loopback"},
    {NULL, NULL},
};

static const BadOption networks[] = {
    {"--tap x --pair @T/p", "--pair @T/p: excludes --tap"},
    {"--tap x --tap-fd 3", "--tap-fd 3: excludes --tap"},
    {"--pair @T/p --pcap @T/f", "--pcap @T/f: excludes --pair"},
    {"--pair @T/s", "--pair @T/s|the same as --socket-path"},
    {"--pair @T/no/such", "--pair @T/no/such|No such"},
    {"--pair @T/file", "--pair @T/file|no socket"},
    {"--pair @T/live.sock", "--pair @T/live.sock|another process listens"},
    {"--pair "
     "@T/"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaa",
     "--pair|bytes|at most 107"},
    {"--pcap @T/no/such", "--pcap @T/no/such|No such"},
    {"--pcap @T", "--pcap @T|directory"},
    {"--pcap /dev/null", "--pcap /dev/null|not a regular file"},
    {"--sandbox --pcap @T/no/such", "--pcap @T/no/such|No such"},
    {"--daemonize --pcap @T/no/such", "--pcap @T/no/such|No such"},
    {"--tap sixteen-and-more", "--tap sixteen-and-more|16 bytes|at most 15"},
    {"--tap lo", "--tap lo"},
    {"--tap a/b", "--tap a/b"},
    {"--tap-fd x", "--tap-fd x|'x'|number of a descriptor"},
    {"--tap-fd -1", "--tap-fd -1|'-1'|number of a descriptor"},
    {"--tap-fd 999", "--tap-fd 999|no descriptor 999"},
    {"--tap-fd 0", "--tap-fd 0|descriptor 0 is no queue of a tap"},
    {"--tap-fd 0,1", "--tap-fd 0,1|2 descriptors|--queues 1"},
    {"--queues 2 --tap-fd 0", "--tap-fd 0|1 descriptors|--queues 2"},
    {NULL, NULL},
};

static const BadOption sockets[] = {
    {"--socket-path @T/no/such", "--socket-path @T/no/such|No such"},
    {"--socket-path @T/live.sock", "--socket-path @T/live.sock|another process listens"},
    {"--socket-path @T/file", "--socket-path @T/file|no socket"},
    {"--fd 999", "--fd 999|no such descriptor"},
    {"--fd 0", "--fd 0|no socket"},
    {NULL, NULL},
};

static const BadOptionGroup groups[] = {
    {"words", "", words},
    {"missing", "", missing},
    {"values", "--loopback --socket-path @T/s", values},
    {"networks", "--socket-path @T/s", networks},
    {"sockets", "--loopback", sockets},
    {NULL, NULL, NULL},
};

static void test_group(gconstpointer group)
{
    bad_options_run(tool_program_path(), directory, group);
}

static void test_prints(void)
{
    tool_program_check_prints("--help",
                              "usage: vhost-user-net|--tap NAME|--tap-fd N|--pair PATH|--loopback|"
                              "--pcap FILE|--queues N|--queue-size N|--mtu N|--poll-us N|"
                              "--socket-path PATH|--fd N|--mem-slots N|--print-capabilities|"
                              "--daemonize|--pidfile|--log|--sandbox|--stats|--version");
    tool_program_check_prints("--version", "vhost-user-net (hotslot) ");
}

/* The protocol's "Backend program conventions". */
static void test_capabilities(void)
{
    g_autofree char *output = NULL, *errors = NULL;

    g_assert_cmpint(tool_program_run(&output, &errors, "--print-capabilities"), ==, 0);
    g_assert_cmpstr(errors, ==, "");
    json_object *parsed = json_tokener_parse(output);
    g_assert_nonnull(parsed);
    g_assert_cmpint(json_object_object_length(parsed), ==, 1);
    g_assert_cmpstr(json_object_get_string(json_object_object_get(parsed, "type")), ==, "net");
    json_object_put(parsed);
}

/* A program that has what the rows may not have. */
static ToolProgram *start_living(void)
{
    ToolProgram *living =
        tool_program_start(NULL, "--loopback --socket-path %s/live.sock --log info", directory);

    tool_program_expect(living, "ready");
    return living;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    directory = vmm_temporary_path("rows");
    g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
    g_autofree char *file = g_build_filename(directory, "file", NULL);
    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    ToolProgram *living = start_living();
    for (const BadOptionGroup *group = groups; group->name; group++) {
        g_autofree char *path = g_strconcat("/vhost-user-net/refused/", group->name, NULL);

        g_test_add_data_func(path, group, test_group);
    }
    g_test_add_func("/vhost-user-net/prints", test_prints);
    g_test_add_func("/vhost-user-net/capabilities", test_capabilities);
    int result = g_test_run();
    tool_program_end(living);
    g_free(directory);
    return result;
}
