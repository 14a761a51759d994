/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -runas and -chroot (and -run-with user=, chroot=): once every file and socket of the command
 * line is open, and before the guest runs, the program gives up its user and its file system.
 */
#include "setup-internal.h"
#include "setup.h"

#include "util/daemon.h"
#include "util/error.h"
#include "util/options.h"
#include "util/size.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

/* The new user; NULL: none is asked for. */
static struct {
    char *text; /* as given */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* all of its groups, gid among them */
    int group_count;
} user;

/* The new root; NULL: the file system stays. */
static struct {
    char *text; /* as given */
    char *path; /* absolute */
} root;

/* --- what is asked for --- */

/* "UID:GID"; FALSE if @text is not that. */
static gboolean parse_numbers(const char *text)
{
    g_auto(GStrv) numbers = g_strsplit(text, ":", 2);
    uint64_t uid, gid;

    /* The highest one stands for "none" in setresuid(2). */
    if (!numbers[0] || !numbers[1] || !number_parse(numbers[0], 0, G_MAXUINT32 - 1, &uid, NULL) ||
        !number_parse(numbers[1], 0, G_MAXUINT32 - 1, &gid, NULL)) {
        return FALSE;
    }
    user.uid = (uid_t)uid;
    user.gid = (gid_t)gid;
    user.groups = g_new(gid_t, 1);
    user.groups[0] = user.gid;
    user.group_count = 1;
    return TRUE;
}

/* A name of the host's; now, because its data base may be out of reach later. */
static gboolean parse_name(const char *text)
{
    const struct passwd *entry = getpwnam(text);

    if (!entry) {
        return FALSE;
    }
    user.uid = entry->pw_uid;
    user.gid = entry->pw_gid;
    user.group_count = 16;
    user.groups = g_new(gid_t, user.group_count);
    while (getgrouplist(text, user.gid, user.groups, &user.group_count) < 0) {
        user.groups = g_renew(gid_t, user.groups, user.group_count);
    }
    return TRUE;
}

/* @option is "-runas " or "-run-with user=". */
static gboolean take_user(const char *option, const char *text, GError **error)
{
    g_clear_pointer(&user.groups, g_free);
    g_clear_pointer(&user.text, g_free);
    if (!parse_numbers(text) && !parse_name(text)) {
        vm_error_set(error, "%s%s: there is no such user; expected a name, or UID:GID", option,
                     text);
        return FALSE;
    }
    user.text = g_strconcat(option, text, NULL);
    return TRUE;
}

/* @option is "-chroot " or "-run-with chroot=". */
static gboolean take_root(const char *option, const char *path, GError **error)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        vm_error_set_errno(error, errno, "%s%s", option, path);
        return FALSE;
    }
    if (!S_ISDIR(status.st_mode)) {
        vm_error_set(error, "%s%s: is not a directory", option, path);
        return FALSE;
    }
    g_free(root.text);
    g_free(root.path);
    root.text = g_strconcat(option, path, NULL);
    root.path = g_canonicalize_filename(path, NULL);
    return TRUE;
}

static gboolean apply_runas(const char *value, GError **error)
{
    return take_user("-runas ", value, error);
}

static gboolean apply_chroot(const char *value, GError **error)
{
    return take_root("-chroot ", value, error);
}

gboolean setup_take_privileges(json_object *options, GError **error)
{
    g_autofree char *name = options_take(options, "user");
    g_autofree char *path = options_take(options, "chroot");

    return (!name || take_user("-run-with user=", name, error)) &&
           (!path || take_root("-run-with chroot=", path, error));
}

gboolean setup_privileges(const GArray *items, GError **error)
{
    if (!setup_each(items, "runas", apply_runas, error) ||
        !setup_each(items, "chroot", apply_chroot, error)) {
        return FALSE;
    }
    if (setup_privileges_change() && geteuid() != 0) {
        vm_error_set(error, "%s: only root may do that; start the program as root",
                     user.text ? user.text : root.text);
        return FALSE;
    }
    return TRUE;
}

gboolean setup_privileges_change(void)
{
    return user.text || root.text;
}

/* --- the change --- */

static gboolean change_root(GError **error)
{
    if (root.path && (chroot(root.path) < 0 || chdir("/") < 0)) {
        vm_error_set_errno(error, errno, "%s", root.text);
        return FALSE;
    }
    return TRUE;
}

/* The C library does this for all threads. */
static gboolean change_user(GError **error)
{
    if (!user.text) {
        return TRUE;
    }
    if (setgroups((size_t)user.group_count, user.groups) < 0 ||
        setresgid(user.gid, user.gid, user.gid) < 0 ||
        setresuid(user.uid, user.uid, user.uid) < 0) {
        vm_error_set_errno(error, errno, "%s", user.text);
        return FALSE;
    }
    if (user.uid != 0 && setuid(0) == 0) {
        vm_error_set(error, "%s: root's rights came back afterwards", user.text);
        return FALSE;
    }
    return TRUE;
}

gboolean setup_privileges_drop(const GArray *items, GError **error)
{
    if (!setup_privileges_change()) {
        return TRUE;
    }
    /* What going to the background still needs of the file system comes before. */
    if (!daemon_prepare(error)) {
        g_prefix_error(error, "-daemonize: ");
        return FALSE;
    }
    return change_root(error) && change_user(error) && setup_follow_parent(items, error) &&
           setup_sandbox_complete(error);
}

void setup_privileges_clear(void)
{
    g_clear_pointer(&user.text, g_free);
    g_clear_pointer(&user.groups, g_free);
    g_clear_pointer(&root.text, g_free);
    g_clear_pointer(&root.path, g_free);
}
