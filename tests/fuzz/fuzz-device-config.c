/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration space of each kind of vhost-user device, between a backend of any features and
 * configuration bytes that refuses or hangs up where the input says, and a driver of any accesses.
 * A read past the configuration brings zeros, a store reaches the backend only where one may.
 */
#include "../unit/pci-test.h"
#include "../unit/session-backend.h"
#include "chardev/chardev.h"
#include "fuzz-machine.h"
#include "hw/virtio/vhost-user-pci.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <sys/socket.h>

#define DEVFN PCI_DEVFN(4, 0)
#define MODERN 0xe0004000
#define CONFIG (MODERN + 0x2000)
#define STEPS_MAX 32

static const struct {
    const char *type, *properties;
} kinds[] = {
    {"vhost-user-blk-pci", "{}"},
    {"vhost-user-scsi-pci", "{}"},
    {"vhost-user-fs-pci", "{\"tag\":\"t\"}"},
    {"vhost-user-vsock-pci", "{}"},
    {"vhost-user-vsock-pci", "{\"guest-cid\":7}"},
    {"vhost-user-rng-pci", "{}"},
    {"vhost-user-gpio-pci", "{}"},
    {"vhost-user-i2c-pci", "{}"},
    {"vhost-user-input-pci", "{}"},
    {"vhost-user-snd-pci", "{}"},
    {"vhost-user-scmi-pci", "{}"},
    {"vhost-user-device-pci", "{\"virtio-id\":42,\"num_vqs\":3,\"config_size\":33}"},
    {"vhost-user-device-pci", "{\"virtio-id\":1,\"config_size\":256}"},
};

static gboolean ended, there;

static void realized(Device *device G_GNUC_UNUSED, const GError *error,
                     gpointer opaque G_GNUC_UNUSED)
{
    ended = TRUE;
    there = error == NULL;
}

/* The chardev's end of a new connection, as the text of fd=. */
static json_object *new_connection(Backend *backend)
{
    g_autofree char *text = NULL;
    int ends[2];

    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    backend->socket = ends[1];
    text = g_strdup_printf("%d", ends[0]);
    return json_object_new_string(text);
}

static void begin_backend(FuzzInput *input, Backend *backend)
{
    static const uint32_t requests[] = {VHOST_USER_GET_CONFIG, VHOST_USER_SET_CONFIG};

    memset(backend, 0, sizeof(*backend));
    pthread_mutex_init(&backend->lock, NULL);
    backend->log = g_string_new(NULL);
    backend->requests = -1;
    backend->slots = 64;
    backend->config_byte = fuzz_byte(input);
    backend->features = fuzz_number(input, 8) | UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES;
    backend->protocol_features = fuzz_number(input, 2) & ~(1u << VHOST_USER_PROTOCOL_F_BACKEND_REQ);
    for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
        static const Behaviour behaviours[] = {ACCEPT, ACCEPT, REFUSE, HANG_UP};

        backend->behaviour[requests[i]] = behaviours[fuzz_byte(input) & 3];
    }
}

static void add(FuzzInput *input, Backend *backend)
{
    const guint kind = fuzz_byte(input) % G_N_ELEMENTS(kinds);
    json_object *chardev = json_object_new_object();
    json_object *options = json_parse(kinds[kind].properties, NULL);
    g_autoptr(GError) error = NULL;

    json_object_object_add(chardev, "backend", json_object_new_string("socket"));
    json_object_object_add(chardev, "id", json_object_new_string("s"));
    json_object_object_add(chardev, "fd", new_connection(backend));
    fuzz_require(chardev_create(chardev, NULL) != NULL);
    json_object_put(chardev);
    backend->thread = g_thread_new("backend", backend_thread, backend);

    json_object_object_add(options, "driver", json_object_new_string(kinds[kind].type));
    json_object_object_add(options, "id", json_object_new_string("d"));
    json_object_object_add(options, "chardev", json_object_new_string("s"));
    json_object_object_add(options, "addr", json_object_new_string("4"));
    ended = there = FALSE;
    if (!device_add(options, realized, NULL, &error)) {
        ended = TRUE;
    }
    json_object_put(options);
    while (!ended) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static void driver_step(FuzzInput *input, VhostUserPci *device)
{
    uint32_t config_size = VIRTIO_PCI(device)->config_size;
    uint8_t action = fuzz_byte(input);
    unsigned size = 1u << (action >> 4 & 1) << (action >> 5 & 1);
    uint64_t offset = fuzz_number(input, 2) % 0x140;

    switch (action & 7) {
    case 0:
        mem_write(MODERN + VIRTIO_PCI_COMMON_STATUS, fuzz_byte(input), 1);
        break;
    case 1:
        mem_write(MODERN + VIRTIO_PCI_COMMON_GFSELECT, action >> 7, 4);
        mem_write(MODERN + VIRTIO_PCI_COMMON_GF, fuzz_number(input, 4), 4);
        break;
    case 2:
        fuzz_settle();
        break;
    case 3:
    case 4:
        mem_write(CONFIG + offset, fuzz_number(input, 4), size);
        break;
    default: {
        uint64_t value = mem_read(CONFIG + offset, size);

        fuzz_require(offset < config_size || value == 0);
    }
    }
}

static void drive(FuzzInput *input)
{
    VmObject *object = vm_object_find("machine/peripheral", "d");

    g_object_ref(object);
    config_write(DEVFN, PCI_BASE_ADDRESS_4, MODERN, 4);
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    for (guint i = 0; i < STEPS_MAX && input->size > 0; i++) {
        driver_step(input, VHOST_USER_PCI(object));
    }
    g_object_unref(object);
}

static void remove_all(Backend *backend)
{
    fuzz_machine_restore();
    while (vm_object_find("machine/peripheral", "d") != NULL || !chardev_remove("s", NULL)) {
        g_main_context_iteration(NULL, TRUE);
    }
    fuzz_settle();
    g_thread_join(backend->thread);
    close(backend->socket);
    g_string_free(backend->log, TRUE);
    if (backend->requests >= 0) {
        close(backend->requests);
    }
    pthread_mutex_destroy(&backend->lock);
}

int LLVMFuzzerInitialize(int *argc G_GNUC_UNUSED, char ***argv G_GNUC_UNUSED)
{
    fuzz_machine_make();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    guint descriptors = fuzz_open_fds();
    Backend backend;

    begin_backend(&input, &backend);
    add(&input, &backend);
    if (there) {
        drive(&input);
    }
    remove_all(&backend);
    fuzz_require(fuzz_open_fds() == descriptors);
    return 0;
}
