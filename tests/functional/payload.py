# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine with the payload in it (payload.c), and its mailbox.

The mailbox lies in RAM, which is a file, so that both sides reach it without an exit.
"""
import struct

from guest import GuestError, wait_until
from qmp import Qmp

MIB = 1 << 20
MAILBOX = 2 * MIB


class Payload:
    """host: a Host with the file payload and the program vmm; options: added to the command line, and
    accelerator to -accel kvm.  One after the other can be in a host."""

    def __init__(self, host, options, accelerator=""):
        self._host = host
        self._options = options
        self._accelerator = accelerator
        self._said = 0
        self.lines = []
        self.qmp = Qmp(host.sockets[0], 60, self._start)

    def _start(self):
        self._host.run(
            "rm -f /tmp/vmm.status /tmp/payload.log /tmp/ram; truncate -s 64M /tmp/ram; "
            f"(vmm -accel kvm{self._accelerator} -nodefaults -display none {self._options} "
            "-object memory-backend-file,id=ram,size=64M,mem-path=/tmp/ram,share=on "
            "-machine pc,memory-backend=ram -chardev file,id=s,path=/tmp/payload.log "
            "-device isa-serial,chardev=s -qmp stdio -kernel /payload "
            "</dev/ttyS2 >/dev/ttyS2 2>/tmp/vmm.log; echo $? >/tmp/vmm.status) &")

    def _read(self, offset, form):
        text = self._host.run(f"dd if=/tmp/ram bs=4 skip={(MAILBOX + offset) // 4} count=2 "
                              "2>/dev/null | od -An -tx1")
        return struct.unpack_from(form, bytes.fromhex(text))[0]

    def _write(self, offset, content):
        octal = "".join(f"\\{byte:03o}" for byte in content)
        self._host.run(f"printf '{octal}' | dd of=/tmp/ram bs=4 seek={(MAILBOX + offset) // 4} "
                       "conv=notrunc 2>/dev/null")

    def poll(self):
        """Takes what was printed; a check that failed is the end."""
        text = self._host.run("cat /tmp/payload.log 2>/dev/null || true")
        lines = text[:text.rfind("\n") + 1].splitlines()
        new, self._said = lines[self._said:], len(lines)
        self.lines += new
        for line in new:
            if not line.startswith("ok ") and line != "end":
                raise GuestError(f"the payload says '{line}'")
        return new

    def wait_step(self, step, timeout=30):
        def there():
            self.poll()
            return self._read(0, "<I") == step
        wait_until(there, timeout, f"step {step} of the payload")

    def go(self, step):
        self._write(4, struct.pack("<I", step))

    def set_address(self, address):
        self._write(24, struct.pack("<Q", address))

    def has_full_registers(self):
        return self._read(12, "<I") == 1

    def resume(self):
        self._write(16, struct.pack("<I", 1))

    def exits(self):
        """{reason: how often} of all CPUs, less those that were called out."""
        total = {}
        for cpu in self.qmp.command("x-query-cpu-exits"):
            for reason, count in cpu.items():
                if reason not in ("cpu-index", "interrupt"):
                    total[reason] = total.get(reason, 0) + count
        return total

    def quit(self):
        self.qmp.command("quit")
        self.wait_status(0)

    def wait_status(self, status):
        """The program ends by itself, with this status."""
        def ended():
            text = self._host.run("cat /tmp/vmm.status 2>/dev/null || true").strip()
            if text not in ("", str(status)):
                raise GuestError(f"the program's status is {text}, not {status}")
            return text
        wait_until(ended, 20, f"an end with status {status}")
        self.qmp.close()
