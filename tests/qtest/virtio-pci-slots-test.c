/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where virtio-pci devices sit: slots and functions as the user names them, right and wrong.
 */
#include "qtest/rig.h"

static void test_addresses(void)
{
    static const struct {
        const char *addr, *named;
    } rows[] = {{"4", "b0"},  {"0x4", "b0"},      {"04.0", "b0"}, {"4.1", "4"},    {"0", "i440FX"},
                {"20", "20"}, {"5.8", "5.8"},     {"x", "x"},     {"", "addr"},    {"5.", "5."},
                {".1", ".1"}, {"4.0.0", "4.0.0"}, {"-1", "-1"},   {"0x100", "100"}};
    g_autoptr(Backend) backend = NULL;
    BackendConfig config;
    Rig *rig = rig_start(NULL, NULL);

    backend_config_init(&config);
    backend = backend_start(&config);
    json_object_put(qmp_command_or_fail(
        rig->qmp,
        "{'execute':'chardev-add','arguments':{'id':'c','backend':{'type':'socket','data':"
        "{'server':false,'addr':{'type':'unix','data':{'path':'%s'}}}}}}",
        backend_path(backend)));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = qmp_command_refused(
            rig->qmp,
            "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'x',"
            "'chardev':'c','addr':'%s'}}",
            rows[i].addr);

        rig_assert_names(text, rows[i].named, NULL);
    }
    json_object_put(qmp_command_or_fail(
        rig->qmp, "{'execute':'device_add','arguments':{'driver':'vhost-user-blk-pci','id':'x',"
                  "'chardev':'c','addr':'06.0','multifunction':true}}"));
    g_assert_cmphex(pci_identify(rig->qtest, PCI_SLOT_FUNCTION(6, 0)), ==, 0x10011af4);
    rig_boot(rig, NULL);
    rig_end(rig);
}

/* Two functions in a slot. */
static void test_multifunction(void)
{
    BackendConfig config;
    g_autoptr(Backend) first = NULL, second = NULL;
    Vmm *vmm;
    PciAddresses addresses;

    backend_config_init(&config);
    first = backend_start(&config);
    second = backend_start(&config);
    vmm = vmm_start_or_fail(NULL,
                            "-M pc -m 64 -chardev socket,id=a,path=%s -chardev socket,id=b,path=%s "
                            "-device vhost-user-blk-pci,chardev=b,addr=7.3 "
                            "-device vhost-user-blk-pci,chardev=a,addr=07.0,multifunction=on",
                            backend_path(first), backend_path(second));
    pci_addresses_init(&addresses);
    for (guint function = 0; function < 8; function++) {
        g_assert_cmphex(pci_identify(vmm->qtest, PCI_SLOT_FUNCTION(7, function)), ==,
                        function == 0 || function == 3 ? 0x10011af4 : UINT32_MAX);
    }
    {
        g_autoptr(PciFunction) pci =
            pci_function_new(vmm->qtest, &addresses, PCI_SLOT_FUNCTION(7, 0));

        g_assert_cmphex(pci_config_readb(pci, PCI_HEADER_TYPE), ==, 0x80);
    }
    vmm_end(vmm);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/addresses", test_addresses);
    g_test_add_func("/virtio-pci/multifunction", test_multifunction);
    return g_test_run();
}
