#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark takes priority where it may, and goes on without a word where it may not."""
import atexit
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import bench_priority  # noqa: E402

CASES = (
    ("a group is raised and restored", "/autogroup-7 nice 3\n", "-20", "3"),
    ("a raised group stays as it was", "/autogroup-7 nice -20\n", "-20", "-20"),
    ("a process without a group", "", "", ""),
    ("an unknown line", "nothing to see\n", "nothing to see\n", "nothing to see\n"),
    ("no file at all", None, None, None),
)


def text_of(path):
    return path.read_text() if path.exists() else None


def passes(folder, before, during, after):
    group = Path(folder) / "group"
    if before is not None:
        group.write_text(before)
    undo = []
    register = atexit.register
    atexit.register = lambda *call: undo.append(call)
    try:
        bench_priority.raise_group(group)
    finally:
        atexit.register = register
    if text_of(group) != during:
        return False
    for function, *arguments in undo:
        function(*arguments)
    return text_of(group) == after


print(f"1..{len(CASES)}")
for number, (name, *texts) in enumerate(CASES, 1):
    with tempfile.TemporaryDirectory() as scratch:
        print("ok" if passes(scratch, *texts) else "not ok", number, "-", name)
