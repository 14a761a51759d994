/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitors on chardevs, and the monitor's own commands. */
#include "qmp-client.h"

#include "monitor/monitor.h"
#include "system/identity.h"
#include "system/run-state.h"
#include "util/trace.h"

#include <glib/gstdio.h>

static char *directory;
static char *socket_path;

/* Something to create, look at and delete. */
typedef struct Thing {
    VmObject parent;
    char *text;
    guint64 size;
    int choice;
} Thing;

typedef struct ThingClass {
    VmObjectClass parent;
} ThingClass;

VM_DECLARE_TYPE(Thing, thing, THING)
VM_DEFINE_TYPE("test-thing", Thing, ThingClass, thing, VM_TYPE_OBJECT, 0);

static const char *const choices[] = {"left", "right", NULL};

static const VmField fields[] = {
    {.name = "text",
     .doc = "a text",
     .kind = VM_FIELD_STRING,
     .offset = offsetof(Thing, text),
     .flags = VM_FIELD_LIVE},
    {.name = "size",
     .doc = "a size",
     .kind = VM_FIELD_SIZE,
     .offset = offsetof(Thing, size),
     .default_value = 4096},
    {.name = "choice",
     .doc = "a choice",
     .kind = VM_FIELD_ENUM,
     .offset = offsetof(Thing, choice),
     .names = choices},
    {.name = NULL},
};

static gboolean thing_complete(VmObject *object G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
    return TRUE;
}

static void thing_class_init(ThingClass *class)
{
    VM_OBJECT_CLASS(class)->description = "thing for tests";
    VM_OBJECT_CLASS(class)->complete = thing_complete;
    vm_object_class_install_fields(class, fields);
}

static void thing_init(Thing *thing G_GNUC_UNUSED)
{
}

TRACE_EVENT(test_monitor_event, "for this test");

static Client *connect_client(void)
{
    Client *client = client_new_at(socket_path);

    client_negotiate(client, TRUE);
    return client;
}

static void hang_up(Client *client)
{
    client_free(client);
    client_settle();
}

/* Sends @name with @arguments and checks what "return" holds, or the error's text. */
static void expect(Client *client, const char *name, const char *arguments, const char *answer)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\":\"%s\",\"arguments\":{%s}}", name, arguments);
    g_autoptr(json_object) line = NULL;
    json_object *error;
    const char *text;

    client_send(client, request);
    line = client_line(client);
    g_assert_nonnull(line);
    if (json_object_object_get_ex(line, "error", &error)) {
        text = qmp_string(error, "desc");
    } else {
        text =
            json_object_to_json_string_ext(json_object_object_get(line, "return"),
                                           JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    }
    g_test_message("%s", request);
    g_assert_cmpstr(text, ==, answer);
}

static void expect_event(Client *client, const char *name, const char *data)
{
    g_autoptr(json_object) line = client_line(client);

    g_assert_nonnull(line);
    g_assert_cmpstr(qmp_string(line, "event"), ==, name);
    g_assert_cmpstr(json_object_to_json_string_ext(json_object_object_get(line, "data"),
                                                   JSON_C_TO_STRING_PLAIN),
                    ==, data);
}

static void test_identity(void)
{
    Client *client = connect_client();
    GError *error = NULL;

    expect(client, "query-name", "", "{}");
    expect(client, "query-uuid", "", "{\"UUID\":\"00000000-0000-0000-0000-000000000000\"}");
    identity_set_name("vm1");
    g_assert_false(identity_set_uuid("1-2", &error));
    g_assert_true(strstr(error->message, "'1-2'") != NULL);
    g_clear_error(&error);
    g_assert_true(identity_set_uuid("550E8400-e29b-41d4-a716-446655440000", NULL));
    expect(client, "query-name", "", "{\"name\":\"vm1\"}");
    expect(client, "query-uuid", "", "{\"UUID\":\"550e8400-e29b-41d4-a716-446655440000\"}");
    expect(client, "query-target", "", "{\"arch\":\"x86_64\"}");
    expect(client, "query-kvm", "", "{\"enabled\":false,\"present\":true}");
    expect(client, "query-iothreads", "", "[]");
    expect(client, "query-cpus-fast", "", "[]");
    expect(client, "query-hotpluggable-cpus", "", "[]");
    expect(client, "human-monitor-command", "\"command-line\":\"info name\"", "\"vm1\\n\"");
    hang_up(client);
}

