/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base of every vhost-user PCI device: a virtio-pci transport over a vhost-user session.  A kind
 * of device is a VhostUserKind, a table, with the few lines that are truly its own.
 */
#ifndef HW_VIRTIO_VHOST_USER_PCI_H
#define HW_VIRTIO_VHOST_USER_PCI_H

#include "chardev/chardev.h"
#include "hw/virtio/vhost-user.h"
#include "hw/virtio/virtio-pci.h"

/* SET_VRING_KICK and its like have 8 bits for the number of a ring. */
#define VHOST_USER_QUEUE_MAX 256
/* Descriptors of the largest split ring (virtio 1.2, 2.7). */
#define VHOST_USER_QUEUE_SIZE_MAX 32768

typedef struct VhostUserKind VhostUserKind;

typedef struct VhostUserPci VhostUserPci;

struct VhostUserPci {
    VirtioPci parent;
    Chardev *chardev;    /* VHOST_USER_FIELD_CHARDEV, or set by the kind's prepare() */
    VmObject *keeper;    /* who keeps the chardev for it, set by the kind's prepare(), or NULL */
    uint16_t num_queues; /* VHOST_USER_FIELD_QUEUES: beside those that the kind has anyway */
    uint16_t queue_size; /* VHOST_USER_FIELD_QUEUE_SIZE, or the kind's */
    ChardevFrontend frontend;
    /* NULL before realize and from unrealize on; of the last connection while there is none. */
    VhostUserSession *session;
    VhostUserNeeds needs;   /* from the kind; its prepare() may change them */
    uint16_t local_queues;  /* from the kind; its prepare() may change it */
    uint32_t reply_timeout; /* property: milliseconds for each answer of the backend */
    gboolean resume;        /* private: queues of ours go on where they were paused */
    gboolean away;          /* private: the backend is gone; it may come back */
    gboolean closing;       /* private: no connection is of use any more */
    uint64_t offered;       /* private: to the driver, by the first backend */
    gboolean returning;     /* private: a backend came back, its rings do not run yet */
    VhostUserSession *next; /* private: a connection that is not taken yet */
    guint tries;            /* private: connections that were of no use to realize */
    guint patience;         /* private: timer of a realize that waits for a connection */
    guint ending;           /* private: sessions that have not ended */
    void (*ended)(VhostUserPci *device); /* private: what to do when none is left */
    GError *failure;                     /* private: why realize fails, while the session ends */
};

typedef enum VhostUserConfigSource {
    VHOST_USER_CONFIG_NONE,
    VHOST_USER_CONFIG_BACKEND, /* GET_CONFIG; a backend that lacks it is refused */
    VHOST_USER_CONFIG_OURS,    /* config_filter() fills it in, the backend is not asked */
} VhostUserConfigSource;

#define VHOST_USER_ALWAYS (-1)

/* Bytes of configuration that a driver may write, in one store or in several. */
typedef struct VhostUserWritable {
    uint16_t offset, size;
    int feature; /* that the driver must have negotiated for it, or VHOST_USER_ALWAYS */
} VhostUserWritable;

/* What a kind of device is.  Static; members that are 0 or NULL say that there is none of it. */
struct VhostUserKind {
    const char *description;              /* a phrase for -device help */
    const char *category;                 /* see DeviceClass */
    uint16_t virtio_id;                   /* virtio 1.2, 5 */
    uint16_t pci_class;                   /* base class << 8 | subclass */
    gboolean transitional;                /* drivers from before virtio 1.0 know this kind */
    const VhostUserFeatureName *features; /* all that it can use; ends with name NULL */

    VhostUserConfigSource config_source;
    uint32_t config_size;
    uint32_t config_minimum;           /* see VhostUserNeeds */
    const VhostUserWritable *writable; /* ends with size 0; other stores vanish */
    gboolean config_is_live;           /* what a driver reads depends on what it wrote */

    uint16_t queues;       /* with the backend: those before the ones that num_queues counts */
    uint16_t local_queues; /* behind the backend's: served here, the backend never sees them */
    uint16_t queue_size;   /* descriptors, for kinds without VHOST_USER_FIELD_QUEUE_SIZE */
    const VmField *fields; /* its properties, VHOST_USER_FIELD_CHARDEV the first of them */

