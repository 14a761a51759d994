#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration's second half: a Debian guest on KVM grows DIMM by DIMM and shrinks again, while
its disk writes and verifies, also from and to the memory that has just come.

KVM is this host's if that truly runs a guest; otherwise that of a host which QEMU emulates here, and
then everything takes as long as in software.
"""
import argparse
import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../functional"))
from chart import Screen
from emulator import find_emulator
from guest import GuestError
from initramfs import Missing
from load import Load
from nested import DIMM, MEMORY, MIB, Host, Machine
from qmp import QmpError
from this_host import ThisHost

BLOCKS = 4096        # of 4 KiB of the disk under load
FILL_DISK = 16       # MiB of the disk that shall reach every DIMM
FILL_SPAN = 32       # KiB that guest-fill writes and reads at a time
HOST_MEMORY = 2048   # MiB of an emulated host beside what the DIMMs take
BOOT = 60            # seconds for a guest on this host's KVM to boot
BOOT_NESTED = 400    # in a host that is emulated, and may be one of many
GIB = 1 << 20        # KiB
TIME = "{:9} {:5.0f} ms"
DIMMS_MOST = 256
DIMMS = 16
# User memory lies all over the DIMMs, and what lies there can be moved.
APPEND = "memhp_default_state=online_movable page_alloc.shuffle=1"


class Demo:
    """The machine and what was measured."""

    def __init__(self, options, screen):
        self.options = options
        self.screen = screen
        self.host = self.machine = self.load = None
        self.boot_slots = self.boot_regions = self.boot_memory = 0
        self.memory = []   # MemTotal in GiB at each step
        self.online = []   # ms from device_add to more MemTotal
        self.added = []    # ms from device_add to its answer
        self.gone = []     # ms from device_del to DEVICE_DELETED
        self.filled = 0    # KiB that went from DIMMs to a disk and back

    # --- the machine ---

    def machine_on(self, host, boot):
        """Starts a guest on a host and lets it boot."""
        self.host = host
        for name, mebibytes in (("load", BLOCKS * 4096 // MIB), ("fill", FILL_DISK)):
            host.start_disk(name, mebibytes)
        disks = " ".join(
            f"-chardev socket,id={name},path={host.folder}/{name}.sock "
            f"-device vhost-user-blk-pci,id={name}-disk,chardev={name},num-queues=2"
            for name in ("load", "fill"))
        dimms = self.options.dimms
        machine = Machine(
            host,
            f"vmm -smp 2 -m {MEMORY},slots={dimms},maxmem={MEMORY + 2 * dimms * DIMM}M "
            f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
            f"{disks} -trace kvm_slot -D {host.folder}/slots.log", APPEND)
        machine.boot(boot)
        self.machine = machine

    def start(self, directory, exits):
        """The guest on this host's KVM, if that runs one, and else in a host that has one."""
        screen, options = self.screen, self.options
        guest = {"bin/guest-load": options.load, "bin/guest-fill": options.fill}
        programs = {"vmm": options.vmm, "vhost-user-blk": options.backend}
        screen.begin("KVM of this host")
        here = ThisHost(directory, programs, guest)
        exits.callback(here.kill)
        begin = time.monotonic()
        try:
            self.machine_on(here, BOOT)
            screen.end("KVM of this host", "runs a guest")
        except (GuestError, QmpError) as error:
            here.kill()
            screen.end("KVM of this host", f"runs no guest: {short(error)}")
            begin = self.start_nested(directory, exits, programs, guest)
        release = self.machine.run("uname -r").strip()
        self.boot_memory = self.machine.memory_total()
        screen.end("guest", f"Linux {release}, booted in {time.monotonic() - begin:.1f} s, "
                   f"MemTotal {self.boot_memory // 1024} MiB")

    def start_nested(self, directory, exits, programs, guest):
        """The guest in a host that Debian's QEMU emulates; when the guest was started."""
        screen = self.screen
        screen.begin("host with AMD's SVM, emulated")
        emulator = find_emulator(self.options.cache, print, self.options.emulator)
        begin = time.monotonic()
        # With two CPUs it loses a guest now and then (nested.py), and a demonstration begins once.
        host = Host(directory, emulator, programs, guest,
                    memory=HOST_MEMORY + DIMM * self.options.dimms, cpus=1)
        exits.callback(host.kill)
        host.boot()
        screen.end("host with AMD's SVM, emulated", "Debian's QEMU, its KVM booted in "
                   f"{time.monotonic() - begin:.1f} s; nothing below is quick")
        screen.begin("guest")
        begin = time.monotonic()
        self.machine_on(host, BOOT_NESTED)
        return begin

    # --- measuring ---

    def slots(self):
        """KVM's memory slots in use: what the program's trace says that it set and removed."""
        return int(self.host.run("awk '/kvm_slot/ { if ($NF == \"0x0\") n--; else n++ } "
                                 f"END {{ print n + 0 }}' {self.host.folder}/slots.log"))

    def regions(self):
        """Memory regions that each of the back-ends has."""
        used = {device["slots-used"] for device in self.machine.qmp.command("x-query-vhost-user")}
        if len(used) != 1:
            raise GuestError(f"the back-ends have different numbers of regions: {used}")
        return used.pop()

    def check(self, dimms):
        """Everybody agrees that there are so many DIMMs; MemTotal, slots and regions."""
        found = self.machine.memory_total(), self.slots(), self.regions()
        expected = (self.boot_memory + dimms * DIMM * 1024, self.boot_slots + dimms,
                    self.boot_regions + dimms)
        if found != expected:
            raise GuestError(f"with {dimms} DIMMs MemTotal (KiB), KVM slots and back-end regions are "
                             f"{found} and not {expected}")
        return found

    def show(self, verb, dimms, time_text):
        total, slots, regions = self.check(dimms)
        report = self.load.report()
        self.memory.append(total / GIB)
        text = (f"{verb:9}{dimms:4} DIMMs {total // 1024:6} MiB  {time_text}  "
                f"KVM slots {slots}  regions {regions}")
        verified = (f"{'disk':9} {report.get('reads', 0):,} blocks verified, "
                    f"{report.get('hot', 0):,} requests through DIMMs, "
                    f"{report.get('errors', 0)} errors")
        self.screen.chart(self.memory, [text, verified])
        self.screen.line(text)

    # --- the story ---

    def grow(self):
        """Plugs DIMM after DIMM; how long each takes until the guest uses it."""
        shell, qmp = self.machine.shell, self.machine.qmp
        for number in range(self.options.dimms):
            target = self.boot_memory + (number + 1) * DIMM * 1024
            qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}",
                        size=DIMM * MIB)
            # The guest looks for itself, since a question would come late.
            shell.send("echo waiting; read -r now _ </proc/uptime; end=$((${now%.*} + 60)); "
                       f"while read -r _ total _ </proc/meminfo; [ $total -lt {target} ]; do "
                       "read -r now _ </proc/uptime; [ ${now%.*} -lt $end ] || break; done")
            shell.wait_output("waiting")
            begin = time.monotonic()
            qmp.command("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}")
            self.added.append(1000 * (time.monotonic() - begin))
            shell.wait_answer(90, f"waiting for DIMM d{number}")
            self.online.append(1000 * (time.monotonic() - begin))
            self.show("growing", number + 1, TIME.format("online in", self.online[-1]))

    def fill(self):
        """The second disk writes from and reads to memory in every DIMM."""
        what, dimms = "memory of every DIMM", self.options.dimms
        self.screen.caption(f"full      the second disk writes from and reads to {what} ...")
        # A guest with little memory at boot has no large pages by itself.
        self.machine.run("echo always >/sys/kernel/mm/transparent_hugepage/enabled")
        output = self.machine.run(f"guest-fill fill /dev/vdb {DIMM} {dimms} {DIMM * dimms}", 300)
        result = dict(word.split("=") for word in output.split())
        if int(result["dimms"]) != dimms:
            raise GuestError(f"guest-fill reached {result['dimms']} of {dimms} DIMMs")
        self.filled = int(result["spans"]) * FILL_SPAN
        self.screen.line(f"full     {dimms:4} DIMMs  the second disk wrote from and read to {what}: "
                         f"{self.filled} KiB, all equal")

    def shrink(self):
        """The guest gives DIMM after DIMM back, the last one first."""
        for number in reversed(range(self.options.dimms)):
            begin = time.monotonic()
            self.machine.unplug(number)
            self.gone.append(1000 * (time.monotonic() - begin))
            self.show("shrinking", number, TIME.format("gone in", self.gone[-1]))

    def stop_load(self):
        report = self.load.stop()
        if report["state"] != "done" or not report["hot"] or not report["reads"]:
            raise GuestError(f"the load on the disk ended with {report}")
        return report

    def run(self):
        dimms = self.options.dimms
        self.boot_slots, self.boot_regions = self.slots(), self.regions()
        self.load = Load(self.machine.run, "/dev/vda", BLOCKS, 1)
        self.load.progress("writes", 20, 60)
        self.screen.end("disks", "2 of vhost-user-blk; one is written and verified all the time")
        print("\nMemTotal of the guest, DIMM by DIMM", flush=True)
        self.screen.scale(2 * dimms + 1, (self.boot_memory + dimms * DIMM * 1024) / GIB)
        self.show("booted", 0, " " * len(TIME.format("online in", 0)))
        self.grow()
        self.fill()
        self.shrink()
        self.screen.keep(self.memory)
        report = self.stop_load()
        self.machine.power_off()
        median = statistics.median
        end = self.screen.end
        end("device_add answered", f"after {median(self.added):.1f} ms, the memory online in the "
            f"guest after {median(self.online):.0f} ms (medians of {dimms})")
        end("device_del to DEVICE_DELETED", f"{median(self.gone):.0f} ms (median)")
        end("disk from and to every DIMM", f"{self.filled} KiB in {dimms} DIMMs, all equal")
        end("disk while memory came and went", f"{report['writes']:,} blocks written, "
            f"{report['reads']:,} verified, {report['hot']:,} requests through DIMMs, all equal")
        end("totals", f"{dimms} DIMMs of {DIMM} MiB in and out, MemTotal {min(self.memory):.2f} - "
            f"{max(self.memory):.2f} - {self.memory[-1]:.2f} GiB, KVM slots {self.boot_slots} - "
            f"{self.boot_slots + dimms} - {self.boot_slots}")