static void held(gpointer opaque G_GNUC_UNUSED, gboolean running)
{
    if (!running) {
        run_state_stop_hold();
    }
}

static void test_run_state(void)
{
    RunStateListener listener = {.changed = held};
    Client *client = connect_client();

    expect(client, "query-status", "", "{\"status\":\"prelaunch\",\"running\":false}");
    client_send(client, "{\"execute\":\"cont\"}");
    expect_event(client, "RESUME", "null");
    client_expect(client, "", "{\"return\":{}}");
    expect(client, "query-status", "", "{\"status\":\"running\",\"running\":true}");
    run_state_listener_add(&listener);
    client_send(client, "{\"execute\":\"stop\",\"id\":1}");
    expect_event(client, "STOP", "null");
    client_expect(client, "{\"execute\":\"query-name\",\"id\":2}", "");
    run_state_stop_release();
    client_expect(client, "", "{\"return\":{},\"id\":1}");
    client_expect(client, "", "{\"return\":{\"name\":\"vm1\"},\"id\":2}");
    run_state_listener_remove(&listener);
    expect(client, "stop", "", "{}");
    expect(client, "system_reset", "", "{}");
    expect_event(client, "RESET", "{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}");
    expect(client, "system_powerdown", "", "{}");
    expect_event(client, "POWERDOWN", "null");
    hang_up(client);
}

static void test_objects(void)
{
    Client *client = connect_client();

    expect(client, "object-add", "\"qom-type\":\"test-thing\",\"id\":\"t0\",\"size\":8192", "{}");
    expect(client, "object-add",
           "\"qom-type\":\"test-thing\",\"id\":\"t1\",\"props\":{\"choice\":\"right\"}", "{}");
    expect(client, "object-add",
           "\"qom-type\":\"test-thing\",\"id\":\"t2\",\"size\":1,\"props\":{\"size\":2}",
           "Parameter 'props.size' is given twice");
    expect(client, "object-add", "\"qom-type\":\"test-thing\",\"id\":\"t2\",\"props\":[]",
           "Invalid parameter type for 'props', expected: object");
    expect(client, "object-add", "\"id\":\"t2\"", "Parameter 'qom-type' is missing");
    expect(client, "qom-get", "\"path\":\"/objects/t0\",\"property\":\"size\"", "8192");
    expect(client, "qom-get", "\"path\":\"t1\",\"property\":\"choice\"", "\"right\"");
    expect(client, "qom-get", "\"path\":\"t1\",\"property\":\"type\"", "\"test-thing\"");
    expect(client, "qom-get", "\"path\":\"/objects\",\"property\":\"t1\"", "\"/objects/t1\"");
    expect(client, "qom-set", "\"path\":\"t1\",\"property\":\"text\",\"value\":\"x\"", "{}");
    expect(client, "qom-get", "\"path\":\"t1\",\"property\":\"text\"", "\"x\"");
    expect(client, "qom-list", "\"path\":\"/objects/t0\"",
           "[{\"name\":\"type\",\"type\":\"string\"},{\"name\":\"text\",\"type\":\"str\"},"
           "{\"name\":\"size\",\"type\":\"size\"},{\"name\":\"choice\",\"type\":\"str\"}]");
    expect(client, "qom-list-properties", "\"typename\":\"test-thing\"",
           "[{\"name\":\"text\",\"type\":\"str\",\"description\":\"a text\"},"
           "{\"name\":\"size\",\"type\":\"size\",\"description\":\"a size\","
           "\"default-value\":4096},"
           "{\"name\":\"choice\",\"type\":\"str\",\"description\":\"a choice\","
           "\"default-value\":\"left\"}]");
    expect(client, "qom-list-properties", "\"typename\":\"no-type\"",
           "Class 'no-type' not found; qom-list-types lists them all");
    expect(client, "qom-list-types", "\"implements\":\"no-type\"", "[]");
    expect(client, "qom-list-types", "\"implements\":\"chardev-null\"",
           "[{\"name\":\"chardev-null\",\"parent\":\"chardev\"}]");
    expect(client, "object-del", "\"id\":\"t0\"", "{}");
    expect(client, "object-del", "\"id\":\"t1\"", "{}");
    hang_up(client);
}

