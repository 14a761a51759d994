/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A front end of a chardev that notes what it is told, in a directory of the test's own. */
#ifndef UNIT_CHARDEV_USER_H
#define UNIT_CHARDEV_USER_H

#include "chardev/chardev.h"

#include <sys/un.h>

typedef struct ChardevUser {
    guint opened;
    int input, output; /* of the last opening */
} ChardevUser;

/* The callback of a ChardevFrontend whose opaque is a ChardevUser. */
void chardev_user_opened(gpointer user, int input, int output);

/* Makes the directory, before anything else; removes it with all that is in it. */
void chardev_directory_make(void);
void chardev_directory_remove(void);
/* A name in it; caller frees. */
char *chardev_file(const char *name);
/* @text with the directory for each DIR; caller frees. */
char *chardev_in_directory(const char *text);

/* From options as after -chardev, with DIR for the directory. */
Chardev *chardev_from_text(const char *text, GError **error);

/* The address of a socket in the directory, and a connection to it: -1 if nobody listens. */
struct sockaddr_un chardev_unix_name(const char *name);
int chardev_unix_connect(const char *name);

#endif
