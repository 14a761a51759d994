# SPDX-License-Identifier: GPL-2.0-or-later
"""KVM where there is no hardware virtualisation.

The host is a Linux guest itself, on the software CPU of Debian's QEMU, which has AMD's SVM.
Commands go to the host over its second serial port, QMP to a machine in it over the third, commands
to that machine's guest over the fourth.  There is one machine at a time.
"""
import contextlib
import os
import re
import subprocess

from guest import Guest, GuestError, Lost, Shell, wait_until, write_initramfs
from initramfs import Kernel
from qmp import Qmp, QmpError

# How often a test may begin anew whose guest is lost.  QEMU 7.2's emulation of SVM changes a CPU's
# pending interrupts without the lock that its other threads take for that, and was seen to deliver
# interrupts to a host's kernel that had them off: machines of Debian's QEMU are lost in such a host
# as ours are (docs/devel/testing.rst).
ATTEMPTS = 3

MIB = 1 << 20
MEMORY = 512  # MiB of a guest at boot
DIMM = 128    # MiB: a memory block of Linux on x86

# What a stock kernel (Debian's 6.1.0-56-cloud-amd64) says on Debian's QEMU 7.2 as well: measured with
# "-machine pc -accel kvm -cpu host -smp 2 -m 512,slots=64,maxmem=16G" in the same kind of host, by
# dmesg -r of levels 0 to 4.  The software CPU's XSAVE state has sizes that do not agree with each
# other, and a PCI bus of this age has no extended configuration space.  The one of amd_pstate comes
# with 6.12 and this CPU ("-accel tcg -machine pc -cpu max,svm=on").  The last one did not come
# there: it says that the host is slow, which a CPU emulated twice is at times; so does the one of the
# local APIC, within a fifth, where the interval timer is a device of the program.
KNOWN_COMPLAINTS = re.compile(r"XSAVE consistency|fpu__init_system_xstate|CPUID\[0d, |MMCONFIG|"
                              r"amd_pstate: the _CPC object|hrtimer: interrupt took|"
                              r"APIC calibration not consistent with PM-Timer: (8|9|10|11).ms")
# Of a DIMM that is unplugged while a disk uses a page of it, Linux tells each time that it cannot move
# the page, and describes it.  With the disk's backend held for 1.5 s, four times in one machine, three
# of six DIMMs asked to go, it did so of 10 pages on Debian's QEMU 7.2 and of 12 on ours (it tells of
# 10 in 5 s at most).  A page that is described for another reason has that in a line of its own.
PAGE_IN_USE = re.compile(r"migrating pfn \w+ failed|page dumped because: migration failure|"
                         r"\] page: ?\w* ?refcount:|\] memcg:\w+$|\] anon flags: |"
                         r"\] raw:( [0-9a-f]{16}){4}$")


def kernel_complaints(text):
    """What the kernel warns of in the output of dmesg -r, line by line, less what is known; a warning
    with its trace is one of them."""
    found, in_trace = [], False
    for line in text.splitlines():
        in_trace = in_trace or "cut here" in line
        if not in_trace or "WARNING" in line:
            if not KNOWN_COMPLAINTS.search(line) and not PAGE_IN_USE.search(line):
                found.append(line)
        in_trace = in_trace and "end trace" not in line
    return found


def libraries(program):
    """{path in the guest: path here} of what a program loads."""
    lines = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {path.lstrip("/"): os.path.realpath(path)
            for path in re.findall(r"(/\S+)", lines) if not path.endswith(":")}


