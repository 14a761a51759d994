/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three ways to ask for a chardev: -chardev's options, the short form of
 * -qmp and its like, and QMP's ChardevBackend.  All become the first of them.
 */
#include "chardev/chardev.h"
#include "util/error.h"
#include "util/json.h"
#include "util/options.h"
#include "util/size.h"

#include <string.h>

static void add_name(GType type, gpointer opaque)
{
    GString *names = opaque;

    if (chardev_is_backend(type)) {
        ChardevClass *class = g_type_class_ref(type);
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", class->backend);
        g_type_class_unref(class);
    }
}

static GType find_backend(const char *backend, GError **error)
{
    g_autofree char *type_name = g_strconcat("chardev-", backend, NULL);
    GType type = vm_type_find(type_name);

    if (type && chardev_is_backend(type)) {
        return type;
    }
    g_autoptr(GString) names = g_string_new(NULL);
    vm_types_foreach(add_name, names);
    vm_error_set(error, "unknown backend '%s'; known are %s", backend, names->str);
    return 0;
}

gboolean chardev_print_backend_help(const char *backend, GError **error)
{
    GType type = find_backend(backend, error);

    if (!type) {
        g_prefix_error(error, "-chardev %s: ", backend);
        return FALSE;
    }
    vm_type_print_help(type);
    return TRUE;
}

