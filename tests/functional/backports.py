# SPDX-License-Identifier: GPL-2.0-or-later
"""The newest that Debian 12 can install, its backports, unpacked into a folder: packages, a kernel,
and drivers of its source that Debian does not build.

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


class _Archive:
    """Packages of backports, in a folder of their own."""

    def __init__(self, folder):
        self._folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, name))
        sources = os.path.join(folder, "sources.list")
        with open(sources, "w", encoding="ascii") as file:
            file.write(SOURCE)
        self._options = [
            f"-oDir::Etc::sourcelist={sources}", "-oDir::Etc::sourceparts=/dev/null",
            f"-oDir::State::lists={folder}/lists", f"-oDir::Cache={folder}/cache",
            "-oAPT::Sandbox::User=", "-oAcquire::Retries=2", "-oAPT::Update::Error-Mode=any"]
        _run(["apt-get", *self._options, "update"])

    def image(self, flavour):
        """The name of the package that has the kernel."""
        package = f"linux-image-{flavour}"
        image = re.search(rf"Depends: (linux-image-[0-9]\S+-{flavour})",
                          _run(["apt-cache", *self._options, "show",
                                f"{package}/bookworm-backports"]))
        if not image:
            raise Missing(f"{package} of bookworm-backports names no kernel")
        return image.group(1)

    def unpack(self, root, packages):
        """Files of the packages, below the folder root; apt verifies them."""
        _run(["apt-get", *self._options, "download",
              *[f"{package}/bookworm-backports" for package in packages]], cwd=self._folder)
        for name in os.listdir(self._folder):
            if name.endswith(".deb"):
                path = os.path.join(self._folder, name)
                _run(["dpkg-deb", "-x", path, root])
                os.remove(path)


def _build(archive, folder, release, flavour, drivers):
    """Compiles drivers, which are files of the kernel's source; the folder with the modules."""
    root = os.path.join(folder, "source")
    version = release.removesuffix(f"-{flavour}")
    source = "linux-source-" + re.match(r"\d+\.\d+", release).group(0)
    archive.unpack(root, [f"linux-headers-{release}", f"linux-headers-{version}-common",
                          f"linux-kbuild-{version}", source])
    headers = os.path.join(root, "usr/src", f"linux-headers-{release}")
    with open(os.path.join(headers, "Makefile"), "w", encoding="ascii") as file:
        file.write(f"include {root}/usr/src/linux-headers-{version}-common/Makefile\n")
    # Its types would be woven into the modules, by a program that has to be installed for that.
    os.remove(os.path.join(headers, "vmlinux"))
    modules = os.path.join(folder, "modules")
    os.mkdir(modules)
    _run(["tar", "-xJf", os.path.join(root, "usr/src", f"{source}.tar.xz"), "-C", modules,
          "--transform=s,.*/,,", *[f"{source}/{driver}" for driver in drivers]])
    objects = " ".join(os.path.basename(driver).replace(".c", ".o") for driver in drivers)
    with open(os.path.join(modules, "Makefile"), "w", encoding="ascii") as file:
        file.write(f"obj-m := {objects}\n")
    _run(["make", "-C", headers, f"M={modules}", "modules"])
    return modules


def _kept(cache, name, fill):
    """The folder name in the folder cache, with a slash; if it is not there, fill(archive, folder,
    root) puts into root what it will hold, and has folder for whatever it needs meanwhile."""
    cache = os.path.abspath(cache)
    kept = os.path.join(cache, name, "")
    if not os.path.exists(kept):
        os.makedirs(cache, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            root = os.path.join(folder, "root")
            fill(_Archive(folder), folder, root)
            shutil.move(root, kept.rstrip("/"))
    return kept


def unpacked(cache, name, packages):
    """The folder with the files of these packages, below the folder cache for the next time."""
    return _kept(cache, name, lambda archive, _folder, root: archive.unpack(root, packages))


def newest_kernel(cache, flavour=Kernel.CLOUD, drivers=()):
    """The kernel, which stays in the folder cache for the next time.  drivers are files of its
    source that are built and put beside its modules."""
    def fill(archive, folder, root):
        image = archive.image(flavour)
        release = image.removeprefix("linux-image-")
        archive.unpack(root, [image])
        if drivers:
            modules = _build(archive, folder, release, flavour, drivers)
            more = os.path.join(root, "lib/modules", release, "updates")
            os.mkdir(more)
            for module in os.listdir(modules):
                if module.endswith(".ko"):
                    shutil.copy(os.path.join(modules, module), more)
        _run(["/sbin/depmod", "-b", root, release])

    name = "kernel" if flavour == Kernel.CLOUD else f"kernel-{flavour}"
    return Kernel(_kept(cache, name, fill), flavour)
