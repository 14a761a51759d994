/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of a network card's control queue: one table says which feature and how many bytes each
 * of them needs; a handler never sees anything else.  Filters are the driver's wishes: a device
 * may deliver more than they let in (virtio 1.2, 5.1.6.5.1), and the back-end does.
 */
#include "virtio-net-control.h"

#include "util/error.h"
#include "util/json.h"

#include <string.h>

/* The packet that a driver gives: class and command, what belongs to it, and room for the answer.
 */
#define HEADER_SIZE sizeof(struct virtio_net_ctrl_hdr)
#define LENGTH_ANY UINT16_MAX

typedef struct Command {
    VirtioNetControl *control;
    const VirtqueueElement *element;
    uint64_t features;
    uint8_t bytes[8]; /* what the command carries, where its length is fixed */
} Command;

typedef struct CommandKind {
    uint8_t class, command;
    uint8_t feature; /* that the driver must have chosen */
    uint16_t length; /* bytes behind the header, or LENGTH_ANY */
    gboolean (*run)(Command *command);
    gsize offset; /* of the switch that the command sets, without run() */
} CommandKind;

/* --- tables of addresses --- */

static gboolean read_at(const Command *command, uint64_t offset, void *bytes, uint64_t size)
{
    return virtqueue_read(command->element, HEADER_SIZE + offset, bytes, size);
}

/* A table of the command at *@offset, which moves behind it. */
static gboolean read_table(const Command *command, uint64_t *offset, VirtioNetTable *table)
{
    uint64_t size = command->element->readable_size - HEADER_SIZE;
    uint32_t count;

    if (!read_at(command, *offset, &count, sizeof(count))) {
        return FALSE;
    }
    count = GUINT32_FROM_LE(count);
    *offset += sizeof(count);
    if (count > (size - *offset) / NET_MAC_SIZE) {
        return FALSE;
    }
    table->overflow = count > VIRTIO_NET_TABLE_SIZE;
    g_array_set_size(table->entries, table->overflow ? 0 : count);
    if (!table->overflow &&
        !read_at(command, *offset, table->entries->data, (uint64_t)count * NET_MAC_SIZE)) {
        return FALSE;
    }
    *offset += (uint64_t)count * NET_MAC_SIZE;
    return TRUE;
}

static void table_init(VirtioNetTable *table)
{
    *table = (VirtioNetTable){.entries = g_array_new(FALSE, TRUE, NET_MAC_SIZE)};
}

static void table_clear(VirtioNetTable *table)
{
    g_clear_pointer(&table->entries, g_array_unref);
}

/* Both tables at once, or none. */
static gboolean set_tables(Command *command)
{
    VirtioNetTable tables[2];
    VirtioNetControl *control = command->control;
    uint64_t offset = 0;
    gboolean good;

    table_init(&tables[0]);
    table_init(&tables[1]);
    good = read_table(command, &offset, &tables[0]) && read_table(command, &offset, &tables[1]) &&
           offset == command->element->readable_size - HEADER_SIZE;
    if (good) {
        VirtioNetTable unicast = control->unicast, multicast = control->multicast;

        control->unicast = tables[0];
        control->multicast = tables[1];
        tables[0] = unicast;
        tables[1] = multicast;
    }
    table_clear(&tables[0]);
    table_clear(&tables[1]);
    return good;
}

/* --- the others --- */

static gboolean set_address(Command *command)
{
    if (command->bytes[0] & 1) {
        return FALSE; /* a group's address is no card's */
    }
    command->control->ops->mac_set(command->control, command->bytes);
    return TRUE;
}

static uint16_t number_of(const Command *command)
{
    return (uint16_t)(command->bytes[0] | command->bytes[1] << 8);
}

static gboolean add_vlan(Command *command)
{
    uint16_t vlan = number_of(command);

    if (vlan >= VIRTIO_NET_VLANS) {
        return FALSE;
    }
    command->control->vlans[vlan / 8] |= (uint8_t)(1u << vlan % 8);
    return TRUE;
}