static void test_chardevs(void)
{
    g_autofree char *filename = g_strdup_printf(
        "\"id\":\"c1\",\"backend\":{\"type\":\"file\",\"data\":{\"out\":\"%s/out\"}}", directory);
    Client *client = connect_client();

    expect(client, "chardev-add", filename, "{}");
    expect(client, "chardev-add", "\"id\":\"c2\",\"backend\":{\"type\":\"null\",\"data\":{}}",
           "{}");
    expect(
        client, "chardev-add",
        "\"id\":\"c3\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\"}}}",
        "Parameter 'backend.data.addr.data' is missing");
    expect(client, "chardev-add", "\"id\":\"c3\",\"backend\":{\"type\":\"spice\",\"data\":{}}",
           "Parameter 'backend.type' does not accept value 'spice', but file, mux, null, pipe, "
           "pty, ringbuf, socket, stdio");
    expect(client, "chardev-change", "\"id\":\"c2\",\"backend\":{\"type\":\"null\",\"data\":{}}",
           "{}");
    expect(client, "chardev-remove", "\"id\":\"c1\"", "{}");
    expect(client, "chardev-remove", "\"id\":\"c2\"", "{}");
    client_send(client, "{\"execute\":\"chardev-add\",\"arguments\":{\"id\":\"p\",\"backend\":{"
                        "\"type\":\"pty\",\"data\":{}}}}");
    g_autoptr(json_object) line = client_line(client);
    g_assert_true(
        g_str_has_prefix(qmp_string(json_object_object_get(line, "return"), "pty"), "/dev/pts/"));
    expect(client, "chardev-remove", "\"id\":\"p\"", "{}");
    g_autofree char *out = g_build_filename(directory, "out", NULL);
    g_assert_cmpint(g_remove(out), ==, 0);
    hang_up(client);
}

static void test_traces(void)
{
    Client *client = connect_client();

    expect(client, "trace-event-get-state", "\"name\":\"test_monitor_event\"",
           "[{\"name\":\"test_monitor_event\",\"state\":\"disabled\"}]");
    expect(client, "trace-event-set-state", "\"name\":\"test_monitor_*\",\"enable\":true", "{}");
    trace(test_monitor_event, "seen");
    expect(client, "trace-event-get-state", "\"name\":\"test_monitor_event\"",
           "[{\"name\":\"test_monitor_event\",\"state\":\"enabled\"}]");
    expect(client, "trace-event-set-state", "\"name\":\"test_monitor_*\",\"enable\":false", "{}");
    expect(client, "trace-event-set-state", "\"name\":\"none\",\"enable\":false",
           "unknown trace event 'none'; trace-event-get-state of '*' lists them all");
    hang_up(client);
}

