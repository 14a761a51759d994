#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the accelerator does for its guest, tried by a guest of a few hundred instructions.

payload.c runs in a machine on a nested host (nested.py) and prints a line for each check.  What it
cannot see is checked here: exits, slots, written pages, state that is kept and put back.  All of it
with the interrupt controllers and the timer in the kernel, then with those of the program.
"""
import sys

from attempt import option_parser, run
from guest import GuestError, wait_until
from payload import MIB, Payload
from qmp import QmpError

BURST = 100      # requests, as payload-disk.c has it
LAST = 0x1234    # what it stores in a page for a doorbell before a reset
SLOTS = 8      # DIMMs that are plugged one after the other
SLOT = 2         # MiB of each
OPTIONS = ("-cpu host,-sse4.2,svm=off,+pni,enforce,host-phys-bits-limit=39 "
           "-smp 4,sockets=1,cores=2,threads=2 -m 64,slots=1000,maxmem=8G "
           "-chardev socket,id=disk,path=/tmp/disk.sock "
           "-device vhost-user-blk-pci,id=disk0,chardev=disk "
           "-chardev socket,id=doorbell,path=/tmp/doorbell.sock "
           "-device vhost-user-blk-pci,id=disk1,chardev=doorbell,page-per-vq=on,num-queues=1 "
           "-name payload,debug-threads=on "
           "-device isa-debug-exit,iobase=0xf4,iosize=4 -overcommit cpu-pm=on,mem-lock=on "
           "-sandbox on,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")


class Doorbell:
    """The back-end that hands over a page."""

    def __init__(self, host):
        self._host = host
        self._process = host.start_backend("doorbell-backend /tmp/doorbell.sock",
                                           "/tmp/doorbell.sock", "doorbell.log")

    def _tell(self, signal):
        """(what the page held, whether the front-end agreed)"""
        held, answer = self._host.run(
            f"cd /tmp; before=$(wc -l <doorbell.log); kill -{signal} {self._process}; "
            "for i in $(seq 400); do [ $(wc -l <doorbell.log) -gt $before ] && break; sleep 0.05; "
            "done; tail -n 1 doorbell.log").split()
        return int(held, 16), answer == "0"

    def give(self):
        """As soon as the queue runs; what the page held before."""
        first = []

        def given():
            held, agreed = self._tell("USR1")
            first.append(held)
            return agreed
        wait_until(given, 20, "a page for a doorbell")
        return first[0]

    def take_back(self):
        held, agreed = self._tell("USR2")
        if not agreed:
            raise GuestError("the page is not taken back")
        return held


def check_burst(payload, done):
    payload.wait_step(1)
    before = payload.exits()
    payload.go(1)
    payload.wait_step(2)
    after = payload.exits()
    if before != after:
        raise GuestError(f"{BURST} requests led to the process: {before}, then {after}")
    payload.go(2)
    done(f"{BURST} requests without one exit to the process")


def plug(payload, number):
    payload.qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}",
                        size=SLOT * MIB)
    payload.qmp.command("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}")


def check_slots(payload, done):
    payload.wait_step(3)
    for number in range(SLOTS):
        plug(payload, number)
    devices = payload.qmp.command("query-memory-devices")
    addresses = sorted(device["data"]["addr"] for device in devices)
    if len(set(addresses)) != SLOTS:
        raise GuestError(f"{len(set(addresses))} DIMMs, not {SLOTS}")
    payload.set_address(addresses[-1])
    payload.go(3)
    payload.wait_step(4)
    done(f"{SLOTS} memory slots")
    return addresses[-1]


def written_pages(payload, address):
    sections = payload.qmp.command("x-query-dirty-log")
    return next(section["pages"] for section in sections if section["address"] == address)


def check_written_pages(payload, done, address):
    payload.qmp.command("x-dirty-log", enable=True)
    written_pages(payload, address)
    payload.go(4)
    payload.wait_step(5)
    first, second = written_pages(payload, address), written_pages(payload, address)
    payload.qmp.command("x-dirty-log", enable=False)
    if first != 10 or second:
        raise GuestError(f"10 pages were written to: {first} are noted, then {second}")
    done("the pages that were written to are noted")
    payload.go(5)


def check_state(payload, done):
    wait_until(payload.has_full_registers, 20, "full registers")
    try:
        payload.qmp.command("x-cpu-state-keep")
        raise GuestError("the state of running CPUs is kept")
    except QmpError:
        pass
    payload.qmp.command("stop")
    payload.qmp.command("x-cpu-state-keep")
    payload.resume()
    payload.qmp.command("cont")
    payload.wait_step(99)
    payload.qmp.command("stop")
    payload.qmp.command("x-cpu-state-put-back")
    payload.qmp.command("cont")
    payload.wait_step(6)
    done("the whole state is kept and put back")


def has_page(payload):
    connection = next(one for one in payload.qmp.command("x-query-vhost-user")
                      if one["rings"] and one["host-notifiers-set"])
    return connection["rings"][0]["host-notifier"]


def check_doorbell(payload, doorbell, done):
    """A page of the back-end's in KVM's memory map, and what is there without it."""
    doorbell.give()
    before = payload.exits()
    payload.go(6)
    payload.wait_step(7)
    held = doorbell.take_back()
    if held != BURST or has_page(payload):
        raise GuestError(f"the page holds {held}, has_page is {has_page(payload)}")
    payload.go(7)
    payload.wait_step(8)
    doorbell.give()
    payload.go(8)
    payload.wait_step(9)
    after = payload.exits()
    if before != after or not has_page(payload):
        raise GuestError(f"the doorbell led to the process: {before}, then {after}")
    payload.go(9)
    payload.wait_step(10)
    if has_page(payload):
        raise GuestError("the page is still there after a reset")
    held = doorbell.give()
    doorbell.take_back()
    if held != LAST:
        raise GuestError(f"the page holds {held} after a reset, not {LAST}")
    done("a page of the back-end's as a doorbell, without one exit to the process")


def check_statistics(payload, done):
    """KVM's own count of exits is at least ours, and its schema describes every value."""
    schemas = {schema["target"]: {value["name"]: value for value in schema["stats"]}
               for schema in payload.qmp.command("query-stats-schemas")}
    if schemas["vcpu"]["exits"]["type"] != "cumulative":
        raise GuestError(f"the schema is {schemas['vcpu']}")
    results = payload.qmp.command("query-stats", target="vcpu", providers=[
        {"provider": "kvm", "names": ["exits", "halt_exits"]}])
    if [result["qom-path"] for result in results] != [
            f"/machine/unattached/cpu[{number}]" for number in range(4)]:
        raise GuestError(f"the CPUs are {results}")
    counted = {name: sum(stat["value"] for result in results for stat in result["stats"]
                         if stat["name"] == name) for name in ("exits", "halt_exits")}
    if counted["exits"] < sum(payload.exits().values()):
        raise GuestError(f"KVM counts {counted} exits, less than came to us")
    if counted["halt_exits"] > 0:
        raise GuestError(f"in spite of cpu-pm=on KVM counts {counted}")
    machine = payload.qmp.command("query-stats", target="vm")[0]["stats"]
    if {stat["name"] for stat in machine} != set(schemas["vm"]):
        raise GuestError(f"{machine} is not what the schema says")
    done("statistics of KVM")


