# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that emulates a host with AMD's SVM, on which KVM runs without hardware for it."""
import os

from backports import unpacked
from initramfs import Missing

INSTALLED = "/usr/bin/qemu-system-x86_64"
# What these packages need beside each other the installed one needs too.
PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")


class Emulator:
    """A program with QEMU's command line, and what it is called with for itself.

    program  its path
    options  of its own, as where its files are
    """

    # Without CMPXCHG16B: where it meets a page that a guest's machine has not touched yet, QEMU 7.2
    # lets the guest go on with a part of a pointer in EFLAGS, and Linux's memory allocator uses it all
    # the time.  Without LA57 and PCID more rounds of 64 DIMMs ended well in one series of QEMU 10's
    # (15 of 17), which a later series on a busy machine did not show again; why is not known.
    CPU = "max,svm=on,cx16=off,la57=off,pcid=off"

    def __init__(self, program, options=()):
        self.program = program
        self.options = list(options)


def find_emulator(cache, note, program=None):
    """The one that a test wants, else the newest that Debian 12 can install, which stays in the folder
    cache, else the installed one; note() is told why."""
    if program:
        return Emulator(program)
    try:
        root = unpacked(cache, "emulator", PACKAGES)
    except Missing as missing:
        if not os.path.exists(INSTALLED):
            raise Missing(f"no {INSTALLED} (Debian: qemu-system-x86)") from None
        note(f"the installed QEMU emulates the host, and loses guests: {missing}")
        return Emulator(INSTALLED)
    share = os.path.join(root, "usr/share")
    return Emulator(root + INSTALLED.lstrip("/"),
                    ["-L", os.path.join(share, "qemu"), "-L", os.path.join(share, "seabios")])
