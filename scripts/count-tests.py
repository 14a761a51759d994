#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts single tests from meson's testlog.json: prints "passed failed skipped".

A test program that prints TAP counts as many tests as it printed lines for; one
that ended badly counts at least one failure.
"""
import json
import re
import sys

passed = failed = skipped = 0
for line in open(sys.argv[1], encoding="utf-8"):
    program = json.loads(line)
    good = bad = left = 0
    for match in re.finditer(r"^(ok|not ok) \d+[^#\n]*(# SKIP)?", program.get("stdout", ""),
                             re.MULTILINE):
        if match.group(2):
            left += 1
        elif match.group(1) == "ok":
            good += 1
        else:
            bad += 1
    if program["result"] in ("OK", "EXPECTEDFAIL") and not good and not left:
        good = 1
    if program["result"] == "SKIP" and not left:
        left = 1
    if program["result"] not in ("OK", "EXPECTEDFAIL", "SKIP") and not bad:
        bad = 1
    passed, failed, skipped = passed + good, failed + bad, skipped + left
print(passed, failed, skipped)
