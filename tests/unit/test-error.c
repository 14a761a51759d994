/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/error.h"

#include <errno.h>

static void test_message(void)
{
    g_autoptr(GError) error = NULL;

    vm_error_set_errno(&error, ENOENT, "chardev '%s': cannot open '%s'", "c0", "/x");
    g_assert_error(error, VM_ERROR, VM_ERROR_GENERIC);
    g_assert_cmpstr(error->message, ==,
                    "chardev 'c0': cannot open '/x': No such file or directory");
}

static void test_class(void)
{
    g_autoptr(GError) missing =
        g_error_new(VM_ERROR, VM_ERROR_DEVICE_NOT_FOUND, "Device 'd0' not found");
    g_autoptr(GError) foreign = g_error_new(G_FILE_ERROR, G_FILE_ERROR_NOENT, "gone");

    g_assert_cmpstr(vm_error_class(missing), ==, "DeviceNotFound");
    g_assert_cmpstr(vm_error_class(foreign), ==, "GenericError");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/message", test_message);
    g_test_add_func("/error/class", test_class);
    return g_test_run();
}
