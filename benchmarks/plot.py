"""The chart in the README: CPU time per chunk, one bar for each client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import pyplot as plt
from scenarios import FLOOR, OURS

if TYPE_CHECKING:
    from measure import Result

__all__ = ["plot"]

SHOWN = ("burst-50", "paced-200")


def plot(results: list[Result], path: str) -> None:
    """Draw the burst and the paced streams, or other scenarios with CPU time per chunk.

    Args:
        results: The results of all scenarios.
        path: The file to write; its extension sets the format, such as ``.svg`` or ``.png``.
    """
    able = [r for r in results if r.scenario.kind in ("burst", "paced") and r.clients]
    shown = [r for r in able if r.scenario.name in SHOWN] or able[:2]
    if not shown:
        raise SystemExit("nothing to plot: no scenario with CPU per chunk was measured")
    mpl.use("agg")  # no window
    # The same results give the same file, and text stays text.
    mpl.rcParams["svg.hashsalt"] = "cometgem"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(1, len(shown), figsize=(4.8 * len(shown), 2.9), squeeze=False)
    for axis, result in zip(axes[0], shown, strict=True):
        clients = sorted(result.clients, key=lambda c: result.figure(c, "cpu").median)[::-1]
        figures = [result.figure(client, "cpu") for client in clients]
        medians = [figure.median for figure in figures]
        spread = [[f.median - f.least for f in figures], [f.most - f.median for f in figures]]
        colours = ["#d1495b" if client == OURS else "#9aa5b1" for client in clients]
        axis.barh(clients, medians, xerr=spread, color=colours, error_kw={"lw": 0.8})
        for row, figure_ in enumerate(figures):
            axis.annotate(
                f" {figure_.median:.1f}", (figure_.most, row), va="center", fontsize="small"
            )
        if FLOOR in clients:
            floor = result.figure(FLOOR, "cpu").median
            axis.axvline(floor, color="black", linestyle=":", linewidth=1)
        axis.set_xscale("log")
        axis.set_xlim(min(medians) / 2, max(medians) * 3)
        axis.set_title(result.scenario.title, fontsize="medium")
        axis.set_xlabel("client CPU, µs per chunk (log); dotted: read and thrown away")
        axis.xaxis.label.set_fontsize("small")
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    date = {"Date": None} if path.endswith(".svg") else None
    figure.savefig(path, metadata=date, dpi=150)
