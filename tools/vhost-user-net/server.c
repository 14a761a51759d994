/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network cards behind vhost-user connections. */
#include "tools/vhost-user-net/server.h"

#include "tools/common/log.h"
#include "tools/common/totals.h"
#include "tools/vhost-user-net/worker.h"
#include "util/error.h"

#include <errno.h>

#define PORTS_MAXIMUM 2u /* with --pair */

typedef struct NetServer {
    const NetOptions *options;
    NetTap *tap;
    NetPcap *pcap;
    NetPort ports[PORTS_MAXIMUM];
    guint port_count;
    Totals ended; /* connections that have ended */
} NetServer;

/* --- the device; its opaque is a port --- */

static int get_config(void *opaque, uint32_t offset, void *bytes, uint32_t size)
{
    net_port_read_config(opaque, offset, size, bytes);
    return 0;
}

static int set_config(void *opaque G_GNUC_UNUSED, uint32_t offset, const void *bytes G_GNUC_UNUSED,
                      uint32_t size, uint32_t flags G_GNUC_UNUSED)
{
    log_warning("configuration space: %u bytes at offset %u cannot be written; a driver may write "
                "none",
                size, offset);
    return -EINVAL;
}

static int set_features(void *opaque, uint64_t features)
{
    g_autoptr(GError) error = NULL;

    if (!net_port_set_features(opaque, features, &error)) {
        log_warning("%s", error->message);
        return -EINVAL;
    }
    return 0;
}

static int net_set_mtu(void *opaque, uint16_t mtu)
{
    g_autoptr(GError) error = NULL;

    if (!net_port_set_mtu(opaque, mtu, &error)) {
        log_warning("%s", error->message);
        return -EINVAL;
    }
    return 0;
}

static int send_rarp(void *opaque, const uint8_t address[6])
{
    net_port_announce(opaque, address);
    return 0;
}

static void queue_start(void *opaque, VhostUserQueue *queue)
{
    net_port_queue_start(opaque, queue);
}

static void queue_stop(void *opaque, VhostUserQueue *queue)
{
    net_port_queue_stop(opaque, queue);
}

static int reset(void *opaque)
{
    return set_features(opaque, 0);
}

static const VhostUserDeviceOperations device_operations = {
    .log = service_log,
    .get_config = get_config,
    .set_config = set_config,
    .set_features = set_features,
    .net_set_mtu = net_set_mtu,
    .send_rarp = send_rarp,
    .queue_start = queue_start,
    .queue_stop = queue_stop,
    .reset = reset,
};

/* --- connections --- */

static VhostUserDevice *connect_device(gpointer opaque, guint number, int socket, GError **error)
{
    NetServer *server = opaque;
    NetPort *port = &server->ports[number];
    const VhostUserDeviceParameters parameters = {
        .struct_size = sizeof(parameters),
        .operations = &device_operations,
        .operations_size = sizeof(device_operations),
        .opaque = port,
        .features = net_port_features_offered(port) | VHOST_USER_RING_FEATURES,
        /* Frames under way may be lost, but none may come twice. */
        .protocol_features_withheld = 1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
        .queues = 2 * server->options->queues,
        .queues_a_unit = 2,
        .queue_size_maximum = server->options->queue_size,
        .memory_slots = server->options->service.mem_slots,
    };

    port->device = vhost_user_device_new(socket, &parameters);
    if (!port->device) {
        vm_error_set_errno(error, errno, "the connection cannot be set up");
        return NULL;
    }
    server->ended.connections++;
    return port->device;
}

static void disconnect_device(gpointer opaque, guint number, VhostUserDevice *device)
{
    NetServer *server = opaque;

    totals_add_device(&server->ended, device, 2 * server->options->queues, TRUE);
    server->ports[number].device = NULL;
    net_port_reset(&server->ports[number]);
}

static void reload(gpointer opaque G_GNUC_UNUSED)
{
    log_info("nothing to reload");
}

