"""Print-quality pictures (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from immunescape.report.figures import ARM_COLOURS, Curve, PublishedCurve

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["kaplan_meier_print"]

Panel = tuple[str, Sequence[Curve], Sequence[PublishedCurve]]
"""Title, predicted curves, published curves."""


def kaplan_meier_print(panels: Sequence[Panel], *, subtitle: str = "") -> Figure:
    """Predicted and published Kaplan-Meier curves and numbers at risk, one panel per endpoint.

    The figure shows itself in a notebook.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from immunescape.patients.plot import notebook_figure

    width, height = 5.6 * len(panels), 4.7
    figure = notebook_figure()(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    rows = max((len(curves) for _, curves, _ in panels), default=0)
    # margins in inches: to have them computed from the texts draws everything twice
    # the legend stands below the numbers at risk, never over the curves
    entries = {f"{c.arm}, predicted" for _, curves, _ in panels for c in curves}
    for _, _, published in panels:
        entries |= {f"{k.arm}, published curve" for k in published if len(k.curve_months)}
        entries |= {f"{k.arm}, published" for k in published if len(k.months)}
    in_a_row = max(1, int(width // 2.6))
    lines = -(-len(entries) // in_a_row)
    height += 0.22 * lines
    figure.set_size_inches(width, height)
    below = (0.67 + 0.167 * rows + 0.22 * lines) / height
    margins = {"left": 0.62 / width, "right": 1 - 0.12 / width, "top": 1 - (0.62 if subtitle else 0.35) / height}
    axes = figure.subplots(
        1, len(panels), squeeze=False, gridspec_kw={**margins, "bottom": below, "wspace": 0.72 / (width / len(panels))}
    )[0]
    for ax, panel in zip(axes, panels, strict=True):
        _draw_panel(ax, *panel)
    handles: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="lower center",
            ncol=in_a_row,
            fontsize=8,
            frameon=False,
            borderaxespad=0.1,
            labelspacing=0.3,
        )
    if subtitle:
        figure.suptitle(subtitle, fontsize=11, y=1 - 0.06 / height, va="top")
    return figure


def _draw_panel(ax: Axes, title: str, curves: Sequence[Curve], published: Sequence[PublishedCurve]) -> None:
    """Predicted curves with their bands, what was published, and the numbers at risk below."""
    colour = {curve.arm: ARM_COLOURS[i % len(ARM_COLOURS)] for i, curve in enumerate(curves)}
    for curve in curves:
        c = colour[curve.arm]
        ax.fill_between(curve.months, 100 * curve.low, 100 * curve.high, step="post", color=c, alpha=0.13, lw=0)
        ax.step(curve.months, 100 * curve.survival, where="post", color=c, lw=2, label=f"{curve.arm}, predicted")
    for published_curve in published:
        _draw_published(ax, published_curve, colour.get(published_curve.arm, "#333333"))
    ticks = sorted({t for curve in curves for t in curve.at_risk})
    if ticks:
        ax.set_xticks(ticks)
        for row, curve in enumerate(curves):
            for tick in ticks:
                ax.annotate(
                    str(curve.at_risk.get(tick, "")),
                    (tick, 0),
                    xytext=(0, -28 - 12 * row),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=colour[curve.arm],
                )
    ax.set(title=title, ylabel="Patients without event (%)", ylim=(0, 102))
    ax.set_xlim(left=0)
    ax.set_xlabel("Months since randomisation; below: predicted patients at risk")
    ax.xaxis.labelpad = 4
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    if ticks:
        ax.xaxis.labelpad = 10 + 12 * len(curves)


def _draw_published(ax: Axes, published: PublishedCurve, colour: str) -> None:
    """A published curve, its single points and its median, as far as each is there."""
    if len(published.curve_months):
        ax.step(
            published.curve_months,
            100 * np.asarray(published.curve_survival),
            where="post",
            color=colour,
            lw=1.2,
            ls=":",
            label=f"{published.arm}, published curve",
        )
    if len(published.months):
        ax.plot(
            published.months,
            100 * np.asarray(published.survival),
            "D",
            color=colour,
            mec="white",
            ms=7,
            label=f"{published.arm}, published",
        )
    if published.median_months is not None:
        ax.plot([published.median_months], [50], "X", color=colour, mec="white", ms=9)
