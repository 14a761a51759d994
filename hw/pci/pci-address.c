/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How users write the address of a PCI device: slot and function in hexadecimal. */
#include "hw/pci/pci.h"
#include "util/error.h"

#include <string.h>

/* Takes one or two hexadecimal digits, "0x" before them or not; -1 if there are none. */
static int take_number(const char **text, gboolean prefix)
{
    int value = -1;

    if (prefix && (g_str_has_prefix(*text, "0x") || g_str_has_prefix(*text, "0X"))) {
        *text += 2;
    }
    for (unsigned digits = 0; digits < 2 && g_ascii_isxdigit(**text); digits++, (*text)++) {
        value = MAX(value, 0) * 16 + g_ascii_xdigit_value(**text);
    }
    return value;
}

gboolean pci_address_parse(const char *text, uint8_t *devfn, GError **error)
{
    const char *rest = text;
    int slot = take_number(&rest, TRUE);
    int function = 0;

    if (slot >= 0 && *rest == '.') {
        rest++;
        function = take_number(&rest, FALSE);
    }
    if (slot < 0 || function < 0 || *rest != '\0') {
        vm_error_set(error,
                     "addr '%s' is not a PCI address; it is SLOT or SLOT.FUNCTION in hexadecimal, "
                     "such as 4, 04.0 or 0x1f.7",
                     text);
        return FALSE;
    }
    if (slot >= PCI_SLOT_COUNT) {
        vm_error_set(error, "addr '%s': slot 0x%x does not exist; slots are 0 to 1f (hexadecimal)",
                     text, slot);
        return FALSE;
    }
    if (function > 7) {
        vm_error_set(error, "addr '%s': function 0x%x does not exist; functions are 0 to 7", text,
                     function);
        return FALSE;
    }
    *devfn = PCI_DEVFN(slot, function);
    return TRUE;
}