static void test_descriptors(void)
{
    Client *client = connect_client();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    expect(client, "getfd", "\"fdname\":\"f\"",
           "getfd: No file descriptor supplied via SCM_RIGHTS; send one with the command over a "
           "unix socket");
    expect(client, "add-fd", "",
           "add-fd: No file descriptor supplied via SCM_RIGHTS; send one with the command over a "
           "unix socket");
    expect(client, "closefd", "\"fdname\":\"f\"", "File descriptor named 'f' not found");
    client_send_fds(client, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"f\"}}", &fd, 1);
    client_expect(client, "", "{\"return\":{}}");
    expect(client, "closefd", "\"fdname\":\"f\"", "{}");
    client_send_fds(client, "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"0\"}}", &fd, 1);
    client_expect(client, "",
                  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"Parameter 'fdname' expects "
                  "a name not starting with a digit, got '0'\"}}");
    expect(client, "query-fdsets", "", "[]");
    client_send_fds(
        client, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":7,\"opaque\":\"o\"}}", &fd, 1);
    g_autoptr(json_object) line = client_line(client);
    json_object *info = json_object_object_get(line, "return");
    g_autofree char *sets = g_strdup_printf(
        "[{\"fdset-id\":7,\"fds\":[{\"fd\":%d,\"opaque\":\"o\"}]}]", (int)qmp_int(info, "fd", -1));
    g_assert_cmpint(qmp_int(info, "fdset-id", -1), ==, 7);
    expect(client, "query-fdsets", "", sets);
    expect(client, "remove-fd", "\"fdset-id\":7,\"fd\":-3",
           "Parameter 'fd' expects the number of a descriptor, got -3");
    expect(client, "remove-fd", "\"fdset-id\":7", "{}");
    expect(client, "query-fdsets", "", "[]");
    close(fd);
    hang_up(client);
}

/* A monitor as an object: it can be added and removed, but not by its own client. */
static void test_monitor_object(void)
{
    g_autofree char *path = g_build_filename(directory, "second", NULL);
    g_autofree char *arguments = g_strdup_printf(
        "\"id\":\"m\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":\"unix\","
        "\"data\":{\"path\":\"%s\"}},\"server\":true,\"wait\":false}}",
        path);
    Client *client = connect_client(), *second;

    expect(client, "chardev-add", arguments, "{}");
    expect(client, "object-add", "\"qom-type\":\"monitor-qmp\",\"id\":\"q\",\"chardev\":\"none\"",
           "monitor-qmp 'q': there is no chardev 'none'");
    expect(client, "object-add", "\"qom-type\":\"monitor-qmp\",\"id\":\"q\",\"chardev\":\"m\"",
           "{}");
    second = client_new_at(path);
    client_negotiate(second, FALSE);
    expect(second, "query-name", "", "{\"name\":\"vm1\"}");
    expect(second, "object-del", "\"id\":\"q\"",
           "the monitor on chardev 'm' cannot be removed by its own client");
    expect(client, "object-del", "\"id\":\"q\"", "{}");
    g_assert_null(client_line(second));
    expect(client, "chardev-remove", "\"id\":\"m\"", "{}");
    client_free(second);
    hang_up(client);
}

static void test_quit(void)
{
    Client *client = connect_client();

    client_expect(client, "{\"execute\":\"quit\"}", "{\"return\":{}}");
    expect_event(client, "SHUTDOWN", "{\"guest\":false,\"reason\":\"host-qmp-quit\"}");
    monitor_cleanup(100);
    client_free(client);
}

int main(int argc, char **argv)
{
    g_autofree char *text = NULL;
    GError *error = NULL;
    Chardev *chardev;
    int status;

    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    directory = g_dir_make_tmp("hotslot-XXXXXX", NULL);
    socket_path = g_build_filename(directory, "qmp", NULL);
    text = g_strdup_printf("unix:%s,server=on,wait=off", socket_path);
    chardev = chardev_create_short("c0", text, &error);
    g_assert_no_error(error);
    g_assert_true(monitor_qmp_new(chardev, FALSE, NULL));
    monitor_start_all();
    g_test_add_func("/monitor/identity", test_identity);
    g_test_add_func("/monitor/run-state", test_run_state);
    g_test_add_func("/monitor/objects", test_objects);
    g_test_add_func("/monitor/chardevs", test_chardevs);
    g_test_add_func("/monitor/traces", test_traces);
    g_test_add_func("/monitor/descriptors", test_descriptors);
    g_test_add_func("/monitor/monitor-object", test_monitor_object);
    g_test_add_func("/monitor/quit", test_quit);
    status = g_test_run();
    chardev_cleanup();
    g_rmdir(directory);
    g_free(socket_path);
    g_free(directory);
    return status;
}
