/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtual machine's name and UUID, as the user gave them. */
#include "system/identity.h"

#include "util/error.h"

static char *machine_name;
static char *machine_uuid;

void identity_set_name(const char *name)
{
    g_free(machine_name);
    machine_name = g_strdup(name);
}

const char *identity_name(void)
{
    return machine_name;
}

gboolean identity_set_uuid(const char *text, GError **error)
{
    if (!g_uuid_string_is_valid(text)) {
        vm_error_set(error,
                     "-uuid '%s': not a UUID; one looks like "
                     "550e8400-e29b-41d4-a716-446655440000",
                     text);
        return FALSE;
    }
    g_free(machine_uuid);
    machine_uuid = g_ascii_strdown(text, -1);
    return TRUE;
}

const char *identity_uuid(void)
{
    return machine_uuid ? machine_uuid : "00000000-0000-0000-0000-000000000000";
}
