#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest on KVM with a disk, a network card of four queues over a tap, and a file tree: it gets its
address by DHCP and downloads over HTTP while DIMMs are plugged and unplugged and while the card's
backend is killed and started again.  The tree is Debian's virtiofsd's as far as that goes, and beyond
it that of a backend without its limit (family/fs.c).
"""
import os
import sys
import time

from attempt import option_parser, run
from guest import GuestError, wait_until
from initramfs import Missing
from nested import DIMM, MEMORY, MIB, Machine, libraries
from tree import Tree

SLOTS = 128
FS_SLOTS = 32     # of Debian's virtiofsd
DISK = 16         # MiB
CPUS = 2
QUEUES = 4
FLOWS = 16        # connections at once
DOWNLOAD = 100    # MiB
PACE = 5          # of them a second, at most
ADDRESS = "10.77.0.1"
LEASE = "10.77.0.2"
MAC = "52:54:00:77:00:01"
DHCP_SERVER = f"""interface tap0
start {LEASE}
end {LEASE}
lease_file /tmp/leases
option subnet 255.255.255.0
"""
# /cgi-bin/file of the HTTP server: not all at once, so that much happens in the midst of it.
FILE_PAGE = f"""#!/bin/sh
printf 'Content-Type: application/octet-stream\\r\\n\\r\\n'
for i in $(seq 0 {PACE} {DOWNLOAD - 1}); do
    dd if=/tmp/file bs=1M skip=$i count={PACE} 2>/dev/null
    sleep 1
done
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
        host.run("mkdir -p /tmp/www/cgi-bin; echo small >/tmp/www/small; "
                 "cp /file-page /tmp/www/cgi-bin/file; dd if=/dev/urandom of=/tmp/file bs=1M "
                 f"count={DOWNLOAD} 2>/dev/null; httpd -h /tmp/www", 120)
        self.checksum = host.run("md5sum </tmp/file", 120).split()[0]

    def _start(self):
        """A tap that the backend made goes with it."""
        process = self._host.start_backend(
            f"vhost-user-net --tap tap0 --queues {QUEUES} --socket-path /tmp/net.sock --stats",
            "/tmp/net.sock", "net.log")
        self._host.run(f"ip link set tap0 address {MAC} up; ip address add {ADDRESS}/24 dev tap0")
        return process

    def restart(self):
        """It is killed and started again."""
        self._host.run(f"kill -9 {self.process}; while [ -e /sys/class/net/tap0 ]; do sleep 0.05; "
                       "done")
        self.process = self._start()


class Download:
    """The guest fetches the file again and again."""

    def __init__(self, machine, checksum):
        self._machine = machine
        self._checksum = checksum
        machine.run("rm -f /tmp/sums /tmp/enough; while [ ! -e /tmp/enough ]; do "
                    f"wget -q -O - http://{ADDRESS}/cgi-bin/file | md5sum >>/tmp/sums; done &")

    def _received(self):
        return int(self._machine.run("cat /sys/class/net/eth0/statistics/rx_bytes"))

    def progress(self, timeout=120):
        """A few more MiB arrive, whatever happened."""
        start = self._received()
        wait_until(lambda: self._received() >= start + 4 * MIB, timeout, "more of the download")

    def count(self):
        """How often the whole file came; each time with its checksum."""
        sums = [line.split()[0] for line in
                self._machine.run("cat /tmp/sums 2>/dev/null || true").splitlines()]
        if set(sums) - {self._checksum}:
            raise GuestError(f"the file has checksum {self._checksum}; received were {sums}")
        return len(sums)

    def wait_more(self, count):
        """The file comes as a whole once more than count times."""
        wait_until(lambda: self.count() > count, 180, "the download's end")

    def stop(self):
        """The last one has come; how many there were."""
        self._machine.run("touch /tmp/enough")
        for program in "wget", "md5sum":
            wait_until(lambda program=program: not self._machine.run(
                f"pidof {program} || true").strip(), 180, f"the end of {program}")
        count = self.count()
        if count == 0:
            raise GuestError("the file has not come once")
        return count


def packets(machine, way):
    """Of each queue, by the driver's count."""
    lines = machine.run(f"ethtool -S eth0 | grep -E '{way}_queue_[0-9]+_packets'").splitlines()
    if len(lines) != QUEUES:
        raise GuestError(f"the card has the queues {lines}")
    return [int(line.split(":")[1]) for line in lines]


