/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket chardev: unix and TCP, listening or connecting, or a descriptor that was inherited. */
#include "chardev/char-socket.h"
#include "chardev/socket-address.h"
#include "relay.h"
#include "system/main-loop.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <unistd.h>

#define ACCEPT_PAUSE_MILLISECONDS 1000 /* when accept(2) fails for want of something */

VM_DEFINE_TYPE("chardev-socket", ChardevSocket, ChardevClass, chardev_socket, chardev_get_type(),
               0);

static const char *const family_choices[] = {"auto", "on", "off", NULL};

#define FIELD(NAME, MEMBER) .name = (NAME), .offset = offsetof(ChardevSocket, MEMBER)

static const VmField chardev_socket_fields[] = {
    {FIELD("path", path), .doc = "unix socket", .kind = VM_FIELD_STRING},
    {FIELD("abstract", abstract), .doc = "path is an abstract name", .kind = VM_FIELD_BOOL},
    {FIELD("tight", tight), .doc = "the abstract name is not padded", .kind = VM_FIELD_BOOL,
     .default_value = TRUE},
    {FIELD("host", host), .doc = "TCP host", .kind = VM_FIELD_STRING},
    {FIELD("port", port), .doc = "TCP port", .kind = VM_FIELD_STRING},
    {FIELD("to", to), .doc = "last TCP port a server may take", .kind = VM_FIELD_UINT16},
    {FIELD("ipv4", ipv4), .doc = "use IPv4", .kind = VM_FIELD_ENUM, .names = family_choices},
    {FIELD("ipv6", ipv6), .doc = "use IPv6", .kind = VM_FIELD_ENUM, .names = family_choices},
    {FIELD("fd", fd_text), .doc = "inherited socket, number or name", .kind = VM_FIELD_STRING},
    {FIELD("server", server), .doc = "listen instead of connecting", .kind = VM_FIELD_BOOL},
    {FIELD("wait", wait), .doc = "a server waits for its first client", .kind = VM_FIELD_BOOL,
     .default_value = TRUE},
    {FIELD("reconnect", reconnect),
     .doc = "seconds until a client connects again, twice as long after each "
            "failure up to 10 s; 0: never",
     .kind = VM_FIELD_UINT32, .maximum = G_MAXINT32 / 1000},
    {FIELD("reconnect-ms", reconnect_ms), .doc = "the same in milliseconds",
     .kind = VM_FIELD_UINT32, .maximum = G_MAXINT32},
    {FIELD("telnet", telnet), .doc = "speak the telnet protocol", .kind = VM_FIELD_BOOL},
    {FIELD("nodelay", nodelay), .doc = "send at once (TCP_NODELAY)", .kind = VM_FIELD_BOOL},
    {FIELD("delay", delay), .doc = "off: as nodelay=on", .kind = VM_FIELD_BOOL,
     .default_value = TRUE},
    {.name = NULL},
};

