#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest on KVM with a device of each kind that Debian's kernel has a driver for and no package of
Debian a backend (family/): each is used through its driver at first, with more DIMMs than the old
message has regions, after it was unplugged and plugged again, and after its backend was killed.
"""
import re
import sys
import time

from attempt import option_parser, run
from backports import newest_kernel
from guest import GuestError, wait_until
from initramfs import Kernel, Missing
from load import Load
from nested import DIMM, MEMORY, Machine
from tree import Tree

ADDED = 12       # DIMMs, more than a message of 8 regions could tell of
CID = 42
PORT = 1234      # of the echo
STREAM = 600000  # bytes, more than either end keeps
BLOCKS = 2048    # of the SCSI disk that the load uses, 4 KiB each
TUNE = 240       # KiB, of which the sound card's buffer holds 30
PERIOD = 7680    # bytes, the least that is played
KEYBOARD = "family keyboard"
EV_KEY, EV_LED, LED_CAPSL = 1, 0x11, 1
KEYS = (30, 48, 46)  # a, b, c
GPIO_LINES = "family-out family-in "
GPIO_CHANGES = "rising1 falling0 rising1 falling0 "
MODULES = ("sd_mod", "evdev", "i2c_dev")  # beside those of the devices
DRIVERS_COMPLAINTS = re.compile("out-of-tree module|not an immutable chip")
DRIVERS = ("drivers/gpio/gpio-virtio.c", "drivers/i2c/busses/i2c-virtio.c")  # not Debian's to build


class Device:
    """A device of the guest and its backend in the host; a kind of it knows how to use it."""

    kind = None      # of family-backend
    driver = None    # of -device
    module = None    # of the guest's kernel
    properties = {}  # of the device

    def __init__(self, host, name, argument=""):
        self._host = host
        self.name = name
        self._command = f"family-backend {self.kind} /tmp/{name}.sock {argument}"
        self.machine = None
        self.start()

    def start(self):
        self.process = self._host.start_backend(self._command, f"/tmp/{self.name}.sock",
                                                f"{self.name}.log")

    def option(self):
        """The command line of the machine."""
        properties = "".join(f",{key}={value}" for key, value in self.properties.items())
        return (f"-chardev socket,id={self.name},path=/tmp/{self.name}.sock,reconnect-ms=100 "
                f"-device {self.driver},id={self.name}-device,chardev={self.name}{properties} ")

    def information(self):
        return next(entry for entry in self.machine.qmp.command("x-query-vhost-user")
                    if entry["id"] == f"{self.name}-device")

    def poke(self):
        """Something happens at the device."""
        self._host.run(f"kill -USR1 {self.process}")

    def unplug(self):
        self.machine.qmp.command("device_del", id=f"{self.name}-device")
        if not self.machine.qmp.event("DEVICE_DELETED", 30, device=f"{self.name}-device"):
            raise GuestError(f"{self.name} is not let go: {self.machine.qmp.events}")

    def plug(self):
        self.machine.qmp.command("device_add", driver=self.driver, id=f"{self.name}-device",
                                 chardev=self.name, **self.properties)

    def restart(self):
        """The backend is killed and comes back."""
        connections = self.information()["connections"]
        self._host.run(f"kill -9 {self.process}")
        self.start()
        wait_until(lambda: (now := self.information())["connected"] and
                   now["connections"] > connections, 30, f"{self.name}'s new connection")

    def check_slots(self, regions):
        """The backend has the whole memory."""
        information = self.information()
        if information["slots-used"] != regions or information["losses"] != 0:
            raise GuestError(f"{self.name} with {regions} regions: {information}")

    def check(self):
        """Uses the device through its driver."""
        raise NotImplementedError


class Rng(Device):
    kind = "rng"
    driver = "vhost-user-rng-pci"
    module = "virtio_rng"

    def __init__(self, host, name, word):
        self._word = word
        super().__init__(host, name, word)

    def _sources(self):
        """The kernel's names of those that are there; 6.12 can do without, and calls that none."""
        return [name for name in self.machine.run(
            "cat /sys/class/misc/hw_random/rng_available").split() if name != "none"]

    def _words(self):
        """What each source says."""
        words = set()
        for source in self._sources():
            text = self.machine.run(
                f"echo {source} >/sys/class/misc/hw_random/rng_current; "
                "dd if=/dev/hwrng bs=64 count=24 2>/dev/null | hexdump -v -e '/1 \"%02x\"'")
            data = bytes.fromhex(text.strip())
            records = [data[at:at + 8] for at in range(0, len(data), 8)]
            numbers = [int.from_bytes(record[4:]) for record in records]
            # What was there for the next reader when a backend ended comes before what the next one
            # gives, and that counts from 0.
            falls = sum(after <= before for before, after in zip(numbers, numbers[1:]))
            if len(data) != 64 * 24 or len({record[:4] for record in records}) != 1 or falls > 1:
                raise GuestError(f"{source} gave {data}")
            words.add(records[0][:4].decode())
        return words

    def check(self):
        """The kernel reads from one source at a time, and now and then by itself."""
        wait_until(lambda: self._word in self._words(), 10, f"a source that says '{self._word}'")


