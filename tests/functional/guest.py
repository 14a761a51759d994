# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests for functional tests: started, spoken to, and ended.

A guest is Debian's kernel with an initramfs of busybox and the test's own files.
The kernel's console is the first serial port and goes to a file; the second one
takes shell commands and gives their output back (see the file init).
"""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from initramfs import Initramfs, Kernel, Missing, find_busybox
from qmp import Qmp, QmpSilent

HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_PDEATHSIG = 1
VIRTIO_PCI = ["virtio_pci"]
_libc = ctypes.CDLL(None)


class GuestError(Exception):
    """The guest did not do what it should."""


class Lost(GuestError):
    """Nothing is heard of the guest any more, or it has begun anew without being told to."""


def start_process(arguments, log, one_cpu=False):
    """Starts a program that dies with this one; its output is appended to the file log.  one_cpu: no
    two of its threads run at a time."""
    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if one_cpu:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    with open(log, "ab") as output:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                preexec_fn=prepare)


def wait_until(condition, timeout, what):
    """Waits until condition() is true and returns what it gave."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise GuestError(f"{what}: not within {timeout} s")
        time.sleep(0.2)  # asking costs a slow guest its time


def write_initramfs(path, kernel, modules, files):
    """What a guest of the file init needs: busybox, modules in addition to those of virtio over PCI,
    and files {path in the guest: path here}."""
    archive = Initramfs()
    archive.add_file("bin/busybox", find_busybox())
    archive.add_file("init", os.path.join(HERE, "init"))
    for name, file in files.items():
        archive.add_file(name, file)
    archive.add_modules(kernel, VIRTIO_PCI + list(modules))
    archive.write(path)


class Shell:
    """The commands of the file init, over a unix socket that leads to the guest's serial port."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._received = b""

    def wait_ready(self, timeout):
        """Waits until the guest takes commands."""
        output, word = self._answer(timeout)
        if word != "ready":
            raise GuestError(f"the guest begins with '{output}{word}'")

    def _answer(self, timeout):
        """What is printed up to the next line "@@ WORD", and the word."""
        deadline = time.monotonic() + timeout
        while True:
            match = re.search(rb"(?:^|\n)@@ (\w+)\r?\n", self._received)
            if match:
                output = self._received[:match.start()].decode(errors="replace")
                self._received = self._received[match.end():]
                return output, match.group(1).decode()
            self._receive(deadline, timeout)

    def _receive(self, deadline, timeout):
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            received = self._socket.recv(65536)
        except TimeoutError:
            raise Lost(f"the guest is silent for {timeout} s") from None
        if not received:
            raise GuestError("the emulator has ended")
        self._received += received

    def close(self):
        self._socket.close()

    def send(self, command):
        """Sends a command without waiting for its answer, or one that does not come back."""
        self._socket.sendall(command.encode() + b"\n")

    def run(self, command, timeout=120):
        """Runs a shell command in the guest and returns what it printed; its status must be 0."""
        self.send(command)
        return self.wait_answer(timeout, command)

    def wait_output(self, text, timeout=30):
        """Waits until a command that was sent before has printed text; its answer comes later."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self._received:
            self._receive(deadline, timeout)

    def wait_answer(self, timeout=30, command="the command"):
        """What a command printed that was sent before; its status must be 0."""
        output, status = self._answer(timeout)
        if status == "ready":
            raise Lost(f"the guest has begun anew before '{command}' ended")
        if status != "0":
            raise GuestError(f"'{command}' ended with status {status}: {output}")
        return output

    def memory_total(self):
        """MemTotal of /proc/meminfo in KiB."""
        return int(re.search(r"MemTotal: +(\d+)", self.run("grep MemTotal /proc/meminfo")).group(1))


