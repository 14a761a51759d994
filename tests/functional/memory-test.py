#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of a living guest on KVM, under a load that writes and verifies: DIMMs are plugged, filled
and verified by a disk, removed and plugged again, over vhost-user-blk and over Debian's
qemu-storage-daemon; disks come and go; an unplug is refused; a backend is killed.
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


def rounds(machine, number, count):
    """Plugs and unplugs one DIMM; the seconds that each took."""
    times = ([], [])
    for _ in range(count):
        start = time.monotonic()
        machine.plug(number)
        wait_reports(machine, [number])
        middle = time.monotonic()
        machine.unplug(number)
        for list_, seconds in zip(times, (middle - start, time.monotonic() - middle)):
            list_.append(seconds)
    return [statistics.median(list_) for list_ in times]


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


def run_ours(host, options, done, note):
    dimms = options.dimms
    start = time.monotonic()
    before_exits = host.exits()
    host.start_disk("main", BLOCKS * 4096 // MIB)
    machine = start_machine(host, SLOTS, "ours", disk_device("main"))
    qmp = machine.qmp
    machine.boot()
    note(f"boot with {SLOTS} slots: {time.monotonic() - start:.2f} s, exits "
         f"{[now - then for now, then in zip(host.exits(), before_exits)]}")
    done(f"a guest with {SLOTS} slots boots")

    load = Load(machine.run, "/dev/vda", BLOCKS, WORKERS)
    load.progress("writes", 50)
    before = machine.memory_total()
    start = time.monotonic()
    for number in range(dimms):
        machine.plug(number)
    plugged = time.monotonic() - start
    machine.wait_memory(before + dimms * DIMM * 1024, "with all DIMMs")
    wait_reports(machine, range(dimms))
    note(f"plugged in {plugged:.2f} s, online after {time.monotonic() - start:.2f} s")
    check_devices(machine, dimms)
    load.progress("hot", 50, 60)
    done(f"{dimms} DIMMs of {DIMM} MiB are hot-added under load, and the guest reports on each")

    extra = host.start_disk("extra", DISK)
    qmp.command("chardev-add", id="extra", backend={"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": "/tmp/extra.sock"}}, "server": False}})
    add_extra = {"driver": "vhost-user-blk-pci", "id": "extra-device", "chardev": "extra",
                 "num-queues": 2}
    qmp.command("device_add", **add_extra)
    wait_disk(machine, "vdb", True)
    done("a second disk is hot-plugged")
    note(fill(machine, "vdb", dimms))
    done("it writes from and reads to memory of all DIMMs")
    load.progress("writes", 50, 60)
    qmp.command("device_del", id="extra-device")
    if not qmp.event("DEVICE_DELETED", 30, device="extra-device"):
        raise GuestError("the disk is not let go")
    wait_disk(machine, "vdb", False)
    qmp.command("device_add", **add_extra)
    wait_disk(machine, "vdb", True)
    machine.check_disk("vdb")
    done("it is unplugged and plugged again")

    start = time.monotonic()
    for number in range(0, dimms, 2):
        machine.unplug(number)
    machine.wait_memory(before + dimms // 2 * DIMM * 1024, "with half the DIMMs")
    note(f"half of them unplugged in {time.monotonic() - start:.2f} s")
    for number in range(0, dimms, 2):
        machine.plug(number)
    machine.wait_memory(before + dimms * DIMM * 1024, "with all DIMMs again")
    wait_reports(machine, range(0, dimms, 2))
    check_devices(machine, dimms)
    note(fill(machine, "vdb", dimms))
    load.progress("writes", 50, 60)
    done("half of them are unplugged and plugged again, and used by both disks")

    plug, unplug = rounds(machine, dimms, options.rounds)
    note(f"medians of {options.rounds} rounds: plugged and online after {1000 * plug:.1f} ms, gone "
         f"after {1000 * unplug:.1f} ms")
    done(f"one more is plugged and unplugged {options.rounds} times")
    machine.check_complaints()
    done("the kernel has no complaint")
    refused_unplug(machine, dimms)
    done("a refused unplug is reported and leaves everything")

    note(killed_backend(host, machine, extra))
    load.progress("writes", 50, 60)
    done("the second disk's backend is killed: the guest and its load live, the error names it")
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    note(str(report))
    done("all blocks read back as they were written last")
    reset_unplugs(machine, dimms)
    machine.wait_memory(before + dimms * DIMM * 1024, "after the reset")
    done("a reset completes the unplug, and all other DIMMs are there after it")
    machine.power_off()
    done("it powers off")


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
    load.progress("hot", 50, 60)
    done(f"{granted} DIMMs over qemu-storage-daemon; the next is refused with the device and its "
         "limit")
    machine.unplug(granted - 1)
    machine.plug(granted - 1)
    machine.wait_memory(before + granted * DIMM * 1024, "with all DIMMs again")
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    note(str(report))
    note(fill(machine, "vda", granted))
    done("the disk writes from and reads to memory of all of them")
    machine.check_complaints()
    host.run(f"kill -9 {process}")
    machine.run("true")
    machine.power_off()
    done("the daemon is killed, and the guest powers off")


def measure_boots(host, count, note):
    """Prints medians of boots in turns; nothing is judged."""
    figures = {}
    for _ in range(count):
        for slots in (0, 64, SLOTS, 32000):
            exits, start = host.exits(), time.monotonic()
            # A console with warnings costs more exits than all else.
            machine = start_machine(host, slots, "boot", append="loglevel=3")
            machine.boot()
            figures.setdefault(slots, []).append(
                [time.monotonic() - start] + [now - then
                                              for now, then in zip(host.exits(), exits)])
            machine.power_off()
    for slots, runs in figures.items():
        medians = [statistics.median(column) for column in zip(*runs)]
        note(f"{slots} slots: boot {medians[0]:.2f} s, {medians[1]:.0f} exits, {medians[2]:.0f} of "
             f"them port I/O to the program, {medians[3]:.0f} memory-mapped")


def test(attempt):
    options = attempt.options
    with attempt.host({"vhost-user-blk": options.backend, "qemu-storage-daemon": options.daemon},
                      guest={"bin/guest-load": options.load, "bin/guest-fill": options.fill},
                      memory=5120) as host:
        if options.boots:
            measure_boots(host, options.boots, attempt.note)
        run_ours(host, options, attempt.done, attempt.note)
        run_daemon(host, attempt.done, attempt.note)


def main():
    parser = option_parser(__doc__, 580, backend="vhost-user-blk",
                           load="guest-load, linked statically",
                           fill="guest-fill, linked statically")
    parser.add_argument("--daemon", default="/usr/bin/qemu-storage-daemon")
    parser.add_argument("--dimms", type=int, default=64, help="how many are plugged, an even number")
    parser.add_argument("--rounds", type=int, default=50,
                        help="how often one DIMM is plugged and unplugged")
    parser.add_argument("--boots", type=int, default=0,
                        help="measure this many boots with 0, 64, 4,096 and 32,000 slots")
    return run(parser.parse_args(), test)


sys.exit(main())
