# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures hot-plug, start and memory of programs, and what no program can do without."""
import shutil
import statistics
import time

import bench_report
from bench_common import RUNS, say

POINTS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
MOST_DIMMS = (4096, 256)  # tried in this order: a program may not have so many slots
DEVICES = (1, 4, 16)
BUDGET = 20  # seconds after which a measurement is not repeated any more


def median_of(runs):
    """Runs of bench-plug become one: medians at every point."""
    merged = dict(runs[0])
    for key in ("switches", "private_kib_per_dimm"):
        merged[key] = statistics.median(run[key] for run in runs)
    merged["points"] = [
        {key: statistics.median(point[key] for point in same) for key in same[0]}
        for same in zip(*(run["points"] for run in runs))]
    merged["runs"] = len(runs)
    return merged


def measure_plug(tools, vmm, devices, most, runs):
    arguments = ["--vmm", vmm, "--devices", devices, "--dimms", most,
                 "--points", ",".join(map(str, POINTS))]
    begin = time.monotonic()
    results = [tools.run("plug", *arguments)]
    while len(results) < runs and time.monotonic() - begin < BUDGET:
        results.append(tools.run("plug", *arguments))
    return median_of(results)


def find_most(tools, vmm, candidates):
    """The first of @candidates with which the program starts at all."""
    error = None
    for most in candidates:
        try:
            tools.run("plug", "--vmm", vmm, "--dimms", most, "--stop-after", 64)
            return most
        except RuntimeError as refused:
            error = refused
    raise error


def measure_calls(tools, vmm, devices):
    """System calls of a plug; None where they cannot be counted."""
    if not shutil.which("strace"):
        return None
    try:
        return tools.run("plug", "--vmm", vmm, "--devices", devices, "--dimms", 64,
                         "--count-calls")["system_calls"]
    except RuntimeError as error:
        say(f"  system calls are not counted: {error}")
        return None


def measure_vmm(tools, vmm, short):
    path = vmm["path"]
    say(f"{vmm['label']} ({path})")
    say("  start and memory")
    vmm["start"] = tools.run("start", path)
    most = 64 if short else find_most(tools, path, MOST_DIMMS)
    vmm["plug"] = []
    for devices in (1, 4) if short else DEVICES:
        say(f"  up to {most} DIMMs with {devices} device{'s' if devices > 1 else ''}")
        plug = measure_plug(tools, path, devices, most, 1 if short else RUNS)
        plug["system_calls"] = measure_calls(tools, path, devices)
        vmm["plug"].append(plug)


def measure(tools, vmms, short):
    results = {"vmms": vmms}
    say("the floor, and the shadow table alone")
    for key, name in (("floor", "floor"), ("shadow", "shadow-table")):
        runs = [tools.run(name) for _ in range(1 if short else RUNS)]
        results[key] = {field: statistics.median(run[field] for run in runs) for field in runs[0]}
    for vmm in vmms:
        measure_vmm(tools, vmm, short)
    results["goals"] = bench_report.goals(results)
    return results


# --- a short run checks that figures are there and mean something ---

def insane(results):
    figures = {"floor": results["floor"]["floor_us"], "diff": results["shadow"]["diff_us"]}
    for vmm in results["vmms"]:
        for name, value in vmm["start"].items():
            figures[f"{vmm['label']}: {name}"] = value
        for plug in vmm["plug"]:
            name = f"{vmm['label']}, {plug['devices']} devices"
            figures[f"{name}: plugged"] = 1 if plug["plugged"] == 64 else 0
            figures[f"{name}: switches"] = plug["switches"]
            if not plug["points"]:
                figures[f"{name}: points"] = 0
            for point in plug["points"]:
                figures[f"{name}: device_add at {point['dimm']}"] = point["device_add_us"]
                figures[f"{name}: object-add at {point['dimm']}"] = point["object_add_us"]
    return [f"{name} is {value}" for name, value in figures.items() if not value > 0]
