"""How few labels are enough: scores over the number of examples of train."""

from typing import Any

from pipelines.report.page import line_chart
from pipelines.report.page.comparison.comparison_files import ComparisonFiles
from pipelines.report.page.comparison.learning import curve_of
from pipelines.report.page.line_chart import NUM_COLORS, Curve

TITLE = "How few labels are enough"


def view(files: ComparisonFiles) -> dict[str, Any] | None:
    """Return a drawing; None where only one share of train was compared."""
    compared = files.compared
    if len(compared.fractions) < 2:
        return None
    arms = enumerate(compared.arms[:NUM_COLORS])
    curves = [curve_of(arm.name, compared.efficiency(arm.name), number) for number, arm in arms]
    floors = compared.floors_by_count().items()
    curves += [Curve(name, line, "other", dash=1 + i) for i, (name, line) in enumerate(floors)]
    counts = {x for curve in curves for x, _ in curve.points}
    chart = line_chart.draw(
        f"{files.metric} on validation, and a deviation over seeds",
        "examples of train",
        curves,
        is_log=True,
        ticks=sorted(counts),
    )
    return {"chart": chart} if chart else None