class Guest:
    """A machine with a Linux in it.

    directory  where its sockets and logs are
    emulator   the program, with QEMU's command line
    arguments  the machine: accelerator, memory, devices
    modules    names of kernel modules to load, in addition to those of virtio over PCI
    files      what to have in the initramfs: {path in the guest: path here}
    kernel     a Kernel, if not the installed one
    one_cpu    the emulator's threads share one of this computer's CPUs
    """

    COMMAND_LINE = "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off tsc=reliable"

    def __init__(self, directory, emulator, arguments, modules=(), files=None, command_line="",
                 kernel=None, one_cpu=False):
        self.console = os.path.join(directory, "console.log")
        kernel = kernel or Kernel()
        initramfs = os.path.join(directory, "initramfs.cpio")
        write_initramfs(initramfs, kernel, modules, files or {})
        self._commands_path = os.path.join(directory, "commands.sock")
        qmp = os.path.join(directory, "qmp.sock")
        self.process = start_process(
            [emulator, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-kernel", kernel.image, "-initrd", initramfs,
             "-append", f"{self.COMMAND_LINE} {command_line}",
             "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
             "-chardev", f"socket,id=commands,path={self._commands_path},server=on,wait=off",
             "-serial", "chardev:commands",
             "-qmp", f"unix:{qmp},server=on,wait=off"] + arguments,
            os.path.join(directory, "emulator.log"), one_cpu)
        try:
            self.qmp = Qmp(qmp)
        except Exception:
            self.kill()
            raise
        self.shell = None
        self.run = self.memory_total = None  # the shell's, once the guest has booted

    def boot(self, timeout=60):
        """Waits until the guest takes commands."""
        self.shell = Shell(self._commands_path)
        self.shell.wait_ready(timeout)
        self.run = self.shell.run
        self.memory_total = self.shell.memory_total

    def power_off(self, timeout=30):
        """Lets the guest power off; the emulator's exit status."""
        self.shell.send("poweroff -f")
        return self.process.wait(timeout)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Tap:
    """Prints the Test Anything Protocol: a line for each check, the plan at the end.

    hold  the lines of the checks come together, when end_attempt() is told that they count
    """

    def __init__(self, hold=False):
        self.count = 0
        self._hold = hold
        self._held = []

    def ok(self, what):
        self._held.append(what)
        if self._hold:
            self.note(f"passed: {what}")
        else:
            self.end_attempt(True)

    def skip(self, what, why):
        self.ok(f"{what} # SKIP {why}")

    def note(self, text):
        for line in text.splitlines():
            print(f"# {line}", flush=True)

    def end_attempt(self, counts):
        for what in self._held if counts else []:
            self.count += 1
            print(f"ok {self.count} {what}", flush=True)
        self._held = []

    def fail(self, what):
        self.end_attempt(True)
        self.count += 1
        first, *more = str(what).splitlines()
        print(f"not ok {self.count} {first}", flush=True)
        self.note("\n".join(more))

    def finish(self):
        print(f"1..{self.count}", flush=True)


def _on_alarm(_number, _frame):
    raise GuestError("the whole test took too long")


def _keep_logs(tap, directory, keep_in):
    """Prints the ends of the logs, and moves a copy of all below the folder keep_in."""
    for name in sorted(os.listdir(directory)):
        if name.endswith(".log"):
            with open(os.path.join(directory, name), errors="replace") as log:
                tap.note(f"--- {name}:\n{log.read()[-3000:]}")
    os.makedirs(keep_in, exist_ok=True)
    kept = shutil.copytree(directory, os.path.join(keep_in, os.path.basename(directory)),
                           ignore=lambda folder, names: [
                               name for name in names if not name.endswith(".log")])
    tap.note(f"the logs are in {kept}")


def _attempt(test, tap, seconds, keep_in):
    """Calls the test; the exception that ended it, if one did."""
    directory = tempfile.mkdtemp(prefix="hotslot-")
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(seconds)
    try:
        with contextlib.ExitStack() as exits:
            test(tap, directory, exits)
        return None
    except Missing:
        raise
    except Exception as error:  # whatever it is, it is the test's result
        tap.note(f"{type(error).__name__}: {error}")
        _keep_logs(tap, directory, keep_in)
        return error
    finally:
        signal.alarm(0)
        shutil.rmtree(directory)
        sys.stdout.flush()


def _try(test, tap, seconds, keep_in, attempts):
    """Calls the test until its guest is not lost, that often at most; the exception that ended the
    last attempt, if one did."""
    for attempt in range(1, attempts + 1):
        error = _attempt(test, tap, seconds, keep_in)
        if attempt == attempts or not isinstance(error, (Lost, QmpSilent)):
            return error
        tap.note(f"attempt {attempt} of {attempts} has lost its guest and does not count")
        tap.end_attempt(False)


def run_tests(tests, seconds, keep_in, attempts=1):
    """Calls each test(tap, directory, exits) until one fails, and returns the exit status.

    exits is a contextlib.ExitStack for whatever has to be ended.  After seconds a test has
    failed.  If it fails, the directory with all logs moves below the directory keep_in, and the
    ends of the logs are printed.

    attempts  how often each may begin anew whose guest was lost: for hosts that lose guests by
              themselves.  A check that fails ends everything at once.
    """
    tap = Tap(hold=attempts > 1)
    error = None
    try:
        for test in tests:
            error = _try(test, tap, seconds, keep_in, attempts)
            tap.end_attempt(True)
            if error:
                tap.fail(f"{type(error).__name__}: {error}")
                break
    except Missing as missing:
        if tap.count == 0:
            print(f"1..0 # SKIP {missing}")
            return 0
        tap.skip("the rest", missing)
        tap.end_attempt(True)
    tap.finish()
    return 1 if error else 0