def short(error):
    """What an error says, without the program's name and without advice."""
    text = str(error).splitlines()[-1].split(";")[0]
    return text.removeprefix("qemu-system-x86_64: ").removeprefix("-accel kvm: ")


def show_logs(demo, directory):
    """The ends of all logs, as far as the host still gives its own."""
    try:
        if demo.host:
            demo.host.keep_logs()
    except (GuestError, OSError) as error:
        print(f"the host's logs are lost: {error}")
    for name in sorted(os.listdir(directory)):
        if name.endswith(".log") and name != "slots.log":
            with open(os.path.join(directory, name), errors="replace") as log:
                print(f"--- {name}:\n{log.read()[-2000:]}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vmm", required=True, help="the program")
    parser.add_argument("--backend", required=True, help="vhost-user-blk")
    parser.add_argument("--load", required=True, help="guest-load, linked statically")
    parser.add_argument("--fill", required=True, help="guest-fill, linked statically")
    parser.add_argument("--emulator", help="QEMU that emulates a host, if not the newest that "
                        "Debian 12 can install, or the installed one without network")
    parser.add_argument("--cache", default="backports", help="folder that keeps the former")
    parser.add_argument("--dimms", type=int, default=DIMMS,
                        help=f"1 to {DIMMS_MOST} (default: {DIMMS})")
    options = parser.parse_args()
    if not 1 <= options.dimms <= DIMMS_MOST:
        parser.error(f"--guest-dimms {options.dimms}: it goes from 1 to {DIMMS_MOST}")
    return options


def main():
    options = parse_arguments()
    demo = Demo(options, Screen())
    with contextlib.ExitStack() as exits:
        directory = exits.enter_context(tempfile.TemporaryDirectory(prefix="hotslot-"))
        try:
            demo.start(directory, exits)
            demo.run()
        except Missing as missing:
            print(f"\nFAILED: {missing}; --no-guest leaves the guest out")
            return 1
        except (GuestError, QmpError, OSError) as error:
            print(f"\nFAILED: {error}")
            show_logs(demo, directory)
            return 1
    return 0


def on_terminate(_number, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(flush=True)
        # The shell that waits for us learns how we ended.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
