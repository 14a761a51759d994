/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control queue of network cards over every form of ring: split and packed (virtio 1.2, 2.7
 * and 2.8), with chains and with indirect tables.  The driver here writes descriptors one by one,
 * so that it can write wrong ones too.
 */
#include "qtest/net-rig.h"

#include <stddef.h>
#include <string.h>

#define CONTROL 2       /* its index, with one pair */
#define ENTRIES 64      /* its size */
#define FAR 0x7ffffff0u /* no RAM is there */
#define AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)
#define PARTS_MAX 4

typedef struct Form {
    const char *name;
    gboolean packed, indirect;
} Form;

static const Form forms[] = {
    {"split", FALSE, FALSE},
    {"split-indirect", FALSE, TRUE},
    {"packed", TRUE, FALSE},
    {"packed-indirect", TRUE, TRUE},
};

/* Descriptors as they are written; those of a split ring have the next one's number as their id. */
typedef struct Descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, id;
} Descriptor;

typedef struct Control {
    NetRig net;
    const Form *form;
    uint64_t descriptors, driver, device; /* the three areas */
    uint64_t table, scratch;
    uint64_t doorbell;
    uint16_t next, turns; /* packed: a slot; split: buffers so far */
    gboolean wrap;
} Control;

static void write_descriptor(Control *control, uint64_t address, const Descriptor *descriptor)
{
    uint64_t swapped[2] = {descriptor->address, descriptor->length};

    /* A split ring has the flags first, a packed one the id (2.7.5, 2.8.13). */
    swapped[1] |= (uint64_t)(control->form->packed ? descriptor->id : descriptor->flags) << 32;
    swapped[1] |= (uint64_t)(control->form->packed ? descriptor->flags : descriptor->id) << 48;
    qtest_memwrite(control->net.vmm->qtest, address, swapped, sizeof(swapped));
}

/* --- the device and its queue --- */

static void areas(Control *control)
{
    control->descriptors = guest_memory_alloc(&control->net.memory, 4096, 4096);
    control->driver = guest_memory_alloc(&control->net.memory, 4096, 4096);
    control->device = guest_memory_alloc(&control->net.memory, 4096, 4096);
}

/* From reset to DRIVER_OK, with a pair of the backend's that nobody uses. */
static void boot(Control *control)
{
    VirtDevice *device = control->net.device;
    uint64_t packed = control->form->packed ? BIT(VIRTIO_F_RING_PACKED) : 0;
    uint64_t features = BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
                        BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | packed;

    g_assert_true(virt_device_negotiate(device, features, FALSE));
    g_assert_cmphex(device->features & features, ==, features);
    for (guint queue = 0; queue <= CONTROL; queue++) {
        areas(control); /* the last ones are the control queue's */
        virt_device_set_queue(device, (uint16_t)queue, ENTRIES, control->descriptors,
                              control->driver, control->device);
    }
    control->table = guest_memory_alloc(&control->net.memory, 4096, 4096);
    control->scratch = guest_memory_alloc(&control->net.memory, 4096, 4096);
    control->doorbell = device->notify + CONTROL * device->notify_multiplier;
    control->next = control->turns = 0;
    control->wrap = TRUE;
    virt_device_driver_ok(device);
    net_rig_wait_rings(&control->net, 2);
}

static void control_start(Control *control, const Form *form)
{
    BackendConfig config;

    control->form = form;
    net_rig_config(&config);
    config.features |= BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_F_RING_PACKED);
    /* A card whose backend may come back has no packed rings. */
    net_rig_start(&control->net, &config, form->packed ? "" : ",reconnect-ms=10", "", "");
    boot(control);
}

/* --- rings --- */

static void notify(Control *control)
{
    qtest_writew(control->net.vmm->qtest, control->doorbell, CONTROL);
}

static uint64_t slot_address(Control *control, guint slot)
{
    return control->descriptors + 16 * (slot % ENTRIES);
}

/* Descriptors from the next slot on; the first one's flags are the last to be written. */
static void submit_packed(Control *control, const Descriptor *parts, guint count)
{
    Qtest *qtest = control->net.vmm->qtest;

    for (guint i = count; i-- > 0;) {
        Descriptor part = parts[i];
        gboolean wrap = control->next + i >= ENTRIES ? !control->wrap : control->wrap;

        part.flags |= wrap ? AVAILABLE : USED;
        part.id = control->turns;
        if (i == 0) {
            uint16_t flags = part.flags;

            part.flags = wrap ? USED : AVAILABLE; /* not yet */
            write_descriptor(control, slot_address(control, control->next), &part);
            qtest_writew(qtest, slot_address(control, control->next) + 14, flags);
        } else {
            write_descriptor(control, slot_address(control, control->next + i), &part);
        }
    }
}

static void submit_split(Control *control, const Descriptor *parts, guint count)
{
    Qtest *qtest = control->net.vmm->qtest;

    for (guint i = 0; i < count; i++) {
        Descriptor part = parts[i];

        part.id = part.id != 0 ? part.id : (uint16_t)(i + 1);
        write_descriptor(control, slot_address(control, i), &part);
    }
    qtest_writew(qtest, control->driver + 4 + 2 * (control->turns % ENTRIES), 0);
    qtest_writew(qtest, control->driver + 2, (uint16_t)(control->turns + 1));
}

