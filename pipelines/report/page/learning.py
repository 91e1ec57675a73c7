"""The learning curves: loss and score over epochs or, for a solver, over what it tried."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.report.evidence import is_number
from pipelines.report.page import line_chart, wording
from pipelines.report.page.line_chart import Curve, Level, Point, points_of
from pipelines.report.page.run_files import RunFiles

TITLE = "Learning curves"
MAX_TRIALS, MAX_LISTED = 8, 60
Entry = Mapping[str, Any]


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return one chart or two, and the numbers of the scores as a table."""
    if any("step" in entry for entry in files.history):
        charts, table = [*_of_steps(files)], _evaluations(files)
    else:
        charts, table = [*_of_trials(files)], None
    charts = [chart for chart in charts if chart]
    return {"charts": charts, "table": table} if charts else None


def _of_steps(files: RunFiles) -> Iterator[dict[str, Any] | None]:
    history, main = files.history, files.metrics["main_metric"]
    key = f"eval_{main}"
    losses = [
        Curve("train", points_of(history, "epoch", "loss"), "train"),
        Curve("validation", points_of(history, "epoch", "eval_loss"), "validation"),
    ]
    yield line_chart.draw("Loss", "epoch", losses)
    yield line_chart.draw(
        wording.metric(main),
        "epoch",
        [Curve("validation", points_of(history, "epoch", key), "validation")],
        chosen=_chosen(files, "epoch", key),
        levels=_baseline(files),
    )


def _of_trials(files: RunFiles) -> Iterator[dict[str, Any] | None]:
    """Draw a line for each combination of other settings over the number that was tried."""
    main = files.metrics["main_metric"]
    names = {name for entry in files.history for name in entry}
    key = next((k for k in (f"validation_{main}", f"folds_{main}") if k in names), "")
    trials = [entry for entry in files.history if is_number(entry.get(key))]
    numbers = [k for k in (trials[0] if trials else {}) if k != key and is_number(trials[0][k])]
    if not numbers:
        return
    number = numbers[0]
    lines: dict[str, list[Entry]] = {}
    for trial in trials:
        settings = [str(value) for k, value in trial.items() if k not in (key, number)]
        lines.setdefault(" ".join(settings) or main, []).append(trial)
    tried = {name: points_of(line, number, key) for name, line in lines.items()}
    best = sorted(tried, key=lambda name: -max(y for _, y in tried[name]))[:MAX_TRIALS]
    curves = [Curve(name, tried[name], str(i)) for i, name in enumerate(best)]
    # penalties are tried by powers of ten
    is_log = all(x > 0 for curve in curves for x, _ in curve.points)
    yield line_chart.draw(
        f"{wording.metric(main)} of what was tried",
        number,
        curves,
        chosen=_chosen(files, number, key),
        levels=_baseline(files),
        is_log=is_log,
    )


def _chosen(files: RunFiles, x: str, y: str) -> Point | None:
    """Return the point whose weights were saved."""
    chosen = (files.metrics.get("training") or {}).get("chosen") or {}
    for entry in files.history:
        # an entry without a key, such as that of a point between weights, may be the one
        is_chosen = all(entry.get(name, value) == value for name, value in chosen.items())
        if chosen and is_chosen and is_number(entry.get(x)) and is_number(entry.get(y)):
            return float(entry[x]), float(entry[y])
    return None


def _baseline(files: RunFiles) -> list[Level]:
    baseline = (files.metrics.get("baseline") or {}).get("validation") or {}
    return [Level("baseline", baseline.get(files.metrics["main_metric"]))]


def _evaluations(files: RunFiles) -> dict[str, Any]:
    """Return the scores of validation during training."""
    key = f"eval_{files.metrics['main_metric']}"
    rows = [entry for entry in files.history if is_number(entry.get(key))]
    return {
        "header": ["epoch", "step", "validation loss", wording.metric(key.removeprefix("eval_"))],
        "rows": [
            [
                wording.value(entry.get("epoch")),
                wording.count(entry.get("step")),
                wording.score(entry.get("eval_loss")),
                wording.score(entry[key]),
            ]
            for entry in rows[:MAX_LISTED]
        ],
        "num_more": max(0, len(rows) - MAX_LISTED),
    }
