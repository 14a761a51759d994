/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk behind vhost-user connections: what the library asks of a block device. */
#include "tools/vhost-user-blk/server.h"

#include "libvhost-user/queue.h"
#include "tools/common/log.h"
#include "tools/common/sandbox.h"
#include "tools/common/totals.h"
#include "tools/vhost-user-blk/config.h"
#include "tools/vhost-user-blk/options.h"
#include "tools/vhost-user-blk/worker.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <seccomp.h>

typedef struct BlkServer {
    const BlkOptions *options;
    BlkDisk *disk;
    BlkConfig *config;
    BlkWorkers *workers;
    VhostUserDevice *device; /* NULL without a front end */
    Totals ended;            /* connections that have ended */
} BlkServer;

/* --- the device --- */

static int get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    const BlkServer *server = opaque;

    blk_config_read(server->config, offset, size, bytes);
    return 0;
}

static int set_config(void *opaque, uint32_t offset, const void *bytes, uint32_t size,
                      uint32_t flags G_GNUC_UNUSED)
{
    BlkServer *server = opaque;
    g_autoptr(GError) error = NULL;

    if (!blk_config_write(server->config, offset, size, bytes, &error)) {
        log_warning("%s", error->message);
        return -EINVAL;
    }
    return 0;
}

static int set_features(void *opaque, uint64_t features)
{
    BlkServer *server = opaque;

    blk_config_set_driver_features(server->config, features);
    return 0;
}

static int reset(void *opaque)
{
    return set_features(opaque, 0);
}

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    blk_workers_queue_start(((BlkServer *)opaque)->workers, queue);
}

static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    blk_workers_queue_stop(((BlkServer *)opaque)->workers, queue);
}

static const VhostUserDeviceOperations device_operations = {
    .log = service_log,
    .get_config = get_config,
    .set_config = set_config,
    .set_features = set_features,
    .queue_start = queue_start,
    .queue_stop = queue_stop,
    .reset = reset,
};

/* --- connections --- */

static VhostUserDevice *connect_device(gpointer opaque, guint port G_GNUC_UNUSED, int socket,
                                       GError **error)
{
    BlkServer *server = opaque;
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &device_operations,
        .operations_size = sizeof(device_operations),
        .opaque = server,
        .features = blk_config_features(server->config) | VHOST_USER_RING_FEATURES,
        .queues = server->options->num_queues,
        .queue_size_maximum = server->options->queue_size,
        .memory_slots = server->options->service.mem_slots,
        .request_size = blk_workers_request_size(),
    };
    VhostUserDevice *device = vhost_user_device_new(socket, &parameters);

    if (!device) {
        vm_error_set_errno(error, errno, "the connection cannot be set up");
        return NULL;
    }
    server->ended.connections++;
    server->device = device;
    return device;
}

static void disconnect_device(gpointer opaque, guint port G_GNUC_UNUSED, VhostUserDevice *device)
{
    BlkServer *server = opaque;

    totals_add_device(&server->ended, device, server->options->num_queues, TRUE);
    server->device = NULL;
    blk_config_set_driver_features(server->config, 0);
}

static void reload(gpointer opaque)
{
    BlkServer *server = opaque;
    g_autoptr(GError) error = NULL;
    gboolean changed = FALSE;

    if (!blk_disk_refresh(server->disk, &changed, &error)) {
        log_warning("%s", error->message);
        return;
    }
    if (blk_disk_warning(server->disk)) {
        log_warning("%s", blk_disk_warning(server->disk));
    }
    log_info("%s: %s %" G_GUINT64_FORMAT " bytes", blk_disk_path(server->disk),
             changed ? "the size is now" : "the size is still", blk_disk_size(server->disk));
    int result = changed && server->device ? vhost_user_device_config_changed(server->device) : 0;
    if (result < 0) {
        log_warning("the front end cannot be told of the new size: %s", g_strerror(-result));
    }
}

/* --- statistics --- */

