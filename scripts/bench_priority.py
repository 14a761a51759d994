# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts a benchmark and what it starts before all else on the machine, as far as it may."""
import atexit
import os
from pathlib import Path

HIGHEST = -20
GROUP = Path("/proc/self/autogroup")  # of this terminal: Linux weighs those first (sched(7))


def take_priority(group=GROUP):
    """For this process, its children, and the terminal's group until the end; never an error."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, HIGHEST)
    except OSError:
        pass  # the figures are noisier then
    raise_group(group)


def raise_group(group):
    """A process outside of all groups reads an empty line there, and has nothing to raise."""
    try:
        words = group.read_text().split()
        if words and words[-1].lstrip("-").isdigit():
            group.write_text(str(HIGHEST))
            atexit.register(restore_group, group, words[-1])
    except OSError:
        pass


def restore_group(group, before):
    try:
        group.write_text(before)
    except OSError:
        pass
