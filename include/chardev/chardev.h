/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character devices: where byte streams come from.  A chardev does no I/O of
 * its own: it makes connections (listens, accepts, connects, opens) and
 * hands the descriptors to its one front end, which reads and writes them and
 * says when a connection has ended.  Main thread, VM lock held.
 */
#ifndef CHARDEV_CHARDEV_H
#define CHARDEV_CHARDEV_H

#include "util/object.h"

typedef struct Chardev Chardev;

/*
 * @opened: a connection is there; the descriptors belong to the chardev, stay
 * open until chardev_disconnected(), and may be equal.  @input is -1 for a
 * chardev that cannot be read.  They are non-blocking.
 */
typedef struct ChardevFrontend {
    void (*opened)(gpointer opaque, int input, int output);
    gpointer opaque;
    const char *user; /* who it is, for "chardev 'c' is already in use by ..." */
    /* In whose name it comes, if the chardev is kept for that one's; may be NULL. */
    VmObject *keeper;
    /* On a multiplexer: what the user types comes here from now on, or no more.  May be NULL. */
    void (*focus)(gpointer opaque, gboolean here);
    /* The other side sends a break condition.  May be NULL. */
    void (*line_break)(gpointer opaque);
    /* chardev-change: leave the chardev and attach to @chardev, which is free.  NULL: refused. */
    gboolean (*move)(gpointer opaque, Chardev *chardev, GError **error);
} ChardevFrontend;

struct Chardev {
    VmObject parent;
    const ChardevFrontend *frontend; /* NULL: free */
    VmObject *keeper;                /* kept for its front end; NULL: for anybody's */
    int input;
    int output;
    gboolean connected;
    char *logfile; /* gets a copy of what the front end writes, or NULL */
    gboolean logappend;
    int log;             /* private: descriptor of logfile */
    struct Relay *relay; /* private: between the connection and the front end, or NULL */
    gboolean awaited;    /* start-up waits for a connection without limit */
};

typedef struct ChardevClass {
    VmObjectClass parent;
    const char *backend; /* the word in -chardev: "socket", "null", ...; NULL: not for users */
    /* Opens, connects or listens after the properties are set.  A client connects
     * now, a server with wait=on waits for its first client (start-up only). */
    gboolean (*open)(Chardev *chardev, GError **error);
    /* The connection is gone: accept or connect again if the type does that; with @refused the peer
     * was of no use and is not to be bothered as soon as that. May be NULL. */
    void (*disconnected)(Chardev *chardev, gboolean refused);
    /* A front end came while there is no connection: a client may try now. May be NULL. */
    gboolean (*attached)(Chardev *chardev, GError **error);
    /* Whether another connection may come after the present one. May be NULL: never. */
    gboolean (*comes_back)(Chardev *chardev);
    /* Ends for good: listeners, timers, names in the file system. May be NULL; may come twice. */
    void (*close)(Chardev *chardev);
    /* telnet and its like, or NULL for bytes as they are.  May be NULL. */
    const struct RelayProtocol *(*protocol)(Chardev *chardev);
    /* A multiplexer: a new place for a front end, a reference.  NULL: there is one place. */
    Chardev *(*port)(Chardev *chardev);
    /* Whether what the user types comes here.  May be NULL: always. */
    gboolean (*has_focus)(Chardev *chardev);
    /* The descriptor behind a multiplexer's port.  May be NULL. */
    int (*wire)(Chardev *chardev);
    /* query-chardev's filename, "unix:/path,server=on" and so on.  Caller frees. */
    char *(*filename)(Chardev *chardev);
    /* Whether anybody uses it; NULL: whoever attached a frontend does. */
    gboolean (*is_used)(Chardev *chardev);
} ChardevClass;

#define TYPE_CHARDEV (chardev_get_type())
VM_DECLARE_TYPE(Chardev, chardev, CHARDEV)
#define CHARDEV_CLASS(class) ((ChardevClass *)(class))
#define CHARDEV_GET_CLASS(object) (G_TYPE_INSTANCE_GET_CLASS((object), TYPE_CHARDEV, ChardevClass))

/*
 * -chardev: takes "backend" and "id" out of @options and creates it under
 * /chardevs/ID.  Borrowed; NULL with @error.
 */
Chardev *chardev_create(json_object *options, GError **error);

