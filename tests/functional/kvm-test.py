#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests on KVM with a disk of vhost-user-blk: Debian's kernel, and the newest one that
Debian's stable release can install.
"""
import sys

from attempt import option_parser, run
from backports import newest_kernel
from guest import GuestError
from initramfs import Kernel, Missing
from nested import DIMM, MEMORY, Machine

DISK = 64  # MiB
ADDED = 6  # DIMMs
KERNEL_VARIES = 64  # kB: what a boot keeps for itself depends on where its kernel lies (KASLR)
NAME = "platform-test"
UUID = "0f0e0d0c-1234-5678-9abc-def012345678"
DATE = "2031-05-06"  # of the guest's clock
MODULES = ("virtio_blk", "qemu_fw_cfg", "button", "evdev", "pvpanic_mmio")
KEY_POWER = "0100740001000000"  # struct input_event: EV_KEY, KEY_POWER, pressed


def test(attempt):
    kernels = {}
    try:
        kernels["newest"] = newest_kernel(attempt.options.cache)
    except Missing as missing:
        attempt.skip("the newest kernel that Debian can install", missing)
    with attempt.host({"vhost-user-blk": attempt.options.backend}, modules=MODULES,
                      kernels=kernels) as host:
        for name, kernel in {"": Kernel(), **kernels}.items():
            run_guest(host, name,
                      lambda what, kernel=kernel: attempt.done(f"{kernel.release}: {what}"))


def check_platform(machine):
    """What the kernel found of the small devices."""
    for command, expected in {
        "cat /sys/class/dmi/id/product_uuid": UUID,
        "cat /sys/class/dmi/id/board_asset_tag": NAME,
        "cat /sys/class/dmi/id/sys_vendor": "hotslot",
        "cat /sys/class/rtc/rtc0/date": DATE,
        "cat /sys/firmware/qemu_fw_cfg/by_name/opt/test/raw": NAME,
        "cat /sys/firmware/qemu_fw_cfg/rev": "3",  # ports and DMA
        "grep -o '0510-051b : QEMU0002' /proc/ioports": "0510-051b : QEMU0002",
        "cat /sys/bus/acpi/devices/QEMU0001:00/status": "11",
        "ls -d /sys/bus/acpi/devices/HSLT0001:00": "/sys/bus/acpi/devices/HSLT0001:00",
    }.items():
        output = machine.run(command).strip()
        if output != expected:
            raise GuestError(f"'{command}' says '{output}', expected '{expected}'")


def check_clock(machine):
    """The kernel takes its time from KVM's paravirtual clock (CPUID 0x40000001, api.rst)."""
    directory = "/sys/devices/system/clocksource/clocksource0"
    available = machine.run(f"cat {directory}/available_clocksource").split()
    current = machine.run(f"cat {directory}/current_clocksource").strip()
    if "kvm-clock" not in available or current != "kvm-clock":
        raise GuestError(f"the clock is {current} of {available}, expected kvm-clock")


def check_cpus(host, machine):
    """Both monitors name the thread of each CPU, which the host knows under that CPU's name."""
    def say(line):
        return machine.qmp.command("human-monitor-command", command_line=line)
    if say("info kvm") != "kvm support: enabled\n":
        raise GuestError(f"'info kvm' says '{say('info kvm')}'")
    cpus = machine.qmp.command("query-cpus-fast")
    if [cpu["cpu-index"] for cpu in cpus] != [0, 1]:
        raise GuestError(f"not two CPUs: {cpus}")
    for cpu in cpus:
        expected = f"CPU {cpu['cpu-index']}/KVM"
        name = host.run(f"cat /proc/[0-9]*/task/{cpu['thread-id']}/comm").strip()
        if name != expected:
            raise GuestError(f"thread {cpu['thread-id']} is '{name}', expected '{expected}'")
    first, second = (cpu["thread-id"] for cpu in cpus)
    expected = f"* CPU #0: thread_id={first}\n  CPU #1: thread_id={second}\n"
    if say("info cpus") != expected:
        raise GuestError(f"'info cpus' says '{say('info cpus')}', expected '{expected}'")


def check_no_board(host):
    """A machine without a board has no CPU, which would run where no memory is."""
    output = host.run(
        "(echo \"{'execute':'qmp_capabilities'}{'execute':'query-kvm'}{'execute':'query-cpus-fast'}"
        "{'execute':'stop'}{'execute':'cont'}\"; sleep 1; "
        "echo \"{'execute':'query-status','id':1}{'execute':'quit'}\") | "
        "vmm -machine none,accel=kvm -nodefaults -display none -qmp stdio 2>&1")
    for expected in ('"enabled":true', '{"return":[]}', '"status":"running"', "host-qmp-quit"):
        if expected not in output:
            raise GuestError(f"-machine none says '{output}', expected {expected}")


