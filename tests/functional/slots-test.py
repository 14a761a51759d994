#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""As many memory slots as KVM has, with the payload as the guest that writes to them.

A command over the emulated serial port takes a tenth of a second, so that thousands of them come from
a shell in the nested host, all at once, through a monitor of their own on FIFOs.
"""
import argparse
import os
import re
import sys
import time

from guest import HERE, GuestError, run_test, wait_until
from nested import ATTEMPTS, Host
from payload import Payload

FROM = 10  # the payload's first step without a disk
BULK = "/tmp/bulk"


def add(host, count, timeout):
    """Adds that many DIMMs; (how many there are, the last error)."""
    said = host.run(f"sh /plug-many.sh {BULK} {count}", timeout)
    good, bad, error = re.search(r"good (\d+) bad (\d+) ?(.*)", said).groups()
    if int(good) + int(bad) != 2 * count + 1:
        raise GuestError(f"{count} DIMMs are answered with: {said}")
    return count - int(bad), error


def check_limit(there, asked, error):
    """Less than asked for is right only if the accelerator has no more, and says so."""
    if there == asked:
        return
    match = re.search(r"p(\d+).*allows (\d+) memory slots, (\d+) in use", error)
    if not match or match.group(2) != match.group(3) or int(match.group(2)) <= there:
        raise GuestError(f"{there} of {asked} DIMMs, the last error is: {error}")


def check_memory(payload, count):
    """The guest writes to the first, the last and one between."""
    for step, number in enumerate((0, count // 2, count - 1), FROM):
        payload.wait_step(step)
        payload.set_address(payload.qmp.command("qom-get", path=f"/machine/peripheral/p{number}",
                                                property="addr"))
        payload.go(step)
    payload.wait_step(FROM + 3)
    payload.set_address(0)
    payload.go(FROM + 3)

    def has_ended():
        payload.poll()
        return payload.lines[-1] == "end"
    wait_until(has_ended, 10, "the payload's last word")


def test(options, tap, directory, exits):
    host = Host(directory, {"vmm": options.vmm},
                files={"payload": options.payload,
                       "plug-many.sh": os.path.join(HERE, "plug-many.sh")},
                emulator=options.emulator)
    exits.callback(host.kill)
    host.boot()
    tap.ok("a host with KVM")
    host.run(f"ulimit -n 65536; mkfifo {BULK}.in {BULK}.out")
    with host.logs_kept():
        payload = Payload(host, f"-S -m 64,slots=32768,maxmem=80G -chardev pipe,id=bulk,path={BULK} "
                                "-mon chardev=bulk,mode=control")
        begin = time.monotonic()
        count, error = add(host, options.slots, options.timeout)
        tap.note(f"{count} DIMMs in {time.monotonic() - begin:.1f} s; {error}")
        check_limit(count, options.slots, error)
        tap.ok(f"{options.slots} DIMMs, or as many as KVM takes")
        payload.qmp.command("cont")
        check_memory(payload, count)
        tap.ok("the guest writes to the first, the last and one between")
        payload.quit()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vmm", required=True, help="the program under test")
    parser.add_argument("--payload", required=True, help="the payload as an ELF image")
    parser.add_argument("--slots", type=int, default=2000,
                        help="DIMMs to add; 32,768 are more than KVM has slots")
    parser.add_argument("--timeout", type=int, default=200, help="seconds for adding them")
    parser.add_argument("--emulator", default="/usr/bin/qemu-system-x86_64")
    parser.add_argument("--logs", default="functional-logs", help="where logs of a failure go")
    options = parser.parse_args()
    return run_test(lambda *rest: test(options, *rest), options.timeout + 80, options.logs, ATTEMPTS)


sys.exit(main())
