# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures disk backends side by side: ours and Debian's qemu-storage-daemon, over one image."""
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from bench_common import (ONE_CPU, TWO_CPUS, Backend, interleaved, median_ratios, medians, placed,
                          say)
from bench_priority import take_priority

DAEMON = "qemu-storage-daemon"
IMAGE_SIZE = 256 << 20
STAMP = 4096  # each 4 KiB of the image begin with their number: tests/bench/bench-blk --stamps
DEPTHS = (1, 32, 128)
QUEUES = (1, 4)
PATTERNS = (("4 KiB random read", "randread", 4096), ("4 KiB random write", "randwrite", 4096),
            ("128 KiB sequential read", "read", 131072))
REGIONS = (1, 64, 1024, 4096)
DAEMON_REGIONS = (1, 32)
ROUNDS, SECONDS, REGION_ROUNDS = 5, 0.5, 11
SHORT_ROUNDS, SHORT_SECONDS, SHORT_REGIONS = 1, 0.2, (1, 4096)
# Which way is the daemon's quickest depends on the load: the best of them is what ours is held to.
DAEMON_WAYS = (("daemon, io_uring", "aio=io_uring,cache.direct=on"),
               ("daemon, native", "aio=native,cache.direct=on"),
               ("daemon, threads", "aio=threads"))


def make_image(path):
    with open(path, "wb") as image:
        for start in range(0, IMAGE_SIZE, 1 << 20):
            piece = bytearray(1 << 20)
            for offset in range(0, len(piece), STAMP):
                struct.pack_into("<Q", piece, offset, (start + offset) // STAMP)
            image.write(piece)


def daemon_command(image, socket, options):
    return [DAEMON, "--blockdev",
            f"driver=file,node-name=disk,filename={image},locking=off,{options}", "--export",
            "type=vhost-user-blk,id=export,node-name=disk,writable=on,addr.type=unix,"
            f"addr.path={socket},num-queues={max(QUEUES)}"]


def find_backends(build):
    """Names and commands, the program of ours first; what is not there is left out."""
    ours = build / "tools/vhost-user-blk/vhost-user-blk"
    found = []
    if ours.exists():
        found.append(("ours", lambda image, socket: [
            str(ours), f"--socket-path={socket}", f"--blk-file={image}",
            f"--num-queues={max(QUEUES)}"]))
    if shutil.which(DAEMON):
        for name, options in DAEMON_WAYS:
            found.append((name, lambda image, socket, options=options:
                          daemon_command(image, socket, options)))
    return found


def daemon_version():
    done = subprocess.run([DAEMON, "--version"], capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


# --- what is measured ---

def run_load(tools, backend, seconds, placement=None, **options):
    arguments = ["--socket", backend.socket, "--pid", backend.process.pid, "--seconds", seconds,
                 "--stamps"]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", value]
    with placed(backend, placement):
        return tools.run("blk", *arguments)


def ratios(ours, others):
    return median_ratios(ours, others, ("requests_per_second", "requests_per_cpu_second", "mean_us",
                                        "median_us", "p99_us"))


def measure_cases(tools, backends, rounds, seconds, cases):
    measured = []
    for title, pattern, block_size, queues, depth, placement in cases:
        runs = interleaved(rounds, [
            (backend.name, lambda backend=backend: run_load(
                tools, backend, seconds, pattern=pattern, block_size=block_size, queues=queues,
                depth=depth, placement=placement)) for backend in backends])
        first = backends[0].name
        measured.append({
            "name": title, "queues": queues, "depth": depth, "placement": placement,
            "backends": {name: medians(list_) for name, list_ in runs.items()},
            "ratios": {name: ratios(runs[first], list_) for name, list_ in runs.items()
                       if name != first}})
    return measured


def measure_regions(tools, backend, rounds, seconds, counts):
    """How much is left of the requests of one region as regions become many."""
    runs = interleaved(rounds, [(count, lambda count=count: run_load(
        tools, backend, seconds, pattern="randread", depth=32, regions=count))
                                for count in counts])
    return [{"regions": count, **medians(runs[count]), "left": ratios(runs[count], runs[counts[0]])}
            for count in counts]


def measure_slots(tools, backend, rounds, most):
    runs = [tools.run("slots", backend.socket, most)["points"] for _ in range(rounds)]
    return [medians(points) for points in zip(*runs)]


def all_cases(short):
    if short:
        return [PATTERNS[0] + (1, 32, None), PATTERNS[1] + (4, 32, None)]
    cases = []
    for pattern in PATTERNS:
        for queues in QUEUES:
            for depth in DEPTHS:
                # A request alone is a chain of two threads that wake each other: what that takes
                # depends on where they run more than on what they do.
                alone = queues == 1 and depth == 1
                cases += [pattern + (queues, depth, placement)
                          for placement in ((ONE_CPU, TWO_CPUS) if alone else (None,))]
    return cases


def measure_backends(tools, backends, short):
    rounds, seconds = (SHORT_ROUNDS, SHORT_SECONDS) if short else (ROUNDS, SECONDS)
    disk = {"backends": [{"name": backend.name, "command": backend.shown}
                         for backend in backends],
            "rounds": rounds, "region_rounds": REGION_ROUNDS, "seconds": seconds, "regions": {}, "slots": {}}
    say("  requests")
    disk["cases"] = measure_cases(tools, backends, rounds, seconds, all_cases(short))
    say("  regions and slots")
    for backend in backends:
        counts = DAEMON_REGIONS
        if backend.name == "ours":
            counts = SHORT_REGIONS if short else REGIONS
        disk["regions"][backend.name] = measure_regions(
            tools, backend, REGION_ROUNDS if counts is REGIONS else rounds, seconds, counts)
        disk["slots"][backend.name] = measure_slots(tools, backend, rounds, counts[-1])
    return disk


def measure(tools, build, short):
    """All figures of disks, or None where there is nothing to measure."""
    found = find_backends(build)[:2 if short else None]
    if not found or found[0][0] != "ours":
        say("disk backends: skipped, vhost-user-blk is not built")
        return None
    say("disk backends")
    memory = Path("/dev/shm")
    take_priority()
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        image = os.path.join(folder, "disk")
        make_image(image)
        backends = []
        try:
            for name, command in found:
                socket = os.path.join(folder, name.replace(", ", "-"))
                backends.append(Backend(name, command(image, socket), socket,
                                        {image: "IMAGE"}))
            disk = measure_backends(tools, backends, short)
        finally:
            for backend in backends:
                backend.end()
    disk["daemon"] = daemon_version() if len(found) > 1 else None
    disk["lookup"] = tools.run("map-lookup")
    return disk
