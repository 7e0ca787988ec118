"""Plots as SVG, drawn by matplotlib where it is installed (the extra C{rehearsal})."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from math import isinf
from typing import Any

#: Colours that people who see them differently can tell apart (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
_STROKES = ("-", "--", "-.", ":")
_TICKS = {0.1: "0.1 s", 1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 86400: "1 day"}


class NoPlots(Exception):
    """matplotlib is not installed."""


def _drawn(draw: Callable[[Any], None], height: float = 3.6) -> str:
    """What is drawn into the axes, as an SVG element.

    @raise NoPlots: nothing can draw.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoPlots("install pushgw[rehearsal] for plots") from error
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pushgw", "font.size": 9}):
        figure = Figure(figsize=(8.0, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        file = StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def distributions(lines: Sequence[tuple[str, Sequence[float]]]) -> str:
    """How large a share is reached after how many seconds; C{lines}: quantiles at equal steps of each."""

    def draw(axes: Any) -> None:
        for place, ((name, points), colour) in enumerate(zip(lines, COLOURS * 3, strict=False)):
            shares = [100 * (number + 1) / len(points) for number in range(len(points))]
            known = [(max(point, 0.1), at) for point, at in zip(points, shares, strict=True) if not isinf(point)]
            # Curves that lie upon one another show all the same: the later ones are thinner and broken.
            look = {"linewidth": max(1.2, 3.2 - 0.5 * place), "linestyle": _STROKES[place % len(_STROKES)]}
            axes.step([x for x, _ in known], [y for _, y in known], where="post", label=name, color=colour, **look)
        axes.set_xscale("log")
        axes.set_xticks(list(_TICKS), list(_TICKS.values()))
        axes.minorticks_off()
        axes.set_xlabel("from the change")
        axes.set_ylabel("% of the changes")
        axes.set_ylim(0, 101)
        longest = max((point for _, points in lines for point in points if not isinf(point)), default=60.0)
        axes.set_xlim(0.5, max(60.0, 1.5 * longest))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", frameon=False)

    return _drawn(draw)


def bars(names: Sequence[str], parts: Mapping[str, Sequence[float]], unit: str, errors: Sequence[float] = ()) -> str:
    """Stacked bars, one for each name; C{errors} of their sums."""

    def draw(axes: Any) -> None:
        left = [0.0] * len(names)
        for (part, values), colour in zip(parts.items(), COLOURS, strict=False):
            axes.barh(names, values, left=left, label=part, color=colour, height=0.6)
            left = [before + value for before, value in zip(left, values, strict=True)]
        if errors:
            axes.errorbar(left, range(len(names)), xerr=errors, fmt="none", ecolor="#333", capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        if len(parts) > 1:
            axes.legend(frameon=False)

    return _drawn(draw, 1.0 + 0.36 * len(names))


def histogram(counts: Mapping[str, Mapping[int, int]], unit: str) -> str:
    """How many there are of each value, a bar beside the other for each name."""

    def draw(axes: Any) -> None:
        values = sorted({value for counted in counts.values() for value in counted})
        width = 0.8 / max(1, len(counts))
        for place, (name, counted) in enumerate(counts.items()):
            at = [index + (place - (len(counts) - 1) / 2) * width for index in range(len(values))]
            axes.bar(at, [counted.get(value, 0) for value in values], width, label=name, color=COLOURS[place])
        axes.set_xticks(range(len(values)), ["none lives" if value == 0 else f"{value} s" for value in values])
        axes.set_ylabel(unit)
        if len(counts) > 1:
            axes.legend(frameon=False)

    return _drawn(draw, 2.8)
