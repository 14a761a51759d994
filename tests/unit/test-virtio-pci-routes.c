/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of the virtio-pci transport by an accelerator, which here takes no signal by itself:
 * each one stays to be found.
 */
#include "fake-irq.h"
#include "virtio-pci-fixture.h"

static void signal_and_settle(void)
{
    event_fd_signal(virtio_pci_queue(probe, 0)->call);
    run_main_loop();
}

/* TRUE if the accelerator, and nobody else, gets the signals: takes the one that was made. */
static gboolean routed(void)
{
    signal_and_settle();
    g_assert_cmpint(fake_irq_event_fd, ==, virtio_pci_queue(probe, 0)->call);
    return event_fd_clear(virtio_pci_queue(probe, 0)->call);
}

static void test_routes(void)
{
    fake_irq_begin(&trail);
    PciBus *bus = set_up(probe_get_type());
    unsigned flags = capability_at(DEVFN, 0) + PCI_MSIX_FLAGS;

    config_write(DEVFN, flags, 0x8000, 2);
    mem_write(MSIX + 16, 0xfee00000, 8);
    mem_write(MSIX + 24, 0x77, 8); /* vector 1 is not masked any more */
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
    take_trail(""); /* nobody wants calls yet */
    start_driver();
    take_trail("connect0:fee00000=77 start ");
    g_assert_true(routed());

    /* Masked: signals are looked at here and wait in the pending bit, also one that was made before
     * and that the accelerator did not get to see. */
    event_fd_signal(virtio_pci_queue(probe, 0)->call);
    mem_write(MSIX + 28, 1, 4);
    take_trail("disconnect0 ");
    run_main_loop();
    g_assert_cmphex(mem_read(MSIX + 0x800, 8), ==, 2);
    mem_write(MSIX + 24, 0x78, 4); /* drivers change the message of a masked vector */
    take_trail("");
    mem_write(MSIX + 28, 0, 4);
    take_trail("msi:fee00000=78 connect0:fee00000=78 ");
    g_assert_cmphex(mem_read(MSIX + 0x800, 8), ==, 0);
    g_assert_true(routed());

    /* The same by the function's mask, by bus mastering, and without MSI-X by INTA. */
    config_write(DEVFN, flags, 0xc000, 2);
    take_trail("disconnect0 ");
    g_assert_false(routed());
    config_write(DEVFN, flags, 0x8000, 2);
    take_trail("msi:fee00000=78 connect0:fee00000=78 ");
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    take_trail("disconnect0 ");
    g_assert_false(routed());
    config_write(DEVFN, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    take_trail("msi:fee00000=78 connect0:fee00000=78 ");
    config_write(DEVFN, flags, 0, 2);
    take_trail("disconnect0 ");
    g_assert_false(routed());
    take_trail("line16+ ");
    g_assert_cmphex(mem_read(ISR, 1), ==, 1);
    take_trail("line16- ");
    config_write(DEVFN, flags, 0x8000, 2);
    take_trail("connect0:fee00000=78 ");

    /* No vector; paused; the machine's end. */
    common_write(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 0xffff, 2);
    take_trail("disconnect0 ");
    g_assert_false(routed());
    common_write(VIRTIO_PCI_COMMON_Q_MSIX, 1, 2);
    take_trail("connect0:fee00000=78 ");
    g_assert_true(routed());
    run_state_stop(NULL, NULL);
    event_fd_signal(virtio_pci_queue(probe, 0)->call);
    run_main_loop();
    g_assert_cmpstr(trail->str, ==, "disconnect0 pause ");
    g_string_truncate(trail, 0);
    run_state_start(NULL);
    g_assert_true(event_fd_clear(virtio_pci_queue(probe, 0)->call)); /* still there for the route */
    g_assert_nonnull(strstr(trail->str, "connect0:fee00000=78 "));
    g_assert_cmpuint(fake_irq_routes, ==, 1);
    tear_down(bus);
    g_assert_cmpuint(fake_irq_routes, ==, 0);
    fake_irq_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    main_loop_init();
    add_ram(0x4000000);
    g_test_add_func("/virtio-pci-routes/masks", test_routes);
    return g_test_run();
}
