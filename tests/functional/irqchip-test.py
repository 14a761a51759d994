#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest on KVM whose I/O APIC and interval timer are devices of the program under test, with a
disk on a message and a disk on a line.  What a guest of a few instructions can see of them:
payload-test.py.  It starts by the PVH entry of its vmlinux; all other guests start by their bzImage's.
"""
import os
import re
import sys

from attempt import option_parser, run
from guest import GuestError
from initramfs import Kernel
from nested import MEMORY, Machine

DISK = 64  # MiB
# Without the local APIC's deadline the kernel needs the interval timer, to find out how fast that APIC
# counts.
OPTIONS = (f"-smp 2 -m {MEMORY} -cpu host,-tsc-deadline "
           f"-object memory-backend-memfd,id=ram,size={MEMORY}M "
           "-machine pc,memory-backend=ram,kernel-irqchip=split "
           "-chardev socket,id=c0,path=/tmp/message.sock "
           "-device vhost-user-blk-pci,id=disk0,chardev=c0 "
           "-chardev socket,id=c1,path=/tmp/line.sock "
           "-device vhost-user-blk-pci,id=disk1,chardev=c1,vectors=0")


def check_interrupts(machine, expected):
    """Each line of /proc/interrupts that is expected is there, and has counted so many."""
    text = machine.run("cat /proc/interrupts")
    for name, (way, least) in expected.items():
        line = re.search(rf"^ *\d+:((?: +\d+)+) +{way} +{name}$", text, re.MULTILINE)
        if not line or sum(map(int, line.group(1).split())) < least:
            raise GuestError(f"there is no '{way} {name}' with {least} interrupts in\n{text}")


def run_guest(host, done):
    for name in "message", "line":
        host.start_disk(name, DISK)
    machine = Machine(host, f"vmm {OPTIONS}", kernel="vmlinux")
    machine.boot()
    done("a stock kernel boots on two CPUs, by the PVH entry of its vmlinux")
    for name in "vda", "vdb":
        machine.check_disk(name)
    done("disks by message and by line")
    check_interrupts(machine, {"timer": ("IO-APIC +2-edge", 20), "acpi": ("IO-APIC +9-fasteoi", 0),
                               "virtio1": (r"IO-APIC +\d+-fasteoi", 100),
                               r"virtio0-req\.0": (r"PCI-MSI \d+-edge", 100)})
    done("timer and lines by the I/O APIC")
    machine.qmp.command("stop")
    machine.qmp.command("cont")
    machine.check_disk("vdb")
    machine.check_complaints()
    done("it goes on after stop and cont, without a complaint")
    machine.qmp.command("system_reset")
    machine.boot()
    machine.check_disk("vdb")
    done("it boots again after system_reset, by the same entry")
    machine.power_off()
    done("it powers off")


def test(attempt):
    kernel = Kernel()
    vmlinux = kernel.as_vmlinux(os.path.join(attempt.directory, "vmlinux.gz"))
    with attempt.host({"vhost-user-blk": attempt.options.backend},
                      kernels={"vmlinux": vmlinux}) as host:
        run_guest(host, attempt.done)


def main():
    return run(option_parser(__doc__, 380, backend="vhost-user-blk").parse_args(), test)


sys.exit(main())
