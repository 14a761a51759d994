/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread for each CPU: it enters the guest, carries out what the guest asks of devices under the
 * VM lock, and stands still while the machine is paused.
 */
#include "kvm-internal.h"

#include "accel/vcpu-stats.h"
#include "system/clock.h"
#include "system/irq.h"
#include "system/kept-state.h"
#include "system/main-loop.h"
#include "system/memory.h"
#include "system/run-state.h"
#include "system/vm-lock.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/report.h"
#include "util/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

TRACE_EVENT(kvm_exit, "a CPU leaves the guest for something this process has to do");

/* Interrupts KVM_RUN; blocked in no CPU thread, harmless elsewhere. */
#define KICK_SIGNAL SIGUSR1

typedef struct Vcpu {
    guint index;
    int fd;
    int stats_fd; /* -1: none */
    struct kvm_run *run;
    KvmState *power_on;
    pthread_t thread;
    gboolean thread_made;
    gint thread_id; /* of the host. Under the mutex */
    gboolean stuck; /* has met what it cannot go on from; until a reset.  Under the mutex */
    guint64 exits[VCPU_EXIT_REASONS]; /* of its thread; read by others as atomics */
    KvmState *kept;                   /* NULL: none */
} Vcpu;

/* A pause that waits for the CPUs. */
typedef struct Pause {
    void (*done)(gpointer opaque);
    gpointer opaque;
} Pause;

static GPtrArray *vcpus; /* of Vcpu */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static gboolean running;             /* CPUs shall be in the guest. Under the mutex */
static gboolean ending;              /* threads shall end. Under the mutex */
static guint parked;                 /* CPUs that stand still. Under the mutex */
static GQueue pauses = G_QUEUE_INIT; /* of Pause.  VM lock */
static KvmMachineState *machine_power_on;
static KvmMachineState *machine_kept; /* NULL: none */
static __thread struct kvm_run *current_run;

/* --- standing still --- */

static void kicked(int number G_GNUC_UNUSED)
{
    if (current_run) {
        current_run->immediate_exit = 1;
    }
}

/* Each CPU says to its guest that it was stopped, so that no watchdog there takes it for a lockup
 * (api.rst, KVM_KVMCLOCK_CTRL); a guest that does not use kvmclock cannot be told. */
static void stop_time(void)
{
    kvm_clock_stop();
    for (guint i = 0; i < vcpus->len; i++) {
        kvm_ioctl(((const Vcpu *)g_ptr_array_index(vcpus, i))->fd, KVM_KVMCLOCK_CTRL, NULL);
    }
}

static void finish_pauses(gpointer opaque G_GNUC_UNUSED)
{
    Pause *pause;
    gboolean still = vcpus != NULL; /* it may have been posted before the end */

    pthread_mutex_lock(&mutex);
    still = still && !running && parked == vcpus->len;
    pthread_mutex_unlock(&mutex);
    if (still) {
        stop_time();
    }
    while (still && (pause = g_queue_pop_head(&pauses)) != NULL) {
        pause->done(pause->opaque);
        g_free(pause);
        pthread_mutex_lock(&mutex);
        still = !running && parked == vcpus->len;
        pthread_mutex_unlock(&mutex);
    }
}

/* Returns FALSE when the thread shall end. */
static gboolean wait_to_run(Vcpu *vcpu)
{
    gboolean go_on;

    pthread_mutex_lock(&mutex);
    if (!running || vcpu->stuck) {
        parked++;
        if (parked == vcpus->len && !ending) {
            main_loop_post(finish_pauses, NULL);
        }
        while ((!running || vcpu->stuck) && !ending) {
            pthread_cond_wait(&changed, &mutex);
        }
        parked--;
    }
    go_on = !ending;
    pthread_mutex_unlock(&mutex);
    return go_on;
}

static void kick_all(void)
{
    for (guint i = 0; i < vcpus->len; i++) {
        const Vcpu *vcpu = g_ptr_array_index(vcpus, i);
        if (vcpu->thread_made) {
            pthread_kill(vcpu->thread, KICK_SIGNAL);
        }
    }
}

/* While threads are ended none may be called that has gone. */
void kvm_vcpu_call_first(void)
{
    const Vcpu *vcpu = vcpus && vcpus->len ? g_ptr_array_index(vcpus, 0) : NULL;

    pthread_mutex_lock(&mutex);
    if (vcpu && vcpu->thread_made && !ending && !pthread_equal(vcpu->thread, pthread_self())) {
        pthread_kill(vcpu->thread, KICK_SIGNAL);
    }
    pthread_mutex_unlock(&mutex);
}

