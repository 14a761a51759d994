# SPDX-License-Identifier: GPL-2.0-or-later
"""A test on a nested host (nested.py) as a program: its options, its host, its attempts."""
import argparse
import contextlib
import time

from emulator import find_emulator
from guest import run_tests
from nested import ATTEMPTS, Host


def option_parser(description, seconds, **programs):
    """What every such test takes, and programs {option: what it is}, each of which it needs.

    seconds  one attempt may take, unless --seconds says otherwise
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--vmm", required=True, help="the program under test")
    for name, what in programs.items():
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, help=what)
    parser.add_argument("--emulator", help="QEMU that emulates the host, if not the newest that "
                        "Debian 12 can install, or the installed one without network")
    parser.add_argument("--cache", default="backports",
                        help="folder that keeps what comes from Debian's backports")
    parser.add_argument("--host-cpus", type=int, default=2, help="CPUs of the emulated host")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS,
                        help="how often a part may begin whose guest is lost: %(default)s")
    parser.add_argument("--seconds", type=int, default=seconds,
                        help="one attempt may take, %(default)s by default")
    parser.add_argument("--logs", default="functional-logs", help="where logs of a failure go")
    return parser


class Attempt:
    """What a test gets: options, directory (for its files), and where it tells of its checks."""

    def __init__(self, options, tap, directory, exits):
        self.options = options
        self.directory = directory
        self.ok, self.skip, self.note = tap.ok, tap.skip, tap.note
        self._exits = exits
        self._begin = time.monotonic()

    def done(self, what):
        """A check has passed, at this time."""
        self.ok(what)
        self.note(f"after {time.monotonic() - self._begin:.1f} s")

    @contextlib.contextmanager
    def host(self, programs, **more):
        """A Host with the program under test as vmm and these, booted; whatever goes wrong within
        keeps its logs.  From here on the time is told."""
        emulator = find_emulator(self.options.cache, self.note, self.options.emulator)
        self._begin = time.monotonic()
        host = Host(self.directory, emulator, {"vmm": self.options.vmm, **programs},
                    cpus=self.options.host_cpus, **more)
        self._exits.callback(host.kill)
        with host.logs_kept():
            host.boot()
            self.done("a host with KVM")
            yield host


def run(options, *tests):
    """Calls each test(attempt), as often as it takes (run_tests() of guest.py); the exit status.

    What takes minutes is better two tests, each with a host and attempts of its own."""
    return run_tests([lambda *rest, test=test: test(Attempt(options, *rest)) for test in tests],
                     options.seconds, options.logs, options.attempts)
