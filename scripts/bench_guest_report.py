# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench_guest.py found, as tables: names, values, goals."""
from bench_guest import MICROVM, OURS, PC
from bench_report import aligned, document_head, goal_table, list_table, number_text

ROWS = (("starts that came to a line", "started"),
        ("start to the first line in user space, ms", "start_ms"),
        ("the quickest of them, ms", "least_start_ms"),
        ("exits for a disk request", "exits"),
        ("of which the program sees", "user_space_exits"),
        ("device_add to its answer, ms", "answer_ms"),
        ("device_add to memory online, ms", "online_ms"),
        ("memory that the program has written, KiB", "private_kib"))
NOISE = 0.02  # exits to the program for each request that come from the guest's clock, not the disk


def table_of(guest):
    names = list(guest["kinds"])
    table = [["Linux guests on KVM"] + names]
    for title, key in ROWS:
        table.append([title] + [number_text(kind[key]) if key in kind else "-"
                                for kind in guest["kinds"].values()])
    return table


def goal(name, limit, value, unit=""):
    return {"name": name, "limit": limit, "value": value, "unit": unit, "least": False,
            "met": value <= limit}


def goals(guest):
    ours, other = guest["kinds"][OURS], guest["kinds"].get(PC)
    found = [goal("exits to the program for a disk request", NOISE, ours["user_space_exits"])]
    if other:
        found += [goal(f"start to the first line, to {name}", 1.0, guest["start_ratios"][name])
                  for name in (MICROVM, PC) if guest["kinds"][name]["started"]]
        found += [goal(f"exits for a disk request, to {PC}", 1.0, ours["exits"] / other["exits"]),
                  goal(f"device_add to memory online, to {PC}", 1.0,
                       ours["online_ms"] / other["online_ms"]),
                  goal(f"memory that the program has written, to {PC}", 1.0,
                       ours["private_kib"] / other["private_kib"])]
    return found


def text(guest, short):
    parts = [aligned(table_of(guest))]
    if not short:
        parts.append(aligned(goal_table(guest["goals"])))
    return "\n\n".join(parts)


def document(results):
    guest = results["guest"]
    beside = f", beside {guest['qemu']}" if guest["qemu"] else ""
    parts = document_head(results)
    parts += [f"Guest: Debian's kernel {guest['kernel']}{beside}. Starts are medians of "
              f"{guest['start_rounds']}, the rest of {guest['rounds']} machines with "
              f"{guest['requests']} requests and {guest['dimms']} DIMMs each.",
              list_table(goal_table(guest["goals"])), list_table(table_of(guest))]
    return "\n\n".join(parts) + "\n"


def insane(guest):
    """Figures that cannot be."""
    return [f"{name}: {key} is {kind[key]}" for name, kind in guest["kinds"].items()
            if name == OURS or kind["started"]
            for _title, key in ROWS
            if key in kind and key != "user_space_exits" and not kind[key] > 0]
