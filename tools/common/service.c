/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a back-end program: connections and signals. */
#include "tools/common/service.h"

#include "tools/common/fault.h"
#include "tools/common/log.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define RETRY_MICROSECONDS 100000

typedef struct ServicePort {
    Listener *listener;
    VhostUserDevice **device; /* its place in the service's array; NULL there without a front end */
    gboolean waiter_told;     /* that another front end waits */
} ServicePort;

struct Service {
    const ServiceOperations *operations;
    gpointer opaque;
    int signals; /* signalfd(2) */
    int fault;   /* event fd: memory of a front end was cut */
    guint count;
    ServicePort *ports;
    VhostUserDevice **devices; /* apart, for the handler of SIGBUS */
    gboolean ending;           /* a signal asked for it */
    gboolean finished;         /* a connection that was inherited has ended */
    gboolean failed;           /* not in order */
};

void service_log(void *opaque G_GNUC_UNUSED, VhostUserLogLevel level, const char *text)
{
    static const LogLevel levels[] = {
        [VHOST_USER_LOG_ERROR] = LOG_LEVEL_ERROR,
        [VHOST_USER_LOG_WARNING] = LOG_LEVEL_WARNING,
        [VHOST_USER_LOG_INFO] = LOG_LEVEL_INFO,
        [VHOST_USER_LOG_DEBUG] = LOG_LEVEL_DEBUG,
    };

    log_line(levels[level], "%s", text);
}

/* --- connections --- */

static guint port_number(const Service *service, const ServicePort *port)
{
    return (guint)(port - service->ports);
}

static void serve_next(Service *service, ServicePort *port)
{
    g_autoptr(GError) error = NULL;
    int fd = listener_accept(port->listener);

    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            log_error("a front end cannot be accepted: %s", g_strerror(errno));
            g_usleep(RETRY_MICROSECONDS); /* it waits on, and nothing else is to be done */
        }
        return;
    }
    VhostUserDevice *device =
        service->operations->connect(service->opaque, port_number(service, port), fd, &error);
    if (!device) {
        log_error("a front end cannot be served: %s", error->message);
        service->finished = service->failed = listener_is_exhausted(port->listener);
        return;
    }
    port->waiter_told = FALSE;
    fault_set_device(port->device, device);
    log_info("front end connected");
}

static void end_connection(Service *service, ServicePort *port)
{
    VhostUserDevice *device = *port->device;
    const char *why = vhost_user_device_error(device);

    if (why) {
        log_error("front end disconnected: %s", why);
    } else {
        log_info("front end left");
    }
    if (listener_is_exhausted(port->listener)) {
        service->finished = TRUE;
        service->failed = why != NULL;
    }
    service->operations->disconnect(service->opaque, port_number(service, port), device);
    fault_set_device(port->device, NULL);
    vhost_user_device_free(device);
}

static void process_device(Service *service, ServicePort *port)
{
    if (*port->device && vhost_user_device_process(*port->device) == VHOST_USER_ENDED) {
        end_connection(service, port);
    }
}

static void process_all(Service *service)
{
    for (guint i = 0; i < service->count; i++) {
        process_device(service, &service->ports[i]);
    }
}

static void shut_down_all(Service *service)
{
    for (guint i = 0; i < service->count; i++) {
        if (service->devices[i]) {
            vhost_user_device_shut_down(service->devices[i]);
        }
    }
    process_all(service);
}

/* --- signals --- */

void service_log_statistics(Service *service)
{
    g_autoptr(GString) text = g_string_new(NULL);

    service->operations->statistics(service->opaque, text);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text->str), "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        report_log("%s", lines[i]);
    }
}

static void handle_signal(Service *service, guint number)
{
    switch (number) {
    case SIGHUP:
        service->operations->reload(service->opaque);
        break;
    case SIGUSR1:
        service_log_statistics(service);
        break;
    default:
        log_info("signal %s: ending", strsignal((int)number));
        service->ending = TRUE;
        shut_down_all(service);
        break;
    }
}

