/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost-user-blk, a disk for virtual machines. */
#include "tools/vhost-user-blk/options.h"
#include "tools/vhost-user-blk/server.h"

#include "util/report.h"

/* A queue has three event fds, its worker up to five descriptors of its own; memory regions keep
 * none. */
#define DESCRIPTORS_OF_QUEUE 8

int main(int argc, char **argv)
{
    BlkOptions options;
    g_autoptr(GError) error = NULL;

    g_set_prgname("vhost-user-blk");
    if (!blk_options_parse(&options, argc, argv, &error)) {
        report_error("%s", error->message);
        return 1;
    }
    const ProgramOptions program = {
        .service = &options.service,
        .device = &options,
        .queues_option = "--num-queues",
        .queues = options.num_queues,
        .descriptors_of_queue = DESCRIPTORS_OF_QUEUE,
    };
    return program_run(&blk_program, &program);
}