def check_queues(machine):
    """Each queue carries some of many connections, each of which has one; the packets of each."""
    for _ in range(8):
        machine.run(f"(for i in $(seq {FLOWS}); do "
                    f"wget -q -O /tmp/small.$i http://{ADDRESS}/small & done; wait); "
                    f"[ $(cat /tmp/small.* | wc -l) = {FLOWS} ]; rm /tmp/small.*")
        counts = [packets(machine, way) for way in ("rx", "tx")]
        if all(min(numbers) > 0 for numbers in counts):
            return counts
    raise GuestError(f"some of the queues were not used; received and sent were {counts} packets")


class Rig:
    """A machine with disk, network card and file tree in use, and the host's side of each.

    start_fs  starts the tree's backend, called with the host
    """

    def __init__(self, host, start_fs, done):
        self._host = host
        self._start_fs = start_fs
        host.start_disk("main", DISK)
        self.tree = Tree(host, "/tmp/tree")
        start_fs(host)
        self.network = Network(host)
        self.machine = self._start_machine()
        self.machine.boot()
        # Linux takes no more pairs than it has CPUs unless it is told to.
        self.machine.run(
            f"ethtool -L eth0 combined {QUEUES}; ip link set eth0 up; chmod +x /dhcp; "
            "udhcpc -i eth0 -n -q -s /dhcp >/tmp/dhcp.out 2>&1; "
            f"ip address show dev eth0 | grep -q {LEASE}", 60)
        done("a guest with disk, network card and file tree boots and has its address by DHCP")
        self.machine.run(f"ping -c 3 {ADDRESS}", 60)
        self._check_tree()
        self.machine.check_disk()
        done("ping, file tree and disk work")
        self.download = Download(self.machine, self.network.checksum)
        self._before = self.machine.memory_total()
        self.download.progress()

    def _start_machine(self):
        return Machine(
            self._host,
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

    def _check_tree(self):
        wait_until(lambda: self.tree.mount(self.machine, "tree"), 30, "the file tree's device")
        self.tree.check(self.machine, "tree")

    def check_all(self):
        """The download, the file tree and the disk go on."""
        self.download.progress()
        self._check_tree()
        self.machine.check_disk(mebibytes=2)

    def wait_memory(self, dimms):
        self.machine.wait_memory(self._before + dimms * DIMM * 1024, f"with {dimms} DIMMs")

    def plug(self, numbers):
        """All of the DIMMs, of which the first is number 0, up to the last one."""
        for number in numbers:
            self.machine.plug(number)
        self.wait_memory(numbers.stop)

    def unplug_tree(self):
        self.machine.run("umount /tree")
        self.machine.qmp.command("device_del", id="fs0")
        if not self.machine.qmp.event("DEVICE_DELETED", 30, device="fs0"):
            raise GuestError("the file tree is not let go")

    def plug_tree(self):
        """By a backend of its own: Debian's ends with its connection."""
        self._start_fs(self._host)
        self.machine.qmp.command("device_add", driver="vhost-user-fs-pci", id="fs0", chardev="fs",
                                 tag="tree")
        self._check_tree()

    def end(self, done, note):
        """Whatever was read is right."""
        note(f"{DOWNLOAD} MiB came {self.download.stop()} times")
        done(f"{DOWNLOAD} MiB have the right checksum each time")
        self.machine.check_complaints()
        self.machine.power_off()
        done("no complaint of the kernel; it powers off")


def start_virtiofsd(host):
    """There is no root to pivot from in the host."""
    host.start_backend("virtiofsd --socket-path=/tmp/fs.sock -o source=/tmp/tree "
                       "-o sandbox=chroot -o cache=auto", "/tmp/fs.sock", "fs.log")


def start_own_fs(host):
    host.start_backend("family-backend fs /tmp/fs.sock /tmp/tree", "/tmp/fs.sock", "fs.log")


def test_virtiofsd(attempt):
    """To the last DIMM that Debian's virtiofsd takes."""
    done = attempt.done
    with start_host(attempt) as host:
        rig = Rig(host, start_virtiofsd, done)
        dimms = FS_SLOTS - 1
        start = time.monotonic()
        rig.plug(range(dimms))
        attempt.note(f"{dimms} DIMMs plugged and online after {time.monotonic() - start:.1f} s")
        rig.check_all()
        done(f"{dimms} DIMMs are plugged while it downloads; download, file tree and disk go on")
        qmp = rig.machine.qmp
        qmp.command("object-add", qom_type="memory-backend-memfd", id="more", size=DIMM * MIB)
        text = rig.machine.refusal("device_add", driver="pc-dimm", id="dimm", memdev="more")
        if "'fs0'" not in text or f"allows {FS_SLOTS} memory slots" not in text:
            raise GuestError(f"one DIMM more is refused with '{text}'")
        qmp.command("object-del", id="more")
        rig.check_all()
        done(f"one more is refused: {text}")
        rig.unplug_tree()
        rig.plug(range(dimms, FS_SLOTS))
        rig.download.progress()
        done("without that device it is plugged")
        rig.end(done, attempt.note)


def test_all(attempt):
    """Disk, network card and file tree with all DIMMs."""
    done, dimms = attempt.done, attempt.options.dimms
    with start_host(attempt) as host:
        rig = Rig(host, start_own_fs, done)
        rig.plug(range(dimms))
        rig.check_all()
        done(f"{dimms} DIMMs are plugged while it downloads; download, file tree and disk go on")
        count = rig.download.count()
        rig.network.restart()
        for event in "NETDEV_VHOST_USER_DISCONNECTED", "NETDEV_VHOST_USER_CONNECTED":
            if not rig.machine.qmp.event(event, 30):
                raise GuestError(f"no event {event}: {rig.machine.qmp.events}")
        rig.check_all()
        done("the card's backend is killed and back with all of them")
        rig.download.wait_more(count)
        done("the download in the midst of which it was killed is whole")
        rig.end(done, attempt.note)


def test_unplug(attempt):
    """Half of the DIMMs that were plugged are unplugged; all queues."""
    done, dimms = attempt.done, attempt.options.dimms // 2
    with start_host(attempt) as host:
        rig = Rig(host, start_own_fs, done)
        rig.plug(range(dimms))
        rig.check_all()
        done(f"{dimms} DIMMs are plugged while it downloads; download, file tree and disk go on")
        for number in range(0, dimms, 2):
            rig.machine.unplug(number)
        rig.wait_memory(dimms // 2)
        rig.check_all()
        done("half of them are unplugged while it downloads")
        rig.unplug_tree()
        rig.plug_tree()
        done("the file tree is unplugged and plugged again, and read")
        counts = check_queues(rig.machine)
        attempt.note(f"packets received and sent by each queue: {counts}")
        done(f"all {QUEUES} queues receive and send")
        rig.end(done, attempt.note)


def write_files(directory):
    """{name: path} of what is served, and how."""
    files = {}
    for name, content in (("dhcp", DHCP_CLIENT), ("udhcpd.conf", DHCP_SERVER),
                          ("file-page", FILE_PAGE)):
        files[name] = os.path.join(directory, name)
        with open(files[name], "w", encoding="ascii") as file:
            file.write(content)
    return files


def start_host(attempt):
    options = attempt.options
    for program, package in ((options.virtiofsd, "qemu-system-common"), (options.ethtool, "ethtool")):
        if not os.path.exists(program):
            raise Missing(f"no {program} (Debian 12: {package})")
    files = write_files(attempt.directory)
    return attempt.host(
        {"vhost-user-blk": options.backend, "vhost-user-net": options.net_backend,
         "virtiofsd": options.virtiofsd, "family-backend": options.fs_backend},
        guest={"dhcp": files["dhcp"], "bin/ethtool": options.ethtool,
               **libraries(options.ethtool)},
        files={name: files[name] for name in ("udhcpd.conf", "file-page")}, host_modules=["tun"],
        modules=("virtio_blk", "virtio_net", "virtiofs"), memory=4096)


def main():
    parser = option_parser(__doc__, 240, backend="vhost-user-blk", net_backend="vhost-user-net",
                           fs_backend="family-backend")
    parser.set_defaults(host_cpus=1)  # with two, 7 of 24 attempts were lost
    parser.add_argument("--virtiofsd", default="/usr/lib/qemu/virtiofsd")
    parser.add_argument("--ethtool", default="/sbin/ethtool")
    parser.add_argument("--dimms", type=int, default=64,
                        help="how many are plugged, a multiple of 4; half as many where half of "
                        "them are unplugged")
    parser.add_argument("--legs", nargs="+", choices=LEGS, default=list(LEGS),
                        help="which parts, each in a machine of its own")
    options = parser.parse_args()
    return run(options, *[LEGS[name] for name in options.legs])


LEGS = {"virtiofsd": test_virtiofsd, "all": test_all, "unplug": test_unplug}

sys.exit(main())
