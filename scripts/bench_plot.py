# SPDX-License-Identifier: GPL-2.0-or-later
"""Line charts as SVG, both axes logarithmic."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 500
LEFT, RIGHT, TOP, BOTTOM = 80, 650, 50, 440  # the rectangle of the curves
COLOURS = ("#1f6fb4", "#c8452b", "#3d8f45", "#7d55a8")
DASHES = ("", "7 4", "2 3", "10 3 2 3")


def scale(low, high, first, last):
    """A function from [low, high], logarithmic, to [first, last]."""
    span = math.log(high / low) or 1
    return lambda value: first + (last - first) * math.log(value / low) / span


def decades(low, high):
    """Powers of ten around the values."""
    return [10 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def label_of_time(microseconds):
    if microseconds >= 1000000:
        return f"{microseconds // 1000000} s"
    if microseconds >= 1000:
        return f"{microseconds // 1000} ms"
    return f"{microseconds} µs"


def text(x, y, content, anchor="start", size=13, colour="#333", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}"{extra}>{escape(content)}</text>')


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def spread(places, gap=16):
    """Moves labels that would lie on each other apart; @places are heights."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + gap)
    return moved


def number_label(value):
    return f"{value:,}"


def axes(x, y, ticks, values, x_name, y_label):
    parts = []
    for value in values:
        parts.append(line(LEFT, y(value), RIGHT, y(value), "#ddd"))
        parts.append(text(LEFT - 8, y(value) + 4, y_label(value), "end"))
    for value in ticks:
        parts.append(line(x(value), BOTTOM, x(value), BOTTOM + 5, "#666"))
        parts.append(text(x(value), BOTTOM + 20, f"{value:,}", "middle"))
    parts.append(line(LEFT, BOTTOM, RIGHT, BOTTOM, "#666"))
    parts.append(line(LEFT, TOP, LEFT, BOTTOM, "#666"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 44, x_name, "middle"))
    return parts


def chart(title, curves, ticks, x_name, y_label):
    """@curves: (label, colour, dash, points) each; both axes logarithmic."""
    all_x = [x for curve in curves for x, _ in curve[3]]
    all_y = [y for curve in curves for _, y in curve[3]]
    values = decades(min(all_y), max(all_y))
    x = scale(min(all_x), max(all_x), LEFT, RIGHT)
    y = scale(values[0], values[-1], BOTTOM, TOP)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             text(LEFT, 26, title, size=16, colour="#111")]
    parts += axes(x, y, ticks, values, x_name, y_label)
    heights = spread([y(curve[3][-1][1]) for curve in curves])
    for (label, colour, dash, points), height in zip(curves, heights):
        path = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                     + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        end_x, end_y = x(points[-1][0]), y(points[-1][1])
        parts += [f'<circle cx="{x(place):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>'
                  for place, value in points]
        if abs(height - end_y) > 1:
            parts.append(line(end_x + 4, end_y, end_x + 12, height - 4, colour))
        parts.append(text(end_x + 14, height, label, colour=colour))
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def device_add(results):
    curves = []
    for i, vmm in enumerate(results["vmms"]):
        for j, plug in enumerate(vmm["plug"]):
            devices = f"{plug['devices']} device{'s' if plug['devices'] > 1 else ''}"
            points = [(point["dimm"], point["device_add_us"]) for point in plug["points"]]
            curves.append((f"{vmm['label']}, {devices}", COLOURS[i % len(COLOURS)],
                           DASHES[j % len(DASHES)], points))
    dimms = [dimm for curve in curves for dimm, _ in curve[3]]
    ticks = [2 ** e for e in range(17) if min(dimms) <= 2 ** e <= max(dimms)]
    return chart("Time of one device_add (median of 8, logarithmic)", curves, ticks,
                 "DIMMs plugged (logarithmic)", label_of_time)


def disk(results):
    """Requests a second of 4 KiB random reads over the requests under way."""
    cases = [case for case in results["disk"]["cases"]
             if case["name"].endswith("random read") and case["placement"] != "on one CPU"]
    queues = sorted({case["queues"] for case in cases})
    curves = []
    for i, backend in enumerate(results["disk"]["backends"]):
        for j, count in enumerate(queues):
            points = [(case["depth"], case["backends"][backend["name"]]["requests_per_second"])
                      for case in cases if case["queues"] == count]
            curves.append((f"{backend['name']}, {count} queue{'s' if count > 1 else ''}",
                           COLOURS[i % len(COLOURS)], DASHES[j % len(DASHES)], points))
    return chart("4 KiB random reads a second (median, logarithmic)", curves,
                 sorted({case["depth"] for case in cases}),
                 "requests under way in each queue (logarithmic)", number_label)
