/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device that docs/devel/adding-a-device.rst shows is one, and checks what it promises. */
#include "hw/core/device.h"
#include "util/object.h"

static void test_type(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(device_type_find("vhost-user-example-pci", &error), !=, 0);
    g_assert_no_error(error);
}

static void test_property(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmObject) device =
        vm_object_new(vm_type_find("vhost-user-example-pci"), "e0", &error);

    g_assert_no_error(error);
    g_assert_true(vm_object_set_string(device, "queue-size", "256", &error));
    g_assert_no_error(error);
    g_assert_false(vm_object_set_string(device, "queue-size", "2048", &error));
    g_assert_cmpstr(g_strrstr(error->message, "2 to 1024"), !=, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/example-device/type", test_type);
    g_test_add_func("/example-device/property", test_property);
    return g_test_run();
}
