/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile QMP clients on real sockets: bytes that are no QMP, too much of everything, clients that
 * never read or leave in the middle.  The session and the program go on, and memory is bounded.
 */
#include "qtest/process.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#define SECONDS 30

typedef struct Fixture {
    Vmm *vmm; /* its own monitor is the witness: it is never sent anything bad */
    char *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    const VmmOptions options = {.no_qtest = TRUE};

    fixture->path = vmm_temporary_path("hostile");
    fixture->vmm =
        vmm_start_or_fail(&options, "-M none -qmp unix:%s,server=on,wait=off", fixture->path);
}

static void tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    vmm_end(fixture->vmm);
    g_free(fixture->path);
}

static void check_witness(Fixture *fixture)
{
    json_object_put(qmp_command_or_fail(fixture->vmm->qmp, "{'execute':'query-status'}"));
}

static Qmp *connect_client(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Qmp *qmp = qmp_connect(fixture->path, SECONDS, &error);

    if (!qmp || !qmp_negotiate(qmp, &error)) {
        vmm_fail("%s", error->message);
    }
    return qmp;
}

/* --- memory --- */

/* A line of /proc/PID/status in MiB. */
static gint64 status_mib(Fixture *fixture, const char *name)
{
    return process_number(fixture->vmm->pid, "status", name) / 1024;
}

static void check_memory(Fixture *fixture, const char *name, gint64 limit)
{
    /* AddressSanitizer keeps freed memory: there is no bound to check then. */
    if (!process_is_sanitized(fixture->vmm->pid)) {
        g_test_message("%s %d MiB, limit %d MiB", name, (int)status_mib(fixture, name), (int)limit);
        g_assert_cmpint(status_mib(fixture, name), <, limit);
    }
}

/* --- bytes --- */

/* Sends @bytes and a good command, and reads up to that one's answer: what came before it. */
static json_object *answers_to(Qmp *qmp, const char *bytes, gsize size)
{
    static guint number;
    g_autofree char *good =
        g_strdup_printf("\n{\"execute\":\"query-name\",\"id\":\"good%u\"}\n", ++number);
    g_autofree char *id = g_strdup_printf("good%u", number);
    json_object *answers = json_object_new_array();

    g_assert_true(qmp_send_bytes(qmp, bytes, size));
    g_assert_true(qmp_send_bytes(qmp, good, strlen(good)));
    for (;;) {
        g_autoptr(GError) error = NULL;
        json_object *answer = qmp_message(qmp, &error);

        if (!answer) {
            vmm_fail("'%.100s': %s", bytes, error->message);
        }
        if (!g_strcmp0(qmp_get_string(answer, "id"), id)) {
            json_object_put(answer);
            return answers;
        }
        json_object_array_add(answers, answer);
    }
}

typedef struct Bytes {
    const char *bytes;
    const char *words; /* of the first error's desc, separated by '|'; NULL: none comes */
} Bytes;

static const Bytes bytes_rows[] = {
    {"", NULL},
    {"\r\n \t\n", NULL},
    {"{}", "'execute'"},
    {"[]", "object"},
    {"[[[]]]", "object"},
    {"null", "JSON parse error"},
    {"true", "object"},
    {"17", "object"},
    {"-", "JSON parse error"},
    {"\"text\"", "object"},
    {"text", "JSON parse error"},
    {"}", "JSON parse error"},
    {"]", "JSON parse error"},
    {"}}}}}}]]]]]]", "JSON parse error"},
    {",", "JSON parse error"},
    {":", "JSON parse error"},
    {"'execute'", "object"},
    {"{'execute':\"query-name'}", "control character 0x0a"},
    {"{'execute\":'query-name'}", "JSON parse error"},
    {"{'execute':'foo\\'\"'}", "command foo'\""},
    {"{\"execute\"}", "JSON parse error"},
    {"{\"execute\":}", "JSON parse error"},
    {"{\"execute\":\"query-name\",}", "JSON parse error"},
    {"{\"execute\" \"query-name\"}", "JSON parse error"},
    {"{execute:\"query-name\"}", "JSON parse error"},
    {"{\"execute\":query-name}", "JSON parse error"},
    {"{\"execute\":\"query-name\"]", "JSON parse error"},
    {"{\"execute\":\"query-name\"}}", "JSON parse error"},
    {"{\"execute\":nul}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":01}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":+1}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":1.}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":.5}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":0x10}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":NaN}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":Infinity}}", "JSON parse error"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":1e999}}", "1e999"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":18446744073709551616}}",
     "18446744073709551616"},
    {"{\"execute\":\"query-name\",\"arguments\":{\"a\":-9223372036854775809}}",
     "-9223372036854775809"},
    {"{\"execute\":\"query-name\",\"execute\":\"quit\"}", "'execute'|twice"},
    {"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/\",\"path\":\"/\"}}", "'path'|twice"},
    {"{\"execute\":\"query-name\",\"arguments\":{},\"arguments\":{}}", "'arguments'|twice"},
    {"{\"execute\":\"query-name\",\"foo\":1}", "'foo'"},
    {"{\"execute\":1}", "'execute'|string"},
    {"{\"execute\":\"query-name\",\"arguments\":1}", "'arguments'|object"},
    {"{\"exec-oob\":\"query-name\"}", "'exec-oob'"},
    {"\xff\xfe", "JSON parse error"},
    {"{\"execute\":\"\xff\"}", "JSON parse error"},
    {"{\"execute\":\"\xc0\x80\"}", "UTF-8"},
    {"{\"execute\":\"\xed\xa0\x80\"}", "UTF-8"},
    {"{\"execute\":\"\xf4\x90\x80\x80\"}", "UTF-8"},
    {"{\"execute\":\"\xe2\x82\"}", "JSON parse error"},
    {"{\"execute\":\"\\ud800\"}", "not been found"},
    {"{\"execute\":\"\\u12\"}", "JSON parse error"},
    {"{\"execute\":\"\\x\"}", "JSON parse error"},
    {"{\"execute\":\"a\\u0000b\"}", "u0000"},
    {"{\"execute\":\"a\nb\"}", "JSON parse error"},
    {"{\"execute\":\"a\x01\"}", "JSON parse error"},
    {"\x1b[A", "JSON parse error"},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "JSON parse error"},
    {"SSH-2.0-x\r\n", "JSON parse error"},
};

