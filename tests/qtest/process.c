/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of another process. */
#include "qtest/process.h"

#include "qtest/vmm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *process_read(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        vmm_fail("%s cannot be read", path);
    }
    return text;
}

__attribute__((noinline)) /* gcc 12 warns wrongly of a dangling pointer otherwise */
guint64
process_number_in(const char *text, const char *key)
{
    g_autofree char *begin = g_strdup_printf("\n%s:", key);
    const char *line = strstr(text, begin);

    if (!line) {
        vmm_fail("no line %s", key);
    }
    return g_ascii_strtoull(line + strlen(begin), NULL, 10);
}

guint64 process_number(pid_t pid, const char *name, const char *key)
{
    g_autofree char *text = process_read(pid, name);

    return process_number_in(text, key);
}

gboolean process_is_sanitized(pid_t pid)
{
    /* Their shadow of all memory is reserved at the start: no program has so much by itself. */
    return process_number(pid, "status", "VmSize") >= UINT64_C(1) << 30; /* KiB */
}

guint process_descriptors(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    guint count = 0;

    while (directory && g_dir_read_name(directory)) {
        count++;
    }
    if (!count) {
        vmm_fail("%s cannot be read", path);
    }
    return count;
}

/* A line of /proc/net/unix (proc(5)) has, of eight fields,
 * the flag 0x10000 in the fourth and the path in the last. */
gboolean process_listens(const char *socket)
{
    FILE *sockets = fopen("/proc/net/unix", "re");
    char line[512];
    gboolean found = FALSE;

    while (sockets && !found && fgets(line, sizeof(line), sockets)) {
        unsigned flags;
        char path[256];

        found = sscanf(line, "%*s %*s %*s %x %*s %*s %*s %255s", &flags, path) == 2 &&
                (flags & 0x10000) && !strcmp(path, socket);
    }
    if (sockets) {
        fclose(sockets);
    }
    return found;
}

void process_check_ends_with_parent(const char *arguments, const char *ready)
{
    g_autofree char *script = g_strdup_printf("-c '%s %s & until %s; do sleep 0.01; done; echo $!'",
                                              vmm_binary(NULL, NULL), arguments, ready);
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    if (!vmm_run("/bin/sh", script, 20000, &status, &output, &errors, &error)) {
        vmm_fail("%s", error->message);
    }
    pid_t pid = atoi(output);
    if (status != 0 || pid <= 0) {
        vmm_fail("the shell ended with status %d and wrote: %s%s", status, output, errors);
    }
    for (guint i = 0; kill(pid, 0) == 0; i++) {
        if (i == 4000) {
            vmm_fail("process %d goes on without its parent", pid);
        }
        g_usleep(5000);
    }
}
