/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every QMP command with wrong arguments: refused with the right class and an error that names
 * what is wrong; afterwards everything is as it was.  What can be derived from query-qmp-schema
 * (unknown, missing, mistyped arguments) is; the rest is the table of bad-commands.c.
 */
#include "qtest/bad-commands.h"
#include "qtest/process.h"
#include "qtest/rig.h"

#include <string.h>
#include <unistd.h>

#define RSS_LIMIT_KIB                                                                              \
    (256 * 1024) /* with every buffer at its limit; a leak per row is far more                     \
                  */

typedef struct Fixture {
    Rig *rig;
    char *before;      /* state() */
    GHashTable *types; /* name -> entry of query-qmp-schema */
    json_object *schema;
    guint wrong;
} Fixture;

/* --- state --- */

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the program has open, sorted; sockets and anonymous files without their numbers. */
static char *descriptors(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        char *target = g_file_read_link(link, NULL);

        if (target) {
            target[strcspn(target, "[")] = '\0'; /* "socket:[123]" */
            g_ptr_array_add(targets, target);
        }
    }
    g_dir_close(dir);
    g_ptr_array_sort(targets, compare_strings);
    g_ptr_array_add(targets, NULL);
    return g_strjoinv(" ", (char **)targets->pdata);
}

/* Everything that a refused command might have changed.  Caller frees. */
static char *state(Rig *rig)
{
    static const char *const queries[] = {
        "{'execute':'query-status'}",
        "{'execute':'query-chardev'}",
        "{'execute':'query-memdev'}",
        "{'execute':'query-memory-devices'}",
        "{'execute':'query-fdsets'}",
        "{'execute':'query-pci'}",
        "{'execute':'qom-list','arguments':{'path':'/objects'}}",
        "{'execute':'qom-list','arguments':{'path':'/chardevs'}}",
        "{'execute':'qom-list','arguments':{'path':'/machine'}}",
        "{'execute':'qom-list','arguments':{'path':'/machine/peripheral'}}",
        "{'execute':'trace-event-get-state','arguments':{'name':'*'}}",
    };
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(queries); i++) {
        g_autoptr(json_object) answer = qmp_command_or_fail(rig->qmp, "%s", queries[i]);

        g_string_append_printf(text, "%s\n", json_object_to_json_string(answer));
    }
    g_autofree char *open = descriptors(rig->vmm->pid);
    g_string_append_printf(text, "%s\n", open);
    return g_string_free(text, FALSE);
}

/* --- one refusal --- */

static char *expand(const char *text)
{
    g_autofree char *file = vmm_temporary_path("x");
    g_autofree char *directory = g_path_get_dirname(file);
    g_auto(GStrv) parts = g_strsplit(text, "@T", -1);

    return g_strjoinv(directory, parts);
}

static char *judge(const GError *error, json_object *result, const BadCommand *row)
{
    g_autofree char *expanded = expand(row->words);
    g_auto(GStrv) words = g_strsplit(expanded, "|", -1);

    if (result) {
        return g_strdup_printf("it was accepted: %s", json_object_to_json_string(result));
    }
    if (error->code >= QMP_ERROR_TIMEOUT) {
        vmm_fail("%s", error->message);
    }
    if (error->code != (int)row->class) {
        return g_strdup_printf("class %d, expected %d", error->code, row->class);
    }
    for (guint i = 0; words[i]; i++) {
        if (!strstr(error->message, words[i])) {
            return g_strdup_printf("does not contain \"%s\"", words[i]);
        }
    }
    return NULL;
}

static void run_row(Fixture *fixture, const BadCommand *row)
{
    Qmp *qmp = fixture->rig->qmp;
    g_autofree char *arguments = expand(row->arguments);
    g_autoptr(GError) error = NULL;
    g_autoptr(json_object) result =
        qmp_command(qmp, &error, "{'execute':'%s','arguments':%s}", row->command, arguments);
    g_autofree char *wrong = judge(error, result, row);

    if (wrong || g_test_verbose()) {
        g_test_message("%s %s\n    %s%s%s", row->command, row->arguments,
                       error ? error->message : "", wrong ? "\n    WRONG: " : "",
                       wrong ? wrong : "");
    }
    fixture->wrong += wrong != NULL;
}