void chardev_socket_connected(ChardevSocket *socket, int fd)
{
    if (socket->nodelay || !socket->delay) {
        /* Fails on a unix socket, which has no such delay. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    chardev_set_connection(&socket->parent, fd, fd);
}

/* --- server --- */

static void watch_listener(ChardevSocket *socket);

static gboolean accept_again(gpointer opaque)
{
    ChardevSocket *socket = opaque;

    socket->timer = 0;
    watch_listener(socket);
    return G_SOURCE_REMOVE;
}

/* One client at a time: others stay in the listener's queue. */
static gboolean accept_client(gint listener, GIOCondition condition G_GNUC_UNUSED, gpointer opaque)
{
    ChardevSocket *socket = opaque;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) {
        return G_SOURCE_CONTINUE;
    }
    socket->watch = 0;
    if (fd < 0) {
        report_warning("chardev '%s': no client can be accepted: %s", socket->parent.parent.id,
                       g_strerror(errno));
        socket->timer = g_timeout_add(ACCEPT_PAUSE_MILLISECONDS, accept_again, socket);
    } else {
        chardev_socket_connected(socket, fd);
    }
    return G_SOURCE_REMOVE;
}

static void watch_listener(ChardevSocket *socket)
{
    if (!socket->watch && socket->listener >= 0) {
        socket->watch = main_loop_watch(socket->listener, G_IO_IN, accept_client, socket);
    }
}

static const char *scheme_of(const ChardevSocket *socket)
{
    return socket->telnet ? "telnet:" : "tcp:";
}

static gboolean open_server(ChardevSocket *socket, GError **error)
{
    if (socket->addresses) {
        socket->listener = socket_address_listen(socket->addresses, socket->to, error);
        if (socket->listener < 0) {
            g_prefix_error(error, "chardev '%s': ", socket->parent.parent.id);
            return FALSE;
        }
        if (socket->path && !socket->abstract) {
            unix_socket_file_note(&socket->file, socket->path);
        }
    }
    if (socket->port) {
        g_autofree char *bound = socket_address_of(socket->listener, FALSE);
        g_free(socket->name);
        socket->name = g_strconcat(scheme_of(socket), bound, NULL);
    }
    watch_listener(socket);
    socket->parent.awaited = socket->wait;
    if (socket->wait) {
        report_log("chardev '%s': waiting for a client at %s", socket->parent.parent.id,
                   socket->name);
    }
    while (socket->wait && !socket->parent.connected && !main_loop_is_quitting()) {
        main_loop_turn();
    }
    return TRUE;
}

/* --- opening --- */

static gboolean check_options(ChardevSocket *socket, GError **error)
{
    const char *wrong = NULL;

    if (!socket->path + !socket->port + !socket->fd_text != 2) {
        wrong = "exactly one of path, port and fd must be given";
    } else if (socket->host && !socket->port) {
        wrong = "host needs a port";
    } else if (socket->port && !socket->server && (!socket->host || !*socket->host)) {
        wrong = "a client needs a host";
    } else if (socket->server && (socket->reconnect || socket->reconnect_ms)) {
        wrong = "reconnect is for clients, a server accepts again by itself";
    } else if (socket->reconnect && socket->reconnect_ms) {
        wrong = "reconnect and reconnect-ms exclude each other";
    } else if (socket->fd_text && (socket->reconnect || socket->reconnect_ms)) {
        wrong = "reconnect needs an address, fd has none";
    } else if (socket->telnet && !socket->server) {
        wrong = "telnet=on is for servers";
    } else if (socket->to && !socket->server) {
        wrong = "to is for servers";
    } else if (socket->to && socket->port &&
               g_ascii_strtoull(socket->port, NULL, 10) > socket->to) {
        vm_error_set(error, "chardev '%s': to=%u is below port=%s", socket->parent.parent.id,
                     socket->to, socket->port);
        return FALSE;
    }
    if (wrong) {
        vm_error_set(error, "chardev '%s': %s", socket->parent.parent.id, wrong);
        return FALSE;
    }
    return TRUE;
}

static gboolean resolve(ChardevSocket *socket, GError **error)
{
    if (socket->path) {
        socket->name = g_strconcat("unix:", socket->abstract ? "@" : "", socket->path, NULL);
        socket->addresses =
            socket_address_unix(socket->path, socket->abstract, socket->tight, error);
    } else {
        socket->name = g_strdup_printf("tcp:%s:%s", socket->host ? socket->host : "", socket->port);
        socket->addresses =
            socket_address_inet(socket->host, socket->port, (FamilyChoice)socket->ipv4,
                                (FamilyChoice)socket->ipv6, socket->server, error);
    }
    if (!socket->addresses) {
        g_prefix_error(error, "chardev '%s': ", socket->parent.parent.id);
    }
    return socket->addresses != NULL;
}

/* A listening socket for a server, a connected one for a client. */
static gboolean check_descriptor(ChardevSocket *socket, int fd, GError **error)
{
    int listening = 0;
    socklen_t length = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) {
        vm_error_set(error, "file descriptor '%s' is not a socket", socket->fd_text);
        return FALSE;
    }
    if (socket->server != (listening != 0)) {
        vm_error_set(error, "file descriptor '%s' is %s listening socket, which server=%s forbids",
                     socket->fd_text, listening ? "a" : "no", socket->server ? "on" : "off");
        return FALSE;
    }
    return fd_set_nonblocking(fd, TRUE, error);
}

