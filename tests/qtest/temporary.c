/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A temporary directory that is gone when the process is, however it ends (short of SIGKILL).
 */
#include "qtest/temporary.h"
#include "qtest/vmm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[256];
static pid_t owner;

static void empty(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!stream) {
        return;
    }
    while ((entry = readdir(stream))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) {
            continue;
        }
        if (unlinkat(fd, entry->d_name, 0) && errno == EISDIR) {
            empty(fd, entry->d_name);
            unlinkat(fd, entry->d_name, AT_REMOVEDIR);
        }
    }
    closedir(stream);
}

void temporary_remove(void)
{
    char gone[sizeof(directory) + 1];

    if (directory[0] && owner == getpid()) { /* not in a child that was forked */
        /* Under another name first: other threads may still be making files in it. */
        strcpy(gone, directory);
        strcat(gone, "-");
        if (rename(directory, gone) == 0) {
            empty(AT_FDCWD, gone);
            rmdir(gone);
        }
    }
}

/* readdir() allocates: if the heap is what broke, the alarm ends the wait for its lock. */
static void clean_up(int signal_number)
{
    signal(SIGALRM, SIG_DFL);
    signal(signal_number, SIG_DFL);
    alarm(2);
    temporary_remove();
    raise(signal_number);
}

static gpointer make(gpointer opaque)
{
    static const int signals[] = {SIGABRT, SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGTRAP};
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_dir_make_tmp("hotslot-XXXXXX", &error);

    (void)opaque;
    if (!path || g_strlcpy(directory, path, sizeof(directory)) >= sizeof(directory)) {
        vmm_fail("temporary directory: %s", error ? error->message : "its name is too long");
    }
    owner = getpid();
    atexit(temporary_remove);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        struct sigaction action = {.sa_handler = clean_up, .sa_flags = SA_RESETHAND | SA_NODEFER};

        sigaction(signals[i], &action, NULL);
    }
    return directory;
}

const char *temporary_directory(void)
{
    static GOnce once = G_ONCE_INIT;

    return g_once(&once, make, NULL);
}

char *vmm_temporary_path(const char *name)
{
    return g_build_filename(temporary_directory(), name, NULL);
}
