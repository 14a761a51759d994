/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See stepper.h. */
#include "stepper.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100 /* of EFLAGS: a trap behind the next instruction */
#define PAGE 4096u

static Stepper *in_child; /* for the signal handlers */

static size_t round_up(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static uint8_t *state_at(const Stepper *stepper, unsigned state)
{
    return stepper->state_bytes + state * stepper->size;
}

static bool changed(const Stepper *stepper)
{
    const uint8_t *state = state_at(stepper, *stepper->states - 1);

    for (unsigned i = 0; i < stepper->count; i++) {
        if (memcmp(state, stepper->ranges[i].memory, stepper->ranges[i].size) != 0) {
            return true;
        }
        state += stepper->ranges[i].size;
    }
    return false;
}

static void keep(Stepper *stepper)
{
    uint8_t *state = state_at(stepper, *stepper->states);

    if (*stepper->states == STEPPER_STATES) {
        _exit(1);
    }
    for (unsigned i = 0; i < stepper->count; i++) {
        memcpy(state, stepper->ranges[i].memory, stepper->ranges[i].size);
        state += stepper->ranges[i].size;
    }
    (*stepper->states)++;
}

void stepper_restore(const Stepper *stepper, unsigned state)
{
    const uint8_t *from = state_at(stepper, state);

    for (unsigned i = 0; i < stepper->count; i++) {
        memcpy(stepper->ranges[i].memory, from, stepper->ranges[i].size);
        from += stepper->ranges[i].size;
    }
}

static void protect(const Stepper *stepper, int protection)
{
    for (unsigned i = 0; i < stepper->count; i++) {
        if (mprotect(stepper->ranges[i].memory, round_up(stepper->ranges[i].size), protection) !=
            0) {
            _exit(1);
        }
    }
}

static bool is_ours(const Stepper *stepper, const void *address)
{
    for (unsigned i = 0; i < stepper->count; i++) {
        uintptr_t start = (uintptr_t)stepper->ranges[i].memory;

        if ((uintptr_t)address >= start &&
            (uintptr_t)address - start < round_up(stepper->ranges[i].size)) {
            return true;
        }
    }
    return false;
}

/* A store: let this one instruction through. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *registers = context;

    (void)number;
    if (!is_ours(in_child, info->si_addr)) {
        signal(SIGSEGV, SIG_DFL); /* comes again, and ends us */
        return;
    }
    protect(in_child, PROT_READ | PROT_WRITE);
    registers->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

/* Behind it. */
static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *registers = context;

    (void)number;
    (void)info;
    registers->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (changed(in_child)) {
        keep(in_child);
    }
    protect(in_child, PROT_READ);
}

static void run_in_child(Stepper *stepper, void (*function)(void *opaque), void *opaque)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    in_child = stepper;
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGTRAP, &trap, NULL);
    protect(stepper, PROT_READ);
    function(opaque);
    _exit(0);
}

static void *shared(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    g_assert_true(memory != MAP_FAILED);
    return memory;
}

static void wait_for(pid_t child, const char *name)
{
    int status;

    g_assert_cmpint(child, >, 0);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_error("%s: ended with wait status %#x", name, (unsigned)status);
    }
}

Stepper *stepper_run(const StepperRange *ranges, unsigned count, void (*function)(void *opaque),
                     void *opaque)
{
    Stepper *stepper = g_new0(Stepper, 1);
    pid_t child;

    stepper->ranges = ranges;
    stepper->count = count;
    for (unsigned i = 0; i < count; i++) {
        g_assert_cmpuint((uintptr_t)ranges[i].memory % PAGE, ==, 0);
        stepper->size += ranges[i].size;
    }
    stepper->states = shared(PAGE);
    stepper->state_bytes = shared(STEPPER_STATES * stepper->size);
    keep(stepper);
    child = fork();
    if (child == 0) {
        run_in_child(stepper, function, opaque);
    }
    wait_for(child, "what is to be killed");
    return stepper;
}

void stepper_free(Stepper *stepper)
{
    munmap(stepper->states, PAGE);
    munmap(stepper->state_bytes, STEPPER_STATES * stepper->size);
    g_free(stepper);
}

void stepper_try(void (*function)(void *opaque), void *opaque, const char *name)
{
    pid_t child = fork();

    if (child == 0) {
        function(opaque);
        _exit(0);
    }
    wait_for(child, name);
}
