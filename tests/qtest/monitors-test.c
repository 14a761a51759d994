/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitors as the command line makes them, on standard input and output, TCP and inherited sockets,
 * and other descriptors that the program inherits.
 */
#include "qtest/vmm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MILLISECONDS 20000

static void test_add_fd(void)
{
    g_autofree char *path = vmm_temporary_path("fdset");
    int fd = g_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const VmmOptions options = {.no_qtest = TRUE, .inherit = &fd, .inherit_count = 1};
    Vmm *vmm = vmm_start_or_fail(
        &options, "-M none -add-fd fd=%d,set=7,opaque=mine -chardev file,id=c,path=/dev/fdset/7",
        fd);
    g_autoptr(json_object) sets = qmp_command_or_fail(vmm->qmp, "{'execute':'query-fdsets'}");

    g_assert_cmpint(qmp_get_int(sets, "0/fdset-id", -1), ==, 7);
    g_assert_cmpstr(qmp_get_string(sets, "0/fds/0/opaque"), ==, "mine");
    vmm_end(vmm);
    close(fd);
}

static int listen_anywhere(char **path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *path = vmm_temporary_path("inherited");
    unlink(*path);
    g_strlcpy(address.sun_path, *path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

/* A monitor over an inherited listening socket, as libvirt starts it; one client after another. */
static void test_inherited_monitor(void)
{
    g_autofree char *path = NULL;
    int fd = listen_anywhere(&path);
    const VmmOptions options = {.no_qtest = TRUE, .inherit = &fd, .inherit_count = 1};
    Vmm *vmm = vmm_start_or_fail(&options,
                                 "-M none -chardev socket,id=c,fd=%d,server=on,wait=off "
                                 "-mon chardev=c,mode=control",
                                 fd);

    close(fd);
    for (guint i = 0; i < 3; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Qmp) qmp = qmp_connect(path, 20, &error);

        g_assert_no_error(error);
        g_assert_true(qmp_negotiate(qmp, &error));
    }
    vmm_end(vmm);
}

/* --- monitors --- */

static void test_stdio_monitor(void)
{
    g_autofree char *script = g_strdup_printf(
        "-c 'printf \"{\\\"execute\\\":\\\"qmp_capabilities\\\"}{\\\"execute\\\":\\\"quit\\\"}\" | "
        "%s -M none -qmp stdio'",
        vmm_binary(NULL, NULL));
    g_autofree char *output = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_assert_true(vmm_run("/bin/sh", script, MILLISECONDS, &status, &output, &errors, &error));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(errors, ==, "");
    g_assert_true(g_str_has_prefix(output, "{\"QMP\":"));
    g_assert_nonnull(strstr(output, "{\"return\":{}}\r\n{\"return\":{}}\r\n"));
}

/* A TCP server on a port of the kernel's choice, and a TCP client of it. */
static void test_tcp(void)
{
    const VmmOptions options = {.no_qtest = TRUE};
    Vmm *server = vmm_start_or_fail(&options, "-M none -qmp tcp:127.0.0.1:0,server=on,wait=off");
    g_autoptr(json_object) chardevs =
        qmp_command_or_fail(server->qmp, "{'execute':'query-chardev'}");
    const char *name = NULL;
    Vmm *client;

    for (guint i = 0; i < json_object_array_length(chardevs); i++) {
        json_object *entry = json_object_array_get_idx(chardevs, i);
        if (!g_strcmp0(qmp_get_string(entry, "label"), "compat_monitor0")) {
            name = qmp_get_string(entry, "filename");
        }
    }
    g_assert_nonnull(name);
    name = strstr(name, "127.0.0.1:");
    g_assert_nonnull(name);
    g_autofree char *address = g_strndup(name, strcspn(name, ","));
    client = vmm_start_or_fail(&options, "-M none -qmp tcp:%s", address);
    vmm_end(client);
    vmm_end(server);
}

/* Several monitors at once; each has its own order, all the same machine. */
static void test_several(void)
{
    const VmmOptions options = {.no_qtest = TRUE, .monitors = 5};
    Vmm *vmm = vmm_start_or_fail(&options, "-M none -S");

    for (guint i = 0; i < 5; i++) {
        json_object_put(qmp_command_or_fail(
            vmm->monitors->pdata[i],
            "{'execute':'object-add','arguments':{'qom-type':'memory-backend-memfd','id':'m%u',"
            "'size':4096}}",
            i));
    }
    for (guint i = 0; i < 5; i++) {
        g_autoptr(json_object) list =
            qmp_command_or_fail(vmm->monitors->pdata[i], "{'execute':'query-memdev'}");

        g_assert_cmpuint(json_object_array_length(list), ==, 5);
    }
    json_object_put(qmp_command_or_fail(vmm->qmp, "{'execute':'cont'}"));
    for (guint i = 0; i < 5; i++) {
        qmp_expect_event(vmm->monitors->pdata[i], "RESUME", MILLISECONDS);
    }
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monitors/add-fd", test_add_fd);
    g_test_add_func("/monitors/inherited", test_inherited_monitor);
    g_test_add_func("/monitors/stdio", test_stdio_monitor);
    g_test_add_func("/monitors/tcp", test_tcp);
    g_test_add_func("/monitors/several", test_several);
    return g_test_run();
}