static void pause_vcpus(void (*done)(gpointer opaque), gpointer opaque)
{
    Pause *pause = g_new(Pause, 1);

    *pause = (Pause){done, opaque};
    g_queue_push_tail(&pauses, pause);
    clock_set_running(FALSE);
    pthread_mutex_lock(&mutex);
    running = FALSE;
    pthread_mutex_unlock(&mutex);
    kick_all();
    finish_pauses(NULL);
}

static void resume_vcpus(void)
{
    kvm_clock_continue();
    pthread_mutex_lock(&mutex);
    running = TRUE;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    clock_set_running(TRUE);
}

static void reset_vcpus(void)
{
    g_autoptr(GError) wrong = NULL;

    if (!kvm_machine_restore(machine_power_on, &wrong)) {
        report_error("the machine cannot be reset: %s", wrong->message);
    }
    for (guint i = 0; i < vcpus->len; i++) {
        Vcpu *vcpu = g_ptr_array_index(vcpus, i);
        g_autoptr(GError) error = NULL;

        if (!kvm_state_restore(vcpu->fd, vcpu->power_on, &error) ||
            (i == 0 && vcpu_boot() && !kvm_state_boot(vcpu->fd, vcpu_boot(), &error))) {
            report_error("CPU %u cannot be reset: %s", i, error->message);
        }
        if (i == 0) {
            kvm_external_refresh(vcpu->fd, vcpu->run);
        }
        pthread_mutex_lock(&mutex);
        vcpu->stuck = FALSE;
        pthread_mutex_unlock(&mutex);
    }
}

/* --- what the guest asks for --- */

static void port_access(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    vm_lock();
    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        if (run->io.direction == KVM_EXIT_IO_IN) {
            memory_read(ADDRESS_SPACE_IO, run->io.port, data, run->io.size);
        } else {
            memory_write(ADDRESS_SPACE_IO, run->io.port, data, run->io.size);
        }
    }
    vm_unlock();
}