    /* All of these may be NULL; the VM lock is held and they return at once. */

    /* Checks the properties, changes device->needs where they do. */
    gboolean (*prepare)(VhostUserPci *device, GError **error);
    /* Connected, or connected again: may take bits from the offered @features, or refuse.  After a
     * return what is left must hold what the driver chose. */
    gboolean (*connected)(VhostUserPci *device, uint64_t *features, GError **error);
    /* The first backend fits, the guest sees the device from now on. */
    void (*realized)(VhostUserPci *device);
    /* Lets go of what prepare() took: realize has failed or unrealize has ended. */
    void (*released)(VhostUserPci *device);
    /* Patches configuration bytes before the guest sees them. */
    void (*config_filter)(VhostUserPci *device, uint8_t *config, uint32_t size);
    /* A store to writable bytes of a configuration that is ours. */
    void (*config_written)(VhostUserPci *device, uint32_t offset, const void *bytes, uint32_t size);

    /* Descriptors of queue @index at most. NULL: device->queue_size. */
    uint16_t (*size_of_queue)(VhostUserPci *device, unsigned index);
    /* Whether queue @index is served here, by the features that the driver chose.  NULL: the last
     * local_queues are. */
    gboolean (*queue_is_local)(VhostUserPci *device, unsigned index);
    /* A queue of ours begins, with @resume where it was paused, or ends. */
    void (*queue_started)(VhostUserPci *device, VirtQueue *queue, gboolean resume);
    void (*queue_stopped)(VhostUserPci *device, VirtQueue *queue);
    /* The driver kicked a queue of ours that runs; also called once after its start. */
    void (*queue_kicked)(VhostUserPci *device, VirtQueue *queue);
    /* What the backend is told that the driver chose, where that may change while the rings run.
     * NULL: what it chose. */
    uint64_t (*features_in_use)(VhostUserPci *device);
    /* Whether the backend's ring @index works from the start (SET_VRING_ENABLE). NULL: each does.
     */
    gboolean (*queue_enabled)(VhostUserPci *device, unsigned index);
    /* The driver has reset the device; its queues have ended. */
    void (*reset)(VhostUserPci *device);
    /* The backend is gone after the device was realized; vhost_user_pci_comes_back() says whether
     * another one may come. */
    void (*lost)(VhostUserPci *device);
    /* A backend came back and is taken; its rings run or begin with the driver's next start. */
    void (*returned)(VhostUserPci *device);
};

typedef struct VhostUserPciClass {
    VirtioPciClass parent;
    const VhostUserKind *kind;
} VhostUserPciClass;

#define TYPE_VHOST_USER_PCI (vhost_user_pci_get_type())
VM_DECLARE_TYPE(VhostUserPci, vhost_user_pci, VHOST_USER_PCI)
#define VHOST_USER_PCI_GET_CLASS(object)                                                           \
    (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_VHOST_USER_PCI, VhostUserPciClass))
#define VHOST_USER_PCI_CLASS(class) ((VhostUserPciClass *)(class))

/* --- properties that kinds share; each under the name that its users know --- */

#define VHOST_USER_FIELD_CHARDEV                                                                   \
    {                                                                                              \
        .name = "chardev", .doc = "the character device whose socket leads to the backend",        \
        .kind = VM_FIELD_LINK, .offset = offsetof(VhostUserPci, chardev),                          \
        .link_type = chardev_get_type, .flags = VM_FIELD_REQUIRED                                  \
    }
#define VHOST_USER_FIELD_QUEUES(name_, doc_, default_, maximum_)                                   \
    {                                                                                              \
        .name = (name_), .doc = (doc_), .kind = VM_FIELD_UINT16,                                   \
        .offset = offsetof(VhostUserPci, num_queues), .default_value = (default_), .minimum = 1,   \
        .maximum = (maximum_)                                                                      \
    }
