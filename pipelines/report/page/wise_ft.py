"""WiSE-FT: what each point between probe and fine-tuned weights gains and loses."""

from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import line_chart, wording
from pipelines.report.page.line_chart import Curve
from pipelines.report.page.run_files import RunFiles

TITLE = "Between probe and fine-tuned"
SHIFTED = {"corrupted": "validation, corrupted", "target": "target"}


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return a curve for each kind of rows that are unlike train."""
    points = files.metrics.get("wise_ft") or []
    charts = [_chart(files, points, key, name) for key, name in SHIFTED.items()]
    charts = [chart for chart in charts if chart]
    return {"charts": charts} if charts else None


def _chart(
    files: RunFiles, points: list[dict[str, Any]], key: str, name: str
) -> dict[str, Any] | None:
    main = files.metrics["main_metric"]
    x, y = f"validation_{main}", f"{key}_{main}"
    # in the order of alpha, which is no order of scores
    shown = [point for point in points if is_number(point.get(x)) and is_number(point.get(y))]
    places = [(float(point[x]), float(point[y])) for point in shown]
    notes = [f"{point['alpha']:g}" for point in shown]
    alpha = ((files.metrics.get("training") or {}).get("chosen") or {}).get("alpha")
    chosen = [place for place, point in zip(places, shown, strict=True) if point["alpha"] == alpha]
    return line_chart.draw(
        f"{wording.metric(main)} on {name}",
        f"{wording.metric(main)} on validation",
        [Curve("from probe to fine-tuned, by alpha", places, "validation", notes)],
        chosen=chosen[0] if chosen else None,
    )
