#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of a living guest on KVM, under a load that writes and verifies: DIMMs are plugged, filled
and verified by a disk, removed and plugged again, over vhost-user-blk and over Debian's
qemu-storage-daemon; disks come and go; an unplug is refused; a backend is killed.  Each part has a
machine of its own.
"""
import re
import statistics
import sys
import time

from attempt import option_parser, run
from guest import GuestError, wait_until
from load import Load
from nested import DIMM, MEMORY, MIB, Machine
from qmp import QmpError

SLOTS = 4096
DAEMON_SLOTS = 32   # of Debian's qemu-storage-daemon
BLOCKS = 2048       # of the disk under load
WORKERS = 4
DISK = 16           # MiB
FILL = 2560         # MiB that may be taken until some of each DIMM was there
PINNED = 64         # MiB of kernel memory
FEW = 4             # DIMMs where only one is of interest
GROWTH = 256        # KiB of its own that the program may take or give back during rounds
APPEND = "memhp_default_state=online_movable page_alloc.shuffle=1"
OST_DEVICE_CHECK, OST_EJECT = 1, (3, 0x103)  # source events of _OST (ACPI 6.4, 6.3.5)


def start_machine(host, slots, name, devices="", append=APPEND):
    return Machine(
        host,
        f"vmm -smp 2 -m {MEMORY}{f',slots={slots},maxmem=2T' if slots else ''} "
        f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
        + devices, append, name=name)


def disk_device(name, more=""):
    return (f"-chardev socket,id={name},path=/tmp/{name}.sock{more} "
            f"-device vhost-user-blk-pci,id={name}-device,chardev={name},num-queues=2 ")


def check_devices(machine, count):
    """query-memory-devices and query-acpi-ospm-status know all DIMMs."""
    devices = [entry["data"] for entry in machine.qmp.command("query-memory-devices")]
    for number, device in enumerate(devices):
        expected = {"id": f"d{number}", "slot": number, "node": 0, "size": DIMM * MIB,
                    "addr": devices[0]["addr"] + number * DIMM * MIB, "hotplugged": True,
                    "hotpluggable": True, "memdev": f"/objects/m{number}"}
        if device != expected:
            raise GuestError(f"query-memory-devices: {device} is not {expected}")
    reports = machine.qmp.command("query-acpi-ospm-status")
    good = [report for report in reports
            if (report["source"], report["status"]) == (OST_DEVICE_CHECK, 0)]
    if len(devices) != count or len(good) != count:
        raise GuestError(f"{len(devices)} of {count} DIMMs, and the guest's reports {reports}")


def wait_reports(machine, numbers):
    """The guest has reported on each of these DIMMs that it took it."""
    for number in numbers:
        event = machine.qmp.event("ACPI_DEVICE_OST", 60, info={
            "device": f"d{number}", "slot": str(number), "slot-type": "DIMM",
            "source": OST_DEVICE_CHECK, "status": 0})
        if not event:
            raise GuestError(f"no report on d{number}: {machine.qmp.events}")


def wait_let_go(machine, number):
    """The guest has reported that it ejected this DIMM.  Until then it may still look whether the slot
    is empty, and would find the next one in it."""
    def reported():
        machine.qmp.event("", 0.1)  # takes in what has come
        for event in machine.qmp.events:
            info = event.get("data", {}).get("info", {})
            if event["event"] == "ACPI_DEVICE_OST" and info["slot"] == str(number) and \
                    info["source"] in OST_EJECT and info["status"] == 0:
                machine.qmp.events.remove(event)
                return True
        return False
    wait_until(reported, 60, f"the guest's report that it ejected DIMM d{number}")


def fill(machine, disk, dimms, most=FILL):
    """A disk writes from and reads to all DIMMs; what guest-fill says."""
    # A guest with little memory at boot has no large pages by itself.
    machine.run("echo always >/sys/kernel/mm/transparent_hugepage/enabled")
    output = machine.run(f"guest-fill fill /dev/{disk} {DIMM} {dimms} {most}", 180)
    result = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", output)}
    if result["dimms"] != dimms:
        raise GuestError(f"not every one of {dimms} DIMMs was reached: {output}")
    return output.strip()


def wait_disk(machine, name, there):
    wait_until(lambda: machine.run(f"[ -e /sys/block/{name} ] && echo yes || true").strip()
               == ("yes" if there else ""), 30, f"{name} {'appears' if there else 'disappears'}")


class Rounds:
    """Plugs and unplugs of one DIMM: how many are left, and what was measured.  Those of a machine
    whose guest is lost later are done all the same."""

    def __init__(self, count):
        self._left = count
        self._machines = 0
        self._times = ([], [])  # seconds of each plug until it is online, and of each unplug

    def run(self, attempt, host, machine, number):
        """What is left of them; the program is to have as much afterwards as after the first one."""
        self._machines += 1
        self._left = max(self._left, 2)  # the last attempt may have been lost after all of them
        before, count = None, 0
        while self._left:
            self._round(machine, number)
            self._left, count = self._left - 1, count + 1
            before = before or program_takes(host)
        after = program_takes(host)
        attempt.note(f"the program has after 1 round {before}, after {count} {after}")
        for what in "descriptors", "mappings":
            if after[what] != before[what]:
                raise GuestError(f"{count} rounds leave {after[what]} {what}, one {before[what]}")
        if abs(after["own KiB"] - before["own KiB"]) > GROWTH:
            raise GuestError(f"memory of the program: {before} and {after}")
        plug, unplug = (statistics.median(times) for times in self._times)
        total = len(self._times[0])
        attempt.note(f"medians of {total} rounds in {self._machines} machines: plugged and online "
                     f"after {1000 * plug:.1f} ms, gone after {1000 * unplug:.1f} ms")
        return total

    def _round(self, machine, number):
        start = time.monotonic()
        machine.plug(number)
        wait_reports(machine, [number])
        middle = time.monotonic()
        machine.unplug(number)
        for times, seconds in zip(self._times, (middle - start, time.monotonic() - middle)):
            times.append(seconds)
        wait_let_go(machine, number)


def program_takes(host):
    """Descriptors, mappings and memory of its own, without the guest's, of the program."""
    words = host.run("p=/proc/$(pidof vmm); ls $p/fd | wc -l; wc -l <$p/maps; "
                     "awk '/^Anonymous:/ { print $2 }' $p/smaps_rollup").split()
    return dict(zip(("descriptors", "mappings", "own KiB"), map(int, words)))