static void check_unchanged(Fixture *fixture)
{
    g_autofree char *after = state(fixture->rig);
    g_auto(GStrv) old = g_strsplit(fixture->before, "\n", -1);
    g_auto(GStrv) new = g_strsplit(after, "\n", -1);

    for (guint i = 0; old[i] && new[i]; i++) {
        g_assert_cmpstr(new[i], ==, old[i]);
    }
    g_assert_cmpuint(fixture->wrong, ==, 0);
}

/* --- the table --- */

static void test_table(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    gint64 resident = (gint64)process_number(fixture->rig->vmm->pid, "status", "VmRSS");

    for (const BadCommand *row = bad_commands; row->command; row++) {
        run_row(fixture, row);
    }
    check_unchanged(fixture);
    g_assert_cmpint((gint64)process_number(fixture->rig->vmm->pid, "status", "VmRSS"), <,
                    resident + RSS_LIMIT_KIB);
}

/* Each row a second and a third time leaves no more behind than the first. */
static void test_repeated(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    for (guint round = 0; round < 3; round++) {
        for (const BadCommand *row = bad_commands; row->command; row++) {
            run_row(fixture, row);
        }
        check_unchanged(fixture);
    }
}

/* --- what the schema says --- */

static json_object *schema_entry(Fixture *fixture, const char *name)
{
    return g_hash_table_lookup(fixture->types, name);
}

static json_object *find_command(Fixture *fixture, const char *name)
{
    for (gsize i = 0; i < json_object_array_length(fixture->schema); i++) {
        json_object *entry = json_object_array_get_idx(fixture->schema, i);

        if (!g_strcmp0(qmp_get_string(entry, "meta-type"), "command") &&
            !g_strcmp0(qmp_get_string(entry, "name"), name)) {
            return entry;
        }
    }
    return NULL;
}

/* A JSON value that no value of the type is. */
static const char *mistyped(Fixture *fixture, const char *type)
{
    json_object *entry = schema_entry(fixture, type);
    const char *kind = qmp_get_string(entry, "meta-type");

    if (!g_strcmp0(kind, "builtin")) {
        return !g_strcmp0(qmp_get_string(entry, "json-type"), "string") ? "[]" : "'text'";
    }
    return "17"; /* of an enumeration, an object, a list */
}

/* A value of the type, for the arguments that come before the wrong one.  Caller frees. */
static char *filler(Fixture *fixture, const char *type)
{
    json_object *entry = schema_entry(fixture, type);
    const char *kind = qmp_get_string(entry, "json-type");

    if (!g_strcmp0(qmp_get_string(entry, "meta-type"), "enum")) {
        json_object *first = json_object_array_get_idx(qmp_get(entry, "values"), 0);
        return g_strdup_printf("'%s'", json_object_get_string(first));
    }
    if (!g_strcmp0(kind, "string")) {
        return g_strdup("'x'");
    }
    if (!g_strcmp0(kind, "boolean")) {
        return g_strdup("true");
    }
    /* An object is a ChardevBackend. */
    return g_strdup(!g_strcmp0(kind, "int") ? "1" : "{'type':'null','data':{}}");
}

/* All mandatory members but @wrong, which gets @value (NULL: it is left out). */
static char *arguments_with(Fixture *fixture, json_object *members, json_object *wrong,
                            const char *value)
{
    GString *text = g_string_new("{");

    for (gsize i = 0; i < json_object_array_length(members); i++) {
        json_object *member = json_object_array_get_idx(members, i);
        g_autofree char *chosen = member == wrong ? g_strdup(value)
                                  : json_object_object_get_ex(member, "default", NULL)
                                      ? NULL
                                      : filler(fixture, qmp_get_string(member, "type"));

        if (chosen) {
            g_string_append_printf(text, "%s'%s':%s", text->len > 1 ? "," : "",
                                   qmp_get_string(member, "name"), chosen);
        }
    }
    g_string_append_c(text, '}');
    return g_string_free(text, FALSE);
}