class AnyRng(Rng):
    driver = "vhost-user-device-pci"
    properties = {"virtio-id": 4}


class Scsi(Device):
    kind = "scsi"
    driver = "vhost-user-scsi-pci"
    module = "virtio_scsi"

    def __init__(self, host, name):
        super().__init__(host, name, f"/tmp/{name}.disk")

    def disk(self, lun=0):
        """Its name in the guest, once it is there."""
        return wait_until(lambda: self.machine.run(
            f"ls /sys/bus/scsi/devices/*:0:0:{lun}/block 2>/dev/null || true").strip(), 20,
            f"SCSI disk {lun}")

    def check(self):
        disk = self.disk()
        model = self.machine.run(f"cat /sys/block/{disk}/device/vendor "
                                 f"/sys/block/{disk}/device/model /sys/block/{disk}/size").split()
        if model != ["hotslot", "FAMILY", "DISK", "32768"]:
            raise GuestError(f"the disk is {model}")
        self.machine.check_disk(disk, 2)

    def check_second_disk(self):
        """The driver learns of it by an event."""
        self.poke()
        self.machine.check_disk(self.disk(1), 2)


class Vsock(Device):
    kind = "vsock"
    driver = "vhost-user-vsock-pci"
    module = "vmw_vsock_virtio_transport"
    properties = {"guest-cid": CID}

    def __init__(self, host, name):
        self._seed = 0
        super().__init__(host, name, str(CID))

    def check(self):
        self._seed += 1
        output = self.machine.run(f"guest-vsock {PORT} {STREAM} {self._seed}", 60).strip()
        if output != f"{STREAM} bytes came back":
            raise GuestError(f"guest-vsock says '{output}'")


class Keyboard(Device):
    kind = "input"
    driver = "vhost-user-input-pci"
    module = "virtio_input"

    def __init__(self, host, name):
        self._light = 0
        super().__init__(host, name, f"'{KEYBOARD}'")

    def _file(self):
        """Its event device in the guest."""
        path = wait_until(lambda: self.machine.run(
            f"grep -l '{KEYBOARD}' /sys/class/input/event*/device/name || true").strip(), 20,
            "the keyboard")
        return "/dev/input/" + path.split("/")[4]

    @staticmethod
    def _event(kind, code, value):
        """The end of a struct input_event, behind its 16 bytes of time."""
        return (kind.to_bytes(2, "little") + code.to_bytes(2, "little") +
                value.to_bytes(4, "little"))

    def check(self):
        file = self._file()
        expected = b"".join(self._event(EV_KEY, key, value) + self._event(0, 0, 0)
                            for key in KEYS for value in (1, 0))
        count = len(expected) // 8
        # The device is open when the background job is there.
        self.machine.run(f"exec 7<{file}; (dd bs=24 count={count} <&7 2>/dev/null | "
                         "hexdump -v -e '/1 \"%02x\"' >/tmp/keys.out; "
                         "echo >/tmp/keys.done) & exec 7<&-")
        self.poke()
        wait_until(lambda: self.machine.run("[ -e /tmp/keys.done ] && echo yes || true").strip(),
                   20, "all keys")
        data = bytes.fromhex(self.machine.run("cat /tmp/keys.out; rm /tmp/keys.*").strip())
        events = b"".join(data[at + 16:at + 24] for at in range(0, len(data), 24))
        if events != expected:
            raise GuestError(f"the keyboard gave {events}")
        self._check_light(file)

    def _check_light(self, file):
        """What the guest says goes to the backend, which prints it."""
        self._light ^= 1
        event = bytes(16) + self._event(EV_LED, LED_CAPSL, self._light) + bytes(24)
        escaped = "".join(f"\\x{byte:02x}" for byte in event)
        self.machine.run(f"printf '{escaped}' >{file}")
        text = f"light {LED_CAPSL} is {self._light}"
        wait_until(lambda: self._host.run(f"tail -n 1 /tmp/{self.name}.log").strip() == text, 10,
                   f"'{text}'")