def check_no_kernel(host, socket):
    """Without a kernel nothing starts, and least of all from a disk."""
    output = host.run("vmm -accel kvm -machine pc -m 64 -display none "
                      f"-chardev socket,id=c,path={socket} "
                      "-device vhost-user-blk-pci,id=b0,chardev=c,bootindex=1 2>&1 || true")
    if "'b0': bootindex=1 has no effect; -kernel is missing" not in output:
        raise GuestError(f"without -kernel the program says '{output}'")


def run_guest(host, kernel, done):
    name = kernel or "stable"
    host.start_disk(f"disk-{name}", DISK)
    if not kernel:
        check_no_kernel(host, f"/tmp/disk-{name}.sock")
        done("without -kernel bootindex is refused")
        check_no_board(host)
        done("-machine none has no CPUs")
    machine = Machine(
        host,
        f"vmm -smp 2 -m {MEMORY},slots=64,maxmem=16G "
        f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
        f"-chardev socket,id=disk,path=/tmp/disk-{name}.sock "
        "-device vhost-user-blk-pci,id=disk0,chardev=disk,num-queues=2 "
        f"-name {NAME} -uuid {UUID} -smbios type=11,value={NAME} -rtc base={DATE}T12:00:00 "
        f"-fw_cfg name=opt/test,string={NAME} -device vmgenid -device pvpanic -action panic=pause",
        "memhp_default_state=online_movable", kernel, f"vmm-{name}")
    machine.boot()
    if not machine.qmp.command("query-kvm")["enabled"]:
        raise GuestError("query-kvm says that KVM is not used")
    if machine.run("nproc").strip() != "2":
        raise GuestError("the guest does not see two CPUs")
    check_cpus(host, machine)
    check_clock(machine)
    done("a stock kernel boots on two CPUs, with kvmclock")
    machine.check_complaints()
    done("without a complaint")
    check_platform(machine)
    done("clock, SMBIOS, fw_cfg and pvpanic are what was asked for")
    machine.check_disk()
    done("its disk works")
    before = machine.memory_total()
    for number in range(ADDED):
        machine.plug(number)
    machine.wait_memory(before + ADDED * DIMM * 1024, "with all DIMMs")
    done(f"{ADDED} DIMMs are hot-added and online")
    machine.check_disk()
    done("its disk works with them")
    machine.unplug(0)
    machine.wait_memory(before + (ADDED - 1) * DIMM * 1024, "without one of them")
    done("one is removed")
    machine.qmp.command("stop")
    machine.qmp.command("cont")
    machine.run("true")
    done("it goes on after stop and cont")
    machine.check_complaints()
    done("still without a complaint")
    panic(machine)
    done("a panic is told, and pauses it")
    machine.qmp.command("system_reset")
    machine.qmp.command("cont")
    machine.boot()
    machine.check_disk()
    machine.wait_memory(before + (ADDED - 1) * DIMM * 1024 + KERNEL_VARIES,
                        "with the DIMMs that it had", 2 * KERNEL_VARIES)
    done("it boots again after system_reset, with its DIMMs")
    press_button(machine, "poweroff -f")
    machine.wait_off()
    done("it sees the power button, and powers off")


def panic(machine):
    machine.shell.send("echo c >/proc/sysrq-trigger")
    if not machine.qmp.event("GUEST_PANICKED", 30, action="pause"):
        raise GuestError("no event GUEST_PANICKED")
    status = machine.qmp.command("query-status")["status"]
    if status != "guest-panicked":
        raise GuestError(f"the state after a panic is {status}")


def press_button(machine, then):
    """The guest runs the command then when it has read the key; it listens before it is pressed."""
    machine.run("exec 3</dev/input/$(basename $(dirname $(dirname $(grep -l 'Power Button' "
                "/sys/class/input/event*/device/name | head -n 1))))")
    machine.run(f"(case $(dd bs=24 count=1 <&3 2>/dev/null | hexdump -v -e '/1 \"%02x\"') in "
                f"*{KEY_POWER}) {then};; esac) >/dev/null 2>&1 &")
    machine.qmp.command("system_powerdown")
    if not machine.qmp.event("POWERDOWN", 10):
        raise GuestError("no event POWERDOWN")


def main():
    return run(option_parser(__doc__, 580, backend="vhost-user-blk").parse_args(), test)


sys.exit(main())
