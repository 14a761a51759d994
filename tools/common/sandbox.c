/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filter of system calls over all threads of the program. */
#include "tools/common/sandbox.h"

#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ANY(name)                                                                                  \
    {                                                                                              \
        SCMP_SYS(name), -1, 0, 0                                                                   \
    }
#define ONLY(name, argument, value)                                                                \
    {                                                                                              \
        SCMP_SYS(name), argument, UINT64_MAX, value                                                \
    }
#define NOT(name, argument, bits)                                                                  \
    {                                                                                              \
        SCMP_SYS(name), argument, bits, 0                                                          \
    }

/* By purpose. */
/* clang-format off */
static const SandboxCall common_calls[] = {
    /* the connection and what comes with it */
    ANY(accept4), ANY(recvmsg), ANY(sendmsg), ANY(recvfrom), ONLY(sendto, 4, 0),
    ANY(getsockopt), ANY(read), ANY(preadv2), ANY(write), ANY(writev), ANY(close), ANY(dup2),
    ANY(eventfd2), ANY(memfd_create), ANY(ftruncate), ANY(fstat),
    ONLY(newfstatat, 3, AT_EMPTY_PATH), /* fstat(2) of newer C libraries */
    ONLY(fcntl, 1, F_GETFL), ONLY(fcntl, 1, F_SETFL), ONLY(fcntl, 1, F_ADD_SEALS),
    /* waiting */
    ANY(poll), ANY(epoll_create1), ANY(epoll_ctl), ANY(epoll_wait),
    ANY(nanosleep), ANY(clock_nanosleep), ANY(clock_gettime), ANY(restart_syscall),
    /* memory, but never code */
    NOT(mmap, 2, PROT_EXEC), NOT(mprotect, 2, PROT_EXEC), ANY(munmap), ANY(mremap), ANY(madvise),
    ANY(brk),
    /* post-copy migration */
    ANY(userfaultfd), ONLY(ioctl, 1, UFFDIO_API), ONLY(ioctl, 1, UFFDIO_REGISTER),
    ONLY(ioctl, 1, UFFDIO_UNREGISTER),
    /* the first steps of threads that were started right before */
    ANY(rseq), ANY(set_robust_list), ANY(sched_getaffinity), ONLY(prctl, 0, PR_SET_NAME),
    /* threads among themselves, signals, the end */
    ANY(futex), ANY(sched_yield), ANY(rt_sigreturn), ANY(rt_sigaction),
    ANY(rt_sigprocmask), ANY(sigaltstack), ANY(getpid), ANY(gettid), ANY(getrandom),
    ANY(exit), ANY(exit_group),
};
/* clang-format on */
#undef ANY
#undef ONLY
#undef NOT

static int allow(scmp_filter_ctx filter, const SandboxCall *calls, gsize count)
{
    int result = 0;

    for (gsize i = 0; i < count && result == 0; i++) {
        gboolean any = calls[i].argument < 0;
        const struct scmp_arg_cmp compare = {.arg = any ? 0 : (unsigned)calls[i].argument,
                                             .op = SCMP_CMP_MASKED_EQ,
                                             .datum_a = calls[i].mask,
                                             .datum_b = calls[i].value};
        result =
            seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i].number, any ? 0 : 1, &compare);
    }
    return result;
}

gboolean sandbox_enter(const SandboxCall *calls, gsize count, GError **error)
{
    /* abort(3) and raise(3): signals to ourselves only */
    const SandboxCall own = {SCMP_SYS(tgkill), 0, UINT64_MAX, (uint64_t)getpid()};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? 0 : -ENOMEM;

    if (!result) {
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    }
    if (!result) {
        result = allow(filter, common_calls, G_N_ELEMENTS(common_calls));
    }
    if (!result) {
        result = allow(filter, &own, 1);
    }
    if (!result) {
        result = allow(filter, calls, count);
    }
    if (!result) {
        result = seccomp_load(filter);
    }
    if (filter) {
        seccomp_release(filter);
    }
    if (result) {
        vm_error_set_errno(error, -result, "--sandbox: the filter cannot be installed");
    }
    return result == 0;
}
