#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest on KVM with a disk, a network card of four queues over a tap, and a file tree of Debian's
virtiofsd: it gets its address by DHCP and downloads over HTTP while DIMMs are plugged and unplugged
and while the card's backend is killed and started again.
"""
import os
import sys
import time

from attempt import option_parser, run
from guest import GuestError, wait_until
from initramfs import Missing
from load import Load
from nested import DIMM, MEMORY, MIB, Machine, libraries

SLOTS = 128
FS_SLOTS = 32     # of Debian's virtiofsd
BLOCKS = 4096     # of the disk under load
CPUS = 2
QUEUES = 4
FLOWS = 16
DOWNLOAD = 100    # MiB
ADDRESS = "10.77.0.1"
LEASE = "10.77.0.2"
MAC = "52:54:00:77:00:01"
TREE = 20         # files
DHCP_SERVER = f"""interface tap0
start {LEASE}
end {LEASE}
lease_file /tmp/leases
option subnet 255.255.255.0
"""
DHCP_CLIENT = """#!/bin/sh
[ "$1" = bound ] && ip address add "$ip/24" dev "$interface"
true
"""


class Network:
    """The host's side: vhost-user-net over tap0, DHCP and HTTP there."""

    def __init__(self, host):
        self._host = host
        self.process = self._start()
        host.run("touch /tmp/leases; udhcpd -f /udhcpd.conf >/tmp/dhcp.log 2>&1 &")
        host.run(f"mkdir /tmp/www; echo small >/tmp/www/small; dd if=/dev/urandom of=/tmp/www/file bs=1M count={DOWNLOAD} "
                 "2>/dev/null; httpd -h /tmp/www", 120)
        self.checksum = host.run("md5sum </tmp/www/file", 120).split()[0]

    def _start(self):
        """A tap that the backend made goes with it."""
        process = self._host.start_backend(
            f"vhost-user-net --tap tap0 --queues {QUEUES} --socket-path /tmp/net.sock --stats",
            "/tmp/net.sock", "net.log")
        self._host.run(f"ip link set tap0 address {MAC} up; ip address add {ADDRESS}/24 dev tap0")
        return process

    def restart(self):
        self._host.run(f"kill -9 {self.process}; while [ -e /sys/class/net/tap0 ]; do sleep 0.05; "
                       "done")
        self.process = self._start()


class Download:
    """The guest fetches the file again and again."""

    def __init__(self, machine):
        self._machine = machine
        machine.run("rm -f /tmp/sums /tmp/enough; while [ ! -e /tmp/enough ]; do "
                    f"wget -q -O - http://{ADDRESS}/file | md5sum >>/tmp/sums; done &")

    def received(self):
        return int(self._machine.run("cat /sys/class/net/eth0/statistics/rx_bytes"))

    def progress(self, timeout=120):
        """A few more MiB arrive, whatever happened."""
        start = self.received()
        wait_until(lambda: self.received() >= start + 4 * MIB, timeout, "more of the download")

    def stop(self, checksum):
        """How often the whole file came; each time with this checksum."""
        self._machine.run("touch /tmp/enough")
        wait_until(lambda: self._machine.run("pidof wget || true").strip() == "", 180,
                   "the download's end")
        wait_until(lambda: self._machine.run("pidof md5sum || true").strip() == "", 30,
                   "the checksum's end")
        sums = [line.split()[0] for line in self._machine.run("cat /tmp/sums").splitlines()]
        if not sums or set(sums) != {checksum}:
            raise GuestError(f"the file has checksum {checksum}; received were {sums}")
        return len(sums)


def used_queues(machine):
    """How many pairs of queues have received after some connections, each of which has its own."""
    rings = machine.run("ls -d /sys/class/net/eth0/queues/rx-*").split()
    if len(rings) != QUEUES:
        raise GuestError(f"the card has the queues {rings}")
    machine.run(f"(for i in $(seq {FLOWS}); do wget -q -O /tmp/small.$i http://{ADDRESS}/small & "
                f"done; wait); [ $(cat /tmp/small.* | wc -l) = {FLOWS} ]")
    lines = machine.run("grep -e '-input[.]' /proc/interrupts").splitlines()
    return sum(any(int(word) for word in line.split()[1:1 + CPUS]) for line in lines)