static gboolean remove_vlan(Command *command)
{
    uint16_t vlan = number_of(command);

    if (vlan >= VIRTIO_NET_VLANS) {
        return FALSE;
    }
    command->control->vlans[vlan / 8] &= (uint8_t) ~(1u << vlan % 8);
    return TRUE;
}

static gboolean acknowledge(Command *command)
{
    return command->control->ops->announce_acknowledged(command->control);
}

static gboolean set_pairs(Command *command)
{
    uint16_t pairs = number_of(command);

    return pairs >= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN && pairs <= command->control->pairs_maximum &&
           command->control->ops->pairs_set(command->control, pairs);
}

static gboolean set_offloads(Command *command)
{
    uint64_t offloads;

    memcpy(&offloads, command->bytes, sizeof(offloads));
    offloads = GUINT64_FROM_LE(offloads);
    return !(offloads & ~(command->features & VIRTIO_NET_OFFLOADS)) &&
           command->control->ops->offloads_set(command->control, offloads);
}

/* --- one command --- */

#define SWITCH(command_, feature_, member_)                                                        \
    {                                                                                              \
        .class = VIRTIO_NET_CTRL_RX, .command = (command_), .feature = (feature_), .length = 1,    \
        .offset = offsetof(VirtioNetControl, member_)                                              \
    }

/* Virtio 1.2, 5.1.6.5. */
static const CommandKind kinds[] = {
    SWITCH(VIRTIO_NET_CTRL_RX_PROMISC, VIRTIO_NET_F_CTRL_RX, promiscuous),
    SWITCH(VIRTIO_NET_CTRL_RX_ALLMULTI, VIRTIO_NET_F_CTRL_RX, all_multicast),
    SWITCH(VIRTIO_NET_CTRL_RX_ALLUNI, VIRTIO_NET_F_CTRL_RX_EXTRA, all_unicast),
    SWITCH(VIRTIO_NET_CTRL_RX_NOMULTI, VIRTIO_NET_F_CTRL_RX_EXTRA, no_multicast),
    SWITCH(VIRTIO_NET_CTRL_RX_NOUNI, VIRTIO_NET_F_CTRL_RX_EXTRA, no_unicast),
    SWITCH(VIRTIO_NET_CTRL_RX_NOBCAST, VIRTIO_NET_F_CTRL_RX_EXTRA, no_broadcast),
    {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, VIRTIO_NET_F_CTRL_RX, LENGTH_ANY,
     set_tables, 0},
    {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, VIRTIO_NET_F_CTRL_MAC_ADDR, NET_MAC_SIZE,
     set_address, 0},
    {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, VIRTIO_NET_F_CTRL_VLAN, 2, add_vlan, 0},
    {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, VIRTIO_NET_F_CTRL_VLAN, 2, remove_vlan, 0},
    {VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, VIRTIO_NET_F_GUEST_ANNOUNCE, 0,
     acknowledge, 0},
    {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, VIRTIO_NET_F_MQ, 2, set_pairs, 0},
    {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
     VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, 8, set_offloads, 0},
};

static const CommandKind *find_kind(const struct virtio_net_ctrl_hdr *header)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (kinds[i].class == header->class && kinds[i].command == header->cmd) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* What a driver may receive: an event tells management of these. */
static gboolean changes_filter(uint8_t class)
{
    return class == VIRTIO_NET_CTRL_RX || class == VIRTIO_NET_CTRL_MAC ||
           class == VIRTIO_NET_CTRL_VLAN;
}

static gboolean carry_out(Command *command, const CommandKind *kind)
{
    uint64_t length = command->element->readable_size - HEADER_SIZE;

    if (kind->length != LENGTH_ANY &&
        (length != kind->length || !read_at(command, 0, command->bytes, length))) {
        return FALSE;
    }
    if (kind->run) {
        return kind->run(command);
    }
    if (command->bytes[0] > 1) {
        return FALSE;
    }
    *(gboolean *)((char *)command->control + kind->offset) = command->bytes[0];
    return TRUE;
}