static void memory_access(struct kvm_run *run)
{
    vm_lock();
    if (run->mmio.is_write) {
        memory_write(ADDRESS_SPACE_MEMORY, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    } else {
        memory_read(ADDRESS_SPACE_MEMORY, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
    }
    vm_unlock();
}

static void end_of_interrupt(const struct kvm_run *run)
{
    vm_lock();
    irq_end(run->eoi.vector);
    vm_unlock();
}

/* The CPU stays where it is until a reset. */
static void get_stuck(Vcpu *vcpu)
{
    pthread_mutex_lock(&mutex);
    vcpu->stuck = TRUE;
    pthread_mutex_unlock(&mutex);
}

static void count(Vcpu *vcpu, VcpuExit reason)
{
    __atomic_fetch_add(&vcpu->exits[reason], 1, __ATOMIC_RELAXED);
}

/* The machine stops and says so; it lives on, for whoever wants to look at it or reset it. */
static void fail(Vcpu *vcpu, const char *what, uint64_t number)
{
    count(vcpu, VCPU_EXIT_ERROR);
    report_error("CPU %u: KVM cannot run it any more: %s 0x%" PRIx64, vcpu->index, what, number);
    kvm_failure_log(vcpu->fd, vcpu->index);
    get_stuck(vcpu);
    vm_lock();
    run_state_request_stop(RUN_STATE_INTERNAL_ERROR);
    vm_unlock();
}

static void request_reset(Vcpu *vcpu)
{
    get_stuck(vcpu);
    vm_lock();
    run_state_request_reset(SHUTDOWN_CAUSE_GUEST_RESET);
    vm_unlock();
}

static void handle_exit(Vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    trace(kvm_exit, "cpu %u reason %u at 0x%" PRIx64, vcpu->index, run->exit_reason,
          run->exit_reason == KVM_EXIT_IO     ? (uint64_t)run->io.port
          : run->exit_reason == KVM_EXIT_MMIO ? (uint64_t)run->mmio.phys_addr
                                              : 0);
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        count(vcpu, VCPU_EXIT_PORT);
        port_access(run);
        break;
    case KVM_EXIT_MMIO:
        count(vcpu, VCPU_EXIT_MEMORY);
        memory_access(run);
        break;
    case KVM_EXIT_IOAPIC_EOI:
        count(vcpu, VCPU_EXIT_OTHER);
        end_of_interrupt(run);
        break;
    case KVM_EXIT_IRQ_WINDOW_OPEN: /* what waits for it is given at the next entry */
    case KVM_EXIT_INTR:
        count(vcpu, VCPU_EXIT_OTHER);
        break;
    case KVM_EXIT_SHUTDOWN: /* triple fault: a PC resets itself */
    case KVM_EXIT_SYSTEM_EVENT:
        count(vcpu, VCPU_EXIT_SHUTDOWN);
        request_reset(vcpu);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        fail(vcpu, "the processor refuses to enter the guest, reason",
             run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        fail(vcpu, "internal error", run->internal.suberror);
        break;
    default:
        fail(vcpu, "unknown exit", run->exit_reason);
        break;
    }
}

static gboolean shall_run(void)
{
    gboolean result;

    pthread_mutex_lock(&mutex);
    result = running;
    pthread_mutex_unlock(&mutex);
    return result;
}

/*
 * KVM finishes the instruction of an access when it is entered the next time (api.rst, struct
 * kvm_run): before a pause it has to be, so that registers and memory belong to one moment.
 */
static void finish_access(Vcpu *vcpu)
{
    int result = 0;

    while (result == 0 && !shall_run()) {
        vcpu->run->immediate_exit = 1;
        result = ioctl(vcpu->fd, KVM_RUN, NULL);
        vcpu->run->immediate_exit = 0;
        if (result == 0) {
            handle_exit(vcpu); /* a second half, in another page */
        }
    }
}

static void *vcpu_thread(void *opaque)
{
    Vcpu *vcpu = opaque;

    current_run = vcpu->run;
    pthread_mutex_lock(&mutex);
    vcpu->thread_id = (gint)syscall(SYS_gettid);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    while (wait_to_run(vcpu)) {
        if (vcpu->index == 0) {
            kvm_external_offer(vcpu->fd, vcpu->run);
        }
        int result = ioctl(vcpu->fd, KVM_RUN, NULL);

        if (result == 0) {
            handle_exit(vcpu);
            finish_access(vcpu);
        } else if (errno == EINTR || errno == EAGAIN) {
            count(vcpu, VCPU_EXIT_INTERRUPT);
            /* What was asked for is looked at only after this, so that no kick is lost. */
            vcpu->run->immediate_exit = 0;
            continue;
        } else {
            fail(vcpu, "KVM_RUN fails with errno", (uint64_t)errno);
        }
    }
    current_run = NULL;
    return NULL;
}

/* --- life --- */

static void vcpu_free(gpointer opaque)
{
    Vcpu *vcpu = opaque;

    if (vcpu->run && vcpu->run != MAP_FAILED) {
        munmap(vcpu->run, kvm.run_size);
    }
    fd_clear(&vcpu->stats_fd);
    if (vcpu->fd >= 0) {
        close(vcpu->fd);
    }
    kvm_state_free(vcpu->power_on);
    kvm_state_free(vcpu->kept);
    g_free(vcpu);
}

static gboolean make_vcpu(guint index, GError **error)
{
    Vcpu *vcpu = g_new0(Vcpu, 1);

    g_ptr_array_add(vcpus, vcpu);
    vcpu->index = index;
    vcpu->stats_fd = -1;
    vcpu->fd = kvm_ioctl(kvm.vm_fd, KVM_CREATE_VCPU, GUINT_TO_POINTER(vcpu_apic_id(index)));
    if (vcpu->fd < 0) {
        vm_error_set_errno(error, -vcpu->fd, "-accel kvm: KVM_CREATE_VCPU of CPU %u", index);
        return FALSE;
    }
    vcpu->stats_fd = kvm_stats_open(vcpu->fd);
    vcpu->run = mmap(NULL, kvm.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (vcpu->run == MAP_FAILED) {
        vm_error_set_errno(error, errno, "-accel kvm: mapping the state of CPU %u", index);
        return FALSE;
    }
    if (!kvm_cpuid_set(vcpu->fd, index, error)) {
        return FALSE;
    }
    vcpu->power_on = kvm_state_save(vcpu->fd, error);
    return vcpu->power_on &&
           (index != 0 || !vcpu_boot() || kvm_state_boot(vcpu->fd, vcpu_boot(), error));
}

static gboolean start_thread(Vcpu *vcpu, GError **error)
{
    g_autofree char *name = g_strdup_printf("CPU %u/KVM", vcpu->index);
    int result = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

    if (result != 0) {
        vm_error_set_errno(error, result, "-accel kvm: the thread of CPU %u", vcpu->index);
        return FALSE;
    }
    vcpu->thread_made = TRUE;
    pthread_setname_np(vcpu->thread, name);
    pthread_mutex_lock(&mutex);
    while (!vcpu->thread_id) { /* query-cpus-fast shall have it */
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return TRUE;
}

static gboolean check_count(GError **error)
{
    guint count = vcpu_topology()->count;
    guint most = (guint)kvm_has(KVM_CAP_MAX_VCPUS);

    if (most && count > most) {
        vm_error_set(error, "-smp %u: KVM on this host runs at most %u CPUs in a machine", count,
                     most);
        return FALSE;
    }
    return TRUE;
}

gboolean kvm_vcpus_start(GError **error)
{
    static const RunStateCpus cpus = {pause_vcpus, resume_vcpus, reset_vcpus};
    struct sigaction action = {.sa_handler = kicked};

    if (vcpu_topology()->count == 0) {
        return TRUE; /* -machine none: there is nothing that could stand still or run */
    }
    sigaction(KICK_SIGNAL, &action, NULL);
    if (!check_count(error) || !kvm_cpuid_prepare(error)) {
        return FALSE;
    }
    vcpus = g_ptr_array_new_with_free_func(vcpu_free);
    for (guint i = 0; i < vcpu_topology()->count; i++) {
        if (!make_vcpu(i, error)) {
            return FALSE;
        }
    }
    machine_power_on = kvm_machine_save(error);
    if (!machine_power_on) {
        return FALSE;
    }
    for (guint i = 0; i < vcpus->len; i++) {
        if (!start_thread(g_ptr_array_index(vcpus, i), error)) {
            return FALSE;
        }
    }
    run_state_set_cpus(&cpus);
    return TRUE;
}

void kvm_vcpus_stop(void)
{
    if (!vcpus) {
        return;
    }
    run_state_set_cpus(NULL);
    pthread_mutex_lock(&mutex);
    running = FALSE;
    ending = TRUE;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    kick_all();
    vm_unlock();
    for (guint i = 0; i < vcpus->len; i++) {
        Vcpu *vcpu = g_ptr_array_index(vcpus, i);
        if (vcpu->thread_made) {
            pthread_join(vcpu->thread, NULL);
        }
    }
    vm_lock();
    g_queue_clear_full(&pauses, g_free);
    g_clear_pointer(&vcpus, g_ptr_array_unref);
    g_clear_pointer(&machine_power_on, g_free);
    g_clear_pointer(&machine_kept, g_free);
    kvm_cpuid_clear();
    kvm_state_clear();
}

/* --- what others ask for --- */

static Vcpu *find(guint index)
{
    return vcpus && index < vcpus->len ? g_ptr_array_index(vcpus, index) : NULL;
}

int kvm_vcpu_stats_fd(guint index)
{
    const Vcpu *vcpu = find(index);

    return vcpu ? vcpu->stats_fd : -1;
}

gint vcpu_thread_id(guint index)
{
    const Vcpu *vcpu = find(index);

    return vcpu ? vcpu->thread_id : 0;
}

guint64 vcpu_exit_count(guint index, VcpuExit reason)
{
    Vcpu *vcpu = find(index);

    return vcpu ? __atomic_load_n(&vcpu->exits[reason], __ATOMIC_RELAXED) : 0;
}

/* TRUE if no CPU is in the guest. */
static gboolean standing_still(GError **error)
{
    gboolean still = FALSE;

    if (!vcpus) {
        vm_error_set(error, "there are no CPUs whose state could be kept; it needs -accel kvm");
        return FALSE;
    }
    pthread_mutex_lock(&mutex);
    still = !running && parked == vcpus->len;
    pthread_mutex_unlock(&mutex);
    if (!still) {
        vm_error_set(error, "the CPUs are running; stop the machine first");
    }
    return still;
}

gboolean vcpu_state_keep(GError **error)
{
    if (!standing_still(error)) {
        return FALSE;
    }
    g_clear_pointer(&machine_kept, g_free);
    for (guint i = 0; i < vcpus->len; i++) {
        Vcpu *vcpu = find(i);
        kvm_state_free(vcpu->kept);
        vcpu->kept = kvm_state_save(vcpu->fd, error);
        if (!vcpu->kept) {
            return FALSE;
        }
    }
    machine_kept = kvm_machine_save(error);
    kept_state_keep();
    return machine_kept != NULL;
}

gboolean vcpu_state_put_back(GError **error)
{
    if (!standing_still(error)) {
        return FALSE;
    }
    if (!machine_kept) {
        vm_error_set(error, "no state of the CPUs was kept");
        return FALSE;
    }
    for (guint i = 0; i < vcpus->len; i++) {
        const Vcpu *vcpu = find(i);
        if (!kvm_state_restore(vcpu->fd, vcpu->kept, error)) {
            return FALSE;
        }
    }
    if (!kvm_machine_restore(machine_kept, error)) {
        return FALSE;
    }
    kvm_external_refresh(find(0)->fd, find(0)->run);
    kept_state_put_back();
    return TRUE;
}