static gboolean has_row(const char *command)
{
    for (const BadCommand *row = bad_commands; row->command; row++) {
        if (!strcmp(row->command, command)) {
            return TRUE;
        }
    }
    return FALSE;
}

static void try_member(Fixture *fixture, const char *command, json_object *members, gsize index)
{
    json_object *member = json_object_array_get_idx(members, index);
    const char *type = qmp_get_string(member, "type");
    g_autofree char *quoted = g_strdup_printf("'%s'", qmp_get_string(member, "name"));
    g_autofree char *mandatory = g_strconcat(quoted, "|missing", NULL);
    g_autofree char *without = arguments_with(fixture, members, member, NULL);
    const BadCommand missing = {command, without, mandatory, QMP_ERROR_GENERIC};

    if (strcmp(type, "any") != 0) {
        g_autofree char *with = arguments_with(fixture, members, member, mistyped(fixture, type));
        const BadCommand wrong = {command, with, quoted, QMP_ERROR_GENERIC};

        run_row(fixture, &wrong);
    }
    if (!json_object_object_get_ex(member, "default", NULL)) {
        run_row(fixture, &missing);
    }
}

static void test_schema(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    g_autoptr(json_object) commands =
        qmp_command_or_fail(fixture->rig->qmp, "{'execute':'query-commands'}");

    g_assert_cmpuint(json_object_array_length(commands), >, 40);
    for (gsize i = 0; i < json_object_array_length(commands); i++) {
        const char *name = qmp_get_string(json_object_array_get_idx(commands, i), "name");
        json_object *entry = find_command(fixture, name);
        json_object *arguments, *members;

        g_assert_nonnull(entry);
        arguments = schema_entry(fixture, qmp_get_string(entry, "arg-type"));
        members = qmp_get(arguments, "members");
        if (json_object_array_length(members) && !has_row(name)) {
            g_test_message("%s takes arguments and has no row in bad-commands.c", name);
            fixture->wrong++;
        }
        if (!strcmp(name, "object-add") || !strcmp(name, "device_add") ||
            !strcmp(name, "qmp_capabilities")) {
            continue; /* further members are properties; only once a session: rows of the table */
        }
        if (json_object_array_length(members) == 0) {
            const BadCommand unknown = {name, "{'no-such':1}", "'no-such'", QMP_ERROR_GENERIC};

            run_row(fixture, &unknown);
        }
        for (gsize j = 0; j < json_object_array_length(members); j++) {
            try_member(fixture, name, members, j);
        }
    }
    check_unchanged(fixture);
}

/* --- fixture --- */

static void set_up(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    const RigOptions options = {
        .monitors = 1,
        .arguments = "-chardev null,id=spare -object memory-backend-memfd,id=free,size=2M",
    };

    fixture->rig = rig_start(NULL, &options);
    rig_plug(fixture->rig, 1);
    fixture->schema = qmp_command_or_fail(fixture->rig->qmp, "{'execute':'query-qmp-schema'}");
    fixture->types = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < json_object_array_length(fixture->schema); i++) {
        json_object *entry = json_object_array_get_idx(fixture->schema, i);

        if (g_strcmp0(qmp_get_string(entry, "meta-type"), "command") != 0) {
            g_hash_table_insert(fixture->types, (gpointer)qmp_get_string(entry, "name"), entry);
        }
    }
    fixture->before = state(fixture->rig);
}

static void tear_down(Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
    rig_unplug(fixture->rig, 1);
    rig_end(fixture->rig);
    g_hash_table_destroy(fixture->types);
    json_object_put(fixture->schema);
    g_free(fixture->before);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/bad-commands/table", Fixture, NULL, set_up, test_table, tear_down);
    g_test_add("/bad-commands/schema", Fixture, NULL, set_up, test_schema, tear_down);
    g_test_add("/bad-commands/repeated", Fixture, NULL, set_up, test_repeated, tear_down);
    return g_test_run();
}
