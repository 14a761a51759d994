#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests on KVM with a disk of vhost-user-blk.

The host is a Linux guest itself, on the software CPU of Debian's QEMU, which has AMD's SVM; so
this runs where there is no hardware virtualisation.  Commands go to the host over its second serial
port, QMP to the machine under test over the third, commands to the guest in it over the fourth.
"""
import argparse
import os
import re
import subprocess
import sys
import time

from guest import Guest, GuestError, Shell, run_test, wait_until, write_initramfs
from initramfs import Kernel
from qmp import Qmp

MIB = 1 << 20
MEMORY = 512  # MiB of the guest at boot
DIMM = 128    # MiB: a memory block of Linux on x86
DISK = 64     # MiB
ADDED = 6     # DIMMs

# What a stock kernel says here and need not trouble us: the software CPU's XSAVE state has sizes that do
# not agree with each other, and a PCI bus of this age has no extended configuration space.
KNOWN_COMPLAINTS = re.compile(r"XSAVE consistency|fpu__init_system_xstate|CPUID\[0d, |MMCONFIG|"
                              r"hrtimer: interrupt took")


def libraries(program):
    """{path in the guest: path here} of what a program loads."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {path.lstrip("/"): os.path.realpath(path)
            for path in re.findall(r"(/\S+)", lines) if not path.endswith(":")}


def start_host(options, directory, exits):
    """The host with everything in it; and the paths of its third and fourth serial port."""
    kernel = Kernel()
    inner = os.path.join(directory, "inner.gz")
    write_initramfs(inner, kernel, ["virtio_blk"], {"bin/guest-load": options.load})
    files = {"bin/vmm": options.vmm, "bin/vhost-user-blk": options.backend,
             "vmlinuz": kernel.image, "inner.gz": inner}
    for program in (options.vmm, options.backend):
        files.update(libraries(program))
    sockets = [os.path.join(directory, name) for name in ("inner-qmp.sock", "inner.sock")]
    host = Guest(directory, options.emulator,
                 ["-accel", "tcg,thread=multi", "-cpu", "max,svm=on", "-smp", "2", "-m", "2560"]
                 + [word for number, path in enumerate(sockets) for word in
                    ("-chardev", f"socket,id=s{number},path={path},server=on,wait=off",
                     "-serial", f"chardev:s{number}")],
                 modules=["kvm_amd"], files=files)
    exits.callback(host.kill)
    host.boot(120)
    host.run("stty -F /dev/ttyS2 raw -echo; stty -F /dev/ttyS3 raw -echo")
    host.run(f"truncate -s {DISK}M /tmp/disk; vhost-user-blk --socket-path /tmp/disk.sock "
             "--blk-file /tmp/disk --num-queues 2 >/tmp/backend.log 2>&1 &")
    return host, sockets


class Inner:
    """The guest of the machine under test."""

    APPEND = "console=ttyS0 quiet loglevel=5 panic=-1 mitigations=off no_timer_check"

    def __init__(self, host, sockets):
        self.host = host
        self.shell = Shell(sockets[1])
        self.qmp = Qmp(sockets[0], 60, self._start)

    def _start(self):
        self.host.run(
            "while ! [ -e /tmp/disk.sock ]; do sleep 0.1; done; "
            f"(vmm -accel kvm -smp 2 -m {MEMORY},slots=64,maxmem=16G -nodefaults -display none "
            f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
            "-chardev file,id=console,path=/tmp/console.log -device isa-serial,chardev=console "
            "-chardev file,id=shell,path=/dev/ttyS3,input-path=/dev/ttyS3 "
            "-device isa-serial,chardev=shell,index=1 "
            "-chardev socket,id=disk,path=/tmp/disk.sock "
            "-device vhost-user-blk-pci,id=disk0,chardev=disk,num-queues=2 -qmp stdio "
            f"-kernel /vmlinuz -initrd /inner.gz -append '{self.APPEND} "
            "memhp_default_state=online_movable' "
            "</dev/ttyS2 >/dev/ttyS2 2>/tmp/vmm.log; echo $? >/tmp/vmm.status) &")

    def status(self, timeout):
        """The machine's exit status."""
        return int(self.host.run(f"for i in $(seq {timeout * 10}); do [ -e /tmp/vmm.status ] && "
                                 "break; sleep 0.1; done; cat /tmp/vmm.status", timeout + 10))


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

    host, sockets = start_host(options, directory, exits)
    done("a host with KVM")
    inner = Inner(host, sockets)
    try:
        run_inner(inner, done)
    except Exception:
        for log in ("vmm.log", "backend.log", "console.log"):
            with open(os.path.join(directory, f"inner-{log}"), "w", encoding="utf-8") as file:
                file.write(host.run(f"cat /tmp/{log} 2>/dev/null | tail -c 8000 || true"))
        raise


def run_inner(inner, done):
    shell, qmp = inner.shell, inner.qmp
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
    if inner.status(20):
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
