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

struct Service {
    Listener *listener;
    const ServiceOperations *operations;
    gpointer opaque;
    int signals;             /* signalfd(2) */
    int fault;               /* event fd: memory of the front end was cut */
    VhostUserDevice *device; /* NULL without a front end */
    gboolean ending;         /* a signal asked for it */
    gboolean waiter_told;    /* that another front end waits */
    gboolean failed;         /* the last connection, if it did not end in order */
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

static void serve_next(Service *service)
{
    g_autoptr(GError) error = NULL;
    int fd = listener_accept(service->listener);

    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            log_error("a front end cannot be accepted: %s", g_strerror(errno));
            g_usleep(RETRY_MICROSECONDS); /* it waits on, and nothing else is to be done */
        }
        return;
    }
    service->device = service->operations->connect(service->opaque, fd, &error);
    if (!service->device) {
        log_error("a front end cannot be served: %s", error->message);
        service->failed = TRUE;
        return;
    }
    service->waiter_told = FALSE;
    fault_set_device(service->device);
    log_info("front end connected");
}

static void end_connection(Service *service)
{
    const char *why = vhost_user_device_error(service->device);

    service->failed = why != NULL;
    if (why) {
        log_error("front end disconnected: %s", why);
    } else {
        log_info("front end left");
    }
    service->operations->disconnect(service->opaque, service->device);
    fault_set_device(NULL);
    vhost_user_device_free(service->device);
    service->device = NULL;
}

static void process_device(Service *service)
{
    if (service->device && vhost_user_device_process(service->device) == VHOST_USER_ENDED) {
        end_connection(service);
    }
}

/* --- signals --- */

void service_log_statistics(Service *service)
{
    g_autoptr(GString) text = g_string_new(NULL);

    service->operations->statistics(service->opaque, service->device, text);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text->str), "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        report_log("%s", lines[i]);
    }
}

static void handle_signal(Service *service, guint number)
{
    switch (number) {
    case SIGHUP:
        service->operations->reload(service->opaque, service->device);
        break;
    case SIGUSR1:
        service_log_statistics(service);
        break;
    default:
        log_info("signal %s: ending", strsignal((int)number));
        service->ending = TRUE;
        if (service->device) {
            vhost_user_device_shut_down(service->device);
            process_device(service);
        }
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

static gboolean goes_on(const Service *service)
{
    return service->device || (!service->ending && !listener_is_exhausted(service->listener));
}

/* poll(2) ignores negative descriptors. */
static int listener_to_watch(const Service *service)
{
    return service->device && service->waiter_told ? -1 : service->listener->fd;
}

static void handle_listener(Service *service)
{
    if (!service->device && !service->ending) {
        serve_next(service);
    } else if (service->device) {
        log_info("another front end waits until this one has left");
        service->waiter_told = TRUE;
    }
}

static void turn(Service *service)
{
    struct pollfd watched[] = {
        {service->signals, POLLIN, 0},
        {service->fault, POLLIN, 0},
        {service->device ? vhost_user_device_fd(service->device) : -1, POLLIN, 0},
        {listener_to_watch(service), POLLIN, 0},
    };

    if (poll(watched, G_N_ELEMENTS(watched), -1) < 0) {
        return; /* EINTR */
    }
    if (watched[0].revents) {
        handle_signals(service);
    }
    if (watched[1].revents && event_fd_clear(service->fault)) {
        process_device(service);
    }
    if (watched[2].revents) {
        process_device(service);
    }
    if (watched[3].revents) {
        handle_listener(service);
    }
}

gboolean service_run(Service *service)
{
    log_info("ready");
    if (service->listener->connected >= 0) {
        serve_next(service);
    }
    while (goes_on(service)) {
        turn(service);
    }
    return service->ending || !service->failed;
}

Service *service_new(Listener *listener, const ServiceOperations *operations, gpointer opaque,
                     GError **error)
{
    g_autoptr(Service) service = g_new0(Service, 1);

    service->listener = listener;
    service->operations = operations;
    service->opaque = opaque;
    service->signals = -1;
    service->fault = event_fd_new(error);
    if (service->fault < 0 || !catch_signals(service, error)) {
        return NULL;
    }
    fault_install(service->fault);
    return g_steal_pointer(&service);
}

void service_free(Service *service)
{
    if (service) {
        fd_clear(&service->signals);
        fd_clear(&service->fault);
        g_free(service);
    }
}
