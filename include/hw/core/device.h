/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device base class.  Life: created, properties set, realized, unrealized.
 * Construction does no I/O; realize and unrealize may go on in the background
 * (a vhost-user device talks to its backend, memory is a transaction), so each
 * says whether it has finished.  VM lock held everywhere.
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include "util/object.h"

typedef struct Device Device;
typedef struct DeviceClass DeviceClass;

typedef enum {
    DEVICE_FAILED,  /* @error is set; nothing of the attempt remains */
    DEVICE_DONE,    /* finished */
    DEVICE_PENDING, /* device_realize_done() or device_unrealize_done() follows, from the main
                       thread, not from within the hook */
} DeviceProgress;

/* Ends a background realize or unrealize; @error NULL on success, owned by the caller. */
typedef void DeviceCallback(Device *device, const GError *error, gpointer opaque);

struct Device {
    VmObject parent;
    gboolean realized;
    gboolean hotplugged;       /* added after the machine was complete */
    gboolean unplug_requested; /* the guest was asked, it has not answered */
    gboolean busy;             /* a realize or unrealize is pending */
    DeviceCallback *callback;  /* private: who waits */
    gpointer callback_opaque;  /* private */
    GList link;                /* private: place in the order of realization */
};

struct DeviceClass {
    VmObjectClass parent;
    const char
        *category;   /* heading in -device help: "storage", "memory", "network", "bridge", "misc" */
    const char *bus; /* name of the bus type it sits on ("PCI": its one bus is "pci.0") or NULL */
    const char *bus_behind;  /* a bridge: name of the bus type that it leads to, or NULL */
    gboolean user_creatable; /* device_add and -device may create it */
    gboolean hotpluggable;
    DeviceProgress (*realize)(Device *device, GError **error);
    /* Cannot fail: what a backend refuses is logged. DEVICE_DONE or DEVICE_PENDING. */
    DeviceProgress (*unrealize)(Device *device);
    /*
     * Asks the guest to let go (device_del); the eject comes back as device_unplug().
     * FALSE with @error if it cannot be asked.  NULL: unplugged at once.
     */
    gboolean (*unplug_request)(Device *device, GError **error);
    /* Machine reset. May be NULL. */
    void (*reset)(Device *device);
    /* The program ends: a peer that owes an answer has a moment left.  Realized or busy devices.
     * May be NULL. */
    void (*hurry)(Device *device);
};

#define TYPE_DEVICE (device_get_type())
VM_DECLARE_TYPE(Device, device, DEVICE)
#define DEVICE_GET_CLASS(object) (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_DEVICE, DeviceClass))
#define DEVICE_CLASS(class) ((DeviceClass *)(class))

/*
 * -device and device_add: takes "driver", "id" and "bus" out of @options, creates the device, sets
 * the rest, puts it under /machine/peripheral (peripheral-anon without id) and realizes it.
 * FALSE with @error for what is wrong at once; otherwise @callback is called exactly once,
 * possibly before this returns, with the outcome; after a failure nothing remains.
 */
gboolean device_add(json_object *options, DeviceCallback *callback, gpointer opaque,
                    GError **error);

/*
 * Realizes @device, which has its properties and its place in the tree already.  Outcome as in
 * device_add(); after a failure the device is out of the tree.
 */
gboolean device_realize(Device *device, DeviceCallback *callback, gpointer opaque, GError **error);

/* The device that a user names by id or path.  Borrowed; NULL with @error (class DeviceNotFound).
 */
Device *device_find(const char *id, GError **error);

/* device_del: by id or path.  Answers when the guest was asked. */
gboolean device_delete(const char *id, GError **error);

/*
 * The guest has let go (or a reset completes the request): unrealizes, removes the device from
 * the tree and sends DEVICE_DELETED when all is done.
 */
void device_unplug(Device *device);

/* The guest refused: clears the request, sends DEVICE_UNPLUG_GUEST_ERROR. */
void device_unplug_refused(Device *device);

/* For implementations whose realize or unrealize returned DEVICE_PENDING.  @error: ownership taken.
 */
void device_realize_done(Device *device, GError *error);
void device_unrealize_done(Device *device);

/* Realizes a device that the machine itself makes (host bridge): must end with DEVICE_DONE. */
gboolean device_realize_now(Device *device, GError **error);

/* Makes a device of @type that belongs to the board: under /machine/unattached as @name, realized.
 * Borrowed; NULL with @error. */
Device *device_add_on_board(GType type, const char *name, GError **error);

/*
 * TRUE if ports [@first, @first + @count) exist and no other device has them.  Otherwise @error,
 * which names @property; @remedy is the properties by which other ports can be chosen.
 */
gboolean device_check_ports(Device *device, const char *property, uint32_t first, uint32_t count,
                            const char *remedy, GError **error);

/* Machine completion: devices added from now on are hotplugged. */
void device_set_machine_complete(void);
/* TRUE from then on. */
gboolean device_machine_complete(void);

/* Calls reset of every realized device, in order of realization; finishes requested unplugs. */
void device_reset_all(void);

/* The program ends: nobody waits long for a device's peer any more. */
void device_hurry_all(void);

/* Unrealizes everything at exit, those on a bus before memory, and waits until all have ended. */
void device_cleanup_all(void);

/* A device type that @name means, or 0 with @error of class DeviceNotFound. */
GType device_type_find(const char *name, GError **error);

/* Text of -device help and -device TYPE,help to standard output. */
void device_print_help(void);
gboolean device_print_type_help(const char *type, GError **error);

/* DEVICE_DELETED and DEVICE_UNPLUG_GUEST_ERROR go through qmp_event_send(). */

#endif
