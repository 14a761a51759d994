# SPDX-License-Identifier: GPL-2.0-or-later
"""The newest kernel that Debian 12 can install: that of its backports, unpacked into a folder.

Nothing of the machine changes: apt works with lists and a cache of its own.
"""
import os
import re
import shutil
import subprocess
import tempfile

from initramfs import Kernel, Missing

SOURCE = ("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
          "http://deb.debian.org/debian bookworm-backports main\n")


def _run(arguments, **options):
    try:
        return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120,
                              **options).stdout
    except FileNotFoundError:
        raise Missing(f"no program {arguments[0]}") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        reason = (error.stderr or "").strip().splitlines()
        raise Missing(f"{arguments[0]} failed: {reason[-1] if reason else error}") from None


def _download(folder):
    """The package of the kernel of backports, below folder."""
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name))
    sources = os.path.join(folder, "sources.list")
    with open(sources, "w", encoding="ascii") as file:
        file.write(SOURCE)
    apt = [f"-oDir::Etc::sourcelist={sources}", "-oDir::Etc::sourceparts=/dev/null",
           f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache",
           "-oAPT::Sandbox::User=", "-oAcquire::Retries=2", "-oAPT::Update::Error-Mode=any"]
    _run(["apt-get", *apt, "update"])
    image = re.search(r"Depends: (linux-image-[0-9]\S+-cloud-amd64)",
                      _run(["apt-cache", *apt, "show", f"{Kernel.PACKAGE}/bookworm-backports"]))
    if not image:
        raise Missing(f"{Kernel.PACKAGE} of bookworm-backports names no kernel")
    _run(["apt-get", *apt, "download", image.group(1)], cwd=folder)
    return next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))


def newest_kernel(cache):
    """The kernel, which stays in the folder cache for the next time."""
    root = os.path.join(os.path.abspath(cache), "backports", "")
    if not os.path.exists(root):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            unpacked = os.path.join(folder, "root")
            _run(["dpkg-deb", "-x", _download(folder), unpacked])
            for release in os.listdir(os.path.join(unpacked, "lib/modules")):
                _run(["/sbin/depmod", "-b", unpacked, release])
            shutil.move(unpacked, root.rstrip("/"))
    return Kernel(root)
