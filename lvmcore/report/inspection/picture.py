"""An inspection as one picture, with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lvmcore.errors import LvmError
from lvmcore.files import write_whole
from lvmcore.requirements import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Node = Mapping[str, Any]


def plot(document: Node, file: Path) -> None:
    """Draw the panels of a document of `lvm data inspect` to a file; its suffix says the form, such as .png or .svg.

    Raises:
        LvmError: matplotlib is not installed, or cannot write this form.
        MachineError: the file cannot be written.
    """
    form = require(file)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = (_lengths, _coherence, _lags, _ways, _growth, _beside)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(2, 3, number)
        panel(document, axes)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(_plain(document["corpus"]))
    held = io.BytesIO()
    figure.savefig(held, format=form, dpi=130)
    write_whole(file, held.getvalue(), parents=True)


def require(file: Path) -> str:
    """The form that a picture's name asks for, such as `png`.

    Raises:
        LvmError: matplotlib is not installed, or cannot write it.
    """
    known = needs("matplotlib.backend_bases", "report").FigureCanvasBase.get_supported_filetypes()
    form = file.suffix.lower().removeprefix(".")
    if form in known:
        return form
    raise LvmError(
        f"no picture can be written as '{file.name}'", where=str(file),
        expected=f"a name that ends in {', '.join(f'.{one}' for one in known)}",
    )  # fmt: skip


def _lengths(document: Node, axes: Axes) -> None:
    """The articles of each split from the 5 % to the 95 % quantile of their lengths."""
    axes.set_title("rows of an article")
    splits = {name: held["lengths"] for name, held in document["splits"].items() if held["lengths"]}
    boxes = [
        {
            "label": f"{name}\n{held['count']:,} articles",
            "whislo": held["quantiles"]["0.05"],
            "q1": held["quantiles"]["0.25"],
            "med": held["quantiles"]["0.5"],
            "q3": held["quantiles"]["0.75"],
            "whishi": held["quantiles"]["0.95"],
        }
        for name, held in splits.items()
    ]
    axes.bxp(boxes, showfliers=False)


def _coherence(document: Node, axes: Axes) -> None:
    axes.set_title("cosine of neighbours")
    histogram, spread = document["neighbours"]["histogram"], document["neighbours"]["coherence"]
    edges = np.asarray(histogram["edges"])
    axes.bar(edges[:-1], histogram["shares"], np.diff(edges), align="edge", color="tab:blue", edgecolor="white")
    if spread:
        axes.axvline(spread["mean"], color="black", linewidth=1)
    axes.set_ylabel("share")


def _lags(document: Node, axes: Axes) -> None:
    axes.set_title("cos(x_{t+1}, x_{t−j})")
    lags = [lag for lag in document["neighbours"]["lags"] if lag["value"] is not None]
    _intervals(axes, range(len(lags)), lags, "tab:blue")
    axes.set_xlabel("j")


def _ways(document: Node, axes: Axes) -> None:
    axes.set_title("over the average, in cosine")
    if not (signal := document["signal"]):
        return _nothing(axes)
    names = ("gain", "smoothing", "predictability")
    for shift, way, colour in ((-0.12, "forwards", "tab:blue"), (0.12, "backwards", "tab:orange")):
        held = [signal[way][name] for name in names]
        _intervals(axes, [place + shift for place in range(3)], held, colour, line="", label=way)
    _intervals(axes, [3], [signal["asymmetry"]], "black", line="")
    axes.set_xticks(range(4), [*names, "asymmetry"], rotation=20)
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.legend(frameon=False)
    return None


def _growth(document: Node, axes: Axes) -> None:
    axes.set_title("fit on parts of the training articles")
    if not (signal := document["signal"]):
        return _nothing(axes)
    points = signal["growth"]["points"]
    windows = [point["windows"] for point in points]
    _intervals(axes, windows, [point["gain"] for point in points], "tab:blue", label="gain")
    _intervals(axes, windows, [point["predictability"] for point in points], "tab:green", label="predictability")
    axes.set_xscale("log", base=2)
    axes.set_xticks(windows, [f"{number:,}" for number in windows])
    axes.set_xlabel("training windows")
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.legend(frameon=False)
    return None


def _beside(document: Node, axes: Axes) -> None:
    axes.set_title("cosine with the target")
    if not (signal := document["signal"]):
        return _nothing(axes)
    held = {name: one for name, one in signal["beside"].items() if one["cosine"]["value"] is not None}
    colours = {"reference": "tab:blue", "oracle": "lightgrey"}
    axes.barh(
        [_plain(name) for name in held],
        [one["cosine"]["value"] for one in held.values()],
        color=[colours.get(one["role"], "tab:grey") for one in held.values()],
    )
    axes.invert_yaxis()
    return None


def _intervals(axes: Axes, places: Any, held: list[Node], colour: str, *, line: str = "-", label: str = "") -> None:
    """Values with the ends of their intervals; one without an interval has no bar."""
    values = np.array([one["value"] for one in held], float)
    low, high = (
        np.array([one["value"] if one[end] is None else one[end] for one in held], float) for end in ("low", "high")
    )
    axes.errorbar(
        list(places), values, [np.maximum(values - low, 0), np.maximum(high - values, 0)],
        fmt=f"o{line}", color=colour, markersize=4, capsize=3, label=label or None,
    )  # fmt: skip


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "nothing to measure it by", ha="center", transform=axes.transAxes)
    axes.set_axis_off()


def _plain(text: str) -> str:
    """Somebody's text, in which no $ begins a formula and no control character stands."""
    return "".join(char if char.isprintable() else "?" for char in text).replace("$", r"\$")
