# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of scripts/bench share: programs, backends, turns, medians."""
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

DEBIAN = "/usr/bin/qemu-system-x86_64"
RUNS = 11
ONE_CPU, TWO_CPUS = "on one CPU", "on two CPUs"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Tools:
    """The measuring programs: each prints one JSON value."""

    def __init__(self, build):
        self.folder = build / "tests/bench"

    def run(self, name, *arguments):
        command = [str(self.folder / f"bench-{name}"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()}")
        return json.loads(done.stdout)


# --- virtual machine monitors ---

def version_of(vmm):
    done = subprocess.run([vmm, "-version"], capture_output=True, text=True, timeout=30)
    if done.returncode != 0 or not done.stdout:
        raise RuntimeError(f"--vmm {vmm}: {done.stderr.strip() or 'does not answer -version'}")
    return done.stdout.splitlines()[0]


def label_of(version):
    """A short name for a column."""
    found = re.search(r"version (\S+)(?: \((hotslot \S+|\w+)\b)?", version)
    if not found:
        return version
    number, origin = found.groups()
    if origin and origin.startswith("hotslot"):
        return origin
    return f"QEMU {number}" + (f" ({origin})" if origin else "")


def find_vmms(paths, build):
    if not paths:
        paths = [build / "qemu-system-x86_64"] + ([DEBIAN] if os.path.exists(DEBIAN) else [])
    vmms = []
    for path in map(str, paths):
        if not os.access(path, os.X_OK):
            raise RuntimeError(f"--vmm {path}: not a program that can be run")
        version = version_of(path)
        vmms.append({"path": path, "version": version, "label": label_of(version)})
    labels = [vmm["label"] for vmm in vmms]
    for number, vmm in enumerate(vmms, 1):
        if labels.count(vmm["label"]) > 1:
            vmm["label"] += f" #{number}"
    return vmms


# --- backends ---

class Backend:
    """A process that serves a socket, one connection after another."""

    def __init__(self, name, command, socket, hidden=None):
        self.name, self.socket = name, socket
        self.shown = " ".join(command).replace(socket, "SOCKET")
        for path, word in (hidden or {}).items():
            self.shown = self.shown.replace(path, word)
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.errors)
        deadline = time.monotonic() + 10
        while not os.path.exists(socket):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                self.errors.seek(0)
                raise RuntimeError(f"{' '.join(command)}: {self.errors.read().strip()}")
            time.sleep(0.01)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def pin(process, cpus):
    for thread in os.listdir(f"/proc/{process}/task"):
        os.sched_setaffinity(int(thread), cpus)


@contextlib.contextmanager
def placed(backend, placement):
    """The load and the backend on one CPU each, or both on the same, or where Linux puts them."""
    every = os.sched_getaffinity(0)
    if placement is None or len(every) < 2:
        yield
        return
    first, second = sorted(every)[:2]
    pin(backend.process.pid, {second})
    os.sched_setaffinity(0, {second if placement == ONE_CPU else first})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
        pin(backend.process.pid, every)


# --- runs ---

def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def median_ratios(ours, others, keys):
    """Ours to another's: the medians of those of runs that were made one after the other."""
    return {key: statistics.median(a[key] / b[key] for a, b in zip(ours, others)) for key in keys}


def interleaved(rounds, runners):
    """Each of @runners (a name and a function) once a round; results by name."""
    results = {name: [] for name, _ in runners}
    for number in range(rounds):
        for name, run in runners if number % 2 == 0 else reversed(runners):
            results[name].append(run())
    return results
