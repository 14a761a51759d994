/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vhost-user-blk: its own options beside those of every back-end program. */
#include "tools/vhost-user-blk/options.h"

#include "util/error.h"
#include "util/size.h"

#include <stdio.h>
#include <string.h>

#define NUM_QUEUES_MAXIMUM 256 /* a byte names the queue in SET_VRING_KICK and the like */
#define QUEUE_SIZE_DEFAULT 1024
#define QUEUE_SIZE_MAXIMUM 32768 /* virtio 1.2, 2.6 "Split Virtqueues" and 2.8 "Packed" */

static gboolean parse_guint(const char *value, guint minimum, guint maximum, guint *number,
                            GError **error)
{
    uint64_t parsed;

    if (!number_parse(value, minimum, maximum, &parsed, error)) {
        return FALSE;
    }
    *number = (guint)parsed;
    return TRUE;
}

static gboolean apply_blk_file(const char *value, gpointer target, GError **error G_GNUC_UNUSED)
{
    ((BlkOptions *)target)->disk.path = value;
    return TRUE;
}

static gboolean apply_read_only(const char *value G_GNUC_UNUSED, gpointer target,
                                GError **error G_GNUC_UNUSED)
{
    ((BlkOptions *)target)->disk.read_only = TRUE;
    return TRUE;
}

static gboolean apply_num_queues(const char *value, gpointer target, GError **error)
{
    return parse_guint(value, 1, NUM_QUEUES_MAXIMUM, &((BlkOptions *)target)->num_queues, error);
}

static gboolean apply_queue_size(const char *value, gpointer target, GError **error)
{
    return parse_guint(value, 2, QUEUE_SIZE_MAXIMUM, &((BlkOptions *)target)->queue_size, error);
}

static gboolean apply_block_size(const char *value, gpointer target, GError **error)
{
    if (strcmp(value, "512") != 0 && strcmp(value, "4096") != 0) {
        vm_error_set(error, "'%s' is not a block size: expected 512 or 4096", value);
        return FALSE;
    }
    ((BlkOptions *)target)->disk.block_size = value[0] == '5' ? 512 : 4096;
    return TRUE;
}

static gboolean apply_direct(const char *value G_GNUC_UNUSED, gpointer target,
                             GError **error G_GNUC_UNUSED)
{
    ((BlkOptions *)target)->disk.direct = TRUE;
    return TRUE;
}

static gboolean apply_cache(const char *value, gpointer target, GError **error)
{
    static const char *const modes[] = {"writeback", "none", "unsafe"};

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!strcmp(value, modes[i])) {
            ((BlkOptions *)target)->disk.cache = i;
            return TRUE;
        }
    }
    vm_error_set(error, "'%s' is not a cache mode: expected writeback, none or unsafe", value);
    return FALSE;
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

static gboolean apply_iothreads(const char *value, gpointer target, GError **error)
{
    return parse_guint(value, 1, NUM_QUEUES_MAXIMUM, &((BlkOptions *)target)->iothreads, error);
}

static const ToolOption blk_option_table[] = {
    {"blk-file", "PATH", "the disk image: a regular file or a block device", apply_blk_file},
    {"read-only", NULL, "the guest may not write", apply_read_only},
    {"num-queues", "N", "queues offered to the guest: 1 to 256, default 1", apply_num_queues},
    {"queue-size", "N", "largest queue that is accepted: 2 to 32768, default 1024",
     apply_queue_size},
    {"block-size", "512|4096",
     "logical block size of the disk in bytes; default 512, or what a block\n"
     "device has",
     apply_block_size},
    {"direct", NULL, "open the image with O_DIRECT", apply_direct},
    {"cache", "writeback|none|unsafe",
     "writeback (default): a flush makes the writes before it stable; none:\n"
     "the same past the host's page cache (--direct); unsafe: flushes are\n"
     "ignored",
     apply_cache},
    {"serial", "TEXT", "what the guest reads as the disk's serial: at most 20 characters",
     apply_serial},
    {"iothreads", "N", "threads that run the queues: 1 to --num-queues, default one a queue",
     apply_iothreads},
    {NULL, NULL, NULL, NULL},
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
