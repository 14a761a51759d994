# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's kernel, as Debian installs it, and an initramfs around it.

The archive is what the kernel's buffer format document calls "newc": for each
file a header of hexadecimal numbers, the name and the content, padded to 4.
"""
import copy
import glob
import gzip
import lzma
import os
import re
import stat
import struct
import subprocess


class Missing(Exception):
    """Something that has to be installed is not there."""


class Kernel:
    """The newest kernel of a flavour of Debian's below a root directory."""

    CLOUD = "cloud-amd64"  # what virtual machines need, and little else
    FULL = "amd64"         # with every driver that Debian builds

    def __init__(self, root="/", flavour=CLOUD):
        images = glob.glob(os.path.join(root, f"boot/vmlinuz-*[0-9]-{flavour}"))
        if not images:
            raise Missing(f"no {root}boot/vmlinuz-*-{flavour} (Debian: linux-image-{flavour})")
        self.image = max(images, key=lambda path: [int(n) for n in re.findall(r"\d+", path)])
        self.release = os.path.basename(self.image).removeprefix("vmlinuz-")
        self.modules = os.path.join(root, "lib/modules", self.release)
        with open(os.path.join(self.modules, "modules.builtin"), encoding="ascii") as lines:
            self._built_in = {self._name(line.strip()) for line in lines}
        self._needs = {}
        with open(os.path.join(self.modules, "modules.dep"), encoding="ascii") as lines:
            for line in lines:
                path, needs = line.split(":")
                self._needs[self._name(path)] = (path, needs.split())

    @staticmethod
    def _name(path):
        return os.path.basename(path).split(".ko")[0].replace("-", "_")

    def has_driver(self, name):
        """Whether there is a module of this name, or the kernel has it built in."""
        return name in self._needs or name in self._built_in

    def module_paths(self, names):
        """Paths below self.modules of the modules called names and all that they need, in the
        order in which they can be loaded.  What is built in has no path."""
        order = []

        def add(name):
            if name not in self._needs:
                return
            path, needs = self._needs[name]
            for need in needs:
                add(self._name(need))
            if path not in order:
                order.append(path)

        for name in names:
            add(name)
        return order

    def module(self, path):
        """The bytes of a module, uncompressed."""
        with open(os.path.join(self.modules, path), "rb") as file:
            content = file.read()
        return lzma.decompress(content) if path.endswith(".xz") else content


    # How a bzImage holds its vmlinux (Linux, Documentation/arch/x86/boot.rst, "payload_offset"), by its
    # first bytes.
    PACKERS = {b"\x02\x21": ["unlz4", "-c"], b"\xfd7": ["xz", "-dc"], b"\x28\xb5": ["zstd", "-dc"],
               b"\x1f\x8b": ["gunzip", "-c"]}

    def as_vmlinux(self, path):
        """The same kernel, whose image is its vmlinux, packed with gzip and written to path."""
        with open(self.image, "rb") as file:
            image = file.read()
        sectors = image[0x1f1] or 4
        offset, length = struct.unpack_from("<II", image, 0x248)
        begin = (sectors + 1) * 512 + offset
        # The kernel's build puts the size behind it, except where the format has it there anyway.
        payload = image[begin:begin + length]
        command = self.PACKERS[payload[:2]]
        if command[0] != "gunzip":
            payload = payload[:-4]
        unpacked = subprocess.run(command, input=payload, check=True, capture_output=True).stdout
        with gzip.open(path, "wb", 1) as file:
            file.write(unpacked)
        other = copy.copy(self)
        other.image = path
        return other


class Initramfs:
    """Files for a guest, collected and then written as one archive."""

    def __init__(self):
        self._entries = []  # of (name, mode, content)
        self._directories = set()

    def _add_parents(self, name):
        parent = os.path.dirname(name)
        if parent and parent not in self._directories:
            self._add_parents(parent)
            self._directories.add(parent)
            self._entries.append((parent, stat.S_IFDIR | 0o755, b""))

    def add(self, name, content, executable=False):
        """A file: name is its path without the leading slash."""
        self._add_parents(name)
        self._entries.append((name, stat.S_IFREG | (0o755 if executable else 0o644), content))

    def add_file(self, name, path, executable=True):
        with open(path, "rb") as file:
            self.add(name, file.read(), executable)

    def add_modules(self, kernel, names):
        """The modules, and the file /modules that names them in order."""
        paths = kernel.module_paths(names)
        for path in paths:
            self.add("lib/" + os.path.basename(path).removesuffix(".xz"), kernel.module(path))
        self.add("modules", "".join(
            f"/lib/{os.path.basename(path).removesuffix('.xz')}\n" for path in paths).encode())

    @staticmethod
    def _pad(data):
        return data + bytes(-len(data) % 4)

    def write(self, path):
        # Not compressed: the guest would have to undo it.
        with open(path, "wb") as archive:
            entries = self._entries + [("TRAILER!!!", 0, b"")]
            for number, (name, mode, content) in enumerate(entries, 1):
                encoded = name.encode() + b"\0"
                fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
                header = b"070701" + b"".join(b"%08X" % field for field in fields)
                archive.write(self._pad(header + encoded) + self._pad(content))


def find_busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            return path
    raise Missing("no /bin/busybox (Debian: busybox-static)")
