/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP client over a connected socket: incremental JSON, answers apart from events, deadlines.
 */
#include "qtest/qmp.h"
#include "qtest/vmm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct Qmp {
    int socket;
    guint timeout; /* milliseconds */
    json_tokener *tokener;
    GString *input; /* bytes read that make no whole message yet */
    gsize parsed;   /* of them, how many the tokener has seen */
    GString *text;  /* of the message read last */
    json_object *greeting;
    GQueue answers; /* of json_object, read and not asked for yet */
    GQueue events;  /* of json_object */
};

G_DEFINE_QUARK(qtest - qmp - error, qmp_error)

Qmp *qmp_new(int socket, guint timeout)
{
    Qmp *qmp = g_new0(Qmp, 1);

    qmp->socket = socket;
    qmp->timeout = timeout * 1000;
    qmp->tokener = json_tokener_new();
    qmp->input = g_string_new(NULL);
    qmp->text = g_string_new(NULL);
    g_queue_init(&qmp->answers);
    g_queue_init(&qmp->events);
    return qmp;
}

static void put_object(gpointer object)
{
    json_object_put(object);
}

void qmp_free(Qmp *qmp)
{
    if (!qmp) {
        return;
    }
    close(qmp->socket);
    json_tokener_free(qmp->tokener);
    g_string_free(qmp->input, TRUE);
    g_string_free(qmp->text, TRUE);
    json_object_put(qmp->greeting);
    g_queue_clear_full(&qmp->answers, put_object);
    g_queue_clear_full(&qmp->events, put_object);
    g_free(qmp);
}

Qmp *qmp_connect(const char *path, guint timeout, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gint64 deadline = g_get_monotonic_time() + timeout * G_USEC_PER_SEC;
    int code;

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    do {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
            return qmp_new(fd, timeout);
        }
        code = errno;
        close(fd);
        g_usleep(2000);
    } while (g_get_monotonic_time() < deadline);
    g_set_error(error, QMP_ERROR, QMP_ERROR_CLOSED, "QMP socket '%s': %s", path, g_strerror(code));
    return NULL;
}

int qmp_socket(Qmp *qmp)
{
    return qmp->socket;
}

void qmp_set_timeout(Qmp *qmp, guint milliseconds)
{
    qmp->timeout = milliseconds;
}

/* --- reading --- */

/* One value out of the bytes that are there, or NULL.  Each byte is given to the parser once. */
static json_object *parse_input(Qmp *qmp, GError **error)
{
    const char *fresh = qmp->input->str + qmp->parsed;
    json_object *value;
    enum json_tokener_error result;
    gsize end;

    if (qmp->parsed == qmp->input->len) {
        return NULL;
    }
    value = json_tokener_parse_ex(qmp->tokener, fresh, qmp->input->len - qmp->parsed);
    result = json_tokener_get_error(qmp->tokener);
    if (result == json_tokener_continue) {
        qmp->parsed = qmp->input->len;
        return NULL;
    }
    if (!value || !json_object_is_type(value, json_type_object)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_BROKEN, "QMP: %s in '%.200s'",
                    value ? "not an object" : json_tokener_error_desc(result), qmp->input->str);
        json_object_put(value);
        return NULL;
    }
    end = qmp->parsed + json_tokener_get_parse_end(qmp->tokener);
    while (end < qmp->input->len && strchr("\r\n", qmp->input->str[end])) {
        end++;
    }
    json_tokener_reset(qmp->tokener);
    g_string_truncate(qmp->text, 0);
    g_string_append_len(qmp->text, qmp->input->str, end);
    g_string_erase(qmp->input, 0, end);
    qmp->parsed = 0;
    return value;
}

static json_object *read_message(Qmp *qmp, gint64 deadline, GError **error)
{
    for (;;) {
        GError *broken = NULL;
        struct pollfd poller = {.fd = qmp->socket, .events = POLLIN};
        json_object *message;
        gint64 left;
        char bytes[16384];
        ssize_t got;

        message = parse_input(qmp, &broken);
        if (message || broken) {
            if (broken) {
                g_propagate_error(error, broken);
            }
            return message;
        }
        left = MAX(0, deadline - g_get_monotonic_time());
        if (poll(&poller, 1, (int)((left + 999) / 1000)) == 0) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_TIMEOUT, "QMP: no answer in time%s%.200s",
                        qmp->input->len ? "; so far: " : "", qmp->input->str);
            return NULL;
        }
        got = recv(qmp->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_CLOSED, "QMP: the session was closed%s%s",
                        got < 0 ? ": " : "", got < 0 ? g_strerror(errno) : "");
            return NULL;
        }
        if (got > 0) {
            g_string_append_len(qmp->input, bytes, got);
        }
    }
}