def refused_unplug(machine, number):
    """A DIMM with memory of the kernel stays."""
    qmp = machine.qmp
    machine.run("echo online_kernel >/sys/devices/system/memory/auto_online_blocks")
    machine.plug(number)
    wait_reports(machine, [number])
    machine.run(f"guest-fill pin {PINNED} >/tmp/pin 2>&1 & "
                "for i in $(seq 100); do grep -q pinned /tmp/pin && break; sleep 0.1; done; "
                "cat /tmp/pin; grep -q pinned /tmp/pin")
    before = machine.memory_total()
    # The guest cannot answer while it is stopped.
    qmp.command("stop")
    qmp.command("device_del", id=f"d{number}")
    text = machine.refusal("device_del", id=f"d{number}")
    if f"d{number}" not in text:
        raise GuestError(f"a second device_del is refused with '{text}'")
    qmp.command("cont")
    for event in ("MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"):
        if not qmp.event(event, 60, device=f"d{number}"):
            raise GuestError(f"no event {event}: {qmp.events}")
    report = qmp.command("query-acpi-ospm-status")[-1]
    if report["device"] != f"d{number}" or report["source"] not in OST_EJECT \
            or report["status"] == 0:
        raise GuestError(f"the guest's last report is {report}")
    ids = [entry["data"]["id"] for entry in qmp.command("query-memory-devices")]
    if f"d{number}" not in ids or machine.memory_total() != before:
        raise GuestError("not everything stayed after the refusal")


def reset_unplugs(machine, number):
    """A reset completes what the guest was asked for and has not done."""
    qmp = machine.qmp
    qmp.command("stop")
    qmp.command("device_del", id=f"d{number}")
    qmp.command("system_reset")
    machine.wait_gone(number)
    qmp.command("cont")
    machine.boot()


def killed_backend(host, machine, process):
    """The guest lives on when the backend of its second disk is killed; the error has its name."""
    host.run(f"kill -9 {process}")
    wait_until(lambda: "extra" in host.run("cat /tmp/ours.log"), 20, "a message that names the disk")
    lines = [line for line in host.run("cat /tmp/ours.log").splitlines() if "extra" in line]
    machine.run("true")
    return lines[0]


