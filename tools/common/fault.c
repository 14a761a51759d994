/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGBUS in memory that a front end has lent. */
#include "tools/common/fault.h"

#include "libvhost-user/device.h"
#include "util/fd.h"

#include <errno.h>
#include <signal.h>

/* A signal handler has no argument of ours. */
static VhostUserDevice **watched_devices;
static gsize watched_count;
static int wake_fd = -1;

static gboolean recover(void *address)
{
    for (gsize i = 0; i < watched_count; i++) {
        VhostUserDevice *device = __atomic_load_n(&watched_devices[i], __ATOMIC_ACQUIRE);

        if (device && vhost_user_device_recover_fault(device, address)) {
            return TRUE;
        }
    }
    return FALSE;
}

static void on_fault(int number, siginfo_t *info, void *context G_GNUC_UNUSED)
{
    int saved = errno;

    /* A positive code comes from the kernel: the address is that of an access. */
    if (info->si_code > 0 && recover(info->si_addr)) {
        event_fd_signal(wake_fd);
    } else {
        /* Not ours to repair: end as without a handler, once this one has returned. */
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = saved;
}

void fault_install(int wake, VhostUserDevice **devices, gsize count)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    wake_fd = wake;
    watched_devices = devices;
    watched_count = count;
    sigaction(SIGBUS, &action, NULL);
}

void fault_set_device(VhostUserDevice **place, VhostUserDevice *device)
{
    __atomic_store_n(place, device, __ATOMIC_RELEASE);
}
