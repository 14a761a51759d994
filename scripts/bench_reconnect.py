# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures how long a backend's return takes, with many memory regions; and shows it."""
from bench_common import RUNS, say
from bench_report import aligned, document_head, list_table, number_text, time_text

REGIONS = (250, 1000, 4000)


def measure(tools, vmms, short):
    """Each program with as many regions as it can have; QEMU's shortest delay is a second."""
    say("backends that come back")
    rows = []
    for vmm in vmms:
        ours = "hotslot" in vmm["version"]
        for regions in REGIONS if ours else REGIONS[:1]:
            rows.append({"label": vmm["label"], **tools.run(
                "reconnect", "--vmm", vmm["path"], "--regions", regions, "--chardev",
                "reconnect-ms=10" if ours else "reconnect=1", "--returns", 1 if short else RUNS)})
    return rows


def table(rows):
    lines = [["a backend comes back", "regions", "messages", "time"]]
    for row in rows:
        lines.append([row["label"], number_text(row["regions"]), number_text(row["messages"]),
                      time_text(row["milliseconds"] * 1000)])
    return lines


def text(rows, _short):
    return aligned(table(rows))


def document(results):
    return "\n\n".join(document_head(results) + [list_table(table(results["reconnect"]))]) + "\n"


def insane(rows):
    """A region is a message of its own."""
    return [f"{row['label']}: {row['messages']} messages for {row['regions']} regions"
            for row in rows if row["messages"] < row["regions"]]
