# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts: which Debian packages are needed, and their
# installation.  Asks apt once; as a user without the right to it the one command
# to run is printed.

build_packages="gcc libc6-dev linux-libc-dev pkg-config meson ninja-build python3 \
libglib2.0-dev libjson-c-dev libedit-dev libseccomp-dev liburing-dev zlib1g-dev"
demo_packages="qemu-system-common"
test_packages="acpica-tools clang dmidecode g++ libclang-rt-14-dev qemu-system-common qemu-system-x86 python3-sphinx strace"
# What a Linux guest is made of, and the host in which it runs where KVM is not at hand.
guest_packages="linux-image-cloud-amd64 busybox-static qemu-system-x86"
# For tests/functional: those, DPDK's testpmd, and what builds drivers that Debian does not.
functional_packages="$guest_packages ethtool dpdk-dev librte-net-vhost23 kmod lz4 make xz-utils zstd"

# install_packages PACKAGE... : installs those that are missing.
install_packages() {
    missing=
    for package in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "Missing packages:$missing"
    if [ "$(id -u)" != 0 ]; then
        echo "Not root: run this once, then start again:"
        echo "  sudo apt-get install --no-install-recommends$missing"
        return 1
    fi
    echo "Installing them with apt-get ..."
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words on purpose
    if apt-get update >"$log" 2>&1 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            $missing >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    tail -n 20 "$log" >&2
    echo "apt-get failed; its whole output is in $log" >&2
    return 1
}
