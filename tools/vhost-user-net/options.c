/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-net: its own options beside those of every back-end program. */
#include "tools/vhost-user-net/options.h"

#include "util/error.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define QUEUES_MAXIMUM 128 /* pairs: a byte names the queue in SET_VRING_KICK and the like */
#define QUEUE_SIZE_DEFAULT 1024
#define QUEUE_SIZE_MAXIMUM 32768 /* virtio 1.2, 2.6 "Split Virtqueues" and 2.8 "Packed" */
#define MTU_MINIMUM 68           /* virtio 1.2, 5.1.4.1 */
#define MTU_MAXIMUM 65535
#define POLL_MAXIMUM 1000000

static gboolean apply_pair(const char *value, gpointer target, GError **error)
{
    ((NetOptions *)target)->pair = value;
    return service_path_check(value, error);
}

#define PLACE(member) .offset = offsetof(NetOptions, member)

static const ToolOption net_option_table[] = {
    {"tap", "NAME",
     "frames go to and come from the host's tap interface NAME, which is made\n"
     "if there is none",
     TOOL_OPTION_TEXT, PLACE(tap)},
    {"tap-fd", "N[,N...]",
     "the same over inherited descriptors of a tap, one for each queue pair,\n"
     "attached with IFF_NO_PI and IFF_VNET_HDR",
     TOOL_OPTION_TEXT, PLACE(tap_fds)},
    {"pair", "PATH",
     "frames go to and come from a second guest, whose front end is served at\n"
     "the unix socket PATH",
     TOOL_OPTION_CUSTOM, .apply = apply_pair},
    {"loopback", NULL, "frames come back to the guest that sent them", TOOL_OPTION_CONSTANT,
     PLACE(loopback), .constant = TRUE},
    {"pcap", "FILE",
     "frames of the guest are written to FILE, in the format of tcpdump; it\n"
     "receives none",
     TOOL_OPTION_TEXT, PLACE(pcap)},
    {"queues", "N", "queue pairs offered to the guest: 1 to 128, default 1; a thread each",
     TOOL_OPTION_NUMBER, PLACE(queues), .minimum = 1, .maximum = QUEUES_MAXIMUM},
    {"queue-size", "N", "largest queue that is accepted: 2 to 32768, default 1024",
     TOOL_OPTION_NUMBER, PLACE(queue_size), .minimum = 2, .maximum = QUEUE_SIZE_MAXIMUM},
    {"mtu", "N",
     "what the guest is told as MTU, and the largest that a front end may set:\n"
     "68 to 65535; default that of the tap, or 1500",
     TOOL_OPTION_NUMBER, PLACE(mtu), .minimum = MTU_MINIMUM, .maximum = MTU_MAXIMUM},
    {"poll-us", "N",
     "look for frames for N microseconds before waiting for the guest to\n"
     "kick: 0 (default) to 1000000",
     TOOL_OPTION_NUMBER, PLACE(poll_us), .minimum = 0, .maximum = POLL_MAXIMUM},
    {.name = NULL},
};

/* Exactly one of them. */
static gboolean check_network(const NetOptions *options, GError **error)
{
    const struct {
        const char *name, *value;
    } choices[] = {
        {"--tap", options->tap},   {"--tap-fd", options->tap_fds},
        {"--pair", options->pair}, {"--loopback", options->loopback ? "" : NULL},
        {"--pcap", options->pcap},
    };
    const char *first = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(choices); i++) {
        if (choices[i].value && first) {
            vm_error_set(error, "%s%s%s: excludes %s; give one of them", choices[i].name,
                         *choices[i].value ? " " : "", choices[i].value, first);
            return FALSE;
        }
        first = choices[i].value ? choices[i].name : first;
    }
    if (!first) {
        vm_error_set(error, "--tap: missing; give one of --tap NAME, --tap-fd N, --pair PATH, "
                            "--loopback and --pcap FILE");
    }
    return first != NULL;
}

static gboolean check_together(const NetOptions *options, GError **error)
{
    const char *path = options->service.socket_path;

    if (options->pair && path && !strcmp(options->pair, path)) {
        vm_error_set(error, "--pair %s: the same as --socket-path; each guest needs its own",
                     options->pair);
        return FALSE;
    }
    return service_options_check(&options->service, error);
}

gboolean net_options_parse(NetOptions *options, int argc, char **argv, GError **error)
{
    const ToolOptionGroup groups[] = {{net_option_table, options},
                                      {service_option_table, &options->service}};

    *options = (NetOptions){.queues = 1, .queue_size = QUEUE_SIZE_DEFAULT};
    service_options_init(&options->service);
    if (!tool_options_parse(groups, G_N_ELEMENTS(groups), argc, argv, error)) {
        return FALSE;
    }
    return options->service.action != SERVICE_SERVE ||
           (check_network(options, error) && check_together(options, error));
}

void net_options_print_help(void)
{
    const ToolOptionGroup groups[] = {{net_option_table, NULL}, {service_option_table, NULL}};

    printf("usage: vhost-user-net (--tap NAME | --tap-fd N | --pair PATH | --loopback | "
           "--pcap FILE)\n"
           "                      (--socket-path PATH | --fd N) [options]\n\n"
           "A network card for a virtual machine monitor that speaks vhost-user.\n\n");
    tool_options_print_help(groups, G_N_ELEMENTS(groups));
    printf("\nSIGUSR1 logs statistics; SIGTERM and SIGINT end with status 0.\n");
}