def make_tree(host):
    """A file tree with checksums in it."""
    host.run(f"mkdir -p /tmp/tree/a/b/c; cd /tmp/tree; for i in $(seq {TREE}); do "
             "dd if=/dev/urandom of=a/b/c/$i bs=1k count=$((i * 5)) 2>/dev/null; done; "
             "ln -s b/c/7 a/link; md5sum a/b/c/* a/link >sums; cd /", 60)


def start_virtiofsd(host):
    """It ends with its connection.  There is no root to pivot from in the host."""
    host.start_backend("virtiofsd --socket-path=/tmp/fs.sock -o source=/tmp/tree "
                       "-o sandbox=chroot -o cache=auto", "/tmp/fs.sock", "fs.log")


def check_tree(machine):
    """Every file is read from the backend again."""
    machine.run("mkdir -p /files; grep -q /files /proc/mounts || mount -t virtiofs tree /files; "
                "echo 3 >/proc/sys/vm/drop_caches; "
                "cd /files && md5sum -c sums >/tmp/tree.out; status=$?; cd /; "
                "grep -v OK /tmp/tree.out; [ $status = 0 ]", 90)
    count = int(machine.run("grep -c OK /tmp/tree.out"))
    if count != TREE + 1:
        raise GuestError(f"{count} files of the tree instead of {TREE + 1}")