class Host:
    """A host with KVM.

    directory  where its sockets and logs are
    emulator   an Emulator
    programs   {name in the host: path here}, each comes with its libraries
    files      what else is in it: {path there: path here}
    guest      what guests in it find in their initramfs: {path there: path here}
    modules    kernel modules of those guests, in addition to those of virtio over PCI
    host_modules  of the host, in addition to KVM's
    memory     MiB
    huge_pages  memory of its guests comes in pages of 2 MiB: a fifth of the exits at boot, and more of
               its own memory in use
    cpus       its own, each a thread of the emulator; with one all of the emulator runs on one CPU,
               where its threads do not meet within an instruction: slow, and it loses no guests
    kernel     its own, and that of guests: /vmlinuz and /inner.cpio there
    kernels    more kernels for guests: {name: Kernel}, /NAME.vmlinuz and /NAME.cpio there

    What a Machine needs of a host: folder for its files, shell and monitor (chardevs of the program
    under test), kernel_files, run, start_machine and machine_status.
    """

    folder = "/tmp"
    shell = "file,path=/dev/ttyS3,input-path=/dev/ttyS3"
    monitor = "stdio"

    def __init__(self, directory, emulator, programs, guest=None, files=None,
                 modules=("virtio_blk",), memory=2560, kernel=None, kernels=None, host_modules=(),
                 cpus=2, huge_pages=False):
        kernel = kernel or Kernel()
        content = dict(files or {})
        for name, inner in {"": kernel, **(kernels or {})}.items():
            image, archive = self.kernel_files(name)
            path = os.path.join(directory, archive)
            write_initramfs(path, inner, modules, guest or {})
            content.update({image: inner.image, archive: path})
        for name, program in programs.items():
            content[f"bin/{name}"] = program
            content.update(libraries(program))
        self.directory = directory
        self._monitor = None  # of the machine that was started last
        self._has_vmm = "vmm" in programs
        self._huge_pages = huge_pages
        self.run = None  # once it has booted
        self.sockets = [os.path.join(directory, name)
                        for name in ("inner-qmp.sock", "inner.sock")]
        self._guest = Guest(
            directory, emulator.program,
            [*emulator.options, "-accel", "tcg,thread=multi", "-cpu", emulator.CPU,
             "-smp", str(cpus), "-m", str(memory)]
            + [word for number, path in enumerate(self.sockets) for word in
               ("-chardev", f"socket,id=s{number},path={path},server=on,wait=off",
                "-serial", f"chardev:s{number}")],
            kernel=kernel, modules=["kvm_amd", *host_modules], files=content,
            command_line="no_timer_check", one_cpu=cpus == 1)

    @staticmethod
    def kernel_files(name):
        """Paths of the image and the initramfs in the host, without the leading slash, of the kernel
        called name."""
        return (f"{name}.vmlinuz", f"{name}.cpio") if name else ("vmlinuz", "inner.cpio")

    def boot(self):
        self._guest.boot(300)
        self.run = self._guest.run
        self.run("stty -F /dev/ttyS2 raw -echo; stty -F /dev/ttyS3 raw -echo; "
                 "mount -t debugfs debugfs /sys/kernel/debug")
        if self._huge_pages:
            self.run("echo always >/sys/kernel/mm/transparent_hugepage/shmem_enabled")
        self._hold_kvm()

    def _hold_kvm(self):
        """A machine that does not run lives as long as the host.

        With its first machine and its last one KVM changes code of the scheduler, by breakpoints that
        stand there for a moment.  The emulator's other CPU now and then keeps what it translated of
        one, and stops at it for ever."""
        if self._has_vmm:
            self.run("cp /bin/vmm /bin/kvm-holder; kvm-holder -accel kvm -S -m 128 -nodefaults "
                     "-display none -kernel /vmlinuz >/tmp/kvm-holder.log 2>&1 & "
                     "for i in $(seq 400); do "
                     "ls -d /sys/kernel/debug/kvm/*-* >/dev/null 2>&1 && break; sleep 0.05; "
                     "done; kill -0 $!", 60)

    def kill(self):
        self._guest.kill()

    def start_backend(self, command, socket, log="backend.log"):
        """Runs a back-end in the background and waits for its socket; its process number."""
        output = self.run(
            f"rm -f {socket}; {command} >>/tmp/{log} 2>&1 & "
            f"for i in $(seq 400); do [ -e {socket} ] && break; sleep 0.05; done; "
            f"[ -e {socket} ] || tail -n 5 /tmp/{log}; echo $!; [ -e {socket} ]", 60)
        return int(output.split()[-1])

    def start_disk(self, name, mebibytes, options=""):
        """vhost-user-blk over /tmp/NAME behind /tmp/NAME.sock; its process number."""
        self.run(f"[ -e /tmp/{name} ] || truncate -s {mebibytes}M /tmp/{name}")
        return self.start_backend(
            f"vhost-user-blk --socket-path /tmp/{name}.sock --blk-file /tmp/{name} "
            f"--num-queues 2 {options}", f"/tmp/{name}.sock", f"{name}.log")

    def start_machine(self, command, name):
        """Runs a machine in the background: its monitor and the shell of its guest."""
        shell = Shell(self.sockets[1])
        self._monitor = Qmp(self.sockets[0], 60, lambda: self.run(
            f"rm -f /tmp/vmm.status; ({command} </dev/ttyS2 >/dev/ttyS2 2>/tmp/{name}.log; "
            "echo $? >/tmp/vmm.status) &"))
        return self._monitor, shell

    def machine_status(self, timeout):
        """The machine's exit status, which must come in time."""
        return int(self.run(f"for i in $(seq {timeout * 10}); do [ -e /tmp/vmm.status ] && "
                            "break; sleep 0.1; done; cat /tmp/vmm.status", timeout + 10))

    def exits(self):
        """Exits of all machines so far: to KVM, and of those to the program for I/O."""
        return [int(self.run(f"cat /sys/kernel/debug/kvm/{name}"))
                for name in ("exits", "io_exits", "mmio_exits")]

    def keep_logs(self):
        """Copies the ends of the logs in the host to the directory, as inner-*.log."""
        for log in self.run("cd /tmp; ls *.log || true").split():
            with open(os.path.join(self.directory, f"inner-{log}"), "w",
                      encoding="utf-8") as file:
                file.write(self.run(f"tail -c 20000 /tmp/{log}"))

    @contextlib.contextmanager
    def logs_kept(self):
        """Whatever goes wrong within keeps the logs, where the host still answers.  A guest or a host
        that has begun anew without being told to is Lost, whatever was missed first."""
        try:
            yield
        except Exception as error:
            with contextlib.suppress(GuestError, OSError):  # what went wrong first is what counts
                if self.run:
                    self.keep_logs()
            if self._has_ended():
                raise Lost(f"the host has ended without a word: {error}") from error
            if isinstance(error, GuestError) and self._has_begun_anew():
                raise Lost(f"the guest has begun anew: {error}") from error
            raise

    def _has_ended(self):
        """Whether the emulator has: it does instead of beginning anew.  A host that panics does so
        too, but says why, and that may be what was done to it."""
        try:
            self._guest.process.wait(2)
        except subprocess.TimeoutExpired:
            return False
        with open(self._guest.console, encoding="utf-8", errors="replace") as console:
            return "Kernel panic" not in console.read()

    def _has_begun_anew(self):
        """Whether the running machine was reset by its guest in a way that no test has asked for:
        who asks takes the event."""
        try:
            return bool(self._monitor and self._monitor.event("RESET", 0.1, guest=True))
        except (QmpError, OSError):
            return False


