# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench_disk.py found, as tables: names, values, goals."""
from bench_report import aligned, document_head, goal_table, in_tree, list_table, number_text



def count_text(value):
    return f"{value:,.0f}"


def label(case):
    placement = f", {case['placement']}" if case["placement"] else ""
    return (f"{case['name']}, {case['queues']} queue{'s' if case['queues'] > 1 else ''}, "
            f"depth {case['depth']}{placement}")


def to_the_best(case, key, more_is_better=True):
    """Ours to that of the others which is best in this case; None without others."""
    found = [ratio[key] for ratio in case["ratios"].values()]
    return (min(found) if more_is_better else max(found)) if found else None


def table_of(disk, title, key):
    """One row a case: each backend's value of @key, then ours to the best of the others'."""
    names = [backend["name"] for backend in disk["backends"]]
    table = [[title] + names + ["ours to the best"]]
    for case in disk["cases"]:
        best = to_the_best(case, key)
        table.append([label(case)] + [count_text(case["backends"][name][key]) for name in names] +
                     [number_text(best) if best else "-"])
    return table


def rate_table(disk):
    names = [backend["name"] for backend in disk["backends"]]
    table = [["MB a second"] + names]
    for case in disk["cases"]:
        if case["depth"] > 1:
            table.append([label(case)] + [count_text(case["backends"][name]["mb_per_second"])
                                          for name in names])
    return table


def latency_table(disk):
    """Only where one request is under way at a time do latencies speak of the backend."""
    names = [backend["name"] for backend in disk["backends"]]
    table = [["Latency in us at depth 1: mean, median, 99th of 100"] + names]
    for case in disk["cases"]:
        if case["depth"] == 1:
            cells = [case["backends"][name] for name in names]
            table.append([label(case)] + [", ".join(number_text(cell[key]) for key in (
                "mean_us", "median_us", "p99_us")) for cell in cells])
    return table


def cost_table(disk):
    """What the guest's part costs, which no backend can change."""
    names = [backend["name"] for backend in disk["backends"]]
    table = [["us of CPU a request: backend + load generator"] + names]
    for case in disk["cases"]:
        cells = [case["backends"][name] for name in names]
        table.append([label(case)] + [f"{number_text(cell['backend_cpu_us_per_request'])} + "
                                      f"{number_text(cell['own_cpu_us_per_request'])}"
                                      for cell in cells])
    return table


def regions_table(disk):
    table = [["4 KiB random read, depth 32", "requests/s", "left of one region's",
              "us of CPU a request", "left of requests a CPU second"]]
    for name, points in disk["regions"].items():
        for point in points:
            table.append([f"{name}: {point['regions']:,} region{'s' * (point['regions'] > 1)}",
                          count_text(point["requests_per_second"]),
                          percent_text(point["left"]["requests_per_second"]),
                          number_text(point["backend_cpu_us_per_request"]),
                          percent_text(point["left"]["requests_per_cpu_second"])])
    return table


def percent_text(part):
    return f"{100 * part:.0f} %"


def slots_table(disk):
    table = [["Answer to a message, median of 8, us", "ADD_MEM_REG", "REM_MEM_REG"]]
    for name, points in disk["slots"].items():
        for point in points:
            table.append([f"{name}: region {point['region']:,.0f}", number_text(point["add_us"]),
                          number_text(point["remove_us"])])
    return table


def lookup_table(disk):
    table = [["Memory map of the library, ns", "lookup, same region", "lookup, any region",
              "lookup of requests", "add a region", "remove a region"]]
    for point in disk["lookup"]["points"]:
        table.append([f"{point['regions']:,} region{'s' * (point['regions'] > 1)}",
                      *(number_text(point[key]) for key in
                        ("hit_ns", "miss_ns", "request_ns", "add_ns", "remove_ns"))])
    return table


def tables(disk):
    return [table_of(disk, "Requests a second", "requests_per_second"),
            rate_table(disk),
            table_of(disk, "Requests a CPU second of the backend", "requests_per_cpu_second"),
            latency_table(disk), cost_table(disk), regions_table(disk), slots_table(disk),
            lookup_table(disk)]


# --- goals ---

def goal(name, limit, value, unit="", least=False):
    """@least: the limit is the least that is wanted, otherwise the most."""
    return {"name": name, "limit": limit, "value": value, "unit": unit, "least": least,
            "met": value >= limit if least else value <= limit}


def goals(disk):
    found = []
    for case in disk["cases"]:
        if case["ratios"] and case["depth"] == 32:
            found.append(goal(f"requests/s to the daemon's best: {label(case)}", 1.5,
                              to_the_best(case, "requests_per_second"), least=True))
        if case["ratios"] and case["depth"] == 1:
            for key, name in (("mean_us", "mean"), ("median_us", "median")):
                found.append(goal(f"{name} latency to the daemon's best: {label(case)}", 1.0,
                                  to_the_best(case, key, more_is_better=False)))
    for point in disk["regions"]["ours"][1:]:
        found.append(goal(f"requests/s left with {point['regions']:,} regions", 0.95,
                          point["left"]["requests_per_second"], least=True))
    slots = disk["slots"]["ours"]
    found.append(goal(f"ADD_MEM_REG at region {slots[-1]['region']:,.0f} over the first 8", 1.3,
                      slots[-1]["add_us"] / slots[0]["add_us"]))
    return found


# --- output ---

def text(disk, short):
    parts = [aligned(table) for table in tables(disk)]
    if not short:
        parts.append(aligned(goal_table(disk["goals"])))
    return "\n\n".join(parts)


def document(results):
    disk = results["disk"]
    commands = "; ".join(f"*{backend['name']}* is ``{in_tree(backend['command'])}``"
                         for backend in disk["backends"])
    daemon = f" The daemon is {disk['daemon']}." if disk["daemon"] else ""
    parts = document_head(results)
    parts += [f"Backends: {commands}.{daemon} A figure is the median of {disk['rounds']} runs of "
              f"{disk['seconds']} seconds, with regions {disk['region_rounds']} of ours; a ratio is the "
              "median of the ratios of runs next to each other.",
              list_table(goal_table(disk["goals"])),
              ".. image:: performance-disk.svg\n"
              "   :alt: requests a second over the requests under way"]
    parts += [list_table(table) for table in tables(disk)]
    return "\n\n".join(parts) + "\n"


# --- a short run checks that figures are there and mean something ---

def insane(disk):
    """Figures that cannot be."""
    figures = {}
    for case in disk["cases"]:
        for name, run in case["backends"].items():
            for key in ("requests_per_second", "median_us", "backend_cpu_us_per_request"):
                figures[f"{name}, {label(case)}: {key}"] = run[key]
    for name, points in disk["regions"].items():
        for point in points:
            figures[f"{name}, {point['regions']} regions"] = point["requests_per_second"]
    for name, points in disk["slots"].items():
        for point in points:
            figures[f"{name}, ADD_MEM_REG at {point['region']}"] = point["add_us"]
    return [f"{name} is {value}" for name, value in figures.items() if not value > 0]
