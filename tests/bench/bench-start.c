/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time from the start of the program to QMP's greeting, and the memory it takes then. */
#include "process.h"
#include "times.h"

#include "qtest/vmm.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 15

int main(int argc, char **argv)
{
    VmmOptions options = {.binary = argc > 1 ? argv[1] : NULL};
    gint64 times[ROUNDS];
    gint64 private[ROUNDS];
    gint64 resident[ROUNDS];

    for (guint i = 0; i < ROUNDS; i++) {
        Vmm *vmm = vmm_start_or_fail(&options, "-M pc -m 256M -nodefaults");
        times[i] = vmm->greeted - vmm->started;
        private[i] = process_private(vmm->pid);
        resident[i] = process_memory(vmm->pid, "Rss");
        vmm_end(vmm);
    }
    printf("{\"start_ms\":%.2f,\"private_mib\":%.2f,\"resident_mib\":%.2f,\"rounds\":%d}\n",
           median(times, ROUNDS) / 1000.0, median(private, ROUNDS) / 1024.0,
           median(resident, ROUNDS) / 1024.0, ROUNDS);
    return 0;
}
