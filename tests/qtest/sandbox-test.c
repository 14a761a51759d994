/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -sandbox: a machine works within it, and what it forbids fails for somebody who took it over. */
#include "qtest/inject.h"
#include "qtest/rig.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#define ALL "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

/* System calls that change nothing where they are allowed: their arguments are wrong. */
static const struct {
    const char *name;
    long number;
    unsigned long arguments[6];
    const char *group; /* the key that forbids it, NULL: none is needed */
} calls[] = {
    {"swapoff", SYS_swapoff, {0}, NULL},
    {"finit_module", SYS_finit_module, {(unsigned long)-1}, NULL},
    {"ptrace", SYS_ptrace, {(unsigned long)-1, 0}, NULL},
    {"uselib", SYS_uselib, {0}, "obsolete"},
    {"setfsuid", SYS_setfsuid, {(unsigned long)-1}, "elevateprivileges"},
    {"execve", SYS_execve, {0}, "spawn"},
    {"clone", SYS_clone, {CLONE_SIGHAND}, "spawn"}, /* without CLONE_VM: EINVAL */
    {"setpriority", SYS_setpriority, {100, 0, 0}, "resourcecontrol"},
    {"prlimit64", SYS_prlimit64, {0, 100, 1, 0}, "resourcecontrol"},
};

static Vmm *start(const char *sandbox)
{
    return vmm_start_or_fail(NULL, "-M pc -m 64M,slots=2,maxmem=2G -sandbox %s", sandbox);
}

/* FALSE: no process may be traced here. */
static gboolean try_calls(Vmm *vmm, const char *allowed)
{
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        gboolean forbidden = !calls[i].group || g_strcmp0(calls[i].group, allowed) != 0;
        g_autoptr(GError) error = NULL;
        long result;

        if (!inject_call(vmm->pid, calls[i].number, calls[i].arguments, &result, &error)) {
            g_test_skip(error->message);
            return FALSE;
        }
        if (forbidden ? result != -EPERM : result == -EPERM) {
            vmm_fail("%s, %s allowed: %ld", calls[i].name, allowed ? allowed : "nothing", result);
        }
    }
    return TRUE;
}

static void test_all(void)
{
    Vmm *vmm = start(ALL);
    static const unsigned long none[6];
    g_autoptr(GError) error = NULL;
    long result;

    try_calls(vmm, NULL);
    if (inject_call(vmm->pid, SYS_clone3, none, &result, &error)) {
        g_assert_cmpint(result, ==, -ENOSYS);
    }
    vmm_end(vmm);
}

/* Each group but one. */
static void test_groups(void)
{
    static const char *const groups[] = {"obsolete", "elevateprivileges", "spawn",
                                         "resourcecontrol"};

    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_autoptr(GString) sandbox = g_string_new("on");
        for (guint j = 0; j < G_N_ELEMENTS(groups); j++) {
            g_string_append_printf(sandbox, ",%s=%s", groups[j], i == j ? "allow" : "deny");
        }
        Vmm *vmm = start(sandbox->str);
        gboolean traced = try_calls(vmm, groups[i]);
        vmm_end(vmm);
        if (!traced) {
            return;
        }
    }
}

/* What a machine does in its life, threads of vhost-user devices among it. */
static void test_life(void)
{
    const RigOptions options = {.arguments = "-sandbox " ALL};
    Rig *rig = rig_start(NULL, &options);

    rig_boot(rig, NULL);
    rig_plug(rig, 0);
    rig_check_data(rig, 0, rig_dimm_address(rig, 0));
    rig_unplug(rig, 0);
    json_object_put(qmp_command_or_fail(rig->qmp, "{'execute':'system_reset'}"));
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'chardev-add','arguments':{'id':'p','backend':{'type':'pty',"
                  "'data':{}}}}"));
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'human-monitor-command','arguments':{'command-line':"
                  "'info status'}}"));
    rig_end(rig);
}

int main(int argc, char **argv)
{
    /* The leak checker at the end of a sanitized program starts a thread that is none of its own.
     */
    g_autofree char *options = g_strconcat(g_getenv("ASAN_OPTIONS") ? g_getenv("ASAN_OPTIONS") : "",
                                           ":detect_leaks=0", NULL);

    g_setenv("ASAN_OPTIONS", options, TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sandbox/all", test_all);
    g_test_add_func("/sandbox/groups", test_groups);
    g_test_add_func("/sandbox/life", test_life);
    return g_test_run();
}