gboolean virtio_net_control_run(VirtioNetControl *control, uint64_t features,
                                const VirtqueueElement *element, GError **error)
{
    Command command = {.control = control, .element = element, .features = features};
    struct virtio_net_ctrl_hdr header;
    virtio_net_ctrl_ack answer = VIRTIO_NET_ERR;
    const CommandKind *kind;

    if (element->writable_size < sizeof(answer) ||
        !virtqueue_read(element, 0, &header, sizeof(header))) {
        vm_error_set(error,
                     "a control command of %" G_GUINT64_FORMAT " bytes with %" G_GUINT64_FORMAT
                     " for the answer; at least 2 and 1 are needed, in RAM",
                     (guint64)element->readable_size, (guint64)element->writable_size);
        return FALSE;
    }
    kind = find_kind(&header);
    if (kind && (features >> kind->feature & 1) && carry_out(&command, kind)) {
        answer = VIRTIO_NET_OK;
        if (changes_filter(header.class)) {
            control->ops->filter_changed(control);
        }
    }
    if (!virtqueue_write(element, 0, &answer, sizeof(answer))) {
        vm_error_set(error, "the place for the answer to a control command is not in RAM");
        return FALSE;
    }
    return TRUE;
}

/* --- life --- */

void virtio_net_control_init(VirtioNetControl *control, const VirtioNetControlOps *ops)
{
    memset(control, 0, sizeof(*control));
    control->ops = ops;
    control->pairs_maximum = 1;
    table_init(&control->unicast);
    table_init(&control->multicast);
    virtio_net_control_reset(control);
}

void virtio_net_control_clear(VirtioNetControl *control)
{
    table_clear(&control->unicast);
    table_clear(&control->multicast);
}

void virtio_net_control_reset(VirtioNetControl *control)
{
    control->promiscuous = TRUE;
    control->all_multicast = FALSE;
    control->all_unicast = FALSE;
    control->no_multicast = FALSE;
    control->no_unicast = FALSE;
    control->no_broadcast = FALSE;
    g_array_set_size(control->unicast.entries, 0);
    g_array_set_size(control->multicast.entries, 0);
    control->unicast.overflow = control->multicast.overflow = FALSE;
    memset(control->vlans, 0, sizeof(control->vlans));
}

/* --- what management sees --- */

static json_object *table_to_json(const VirtioNetTable *table)
{
    json_object *list = json_object_new_array();

    for (guint i = 0; i < table->entries->len; i++) {
        const uint8_t *mac = (const uint8_t *)table->entries->data + i * NET_MAC_SIZE;
        g_autofree char *text = net_mac_text(mac);

        json_object_array_add(list, json_object_new_string(text));
    }
    return list;
}

static json_object *vlans_to_json(const VirtioNetControl *control)
{
    json_object *list = json_object_new_array();

    for (unsigned vlan = 0; vlan < VIRTIO_NET_VLANS; vlan++) {
        if (control->vlans[vlan / 8] >> vlan % 8 & 1) {
            json_object_array_add(list, json_object_new_int((int)vlan));
        }
    }
    return list;
}

static const char *state(gboolean all, gboolean none)
{
    return all ? "all" : none ? "none" : "normal";
}

json_object *virtio_net_control_filter(const VirtioNetControl *control, uint64_t features)
{
    json_object *info = json_object_new_object();
    json_object *vlans = vlans_to_json(control);
    gboolean all_vlans = !(features >> VIRTIO_NET_F_CTRL_VLAN & 1);

    json_add_bool(info, "promiscuous", control->promiscuous);
    json_add_string(info, "multicast",
                    state(control->promiscuous || control->all_multicast, control->no_multicast));
    json_add_string(info, "unicast",
                    state(control->promiscuous || control->all_unicast, control->no_unicast));
    json_add_string(info, "vlan", state(all_vlans, json_object_array_length(vlans) == 0));
    json_add_bool(info, "broadcast-allowed", !control->no_broadcast);
    json_add_bool(info, "multicast-overflow", control->multicast.overflow);
    json_add_bool(info, "unicast-overflow", control->unicast.overflow);
    json_object_object_add(info, "vlan-table", vlans);
    json_object_object_add(info, "unicast-table", table_to_json(&control->unicast));
    json_object_object_add(info, "multicast-table", table_to_json(&control->multicast));
    return info;
}