static gboolean is_used(Control *control)
{
    Qtest *qtest = control->net.vmm->qtest;
    uint16_t flags;

    if (!control->form->packed) {
        return qtest_readw(qtest, control->device + 2) == (uint16_t)(control->turns + 1);
    }
    flags = qtest_readw(qtest, slot_address(control, control->next) + 14);
    return !!(flags & AVAILABLE) == control->wrap && !!(flags & USED) == control->wrap;
}

static void advance(Control *control, guint count)
{
    control->turns++;
    control->next += count;
    if (control->next >= ENTRIES) {
        control->next -= ENTRIES;
        control->wrap = !control->wrap;
    }
}

static void submit(Control *control, const Descriptor *parts, guint count)
{
    if (control->form->packed) {
        submit_packed(control, parts, count);
    } else {
        submit_split(control, parts, count);
    }
    notify(control);
}

/* The form's way to say the same: a chain, or a descriptor of a table. */
static guint wrap_up(Control *control, Descriptor *parts, guint count)
{
    for (guint i = 0; i + 1 < count; i++) {
        parts[i].flags |= VRING_DESC_F_NEXT;
        parts[i].id = (uint16_t)(i + 1);
    }
    if (!control->form->indirect) {
        return count;
    }
    for (guint i = 0; i < count; i++) {
        if (control->form->packed) {
            parts[i].flags &= (uint16_t)~VRING_DESC_F_NEXT; /* 2.8.7: reserved there */
        }
        write_descriptor(control, control->table + 16 * i, &parts[i]);
    }
    parts[0] = (Descriptor){control->table, 16 * count, VRING_DESC_F_INDIRECT, 0};
    return 1;
}

/* A command of class @class; VIRTIO_NET_OK or VIRTIO_NET_ERR. */
static int command(Control *control, uint8_t class, uint8_t number, const void *bytes, guint size)
{
    Qtest *qtest = control->net.vmm->qtest;
    Descriptor parts[PARTS_MAX] = {{control->scratch, 2, 0, 0}};
    guint count = 1;

    qtest_memwrite(qtest, control->scratch, (uint8_t[]){class, number}, 2);
    if (size > 0) {
        qtest_memwrite(qtest, control->scratch + 64, bytes, size);
        parts[count++] = (Descriptor){control->scratch + 64, size, 0, 0};
    }
    qtest_writeb(qtest, control->scratch + 1024, 0xee);
    parts[count++] = (Descriptor){control->scratch + 1024, 1, VRING_DESC_F_WRITE, 0};
    count = wrap_up(control, parts, count);
    submit(control, parts, count);
    for (guint tries = 0; !is_used(control); tries++) {
        if (tries > NET_RIG_WAIT) {
            vmm_fail("%s: command %u of class %u is not answered", control->form->name, number,
                     class);
        }
        g_usleep(1000);
    }
    advance(control, count);
    return qtest_readb(qtest, control->scratch + 1024);
}

/* --- tests --- */

/* Commands right and wrong, of two and of three parts, more than twice round the ring; the card
 * has heard each. */
static void check_commands(Control *control, guint rounds)
{
    for (guint i = 0; i < rounds; i++) {
        uint16_t vlan = (uint16_t)(i % 4095);
        uint8_t on = i & 1;

        g_assert_cmpint(command(control, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vlan, 2),
                        ==, VIRTIO_NET_OK);
        g_assert_cmpint(command(control, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1),
                        ==, VIRTIO_NET_OK);
        g_assert_cmpint(command(control, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), ==, VIRTIO_NET_ERR);
    }
    g_autoptr(json_object) filter = qmp_command_or_fail(
        control->net.vmm->qmp, "{'execute':'query-rx-filter','arguments':{'name':'n0'}}");

    g_assert_cmpint(json_object_array_length(qmp_get(filter, "0/vlan-table")), ==, rounds);
    g_assert_cmpint(json_object_get_boolean(qmp_get(filter, "0/promiscuous")), ==,
                    (rounds - 1) & 1);
}

static void test_commands(gconstpointer form)
{
    Control control;

    control_start(&control, form);
    check_commands(&control, 60);
    virt_device_reset(control.net.device);
    boot(&control);
    check_commands(&control, 3);
    net_rig_end(&control.net);
}

/* The ring goes on where it was over a pause, without a backend, and after its return. */
static void test_goes_on(gconstpointer form)
{
    Control control;

    control_start(&control, form);
    check_commands(&control, 11);
    net_rig_command(&control.net, "{'execute':'stop'}");
    net_rig_command(&control.net, "{'execute':'cont'}");
    check_commands(&control, 22);
    if (!control.form->packed) {
        backend_hang_up(control.net.backend);
        json_object_put(net_rig_event(&control.net, "NETDEV_VHOST_USER_DISCONNECTED"));
        check_commands(&control, 33);
        g_assert_true(backend_wait_connections(control.net.backend, 2, NET_RIG_WAIT));
        check_commands(&control, 44);
    }
    net_rig_end(&control.net);
}

