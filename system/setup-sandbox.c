/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -sandbox: system calls that fail with EPERM from the start on, in all threads.  The program has
 * no use for any of them; somebody who took it over might (seccomp(2)).
 */
#include "setup-internal.h"

#include "util/error.h"
#include "util/options.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>

/* What steers the host, whatever else is allowed. */
static const int host_calls[] = {
    SCMP_SYS(reboot),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(quotactl),
    SCMP_SYS(acct),
    SCMP_SYS(syslog),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(vhangup),
    SCMP_SYS(ioperm),
    SCMP_SYS(iopl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(ptrace),
    SCMP_SYS(bpf),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
};
static const int obsolete_calls[] = {
    SCMP_SYS(uselib),
    SCMP_SYS(ustat),
    SCMP_SYS(sysfs),
    SCMP_SYS(_sysctl),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(create_module),
    SCMP_SYS(nfsservctl),
    SCMP_SYS(query_module),
    SCMP_SYS(get_kernel_syms),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(remap_file_pages),
};
static const int privilege_calls[] = {
    SCMP_SYS(setuid),    SCMP_SYS(setgid),    SCMP_SYS(setreuid), SCMP_SYS(setregid),
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups), SCMP_SYS(capset),    SCMP_SYS(chroot),   SCMP_SYS(setsid),
};
static const int spawn_calls[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve),
                                  SCMP_SYS(execveat)};
static const int resource_calls[] = {
    SCMP_SYS(setpriority),       SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setattr),  SCMP_SYS(ioprio_set),
    SCMP_SYS(setrlimit),         SCMP_SYS(migrate_pages),
};

/* Keys of -sandbox; host_calls come with it. */
typedef struct Group {
    const char *key;
    gboolean denied; /* without the key */
    const int *calls;
    gsize count;
} Group;

enum { OBSOLETE, PRIVILEGES, SPAWN, RESOURCES, GROUPS };

static const Group groups[GROUPS] = {
    [OBSOLETE] = {"obsolete", TRUE, obsolete_calls, G_N_ELEMENTS(obsolete_calls)},
    [PRIVILEGES] = {"elevateprivileges", FALSE, privilege_calls, G_N_ELEMENTS(privilege_calls)},
    [SPAWN] = {"spawn", FALSE, spawn_calls, G_N_ELEMENTS(spawn_calls)},
    [RESOURCES] = {"resourcecontrol", FALSE, resource_calls, G_N_ELEMENTS(resource_calls)},
};

static int deny(scmp_filter_ctx filter, const int *calls, gsize count)
{
    int result = 0;

    for (gsize i = 0; i < count && !result; i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    }
    return result;
}

/* Threads are wanted, processes are not.  The flags of clone3() lie in memory, where no filter
 * sees them: without it the C library takes clone(). */
static int deny_processes(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    return result ? result
                  : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/* getrlimit(3) is this call too, without new limits. */
static int deny_limits(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
                            SCMP_A2(SCMP_CMP_NE, 0, 0));
}

static gboolean install(const gboolean denied[GROUPS], GError **error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

    if (!result) {
        result = deny(filter, host_calls, G_N_ELEMENTS(host_calls));
    }
    for (guint i = 0; i < GROUPS && !result; i++) {
        result = denied[i] ? deny(filter, groups[i].calls, groups[i].count) : 0;
    }
    if (!result && denied[SPAWN]) {
        result = deny_processes(filter);
    }
    if (!result && denied[RESOURCES]) {
        result = deny_limits(filter);
    }
    if (!result) {
        result = seccomp_load(filter);
    }
    if (filter) {
        seccomp_release(filter);
    }
    if (result) {
        vm_error_set_errno(error, -result, "-sandbox on: the filter cannot be installed");
    }
    return !result;
}

/* elevateprivileges=deny has to wait for -runas or -chroot. */
static gboolean privileges_are_left;

static gboolean take_group(json_object *options, const Group *group, gboolean *denied,
                           GError **error)
{
    g_autofree char *word = options_take(options, group->key);

    *denied = word ? !strcmp(word, "deny") : group->denied;
    if (word && !*denied && strcmp(word, "allow") != 0) {
        vm_error_set(error, "-sandbox %s=%s: expected allow or deny", group->key, word);
        return FALSE;
    }
    return TRUE;
}

static gboolean apply_sandbox(const char *value, GError **error)
{
    g_autoptr(json_object) options = setup_parse("sandbox", value, "enable", error);
    gboolean denied[GROUPS];
    gboolean enable = FALSE;

    if (!options || !options_take_bool(options, "-sandbox", "enable", &enable, error)) {
        return FALSE;
    }
    for (guint i = 0; i < GROUPS; i++) {
        if (!take_group(options, &groups[i], &denied[i], error)) {
            return FALSE;
        }
    }
    if (!options_check_empty(options, "-sandbox",
                             "enable, obsolete, elevateprivileges, spawn, resourcecontrol",
                             error)) {
        return FALSE;
    }
    if (enable && denied[PRIVILEGES] && setup_privileges_change()) {
        denied[PRIVILEGES] = FALSE;
        privileges_are_left = TRUE;
    }
    return !enable || install(denied, error);
}

gboolean setup_sandbox_complete(GError **error)
{
    const gboolean denied[GROUPS] = {[PRIVILEGES] = TRUE};

    return !privileges_are_left || install(denied, error);
}

gboolean setup_sandbox(const GArray *items, GError **error)
{
    return setup_each(items, "sandbox", apply_sandbox, error);
}
