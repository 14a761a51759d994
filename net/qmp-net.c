/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: network back-ends come and go, links go up and down, and what cards let in. */
#include "monitor/qmp.h"
#include "net-internal.h"

/* --- back-ends --- */

static json_object *run_netdev_add(json_object *arguments, GError **error)
{
    g_autoptr(json_object) options = json_object_new_object();

    /* netdev_create() takes members out; the arguments stay the monitor's. */
    json_object_object_foreach(arguments, name, value)
    {
        json_object_object_add(options, name, json_object_get(value));
    }
    netdev_create(options, error);
    return NULL;
}

static json_object *run_netdev_del(json_object *arguments, GError **error)
{
    netdev_remove(qmp_string(arguments, "id"), error);
    return NULL;
}

/* --- links --- */

static json_object *run_set_link(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "name");
    gboolean down = !qmp_bool(arguments, "up", TRUE);
    NetCard *card = net_card_find(name);
    Netdev *netdev = card ? NULL : (Netdev *)vm_object_find(NETDEV_CONTAINER, name);
    gboolean before;

    if (!card && !netdev) {
        g_set_error(error, VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", name);
        return NULL;
    }
    if (netdev && !netdev->card) {
        netdev->down = down;
        return NULL;
    }
    card = card ? card : netdev->card;
    before = net_card_link_is_up(card);
    *(netdev ? &netdev->down : &card->down) = down;
    if (net_card_link_is_up(card) != before) {
        card->link_changed(card);
    }
    return NULL;
}

/* --- filters --- */

static json_object *filter_of(NetCard *card)
{
    json_object *info = card->rx_filter(card);
    g_autofree char *mac = net_mac_text(card->mac);

    json_add_string(info, "name", card->name);
    json_add_string(info, "main-mac", mac);
    card->filter_silent = FALSE;
    return info;
}

static void add_filter(NetCard *card, gpointer list)
{
    json_object_array_add(list, filter_of(card));
}

static json_object *query_rx_filter(json_object *arguments, GError **error)
{
    const char *name = qmp_string(arguments, "name");
    NetCard *card = name ? net_card_find(name) : NULL;
    json_object *list;

    if (name && !card) {
        vm_error_set(error, "query-rx-filter: there is no network card '%s'", name);
        return NULL;
    }
    list = json_object_new_array();
    if (card) {
        add_filter(card, list);
    } else {
        net_card_foreach(add_filter, list);
    }
    return list;
}

/* --- text --- */

static void describe_netdev(const Netdev *netdev, const char *before, GString *text)
{
    g_autofree char *socket = chardev_filename(netdev->chardev);

    g_string_append_printf(text,
                           "%s%s: index=0,type=vhost-user,chardev=%s,queues=%u (%s, link %s)\n",
                           before, VM_OBJECT((gpointer)netdev)->id, VM_OBJECT(netdev->chardev)->id,
                           netdev->queues, socket, netdev->down ? "down" : "up");
}

static void describe_card(NetCard *card, gpointer text)
{
    g_autofree char *mac = net_mac_text(card->mac);

    g_string_append_printf(text, "%s: index=0,type=nic,model=%s,macaddr=%s (link %s)\n", card->name,
                           card->model, mac, net_card_link_is_up(card) ? "up" : "down");
    describe_netdev(card->netdev, " \\ ", text);
}

static void describe_free(VmObject *object, gpointer text)
{
    if (!NETDEV(object)->card) {
        describe_netdev(NETDEV(object), "", text);
    }
}

static json_object *query_network(json_object *arguments G_GNUC_UNUSED,
                                  GError **error G_GNUC_UNUSED)
{
    g_autoptr(GString) text = g_string_new(NULL);
    json_object *answer = json_object_new_object();

    net_card_foreach(describe_card, text);
    vm_object_foreach_child(vm_object_container(NETDEV_CONTAINER), describe_free, text);
    json_add_string(answer, "human-readable-text", text->str);
    return answer;
}

/* --- tables --- */

static const QmpCommand commands[] = {
    {.name = "netdev_add",
     .arguments = "type:NetClientDriver, id:str, **",
     .argument_type = "Netdev",
     .doc = "Adds a network back-end for a network card to come.  The one type that works is "
            "vhost-user.",
     .run = run_netdev_add},
    {.name = "netdev_del",
     .arguments = "id:str",
     .doc = "Removes a network back-end that no network card uses.",
     .run = run_netdev_del},
    {.name = "set_link",
     .arguments = "name:str, up:bool",
     .doc = "Plugs the cable of a network card in or pulls it out; named by the card or by its "
            "back-end.  Packets stop with the link, and the driver is told.",
     .run = run_set_link},
    {.name = "query-rx-filter",
     .arguments = "*name:str",
     .returns = "[RxFilterInfo]",
     .doc = "What the driver of each network card, or of one, wants to receive.  Allows the next "
            "NIC_RX_FILTER_CHANGED of it.",
     .run = query_rx_filter},
    {.name = "x-query-network",
     .returns = "HumanReadableText",
     .doc = "The network cards and back-ends, for people.",
     .run = query_network},
    {.name = NULL},
};

static const QmpEvent events[] = {
    {"NIC_RX_FILTER_CHANGED", "*name:str, path:str",
     "The driver changed what a network card lets in.  Sent once, and again only after "
     "query-rx-filter was asked about that card."},
    {"NETDEV_VHOST_USER_CONNECTED", "netdev-id:str, chardev-id:str",
     "The network card of a vhost-user network back-end has a session with it."},
    {"NETDEV_VHOST_USER_DISCONNECTED", "netdev-id:str",
     "A vhost-user network back-end is gone; the link is down."},
    {.name = NULL},
};

static const QmpType types[] = {
    {.name = "NetClientDriver",
     .kind = QMP_ENUM,
     .members = "af-xdp, bridge, dgram, hubport, l2tpv3, netmap, nic, none, passt, socket, stream, "
                "tap, user, vde, vhost-user, vhost-vdpa",
     .doc = "Types of network back-ends; all but vhost-user are refused."},
    {.name = "NetdevVhostUserOptions",
     .kind = QMP_OBJECT,
     .members = "chardev:str, *vhostforce:bool, *queues:int",
     .doc = "A back-end on the socket of a chardev, and how many pairs of queues it has."},
    {.name = "Netdev",
     .kind = QMP_UNION,
     .members = "id:str, type:NetClientDriver | type | vhost-user=NetdevVhostUserOptions",
     .doc = "A network back-end."},
    {.name = "RxState",
     .kind = QMP_ENUM,
     .members = "normal, none, all",
     .doc = "Whether packets are let in by the table, not at all, or all of them."},
    {.name = "RxFilterInfo",
     .kind = QMP_OBJECT,
     .members = "name:str, promiscuous:bool, multicast:RxState, unicast:RxState, vlan:RxState, "
                "broadcast-allowed:bool, multicast-overflow:bool, unicast-overflow:bool, "
                "main-mac:str, vlan-table:[int], unicast-table:[str], multicast-table:[str]",
     .doc = "What the driver of a network card wants to receive.  An overflow says that it gave "
            "more addresses than the table takes."},
    {.name = "HumanReadableText",
     .kind = QMP_OBJECT,
     .members = "human-readable-text:str",
     .doc = "Text for people."},
    {.name = NULL},
};

QMP_REGISTER(commands, events, types);