static const char *first_error(json_object *answers)
{
    for (gsize i = 0; i < json_object_array_length(answers); i++) {
        const char *text = qmp_get_string(json_object_array_get_idx(answers, i), "error/desc");

        if (text) {
            return text;
        }
    }
    return NULL;
}

/* All rows on one session. */
static void test_bytes(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);
    guint wrong = 0;

    for (guint i = 0; i < G_N_ELEMENTS(bytes_rows); i++) {
        const Bytes *row = &bytes_rows[i];
        g_autoptr(json_object) answers = answers_to(qmp, row->bytes, strlen(row->bytes));
        const char *text = first_error(answers);
        g_auto(GStrv) words = g_strsplit(row->words ? row->words : "", "|", -1);
        gboolean right = !row->words == !text;

        for (guint j = 0; right && words[j]; j++) {
            right = strstr(text, words[j]) != NULL;
        }
        if (!right || g_test_verbose()) {
            g_autofree char *shown = g_strescape(row->bytes, NULL);
            g_test_message("%s\n    %s%s", shown, text ? text : "no error",
                           right ? "" : "\n    WRONG");
        }
        wrong += !right;
    }
    g_assert_cmpuint(wrong, ==, 0);
    check_witness(fixture);
}

static void test_zero_bytes(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);
    static const char zeros[] = "\0\0\0{\"execute\0\":\"quit\"}";
    g_autoptr(json_object) answers = answers_to(qmp, zeros, sizeof(zeros));

    g_assert_nonnull(qmp_get_string(answers, "0/error/desc"));
    check_witness(fixture);
}

/* Every message cut in two at every byte, and byte by byte. */
static void test_split(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const char command[] = "{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/\"}}";
    g_autoptr(Qmp) qmp = connect_client(fixture);

    for (gsize cut = 1; cut < strlen(command); cut++) {
        g_autoptr(GError) error = NULL;

        qmp_send_bytes(qmp, command, cut);
        check_witness(fixture);
        qmp_send_bytes(qmp, command + cut, strlen(command) - cut);
        json_object_put(qmp_answer(qmp, &error));
        g_assert_no_error(error);
    }
}

/* --- too much --- */

static void check_one_error(Fixture *fixture, Qmp *qmp, const GString *text, const char *word)
{
    g_autoptr(json_object) answers = answers_to(qmp, text->str, text->len);
    const char *desc = first_error(answers);

    g_test_message("%s", desc ? desc : "no error");
    g_assert_nonnull(desc);
    g_assert_cmpuint(strlen(desc), <, 1000);
    g_assert_nonnull(strstr(desc, word));
    check_witness(fixture);
}

static void test_nesting(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const gsize depths[] = {1025, 5000, 1000000};
    g_autoptr(Qmp) qmp = connect_client(fixture);

    for (guint i = 0; i < G_N_ELEMENTS(depths); i++) {
        g_autoptr(GString) text = g_string_new("{\"execute\":\"query-name\",\"arguments\":{\"a\":");
        g_autofree char *open = g_strnfill(depths[i], '[');
        g_autofree char *close = g_strnfill(depths[i], ']');

        g_string_append_printf(text, "%s%s}}", open, close);
        check_one_error(fixture, qmp, text, "JSON");
    }
    check_memory(fixture, "VmHWM", 64);
}

