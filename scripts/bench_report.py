# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/bench found, as tables: for a terminal and for the documentation."""
import os

ROWS = (8, 64, 256, 1024, 4096)
QUIET = 0.5  # load average of a machine with nothing else to do


def point_of(plug, dimm):
    """The point at @dimm, or at the last DIMM that there was room for before it."""
    points = plug["points"]
    for point in points:
        if point["dimm"] == dimm:
            return point
    last = points[-1]
    earlier = points[-2]["dimm"] if len(points) > 1 else 0
    # The last point stands for a row only if it is the nearest to it.
    return last if earlier < last["dimm"] < dimm <= 2 * last["dimm"] else None


def plugs_by_devices(vmm):
    return {plug["devices"]: plug for plug in vmm["plug"]}


def growth(plug):
    points = plug["points"]
    return points[-1]["device_add_us"] / points[0]["device_add_us"]


def time_text(microseconds):
    if microseconds >= 10000:
        return f"{microseconds / 1000:.0f} ms"
    if microseconds >= 1000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds:.0f} us"


def number_text(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# --- rows: a name, and for each program its value as (number, text) or None ---

def rows_of_plugs(vmms, key, name):
    rows = []
    for devices in plugs_by_devices(vmms[0]):
        plugs = [plugs_by_devices(vmm).get(devices) for vmm in vmms]
        for dimm in ROWS:
            cells = []
            for plug in plugs:
                point = point_of(plug, dimm) if plug else None
                note = f" (at {point['dimm']:.0f})" if point and point["dimm"] != dimm else ""
                cells.append((point[key], time_text(point[key]) + note) if point else None)
            if any(cells):
                rows.append((f"{name} at DIMM {dimm:,}, {devices} device"
                             f"{'s' if devices > 1 else ''}", cells))
    return rows


def rows_of_counts(vmms):
    rows = []
    for devices in plugs_by_devices(vmms[0]):
        plugs = [plugs_by_devices(vmm).get(devices) for vmm in vmms]
        suffix = f", {devices} device{'s' if devices > 1 else ''}"
        for key, name in (("system_calls", "system calls a plug"),
                          ("switches", "context switches a plug"),
                          ("private_kib_per_dimm", "KiB of its own a DIMM"),
                          ("plugged", "DIMMs plugged")):
            cells = [(plug[key], f"{plug[key]:,}" if key == "plugged" else number_text(plug[key]))
                     if plug and plug[key] is not None else None for plug in plugs]
            rows.append((name + suffix, cells))
        cells = [(growth(plug), number_text(growth(plug))) if plug else None for plug in plugs]
        rows.append(("device_add: last 8 over first 8" + suffix, cells))
    return rows


def rows_of_start(vmms):
    names = (("start_ms", "start to greeting", "ms"), ("private_mib", "private memory", "MiB"),
             ("resident_mib", "resident memory", "MiB"))
    return [(name, [(vmm["start"][key], f"{number_text(vmm['start'][key])} {unit}")
                    for vmm in vmms]) for key, name, unit in names]


def sections(results):
    """Titles, and the rows below them."""
    vmms = results["vmms"]
    return (("Time of a plug", rows_of_plugs(vmms, "device_add_us", "device_add") +
             rows_of_plugs(vmms, "object_add_us", "object-add")),
            ("Counts of a plug", rows_of_counts(vmms)),
            ("Start", rows_of_start(vmms)))


def with_ratios(results, title, rows):
    """Rows as texts, head first: name, then each program's value, then ratios to the first."""
    vmms = results["vmms"]
    head = [title] + [vmm["label"] for vmm in vmms]
    head += ["ratio" if len(vmms) == 2 else f"ratio {vmm['label']}" for vmm in vmms[1:]]
    table = [head]
    for name, cells in rows:
        ratios = [number_text(cell[0] / cells[0][0]) if cell and cells[0] and cells[0][0] > 0
                  else "-" for cell in cells[1:]]
        table.append([name] + [cell[1] if cell else "-" for cell in cells] + ratios)
    return table


# --- goals ---

def goals(results):
    """What was promised of the first program: name, limit, value, unit."""
    ours = results["vmms"][0]
    plugs = plugs_by_devices(ours)
    one = plugs[min(plugs)]
    list_ = [("first 8 device_add, 1 device", 150, one["points"][0]["device_add_us"], "us")]
    for devices, plug in plugs.items():
        if len(plug["points"]) > 1:
            list_.append((f"last 8 over first 8, {devices} device{'s' if devices > 1 else ''}",
                          1.3, growth(plug), ""))
    start = ours["start"]
    list_ += [("start to greeting", 10, start["start_ms"], "ms"),
              ("private memory", 6, start["private_mib"], "MiB"),
              ("resident memory, 256 MiB of RAM untouched", 12, start["resident_mib"], "MiB"),
              ("memory of its own a DIMM", 4,
               max(plug["private_kib_per_dimm"] for plug in plugs.values()), "KiB"),
              ("diff of 4,096 against 4,097 regions", 20, results["shadow"]["diff_us"], "us")]
    return [{"name": name, "limit": limit, "value": value, "unit": unit, "least": False,
             "met": value <= limit} for name, limit, value, unit in list_]


def goal_table(list_):
    table = [["goal", "limit", "measured", ""]]
    for goal in list_:
        unit = f" {goal['unit']}" if goal["unit"] else ""
        table.append([goal["name"],
                      f"at {'least' if goal['least'] else 'most'} {goal['limit']}{unit}",
                      number_text(goal["value"]) + unit,
                      "met" if goal["met"] else
                      f"missed by {100 * abs(goal['value'] / goal['limit'] - 1):.0f} %"])
    return table


def floor_table(results):
    floor = results["floor"]["floor_us"]
    first = results["vmms"][0]["plug"][0]["points"][0]
    both = first["device_add_us"] + first["object_add_us"]
    return [["bare work (memfd, size, seals, mapping, message, answer)", time_text(floor)],
            [f"{results['vmms'][0]['label']}: object-add and device_add, first 8, 1 device",
             time_text(both)],
            ["over the bare work", number_text(both / floor)]]


# --- output ---

def machine_line(results):
    machine = results["machine"]
    return (f"{machine['processor']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
            f"{machine['system']}, {machine['date']}; load {machine['load']:.1f} at the start")


def aligned(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in table)


def text(results):
    parts = [aligned(with_ratios(results, *section)) for section in sections(results)]
    parts.append(aligned(floor_table(results)))
    if not results["short"]:
        parts.append(aligned(goal_table(results["goals"])))
    return "\n\n".join(parts)


def list_table(table, head=True):
    lines = [".. list-table::"] + (["   :header-rows: 1"] if head else []) + [""]
    for row in table:
        for i, cell in enumerate(row):
            lines.append(("   * - " if i == 0 else "     - ") + cell)
    return "\n".join(line.rstrip() for line in lines)


def in_tree(path):
    """@path as seen from the top of the tree, if it lies there."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    return path.removeprefix(top)


def document_head(results):
    parts = [".. Written by scripts/bench --document; do not edit.",
             f"Machine: {machine_line(results)}. Command: ``{results['command']}``."]
    if results["machine"]["load"] > QUIET:
        parts.append("**These figures are preliminary:** the machine was busy with other things.")
    return parts


def document(results):
    runs = ", ".join(str(plug["runs"]) for vmm in results["vmms"] for plug in vmm["plug"])
    programs = "; ".join(f"{vmm['label']} is ``{in_tree(vmm['path'])}``, {vmm['version']}"
                         for vmm in results["vmms"])
    parts = document_head(results)
    parts += [f"Programs: {programs}. Runs, by program and number of devices: {runs}.",
              list_table(goal_table(results["goals"])),
              list_table(floor_table(results), head=False),
              ".. image:: performance.svg\n"
              "   :alt: time of device_add over the number of DIMMs"]
    parts += [list_table(with_ratios(results, *section)) for section in sections(results)]
    return "\n\n".join(parts) + "\n"
