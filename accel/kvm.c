/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM accelerator: opens the device, makes the virtual machine with its interrupt
 * controllers in the kernel, all or the local APICs only, and says what to do where that does not
 * go.
 */
#include "kvm-internal.h"

#include "accel/accel.h"
#include "system/irq.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define KVM_PATH "/dev/kvm"

/*
 * Three pages for real mode on older Intel CPUs and one for its page table (api.rst,
 * KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR): in the hole below 4 GiB where no RAM and no device
 * is.
 */
#define KVM_IDENTITY_MAP_ADDRESS UINT64_C(0xfeffc000)
#define KVM_TSS_ADDRESS UINT64_C(0xfeffd000)

Kvm kvm = {-1, -1, 0};

typedef struct KvmAccel {
    Accel parent;
} KvmAccel;

GType kvm_accel_get_type(void);

int kvm_ioctl(int fd, unsigned long request, void *argument)
{
    int result;

    do {
        result = ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int kvm_has(int capability)
{
    return MAX(kvm_ioctl(kvm.vm_fd, KVM_CHECK_EXTENSION, GINT_TO_POINTER(capability)), 0);
}

/* --- the device --- */

static const char *open_advice(int error)
{
    switch (error) {
    case ENOENT:
        return "; load the module kvm_intel or kvm_amd, and see that virtualisation is enabled in "
               "the firmware";
    case EACCES:
    case EPERM:
        return "; join the group 'kvm' or become root";
    case ENODEV:
    case ENXIO:
        return "; this machine's CPU has no virtualisation, or it is disabled in the firmware";
    default:
        return "";
    }
}

static gboolean open_device(GError **error)
{
    int version;

    kvm.system_fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
    if (kvm.system_fd < 0) {
        vm_error_set(error, "-accel kvm: %s: %s%s", KVM_PATH, g_strerror(errno),
                     open_advice(errno));
        return FALSE;
    }
    version = kvm_ioctl(kvm.system_fd, KVM_GET_API_VERSION, NULL);
    if (version < 0) {
        vm_error_set(error,
                     "-accel kvm: %s is not KVM's device (KVM_GET_API_VERSION: %s); make it anew "
                     "with modprobe or udev",
                     KVM_PATH, g_strerror(-version));
        return FALSE;
    }
    if (version != KVM_API_VERSION) {
        vm_error_set(error,
                     "-accel kvm: %s has API version %d, expected %d: the kernel is too old; use "
                     "Linux 5.10 or newer",
                     KVM_PATH, version, KVM_API_VERSION);
        return FALSE;
    }
    return TRUE;
}

/* What the rest relies on, the probe too; all are in Linux 5.10 and newer. */
static gboolean check_capabilities(GError **error)
{
    static const struct {
        int capability;
        const char *name;
    } needed[] = {
        {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
        {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
        {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
        {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
        {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
        {KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH"},
        {KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
        {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
        {KVM_CAP_PIT2, "KVM_CAP_PIT2"},
        {KVM_CAP_XSAVE, "KVM_CAP_XSAVE"},
        {KVM_CAP_XCRS, "KVM_CAP_XCRS"},
        {KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"},
        {KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS"},
        {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (kvm_ioctl(kvm.system_fd, KVM_CHECK_EXTENSION, GINT_TO_POINTER(needed[i].capability)) <=
            0) {
            vm_error_set(error, "-accel kvm: the kernel's KVM lacks %s; use Linux 5.10 or newer",
                         needed[i].name);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean set_up(unsigned long request, void *argument, const char *name, GError **error)
{
    int result = kvm_ioctl(kvm.vm_fd, request, argument);

    if (result < 0) {
        vm_error_set_errno(error, -result, "-accel kvm: %s", name);
    }
    return result >= 0;
}

/* All interrupt controllers and the timer; or the local APICs, and routes for the pins of an I/O
 * APIC that is elsewhere. */
static gboolean make_controllers(GError **error)
{
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {IRQ_LINES}};

    if (!accel_has_split_irqchip()) {
        return set_up(KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP", error) &&
               set_up(KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2", error);
    }
    if (!kvm_has(KVM_CAP_SPLIT_IRQCHIP)) {
        vm_error_set(error, "-accel kvm: kernel-irqchip=split: the kernel's KVM lacks "
                            "KVM_CAP_SPLIT_IRQCHIP; use kernel-irqchip=on");
        return FALSE;
    }
    return set_up(KVM_ENABLE_CAP, &split, "KVM_ENABLE_CAP of KVM_CAP_SPLIT_IRQCHIP", error);
}

static gboolean make_machine(GError **error)
{
    uint64_t identity = KVM_IDENTITY_MAP_ADDRESS;
    int run_size;

    kvm.vm_fd = kvm_ioctl(kvm.system_fd, KVM_CREATE_VM, NULL);
    if (kvm.vm_fd < 0) {
        vm_error_set_errno(error, -kvm.vm_fd, "-accel kvm: KVM_CREATE_VM");
        return FALSE;
    }
    run_size = kvm_ioctl(kvm.system_fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
    if (run_size < (int)sizeof(struct kvm_run)) {
        vm_error_set(error, "-accel kvm: KVM_GET_VCPU_MMAP_SIZE gives %d bytes, expected %zu",
                     run_size, sizeof(struct kvm_run));
        return FALSE;
    }
    kvm.run_size = (gsize)run_size;
    return set_up(KVM_SET_IDENTITY_MAP_ADDR, &identity, "KVM_SET_IDENTITY_MAP_ADDR", error) &&
           set_up(KVM_SET_TSS_ADDR, (void *)KVM_TSS_ADDRESS, "KVM_SET_TSS_ADDR", error) &&
           make_controllers(error);
}

static void close_all(void)
{
    if (kvm.vm_fd >= 0) {
        close(kvm.vm_fd);
    }
    if (kvm.system_fd >= 0) {
        close(kvm.system_fd);
    }
    kvm.vm_fd = -1;
    kvm.system_fd = -1;
}

/* --- the type --- */

static gboolean kvm_init(Accel *accel G_GNUC_UNUSED, GError **error)
{
    if (!open_device(error) || !check_capabilities(error) || !kvm_probe(kvm.system_fd, error) ||
        !make_machine(error) || !kvm_power_start(error) || !kvm_interrupts_start(error)) {
        close_all();
        return FALSE;
    }
    kvm_memory_start();
    return TRUE;
}

static gboolean kvm_start(Accel *accel G_GNUC_UNUSED, GError **error)
{
    return kvm_vcpus_start(error);
}

static void kvm_stop(Accel *accel G_GNUC_UNUSED)
{
    kvm_vcpus_stop();
}

VM_DEFINE_TYPE("kvm-accel", KvmAccel, AccelClass, kvm_accel, accel_get_type(), 0);

static void kvm_accel_class_init(AccelClass *class)
{
    VM_OBJECT_CLASS(class)->description = "hardware virtualisation by Linux";
    class->name = "kvm";
    class->has_cpus = TRUE;
    class->init = kvm_init;
    class->start = kvm_start;
    class->stop = kvm_stop;
    class->host_cpuid = kvm_cpuid_host;
    class->stats = kvm_stats;
}

static void kvm_accel_init(KvmAccel *accel G_GNUC_UNUSED)
{
}
