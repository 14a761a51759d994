/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -overcommit mem-lock: what is locked, also of memory that comes later, and where the limit is. */
#include "qtest/forbid.h"
#include "qtest/process.h"
#include "qtest/rig.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define RAM 64
#define DIMM 128

/* A number of /proc/PID/status in KiB, as bytes. */
static uint64_t status_bytes(const Vmm *vmm, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", vmm->pid);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    const char *line = strstr(text, name);
    g_assert_nonnull(line);
    return strtoull(line + strlen(name), NULL, 10) * 1024;
}

static uint64_t locked(const Vmm *vmm)
{
    return status_bytes(vmm, "VmLck:");
}

static uint64_t shared_resident(const Vmm *vmm)
{
    return status_bytes(vmm, "RssShmem:");
}

/* NULL, and the test is skipped, where this host lets nobody lock that much. */
static Vmm *start(const char *how)
{
    g_autoptr(GError) error = NULL;
    Vmm *vmm = vmm_start(NULL, &error,
                         "-M pc,memory-backend=r -object memory-backend-memfd,id=r,size=%dM "
                         "-m %dM,slots=2,maxmem=16G -overcommit %s",
                         RAM, RAM, how);

    if (!vmm) {
        g_assert_nonnull(strstr(error->message, "-overcommit mem-lock="));
        g_assert_nonnull(strstr(error->message, "ulimit -l"));
        g_test_skip("this user may not lock enough memory");
    }
    return vmm;
}

static void add_memory(Vmm *vmm, const char *id, guint megabytes)
{
    json_object_put(qmp_command_or_fail(
        vmm->qmp,
        "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'%s',"
        "'size':%" G_GUINT64_FORMAT "}}",
        id, megabytes * MIB));
}

static void test_on(void)
{
    Vmm *vmm = start("mem-lock=on");

    if (vmm) {
        uint64_t before = locked(vmm);
        g_assert_cmpuint(before, >=, RAM * MIB);
        g_assert_cmpuint(shared_resident(vmm), >=, RAM * MIB);
        add_memory(vmm, "m", DIMM);
        g_assert_cmpuint(locked(vmm), >=, before + DIMM * MIB);
        g_assert_cmpuint(shared_resident(vmm), >=, (RAM + DIMM) * MIB);
        json_object_put(
            qmp_command_or_fail(vmm->qmp, "{'execute':'object-del','arguments':{'id':'m'}}"));
        g_assert_cmpuint(locked(vmm), <, before + DIMM * MIB);
        vmm_end(vmm);
    }
}

static void test_on_fault(void)
{
    Vmm *vmm = start("mem-lock=on-fault");

    if (vmm) {
        add_memory(vmm, "m", DIMM);
        g_assert_cmpuint(locked(vmm), >=, (RAM + DIMM) * MIB);
        g_assert_cmpuint(shared_resident(vmm), <, DIMM * MIB);
        vmm_end(vmm);
    }
}

static void test_off(void)
{
    Vmm *vmm = start("mem-lock=off,cpu-pm=off");

    g_assert_nonnull(vmm);
    g_assert_cmpuint(locked(vmm), ==, 0);
    vmm_end(vmm);
}

/* Memory that is too much is refused by name, and the machine goes on.  Such a limit is not every
 * user's to set: this host says that it is reached by 1 GiB (mmap(2), EAGAIN). */
static void test_hot_plug_limit(void)
{
    forbid_argument(SYS_mmap, 1, 1024 * MIB, EAGAIN);
    Vmm *vmm = vmm_start_or_fail(NULL, "-M pc -m 64M,slots=2,maxmem=16G");
    g_autofree char *message = qmp_command_refused(
        vmm->qmp, "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd',"
                  "'id':'m','size':1073741824}}");

    g_assert_nonnull(strstr(message, "'m'"));
    g_assert_nonnull(strstr(message, "limit of locked memory (ulimit -l)"));
    add_memory(vmm, "m", 2);
    vmm_end(vmm);
}

/* The last test: from here on this process and its children may lock no more than 1 MiB. */
static void test_limit(void)
{
    const struct rlimit limit = {MIB, MIB};
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(setrlimit(RLIMIT_MEMLOCK, &limit), ==, 0);
    prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0); /* it would know no limit */
    g_assert_null(vmm_start(NULL, &error, "-M pc -overcommit mem-lock=on"));
    g_assert_nonnull(strstr(error->message, "-overcommit mem-lock=on: memory cannot be locked"));
    g_assert_nonnull(strstr(error->message, "(ulimit -l) is 1024 KiB"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/overcommit/off", test_off);
    g_test_add_func("/overcommit/hot-plug-limit", test_hot_plug_limit);
    /* AddressSanitizer, whose shadow nobody could lock, lets mlockall(2) do nothing. */
    if (!process_is_sanitized(getpid())) {
        g_test_add_func("/overcommit/on", test_on);
        g_test_add_func("/overcommit/on-fault", test_on_fault);
        g_test_add_func("/overcommit/limit", test_limit);
    }
    return g_test_run();
}
