/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network cards: their names, MAC addresses and links. */
#include "monitor/qmp.h"
#include "net-internal.h"

#include <string.h>

static GQueue cards = G_QUEUE_INIT; /* of NetCard */

void net_card_foreach(void (*visit)(NetCard *card, gpointer opaque), gpointer opaque)
{
    for (GList *link = cards.head; link; link = link->next) {
        visit(link->data, opaque);
    }
}

NetCard *net_card_find(const char *name)
{
    for (GList *link = cards.head; link; link = link->next) {
        if (strcmp(((NetCard *)link->data)->name, name) == 0) {
            return link->data;
        }
    }
    return NULL;
}

/* --- MAC addresses --- */

char *net_mac_text(const uint8_t *mac)
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

/* Two digits for each byte and one kind of separator. */
static gboolean parse_bytes(const char *text, uint8_t *mac)
{
    if (strlen(text) != 3 * NET_MAC_SIZE - 1 || (text[2] != ':' && text[2] != '-')) {
        return FALSE;
    }
    for (guint i = 0; i < NET_MAC_SIZE; i++) {
        int high = g_ascii_xdigit_value(text[3 * i]);
        int low = g_ascii_xdigit_value(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i < NET_MAC_SIZE - 1 && text[3 * i + 2] != text[2])) {
            return FALSE;
        }
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return TRUE;
}

gboolean net_mac_parse(const char *text, uint8_t *mac, GError **error)
{
    static const uint8_t zero[NET_MAC_SIZE];

    if (!parse_bytes(text, mac)) {
        vm_error_set(error, "'%s' is no MAC address, expected one like 52:54:00:12:34:56", text);
        return FALSE;
    }
    if ((mac[0] & 1) || memcmp(mac, zero, sizeof(zero)) == 0) {
        vm_error_set(error,
                     "'%s' is no address of one station; the lowest bit of its first byte "
                     "must be 0, and not all bytes may be",
                     text);
        return FALSE;
    }
    return TRUE;
}

static gboolean mac_is_used(const uint8_t *mac)
{
    for (GList *link = cards.head; link; link = link->next) {
        if (memcmp(((NetCard *)link->data)->mac, mac, NET_MAC_SIZE) == 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static void choose_mac(uint8_t *mac)
{
    static const uint8_t prefix[] = {0x52, 0x54, 0x00};

    memcpy(mac, prefix, sizeof(prefix));
    for (uint32_t number = 0x123456;; number++) {
        mac[3] = (uint8_t)(number >> 16);
        mac[4] = (uint8_t)(number >> 8);
        mac[5] = (uint8_t)number;
        if (!mac_is_used(mac)) {
            return;
        }
    }
}

/* --- life --- */

static char *choose_name(const NetCard *card)
{
    if (card->device->id) {
        return g_strdup(card->device->id);
    }
    for (guint number = 0;; number++) {
        char *name = g_strdup_printf("%s.%u", card->model, number);

        if (!net_card_find(name)) {
            return name;
        }
        g_free(name);
    }
}

gboolean net_card_add(NetCard *card, GError **error)
{
    static const uint8_t zero[NET_MAC_SIZE];

    if (card->netdev->card) {
        vm_error_set(error, "netdev '%s' is already in use by device '%s'",
                     VM_OBJECT(card->netdev)->id, card->netdev->card->name);
        return FALSE;
    }
    if (memcmp(card->mac, zero, sizeof(zero)) == 0) {
        choose_mac(card->mac);
    }
    card->name = choose_name(card);
    card->link.data = card;
    card->netdev->card = card;
    g_queue_push_tail_link(&cards, &card->link);
    return TRUE;
}

void net_card_remove(NetCard *card)
{
    if (!card->name) {
        return;
    }
    g_queue_unlink(&cards, &card->link);
    netdev_set_connected(card->netdev, FALSE);
    card->netdev->card = NULL;
    g_clear_pointer(&card->name, g_free);
}

gboolean net_card_link_is_up(const NetCard *card)
{
    return !card->down && !card->netdev->down && card->netdev->connected;
}

void net_card_filter_changed(NetCard *card)
{
    json_object *data;
    g_autofree char *path = NULL;

    if (card->filter_silent) {
        return;
    }
    card->filter_silent = TRUE;
    data = json_object_new_object();
    path = vm_object_path(card->device);
    if (card->device->id) {
        json_add_string(data, "name", card->device->id);
    }
    json_add_string(data, "path", path ? path : "");
    qmp_event_send("NIC_RX_FILTER_CHANGED", data);
}
