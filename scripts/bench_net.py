#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench_net.py [BUILD]: frames through vhost-user-net --loopback and through Debian's dpdk-testpmd.

The same load generator (tests/bench/bench-net) drives each in turn, run after run; a figure is the
median.  DPDK is left out, and said so, where it is not installed (package dpdk-dev).
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
SIZES = (64, 1514)
FIGURES = ('frames_per_second', 'bytes_per_second', 'latency_ns', 'cpu_ns_per_frame',
           'cpu_seconds_per_gigabyte')


def backends(build, socket):
    """The command line of each back-end."""
    ours = [str(build / 'tools/vhost-user-net/vhost-user-net'), '--loopback', '--socket-path', socket]
    yield 'ours', ours
    yield 'ours, polling', [*ours, '--poll-us', '100']
    if shutil.which('dpdk-testpmd'):
        yield 'dpdk-testpmd', [
            'dpdk-testpmd', '-l', '0,1', '--no-huge', '-m', '256', '--no-pci', '--no-telemetry',
            '--file-prefix', 'bench', '--vdev', f'net_vhost0,iface={socket},queues=1', '--',
            '--auto-start', '--forward-mode=io', '--total-num-mbufs=4096', '--stats-period', '600']


def measure(build, command, socket, size):
    """One run of the load generator against a fresh back-end."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as backend:
        try:
            deadline = time.monotonic() + 30
            while not pathlib.Path(socket).is_socket() and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(0.2)
            result = subprocess.run(
                [build / 'tests/bench/bench-net', '--socket', socket, '--pid', str(backend.pid),
                 '--size', str(size)], capture_output=True, text=True, timeout=60, check=False)
        finally:
            backend.terminate()
            backend.wait(timeout=30)
            pathlib.Path(socket).unlink(missing_ok=True)
    if result.returncode != 0:
        sys.exit(f'bench_net.py: {command[0]}: {result.stderr.strip()}')
    return json.loads(result.stdout)


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'build').resolve()
    with tempfile.TemporaryDirectory() as directory:
        socket = f'{directory}/socket'
        commands = dict(backends(build, socket))
        if 'dpdk-testpmd' not in commands:
            print('dpdk-testpmd: skipped, not installed (package dpdk-dev)')
        runs = {(name, size): [] for size in SIZES for name in commands}
        for _ in range(RUNS):
            for (name, size), results in runs.items():
                results.append(measure(build, commands[name], socket, size))
    for (name, size), results in runs.items():
        medians = {figure: statistics.median(run[figure] for run in results) for figure in FIGURES}
        print(json.dumps({'backend': name, 'size': size, 'runs': RUNS} | medians))


if __name__ == '__main__':
    main()
