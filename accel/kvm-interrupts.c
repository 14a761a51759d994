/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts with the controllers in the kernel: lines, messages, and event fds that become
 * messages (irqfd) or come from stores (ioeventfd) without a visit to this process.  With the local
 * APICs alone in the kernel lines lead to our devices, whose messages come back here.
 */
#include "kvm-internal.h"

#include "accel/accel.h"
#include "system/irq.h"
#include "system/memory.h"
#include "util/error.h"
#include "util/report.h"

/* Pins: 0 to 15 go to both controllers, those above to the I/O APIC alone; messages come behind. */
#define PIC_PINS 16
#define PIC_PINS_A_CHIP 8
#define FIRST_MESSAGE IRQ_LINES

static GArray *routes;  /* of struct kvm_irq_routing_entry: the pins, then the connected messages */
static GArray *numbers; /* of gboolean: message numbers in use */
static guint pins_count; /* entries at the head of routes */
static guint numbers_limit;

/* --- the routing table --- */

static void add_pin(guint gsi, guint chip, guint pin)
{
    struct kvm_irq_routing_entry entry = {.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP};

    entry.u.irqchip.irqchip = chip;
    entry.u.irqchip.pin = pin;
    g_array_append_val(routes, entry);
}

/* As a PC is wired: the timer of pin 0 is at pin 2 of the I/O APIC, where the PICs' cascade is. */
static void add_pins(void)
{
    for (guint gsi = 0; gsi < IRQ_LINES; gsi++) {
        if (gsi < PIC_PINS && gsi != 2) {
            guint chip = gsi < PIC_PINS_A_CHIP ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
            add_pin(gsi, chip, gsi % PIC_PINS_A_CHIP);
        }
        if (gsi != 2) {
            add_pin(gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
        }
    }
    pins_count = routes->len;
}

/*
 * For an I/O APIC of ours the routes only say which interrupts' ends it wants to be told
 * (api.rst, KVM_EXIT_IOAPIC_EOI): those of a message that is level-triggered, which the first ones
 * are not.
 */
static void add_watched_pins(void)
{
    for (guint pin = 0; pin < IRQ_LINES; pin++) {
        struct kvm_irq_routing_entry entry = {.gsi = pin, .type = KVM_IRQ_ROUTING_MSI};
        g_array_append_val(routes, entry);
    }
    pins_count = routes->len;
}

static int send_table(void)
{
    gsize size = routes->len * sizeof(struct kvm_irq_routing_entry);
    g_autofree struct kvm_irq_routing *table = g_malloc0(sizeof(*table) + size);

    table->nr = routes->len;
    memcpy(table->entries, routes->data, size);
    return kvm_ioctl(kvm.vm_fd, KVM_SET_GSI_ROUTING, table);
}

static void watch_end(guint pin, guint64 address, guint32 data)
{
    struct kvm_irq_routing_entry *entry = &g_array_index(routes, struct kvm_irq_routing_entry, pin);
    struct kvm_irq_routing_msi message = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
    };

    if (memcmp(&entry->u.msi, &message, sizeof(message)) != 0) {
        entry->u.msi = message;
        send_table();
    }
}

static gint find_message(guint gsi)
{
    for (guint i = pins_count; i < routes->len; i++) {
        if (g_array_index(routes, struct kvm_irq_routing_entry, i).gsi == gsi) {
            return (gint)i;
        }
    }
    return -1;
}

/* --- lines and messages --- */

static void set_line(guint line, gboolean high)
{
    struct kvm_irq_level level = {.irq = line, .level = high};

    kvm_ioctl(kvm.vm_fd, KVM_IRQ_LINE, &level);
}

static gboolean send_msi(guint64 address, guint32 data)
{
    struct kvm_msi message = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
    };

    /* A message to no CPU is the guest's mistake: nobody receives it. */
    return kvm_ioctl(kvm.vm_fd, KVM_SIGNAL_MSI, &message) > 0;
}

/* --- event fds that become messages --- */

static gint route_add(void)
{
    static const gboolean taken = TRUE;

    for (guint number = 0; number < numbers->len; number++) {
        if (!g_array_index(numbers, gboolean, number)) {
            g_array_index(numbers, gboolean, number) = TRUE;
            return (gint)number;
        }
    }
    if (numbers->len == numbers_limit) {
        return -1;
    }
    g_array_append_val(numbers, taken);
    return (gint)numbers->len - 1;
}

