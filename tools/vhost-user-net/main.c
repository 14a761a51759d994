/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-net, a network card for virtual machines. */
#include "tools/vhost-user-net/options.h"
#include "tools/vhost-user-net/server.h"

#include "util/report.h"

/* A pair has two queues with three event fds each, for each guest; its worker has one, and a queue
 * of the tap; memory regions keep none. */
#define DESCRIPTORS_OF_PAIR 16

int main(int argc, char **argv)
{
    NetOptions options;
    g_autoptr(GError) error = NULL;

    g_set_prgname("vhost-user-net");
    if (!net_options_parse(&options, argc, argv, &error)) {
        report_error("%s", error->message);
        return 1;
    }
    const ProgramOptions program = {
        .service = &options.service,
        .device = &options,
        .queues_option = "--queues",
        .queues = options.queues,
        .descriptors_of_queue = DESCRIPTORS_OF_PAIR,
        .second_option = "--pair",
        .second_path = options.pair,
    };
    return program_run(&net_program, &program);
}
