/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * family-backend: small devices for a guest's real drivers, one kind a file.  One process is one
 * device; it serves one connection after the other, and its one thread looks into all queues
 * whenever something has happened.  It is meant to be killed.
 */
#ifndef FAMILY_BACKEND_H
#define FAMILY_BACKEND_H

#include <glib.h>

#include "libvhost-user/queue.h"

#define FAMILY_QUEUES 4 /* of the kind that has most */

typedef struct Backend Backend;

typedef struct Kind {
    const char *name;
    const char *argument; /* what the kind's argument on the command line is, for a usage */
    uint64_t features;    /* of the device type */
    unsigned queues;      /* at most FAMILY_QUEUES */
    uint32_t config_size;
    /* What the kind keeps, made once. */
    gpointer (*start)(const char *argument);
    /* The configuration space as it is now, config_size bytes; and what the driver wrote to it.
     * NULL: there is none, or it cannot be written. */
    void (*read_config)(gpointer state, uint8_t *config);
    void (*write_config)(gpointer state, uint32_t offset, const uint8_t *bytes, uint32_t size);
    /* Looks into every queue.  Returns after how many milliseconds to be called again although
     * nothing happened, -1 for never. */
    int (*serve)(Backend *backend, gpointer state);
    /* SIGUSR1: something happens at the device.  May be NULL. */
    void (*poke)(gpointer state);
    /* A front-end has come: what a driver had begun is void.  May be NULL. */
    void (*connected)(gpointer state);
} Kind;

extern const Kind rng_kind, scsi_kind, vsock_kind, input_kind, sound_kind, i2c_kind, gpio_kind,
    fs_kind;

/* What is to be done with one element; returns how many bytes were written. */
typedef uint32_t (*ServeElement)(gpointer state, const VhostUserElement *element);

/* Carries out what the driver has made available in a queue, @limit elements at most. */
void backend_serve_queue(Backend *backend, unsigned index, unsigned limit, ServeElement serve,
                         gpointer state);

/* Fills the next buffer of a queue; FALSE if there is none. */
gboolean backend_send(Backend *backend, unsigned index, gconstpointer bytes, gsize size);

/* Ends the program with a message: nothing here can go on after a mistake of its caller. */
void backend_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

#endif
