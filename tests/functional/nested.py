# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM where there is no hardware virtualisation.

The host is a Linux guest itself, on the software CPU of Debian's QEMU, which has AMD's SVM.
Commands go to the host over its second serial port, QMP to a machine in it over the third, commands
to that machine's guest over the fourth.
"""
import os
import re
import subprocess

from guest import Guest, Shell, write_initramfs
from initramfs import Kernel
from qmp import Qmp

LOGS = ("vmm.log", "backend.log", "console.log")


def libraries(program):
    """{path in the guest: path here} of what a program loads."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {path.lstrip("/"): os.path.realpath(path)
            for path in re.findall(r"(/\S+)", lines) if not path.endswith(":")}


class Host:
    """A host with KVM.

    directory  where its sockets and logs are
    programs   {name in the host: path here}, each comes with its libraries
    files      what else is in it: {path there: path here}
    guest      what guests in it find in their initramfs, /inner.gz there: {path there: path here};
               their kernel is /vmlinuz there
    modules    kernel modules of those guests, in addition to those of virtio over PCI
    memory     MiB
    """

    def __init__(self, directory, programs, guest=None, files=None, modules=("virtio_blk",),
                 memory=2560, emulator="/usr/bin/qemu-system-x86_64", kernel=None):
        kernel = kernel or Kernel()
        inner = os.path.join(directory, "inner.gz")
        write_initramfs(inner, kernel, modules, guest or {})
        content = {"vmlinuz": kernel.image, "inner.gz": inner, **(files or {})}
        for name, program in programs.items():
            content[f"bin/{name}"] = program
            content.update(libraries(program))
        self.directory = directory
        self.sockets = [os.path.join(directory, name)
                        for name in ("inner-qmp.sock", "inner.sock")]
        self._guest = Guest(
            directory, emulator,
            ["-accel", "tcg,thread=multi", "-cpu", "max,svm=on", "-smp", "2", "-m", str(memory)]
            + [word for number, path in enumerate(self.sockets) for word in
               ("-chardev", f"socket,id=s{number},path={path},server=on,wait=off",
                "-serial", f"chardev:s{number}")],
            modules=["kvm_amd"], files=content)

    def boot(self):
        self._guest.boot(120)
        self.run = self._guest.run
        self.run("stty -F /dev/ttyS2 raw -echo; stty -F /dev/ttyS3 raw -echo")

    def kill(self):
        self._guest.kill()

    def start_backend(self, command, socket, log="backend.log"):
        """Runs a back-end in the background and waits for its socket."""
        self.run(f"{command} >>/tmp/{log} 2>&1 & "
                 f"for i in $(seq 200); do [ -e {socket} ] && break; sleep 0.05; done; "
                 f"[ -e {socket} ]")

    def keep_logs(self):
        """Copies the ends of the logs in the host to the directory, as inner-*.log."""
        for log in LOGS:
            with open(os.path.join(self.directory, f"inner-{log}"), "w",
                      encoding="utf-8") as file:
                file.write(self.run(f"tail -c 8000 /tmp/{log} 2>/dev/null || true"))


class Machine:
    """A machine on the host: shell is its guest's, qmp its monitor.

    command    the program and its options; kernel, console, shell and monitor are added
    append     added to the kernel's command line
    """

    APPEND = "console=ttyS0 quiet loglevel=5 panic=-1 mitigations=off no_timer_check"

    def __init__(self, host, command, append=""):
        self._host = host
        self._command = (
            f"{command} -accel kvm -nodefaults -display none "
            "-chardev file,id=console,path=/tmp/console.log -device isa-serial,chardev=console "
            "-chardev file,id=shell,path=/dev/ttyS3,input-path=/dev/ttyS3 "
            "-device isa-serial,chardev=shell,index=1 -qmp stdio "
            f"-kernel /vmlinuz -initrd /inner.gz -append '{self.APPEND} {append}'")
        self.shell = Shell(host.sockets[1])
        self.qmp = Qmp(host.sockets[0], 60, self._start)

    def _start(self):
        self._host.run(f"rm -f /tmp/vmm.status; ({self._command} </dev/ttyS2 >/dev/ttyS2 "
                       "2>/tmp/vmm.log; echo $? >/tmp/vmm.status) &")

    def status(self, timeout):
        """The machine's exit status."""
        return int(self._host.run(f"for i in $(seq {timeout * 10}); do [ -e /tmp/vmm.status ] && "
                                  "break; sleep 0.1; done; cat /tmp/vmm.status", timeout + 10))
