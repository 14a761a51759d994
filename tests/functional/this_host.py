# SPDX-License-Identifier: GPL-2.0-or-later
"""This host, for machines (nested.py) that run on its own KVM."""
import os
import shlex
import subprocess

from guest import GuestError, Shell, start_process, wait_until, write_initramfs
from initramfs import Kernel
from qmp import Qmp, QmpError


class ThisHost:
    """This host as a Machine knows one.

    directory  where images, sockets and logs are
    programs   {name in commands: path here}
    guest      what guests find in their initramfs: {path there: path here}
    modules    kernel modules of guests, in addition to those of virtio over PCI
    """

    def __init__(self, directory, programs, guest=None, modules=("virtio_blk",)):
        kernel = Kernel()
        archive = os.path.join(directory, "inner.cpio")
        write_initramfs(archive, kernel, modules, guest or {})
        self.folder = directory
        self.monitor = f"unix:{directory}/inner-qmp.sock,server=on,wait=off"
        self.shell = f"socket,path={directory}/inner.sock,server=on,wait=off"
        self._files = kernel.image.lstrip("/"), archive.lstrip("/")
        self._programs = programs
        self._processes = []

    def kernel_files(self, _name):
        return self._files

    def _start(self, command, log):
        words = shlex.split(command)
        process = start_process([self._programs.get(words[0], words[0])] + words[1:],
                                os.path.join(self.folder, log))
        self._processes.append(process)
        return process

    def run(self, command, timeout=30):
        """Runs a shell command and returns what it printed; its status must be 0."""
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise GuestError(f"'{command}' ended with status {done.returncode}: {done.stdout}")
        return done.stdout

    def start_disk(self, name, mebibytes, options=""):
        """vhost-user-blk over NAME behind NAME.sock in the folder; its process number."""
        image = os.path.join(self.folder, name)
        with open(image, "ab") as file:
            file.truncate(mebibytes << 20)
        process = self._start(f"vhost-user-blk --socket-path {shlex.quote(image)}.sock "
                              f"--blk-file {shlex.quote(image)} --num-queues 2 {options}",
                              f"{name}.log")
        wait_until(lambda: os.path.exists(f"{image}.sock") or process.poll() is not None, 20,
                   f"the socket of vhost-user-blk, {name}.sock")
        return process.pid

    def start_machine(self, command, name):
        """Runs a machine in the background: its monitor and the shell of its guest."""
        process = self._start(command, f"{name}.log")

        def listens():
            if process.poll() is not None:
                with open(os.path.join(self.folder, f"{name}.log"), encoding="utf-8") as log:
                    raise GuestError(log.read().strip() or f"status {process.returncode}")
            return os.path.exists(os.path.join(self.folder, "inner-qmp.sock"))

        wait_until(listens, 60, "the machine's monitor")
        try:
            return (Qmp(os.path.join(self.folder, "inner-qmp.sock")),
                    Shell(os.path.join(self.folder, "inner.sock")))
        except (QmpError, OSError):
            process.wait(10)
            listens()  # says why it ended
            raise

    def machine_status(self, timeout):
        """The exit status of the machine that was started last."""
        return self._processes[-1].wait(timeout)

    def keep_logs(self):
        """They are in the directory already."""

    def kill(self):
        """Ends whatever was started."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.kill()
                process.wait()
