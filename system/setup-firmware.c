/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that are made for firmware: -smbios and -fw_cfg, which the machine serves without one,
 * and -boot, most of which needs one. */
#include "setup-internal.h"

#include "hw/core/machine.h"
#include "util/error.h"
#include "util/options.h"

#define NO_FIRMWARE "there is no firmware here; a guest starts with -kernel"

/* Every -@option as an element of an array; @lists: keys that may come several times. */
static gboolean collect(const GArray *items, const char *option, const char *implied_key,
                        const char *const *lists, json_object **all, GError **error)
{
    FOR_EACH_ITEM(items, item, option)
    {
        json_object *options = options_parse(item->value, implied_key, lists, error);
        if (!options) {
            g_prefix_error(error, "-%s %s: ", option, item->value);
            return FALSE;
        }
        if (!*all) {
            *all = json_object_new_array();
        }
        json_object_array_add(*all, options);
    }
    return TRUE;
}

/* --- -boot --- */

/* Letters of drives, each once: no drive is started from, so that their order changes nothing. */
static gboolean check_order(const char *key, const char *order, GError **error)
{
    for (const char *letter = order; *letter; letter++) {
        if (*letter < 'a' || *letter > 'p' || strchr(letter + 1, *letter)) {
            vm_error_set(error, "-boot %s=%s: expected letters from a to p, each once", key, order);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean apply_boot(const char *value, GError **error)
{
    static const char *const orders[] = {"order", "once"};
    static const char *const menus[] = {"menu", "splash", "splash-time", "reboot-timeout"};
    g_autoptr(json_object) options = setup_parse("boot", value, "order", error);
    gboolean strict = FALSE;
    gboolean menu = FALSE;

    if (!options || !options_take_bool(options, "-boot", "strict", &strict, error)) {
        return FALSE;
    }
    if (g_strcmp0(options_get(options, "menu"), "off") == 0 &&
        !options_take_bool(options, "-boot", "menu", &menu, error)) {
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_autofree char *order = options_take(options, orders[i]);
        if (order && !check_order(orders[i], order, error)) {
            return FALSE;
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(menus); i++) {
        if (options_get(options, menus[i])) {
            vm_error_set(error, "-boot %s=%s: " NO_FIRMWARE, menus[i],
                         options_get(options, menus[i]));
            return FALSE;
        }
    }
    return options_check_empty(options, "-boot", "order, once, menu, strict", error);
}

gboolean setup_firmware(const GArray *items, GError **error)
{
    static const char *const smbios_lists[] = {"value", NULL};
    Machine *machine = machine_current();

    return setup_each(items, "boot", apply_boot, error) &&
           collect(items, "smbios", NULL, smbios_lists, &machine->smbios, error) &&
           collect(items, "fw_cfg", "name", NULL, &machine->fw_cfg, error);
}
