#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""As many memory slots as KVM has, with the payload as the guest that writes to them.

A command over the emulated serial port takes a tenth of a second, so that thousands of them come from
a shell in the nested host, all at once, through a monitor of their own on FIFOs.
"""
import os
import re
import sys
import time

from attempt import option_parser, run
from guest import HERE, GuestError, wait_until
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


def test(attempt):
    options = attempt.options
    with attempt.host({}, files={"payload": options.payload,
                                 "plug-many.sh": os.path.join(HERE, "plug-many.sh")}) as host:
        host.run(f"ulimit -n 65536; mkfifo {BULK}.in {BULK}.out")
        payload = Payload(host, f"-S -m 64,slots=32768,maxmem=80G -chardev pipe,id=bulk,path={BULK} "
                                "-mon chardev=bulk,mode=control")
        begin = time.monotonic()
        count, error = add(host, options.slots, options.timeout)
        attempt.note(f"{count} DIMMs in {time.monotonic() - begin:.1f} s; {error}")
        check_limit(count, options.slots, error)
        attempt.done(f"{options.slots} DIMMs, or as many as KVM takes")
        payload.qmp.command("cont")
        check_memory(payload, count)
        attempt.done("the guest writes to the first, the last and one between")
        payload.quit()


def main():
    parser = option_parser(__doc__, 80, payload="the payload as an ELF image")
    parser.add_argument("--slots", type=int, default=2000,
                        help="DIMMs to add; 32,768 are more than KVM has slots")
    parser.add_argument("--timeout", type=int, default=200,
                        help="seconds for adding them, besides --seconds")
    options = parser.parse_args()
    options.seconds += options.timeout
    return run(options, test)


sys.exit(main())
