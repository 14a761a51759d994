#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What counts of a test whose guest is lost: run_tests() of guest.py and Host.logs_kept() of
nested.py, without any guest.
"""
import contextlib
import io
import subprocess
import sys
import tempfile
import types

from guest import GuestError, Lost, Tap, run_tests
from initramfs import Missing
from nested import Host
from qmp import QmpSilent


def run(outcomes, attempts=3, tests=1):
    """Status and lines, less the notes, of tests whose attempts end as told: by an exception, or
    well for None."""
    left = list(outcomes)

    def test(tap, _directory, _exits):
        tap.ok("begins")
        outcome = left.pop(0)
        if outcome:
            raise outcome
        tap.ok("ends")

    with tempfile.TemporaryDirectory() as logs, \
            contextlib.redirect_stdout(io.StringIO()) as output:
        status = run_tests([test] * tests, 60, logs, attempts)
    lines = [line for line in output.getvalue().splitlines() if not line.startswith("#")]
    return status, lines, len(left)


LOST = Lost("the guest is silent")
GOOD = ["ok 1 begins", "ok 2 ends", "1..2"]
TWICE = GOOD[:2] + ["ok 3 begins", "ok 4 ends", "1..4"]
CASES = [
    ("nothing is lost", [None], 3, (0, GOOD, 0)),
    ("checks of lost attempts are not counted", [LOST, QmpSilent("no answer"), None], 3,
     (0, GOOD, 0)),
    ("who is lost each time has failed", [LOST] * 4, 3,
     (1, ["ok 1 begins", "not ok 2 Lost: the guest is silent", "1..2"], 1)),
    ("a check that fails has no second attempt", [GuestError("wrong"), None], 3,
     (1, ["ok 1 begins", "not ok 2 GuestError: wrong", "1..2"], 1)),
    ("nor one that fails later", [LOST, ValueError("wrong"), None], 3,
     (1, ["ok 1 begins", "not ok 2 ValueError: wrong", "1..2"], 1)),
    ("one attempt is the rule", [LOST, None], 1,
     (1, ["ok 1 begins", "not ok 2 Lost: the guest is silent", "1..2"], 1)),
]
TWO_TESTS = [
    ("two tests", [None, None], 3, (0, TWICE, 0)),
    ("each has attempts of its own", [LOST, LOST, None, LOST, LOST, None], 3, (0, TWICE, 0)),
    ("the second is not begun when the first has failed", [GuestError("wrong"), None], 3,
     (1, ["ok 1 begins", "not ok 2 GuestError: wrong", "1..2"], 1)),
    ("what is missing for the second leaves the first", [None, Missing("no file")], 3,
     (0, GOOD[:2] + ["ok 3 begins", "ok 4 the rest # SKIP no file", "1..4"], 0)),
]


def end_host(status, console):
    """The kind of the error that a test gets when its host's emulator ends, or does not for None."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(console)
        file.flush()
        program = ["sleep", "60"] if status is None else ["sh", "-c", f"exit {status}"]
        with subprocess.Popen(program) as process:
            host = Host.__new__(Host)
            host.run = host._monitor = None
            host._guest = types.SimpleNamespace(process=process, console=file.name)
            try:
                with host.logs_kept():
                    raise BrokenPipeError
            except Exception as error:
                return type(error)
            finally:
                process.kill()


ENDS = [
    ("a host that ends without a word is lost", 0, "a kernel's first line\n", Lost),
    ("so is one whose emulator ends badly", 1, "", Lost),
    ("one that panics is not", 0, "Kernel panic - not syncing: why\n", BrokenPipeError),
    ("nor is one that goes on", None, "", BrokenPipeError),
]


def main():
    tap, failed = Tap(), False
    for what, status, console, expected in ENDS:
        kind = end_host(status, console)
        if kind == expected:
            tap.ok(what)
        else:
            tap.fail(f"{what}: {kind} is not {expected}")
            failed = True
    rows = [(1, *row) for row in CASES] + [(2, *row) for row in TWO_TESTS]
    for tests, what, outcomes, attempts, expected in rows:
        result = run(outcomes, attempts, tests)
        if result == expected:
            tap.ok(what)
        else:
            tap.fail(f"{what}: {result} is not {expected}")
            failed = True
    tap.finish()
    return failed


sys.exit(main())