/*
 * chardev-add: @backend is QMP's ChardevBackend ({"type":..,"data":{..}}).  A server with
 * wait=on is refused: the machine runs already.  Borrowed; NULL with @error.
 */
Chardev *chardev_create_qmp(const char *id, json_object *backend, GError **error);

/*
 * chardev-change: another chardev of the same id takes the place of the one there is, whose front
 * end moves to it.  Borrowed; NULL with @error, and all is as it was.
 */
Chardev *chardev_change(const char *id, json_object *backend, GError **error);

/*
 * The short form of -qmp, -qtest and -serial: "unix:PATH,server=on,wait=off",
 * "tcp:HOST:PORT,...", "telnet:...", "stdio", "null", "pty", "ringbuf", "file:PATH", "pipe:PATH",
 * "fd:N".  Created with @id; with "mon:" before it as a multiplexer, which a monitor shares.
 * "chardev:ID" is the chardev that is there already.  Borrowed; NULL with @error.
 */
Chardev *chardev_create_short(const char *id, const char *text, GError **error);

Chardev *chardev_find(const char *id); /* borrowed or NULL */
/* "mux=on" makes a multiplexer of the given id over a chardev whose id has this behind it. */
#define CHARDEV_BASE_SUFFIX "-base"
/* The key before a command to a multiplexer; 1, Ctrl-A, unless this is called. */
void chardev_mux_set_escape(guint8 key);
/* chardev-remove; refused while a front end uses it. */
gboolean chardev_remove(const char *id, GError **error);

/*
 * Makes @frontend (kept by the caller) the user.  If a connection is there already, @opened is
 * called before this returns.  FALSE with @error if another one uses it.
 */
gboolean chardev_attach(Chardev *chardev, const ChardevFrontend *frontend, GError **error);
/*
 * What a front end that can share a terminal attaches to: @chardev itself, or a new port of a
 * multiplexer.  A reference.
 */
Chardev *chardev_port(Chardev *chardev);
/* Whether what the user types comes to this port now. */
gboolean chardev_has_focus(Chardev *chardev);
/* The descriptor that the front end's output ends in, for isatty(3) and its like; -1: none. */
int chardev_wire(Chardev *chardev);
/* Sends its front end, if that knows such a thing, a break condition. */
void chardev_break(Chardev *chardev);

/* The front end leaves: the connection is closed. */
void chardev_detach(Chardev *chardev);

/* Called by the front end when it saw end of file or an error: the
 * descriptors are closed, and @opened may come again later. */
void chardev_disconnected(Chardev *chardev);
/* The same where the peer was of no use: a client leaves more time until the next try. */
void chardev_refused(Chardev *chardev);

/* Whether another connection may come when there is none: a server, or a client that reconnects. */
gboolean chardev_comes_back(Chardev *chardev);
/* Whether the user wants start-up to wait for a client however long it takes (server, wait=on). */
gboolean chardev_is_awaited(Chardev *chardev);

/* Whether chardev_steal_socket() could ever work: asked before chardev_attach(), which opens. */
gboolean chardev_check_socket(Chardev *chardev, GError **error);

/*
 * Gives the connected descriptor away for good (a vhost-user session): the
 * caller owns it; the chardev remains attached, @connected as it is.  -1 with @error if
 * there is no connection or the type has no socket.
 */
int chardev_steal_socket(Chardev *chardev, GError **error);

/* Ends for good, before the last reference goes. */
void chardev_close(Chardev *chardev);
/* Opens logfile; before the first connection. */
gboolean chardev_open_log(Chardev *chardev, GError **error);
/* For implementations: a connection was made. */
void chardev_set_connection(Chardev *chardev, int input, int output);

char *chardev_filename(Chardev *chardev); /* caller frees */
gboolean chardev_is_used(Chardev *chardev);
/* Who uses it or keeps it, "n0", "netdev 'h'", ...; NULL: it is free.  Caller frees. */
char *chardev_user(Chardev *chardev);
/* Whether users may name it; a multiplexer's ports are made by the multiplexer. */
gboolean chardev_is_backend(GType type);
void chardev_print_help(void); /* -chardev help */
/* -chardev BACKEND,help; FALSE with @error if there is no such backend. */
gboolean chardev_print_backend_help(const char *backend, GError **error);
/* Closes all, removes listening unix sockets; at exit. */
void chardev_cleanup(void);

#endif
