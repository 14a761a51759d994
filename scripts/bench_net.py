# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures network backends and cards: ours, DPDK's testpmd, Debian's QEMU, with one load."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_common import TWO_CPUS, Backend, interleaved, median_ratios, medians, placed, say
from bench_priority import take_priority

SIZES = (64, 1514)  # bytes of a frame
ROUNDS, MILLISECONDS = 5, 300
SHORT_ROUNDS, SHORT_MILLISECONDS = 1, 50
DIMMS = 64
PAUSES = (0, 5000)  # microseconds after each DIMM
OURS, POLLING, TESTPMD = "ours, waiting", "ours, polling", "testpmd"
RATIOS = ("frames_per_second", "median_us", "p99_us", "cpu_ns_per_frame")


# --- backends ---

def find_backends(build):
    """Names, and functions from a socket to a command; what is not there is left out."""
    program = build / "tools/vhost-user-net/vhost-user-net"
    if not program.exists():
        return {}

    def ours(socket):
        return [str(program), "--loopback", "--socket-path", socket]

    found = {OURS: ours, POLLING: lambda socket: [*ours(socket), "--poll-us", "100"]}
    if shutil.which("dpdk-testpmd"):
        found[TESTPMD] = lambda socket: [
            "dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
            "--file-prefix", "bench", "--vdev", f"net_vhost0,iface={socket},queues=1", "--",
            "--auto-start", "--forward-mode=io", "--total-num-mbufs=4096", "--stats-period", "600"]
    else:
        say("  dpdk-testpmd: skipped, not installed (packages dpdk-dev, librte-net-vhost23)")
    return found


class Bench:
    """Runs a load on a fresh backend each time: one that polls would hold up all others."""

    def __init__(self, tools, backends, folder, short):
        self.tools, self.backends, self.folder = tools, backends, folder
        self.milliseconds = SHORT_MILLISECONDS if short else MILLISECONDS
        self.shown = {}

    def run(self, name, tool, *arguments, placement=None):
        socket = os.path.join(self.folder, "socket")
        backend = Backend(name, self.backends[name](socket), socket)
        self.shown[name] = backend.shown
        try:
            with placed(backend, placement):
                return self.tools.run(tool, "--socket", socket, "--pid", backend.process.pid,
                                      "--milliseconds", self.milliseconds, *arguments)
        except RuntimeError as error:
            raise RuntimeError(f"{name}: {error}") from None
        finally:
            backend.end()
            Path(socket).unlink(missing_ok=True)

    def frames(self, name, vmm, placement):
        """A list of figures by size, and what the program did meanwhile."""
        sizes = ("--sizes", ",".join(map(str, SIZES)))
        if vmm is None:
            return {"sizes": self.run(name, "net", *sizes, placement=placement)}
        return self.run(name, "net-vmm", "--vmm", vmm["path"], *sizes, placement=placement)

    def plugs(self, vmm, pause):
        return self.run(OURS, "net-vmm", "--vmm", vmm["path"], "--dimms", DIMMS, "--pause", pause)


# --- what is measured ---

def measure_frames(bench, rounds, cases, placement=None):
    """@cases: (label, backend, program or None); ratios are those of the first to each."""
    runs = interleaved(rounds, [(label, lambda name=name, vmm=vmm: bench.frames(
        name, vmm, placement)) for label, name, vmm in cases])
    first = cases[0][0]
    measured = []
    for label, list_ in runs.items():
        sizes = [[run["sizes"][i] for run in list_] for i in range(len(SIZES))]
        firsts = [[run["sizes"][i] for run in runs[first]] for i in range(len(SIZES))]
        measured.append({
            "label": label, "sizes": [medians(size) for size in sizes],
            "ratios": [median_ratios(*pair, RATIOS) for pair in zip(firsts, sizes)],
            "program": medians([{key: value for key, value in run.items() if key != "sizes"}
                                for run in list_])})
    return measured


def measure_plugs(bench, rounds, vmms, pauses):
    runs = interleaved(rounds, [((vmm["label"], pause),
                                 lambda vmm=vmm, pause=pause: bench.plugs(vmm, pause))
                                for pause in pauses for vmm in vmms])
    measured = []
    for (label, pause), list_ in runs.items():
        shares = [{"left": run["during"] / run["before"]} for run in list_]
        measured.append({"label": label, "pause": pause, **medians(list_), **medians(shares),
                         "worst_gap_ms": max(run["gap_during_ms"] for run in list_)})
    return measured


def device_lines():
    """Of each device's own file: name, all lines, those of code."""
    script = Path(__file__).with_name("device-lines")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    found = re.findall(r"^(\S+) +(\d+) lines, +(\d+) of code$", done.stdout, re.MULTILINE)
    return [{"name": name, "lines": int(lines), "code": int(code)} for name, lines, code in found]


def measure(tools, build, vmms, short):
    """All figures of networks, or None where there is nothing to measure."""
    say("network")
    backends = find_backends(build)
    if not backends:
        say("  skipped, vhost-user-net is not built")
        return None
    take_priority()
    rounds = SHORT_ROUNDS if short else ROUNDS
    direct = [(name, name, None) for name in backends]
    cards = [(f"{vmm['label']}, {OURS}", OURS, vmm) for vmm in vmms]
    if TESTPMD in backends:
        cards.append((f"{vmms[0]['label']}, {TESTPMD}", TESTPMD, vmms[0]))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(tools, backends, folder, short)
        say("  backends")
        net = {"direct": measure_frames(bench, rounds, direct)}
        net["apart"] = [] if short else measure_frames(bench, rounds, direct, TWO_CPUS)
        say("  through a program's card")
        net["cards"] = measure_frames(bench, rounds, cards)
        say("  memory under load")
        net["plugs"] = measure_plugs(bench, rounds, vmms, PAUSES[:1] if short else PAUSES)
    net.update(rounds=rounds, milliseconds=bench.milliseconds, lines=device_lines(),
               backends=[{"name": name, "command": bench.shown[name]} for name in backends])
    return net
