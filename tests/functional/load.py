# SPDX-License-Identifier: GPL-2.0-or-later
"""The load on a guest's disk: random writes and reads with verification."""
from guest import GuestError, wait_until


class Load:
    """The guest's load program (guest-load.c) by its reports."""

    def __init__(self, run, disk, blocks, workers):
        """run() carries out a shell command in the guest."""
        self._run = run
        run(f"rm -f /tmp/stop; guest-load {disk} {blocks} {workers} /tmp/stop /tmp/report"
            " >/tmp/load.out 2>&1 &")

    def report(self):
        words = self._run("cat /tmp/report 2>/dev/null || true").split()
        report = dict(word.split("=") for word in words)
        if int(report.get("errors", 0)):
            raise GuestError("the load found " + self._run("cat /tmp/load.out"))
        return {key: value if key == "state" else int(value) for key, value in report.items()}

    def progress(self, key, more, timeout=30):
        """Waits until a counter has grown by more."""
        start = self.report().get(key, 0)
        wait_until(lambda: self.report().get(key, 0) >= start + more, timeout,
                   f"{more} more {key} of the load")

    def stop(self):
        self._run("touch /tmp/stop")
        return wait_until(lambda: (report := self.report())["state"] != "running" and report, 60,
                          "the end of the load")