class Sound(Device):
    kind = "sound"
    driver = "vhost-user-snd-pci"
    module = "virtio_snd"

    def __init__(self, host, name):
        super().__init__(host, name, "/tmp/played")

    def check(self):
        """Samples arrive as they were played, from the first one on.  A guest that is emulated twice
        may be too late for the card, which ends the stream."""
        wait_until(lambda: self.machine.run("ls /dev/snd/pcmC*D0p 2>/dev/null || true").strip(),
                   20, "the sound card")
        streams = self.machine.run("cat /proc/asound/pcm")
        if "playback 1" not in streams:
            raise GuestError(f"/proc/asound/pcm says '{streams}'")
        output = self.machine.run(
            f"dd if=/dev/urandom of=/tmp/tune bs=1k count={TUNE} 2>/dev/null; "
            "guest-sound /dev/snd/pcmC*D0p /tmp/tune", 60).strip()
        size, played = self._host.run("stat -c %s /tmp/played; md5sum </tmp/played").split()[:2]
        expected = self.machine.run(f"head -c {size} /tmp/tune | md5sum").split()[0]
        if int(size) < PERIOD or played != expected:
            raise GuestError(f"guest-sound says '{output}'; {size} bytes came, with {played} "
                             f"instead of {expected}")


class I2c(Device):
    kind = "i2c"
    driver = "vhost-user-i2c-pci"
    module = "i2c_virtio"

    def __init__(self, host, name):
        self._value = 0
        super().__init__(host, name)

    def check(self):
        """A chip of the bus keeps what is written to it; no other one answers."""
        path = wait_until(lambda: self.machine.run(
            "grep -l i2c_virtio /sys/bus/i2c/devices/i2c-*/name || true").strip(), 20, "the bus")
        bus = path.split("/")[5].removeprefix("i2c-")
        self._value += 1
        output = self.machine.run(
            f"i2ctransfer -y {bus} w4@0x50 0x10 0xca 0xfe {self._value:#04x}; "
            f"i2ctransfer -y {bus} w1@0x50 0x10 r3; "
            f"i2cset -y {bus} 0x50 0x20 0x77; i2cget -y {bus} 0x50 0x20; "
            f"i2cget -y {bus} 0x51 0x20 >/dev/null 2>&1 || echo no 0x51").split()
        if output != ["0xca", "0xfe", f"{self._value:#04x}", "0x77", "no", "0x51"]:
            raise GuestError(f"the bus says {output}")


class Gpio(Device):
    kind = "gpio"
    driver = "vhost-user-gpio-pci"
    module = "gpio_virtio"

    def check(self):
        """Names, values, and an interrupt for each change."""
        chip = wait_until(lambda: self.machine.run(
            "ls /dev/gpiochip* 2>/dev/null || true").strip(), 20, "the lines")
        output = self.machine.run(f"guest-gpio {chip}", 60).rstrip("\n")
        if output != GPIO_LINES + GPIO_CHANGES:
            raise GuestError(f"guest-gpio says '{output}'")


class Fs(Device):
    kind = "fs"
    driver = "vhost-user-fs-pci"
    module = "virtiofs"
    properties = {"tag": "tree"}

    def __init__(self, host, name):
        self._tree = Tree(host, f"/tmp/{name}")
        super().__init__(host, name, self._tree.folder)

    def check(self):
        wait_until(lambda: self._tree.mount(self.machine, "tree"), 20, "the file system")
        self._tree.check(self.machine, "tree")

    def unplug(self):
        self.machine.run("umount /tree")
        super().unplug()


