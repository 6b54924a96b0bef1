"""The table of what was measured: a row for each comparison, as Markdown and as a page."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.costs import Cost, machine, median


class Row(NamedTuple):
    """What was measured, and beside what, with what it should be at most or at least."""

    what: str
    ours: str
    beside: str = ""
    theirs: str = ""
    ratio: str = ""
    target: str = ""


HEADER = ("what", "sdindex", "beside", "takes", "ratio", "target")


def compared(
    what: str, ours: Sequence[Cost], beside: str, theirs: Sequence[Cost], figure: str, target: str
) -> Row:
    """Return a row; its ratio is the median of the rounds' ratios."""
    pairs = zip(ours, theirs, strict=True)
    ratio = statistics.median(
        getattr(here, figure) / getattr(there, figure) for here, there in pairs
    )
    faster = "faster" in target
    shown = f"{1 / ratio:.1f} times faster" if faster else f"{ratio:.2f} times"
    return Row(what, f"{median(ours, figure):.2f} s", beside, f"{median(theirs, figure):.2f} s",
               f"**{shown}**", target)  # fmt: skip


def write_page(page: Path, rows: Sequence[Row]) -> None:
    """Write the table as a page, and the time by the number of images drawn as a chart."""
    import plotly.graph_objects as go

    cells = [[cell.replace("**", "").replace("`", "") for cell in row] for row in rows]
    table = go.Figure(
        go.Table(
            header={"values": HEADER, "align": "left"},
            cells={"values": list(zip(*cells, strict=True)), "align": "left", "height": 28},
            columnwidth=[5, 1.2, 3, 1.2, 2, 2],
        ),
        {"title": f"sdindex on {machine()}", "height": 240 + 28 * len(rows)},
    )
    text = table.to_html(include_plotlyjs=True, full_html=False) + _chart(rows)
    page.write_text(f"<!DOCTYPE html><meta charset='utf-8'><title>sdindex bench</title>{text}")


def _chart(rows: Sequence[Row]) -> str:
    """Return the seconds by the number of images drawn, where any were."""
    import plotly.graph_objects as go

    drawn = [row for row in rows if row.what.startswith("select -n ") and not row.beside]
    points = [
        (int(row.what.split()[2].replace(",", "")), float(row.ours.split()[0]))
        for row in drawn
        if row.ours.endswith(" s")
    ]
    if not points:
        return ""
    chart = go.Figure(
        go.Scatter(x=[n for n, _ in points], y=[s for _, s in points], mode="lines+markers"),
        {"title": "The number of images drawn, not the archive, sets the time"},
    )
    chart.update_xaxes(title="images drawn", type="log", dtick=1)
    chart.update_yaxes(title="seconds, whole process", rangemode="tozero")
    return str(chart.to_html(include_plotlyjs=False, full_html=False))
