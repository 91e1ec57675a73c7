"""Learning curves with bands over seeds; what takes no steps is a line at its score."""

from typing import Any

from pipelines.report.page import line_chart, wording
from pipelines.report.page.comparison.comparison_files import ComparisonFiles
from pipelines.report.page.line_chart import NUM_COLORS, Curve, Level

TITLE = "Learning curves"
MAX_LISTED = 100
FLAT_DASH = 3


def view(files: ComparisonFiles) -> dict[str, Any] | None:
    """Return a drawing for each share of train, and the numbers as a table."""
    charts = [_chart(files, fraction) for fraction in reversed(files.compared.fractions)]
    charts = [chart for chart in charts if chart]
    rows = [*_rows(files)]
    return (
        {
            "charts": charts,
            "num_more": max(0, len(files.compared.arms) - NUM_COLORS),
            "num_colors": NUM_COLORS,
            "rows": rows[:MAX_LISTED],
            "num_more_rows": max(0, len(rows) - MAX_LISTED),
        }
        if charts
        else None
    )


def _chart(files: ComparisonFiles, fraction: float) -> dict[str, Any] | None:
    compared = files.compared
    curves, levels = [], files.floors(fraction)
    for number, arm in enumerate(compared.arms[:NUM_COLORS]):
        points = compared.curve(arm.name, fraction)
        if len(points) > 1:
            curves.append(curve_of(arm.name, points, number))
        else:
            score = compared.mean(arm.name, fraction)
            levels.append(Level(arm.name, score, kind=str(number), dash=FLAT_DASH))
    share = files.share(fraction)
    title = f"{files.metric} on validation{f', {share}' if share else ''}"
    return line_chart.draw(title, "step", curves, levels=levels)


def curve_of(name: str, points: Any, number: int) -> Curve:
    """Lay out means with a band of a deviation to both sides."""
    places = [(point.x, point.mean) for point in points]
    return Curve(name, places, str(number), reach=[point.deviation for point in points])


def _rows(files: ComparisonFiles) -> Any:
    """Yield the points of the largest share of train."""
    compared = files.compared
    for arm in compared.arms:
        for point in compared.curve(arm.name, compared.fractions[-1]):
            numbers = (wording.score(point.mean), wording.score(point.deviation))
            yield [wording.plain(arm.name, 80), f"{point.x:,g}", *numbers]