static gboolean open_descriptor(ChardevSocket *socket, GError **error)
{
    int fd = fd_resolve(socket->fd_text, error);

    socket->name = g_strconcat("fd:", socket->fd_text, NULL);
    if (fd < 0 || !check_descriptor(socket, fd, error)) {
        if (!g_ascii_isdigit(*socket->fd_text)) {
            fd_clear(&fd); /* a number may be one of our own, mistyped */
        }
        g_prefix_error(error, "chardev '%s': ", socket->parent.parent.id);
        return FALSE;
    }
    if (!socket->server) {
        chardev_socket_connected(socket, fd);
        return TRUE;
    }
    socket->listener = fd;
    return open_server(socket, error);
}

static gboolean chardev_socket_open(Chardev *chardev, GError **error)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);

    if (!check_options(socket, error)) {
        return FALSE;
    }
    if (socket->fd_text) {
        return open_descriptor(socket, error);
    }
    if (!resolve(socket, error)) {
        return FALSE;
    }
    if (socket->server) {
        return open_server(socket, error);
    }
    if (!chardev_socket_interval(socket)) {
        return chardev_socket_connect_now(socket, error);
    }
    g_autoptr(GError) unreachable = NULL;
    if (!chardev_socket_connect_now(socket, &unreachable)) {
        chardev_socket_connect_later(socket);
    }
    return TRUE;
}

/* --- afterwards --- */

static void chardev_socket_disconnected(Chardev *chardev, gboolean refused)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);

    if (socket->server) {
        watch_listener(socket);
    } else if (chardev_socket_interval(socket)) {
        if (!refused) {
            socket->delay_ms = 0;
        }
        chardev_socket_connect_later(socket);
    }
}

static gboolean chardev_socket_comes_back(Chardev *chardev)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);

    return socket->server || chardev_socket_interval(socket) != 0;
}

/* A client without reconnect is tried once more for a new front end. */
static gboolean chardev_socket_attached(Chardev *chardev, GError **error)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);

    if (socket->server || !socket->addresses || chardev_socket_interval(socket)) {
        return TRUE;
    }
    return chardev_socket_connect_now(socket, error);
}

static void remove_source(guint *source)
{
    if (*source) {
        g_source_remove(*source);
    }
    *source = 0;
}

static void chardev_socket_close(Chardev *chardev)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);

    remove_source(&socket->watch);
    remove_source(&socket->timer);
    chardev_socket_client_close(socket);
    fd_clear(&socket->listener);
    unix_socket_file_remove(&socket->file);
    g_clear_pointer(&socket->addresses, g_array_unref);
}

static const RelayProtocol *chardev_socket_protocol(Chardev *chardev)
{
    return CHARDEV_SOCKET(chardev)->telnet ? &telnet_protocol : NULL;
}

static char *chardev_socket_filename(Chardev *chardev)
{
    ChardevSocket *socket = CHARDEV_SOCKET(chardev);
    const char *role = socket->server ? ",server=on" : "";

    if (chardev->connected && socket->port && chardev_wire(chardev) >= 0) {
        g_autofree char *here = socket_address_of(chardev_wire(chardev), FALSE);
        g_autofree char *peer = socket_address_of(chardev_wire(chardev), TRUE);

        return g_strconcat(scheme_of(socket), here, role, " <-> ", peer, NULL);
    }
    return g_strconcat(chardev->connected ? "" : "disconnected:", socket->name, role, NULL);
}

static void chardev_socket_finalize(GObject *object)
{
    g_free(CHARDEV_SOCKET(object)->name);
    G_OBJECT_CLASS(g_type_class_peek(TYPE_CHARDEV))->finalize(object);
}

static void chardev_socket_class_init(ChardevClass *class)
{
    G_OBJECT_CLASS(class)->finalize = chardev_socket_finalize;
    VM_OBJECT_CLASS(class)->description = "unix or TCP socket, client or server";
    class->backend = "socket";
    class->open = chardev_socket_open;
    class->disconnected = chardev_socket_disconnected;
    class->attached = chardev_socket_attached;
    class->comes_back = chardev_socket_comes_back;
    class->close = chardev_socket_close;
    class->filename = chardev_socket_filename;
    class->protocol = chardev_socket_protocol;
    vm_object_class_install_fields(class, chardev_socket_fields);
}

static void chardev_socket_init(ChardevSocket *socket)
{
    socket->listener = socket->connecting = -1;
}