class Rig:
    """A machine whose disk is under load, on a host."""

    def __init__(self, attempt, host):
        self.host, self.note = host, attempt.note
        start, exits = time.monotonic(), host.exits()
        host.start_disk("main", BLOCKS * 4096 // MIB)
        self.machine = start_machine(host, SLOTS, "ours", disk_device("main"))
        self.qmp = self.machine.qmp
        self.machine.boot()
        self.note(f"boot with {SLOTS} slots: {time.monotonic() - start:.2f} s, exits "
                  f"{[now - then for now, then in zip(host.exits(), exits)]}")
        attempt.done(f"a guest with {SLOTS} slots boots")
        self.load = Load(self.machine.run, "/dev/vda", BLOCKS, WORKERS)
        self.load.progress("writes", 50)
        self._total = self.machine.memory_total()

    def plug(self, numbers, dimms):
        """Plugs these, which makes so many; the guest uses all of them."""
        start = time.monotonic()
        for number in numbers:
            self.machine.plug(number)
        plugged = time.monotonic() - start
        self.wait_memory(dimms)
        wait_reports(self.machine, numbers)
        self.note(f"{len(numbers)} plugged in {plugged:.2f} s, online after "
                  f"{time.monotonic() - start:.2f} s")
        check_devices(self.machine, dimms)
        self.load.progress("hot", 50)

    def wait_memory(self, dimms):
        self.machine.wait_memory(self._total + dimms * DIMM * 1024, f"with {dimms} DIMMs")

    def start_extra(self):
        """A second disk, hot-plugged; the process number of its backend."""
        process = self.host.start_disk("extra", DISK)
        self.qmp.command("chardev-add", id="extra", backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": "/tmp/extra.sock"}}, "server": False}})
        self.plug_extra()
        return process

    def plug_extra(self):
        self.qmp.command("device_add", driver="vhost-user-blk-pci", id="extra-device",
                         chardev="extra", num_queues=2)
        wait_disk(self.machine, "vdb", True)

    def unplug_extra(self):
        self.qmp.command("device_del", id="extra-device")
        if not self.qmp.event("DEVICE_DELETED", 30, device="extra-device"):
            raise GuestError("the disk is not let go")
        wait_disk(self.machine, "vdb", False)

    def stop_load(self, done):
        self.load.progress("writes", 50)
        report = self.load.stop()
        if report["state"] != "done":
            raise GuestError(f"the load ended with {report}")
        self.note(str(report))
        done("all blocks read back as they were written last")

    def check_complaints(self, done):
        self.machine.check_complaints()
        done("the kernel has no complaint")

    def end(self, done):
        self.stop_load(done)
        self.machine.power_off()
        done("it powers off")


def test_grow(attempt):
    """Many DIMMs, each of which a disk reaches."""
    done, dimms = attempt.done, attempt.options.dimms
    with start_host(attempt) as host:
        rig = Rig(attempt, host)
        rig.plug(range(dimms), dimms)
        done(f"{dimms} DIMMs of {DIMM} MiB are hot-added under load, and the guest reports on each")
        rig.start_extra()
        done("a second disk is hot-plugged")
        attempt.note(fill(rig.machine, "vdb", dimms))
        done("it writes from and reads to memory of all DIMMs")
        rig.unplug_extra()
        rig.plug_extra()
        rig.machine.check_disk("vdb")
        done("it is unplugged and plugged again")
        rig.check_complaints(done)
        rig.end(done)


def test_shrink(attempt):
    """Half of them go and come again."""
    done, dimms = attempt.done, attempt.options.dimms
    with start_host(attempt) as host:
        rig = Rig(attempt, host)
        rig.plug(range(dimms), dimms)
        done(f"{dimms} DIMMs are hot-added under load")
        rig.start_extra()
        start = time.monotonic()
        half = range(0, dimms, 2)
        for number in half:
            rig.machine.unplug(number)
        rig.wait_memory(dimms - len(half))
        attempt.note(f"half of them unplugged in {time.monotonic() - start:.2f} s")
        done("half of them are unplugged")
        rig.plug(half, dimms)
        attempt.note(fill(rig.machine, "vdb", dimms))
        done("they are plugged again, and all used by both disks")
        rig.check_complaints(done)
        rig.end(done)


def test_one(attempt, rounds):
    """One DIMM comes and goes, and is kept by the guest; a backend is killed; a reset."""
    done = attempt.done
    with start_host(attempt) as host:
        rig = Rig(attempt, host)
        machine = rig.machine
        rig.plug(range(FEW), FEW)
        extra = rig.start_extra()
        done(f"{FEW} DIMMs and a disk are hot-plugged")
        count = rounds.run(attempt, host, machine, FEW)
        done(f"one more is plugged and unplugged {count} times, and the program grows by nothing")
        rig.check_complaints(done)
        refused_unplug(machine, FEW)
        done("a refused unplug is reported and leaves everything")
        attempt.note(killed_backend(host, machine, extra))
        done("the second disk's backend is killed: the guest lives, the error names it")
        rig.stop_load(done)
        reset_unplugs(machine, FEW)
        rig.wait_memory(FEW)
        done("a reset completes the unplug, and all other DIMMs are there after it")
        machine.power_off()
        done("it powers off")


def test_daemon(attempt):
    """As many DIMMs as Debian's daemon takes."""
    with start_host(attempt) as host:
        run_daemon(host, attempt.done, attempt.note)


def run_daemon(host, done, note):
    host.run(f"truncate -s {BLOCKS * 4096} /tmp/daemon-image")
    process = host.start_backend(
        "qemu-storage-daemon --blockdev driver=file,node-name=file,filename=/tmp/daemon-image "
        "--export type=vhost-user-blk,id=export,node-name=file,addr.type=unix,"
        "addr.path=/tmp/daemon.sock,writable=on,num-queues=2", "/tmp/daemon.sock", "daemon.log")
    machine = start_machine(host, 64, "storage-daemon", disk_device("daemon"))
    machine.boot()
    load = Load(machine.run, "/dev/vda", BLOCKS, WORKERS)
    load.progress("writes", 50)
    before = machine.memory_total()
    granted, text = 0, ""
    while not text:
        try:
            machine.plug(granted)
            granted += 1
        except QmpError as error:
            text = str(error)
    if f"allows {DAEMON_SLOTS} memory slots" not in text or "daemon-device" not in text or \
            granted != DAEMON_SLOTS - 1:
        raise GuestError(f"after {granted} DIMMs: {text}")
    machine.qmp.command("object-del", id=f"m{granted}")
    machine.wait_memory(before + granted * DIMM * 1024, "with all DIMMs")
    load.progress("hot", 50)
    done(f"{granted} DIMMs over qemu-storage-daemon; the next is refused with the device and its "
         "limit")
    machine.check_complaints()
    done("the kernel has no complaint")
    machine.unplug(granted - 1)
    machine.plug(granted - 1)
    machine.wait_memory(before + granted * DIMM * 1024, "with all DIMMs again")
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    note(str(report))
    note(fill(machine, "vda", granted))
    done("the disk writes from and reads to memory of all of them")
    host.run(f"kill -9 {process}")
    machine.run("true")
    machine.power_off()
    done("the daemon is killed, and the guest powers off")


def measure_boots(attempt):
    """Prints medians of boots in turns; nothing is judged."""
    figures = {}
    with start_host(attempt) as host:
        for _ in range(attempt.options.boots):
            boot_with_each(host, figures)
    for slots, runs in figures.items():
        medians = [statistics.median(column) for column in zip(*runs)]
        attempt.note(f"{slots} slots: boot {medians[0]:.2f} s, {medians[1]:.0f} exits, "
                     f"{medians[2]:.0f} of them port I/O to the program, {medians[3]:.0f} "
                     "memory-mapped")


def boot_with_each(host, figures):
    for slots in (0, 64, SLOTS, 32000):
        exits, start = host.exits(), time.monotonic()
        # A console with warnings costs more exits than all else.
        machine = start_machine(host, slots, "boot", append="loglevel=3")
        machine.boot()
        figures.setdefault(slots, []).append(
            [time.monotonic() - start] + [now - then
                                          for now, then in zip(host.exits(), exits)])
        machine.power_off()


def start_host(attempt):
    options = attempt.options
    return attempt.host(
        {"vhost-user-blk": options.backend, "qemu-storage-daemon": options.daemon},
        guest={"bin/guest-load": options.load, "bin/guest-fill": options.fill}, memory=5120,
        huge_pages=True)


def main():
    parser = option_parser(__doc__, 280, backend="vhost-user-blk",
                           load="guest-load, linked statically",
                           fill="guest-fill, linked statically")
    parser.set_defaults(host_cpus=1)  # with two, attempts were lost more often than not
    parser.add_argument("--daemon", default="/usr/bin/qemu-storage-daemon")
    parser.add_argument("--dimms", type=int, default=64, help="how many are plugged, an even number")
    parser.add_argument("--rounds", type=int, default=50,
                        help="how often one DIMM is plugged and unplugged")
    parser.add_argument("--boots", type=int, default=9,
                        help="how many with 0, 64, 4,096 and 32,000 slots each are measured by "
                        "--legs boots")
    legs = {"grow": test_grow, "shrink": test_shrink, "one": None, "daemon": test_daemon,
            "boots": measure_boots}
    parser.add_argument("--legs", nargs="+", choices=legs, default=list(legs)[:-1],
                        help="which parts, each in a machine of its own (default: %(default)s)")
    options = parser.parse_args()
    rounds = Rounds(options.rounds)
    legs["one"] = lambda attempt: test_one(attempt, rounds)
    return run(options, *[legs[name] for name in options.legs])


sys.exit(main())
