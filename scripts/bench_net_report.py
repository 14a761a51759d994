# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench_net.py found, as tables."""
from bench_common import TWO_CPUS
from bench_net import DIMMS, SIZES
from bench_report import aligned, document_head, in_tree, list_table, number_text, time_text


def count_text(value):
    return f"{value:,.0f}"


def frames_table(title, cases, size):
    """One row a backend, or a program with one."""
    table = [[f"{title}, frames of {SIZES[size]:,} bytes", "frames/s", "MB/s", "median",
              "99th of 100", "CPU ns a frame", "CPU s a GB", "CPU at rest"]]
    for case in cases:
        run = case["sizes"][size]
        table.append([case["label"], count_text(run["frames_per_second"]),
                      count_text(run["mb_per_second"]), f"{number_text(run['median_us'])} us",
                      f"{number_text(run['p99_us'])} us", number_text(run["cpu_ns_per_frame"]),
                      number_text(run["cpu_seconds_per_gb"]),
                      f"{run['idle_cpu_percent']:.0f} %"])
    return table


def ratio_table(title, cases):
    first = cases[0]["label"]
    table = [[f"{title}: {first} to", "bytes a frame", "frames/s", "median", "99th of 100",
              "CPU a frame"]]
    for case in cases[1:]:
        for size, ratios in zip(SIZES, case["ratios"]):
            table.append([case["label"], count_text(size)] +
                         [number_text(ratios[key]) for key in (
                             "frames_per_second", "median_us", "p99_us", "cpu_ns_per_frame")])
    return table


def program_table(cases):
    """That no frame goes through the program."""
    table = [["What the program did meanwhile", "CPU ms", "context switches",
              "ring descriptors that were ours"]]
    for case in cases:
        program = case["program"]
        table.append([case["label"], number_text(program["vmm_cpu_ms"]),
                      count_text(program["vmm_switches"]), count_text(program["replaced"])])
    return table


def pause_text(pause):
    return f"{time_text(pause)} between" if pause else "at once"


def plugs_table(plugs):
    table = [[f"{DIMMS} DIMMs under load", "all took", "one DIMM", "frames/s before", "meanwhile",
              "left", "after", "longest gap", "worst of all runs", "as long without DIMMs"]]
    for plug in plugs:
        table.append([f"{plug['label']}, {pause_text(plug['pause'])}",
                      time_text(1000 * plug["took_ms"]), time_text(plug["plug_us"]),
                      count_text(plug["before"]), count_text(plug["during"]),
                      f"{100 * plug['left']:.0f} %", count_text(plug["after"])] +
                     [f"{number_text(plug[key])} ms" for key in (
                         "gap_during_ms", "worst_gap_ms", "gap_after_ms")])
    return table


def lines_table(lines):
    return [["Device", "lines of its own file", "of code"]] + [
        [line["name"], str(line["lines"]), str(line["code"])] for line in lines]


def tables(net):
    found = []
    for title, key in (("Backend", "direct"), (f"Backend, {TWO_CPUS}", "apart"),
                       ("Through a card", "cards")):
        if not net[key]:
            continue
        found += [frames_table(title, net[key], size) for size in range(len(SIZES))]
        if len(net[key]) > 1:
            found.append(ratio_table(title, net[key]))
    return found + [program_table(net["cards"]), plugs_table(net["plugs"]),
                    lines_table(net["lines"])]


def text(net, _short):
    return "\n\n".join(aligned(table) for table in tables(net))


def document(results):
    net = results["net"]
    commands = "; ".join(f"*{backend['name']}* is ``{in_tree(backend['command'])}``"
                         for backend in net["backends"])
    parts = document_head(results)
    parts += [f"Backends: {commands}. A figure is the median of {net['rounds']} runs of "
              f"{net['milliseconds']} ms; a ratio is the median of the ratios of runs next to each "
              "other."]
    parts += [list_table(table) for table in tables(net)]
    return "\n\n".join(parts) + "\n"


# --- figures that cannot be ---

def insane(net):
    figures = {}
    for case in net["direct"] + net["apart"] + net["cards"]:
        for size, run in zip(SIZES, case["sizes"]):
            for key in ("frames_per_second", "median_us", "p99_us", "cpu_ns_per_frame"):
                figures[f"{case['label']}, {size} bytes: {key}"] = run[key]
            figures[f"{case['label']}, {size} bytes: 99th less median"] = (
                run["p99_us"] - run["median_us"] + 1)
    for case in net["cards"]:
        # Kick and call of both rings, or frames would have gone through the program.
        figures[f"{case['label']}: descriptors replaced, less 3"] = case["program"]["replaced"] - 3
    for plug in net["plugs"]:
        name = f"{plug['label']}, {pause_text(plug['pause'])}"
        figures[f"{name}: regions added, less the DIMMs"] = plug["regions_added"] - DIMMS
        for key in ("before", "during", "after", "gap_during_ms", "plug_us"):
            figures[f"{name}: {key}"] = plug[key]
    figures["devices counted"] = len(net["lines"])
    return [f"{name} is {value}" for name, value in figures.items() if not value > 0]
