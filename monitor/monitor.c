/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitors: QMP sessions whose clients come from chardevs. */
#include "monitor/monitor.h"

#include "hmp-internal.h"
#include "qmp-internal.h"

struct Monitor {
    Chardev *chardev; /* chardev_port() */
    ChardevFrontend frontend;
    QmpSession *session;
};

static GPtrArray *monitors; /* all, in order of creation */

static void monitor_opened(gpointer opaque, int input, int output)
{
    qmp_session_connect(((Monitor *)opaque)->session, input, output);
}

static void monitor_disconnected(gpointer opaque)
{
    chardev_disconnected(((Monitor *)opaque)->chardev);
}

/* The session lets go of the descriptors before the chardev closes them. */
static void monitor_destroy(Monitor *monitor, gboolean attached)
{
    qmp_session_free(monitor->session);
    if (attached) {
        chardev_detach(monitor->chardev);
    }
    g_object_unref(monitor->chardev);
    g_free(monitor);
}

Monitor *monitor_new(Chardev *chardev, gboolean pretty, GError **error)
{
    Monitor *monitor = g_new0(Monitor, 1);

    monitor->chardev = chardev_port(chardev);
    monitor->session = qmp_session_new(chardev->parent.id, pretty, monitor_disconnected, monitor);
    monitor->frontend = (ChardevFrontend){
        .opened = monitor_opened,
        .opaque = monitor,
        .user = "a QMP monitor",
    };
    if (!chardev_attach(monitor->chardev, &monitor->frontend, error)) {
        monitor_destroy(monitor, FALSE);
        return NULL;
    }
    if (!monitors) {
        monitors = g_ptr_array_new();
    }
    g_ptr_array_add(monitors, monitor);
    return monitor;
}

gboolean monitor_can_free(const Monitor *monitor, GError **error)
{
    if (qmp_session_is_executing(monitor->session)) {
        vm_error_set(error, "the monitor on chardev '%s' cannot be removed by its own client",
                     monitor->chardev->parent.id);
        return FALSE;
    }
    return TRUE;
}

void monitor_free(Monitor *monitor)
{
    if (monitors && g_ptr_array_remove(monitors, monitor)) {
        monitor_destroy(monitor, TRUE);
    }
}

gboolean monitor_qmp_new(Chardev *chardev, gboolean pretty, GError **error)
{
    return monitor_new(chardev, pretty, error) != NULL;
}

void monitor_start_all(void)
{
    qmp_sessions_start();
    hmp_sessions_start();
}

void monitor_cleanup(guint milliseconds)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)milliseconds * 1000;

    while (monitors && monitors->len > 0) {
        Monitor *monitor = g_ptr_array_index(monitors, 0);

        qmp_session_drain(monitor->session, deadline);
        monitor_free(monitor);
    }
    hmp_sessions_end(deadline);
}
