/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-blk: its own options beside those of every back-end program. */
#include "tools/vhost-user-blk/options.h"

#include "util/error.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NUM_QUEUES_MAXIMUM 256 /* a byte names the queue in SET_VRING_KICK and the like */
#define QUEUE_SIZE_DEFAULT 1024
#define QUEUE_SIZE_MAXIMUM 32768 /* virtio 1.2, 2.6 "Split Virtqueues" and 2.8 "Packed" */

static gboolean apply_block_size(const char *value, gpointer target, GError **error)
{
    if (strcmp(value, "512") != 0 && strcmp(value, "4096") != 0) {
        vm_error_set(error, "'%s' is not a block size: expected 512 or 4096", value);
        return FALSE;
    }
    ((BlkOptions *)target)->disk.block_size = value[0] == '5' ? 512 : 4096;
    return TRUE;
}

static gboolean apply_serial(const char *value, gpointer target, GError **error)
{
    gsize length = strlen(value);

    if (length > BLK_SERIAL_SIZE) {
        vm_error_set(error, "the serial has %zu bytes, at most %d fit", length, BLK_SERIAL_SIZE);
        return FALSE;
    }
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isprint(value[i])) {
            vm_error_set(error, "byte 0x%02x of the serial is no printable ASCII character",
                         (guint)(guchar)value[i]);
            return FALSE;
        }
    }
    ((BlkOptions *)target)->serial = value;
    return TRUE;
}

#define PLACE(member) .offset = offsetof(BlkOptions, member)

static const char *const cache_modes[] = {[BLK_CACHE_WRITEBACK] = "writeback",
                                          [BLK_CACHE_NONE] = "none",
                                          [BLK_CACHE_UNSAFE] = "unsafe",
                                          NULL};

static const ToolOption blk_option_table[] = {
    {"blk-file", "PATH", "the disk image: a regular file or a block device", TOOL_OPTION_TEXT,
     PLACE(disk.path)},
    {"read-only", NULL, "the guest may not write", TOOL_OPTION_CONSTANT, PLACE(disk.read_only),
     .constant = TRUE},
    {"num-queues", "N", "queues offered to the guest: 1 to 256, default 1", TOOL_OPTION_NUMBER,
     PLACE(num_queues), .minimum = 1, .maximum = NUM_QUEUES_MAXIMUM},
    {"queue-size", "N", "largest queue that is accepted: 2 to 32768, default 1024",
     TOOL_OPTION_NUMBER, PLACE(queue_size), .minimum = 2, .maximum = QUEUE_SIZE_MAXIMUM},
    {"block-size", "512|4096",
     "logical block size of the disk in bytes; default 512, or what a block\n"
     "device has",
     TOOL_OPTION_CUSTOM, .apply = apply_block_size},
    {"direct", NULL, "open the image with O_DIRECT", TOOL_OPTION_CONSTANT, PLACE(disk.direct),
     .constant = TRUE},
    {"cache", "writeback|none|unsafe",
     "writeback (default): a flush makes the writes before it stable; none:\n"
     "the same past the host's page cache (--direct); unsafe: flushes are\n"
     "ignored",
     TOOL_OPTION_CHOICE, PLACE(disk.cache), .choices = cache_modes},
    {"serial", "TEXT", "what the guest reads as the disk's serial: at most 20 characters",
     TOOL_OPTION_CUSTOM, .apply = apply_serial},
    {"iothreads", "N", "threads that run the queues: 1 to --num-queues, default one a queue",
     TOOL_OPTION_NUMBER, PLACE(iothreads), .minimum = 1, .maximum = NUM_QUEUES_MAXIMUM},
    {.name = NULL},
};

static gboolean check_together(BlkOptions *options, GError **error)
{
    if (!options->disk.path) {
        vm_error_set(error, "--blk-file: missing; give --blk-file PATH");
        return FALSE;
    }
    if (options->iothreads > options->num_queues) {
        vm_error_set(error, "--iothreads %u: more than --num-queues %u; a queue has one thread",
                     options->iothreads, options->num_queues);
        return FALSE;
    }
    return service_options_check(&options->service, error);
}

gboolean blk_options_parse(BlkOptions *options, int argc, char **argv, GError **error)
{
    const ToolOptionGroup groups[] = {{blk_option_table, options},
                                      {service_option_table, &options->service}};

    *options = (BlkOptions){.num_queues = 1, .queue_size = QUEUE_SIZE_DEFAULT, .serial = ""};
    service_options_init(&options->service);
    if (!tool_options_parse(groups, G_N_ELEMENTS(groups), argc, argv, error)) {
        return FALSE;
    }
    if (options->service.action != SERVICE_SERVE) {
        return TRUE;
    }
    if (!check_together(options, error)) {
        return FALSE;
    }
    options->iothreads = options->iothreads ? options->iothreads : options->num_queues;
    return TRUE;
}

void blk_options_print_help(void)
{
    const ToolOptionGroup groups[] = {{blk_option_table, NULL}, {service_option_table, NULL}};

    printf("usage: vhost-user-blk --blk-file PATH (--socket-path PATH | --fd N) [options]\n\n"
           "A disk for a virtual machine monitor that speaks vhost-user.\n\n");
    tool_options_print_help(groups, G_N_ELEMENTS(groups));
    printf("\nSIGHUP reads the image's size again and tells the guest; SIGTERM and SIGINT finish\n"
           "all requests, write everything to the image and end with status 0.\n");
}