KINDS = ((Rng, "rng", "seed"), (AnyRng, "any", "dice"), (Scsi, "scsi"), (Vsock, "vsock"),
         (Keyboard, "keyboard"), (Sound, "sound"), (I2c, "i2c"), (Gpio, "gpio"), (Fs, "fs"))


def run_machine(host, kernel, done, note):
    devices = [kind(host, *arguments) for kind, *arguments in KINDS
               if kernel.has_driver(kind.module)]
    scsi = next(device for device in devices if isinstance(device, Scsi))
    machine = Machine(
        host,
        f"vmm -smp 2 -m {MEMORY},slots=32,maxmem=16G "
        f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
        + "".join(device.option() for device in devices),
        # Not movable: the kernel's own buffers, which the devices use, come to lie there.
        "memhp_default_state=online", "family", "family")
    for device in devices:
        device.machine = machine
    machine.boot()
    done("a stock kernel boots with " + ", ".join(device.driver for device in devices))

    def check_all(when):
        for device in devices:
            begin = time.monotonic()
            device.check()
            note(f"{device.driver}: {time.monotonic() - begin:.1f} s")
        done(f"each works through its driver {when}")

    check_all("at first")
    regions = scsi.information()["slots-used"]
    scsi.check_second_disk()
    done("the second disk of the SCSI host comes while it runs")
    load = Load(machine.run, f"/dev/{scsi.disk()}", BLOCKS, 1)
    before = machine.memory_total()
    for number in range(ADDED):
        machine.plug(number)
    machine.wait_memory(before + ADDED * DIMM * 1024, "with all DIMMs")
    load.progress("hot", 20, 60)
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    for device in devices:
        device.check_slots(regions + ADDED)
    done(f"{ADDED} DIMMs come while the SCSI disk works, and it works with them")
    check_all("with them")

    for device in devices:
        device.unplug()
    done("each is unplugged")
    for device in devices:
        device.plug()
    check_all("after it was plugged again")

    load = Load(machine.run, f"/dev/{scsi.disk()}", BLOCKS, 1)
    load.progress("writes", 20, 60)
    for device in devices:
        device.restart()
    load.progress("writes", 20, 60)
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    done("each backend is killed and back, the SCSI disk in the midst of requests")
    check_all("after its backend came back")
    text = [line for line in machine.complaints() if not DRIVERS_COMPLAINTS.search(line)]
    if text:
        raise GuestError("the kernel complains:\n" + "\n".join(text))
    machine.power_off()
    done("no complaint of the kernel; it powers off")


def choose_kernel(attempt):
    """One with a driver for every kind, if it can be had."""
    kernel = Kernel()
    if attempt.options.kernel == "newest":
        try:
            kernel = newest_kernel(attempt.options.cache, Kernel.FULL, DRIVERS)
        except Missing as missing:
            attempt.note(f"no newer kernel: {missing}")
    attempt.note(f"the guest's kernel is {kernel.release}")
    for kind, *_ in KINDS:
        if not kernel.has_driver(kind.module):
            attempt.skip(kind.driver, f"the kernel has no {kind.module}")
    return kernel


def test(attempt):
    options = attempt.options
    kernel = choose_kernel(attempt)
    with attempt.host({"family-backend": options.backend},
                      guest={"bin/guest-load": options.load, "bin/guest-vsock": options.vsock,
                             "bin/guest-sound": options.sound, "bin/guest-gpio": options.gpio},
                      modules=[kind.module for kind, *_ in KINDS] + list(MODULES), memory=3072,
                      kernels={"family": kernel}) as host:
        run_machine(host, kernel, attempt.done, attempt.note)


def main():
    parser = option_parser(__doc__, 380, backend="family-backend",
                           load="guest-load, linked statically",
                           vsock="guest-vsock, linked statically",
                           sound="guest-sound, linked statically",
                           gpio="guest-gpio, linked statically")
    parser.add_argument("--kernel", choices=("newest", "installed"), default="newest",
                        help="the guest's")
    return run(parser.parse_args(), test)


sys.exit(main())