static void test_long_string(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);
    g_autoptr(GString) text = g_string_new("{\"execute\":\"");
    g_autofree char *letters = g_strnfill(65 * MIB, 'x');

    g_string_append_printf(text, "%s\"}", letters);
    check_one_error(fixture, qmp, text, "64");
    check_memory(fixture, "VmHWM", 320);
    check_memory(fixture, "VmRSS", 32);
}

/* Within the limit, a name that is too long to repeat. */
static void test_long_name(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);
    g_autofree char *letters = g_strnfill(MIB, 'x');
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text, "{\"execute\":\"%s\"}", letters);
    g_autoptr(json_object) answers = answers_to(qmp, text->str, text->len);
    g_assert_cmpstr(qmp_get_string(answers, "0/error/class"), ==, "CommandNotFound");
    check_witness(fixture);
}

static void test_many_members(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);
    g_autoptr(GString) text = g_string_new("{\"execute\":\"query-name\",\"arguments\":{\"l\":[0");

    for (guint i = 0; i < 1000000; i++) {
        g_string_append(text, ",0");
    }
    g_string_append(text, "]}}");
    check_one_error(fixture, qmp, text, "");
    check_memory(fixture, "VmHWM", 320);
}

/* 10,000 long answers that nobody reads: the program stops reading, and goes on for others. */
static void test_never_reads(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const char command[] = "{\"execute\":\"query-qmp-schema\"}\n";
    gint64 before = status_mib(fixture, "VmRSS");
    Qmp *qmp = connect_client(fixture);
    guint sent = 0, stuck = 0;

    while (sent < 10000 && stuck < 50) {
        ssize_t size = send(qmp_socket(qmp), command, strlen(command), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (size < (ssize_t)strlen(command)) {
            stuck++;
            g_usleep(10000);
            if (size > 0) { /* the rest of it, so that the stream stays good */
                break;
            }
        } else {
            stuck = 0;
            sent++;
        }
        if (sent % 100 == 0) {
            check_witness(fixture);
        }
    }
    g_test_message("%u commands were taken", sent);
    check_memory(fixture, "VmRSS", before + 96);
    check_witness(fixture);
    qmp_free(qmp);
    qmp = connect_client(fixture);
    qmp_free(qmp);
    check_witness(fixture);
}

/* 10,000 short ones, all written before the first is read: each gets its answer, in order. */
static void test_pipelined(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(Qmp) qmp = connect_client(fixture);

    for (guint i = 0; i < 10000; i++) {
        g_autoptr(GError) error = NULL;

        if (i % 100 == 0) {
            for (guint j = i; j < i + 100; j++) {
                qmp_send(qmp, "{'execute':'query-name','id':%u}", j);
            }
        }
        g_autoptr(json_object) answer = qmp_message(qmp, &error);
        g_assert_no_error(error);
        g_assert_cmpint(qmp_get_int(answer, "id", -1), ==, i);
    }
}

/* --- leaving --- */

static void test_leave(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    static const char *const partings[] = {
        "",
        "{",
        "{\"execute\":\"query-na",
        "{\"execute\":\"query-name\"}",
        "{\"execute\":\"query-qmp-schema\"}{\"execute\":\"query-qmp-schema\"}{\"execute\"",
        "\xff",
        "[[[[[[[[",
    };
    guint descriptors = process_descriptors(fixture->vmm->pid);

    for (guint i = 0; i < 100; i++) {
        const char *parting = partings[i % G_N_ELEMENTS(partings)];

        if (i % 2) { /* also without negotiation, without reading the greeting */
            Qmp *qmp = connect_client(fixture);
            qmp_send_bytes(qmp, parting, strlen(parting));
            qmp_free(qmp);
        } else {
            Qmp *qmp = qmp_connect(fixture->path, SECONDS, NULL);
            qmp_send_bytes(qmp, parting, strlen(parting));
            qmp_free(qmp);
        }
        check_witness(fixture);
    }
    for (guint i = 0; i < 500 && process_descriptors(fixture->vmm->pid) != descriptors; i++) {
        g_usleep(10000);
    }
    g_assert_cmpuint(process_descriptors(fixture->vmm->pid), ==, descriptors);
    check_memory(fixture, "VmRSS", 64);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/qmp-bad-input/bytes", test_bytes},
        {"/qmp-bad-input/zero-bytes", test_zero_bytes},
        {"/qmp-bad-input/split", test_split},
        {"/qmp-bad-input/nesting", test_nesting},
        {"/qmp-bad-input/long-string", test_long_string},
        {"/qmp-bad-input/long-name", test_long_name},
        {"/qmp-bad-input/many-members", test_many_members},
        {"/qmp-bad-input/never-reads", test_never_reads},
        {"/qmp-bad-input/pipelined", test_pipelined},
        {"/qmp-bad-input/leave", test_leave},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
    return g_test_run();
}
