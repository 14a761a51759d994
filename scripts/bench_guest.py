# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures Linux guests on KVM: how soon they run, what a disk request and a DIMM take of the host,
and what memory the program needs for itself; with Debian's QEMU beside ours in one nested host."""
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench_common import DEBIAN, say, version_of
from bench_priority import take_priority

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/functional"))
from emulator import find_emulator  # noqa: E402
from guest import GuestError  # noqa: E402
from initramfs import Initramfs, Kernel, Missing, find_busybox  # noqa: E402
from nested import Host, Machine  # noqa: E402

ROMS = ("bios-256k.bin", "bios-microvm.bin", "kvmvapic.bin", "linuxboot_dma.bin", "pvh.bin",
        "qboot.rom")
ROM_FOLDERS = ("/usr/share/qemu", "/usr/share/seabios")
LOG_END = 3000  # characters of a log that are shown after a failure
MIB = 1 << 20
MEMORY = 256    # MiB at boot
DIMM = 128      # MiB: a memory block of Linux on x86
START_ROUNDS, ROUNDS, DIMMS, REQUESTS = 5, 4, 8, 4000
SHORT_START_ROUNDS, SHORT_ROUNDS, SHORT_DIMMS, SHORT_REQUESTS = 1, 1, 2, 100
OURS, PC, MICROVM = "ours", "QEMU pc", "QEMU microvm"
SHELL_OF_QEMU = "serial,path=/dev/ttyS3"  # the host's line; its files cannot be read
FIRST_LINE = "@@ user space"
TRACING = "/sys/kernel/tracing"
START_PATIENCE = 90  # seconds, more than bench-first-line has
USER_SPACE = f"{TRACING}/events/kvm/kvm_userspace_exit/enable"


def programs_of(build):
    """What runs in the host; QEMU only where Debian's is installed with its firmware."""
    found = {"vmm": build / "qemu-system-x86_64",
             "vhost-user-blk": build / "tools/vhost-user-blk/vhost-user-blk"}
    roms = {}
    for rom in ROMS:
        for folder in ROM_FOLDERS:
            if os.path.exists(f"{folder}/{rom}"):
                roms[f"usr/share/qemu/{rom}"] = os.path.realpath(f"{folder}/{rom}")
    if os.path.exists(DEBIAN) and len(roms) == len(ROMS):
        return {**found, "qemu": Path(DEBIAN)}, roms
    return found, {}


def write_first_line(path):
    """An initramfs whose first process does nothing but say so."""
    archive = Initramfs()
    archive.add_file("bin/busybox", find_busybox())
    archive.add("init", ("#!/bin/busybox sh\n/bin/busybox mkdir /dev\n"
                         "/bin/busybox mount -t devtmpfs devtmpfs /dev\n"
                         f"/bin/busybox echo '{FIRST_LINE}' >/dev/ttyS0\n"
                         "/bin/busybox sleep 1000\n").encode(), executable=True)
    archive.write(path)


class Bench:
    """The host, and what is measured there.  start_host() boots one."""

    def __init__(self, start_host, kinds):
        self.start_host = start_host
        self.host = start_host()
        self.kinds = kinds  # {name: program and machine}
        self.machines = 0
        self.backend = None  # process id of the running machine's

    # --- start ---

    def first_line(self, name):
        """Milliseconds from the start of the program to the guest's first line in user space; None
        if a machine that is not ours has not come so far in the time that bench-first-line waits.
        Some of them do not even let go of the emulated CPU then: a new host has to go on."""
        try:
            output = self.host.run(
                f"bench-first-line 1 '{FIRST_LINE}' {self.kinds[name]} -accel kvm -cpu host -smp 1 "
                f"-m {MEMORY} -nodefaults -display none -serial stdio -kernel /vmlinuz "
                f"-initrd /first.gz -append '{Machine.APPEND}' </dev/null 2>&1 || true",
                START_PATIENCE)
        except GuestError:
            if name == OURS:
                raise
            self.host.kill()
            self.host = self.start_host()
            return None
        found = re.search(r"^(\d+\.\d+)$", output, re.MULTILINE)
        if not found and name == OURS:
            raise RuntimeError(f"{name}: {output.strip()}")
        return float(found.group(1)) if found else None

    def measure_start(self, rounds):
        results = {name: [] for name in self.kinds}
        for number in range(rounds):
            for name in self.kinds if number % 2 == 0 else reversed(self.kinds):
                results[name].append(self.first_line(name))
        return results

    # --- a running guest ---

    def start_machine(self, name):
        self.machines += 1
        disk = f"/tmp/disk{self.machines}.sock"
        self.backend = self.host.start_backend(
            f"vhost-user-blk --socket-path {disk} --blk-file /tmp/disk", disk)
        machine = Machine(
            self.host,
            f"{self.kinds[name]},memory-backend=ram -cpu host -smp 2 "
            f"-m {MEMORY},slots=16,maxmem=8G "
            f"-object memory-backend-memfd,id=ram,size={MEMORY}M,share=on "
            f"-chardev socket,id=disk,path={disk} "
            "-device vhost-user-blk-pci,id=disk0,chardev=disk,num-queues=1",
            "memhp_default_state=online_movable",
            shell=None if name == OURS else SHELL_OF_QEMU)
        machine.boot()
        return machine

    def private_kib(self, program):
        """Memory that the program has written, less the guest's, which lies in memfds."""
        smaps = self.host.run(f"cat /proc/$(pidof {program})/smaps")
        total, counted = 0, True
        for line in smaps.splitlines():
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                counted = "memfd:" not in line
            elif counted and line.startswith("Private_Dirty"):
                total += int(line.split()[1])
        return total

    def exits(self):
        """All exits of all CPUs, and those that the program had to deal with."""
        user_space = self.host.run(f"grep -c kvm_userspace_exit: {TRACING}/trace || true")
        return self.host.exits()[0], int(user_space)

    def measure_requests(self, machine, count):
        """Exits for each of @count reads of 4 KiB, one after the other, around the page cache."""
        self.host.run(f"echo >{TRACING}/trace; echo 1 >{USER_SPACE}")
        # What is there without a request: the guest's clock, and the command on its serial port.
        command = "dd if=/dev/vda of=/dev/null bs=4k iflag=direct count={:06} 2>/dev/null"
        quiet, idle = self._exits_of(machine, command.format(0))
        every, user_space = self._exits_of(machine, command.format(count))
        self.host.run(f"echo 0 >{USER_SPACE}")
        return {"exits": (every - quiet) / count, "user_space_exits": (user_space - idle) / count}

    def _exits_of(self, machine, command):
        before = self.exits()
        machine.shell.run(command, 60)
        after = self.exits()
        return after[0] - before[0], after[1] - before[1]

    def measure_plugs(self, machine, count):
        """Milliseconds from device_add until the guest's MemTotal has grown, and until its answer."""
        online, answered = [], []
        for number in range(count):
            before = machine.shell.memory_total()
            machine.qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}",
                                size=DIMM * MIB, share=True)
            machine.shell.send(f"while grep -q 'MemTotal: *{before} ' /proc/meminfo; do :; done")
            begin = time.monotonic()
            machine.qmp.command("device_add", driver="pc-dimm", id=f"d{number}",
                                memdev=f"m{number}")
            answered.append(1e3 * (time.monotonic() - begin))
            machine.shell.wait_answer(60)
            online.append(1e3 * (time.monotonic() - begin))
        return {"online_ms": statistics.median(online), "answer_ms": statistics.median(answered)}

    def measure_machine(self, name, dimms, requests):
        machine = self.start_machine(name)
        program = self.kinds[name].split()[0]
        measured = {"private_kib": self.private_kib(program),
                    **self.measure_requests(machine, requests),
                    **self.measure_plugs(machine, dimms)}
        machine.qmp.quit()
        machine.status(20)
        machine.close()
        self.host.run(f"kill {self.backend}")
        return measured