static void append_statistics(gpointer opaque, GString *text)
{
    const NetServer *server = opaque;
    NetStatistics frames = {0};
    Totals totals = server->ended;
    uint64_t announced = 0;

    for (guint i = 0; i < server->port_count; i++) {
        const NetPort *port = &server->ports[i];

        if (port->device) {
            totals_add_device(&totals, port->device, 2 * server->options->queues, FALSE);
        }
        for (guint j = 0; j < port->queues; j++) {
            net_worker_statistics(port->workers[j], &frames);
        }
        net_statistics_add(&frames, &port->control);
        announced += port->announced;
    }
    net_statistics_format(&frames, text);
    counter_append(text, "announcements", announced);
    counter_append(text, "kicks", totals.queues.kicks);
    totals_append(&totals, text);
}

static const ServiceOperations server_operations = {
    .connect = connect_device,
    .disconnect = disconnect_device,
    .reload = reload,
    .statistics = append_statistics,
};

/* --- life --- */

static gboolean open_network(NetServer *server, GError **error)
{
    const NetOptions *options = server->options;

    if (options->tap) {
        server->tap = net_tap_open(options->tap, options->queues, error);
    } else if (options->tap_fds) {
        server->tap = net_tap_inherit(options->tap_fds, options->queues, error);
    } else if (options->pcap) {
        server->pcap = net_pcap_open(options->pcap, error);
    }
    return server->tap || server->pcap || options->pair || options->loopback;
}

static gpointer open_server(gconstpointer device_options, GError **error)
{
    NetServer *server = g_new0(NetServer, 1);

    server->options = device_options;
    if (!open_network(server, error)) {
        g_free(server);
        return NULL;
    }
    server->port_count = server->options->pair ? 2 : 1;
    for (guint i = 0; i < server->port_count; i++) {
        NetPort *port = &server->ports[i];

        net_port_init(port, server->options);
        port->tap = server->tap;
        port->pcap = server->pcap;
        if (!server->tap && !server->pcap) {
            port->peer = &server->ports[server->port_count - 1 - i];
        }
        if (server->tap && server->options->mtu == 0) {
            port->mtu = net_tap_mtu(server->tap);
        }
    }
    return server;
}

static gboolean start_server(gpointer opaque, GError **error)
{
    NetServer *server = opaque;

    for (guint i = 0; i < server->port_count; i++) {
        NetPort *port = &server->ports[i];

        port->workers = g_new0(NetWorker *, port->queues);
        for (guint j = 0; j < port->queues; j++) {
            port->workers[j] = net_worker_new(port, j, error);
            if (!port->workers[j]) {
                return FALSE;
            }
        }
    }
    if (server->tap) {
        log_info("tap %s, MTU %u", net_tap_name(server->tap), net_tap_mtu(server->tap));
    }
    return TRUE;
}

static gboolean enter_sandbox(GError **error)
{
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(SandboxCall));

    g_array_append_vals(calls, net_worker_calls, (guint)net_worker_call_count);
    g_array_append_vals(calls, net_tap_calls, (guint)net_tap_call_count);
    g_array_append_vals(calls, net_pcap_calls, (guint)net_pcap_call_count);
    return sandbox_enter((const SandboxCall *)(void *)calls->data, calls->len, error);
}

static void end_workers(NetPort *port)
{
    for (guint i = 0; port->workers && i < port->queues; i++) {
        net_worker_free(port->workers[i]);
    }
    g_free(port->workers);
}

static void free_server(gpointer opaque)
{
    NetServer *server = opaque;

    if (!server) {
        return;
    }
    /* Workers use the other port as well. */
    for (guint i = 0; i < server->port_count; i++) {
        end_workers(&server->ports[i]);
    }
    for (guint i = 0; i < server->port_count; i++) {
        net_port_clear(&server->ports[i]);
    }
    net_tap_free(server->tap);
    net_pcap_free(server->pcap);
    g_free(server);
}

const ProgramKind net_program = {
    .name = "vhost-user-net",
    .capabilities = "{\n  \"type\": \"net\"\n}",
    .print_help = net_options_print_help,
    .open = open_server,
    .start = start_server,
    .enter_sandbox = enter_sandbox,
    .free = free_server,
    .service = &server_operations,
};