#define VHOST_USER_FIELD_QUEUE_SIZE(name_, default_, maximum_)                                     \
    {                                                                                              \
        .name = (name_), .doc = "descriptors in a queue, a power of two", .kind = VM_FIELD_UINT16, \
        .offset = offsetof(VhostUserPci, queue_size), .default_value = (default_), .minimum = 2,   \
        .maximum = (maximum_)                                                                      \
    }
#define VHOST_USER_FIELD_BOOTINDEX                                                                 \
    {                                                                                              \
        .name = "bootindex",                                                                       \
        .doc = "place in the firmware's boot order, -1 for none; without firmware nobody asks",    \
        .kind = VM_FIELD_INT32, .offset = offsetof(PciDevice, boot_index), .default_value = -1,    \
        .minimum = -1, .maximum = INT32_MAX                                                        \
    }

/* --- types --- */

typedef enum VhostUserVariant {
    VHOST_USER_ABSTRACT,     /* what the others of a kind are made from */
    VHOST_USER_GENERIC,      /* with the legacy interface if the kind has one */
    VHOST_USER_TRANSITIONAL, /* the same, by its full name */
    VHOST_USER_MODERN,       /* without it */
} VhostUserVariant;

/* Registers a type; for the macros below. */
GType vhost_user_kind_register(const char *name, GType parent, gsize instance_size,
                               const VhostUserKind *kind, VhostUserVariant variant);

#define VHOST_USER_DEFINE_TYPE(name, Type, prefix, parent, kind, variant)                          \
    GType prefix##_get_type(void);                                                                 \
    GType prefix##_get_type(void)                                                                  \
    {                                                                                              \
        static gsize once;                                                                         \
        if (g_once_init_enter(&once)) {                                                            \
            g_once_init_leave(                                                                     \
                &once, vhost_user_kind_register(name, parent, sizeof(Type), kind, variant));       \
        }                                                                                          \
        return once;                                                                               \
    }                                                                                              \
    __attribute__((constructor)) static void prefix##_register(void)                               \
    {                                                                                              \
        vm_types_add(prefix##_get_type);                                                           \
    }                                                                                              \
    struct prefix##_swallow_semicolon

/*
 * Defines the types of a kind: "NAME" (abstract) and "NAME-pci"; VHOST_USER_DEFINE_BOTH also
 * "NAME-pci-non-transitional", VHOST_USER_DEFINE_ALL that and "NAME-pci-transitional".  @Type is
 * the instance struct, VhostUserPci itself where a kind needs no member of its own.
 */
#define VHOST_USER_DEFINE(name, Type, prefix, kind)                                                \
    VHOST_USER_DEFINE_TYPE(name, Type, prefix, TYPE_VHOST_USER_PCI, kind, VHOST_USER_ABSTRACT);    \
    VHOST_USER_DEFINE_TYPE(name "-pci", Type, prefix##_pci, prefix##_get_type(), kind,             \
                           VHOST_USER_GENERIC)
#define VHOST_USER_DEFINE_BOTH(name, Type, prefix, kind)                                           \
    VHOST_USER_DEFINE(name, Type, prefix, kind);                                                   \
    VHOST_USER_DEFINE_TYPE(name "-pci-non-transitional", Type, prefix##_modern,                    \
                           prefix##_get_type(), kind, VHOST_USER_MODERN)
#define VHOST_USER_DEFINE_ALL(name, Type, prefix, kind)                                            \
    VHOST_USER_DEFINE_BOTH(name, Type, prefix, kind);                                              \
    VHOST_USER_DEFINE_TYPE(name "-pci-transitional", Type, prefix##_transitional,                  \
                           prefix##_get_type(), kind, VHOST_USER_TRANSITIONAL)

/* --- for kinds --- */

/* Queues with the backend. */
guint vhost_user_pci_backend_queues(VhostUserPci *device);

/* Whether there is a backend now. */
gboolean vhost_user_pci_is_connected(VhostUserPci *device);
/* Whether a backend that is gone may come back: the chardev connects or accepts again. */
gboolean vhost_user_pci_comes_back(VhostUserPci *device);

/* Visits every device that has a session, in order of realization. VM lock held. */
void vhost_user_pci_foreach(void (*visit)(VhostUserPci *device, gpointer opaque), gpointer opaque);

#endif