/* Takes what QEMU has and we lack out of @options, unless it is switched on. */
static gboolean refuse_unsupported(const char *id, json_object *options, GError **error)
{
    static const struct {
        const char *name, *instead;
    } switches[] = {
        {"websocket", "websockets are not spoken here; use a plain socket, or telnet=on"},
        {"tn3270", "3270 terminals are not known here; use telnet=on"},
    };
    static const char *const values[] = {"tls-creds", "tls-authz"};
    g_autofree char *label = g_strdup_printf("chardev '%s'", id);

    for (guint i = 0; i < G_N_ELEMENTS(switches); i++) {
        gboolean on = FALSE;
        if (!options_take_bool(options, label, switches[i].name, &on, error)) {
            return FALSE;
        }
        if (on) {
            vm_error_set(error, "%s: %s=on: %s", label, switches[i].name, switches[i].instead);
            return FALSE;
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        if (json_object_object_get_ex(options, values[i], NULL)) {
            vm_error_set(error,
                         "%s: %s=%s: TLS is not spoken here; use a unix socket, or a tunnel (ssh, "
                         "stunnel) in front",
                         label, values[i], options_get(options, values[i]));
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_known(const char *id, GType type, json_object *options, GError **error)
{
    const GPtrArray *fields = vm_type_fields(type);
    g_autoptr(GString) known = g_string_new(NULL);
    g_autofree char *label = g_strdup_printf("chardev '%s'", id);
    g_autoptr(json_object) unknown = json_object_new_object();

    json_object_object_foreach(options, key, value)
    {
        json_object_object_add(unknown, key, json_object_get(value));
    }
    for (guint i = 0; i < fields->len; i++) {
        const VmField *field = fields->pdata[i];
        if (!(field->flags & VM_FIELD_READ_ONLY)) {
            g_string_append_printf(known, "%s%s", known->len ? ", " : "", field->name);
            json_object_object_del(unknown, field->name);
        }
    }
    return options_check_empty(unknown, label, known->len ? known->str : NULL, error);
}

/* wait says nothing without a server, so it must have been meant otherwise. */
static gboolean check_wait(const char *id, json_object *options, GError **error)
{
    const char *server = options_get(options, "server");
    gboolean is_server = FALSE;

    if (server && !bool_parse(server, &is_server, error)) {
        g_prefix_error(error, "chardev '%s': property 'server': ", id);
        return FALSE;
    }
    if (!is_server && json_object_object_get_ex(options, "wait", NULL)) {
        vm_error_set(error, "chardev '%s': wait=%s needs server=on", id,
                     options_get(options, "wait"));
        return FALSE;
    }
    return TRUE;
}

static Chardev *create_one(const char *id, const char *backend, json_object *options,
                           GError **error)
{
    VmObject *container = vm_object_container("chardevs");

    if (vm_object_child(container, id)) {
        vm_error_set(error, "Chardev with id '%s' already exists", id);
        return NULL;
    }
    GType type = find_backend(backend, error);
    if (!type) {
        g_prefix_error(error, "chardev '%s': ", id);
        return NULL;
    }
    if (!refuse_unsupported(id, options, error) || !check_known(id, type, options, error) ||
        !check_wait(id, options, error)) {
        return NULL;
    }
    g_autoptr(VmObject) object = vm_object_new(type, id, error);
    if (!object || !vm_object_set_all(object, options, error) ||
        !vm_object_check_required(object, error) || !chardev_open_log(CHARDEV(object), error) ||
        !CHARDEV_GET_CLASS(object)->open(CHARDEV(object), error) ||
        !vm_object_add_child(container, id, object, error)) {
        return NULL;
    }
    object->frozen = TRUE;
    return CHARDEV(object);
}

/* With mux=on two: the one that is described, and over it a multiplexer that has its name. */
static Chardev *create(const char *id, const char *backend, json_object *options, GError **error)
{
    g_autofree char *label = g_strdup_printf("chardev '%s'", id);
    g_autofree char *base = g_strconcat(id, CHARDEV_BASE_SUFFIX, NULL);
    g_autoptr(json_object) mux_options = json_object_new_object();
    gboolean mux = FALSE;

    if (!options_take_bool(options, label, "mux", &mux, error)) {
        return NULL;
    }
    if (!mux) {
        return create_one(id, backend, options, error);
    }
    if (chardev_find(id)) {
        vm_error_set(error, "Chardev with id '%s' already exists", id);
        return NULL;
    }
    if (!create_one(base, backend, options, error)) {
        return NULL;
    }
    json_add_string(mux_options, "chardev", base);
    Chardev *created = create_one(id, "mux", mux_options, error);
    if (!created) {
        chardev_remove(base, NULL);
    }
    return created;
}

Chardev *chardev_create(json_object *options, GError **error)
{
    g_autofree char *backend = options_take(options, "backend");
    g_autofree char *id = options_take(options, "id");

    if (!id) {
        vm_error_set(error, "a chardev needs an id, expected id=NAME");
        return NULL;
    }
    if (!backend) {
        vm_error_set(error, "chardev '%s': no backend is given, such as socket", id);
        return NULL;
    }
    return create(id, backend, options, error);
}

/* --- the short form --- */

/* "HOST:PORT", "[::1]:PORT" or ":PORT" into host and port. */
static gboolean split_host(const char *text, json_object *options)
{
    const char *colon = strrchr(text, ':');

    if (!colon) {
        return FALSE;
    }
    gsize length = (gsize)(colon - text);
    if (length >= 2 && *text == '[' && colon[-1] == ']') {
        text++;
        length -= 2;
    }
    g_autofree char *host = g_strndup(text, length);
    if (*host) {
        json_add_string(options, "host", host);
    }
    json_add_string(options, "port", colon + 1);
    return TRUE;
}

/* Understands the first item; returns the backend, or NULL. */
static const char *parse_head(const char *head, json_object *options)
{
    static const char *const plain[] = {"stdio", "null", "pty", "ringbuf", NULL};
    static const struct {
        const char *prefix, *backend, *key;
    } forms[] = {
        {"unix:", "socket", "path"}, {"fd:", "socket", "fd"},   {"file:", "file", "path"},
        {"pty:", "pty", "path"},     {"pipe:", "pipe", "path"},
    };

    for (guint i = 0; plain[i]; i++) {
        if (!strcmp(head, plain[i])) {
            return plain[i];
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        if (g_str_has_prefix(head, forms[i].prefix)) {
            json_add_string(options, forms[i].key, head + strlen(forms[i].prefix));
            return forms[i].backend;
        }
    }
    if (g_str_has_prefix(head, "tcp:") && split_host(head + 4, options)) {
        return "socket";
    }
    if (g_str_has_prefix(head, "telnet:") && split_host(head + 7, options)) {
        json_add_string(options, "telnet", "on");
        return "socket";
    }
    return NULL;
}

/* The first item up to a single comma (",," is one that belongs to it); *@rest is what follows. */
static char *take_head(const char *text, const char **rest)
{
    GString *head = g_string_new(NULL);

    for (; *text && (*text != ',' || text[1] == ','); text++) {
        g_string_append_c(head, *text);
        text += *text == ',';
    }
    *rest = *text ? text + 1 : text;
    return g_string_free(head, FALSE);
}

/* The backend of @text, whose options go into the new object *@options. */
static const char *parse_short(const char *text, json_object **options, GError **error)
{
    const char *rest;
    g_autofree char *head = take_head(text, &rest);
    g_autoptr(json_object) parsed = options_parse(rest, NULL, NULL, error);

    if (!parsed) {
        return NULL;
    }
    const char *backend = parse_head(head, parsed);
    if (!backend) {
        vm_error_set(error,
                     "'%s' is no character device: expected unix:PATH, tcp:HOST:PORT, "
                     "telnet:HOST:PORT, stdio, null, pty, ringbuf, file:PATH, pipe:PATH, "
                     "fd:NUMBER or chardev:ID",
                     head);
        return NULL;
    }
    *options = g_steal_pointer(&parsed);
    return backend;
}

Chardev *chardev_create_short(const char *id, const char *text, GError **error)
{
    g_autoptr(json_object) options = NULL;

    if (g_str_has_prefix(text, "chardev:")) {
        Chardev *chardev = chardev_find(text + strlen("chardev:"));
        if (!chardev) {
            vm_error_set(error, "Chardev '%s' not found", text + strlen("chardev:"));
        }
        return chardev;
    }
    gboolean shared = g_str_has_prefix(text, "mon:");
    const char *backend = parse_short(text + (shared ? strlen("mon:") : 0), &options, error);
    if (backend && shared) {
        json_add_string(options, "mux", "on");
        if (!strcmp(backend, "stdio") && !options_get(options, "signal")) {
            json_add_string(options, "signal", "off"); /* Ctrl-C is the guest's */
        }
    }
    return backend ? create(id, backend, options, error) : NULL;
}

/* --- QMP --- */

/* The member @name of @object as a string, or NULL with @error. */
static const char *need_string(json_object *object, const char *path, const char *name,
                               GError **error)
{
    json_object *value;

    if (!json_object_object_get_ex(object, name, &value)) {
        vm_error_set(error, "Parameter '%s%s' is missing", path, name);
        return NULL;
    }
    if (!json_object_is_type(value, json_type_string)) {
        vm_error_set(error, "Invalid parameter type for '%s%s', expected: string", path, name);
        return NULL;
    }
    return json_object_get_string(value);
}

/* The member "data": an object, or none of it. */
static gboolean find_data(json_object *object, const char *path, json_object **data, GError **error)
{
    *data = NULL;
    if (json_object_object_get_ex(object, "data", data) &&
        !json_object_is_type(*data, json_type_object)) {
        vm_error_set(error, "Invalid parameter type for '%s', expected: object", path);
        return FALSE;
    }
    return TRUE;
}

static void copy_member(json_object *options, const char *key, json_object *value)
{
    /* ipv4 and ipv6 have a third choice here, so that they are words. */
    if (json_object_is_type(value, json_type_boolean) && g_str_has_prefix(key, "ipv")) {
        json_add_string(options, key, json_object_get_boolean(value) ? "on" : "off");
        return;
    }
    json_object_object_add(options, key, json_object_get(value));
}

/* SocketAddressLegacy {"type":..,"data":{..}} into path, host and port, or fd. */
static gboolean flatten_address(json_object *address, json_object *options, GError **error)
{
    json_object *data;

    if (!json_object_is_type(address, json_type_object)) {
        vm_error_set(error, "Invalid parameter type for 'addr', expected: object");
        return FALSE;
    }
    const char *type = need_string(address, "addr.", "type", error);
    if (!type || !find_data(address, "addr.data", &data, error)) {
        return FALSE;
    }
    gboolean is_fd = !strcmp(type, "fd");
    if (strcmp(type, "unix") != 0 && strcmp(type, "inet") != 0 && !is_fd) {
        vm_error_set(error, "Parameter 'addr.type' is '%s', expected unix, inet or fd", type);
        return FALSE;
    }
    static const char *const needed[] = {"path", "host", "str"};
    if (!need_string(data, "addr.data.", needed[is_fd ? 2 : *type == 'i'], error) ||
        (*type == 'i' && !need_string(data, "addr.data.", "port", error))) {
        return FALSE;
    }
    json_object_object_foreach(data, key, value)
    {
        copy_member(options, is_fd && !strcmp(key, "str") ? "fd" : key, value);
    }
    return TRUE;
}

/* Leaves *@value as it is if there is no member @name. */
static gboolean read_switch(json_object *data, const char *name, gboolean *value, GError **error)
{
    json_object *member;

    if (!json_object_object_get_ex(data, name, &member)) {
        return TRUE;
    }
    if (!json_object_is_type(member, json_type_boolean)) {
        vm_error_set(error, "Invalid parameter type for '%s', expected: boolean", name);
        return FALSE;
    }
    *value = json_object_get_boolean(member);
    return TRUE;
}

/* In this form a socket listens unless it says otherwise, and does not wait. */
static gboolean flatten_socket(json_object *data, json_object *options, GError **error)
{
    json_object *address;
    gboolean server = TRUE, wait = FALSE;

    if (!json_object_object_get_ex(data, "addr", &address)) {
        vm_error_set(error, "Parameter 'addr' is missing");
        return FALSE;
    }
    if (!read_switch(data, "server", &server, error) || !read_switch(data, "wait", &wait, error)) {
        return FALSE;
    }
    if (wait) {
        vm_error_set(error, "wait=true is possible at start-up only, use false");
        return FALSE;
    }
    json_object_object_foreach(data, key, value)
    {
        if (strcmp(key, "addr") != 0 && strcmp(key, "wait") != 0) {
            copy_member(options, key, value);
        }
    }
    json_add_bool(options, "server", server);
    if (server) {
        json_add_bool(options, "wait", FALSE);
    }
    return flatten_address(address, options, error);
}

static gboolean flatten_file(json_object *data, json_object *options, GError **error)
{
    if (!need_string(data, "", "out", error)) {
        return FALSE;
    }
    json_object_object_foreach(data, key, value)
    {
        copy_member(options,
                    !strcmp(key, "out")  ? "path"
                    : !strcmp(key, "in") ? "input-path"
                                         : key,
                    value);
    }
    return TRUE;
}

static gboolean flatten_pipe(json_object *data, json_object *options, GError **error)
{
    if (!need_string(data, "", "device", error)) {
        return FALSE;
    }
    json_object_object_foreach(data, key, value)
    {
        copy_member(options, !strcmp(key, "device") ? "path" : key, value);
    }
    return TRUE;
}

static gboolean flatten(const char *type, json_object *data, json_object *options, GError **error)
{
    if (!strcmp(type, "socket")) {
        return flatten_socket(data, options, error);
    }
    if (!strcmp(type, "file")) {
        return flatten_file(data, options, error);
    }
    if (!strcmp(type, "pipe")) {
        return flatten_pipe(data, options, error);
    }
    if (data) {
        json_object_object_foreach(data, key, value)
        {
            copy_member(options, key, value);
        }
    }
    return TRUE;
}

Chardev *chardev_create_qmp(const char *id, json_object *backend, GError **error)
{
    g_autoptr(json_object) options = json_object_new_object();
    json_object *data;

    if (!json_object_is_type(backend, json_type_object)) {
        vm_error_set(error, "Invalid parameter type for 'backend', expected: object");
        return NULL;
    }
    const char *type = need_string(backend, "backend.", "type", error);
    if (!type) {
        return NULL;
    }
    if (!find_data(backend, "backend.data", &data, error) || !flatten(type, data, options, error)) {
        g_prefix_error(error, "chardev '%s': ", id);
        return NULL;
    }
    return create(id, type, options, error);
}

static gboolean can_change(Chardev *chardev, GError **error)
{
    const char *id = chardev->parent.id;
    const ChardevFrontend *frontend = chardev->frontend;

    if (CHARDEV_GET_CLASS(chardev)->port) {
        vm_error_set(error, "chardev '%s' is a multiplexer, and cannot be changed", id);
        return FALSE;
    }
    if (frontend && !frontend->move) {
        vm_error_set(error, "chardev '%s' is used by %s, which cannot change to another one", id,
                     frontend->user);
        return FALSE;
    }
    if (chardev->keeper) {
        g_autofree char *user = chardev_user(chardev);

        vm_error_set(error, "chardev '%s' is used by %s, which cannot change to another one", id,
                     user);
        return FALSE;
    }
    return TRUE;
}

Chardev *chardev_change(const char *id, json_object *backend, GError **error)
{
    VmObject *container = vm_object_container("chardevs");
    g_autoptr(VmObject) old = NULL;

    if (!chardev_find(id)) {
        vm_error_set(error, "Chardev '%s' not found", id);
        return NULL;
    }
    if (!can_change(chardev_find(id), error)) {
        return NULL;
    }
    old = g_object_ref(VM_OBJECT(chardev_find(id)));
    vm_object_unparent(old); /* its id is free for the new one */
    Chardev *chardev = chardev_create_qmp(id, backend, error);
    const ChardevFrontend *frontend = CHARDEV(old)->frontend;
    if (chardev && frontend && !frontend->move(frontend->opaque, chardev, error)) {
        chardev_remove(id, NULL);
        chardev = NULL;
    }
    if (!chardev) {
        vm_object_add_child(container, id, old, NULL);
    } else {
        chardev_close(CHARDEV(old));
    }
    return chardev;
}
