/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints docs/interop/qmp.rst, for whoever has changed a command. */
#include "monitor/qmp.h"

#include <stdio.h>

int main(void)
{
    g_autofree char *text = qmp_document();

    return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}
