/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of setup share; private to them. */
#ifndef SYSTEM_SETUP_INTERNAL_H
#define SYSTEM_SETUP_INTERNAL_H

#include "system/command-line.h"
#include "util/json.h"

#include <string.h>

/* Every option called @wanted, in the order given. */
#define FOR_EACH_ITEM(items, item, wanted)                                                         \
    for (const CommandLineItem *item = (const CommandLineItem *)(items)->data,                     \
                               *end_of_items = item + (items)->len;                                \
         item < end_of_items; item++)                                                              \
        if (!strcmp(item->option->name, wanted))

/* Calls @apply with the value of each option called @name; stops at the first error. */
typedef gboolean SetupFunction(const char *value, GError **error);
gboolean setup_each(const GArray *items, const char *name, SetupFunction *apply, GError **error);

/* options_parse() of the @value of -@option; errors name both. */
json_object *setup_parse(const char *option, const char *value, const char *implied_key,
                         GError **error);

/* -msg, -D, -trace, -d; when the guest has its name. */
gboolean setup_messages(const GArray *items, GError **error);

/* -sandbox; before there are threads. */
gboolean setup_sandbox(const GArray *items, GError **error);

/* The rest of it, which would have forbidden the change of user or root. */
gboolean setup_sandbox_complete(GError **error);

/* Name, messages, identity, inherited descriptors, defaults of properties. */
gboolean setup_process(const GArray *items, GError **error);

/* -run-with exit-with-parent=on; again when the user has changed, since the kernel forgets it then
 * (prctl(2), PR_SET_PDEATHSIG). */
gboolean setup_follow_parent(const GArray *items, GError **error);

/*
 * -runas and -chroot are looked up first and done last.  setup_take_privileges() takes the keys
 * that -run-with has for them out of @options, setup_privileges_change() says whether one is there.
 */
gboolean setup_take_privileges(json_object *options, GError **error);
gboolean setup_privileges(const GArray *items, GError **error);
gboolean setup_privileges_change(void);
void setup_privileges_clear(void);

/* -smp, -cpu, -action, -no-reboot, -no-shutdown. */
gboolean setup_cpus(const GArray *items, GError **error);

/* -overcommit; before there are threads and guest memory. */
gboolean setup_overcommit(const GArray *items, GError **error);

/* -boot, -smbios, -fw_cfg; when there is a machine object. */
gboolean setup_firmware(const GArray *items, GError **error);

/* -rtc. */
gboolean setup_clock(const GArray *items, GError **error);

/*
 * The options that -set may change before they are used: chardev, netdev, object, device.
 * setup_groups() reads them all and applies -set.
 */
typedef struct SetupEntry {
    const char *text; /* as it was given, for messages; borrowed */
    json_object *options;
    gboolean made; /* the object is there, its options are used up */
} SetupEntry;
gboolean setup_groups(const GArray *items, GError **error);
const GArray *setup_group(const char *name); /* of SetupEntry */
void setup_groups_clear(void);

/*
 * What -nographic adds where the user named nothing else: the chardev of the first serial port
 * (NULL: none), and whether there is to be a human monitor on standard input and output alone.
 */
const char *setup_default_serial(const GArray *items);
gboolean setup_default_monitor(const GArray *items);

/* -machine, -M, -accel, -m, -numa: makes the machine object; RAM comes with machine_build(). */
gboolean setup_machine_object(const GArray *items, GError **error);

#endif