class Machine:
    """A machine on a host (one of this module, or this_host.py's): shell is its guest's, qmp its
    monitor.

    command    the program and its options; kernel, console, shell and monitor are added
    append     added to the kernel's command line
    kernel     name of one of the host's other kernels
    shell      the chardev for the shell, if the host's does not suit the program
    name       of its logs in the host's folder: NAME.log, and NAME-console.log for its console
    """

    APPEND = "console=ttyS0 quiet loglevel=5 panic=-1 mitigations=off no_timer_check"

    def __init__(self, host, command, append="", kernel="", name="vmm", shell=None):
        self._host = host
        image, archive = host.kernel_files(kernel)
        self.qmp, self.shell = host.start_machine(
            f"{command} -accel kvm -nodefaults -display none "
            f"-chardev file,id=console,path={host.folder}/{name}-console.log "
            f"-device isa-serial,chardev=console -chardev {shell or host.shell},id=shell "
            f"-device isa-serial,chardev=shell,index=1 -qmp {host.monitor} "
            f"-kernel /{image} -initrd /{archive} -append '{self.APPEND} {append}'", name)
        self.run = self.shell.run

    def status(self, timeout):
        """The machine's exit status."""
        return self._host.machine_status(timeout)

    def boot(self, timeout=240):
        self.shell.wait_ready(timeout)

    def power_off(self):
        """Lets the guest power off; everything must end well."""
        self.shell.send("poweroff -f")
        self.wait_off()

    def wait_off(self):
        """Waits until the guest has powered off."""
        if not self.qmp.event("SHUTDOWN", 30, guest=True):
            raise GuestError("no event SHUTDOWN")
        if self.status(20):
            raise GuestError("the machine ended badly")
        self.close()

    def close(self):
        """Leaves the lines to the next machine."""
        self.shell.close()
        self.qmp.close()

    def complaints(self):
        """What the kernel warns of, less what is known."""
        return kernel_complaints(self.run("dmesg -r | grep -E '^<[0-4]>' || true"))

    def check_complaints(self):
        text = self.complaints()
        if text:
            raise GuestError("the kernel complains:\n" + "\n".join(text))

    def check_disk(self, name="vda", mebibytes=8):
        """Random bytes go to the disk and come back, around the guest's page cache."""
        self.run(f"dd if=/dev/urandom of=/tmp/random bs=1M count={mebibytes} 2>/dev/null; "
                 f"dd if=/tmp/random of=/dev/{name} bs=64k oflag=direct 2>/dev/null; "
                 f"dd if=/dev/{name} of=/tmp/again bs=64k count={16 * mebibytes} iflag=direct "
                 "2>/dev/null; "
                 "cmp /tmp/random /tmp/again && rm /tmp/random /tmp/again", 240)

    def refusal(self, name, **arguments):
        """The error of a QMP command, which must fail."""
        try:
            self.qmp.command(name, **arguments)
        except QmpError as error:
            return str(error)
        raise GuestError(f"{name} with {arguments} is not refused")

    # --- memory ---

    def memory_total(self):
        return self.shell.memory_total()

    def plug(self, number, **properties):
        self.qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{number}",
                         size=DIMM * MIB)
        self.qmp.command("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}",
                         **properties)

    def unplug(self, number):
        """The guest moves what lies in the DIMM elsewhere, which takes as long as it takes."""
        self.qmp.command("device_del", id=f"d{number}")
        self.wait_gone(number)

    def wait_gone(self, number):
        if not self.qmp.event("DEVICE_DELETED", 60, device=f"d{number}"):
            # A guest that is lost does not answer; one that is not says where it waits.
            said = self.run("dmesg | tail -n 5; for i in /proc/[0-9]*; do "
                            "grep -q hotplug $i/comm && cat $i/stack; done; true")
            raise GuestError(f"DIMM d{number} is not let go; the last events were "
                             f"{self.qmp.events[-2:]}, and the guest says:\n{said}")
        self.qmp.command("object-del", id=f"m{number}")

    def wait_memory(self, kibibytes, what, slack=0):
        """Waits until MemTotal is this, or up to slack less."""
        total = 0

        def reached():
            nonlocal total
            total = self.memory_total()
            return kibibytes - slack <= total <= kibibytes

        try:
            wait_until(reached, 240, f"MemTotal {what}")
        except GuestError as error:
            raise type(error)(f"{error}: it is {total} kB, expected {kibibytes}") from error