json_object *qmp_message(Qmp *qmp, GError **error)
{
    json_object *message = g_queue_pop_head(&qmp->events);

    if (!message) {
        message = g_queue_pop_head(&qmp->answers);
    }
    return message ? message
                   : read_message(qmp, g_get_monotonic_time() + qmp->timeout * 1000LL, error);
}

const char *qmp_message_text(Qmp *qmp)
{
    return qmp->text->str;
}

static gboolean is_event(json_object *message)
{
    return json_object_object_get_ex(message, "event", NULL);
}

/* Reads until an answer is queued. */
static gboolean read_answer(Qmp *qmp, gint64 deadline, GError **error)
{
    while (g_queue_is_empty(&qmp->answers)) {
        json_object *message = read_message(qmp, deadline, error);

        if (!message) {
            return FALSE;
        }
        g_queue_push_tail(is_event(message) ? &qmp->events : &qmp->answers, message);
    }
    return TRUE;
}

gboolean qmp_answer_ready(Qmp *qmp, guint milliseconds)
{
    return read_answer(qmp, g_get_monotonic_time() + milliseconds * 1000LL, NULL);
}

static void set_qmp_error(json_object *answer, GError **error)
{
    static const char *const classes[] = {
        [QMP_ERROR_GENERIC] = "GenericError",
        [QMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
        [QMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
        [QMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    };
    const char *class = qmp_get_string(answer, "error/class");
    const char *text = qmp_get_string(answer, "error/desc");
    QmpErrorCode code = QMP_ERROR_GENERIC;

    if (!class || !text) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_BROKEN, "QMP: neither return nor error: %s",
                    json_object_to_json_string(answer));
        return;
    }
    while (code < G_N_ELEMENTS(classes) && strcmp(class, classes[code])) {
        code++;
    }
    g_set_error_literal(error, QMP_ERROR, code, text);
}

json_object *qmp_answer(Qmp *qmp, GError **error)
{
    json_object *answer, *result;

    if (!read_answer(qmp, g_get_monotonic_time() + qmp->timeout * 1000LL, error)) {
        return NULL;
    }
    answer = g_queue_pop_head(&qmp->answers);
    if (json_object_object_get_ex(answer, "return", &result)) {
        json_object_get(result);
    } else {
        set_qmp_error(answer, error);
        result = NULL;
    }
    json_object_put(answer);
    return result;
}

/* --- events --- */

static gboolean event_matches(json_object *event, const char *name, const char *member,
                              const char *value)
{
    g_autofree char *path = member ? g_strconcat("data/", member, NULL) : NULL;

    return (!name || !g_strcmp0(qmp_get_string(event, "event"), name)) &&
           (!path || !g_strcmp0(qmp_get_string(event, path), value));
}

json_object *qmp_event_where(Qmp *qmp, const char *name, const char *member, const char *value,
                             guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + milliseconds * 1000LL;

    for (GList *link = qmp->events.head; link; link = link->next) {
        if (event_matches(link->data, name, member, value)) {
            json_object *event = link->data;

            g_queue_delete_link(&qmp->events, link);
            return event;
        }
    }
    for (;;) {
        json_object *message = read_message(qmp, deadline, NULL);

        if (!message) {
            return NULL;
        }
        if (is_event(message) && event_matches(message, name, member, value)) {
            return message;
        }
        g_queue_push_tail(is_event(message) ? &qmp->events : &qmp->answers, message);
    }
}

json_object *qmp_event(Qmp *qmp, const char *name, guint milliseconds)
{
    return qmp_event_where(qmp, name, NULL, NULL, milliseconds);
}

json_object *qmp_event_where_or_fail(Qmp *qmp, const char *name, const char *member,
                                     const char *value, guint milliseconds)
{
    json_object *event = qmp_event_where(qmp, name, member, value, milliseconds);

    if (!event) {
        vmm_fail("no event %s%s%s within %u ms", name, value ? " for " : "", value ? value : "",
                 milliseconds);
    }
    return event;
}

json_object *qmp_event_or_fail(Qmp *qmp, const char *name, guint milliseconds)
{
    return qmp_event_where_or_fail(qmp, name, NULL, NULL, milliseconds);
}

void qmp_expect_event(Qmp *qmp, const char *name, guint milliseconds)
{
    json_object_put(qmp_event_or_fail(qmp, name, milliseconds));
}

void qmp_expect_no_event(Qmp *qmp, const char *name, guint milliseconds)
{
    g_autoptr(json_object) event = qmp_event(qmp, name, milliseconds);

    if (event) {
        vmm_fail("an event that must not come: %s", json_object_get_string(event));
    }
}

void qmp_events_clear(Qmp *qmp)
{
    g_queue_clear_full(&qmp->events, put_object);
}

/* --- sending --- */

static gboolean send_with_fds(Qmp *qmp, const void *bytes, gsize size, const int *fds,
                              guint fd_count)
{
    g_autofree char *control = g_malloc0(CMSG_SPACE(sizeof(int) * MAX(fd_count, 1)));
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};

    if (fd_count) {
        struct cmsghdr *ancillary;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        ancillary = CMSG_FIRSTHDR(&header);
        ancillary->cmsg_level = SOL_SOCKET;
        ancillary->cmsg_type = SCM_RIGHTS;
        ancillary->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(ancillary), fds, sizeof(int) * fd_count);
    }
    while (vector.iov_len) {
        ssize_t sent = sendmsg(qmp->socket, &header, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return FALSE;
        }
        header.msg_control = NULL; /* descriptors go with the first byte */
        header.msg_controllen = 0;
        vector.iov_base = (char *)vector.iov_base + sent;
        vector.iov_len -= sent;
    }
    return TRUE;
}

