# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees: a chart that redraws itself on a terminal, plain lines elsewhere."""
import os
import shutil
import sys

WIDTH = 78    # columns at most
HEIGHT = 8    # rows of the chart
LABEL = 9     # columns to the left of it
BLOCKS = " ▁▂▃▄▅▆▇█"


class Screen:
    """Where the demonstration writes.

    live  whether it is a terminal with room for a chart that is drawn again and again
    """

    def __init__(self):
        size = shutil.get_terminal_size()
        self.live = (sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
                     and size.lines > HEIGHT + 6 and size.columns > 60)
        self._width = min(WIDTH, size.columns - 1) if self.live else WIDTH
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        self._blocks = BLOCKS if self.live and encoding == "utf8" else " #"
        self._drawn = self._total = self._top = 0

    def scale(self, total, top):
        """The chart will have total values of at most top."""
        self._total, self._top = total, top

    def begin(self, what):
        """A step begins that may take its time."""
        if self.live:
            print(f"{what:34} ...", end="", flush=True)

    def end(self, what, result):
        """The step has ended; result is what its line says from now on."""
        print(f"{chr(13) + chr(27) + '[K' if self.live else ''}{what:34} {result}", flush=True)

    def _rows(self, values):
        room = self._width - LABEL - 1
        each = -(-self._total // room)  # values of a column
        broad = min(2, max(1, room // self._total))  # columns of a value
        columns = [max(values[at:at + each]) for at in range(0, len(values), each)
                   for _ in range(broad)]
        steps = len(self._blocks) - 1
        levels = [max(1, round(value * HEIGHT * steps / self._top)) for value in columns]
        rows = []
        for row in range(HEIGHT - 1, -1, -1):
            cells = (self._blocks[min(steps, max(0, level - row * steps))] for level in levels)
            label = f"{self._top * (row + 1) / HEIGHT:5.2f} GiB" if row % 2 else ""
            rows.append(f"{label:>{LABEL}} {''.join(cells)}".rstrip())
        return rows

    def chart(self, values, captions):
        """On a terminal, draws values (GiB) with lines below, over the last chart."""
        if not self.live:
            return
        if self._drawn:
            print(f"\033[{self._drawn}F\033[J", end="")
        lines = [line[:self._width] for line in self._rows(values) + captions]
        print("\n".join(lines), flush=True)
        self._drawn = len(lines)

    def caption(self, text):
        """On a terminal, replaces the last line below the chart."""
        if self.live and self._drawn:
            print(f"\033[F\033[K{text[:self._width]}", flush=True)

    def keep(self, values):
        """The finished chart: on a terminal it is there already."""
        if not self.live:
            print("\n".join(self._rows(values)), flush=True)
        print(flush=True)
        self._drawn = 0

    def line(self, text):
        """What a chart's captions say on a terminal, where there is none."""
        if not self.live:
            print(text, flush=True)