static void route_remove(gint number)
{
    gint index = find_message(FIRST_MESSAGE + number);

    g_array_index(numbers, gboolean, number) = FALSE;
    if (index >= 0) {
        g_array_remove_index_fast(routes, index);
        send_table();
    }
}

static int set_irqfd(guint gsi, int event_fd, uint32_t flags)
{
    struct kvm_irqfd irqfd = {.fd = (uint32_t)event_fd, .gsi = gsi, .flags = flags};

    return kvm_ioctl(kvm.vm_fd, KVM_IRQFD, &irqfd);
}

static gboolean route_connect(gint number, int event_fd, guint64 address, guint32 data)
{
    struct kvm_irq_routing_entry entry = {.gsi = FIRST_MESSAGE + number,
                                          .type = KVM_IRQ_ROUTING_MSI};
    gint index = find_message(entry.gsi);

    entry.u.msi.address_lo = (uint32_t)address;
    entry.u.msi.address_hi = (uint32_t)(address >> 32);
    entry.u.msi.data = data;
    if (index < 0) {
        g_array_append_val(routes, entry);
    } else if (memcmp(&g_array_index(routes, struct kvm_irq_routing_entry, index), &entry,
                      sizeof(entry)) != 0) {
        g_array_index(routes, struct kvm_irq_routing_entry, index) = entry;
    } else {
        return set_irqfd(entry.gsi, event_fd, 0) == 0;
    }
    return send_table() == 0 && set_irqfd(entry.gsi, event_fd, 0) == 0;
}

static void route_disconnect(gint number, int event_fd)
{
    set_irqfd(FIRST_MESSAGE + number, event_fd, KVM_IRQFD_FLAG_DEASSIGN);
}

/* --- event fds that come from stores --- */

static int set_ioeventfd(AddressSpace space, uint64_t address, const IoStore *store, int fd,
                         uint32_t flags)
{
    struct kvm_ioeventfd event = {
        .addr = address,
        .len = store ? store->size : 0, /* 0: a store of any size */
        .datamatch = store ? store->value : 0,
        .fd = fd,
        .flags = flags | (space == ADDRESS_SPACE_IO ? KVM_IOEVENTFD_FLAG_PIO : 0) |
                 (store ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
    };

    return kvm_ioctl(kvm.vm_fd, KVM_IOEVENTFD, &event);
}

static gboolean add_event_fd(AddressSpace space, uint64_t address, const IoStore *store, int fd)
{
    return set_ioeventfd(space, address, store, fd, 0) == 0;
}

static void remove_event_fd(AddressSpace space, uint64_t address, const IoStore *store, int fd)
{
    set_ioeventfd(space, address, store, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

gboolean kvm_interrupts_start(GError **error)
{
    static const IrqAccelerator whole = {
        .set_line = set_line,
        .send_msi = send_msi,
        .route_add = route_add,
        .route_connect = route_connect,
        .route_disconnect = route_disconnect,
        .route_remove = route_remove,
    };
    static const IrqAccelerator split = {
        .send_msi = send_msi,
        .route_add = route_add,
        .route_connect = route_connect,
        .route_disconnect = route_disconnect,
        .route_remove = route_remove,
        .watch_end = watch_end,
        .set_external = kvm_external_set,
    };
    static const IoAccelerator stores = {add_event_fd, remove_event_fd, kvm_memory_add_page,
                                         kvm_memory_remove_page};
    int result;

    routes = g_array_new(FALSE, TRUE, sizeof(struct kvm_irq_routing_entry));
    numbers = g_array_new(FALSE, FALSE, sizeof(gboolean));
    if (accel_has_split_irqchip()) {
        add_watched_pins();
    } else {
        add_pins();
    }
    result = send_table();
    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: KVM_SET_GSI_ROUTING");
        return FALSE;
    }
    numbers_limit = (guint)MAX(kvm_has(KVM_CAP_IRQ_ROUTING) - (int)routes->len, 0);
    irq_set_accelerator(accel_has_split_irqchip() ? &split : &whole);
    io_set_accelerator(&stores);
    return TRUE;
}