def check_end(payload, host, done):
    payload.go(10)
    payload.wait_step(11)

    def has_ended():
        payload.poll()
        return payload.lines[-1] == "end"
    wait_until(has_ended, 10, "the payload's last word")
    if not payload.qmp.event("RESET", 10):
        raise GuestError("no event RESET")
    if len(payload.qmp.command("query-memory-devices")) != SLOTS:
        raise GuestError("DIMMs are gone after a reset")
    payload.go(11)
    if not payload.qmp.event("STOP", 20):
        raise GuestError("no event STOP")
    wait_until(lambda: payload.qmp.command("query-status")["status"] == "internal-error", 10,
               "state internal-error")
    log = host.run("cat /tmp/vmm.log")
    if "CPU 0" not in log or "rip=0x" not in log:
        raise GuestError(f"the log has no registers: {log}")
    done("what a CPU cannot go on from stops the machine and is in the log")
    names = host.run("cat /proc/$(pidof vmm)/task/*/comm")
    if any(f"CPU {number}/KVM" not in names for number in range(4)):
        raise GuestError(f"the threads' names are {names}")
    done("CPU threads have names")
    payload.qmp.command("system_reset")
    payload.qmp.command("cont")
    payload.wait_status(85)
    done("a reset helps, and the guest ends the program with a status")


def check_cpus(payload, done):
    model = payload.qmp.command("query-cpu-model-expansion", type="full",
                                model={"name": "host", "props": {"sse3": False}})["model"]
    if not model["props"]["fpu"] or model["props"]["sse3"] or not model["props"]["svm"]:
        raise GuestError(f"the model is {model}")
    places = [cpu["props"] for cpu in payload.qmp.command("query-cpus-fast")]
    if [(place["core-id"], place["thread-id"]) for place in places] != [
            (0, 0), (0, 1), (1, 0), (1, 1)]:
        raise GuestError(f"the CPUs are {places}")
    done("models and places of CPUs")


def check_devices(payload, place):
    """The controllers are devices of the program or they are not."""
    names = {child["name"] for child in payload.qmp.command("qom-list", path="/machine/unattached")}
    devices = {"ioapic", "i8259", "pit"}
    if names & devices != (devices if place == "split" else set()):
        raise GuestError(f"with kernel-irqchip={place} there are {names}")


def check_all(host, doorbell, place, done):
    """With the interrupt controllers in this place."""
    payload = Payload(host, OPTIONS, f",kernel-irqchip={place}")
    check_devices(payload, place)
    check_cpus(payload, done)
    check_burst(payload, done)
    address = check_slots(payload, done)
    check_written_pages(payload, done, address)
    check_state(payload, done)
    check_doorbell(payload, doorbell, done)
    check_statistics(payload, done)
    check_end(payload, host, done)
    for line in payload.lines:
        if line.startswith("ok "):
            done(line[3:])


def test(attempt):
    options = attempt.options
    with attempt.host({"vhost-user-blk": options.backend, "doorbell-backend": options.doorbell},
                      files={"payload": options.payload}) as host:
        host.run("ulimit -n 65536; truncate -s 1M /tmp/disk; "
                 "printf 'Hlo disk' | dd of=/tmp/disk conv=notrunc 2>/dev/null")
        host.start_backend("vhost-user-blk --socket-path /tmp/disk.sock --blk-file /tmp/disk",
                           "/tmp/disk.sock")
        doorbell = Doorbell(host)
        for place in "on", "split":
            check_all(host, doorbell, place,
                      lambda what, place=place: attempt.ok(f"irqchip {place}: {what}"))
            attempt.done(f"irqchip {place}: all of it")


def main():
    parser = option_parser(__doc__, 280, backend="vhost-user-blk", doorbell="doorbell-backend",
                           payload="the payload as an ELF image")
    return run(parser.parse_args(), test)


sys.exit(main())
