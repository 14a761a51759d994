/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that monitor clients have passed: by name (getfd) and in numbered sets (add-fd). */
#include "util/error.h"
#include "util/fd.h"
#include "util/size.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SET_PREFIX "/dev/fdset/"

static GHashTable *names; /* name -> descriptor */
static GTree *sets;       /* gint64 -> GArray of FdSetEntry, by number */

/* --- names --- */

void fd_names_put(const char *name, int fd)
{
    int old = fd_names_take(name);

    fd_clear(&old);
    if (!names) {
        names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    g_hash_table_insert(names, g_strdup(name), GINT_TO_POINTER(fd));
}

int fd_names_take(const char *name)
{
    gpointer fd;

    if (!names || !g_hash_table_lookup_extended(names, name, NULL, &fd)) {
        return -1;
    }
    g_hash_table_remove(names, name);
    return GPOINTER_TO_INT(fd);
}

int fd_resolve(const char *text, GError **error)
{
    uint64_t number;

    if (!g_ascii_isdigit(*text)) {
        int fd = fd_names_take(text);
        if (fd < 0) {
            vm_error_set(error, "file descriptor named '%s' not found", text);
        }
        return fd;
    }
    if (!number_parse(text, 0, G_MAXINT, &number, error)) {
        return -1;
    }
    if (fcntl((int)number, F_GETFD) < 0) {
        vm_error_set(error, "file descriptor %s is not open", text);
        return -1;
    }
    return (int)number;
}

/* --- sets --- */

static int compare_ids(gconstpointer a, gconstpointer b, gpointer opaque G_GNUC_UNUSED)
{
    gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return (first > second) - (first < second);
}

static void clear_entry(gpointer data)
{
    FdSetEntry *entry = data;

    fd_clear(&entry->fd);
    g_clear_pointer(&entry->opaque, g_free);
}

static GArray *find_set(gint64 set_id)
{
    return sets ? g_tree_lookup(sets, &set_id) : NULL;
}

static GArray *make_set(gint64 set_id)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(FdSetEntry));

    g_array_set_clear_func(entries, clear_entry);
    if (!sets) {
        sets = g_tree_new_full(compare_ids, NULL, g_free, (GDestroyNotify)g_array_unref);
    }
    g_tree_insert(sets, g_memdup2(&set_id, sizeof(set_id)), entries);
    return entries;
}

static gboolean find_gap(gpointer key, gpointer value G_GNUC_UNUSED, gpointer opaque)
{
    gint64 *free_id = opaque;

    if (*(gint64 *)key != *free_id) {
        return TRUE;
    }
    ++*free_id;
    return FALSE;
}

gboolean fd_set_add(gint64 *set_id, int fd, const char *opaque, GError **error)
{
    FdSetEntry entry = {fd, g_strdup(opaque)};

    if (fcntl(fd, F_GETFD) < 0) {
        vm_error_set(error, "file descriptor %d is not open", fd);
        g_free(entry.opaque);
        return FALSE;
    }
    if (*set_id < 0) {
        *set_id = 0;
        if (sets) {
            g_tree_foreach(sets, find_gap, set_id);
        }
    }
    GArray *entries = find_set(*set_id);
    if (!entries) {
        entries = make_set(*set_id);
    }
    g_array_append_val(entries, entry);
    return TRUE;
}

gboolean fd_set_remove(gint64 set_id, int fd, GError **error)
{
    GArray *entries = find_set(set_id);

    if (!entries) {
        vm_error_set(error, "fd set %" G_GINT64_FORMAT " not found", set_id);
        return FALSE;
    }
    guint index = 0;
    while (fd >= 0 && index < entries->len && g_array_index(entries, FdSetEntry, index).fd != fd) {
        index++;
    }
    if (fd >= 0 && index == entries->len) {
        vm_error_set(error, "fd set %" G_GINT64_FORMAT " has no file descriptor %d", set_id, fd);
        return FALSE;
    }
    if (fd >= 0) {
        g_array_remove_index(entries, index);
    }
    if (fd < 0 || !entries->len) {
        g_tree_remove(sets, &set_id);
    }
    return TRUE;
}

typedef struct Visit {
    void (*visit)(gint64 set_id, GArray *entries, gpointer opaque);
    gpointer opaque;
} Visit;

static gboolean visit_set(gpointer key, gpointer value, gpointer opaque)
{
    const Visit *visit = opaque;

    visit->visit(*(gint64 *)key, value, visit->opaque);
    return FALSE;
}

void fd_set_foreach(void (*visit)(gint64 set_id, GArray *entries, gpointer opaque), gpointer opaque)
{
    Visit closure = {visit, opaque};

    if (sets) {
        g_tree_foreach(sets, visit_set, &closure);
    }
}

/* The set's descriptor for @access: the very mode, or one that reads and writes; -1 if none. */
static int choose(GArray *entries, int access)
{
    int found = -1;

    for (guint i = 0; i < entries->len; i++) {
        int fd = g_array_index(entries, FdSetEntry, i).fd;
        int mode = fcntl(fd, F_GETFL);
        if (mode >= 0 && (mode & O_ACCMODE) == access) {
            return fd;
        }
        if (mode >= 0 && (mode & O_ACCMODE) == O_RDWR) {
            found = fd;
        }
    }
    return found;
}

static int open_from_set(const char *path, int flags, GError **error)
{
    uint64_t set_id;

    if (!number_parse(path + sizeof(SET_PREFIX) - 1, 0, G_MAXINT64, &set_id, error)) {
        g_prefix_error(error, "'%s': ", path);
        return -1;
    }
    GArray *entries = find_set((gint64)set_id);
    if (!entries) {
        vm_error_set(error, "'%s': there is no such fd set", path);
        return -1;
    }
    int fd = choose(entries, flags & O_ACCMODE);
    if (fd < 0) {
        vm_error_set(error, "'%s': no file descriptor of the set is open for %s", path,
                     (flags & O_ACCMODE) == O_RDONLY   ? "reading"
                     : (flags & O_ACCMODE) == O_WRONLY ? "writing"
                                                       : "reading and writing");
        return -1;
    }
    int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        vm_error_set_errno(error, errno, "'%s' cannot be opened", path);
    }
    return duplicate;
}

int fd_open(const char *path, int flags, mode_t mode, GError **error)
{
    if (g_str_has_prefix(path, SET_PREFIX)) {
        return open_from_set(path, flags, error);
    }
    int fd = open(path, flags | O_CLOEXEC, mode);
    if (fd < 0) {
        vm_error_set_errno(error, errno, "'%s' cannot be opened", path);
    }
    return fd;
}

void fd_names_clear(void)
{
    GHashTableIter iterator;
    gpointer fd;

    if (names) {
        g_hash_table_iter_init(&iterator, names);
        while (g_hash_table_iter_next(&iterator, NULL, &fd)) {
            close(GPOINTER_TO_INT(fd));
        }
        g_clear_pointer(&names, g_hash_table_unref);
    }
    g_clear_pointer(&sets, g_tree_unref);
}