static void append_statistics(gpointer opaque, GString *text)
{
    const BlkServer *server = opaque;
    BlkStatistics requests = {0};
    Totals totals = server->ended;

    if (server->device) {
        totals_add_device(&totals, server->device, server->options->num_queues, FALSE);
    }
    blk_workers_statistics(server->workers, &requests);
    blk_statistics_format(&requests, text);
    totals_append(&totals, text);
}

static const ServiceOperations blk_server_operations = {
    .connect = connect_device,
    .disconnect = disconnect_device,
    .reload = reload,
    .statistics = append_statistics,
};

/* --- life --- */

static void trace_request(void *opaque G_GNUC_UNUSED, const char *line)
{
    log_debug("%s", line);
}

static void request_failed(void *opaque, const char *line)
{
    log_warning("%s: %s", blk_disk_path(((BlkServer *)opaque)->disk), line);
}

static gpointer open_server(gconstpointer device_options, GError **error)
{
    const BlkOptions *options = device_options;
    BlkServer *server = g_new0(BlkServer, 1);

    server->options = options;
    server->disk = blk_disk_open(&options->disk, error);
    if (!server->disk) {
        g_free(server);
        return NULL;
    }
    server->config =
        blk_config_new(server->disk, (uint16_t)options->num_queues, (uint16_t)options->queue_size);
    return server;
}

static gboolean start_server(gpointer opaque, GError **error)
{
    BlkServer *server = opaque;
    const BlkWorkersOptions options = {
        .count = server->options->iothreads,
        .queue_size = server->options->queue_size,
        .serial = server->options->serial,
        .trace = log_enabled(LOG_LEVEL_DEBUG) ? trace_request : NULL,
        .failed = request_failed,
        .opaque = server,
    };

    server->workers = blk_workers_new(server->disk, &options, error);
    if (!server->workers) {
        return FALSE;
    }
    if (blk_workers_notice(server->workers)) {
        log_warning("%s", blk_workers_notice(server->workers));
    }
    if (blk_disk_warning(server->disk)) {
        log_warning("%s", blk_disk_warning(server->disk));
    }
    return TRUE;
}

static gboolean enter_sandbox(GError **error)
{
    static const SandboxCall calls[] = {
        {SCMP_SYS(preadv), -1, 0, 0},
        {SCMP_SYS(pwritev2), -1, 0, 0},
        {SCMP_SYS(fdatasync), -1, 0, 0},
        {SCMP_SYS(fcntl), 1, UINT64_MAX, F_OFD_SETLK},
        {SCMP_SYS(fallocate), -1, 0, 0},
        {SCMP_SYS(io_uring_enter), -1, 0, 0},
        {SCMP_SYS(io_uring_register), -1, 0, 0},
        {SCMP_SYS(ioctl), 1, UINT64_MAX, BLKGETSIZE64},
        {SCMP_SYS(ioctl), 1, UINT64_MAX, BLKDISCARD},
    };

    return sandbox_enter(calls, G_N_ELEMENTS(calls), error);
}

/* Makes everything written stable (not with --cache unsafe).  No request is in flight. */
static gboolean flush_server(gpointer opaque, GError **error)
{
    BlkServer *server = opaque;
    int result = blk_disk_flush(server->disk);

    if (result < 0) {
        vm_error_set_errno(error, -result, "--blk-file %s: what was written cannot be made stable",
                           blk_disk_path(server->disk));
    }
    return result == 0;
}

static void free_server(gpointer opaque)
{
    BlkServer *server = opaque;

    if (server) {
        blk_workers_free(server->workers);
        g_clear_pointer(&server->config, blk_config_free);
        blk_disk_close(server->disk);
        g_free(server);
    }
}

const ProgramKind blk_program = {
    .name = "vhost-user-blk",
    .capabilities = "{\n  \"type\": \"block\",\n  \"features\": [\"read-only\", \"blk-file\"]\n}",
    .print_help = blk_options_print_help,
    .open = open_server,
    .start = start_server,
    .enter_sandbox = enter_sandbox,
    .finish = flush_server,
    .free = free_server,
    .service = &blk_server_operations,
};
