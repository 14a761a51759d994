# SPDX-License-Identifier: GPL-2.0-or-later
"""A file tree of the host's, with checksums in it, that a guest reads."""
from guest import GuestError

FILES = 20


class Tree:
    """The tree in a folder of a Host."""

    def __init__(self, host, folder):
        host.run(f"mkdir -p {folder}/a/b/c; cd {folder}; for i in $(seq {FILES}); do "
                 "dd if=/dev/urandom of=a/b/c/$i bs=1k count=$((i * 5)) 2>/dev/null; done; "
                 "ln -s b/c/7 a/link; md5sum a/b/c/* a/link >sums; cd /", 60)
        self.folder = folder

    @staticmethod
    def mount(machine, tag):
        """Whether the device is there for the guest, which then has the tree at /TAG."""
        return bool(machine.run(f"mkdir -p /{tag}; grep -q ' /{tag} ' /proc/mounts || mount -t "
                                f"virtiofs {tag} /{tag} 2>/dev/null && echo yes || true").strip())

    @staticmethod
    def check(machine, tag):
        """Every file is read from the backend again."""
        machine.run("echo 3 >/proc/sys/vm/drop_caches; "
                    f"cd /{tag} && md5sum -c sums >/tmp/tree.out; status=$?; cd /; "
                    "grep -v OK /tmp/tree.out; [ $status = 0 ]", 90)
        count = int(machine.run("grep -c OK /tmp/tree.out"))
        if count != FILES + 1:
            raise GuestError(f"{count} files of the tree {tag} instead of {FILES + 1}")
