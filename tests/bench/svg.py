"""Two kinds of charts as SVG text: lines over named steps, and bars by name. Both have a logarithmic axis of values."""

import math

WIDTH, LEFT, RIGHT, TOP = 760, 110, 130, 44
OURS, LIMIT = "#c2410c", "#9ca3af"
OTHERS = ("#1d4ed8", "#047857", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4d7c0f", "#475569")


def element(name, content=None, **attributes):
    told = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{told}/>" if content is None else f"<{name}{told}>{content}</{name}>"


def words(x, y, content, **attributes):
    escaped = str(content).replace("&", "&amp;").replace("<", "&lt;")
    return element("text", escaped, x=f"{x:.1f}", y=f"{y:.1f}", **attributes)


def page(height, title, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="12">')
    back = element("rect", width=WIDTH, height=height, fill="#ffffff")
    return "\n".join([head, back, words(16, 24, title, font_size=15, font_weight="bold"), *parts, "</svg>"]) + "\n"


def decades(values):
    """From a power of ten below all values to one above."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def apart(places, least):
    """The same places in their order, moved down until each is at least `least` from the one before."""
    moved, last = {}, -math.inf
    for key, y in sorted(places.items(), key=lambda item: item[1]):
        last = moved[key] = max(y, last + least)
    return moved


def lines(title, unit, series, ours):
    """series[name]: [(step, value)], steps in order."""
    steps = list(dict.fromkeys(step for points in series.values() for step, _ in points))
    low, high = decades([value for points in series.values() for _, value in points])
    height, bottom = 400, 360

    def x_of(step):
        return LEFT + steps.index(step) * (WIDTH - LEFT - RIGHT) / max(1, len(steps) - 1)

    def y_of(value):
        return bottom - (math.log10(value) - low) / (high - low) * (bottom - TOP)

    parts = [words(16, TOP + 4, unit, fill="#374151")]
    for power in range(low, high + 1):
        y = y_of(10 ** power)
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", stroke="#e5e7eb"))
        parts.append(words(LEFT - 8, y + 4, number(10 ** power), text_anchor="end", fill="#374151"))
    parts += [words(x_of(step), bottom + 18, step, text_anchor="middle", fill="#374151") for step in steps]
    names = apart({name: y_of(points[-1][1]) for name, points in series.items()}, 14)
    others = iter(OTHERS * 4)
    for name, points in series.items():
        color = OURS if name == ours else LIMIT if name == "bulk copy" else next(others)
        path = " ".join(f"{x_of(step):.1f},{y_of(value):.1f}" for step, value in points)
        parts.append(element("polyline", points=path, fill="none", stroke=color, stroke_width=3 if name == ours else 1.5))
        parts.append(words(max(x_of(points[-1][0]) + 8, 0), names[name] + 4, name, fill=color))
    return page(height, title, parts)


def bars(title, unit, rows, ours):
    """rows[name]: [value], or [value, a second one drawn lighter behind it]."""
    low, high = decades([value for values in rows.values() for value in values])
    step = 24
    bottom = TOP + step * len(rows)
    right = WIDTH - RIGHT

    def x_of(value):
        return LEFT + (math.log10(value) - low) / (high - low) * (right - LEFT)

    parts = []
    for power in range(low, high + 1):
        x = x_of(10 ** power)
        parts.append(element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=TOP, y2=bottom, stroke="#e5e7eb"))
        parts.append(words(x, bottom + 16, number(10 ** power), text_anchor="middle", fill="#374151"))
    parts.append(words(right + 8, bottom + 16, unit, fill="#374151"))
    for i, (name, values) in enumerate(rows.items()):
        y, color = TOP + i * step, OURS if name in ours else OTHERS[0]
        parts.append(words(LEFT - 8, y + 16, name, text_anchor="end"))
        for value, opacity in sorted(zip(values, (1, 0.35)), reverse=True):
            parts.append(element("rect", x=LEFT, y=y + 4, width=f"{max(1, x_of(value) - LEFT):.1f}", height=step - 8, fill=color,
                                 fill_opacity=opacity))
        parts.append(words(x_of(max(values)) + 6, y + 16, " / ".join(map(number, values)), fill="#374151"))
    return page(bottom + 28, title, parts)
