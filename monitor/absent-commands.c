/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that managers know and this program has not: why not, in place of a word that nobody
 * has heard of them.
 */
#include "qmp-internal.h"

#include <string.h>

#define MIGRATION "migration comes in a later version"

/* By their names in QMP and, where they have another one, in the human monitor. */
static const struct {
    const char *name, *reason;
} absent[] = {
    {"migrate", MIGRATION},
    {"migrate-incoming", MIGRATION},
    {"migrate_incoming", MIGRATION},
    {"migrate_cancel", MIGRATION},
    {"migrate-continue", MIGRATION},
    {"migrate_continue", MIGRATION},
    {"migrate-pause", MIGRATION},
    {"migrate_pause", MIGRATION},
    {"migrate-recover", MIGRATION},
    {"migrate_recover", MIGRATION},
    {"migrate-start-postcopy", MIGRATION},
    {"migrate_start_postcopy", MIGRATION},
    {"migrate-set-capabilities", MIGRATION},
    {"migrate_set_capability", MIGRATION},
    {"migrate-set-parameters", MIGRATION},
    {"migrate_set_parameter", MIGRATION},
    {"migrate_set_speed", MIGRATION},
    {"migrate_set_downtime", MIGRATION},
    {"migrate-set-cache-size", MIGRATION},
    {"query-migrate", MIGRATION},
    {"query-migrate-capabilities", MIGRATION},
    {"query-migrate-parameters", MIGRATION},
    {"query-migrate-cache-size", MIGRATION},
    {"info migrate", MIGRATION},
    {"info migrate_capabilities", MIGRATION},
    {"info migrate_parameters", MIGRATION},
    {"client_migrate_info", MIGRATION},
    {"announce-self", MIGRATION},
    {"announce_self", MIGRATION},
    {"x-colo-lost-heartbeat", MIGRATION},
    {"query-colo-status", MIGRATION},
    {"x-checkpoint-delay", MIGRATION},
    {"xen-save-devices-state", MIGRATION},
    {"xen-load-devices-state", MIGRATION},
    {"snapshot-save", MIGRATION},
    {"snapshot-load", MIGRATION},
    {"snapshot-delete", MIGRATION},
    {"savevm", MIGRATION},
    {"loadvm", MIGRATION},
    {"delvm", MIGRATION},
    {"info snapshots", MIGRATION},
};

const char *monitor_absent_reason(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (strcmp(absent[i].name, name) == 0) {
            return absent[i].reason;
        }
    }
    return NULL;
}