def median(list_):
    return statistics.median(list_) if list_ else 0


def measure_all(bench, short):
    start_rounds, rounds, dimms, requests = (
        (SHORT_START_ROUNDS, SHORT_ROUNDS, SHORT_DIMMS, SHORT_REQUESTS) if short else
        (START_ROUNDS, ROUNDS, DIMMS, REQUESTS))
    say("  start to the first line")
    starts = bench.measure_start(start_rounds)
    running = [name for name in bench.kinds if name != MICROVM]
    say("  disk requests, DIMMs and memory")
    runs = {name: [] for name in running}
    for number in range(rounds):
        for name in running if number % 2 == 0 else reversed(running):
            runs[name].append(bench.measure_machine(name, dimms, requests))
    kinds = {OURS: "vmm -machine pc"}
    for name, times in starts.items():
        came = [time_ for time_ in times if time_ is not None]
        kinds[name] = {"started": len(came), "start_ms": median(came),
                       "least_start_ms": min(came, default=0),
                       **{key: statistics.median(run[key] for run in runs[name])
                          for key in (runs[name][0] if name in runs else ())}}
    ratios = {name: median([ours / other for ours, other in zip(starts[OURS], starts[name])
                            if other is not None])
              for name in starts if name != OURS}
    return {"kinds": kinds, "start_ratios": ratios, "start_rounds": start_rounds,
            "rounds": rounds, "dimms": dimms, "requests": requests}


def start_host(folder, emulator, kernel, programs, files):
    host = Host(folder, emulator, programs, kernel=kernel, memory=4096, files=files)
    try:
        host.boot()
        host.run(f"truncate -s 64M /tmp/disk; mount -t tracefs tracefs {TRACING}")
    except Exception:
        host.kill()
        raise
    return host


def measure_in(folder, start, kinds, short):
    bench = Bench(start, kinds)
    try:
        return measure_all(bench, short)
    except Exception:
        for log in Path(folder).glob("*.log"):
            say(f"--- {log.name}:\n{log.read_text(errors='replace')[-LOG_END:]}")
        raise
    finally:
        bench.host.kill()


def measure(build, short):
    """All figures of guests, or None where there is nothing to boot."""
    say("Linux guests")
    try:
        kernel = Kernel()
        emulator = find_emulator(build / "tests/functional/backports", say)
    except Missing as missing:
        say(f"  skipped: {missing}")
        return None
    take_priority()
    programs, roms = programs_of(build)
    qemu = "qemu -L /usr/share/qemu -no-user-config"
    kinds = {OURS: "vmm -machine pc"}
    if roms:
        kinds.update({MICROVM: f"{qemu} -machine microvm", PC: f"{qemu} -machine pc"})
    with tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "first.gz")
        write_first_line(first)
        files = {"first.gz": first, **roms,
                 "bin/bench-first-line": build / "tests/bench/bench-first-line"}
        measured = measure_in(folder, lambda: start_host(folder, emulator, kernel, programs,
                                                         files), kinds, short)
    measured["kernel"] = kernel.release
    measured["qemu"] = version_of(DEBIAN) if roms else None
    return measured