typedef struct WrongRow {
    const char *name;
    gboolean of_split, of_packed;
    Descriptor parts[2]; /* in the ring; id 0: as usual */
    Descriptor table[2]; /* at @table, address 0: none */
    const char *words;   /* of the log */
} WrongRow;

#define TABLE_HERE 1 /* as an address: of the table */

static const WrongRow wrong_rows[] = {
    {"an empty table", TRUE, TRUE, {{TABLE_HERE, 0, 4, 0}}, {{0}}, "table of 0 bytes"},
    {"half a descriptor", TRUE, TRUE, {{TABLE_HERE, 24, 4, 0}}, {{0}}, "table of 24 bytes"},
    {"a table outside of RAM", TRUE, TRUE, {{FAR, 16, 4, 0}}, {{0}}, "is not in RAM"},
    {"a table in a table",
     TRUE,
     TRUE,
     {{TABLE_HERE, 16, 4, 0}},
     {{TABLE_HERE, 16, 4, 0}},
     "within an indirect table"},
    {"a chain behind a table",
     TRUE,
     TRUE,
     {{TABLE_HERE, 16, 4 | 1, 0}, {TABLE_HERE, 1, 2, 0}},
     {{0}},
     "goes on behind"},
    {"a table that leaves itself",
     TRUE,
     FALSE,
     {{TABLE_HERE, 32, 4, 0}},
     {{TABLE_HERE, 2, 1, 7}, {TABLE_HERE, 1, 2, 0}},
     "does not exist in an indirect table"},
    {"a loop in a table",
     TRUE,
     FALSE,
     {{TABLE_HERE, 32, 4, 0}},
     {{TABLE_HERE, 2, 1, 1}, {TABLE_HERE, 2, 1, 1}},
     "more than the 64 descriptors"},
    {"a loop", TRUE, FALSE, {{TABLE_HERE, 2, 1, 1}, {TABLE_HERE, 2, 1, 1}}, {{0}}, "more than"},
    {"a chain out of the ring", TRUE, FALSE, {{TABLE_HERE, 2, 1, 64}}, {{0}}, "does not exist"},
    {"read behind write",
     TRUE,
     TRUE,
     {{TABLE_HERE, 1, 2 | 1, 0}, {TABLE_HERE, 2, 0, 0}},
     {{0}},
     "a readable descriptor follows a writable one"},
    {"read behind write in a table",
     TRUE,
     TRUE,
     {{TABLE_HERE, 32, 4, 0}},
     {{TABLE_HERE, 1, 2 | 1, 1}, {TABLE_HERE, 2, 0, 0}},
     "a readable descriptor follows a writable one"},
};

static void write_wrong(Control *control, const WrongRow *row)
{
    Descriptor parts[2];
    guint count = row->parts[1].address != 0 ? 2 : 1;

    for (guint i = 0; i < 2; i++) {
        Descriptor entry = row->table[i];

        if (entry.address == TABLE_HERE) {
            entry.address = control->table;
        }
        write_descriptor(control, control->table + 16 * i, &entry);
        parts[i] = row->parts[i];
        if (parts[i].address == TABLE_HERE) {
            parts[i].address = control->table;
        }
    }
    submit(control, parts, count);
}

/* Each in the middle of a ring's life: the device asks for a reset, works on after it, and the
 * first one is named. */
static void test_wrong(gconstpointer data)
{
    const Form *form = data;

    for (guint i = 0; i < G_N_ELEMENTS(wrong_rows); i++) {
        const WrongRow *row = &wrong_rows[i];
        g_autofree char *output = NULL;
        Control control;

        if (!(form->packed ? row->of_packed : row->of_split)) {
            continue;
        }
        g_test_message("%s", row->name);
        control_start(&control, form);
        check_commands(&control, 1);
        write_wrong(&control, row);
        for (guint tries = 0;
             !(virt_device_status(control.net.device) & VIRTIO_CONFIG_S_NEEDS_RESET); tries++) {
            if (tries > NET_RIG_WAIT) {
                vmm_fail("%s: %s is not noticed", form->name, row->name);
            }
            g_usleep(1000);
        }
        output = vmm_output(control.net.vmm);
        rig_assert_names(output, "n0", row->words, NULL);
        virt_device_reset(control.net.device);
        boot(&control);
        check_commands(&control, 2);
        net_rig_end(&control.net);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc function;
    } tests[] = {{"commands", test_commands}, {"goes-on", test_goes_on}};

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(tests); j++) {
            g_autofree char *path =
                g_strdup_printf("/vhost-user-net-rings/%s/%s", forms[i].name, tests[j].name);

            g_test_add_data_func(path, &forms[i], tests[j].function);
        }
    }
    g_test_add_data_func("/vhost-user-net-rings/split/wrong", &forms[0], test_wrong);
    g_test_add_data_func("/vhost-user-net-rings/packed/wrong", &forms[2], test_wrong);
    return g_test_run();
}
