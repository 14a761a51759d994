#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests on KVM with a disk of vhost-user-blk; nested.py has the host."""
import argparse
import re
import sys
import time

from guest import GuestError, run_test, wait_until
from nested import Host, Machine

MIB = 1 << 20
MEMORY = 512  # MiB of the guest at boot
DIMM = 128    # MiB: a memory block of Linux on x86
DISK = 64     # MiB
ADDED = 6     # DIMMs

# What a stock kernel says here and need not trouble us: the software CPU's XSAVE state has sizes that do
# not agree with each other, and a PCI bus of this age has no extended configuration space.
KNOWN_COMPLAINTS = re.compile(r"XSAVE consistency|fpu__init_system_xstate|CPUID\[0d, |MMCONFIG|"
                              r"hrtimer: interrupt took")


def start_host(options, directory, exits):
    """The host with everything in it, its disk served."""
    host = Host(directory, {"vmm": options.vmm, "vhost-user-blk": options.backend},
                guest={"bin/guest-load": options.load}, emulator=options.emulator)
    exits.callback(host.kill)
    host.boot()
    host.run(f"truncate -s {DISK}M /tmp/disk")
    host.start_backend("vhost-user-blk --socket-path /tmp/disk.sock --blk-file /tmp/disk "
                       "--num-queues 2", "/tmp/disk.sock")
    return host


def start_machine(host):
    return Machine(
        host,
        f"vmm -smp 2 -m {MEMORY},slots=64,maxmem=16G "
        f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
        "-chardev socket,id=disk,path=/tmp/disk.sock "
        "-device vhost-user-blk-pci,id=disk0,chardev=disk,num-queues=2",
        "memhp_default_state=online_movable")


def check_disk(shell):
    """Random bytes go to the disk and come back, around the guest's page cache."""
    shell.run("dd if=/dev/urandom of=/tmp/random bs=1M count=8 2>/dev/null; "
              "dd if=/tmp/random of=/dev/vda bs=64k oflag=direct 2>/dev/null; "
              "dd if=/dev/vda of=/tmp/again bs=64k count=128 iflag=direct 2>/dev/null; "
              "cmp /tmp/random /tmp/again", 60)


def complaints(shell):
    """What the kernel warns of, less what is known; a warning with its trace is one of them."""
    text, in_trace = [], False
    for line in shell.run("dmesg -r | grep -E '^<[0-4]>' || true").splitlines():
        in_trace = in_trace or "cut here" in line
        if not in_trace or "WARNING" in line:
            if not KNOWN_COMPLAINTS.search(line):
                text.append(line)
        in_trace = in_trace and "end trace" not in line
    return text


def plug(qmp, number):
    qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}", size=DIMM * MIB)
    qmp.command("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}")


def test(options, tap, directory, exits):
    begin = time.monotonic()

    def done(what):
        tap.ok(what)
        tap.note(f"after {time.monotonic() - begin:.1f} s")

    host = start_host(options, directory, exits)
    done("a host with KVM")
    try:
        run_machine(start_machine(host), done)
    except Exception:
        host.keep_logs()
        raise


def run_machine(machine, done):
    shell, qmp = machine.shell, machine.qmp
    shell.wait_ready(120)
    if not qmp.command("query-kvm")["enabled"]:
        raise GuestError("query-kvm says that KVM is not used")
    cpus = qmp.command("query-cpus-fast")
    if shell.run("nproc").strip() != "2" or len({cpu["thread-id"] for cpu in cpus}) != 2:
        raise GuestError(f"not two CPUs: {cpus}")
    done("a stock kernel boots on two CPUs")
    text = complaints(shell)
    if text:
        raise GuestError("the kernel complains:\n" + "\n".join(text))
    done("without a complaint")
    check_disk(shell)
    done("its disk works")
    before = shell.memory_total()
    for number in range(ADDED):
        plug(qmp, number)
    wait_until(lambda: shell.memory_total() == before + ADDED * DIMM * 1024, 60,
               "MemTotal with all DIMMs")
    done(f"{ADDED} DIMMs are hot-added and online")
    check_disk(shell)
    done("its disk works with them")
    qmp.command("device_del", id="d0")
    if not qmp.event("DEVICE_DELETED", 30, device="d0"):
        raise GuestError("DIMM d0 is not let go")
    wait_until(lambda: shell.memory_total() == before + (ADDED - 1) * DIMM * 1024, 30,
               "MemTotal without one of them")
    done("one is removed")
    qmp.command("stop")
    qmp.command("cont")
    shell.run("true")
    done("it goes on after stop and cont")
    qmp.command("system_reset")
    shell.wait_ready(120)
    check_disk(shell)
    done("it boots again after system_reset")
    shell.send("poweroff -f")
    if not qmp.event("SHUTDOWN", 30, guest=True):
        raise GuestError("no event SHUTDOWN")
    if machine.status(20):
        raise GuestError("the machine ended badly")
    done("it powers off")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vmm", required=True, help="the program under test")
    parser.add_argument("--backend", required=True, help="vhost-user-blk")
    parser.add_argument("--load", required=True, help="guest-load, linked statically")
    parser.add_argument("--emulator", default="/usr/bin/qemu-system-x86_64")
    parser.add_argument("--logs", default="functional-logs", help="where logs of a failure go")
    options = parser.parse_args()
    return run_test(lambda *rest: test(options, *rest), 280, options.logs)


sys.exit(main())
