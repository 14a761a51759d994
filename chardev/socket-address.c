/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket addresses: unix(7), ip(7), ipv6(7). */
#include "chardev/socket-address.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/size.h"
#include "util/unix-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

GArray *socket_address_unix(const char *path, gboolean abstract, gboolean tight, GError **error)
{
    SocketAddress address = {0};
    struct sockaddr_un *name = (struct sockaddr_un *)&address.storage;
    gsize length = strlen(path), room = sizeof(name->sun_path) - 1;

    if (length > room) {
        vm_error_set(error, "path '%s' is too long: it has %zu bytes, at most %zu are possible",
                     path, length, room);
        return NULL;
    }
    if (!length) {
        vm_error_set(error, "path '' is empty, expected the name of a socket");
        return NULL;
    }
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path + (abstract ? 1 : 0), path, length);
    address.length =
        abstract && !tight ? sizeof(*name) : offsetof(struct sockaddr_un, sun_path) + length + 1;
    GArray *addresses = g_array_new(FALSE, FALSE, sizeof(SocketAddress));
    return g_array_append_val(addresses, address);
}

static int choose_family(FamilyChoice ipv4, FamilyChoice ipv6)
{
    if (ipv4 == FAMILY_OFF || (ipv6 == FAMILY_ON && ipv4 == FAMILY_AUTO)) {
        return AF_INET6;
    }
    if (ipv6 == FAMILY_OFF || (ipv4 == FAMILY_ON && ipv6 == FAMILY_AUTO)) {
        return AF_INET;
    }
    return AF_UNSPEC;
}

GArray *socket_address_inet(const char *host, const char *port, FamilyChoice ipv4,
                            FamilyChoice ipv6, gboolean listener, GError **error)
{
    struct addrinfo hints = {
        .ai_flags = listener ? AI_PASSIVE : AI_ADDRCONFIG,
        .ai_family = choose_family(ipv4, ipv6),
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found = NULL;
    uint64_t number;

    if (ipv4 == FAMILY_OFF && ipv6 == FAMILY_OFF) {
        vm_error_set(error, "ipv4=off and ipv6=off leave no address family for port '%s'", port);
        return NULL;
    }
    if (!*port) {
        vm_error_set(error, "port '' is empty, expected a number or the name of a service");
        return NULL;
    }
    if (g_ascii_isdigit(*port) &&
        !number_parse(port, listener ? 0 : 1, UINT16_MAX, &number, error)) {
        g_prefix_error(error, "port '%s': ", port);
        return NULL;
    }
    int code = getaddrinfo(host && *host ? host : NULL, port, &hints, &found);
    if (code) {
        vm_error_set(error, "address '%s:%s' cannot be resolved: %s", host ? host : "", port,
                     code == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(code));
        return NULL;
    }
    GArray *addresses = g_array_new(FALSE, FALSE, sizeof(SocketAddress));
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        SocketAddress address = {.length = at->ai_addrlen};
        memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
        g_array_append_val(addresses, address);
    }
    freeaddrinfo(found);
    return addresses;
}

static in_port_t *port_of(SocketAddress *address)
{
    switch (address->storage.ss_family) {
    case AF_INET:
        return &((struct sockaddr_in *)&address->storage)->sin_port;
    case AF_INET6:
        return &((struct sockaddr_in6 *)&address->storage)->sin6_port;
    default:
        return NULL;
    }
}

/* --- listening --- */

/* TRUE if the file at the address was a socket that nobody listens at, and is gone now. */
static gboolean remove_stale(const SocketAddress *address)
{
    const char *path = ((const struct sockaddr_un *)&address->storage)->sun_path;

    return address->storage.ss_family == AF_UNIX && *path && unix_socket_remove_stale(path);
}

static int bind_and_listen(const SocketAddress *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0) {
        return -1;
    }
    if (address->storage.ss_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (address->storage.ss_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    }
    int result = bind(fd, (const struct sockaddr *)&address->storage, address->length);
    if (result < 0 && errno == EADDRINUSE) {
        if (remove_stale(address)) {
            result = bind(fd, (const struct sockaddr *)&address->storage, address->length);
        } else {
            errno = EADDRINUSE;
        }
    }
    if (result < 0 || listen(fd, 1) < 0) {
        fd_clear(&fd);
    }
    return fd;
}

int socket_address_listen(const GArray *addresses, guint16 last_port, GError **error)
{
    const SocketAddress *first = &g_array_index(addresses, SocketAddress, 0);
    int code = 0;

    for (guint i = 0; i < addresses->len; i++) {
        SocketAddress address = g_array_index(addresses, SocketAddress, i);
        in_port_t *port = port_of(&address);
        guint number = port ? ntohs(*port) : 0;
        do {
            if (port) {
                *port = htons((guint16)number);
            }
            int fd = bind_and_listen(&address);
            if (fd >= 0) {
                return fd;
            }
            code = code ? code : errno;
        } while (port && errno == EADDRINUSE && number++ < last_port);
    }
    g_autofree char *text = socket_address_text(first);
    vm_error_set_errno(error, code, "cannot listen at '%s'", text);
    return -1;
}

/* --- connecting --- */

int socket_address_connect(const SocketAddress *address, gboolean *pending)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *pending = FALSE;
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address->storage, address->length) < 0) {
        *pending = errno == EINPROGRESS;
        if (!*pending) {
            fd_clear(&fd);
        }
    }
    return fd;
}

/* --- text --- */

static char *unix_text(const SocketAddress *address)
{
    const struct sockaddr_un *name = (const struct sockaddr_un *)&address->storage;
    gsize header = offsetof(struct sockaddr_un, sun_path);

    if (address->length <= header) {
        return g_strdup("");
    }
    if (name->sun_path[0]) {
        return g_strndup(name->sun_path, address->length - header);
    }
    g_autofree char *abstract = g_strndup(name->sun_path + 1, address->length - header - 1);
    return g_strconcat("@", abstract, NULL);
}

char *socket_address_text(const SocketAddress *address)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->storage.ss_family == AF_UNIX) {
        return unix_text(address);
    }
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *name = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &name->sin_addr, host, sizeof(host));
        return g_strdup_printf("%s:%u", host, ntohs(name->sin_port));
    }
    const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)&address->storage;
    inet_ntop(AF_INET6, &name->sin6_addr, host, sizeof(host));
    return g_strdup_printf("[%s]:%u", host, ntohs(name->sin6_port));
}

char *socket_address_of(int fd, gboolean peer)
{
    SocketAddress address = {.length = sizeof(address.storage)};
    struct sockaddr *name = (struct sockaddr *)&address.storage;
    int result =
        peer ? getpeername(fd, name, &address.length) : getsockname(fd, name, &address.length);

    return result < 0 ? g_strdup("") : socket_address_text(&address);
}
