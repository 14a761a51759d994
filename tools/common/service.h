/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a back-end program: it serves one front end after the other at each of its
 * listeners and obeys signals.
 * SIGTERM and SIGINT end it in order, SIGHUP reloads, SIGUSR1 logs statistics.  While one front end
 * is served the next ones wait in the listener's queue, because a virtual machine that connects
 * again may come before its old connection was seen to end.
 */
#ifndef TOOLS_SERVICE_H
#define TOOLS_SERVICE_H

#include "tools/common/listener.h"

#include "libvhost-user/device.h"

/* What a kind of device does.  All on the control thread, which is the one of service_run(). */
typedef struct ServiceOperations {
    /* A device for the connection @socket, which it takes in any case, at the listener number
     * @port.  NULL with @error. */
    VhostUserDevice *(*connect)(gpointer opaque, guint port, int socket, GError **error);
    /* The connection has ended; the device is freed right after. */
    void (*disconnect)(gpointer opaque, guint port, VhostUserDevice *device);
    /* SIGHUP. */
    void (*reload)(gpointer opaque);
    /* Appends "name: value" lines. */
    void (*statistics)(gpointer opaque, GString *text);
} ServiceOperations;

typedef struct Service Service;

/*
 * Blocks the signals, so before other threads start, which inherit that; ignores SIGPIPE and
 * guards against SIGBUS (fault.h).  @listeners outlive it; each has one front end at a time.  NULL
 * with @error.
 */
Service *service_new(Listener *listeners, guint count, const ServiceOperations *operations,
                     gpointer opaque, GError **error);

/*
 * Serves until a signal ends it: TRUE; or until an inherited connection has ended: TRUE if it did
 * in order.  The log has said why if not.
 */
gboolean service_run(Service *service);

/* Logs the statistics now, whatever the log's level. */
void service_log_statistics(Service *service);

/* NULL is fine. */
void service_free(Service *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Service, service_free)

/* The library's log operation: the levels are the same. */
void service_log(void *opaque, VhostUserLogLevel level, const char *text);

#endif