gboolean qmp_send_bytes(Qmp *qmp, const void *bytes, gsize size)
{
    return send_with_fds(qmp, bytes, size, NULL, 0);
}

static G_GNUC_PRINTF(4, 0) void send_format(Qmp *qmp, const int *fds, guint fd_count,
                                            const char *format, va_list arguments)
{
    g_autofree char *formatted = g_strdup_vprintf(format, arguments);
    g_autofree char *line = g_strconcat(formatted, "\n", NULL);

    g_strdelimit(line, "'", '"');
    /* If the peer is gone, reading the answer says so. */
    send_with_fds(qmp, line, strlen(line), fds, fd_count);
}

void qmp_send(Qmp *qmp, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send_format(qmp, NULL, 0, format, arguments);
    va_end(arguments);
}

json_object *qmp_command(Qmp *qmp, GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send_format(qmp, NULL, 0, format, arguments);
    va_end(arguments);
    return qmp_answer(qmp, error);
}

json_object *qmp_command_fds(Qmp *qmp, const int *fds, guint fd_count, GError **error,
                             const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    send_format(qmp, fds, fd_count, format, arguments);
    va_end(arguments);
    return qmp_answer(qmp, error);
}

json_object *qmp_command_or_fail(Qmp *qmp, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    json_object *result;
    va_list arguments;

    va_start(arguments, format);
    send_format(qmp, NULL, 0, format, arguments);
    va_end(arguments);
    result = qmp_answer(qmp, &error);
    if (!result) {
        vmm_fail("QMP command '%s' failed: %s", format, error->message);
    }
    return result;
}

char *qmp_command_refused(Qmp *qmp, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    json_object *result;
    va_list arguments;

    va_start(arguments, format);
    send_format(qmp, NULL, 0, format, arguments);
    va_end(arguments);
    result = qmp_answer(qmp, &error);
    if (result) {
        vmm_fail("QMP command '%s' was to be refused, but answered %s", format,
                 json_object_to_json_string(result));
    }
    if (error->code >= QMP_ERROR_TIMEOUT) {
        vmm_fail("QMP command '%s': %s", format, error->message);
    }
    return g_strdup(error->message);
}

gboolean qmp_negotiate(Qmp *qmp, GError **error)
{
    g_autoptr(json_object) result = NULL;

    qmp->greeting = qmp_message(qmp, error);
    if (!qmp->greeting) {
        return FALSE;
    }
    if (!qmp_get(qmp->greeting, "QMP/version/qemu/major")) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_BROKEN, "QMP: no greeting: %s",
                    json_object_to_json_string(qmp->greeting));
        return FALSE;
    }
    result = qmp_command(qmp, error, "{'execute':'qmp_capabilities'}");
    return result != NULL;
}

json_object *qmp_greeting(Qmp *qmp)
{
    return qmp->greeting;
}

/* --- looking at answers --- */

json_object *qmp_get(json_object *object, const char *path)
{
    g_auto(GStrv) steps = g_strsplit(path, "/", -1);

    for (guint i = 0; steps[i] && object; i++) {
        if (json_object_is_type(object, json_type_array)) {
            object = json_object_array_get_idx(object, g_ascii_strtoull(steps[i], NULL, 10));
        } else if (!json_object_is_type(object, json_type_object) ||
                   !json_object_object_get_ex(object, steps[i], &object)) {
            return NULL;
        }
    }
    return object;
}

const char *qmp_get_string(json_object *object, const char *path)
{
    json_object *value = qmp_get(object, path);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

gint64 qmp_get_int(json_object *object, const char *path, gint64 otherwise)
{
    json_object *value = qmp_get(object, path);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : otherwise;
}