def run_machine(host, options, done, note):
    host.start_disk("main", BLOCKS * 4096 // MIB)
    make_tree(host)
    start_virtiofsd(host)
    network = Network(host)
    machine = Machine(
        host,
        f"vmm -smp {CPUS} -m {MEMORY},slots={SLOTS},maxmem=64G "
        f"-object memory-backend-memfd,id=ram,size={MEMORY}M -machine pc,memory-backend=ram "
        "-chardev socket,id=main,path=/tmp/main.sock "
        "-device vhost-user-blk-pci,id=disk0,chardev=main,num-queues=2 "
        "-chardev socket,id=net,path=/tmp/net.sock,reconnect-ms=100 "
        f"-netdev vhost-user,id=hs0,chardev=net,queues={QUEUES} "
        "-device virtio-net-pci,id=net0,netdev=hs0,mq=on "
        "-chardev socket,id=fs,path=/tmp/fs.sock,reconnect-ms=100 "
        "-device vhost-user-fs-pci,id=fs0,chardev=fs,tag=tree",
        "memhp_default_state=online_movable page_alloc.shuffle=1", name="net")
    qmp = machine.qmp
    machine.boot()
    # Linux takes no more pairs than it has CPUs unless it is told to.
    machine.run(f"ethtool -L eth0 combined {QUEUES}; ip link set eth0 up; chmod +x /dhcp; udhcpc -i eth0 -n -q -s /dhcp "
                f">/tmp/dhcp.out 2>&1; ip address show dev eth0 | grep -q {LEASE}", 60)
    done("a guest with disk, network card and file tree boots and has its address by DHCP")
    machine.run(f"ping -c 3 {ADDRESS}", 60)
    check_tree(machine)
    machine.check_disk()
    done("ping, file tree and disk work")

    load = Load(machine.run, "/dev/vda", BLOCKS, 1)
    download = Download(machine)
    download.progress()
    before = machine.memory_total()
    dimms = FS_SLOTS - 1
    start = time.monotonic()
    for number in range(dimms):
        machine.plug(number)
    machine.wait_memory(before + dimms * DIMM * 1024, "with the first DIMMs")
    note(f"{dimms} DIMMs plugged and online after {time.monotonic() - start:.1f} s")
    download.progress()
    check_tree(machine)
    load.progress("hot", 20, 60)
    done(f"{dimms} DIMMs are plugged while it downloads; download, file tree and disk go on")
    qmp.command("object-add", qom_type="memory-backend-memfd", id=f"m{dimms}", size=DIMM * MIB)
    text = machine.refusal("device_add", driver="pc-dimm", id=f"d{dimms}", memdev=f"m{dimms}")
    if "'fs0'" not in text or f"allows {FS_SLOTS} memory slots" not in text:
        raise GuestError(f"one DIMM more is refused with '{text}'")
    qmp.command("object-del", id=f"m{dimms}")
    download.progress()
    done("one more is refused by the name of the file tree's device and its limit")

    machine.run("umount /files")
    qmp.command("device_del", id="fs0")
    if not qmp.event("DEVICE_DELETED", 30, device="fs0"):
        raise GuestError("the file tree is not let go")
    for number in range(dimms, options.dimms):
        machine.plug(number)
    machine.wait_memory(before + options.dimms * DIMM * 1024, "with all DIMMs")
    download.progress()
    load.progress("writes", 20, 60)
    done(f"without that device {options.dimms} DIMMs are plugged while it downloads")

    network.restart()
    if not qmp.event("NETDEV_VHOST_USER_CONNECTED", 30):
        raise GuestError(f"the card's backend is not back: {qmp.events}")
    download.progress()
    done("the card's backend is killed and back with all of them, the same download goes on")

    for number in range(1, options.dimms, 2):
        machine.unplug(number)
    machine.unplug(0)
    left = options.dimms // 2 - 1
    machine.wait_memory(before + left * DIMM * 1024, "with half the DIMMs")
    download.progress()
    done("half of them are unplugged while it downloads")
    start_virtiofsd(host)
    qmp.command("device_add", driver="vhost-user-fs-pci", id="fs0", chardev="fs", tag="tree")
    wait_until(lambda: machine.run("mount -t virtiofs tree /files 2>/dev/null && echo yes || true"),
               30, "the file tree's device in the guest")
    check_tree(machine)
    done("the file tree is plugged again and read with all that are left")

    times = download.stop(network.checksum)
    used = used_queues(machine)
    note(f"{DOWNLOAD} MiB came {times} times; {used} of {QUEUES} queues have received")
    if used < 2:
        raise GuestError("only one pair of queues was used")
    done(f"{DOWNLOAD} MiB have the right checksum each time, over several queues")
    report = load.stop()
    if report["state"] != "done":
        raise GuestError(f"the load ended with {report}")
    done("the disk's blocks read back as they were written last")
    machine.check_complaints()
    machine.power_off()
    done("no complaint of the kernel; it powers off")


def write_files(directory):
    """{name: path} of the settings for DHCP."""
    files = {}
    for name, content in (("dhcp", DHCP_CLIENT), ("udhcpd.conf", DHCP_SERVER)):
        files[name] = os.path.join(directory, name)
        with open(files[name], "w", encoding="ascii") as file:
            file.write(content)
    return files


def test(attempt):
    options = attempt.options
    for program, package in ((options.virtiofsd, "qemu-system-common"), (options.ethtool, "ethtool")):
        if not os.path.exists(program):
            raise Missing(f"no {program} (Debian 12: {package})")
    files = write_files(attempt.directory)
    with attempt.host({"vhost-user-blk": options.backend, "vhost-user-net": options.net_backend,
                       "virtiofsd": options.virtiofsd},
                      guest={"bin/guest-load": options.load, "dhcp": files["dhcp"],
                             "bin/ethtool": options.ethtool, **libraries(options.ethtool)},
                      files={"udhcpd.conf": files["udhcpd.conf"]}, host_modules=["tun"],
                      modules=("virtio_blk", "virtio_net", "virtiofs"), memory=4096) as host:
        run_machine(host, options, attempt.done, attempt.note)


def main():
    parser = option_parser(__doc__, 580, backend="vhost-user-blk", net_backend="vhost-user-net",
                           load="guest-load, linked statically")
    parser.add_argument("--virtiofsd", default="/usr/lib/qemu/virtiofsd")
    parser.add_argument("--ethtool", default="/sbin/ethtool")
    parser.add_argument("--dimms", type=int, default=64, help="how many are plugged, an even number")
    return run(parser.parse_args(), test)


sys.exit(main())
