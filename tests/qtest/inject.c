/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A system call in another process's name, by ptrace(2). */
#include "qtest/inject.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define SYSCALL_INSTRUCTION 0x050fu /* two bytes, little-endian */

static gboolean fail(GError **error, const char *what)
{
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s: %s", what, g_strerror(errno));
    return FALSE;
}

/* @registers are those of a thread that was stopped right behind a syscall instruction. */
static gboolean call(pid_t pid, const struct user_regs_struct *registers, long number,
                     const unsigned long arguments[6], long *result, GError **error)
{
    struct user_regs_struct changed = *registers;
    int status;

    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, registers->rip - 2, NULL);
    if (errno || (word & 0xffff) != SYSCALL_INSTRUCTION) {
        return fail(error, "the process does not wait in a system call");
    }
    changed.rip -= 2;
    changed.rax = (unsigned long)number;
    changed.orig_rax = (unsigned long)-1; /* nothing to restart */
    changed.rdi = arguments[0];
    changed.rsi = arguments[1];
    changed.rdx = arguments[2];
    changed.r10 = arguments[3];
    changed.r8 = arguments[4];
    changed.r9 = arguments[5];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &changed) < 0 ||
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid ||
        !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, pid, NULL, &changed) < 0) {
        return fail(error, "system call");
    }
    *result = (long)changed.rax;
    return TRUE;
}

gboolean inject_call(pid_t pid, long number, const unsigned long arguments[6], long *result,
                     GError **error)
{
    struct user_regs_struct registers;
    int status;

    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0) {
        return fail(error, "ptrace");
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0) {
        return fail(error, "the process cannot be stopped");
    }
    gboolean good = call(pid, &registers, number, arguments, result, error);
    /* The kernel begins an interrupted wait again, as it would have without us. */
    ptrace(PTRACE_SETREGS, pid, NULL, &registers);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return good;
}