static void handle_signals(Service *service)
{
    struct signalfd_siginfo info;

    while (read(service->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        handle_signal(service, info.ssi_signo);
    }
}

static gboolean catch_signals(Service *service, GError **error)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write past a limit, setrlimit(2), fails and no more */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    service->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (service->signals < 0) {
        vm_error_set_errno(error, errno, "signals cannot be caught");
    }
    return service->signals >= 0;
}

/* --- the loop --- */

static gboolean has_device(const Service *service)
{
    for (guint i = 0; i < service->count; i++) {
        if (service->devices[i]) {
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean is_over(const Service *service)
{
    return service->ending || service->finished;
}

static void handle_listener(Service *service, ServicePort *port)
{
    if (!*port->device && !is_over(service)) {
        serve_next(service, port);
    } else if (*port->device) {
        log_info("another front end waits until this one has left");
        port->waiter_told = TRUE;
    }
}

#define WATCHED_FIRST 2 /* signals, faults; then device and listener of each port */

static void fill_watched(const Service *service, struct pollfd *watched)
{
    watched[0] = (struct pollfd){service->signals, POLLIN, 0};
    watched[1] = (struct pollfd){service->fault, POLLIN, 0};
    for (guint i = 0; i < service->count; i++) {
        const ServicePort *port = &service->ports[i];
        struct pollfd *pair = &watched[WATCHED_FIRST + 2 * i];
        gboolean told = *port->device && port->waiter_told;

        /* poll(2) ignores negative descriptors. */
        pair[0] =
            (struct pollfd){*port->device ? vhost_user_device_fd(*port->device) : -1, POLLIN, 0};
        pair[1] = (struct pollfd){told || is_over(service) ? -1 : port->listener->fd, POLLIN, 0};
    }
}

static void turn(Service *service, struct pollfd *watched)
{
    fill_watched(service, watched);
    if (poll(watched, WATCHED_FIRST + 2 * service->count, -1) < 0) {
        return; /* EINTR */
    }
    if (watched[0].revents) {
        handle_signals(service);
    }
    if (watched[1].revents && event_fd_clear(service->fault)) {
        process_all(service);
    }
    for (guint i = 0; i < service->count; i++) {
        if (watched[WATCHED_FIRST + 2 * i].revents) {
            process_device(service, &service->ports[i]);
        }
        if (watched[WATCHED_FIRST + 2 * i + 1].revents) {
            handle_listener(service, &service->ports[i]);
        }
    }
    if (service->finished && has_device(service)) {
        shut_down_all(service);
    }
}

gboolean service_run(Service *service)
{
    g_autofree struct pollfd *watched =
        g_new0(struct pollfd, WATCHED_FIRST + 2 * (gsize)service->count);

    log_info("ready");
    for (guint i = 0; i < service->count; i++) {
        if (service->ports[i].listener->connected >= 0) {
            serve_next(service, &service->ports[i]);
        }
    }
    while (has_device(service) || !is_over(service)) {
        turn(service, watched);
    }
    return service->ending || !service->failed;
}

Service *service_new(Listener *listeners, guint count, const ServiceOperations *operations,
                     gpointer opaque, GError **error)
{
    g_autoptr(Service) service = g_new0(Service, 1);

    service->operations = operations;
    service->opaque = opaque;
    service->signals = -1;
    service->count = count;
    service->ports = g_new0(ServicePort, count);
    service->devices = g_new0(VhostUserDevice *, count);
    for (guint i = 0; i < count; i++) {
        service->ports[i].listener = &listeners[i];
        service->ports[i].device = &service->devices[i];
    }
    service->fault = event_fd_new(error);
    if (service->fault < 0 || !catch_signals(service, error)) {
        return NULL;
    }
    fault_install(service->fault, service->devices, count);
    return g_steal_pointer(&service);
}

void service_free(Service *service)
{
    if (service) {
        fault_install(service->fault, NULL, 0);
        fd_clear(&service->signals);
        fd_clear(&service->fault);
        g_free(service->ports);
        g_free(service->devices);
        g_free(service);
    }
}
