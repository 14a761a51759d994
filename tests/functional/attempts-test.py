#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What counts of a test whose guest is lost, and what of a kernel's lines: run_tests() of guest.py,
Host.logs_kept() and kernel_complaints() of nested.py, without any guest.
"""
import contextlib
import io
import subprocess
import sys
import tempfile
import types

from guest import GuestError, Lost, Tap, run_tests
from initramfs import Missing
from nested import Host, kernel_complaints
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
    ("what a failure says in more lines is a note", [GuestError("wrong:\n1\n2")], 3,
     (1, ["ok 1 begins", "not ok 2 GuestError: wrong:", "1..2"], 0)),
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


IN_USE = """\
<4>[   15.335364] migrating pfn 173c0c failed ret:5
<4>[   15.346711] page:000000001bead331 refcount:3 mapcount:1 mapping:0000000000000000
<4>[   15.375787] memcg:ffff8defc114e000
<4>[   15.388499] anon flags: 0x1fffffc00a000e(referenced|uptodate|dirty|swapbacked|zone=3)
<4>[   15.421673] raw: 001fffffc00a000e fffff69845cf03c8 ffffd202c0053c28 ffff8defce173dd1
<4>[   15.436054] raw: 00000007f23aa204 0000000000000000 00000001ffffffff ffff8defc114e000
<4>[   15.460399] page dumped because: """
BAD_PAGE = "nonzero _refcount\n<1>[   15.46] BUG: Bad page state in process init  pfn:173c0c"
TRACE = """\
<4>[    1.0] ------------[ cut here ]------------
<4>[    1.0] WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 f+0x1/0x2
<4>[    1.0] Call Trace:
<4>[    1.0] ---[ end trace 0000000000000000 ]---
<4>[    2.0] amd_pstate: the _CPC object is not present in SBIOS or ACPI disabled
<3>[    2.0] memory memory1: failed"""
COMPLAINTS = [
    ("a page in use is no complaint", IN_USE + "migration failure", []),
    ("a bad page is", IN_USE + BAD_PAGE,
     ["<4>[   15.460399] page dumped because: nonzero _refcount", BAD_PAGE.splitlines()[1]]),
    ("a warning's trace is one, what is known none", TRACE,
     [TRACE.splitlines()[1], TRACE.splitlines()[-1]]),
]


def results():
    """What is checked, what came of it, what is expected."""
    for what, text, expected in COMPLAINTS:
        yield what, kernel_complaints(text), expected
    for what, status, console, expected in ENDS:
        yield what, end_host(status, console), expected
    for tests, rows in ((1, CASES), (2, TWO_TESTS)):
        for what, outcomes, attempts, expected in rows:
            yield what, run(outcomes, attempts, tests), expected


def main():
    tap, failed = Tap(), False
    for what, result, expected in results():
        if result == expected:
            tap.ok(what)
        else:
            tap.fail(f"{what}: {result} is not {expected}")
            failed = True
    tap.finish()
    return failed


sys.exit(main())
