#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Linux guest with a disk of vhost-user-blk, under Debian's QEMU and its software
CPU: memory is hot-added and removed while the guest writes and verifies, the
backend is killed and started again, and at the end the image holds exactly what
the guest wrote.
"""
import argparse
import os
import signal
import struct
import sys
import time
import zlib

from guest import Guest, GuestError, run_tests, start_process, wait_until
from load import Load

MIB = 1 << 20
MEMORY = 512   # MiB at boot
DIMM = 128     # MiB: a memory block of Linux on x86, which can go online by itself
BLOCK = 4096
BLOCKS = 4096  # of the disk
WORKERS = 4
KILLS = 3      # of the backend
SERIAL = "functional-test"
BLOCK_HEADER = struct.Struct("<QQQII")
MAGIC = 0x746f6c73746f68


class Backend:
    """vhost-user-blk over an image."""

    def __init__(self, program, directory):
        self.image = os.path.join(directory, "disk.img")
        self.socket = os.path.join(directory, "disk.sock")
        self.log = os.path.join(directory, "backend.log")
        self.program = program
        with open(self.image, "wb") as image:
            image.truncate(BLOCKS * BLOCK)
        self.start()

    def start(self):
        self.process = start_process(
            [self.program, "--socket-path", self.socket, "--blk-file", self.image,
             "--num-queues", "2", "--serial", SERIAL, "--stats"], self.log)

    def resize(self, blocks):
        with open(self.image, "r+b") as image:
            image.truncate(blocks * BLOCK)
        self.process.send_signal(signal.SIGHUP)

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(30)


def disk_blocks(guest):
    return int(guest.run("cat /sys/block/vda/size")) * 512 // BLOCK


def plug(guest, number):
    guest.qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}",
                      size=DIMM * MIB, share=True)
    guest.qmp.command("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}")


def unplug(guest, number):
    """The guest moves what lies in the DIMM elsewhere, which takes as long as it takes."""
    guest.qmp.command("device_del", id=f"d{number}")
    if not guest.qmp.event("DEVICE_DELETED", 60, device=f"d{number}"):
        raise GuestError(f"DIMM d{number} is not let go: {guest.qmp.events}")
    guest.qmp.command("object-del", id=f"m{number}")


def check_image(path, report):
    """Every block of the image is one that the guest wrote, and all together the last ones."""
    written = digest = 0
    with open(path, "rb") as image:
        for number in range(BLOCKS):
            block = image.read(BLOCK)
            magic, name, sequence, checksum, _ = BLOCK_HEADER.unpack_from(block)
            if not any(block):
                continue
            if (magic, name, checksum) != (MAGIC, number, zlib.crc32(block[BLOCK_HEADER.size:])):
                raise GuestError(f"block {number} of the image is damaged")
            written += 1
            digest += zlib.crc32(struct.pack("<QQ", number, sequence))
    if (written, digest) != (report["blocks"], report["digest"]):
        raise GuestError(f"the image has {written} blocks, digest {digest}; the guest wrote "
                         f"{report['blocks']}, digest {report['digest']}")


def test(options, tap, directory, exits):
    begin = time.monotonic()

    def done(what):
        tap.ok(what)
        tap.note(f"after {time.monotonic() - begin:.1f} s")

    backend = Backend(options.backend, directory)
    exits.callback(lambda: backend.process.poll() is None and backend.end(signal.SIGKILL))
    wait_until(lambda: os.path.exists(backend.socket), 10, "the backend's socket")
    guest = Guest(
        directory, options.emulator,
        ["-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max",
         "-machine", "pc,memory-backend=ram", "-m",
         f"{MEMORY}M,slots=256,maxmem={MEMORY + (options.dimms + 1) * 2 * DIMM}M",
         "-object", f"memory-backend-memfd,id=ram,size={MEMORY}M,share=on",
         "-chardev", f"socket,id=disk,path={backend.socket},reconnect=1",
         "-device", "vhost-user-blk-pci,chardev=disk,num-queues=2"],
        modules=["virtio_blk"], files={"bin/guest-load": options.load},
        command_line="memhp_default_state=online_movable")
    exits.callback(guest.kill)
    guest.boot()
    done("the guest boots")
    if disk_blocks(guest) != BLOCKS or guest.run("cat /sys/block/vda/serial") != SERIAL:
        raise GuestError("the disk has another size or serial number")
    cache = guest.run("cat /sys/block/vda/queue/write_cache").strip()
    if cache != "write back":
        raise GuestError(f"the guest takes the disk's cache for '{cache}' and would never flush")
    done("it finds the disk, its size, its serial number and its write cache")

    load = Load(guest.run, "/dev/vda", BLOCKS, WORKERS)
    load.progress("writes", 100)
    done("it writes and verifies")

    before = guest.memory_total()
    for number in range(options.dimms):
        plug(guest, number)
    wait_until(lambda: guest.memory_total() == before + options.dimms * DIMM * 1024, 60,
               "MemTotal with all DIMMs")
    done(f"{options.dimms} DIMMs of {DIMM} MiB are hot-added and online")
    load.progress("hot", 100)
    done("the disk works from hot-added memory")

    for number in range(0, options.dimms, options.dimms // 4):
        unplug(guest, number)
    wait_until(lambda: guest.memory_total() == before + (options.dimms - 4) * DIMM * 1024, 60,
               "MemTotal without 4 of them")
    load.progress("hot", 100)
    done("4 of them are removed, the load goes on")

    backend.resize(2 * BLOCKS)
    wait_until(lambda: disk_blocks(guest) == 2 * BLOCKS, 10, "the disk's new size")
    done("the disk grows")

    for _ in range(KILLS):
        backend.end(signal.SIGKILL)
        backend.start()
        load.progress("writes", 200, 60)
    done(f"the backend is killed {KILLS} times in the middle of it, and the load goes on")

    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    tap.note(str(report))
    done("all blocks read back as they were written last")
    if guest.power_off():
        raise GuestError("the emulator ended badly")
    done("the guest powers off")
    check_image(backend.image, report)
    done("the image holds exactly what the guest wrote")
    if backend.end(signal.SIGTERM):
        raise GuestError("the backend ended badly")
    done("the backend ends in order")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", required=True, help="vhost-user-blk")
    parser.add_argument("--load", required=True, help="guest-load, linked statically")
    parser.add_argument("--emulator", default="/usr/bin/qemu-system-x86_64")
    parser.add_argument("--dimms", type=int, default=32)
    parser.add_argument("--logs", default="functional-logs", help="where logs of a failure go")
    options = parser.parse_args()
    return run_tests([lambda *rest: test(options, *rest)], 240, options.logs)


sys.exit(main())
