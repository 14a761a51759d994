/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -fw_cfg: files that a user gives to the guest. */
#include "hw/i386/fw-cfg.h"

#include "util/error.h"
#include "util/options.h"
#include "util/report.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Users' names begin so; others may come to mean something to firmware. */
#define USERS_PREFIX "opt/"

/* The bytes that @text or the file @path holds; @path is only looked at without @text. */
static GBytes *read_content(const char *text, const char *path, GError **error)
{
    struct stat status;
    char *bytes = NULL;
    gsize size;

    if (text) {
        return g_bytes_new(text, strlen(text));
    }
    if (stat(path, &status) < 0) {
        vm_error_set_errno(error, errno, "file=%s: cannot be read", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
        vm_error_set(error, "file=%s: is neither a file nor a pipe", path);
        return NULL;
    }
    if (!g_file_get_contents(path, &bytes, &size, error)) {
        g_prefix_error(error, "file=%s: ", path);
        return NULL;
    }
    return g_bytes_new_take(bytes, size);
}

static gboolean add_file(FwCfg *config, json_object *option, const char *name, GError **error)
{
    const char *text = options_get(option, "string");
    const char *path = options_get(option, "file");

    json_object_object_foreach(option, key, value)
    {
        (void)value;
        if (strcmp(key, "name") != 0 && strcmp(key, "string") != 0 && strcmp(key, "file") != 0) {
            vm_error_set(error, "unknown parameter '%s'; known are name, string, file", key);
            return FALSE;
        }
    }
    if (!text == !path) {
        vm_error_set(error, "expected either string= or file=");
        return FALSE;
    }
    g_autoptr(GBytes) content = read_content(text, path, error);
    if (!content) {
        return FALSE;
    }
    if (!g_str_has_prefix(name, USERS_PREFIX)) {
        report_warning("-fw_cfg %s: names that users choose begin with " USERS_PREFIX, name);
    }
    gsize size;
    const void *bytes = g_bytes_get_data(content, &size);
    return fw_cfg_add_file(config, name, bytes, size, error);
}

gboolean fw_cfg_add_options(FwCfg *config, json_object *options, GError **error)
{
    for (size_t i = 0; options && i < json_object_array_length(options); i++) {
        json_object *option = json_object_array_get_idx(options, i);
        const char *name = options_get(option, "name");
        if (!name || !*name) {
            vm_error_set(error, "-fw_cfg: name= is missing, expected a name such as opt/NAME");
            return FALSE;
        }
        if (!add_file(config, option, name, error)) {
            g_prefix_error(error, "-fw_cfg %s: ", name);
            return FALSE;
        }
    }
    return TRUE;
}
