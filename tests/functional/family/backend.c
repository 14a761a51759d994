/* SPDX-License-Identifier: GPL-2.0-or-later */
/* family-backend KIND SOCKET [ARGUMENT]: the loop that all kinds share. */
#include "backend.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct Backend {
    const Kind *kind;
    gpointer state;
    VhostUserQueue *running[FAMILY_QUEUES]; /* NULL: stopped */
    sigset_t while_asleep;                  /* SIGUSR1 comes then only */
};

static const Kind *const kinds[] = {&rng_kind,   &scsi_kind, &vsock_kind, &input_kind,
                                    &sound_kind, &i2c_kind,  &gpio_kind,  &fs_kind};

static volatile sig_atomic_t poked;

void backend_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "family-backend: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(EXIT_FAILURE);
}

/* --- queues --- */

void backend_serve_queue(Backend *backend, unsigned index, unsigned limit, ServeElement serve,
                         gpointer state)
{
    VhostUserQueue *queue = backend->running[index];
    VhostUserElement *element;

    if (!queue || !vhost_user_queue_begin(queue)) {
        return;
    }
    while (limit-- > 0 && (element = vhost_user_queue_pop(queue)) != NULL) {
        vhost_user_queue_push(queue, element, serve(state, element));
    }
    vhost_user_queue_end(queue);
}

typedef struct Message {
    gconstpointer bytes;
    gsize size;
    gboolean sent;
} Message;

static uint32_t fill(gpointer opaque, const VhostUserElement *element)
{
    Message *message = opaque;

    message->sent = TRUE;
    return (uint32_t)vhost_user_element_write(element, 0, message->bytes, message->size);
}

gboolean backend_send(Backend *backend, unsigned index, gconstpointer bytes, gsize size)
{
    Message message = {bytes, size, FALSE};

    backend_serve_queue(backend, index, 1, fill, &message);
    return message.sent;
}

/* --- what the library asks --- */

static void print(void *opaque G_GNUC_UNUSED, VhostUserLogLevel level, const char *text)
{
    if (level <= VHOST_USER_LOG_WARNING) {
        fprintf(stderr, "family-backend: %s\n", text);
    }
}

static int get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    const Backend *backend = opaque;
    g_autofree uint8_t *config = g_malloc0(backend->kind->config_size);

    memset(bytes, 0, size);
    if (offset < backend->kind->config_size) {
        backend->kind->read_config(backend->state, config);
        memcpy(bytes, config + offset, MIN(size, backend->kind->config_size - offset));
    }
    return 0;
}

static int set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                      uint32_t flags G_GNUC_UNUSED)
{
    const Backend *backend = opaque;

    if (!backend->kind->write_config) {
        return -EACCES;
    }
    backend->kind->write_config(backend->state, offset, bytes, size);
    return 0;
}

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    ((Backend *)opaque)->running[vhost_user_queue_index(queue)] = queue;
}

/* Nothing is kept from one look into a queue to the next, so there is nothing to finish. */
static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    ((Backend *)opaque)->running[vhost_user_queue_index(queue)] = NULL;
    vhost_user_queue_stopped(queue);
}

static VhostUserDevice *device_new(Backend *backend, int socket)
{
    const VhostUserDeviceOperations operations = {
        .log = print,
        .get_config = backend->kind->config_size ? get_config : NULL,
        .set_config = backend->kind->config_size ? set_config : NULL,
        .queue_start = queue_start,
        .queue_stop = queue_stop,
    };
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &operations,
        .operations_size = sizeof(operations),
        .opaque = backend,
        .features = VHOST_USER_RING_FEATURES | backend->kind->features,
        .queues = backend->kind->queues,
    };

    return vhost_user_device_new(socket, &parameters);
}

/* --- the loop --- */

static void on_poke(int number G_GNUC_UNUSED)
{
    poked = 1;
}

static int serve_queues(Backend *backend)
{
    for (unsigned i = 0; i < backend->kind->queues; i++) {
        if (backend->running[i]) {
            vhost_user_queue_clear_kick(backend->running[i]);
        }
    }
    if (poked) {
        poked = 0;
        if (backend->kind->poke) {
            backend->kind->poke(backend->state);
        }
    }
    return backend->kind->serve(backend, backend->state);
}

static void sleep_until_something_happens(Backend *backend, VhostUserDevice *device,
                                          int milliseconds)
{
    struct pollfd fds[1 + FAMILY_QUEUES] = {{.fd = vhost_user_device_fd(device), .events = POLLIN}};
    struct timespec timeout = {milliseconds / 1000, milliseconds % 1000 * 1000000L};

    for (unsigned i = 0; i < FAMILY_QUEUES; i++) {
        VhostUserQueue *queue = backend->running[i];

        fds[1 + i] =
            (struct pollfd){.fd = queue ? vhost_user_queue_kick_fd(queue) : -1, .events = POLLIN};
    }
    ppoll(fds, G_N_ELEMENTS(fds), milliseconds < 0 ? NULL : &timeout, &backend->while_asleep);
}

static void serve_connection(Backend *backend, int socket)
{
    VhostUserDevice *device = device_new(backend, socket);
    const char *error;

    if (!device) {
        backend_fail("a connection cannot be served: %s", g_strerror(errno));
    }
    if (backend->kind->connected) {
        backend->kind->connected(backend->state);
    }
    while (vhost_user_device_process(device) == VHOST_USER_GOES_ON) {
        sleep_until_something_happens(backend, device, serve_queues(backend));
    }
    error = vhost_user_device_error(device);
    if (error) {
        fprintf(stderr, "family-backend: the connection has ended: %s\n", error);
    }
    vhost_user_device_free(device);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
        backend_fail("%s: longer than the address of a socket may be", path);
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 1) < 0) {
        backend_fail("%s: cannot listen there: %s", path, g_strerror(errno));
    }
    return listener;
}

static const Kind *find_kind(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const Kind *kind = argc > 2 ? find_kind(argv[1]) : NULL;
    struct sigaction action = {.sa_handler = on_poke};
    Backend backend = {.kind = kind};
    sigset_t blocked;
    int listener;

    if (!kind || argc != (kind->argument ? 4 : 3)) {
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
            fprintf(stderr, "usage: family-backend %s SOCKET%s%s\n", kinds[i]->name,
                    kinds[i]->argument ? " " : "", kinds[i]->argument ? kinds[i]->argument : "");
        }
        return EXIT_FAILURE;
    }
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &backend.while_asleep);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads it waits for lines */
    backend.state = kind->start(kind->argument ? argv[3] : NULL);
    listener = listen_at(argv[2]);
    for (;;) {
        int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (socket >= 0) {
            serve_connection(&backend, socket);
        }
    }
}
