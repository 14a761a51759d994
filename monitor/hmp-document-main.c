/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints docs/system/monitor.rst, for whoever has changed a command of the human monitor. */
#include "monitor/monitor.h"

#include <stdio.h>

int main(void)
{
    g_autofree char *text = monitor_hmp_document();

    return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}
