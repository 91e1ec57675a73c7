"""Whether probabilities are true: accuracy at each level of confidence."""

from typing import Any

import numpy as np

from pipelines.evaluation.calibration.reliability import NUM_BINS
from pipelines.report.page import frame, wording
from pipelines.report.page.axis import Axis
from pipelines.report.page.run_files import RunFiles

TITLE = "Calibration"
SIZE, LEFT, TOP, BOTTOM = 320, 44, 12, 40
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
X_AXIS = Axis(0, 1, LEFT, LEFT + SIZE, TICKS)
Y_AXIS = Axis(0, 1, TOP + SIZE, TOP, TICKS)


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the numbers as trained and as saved, a drawing, and prediction sets."""
    calibration = files.metrics.get("calibration")
    if not calibration:
        return None
    temperature, sets = calibration.get("temperature"), calibration.get("conformal")
    splits = [split for split in ("validation", "test") if split in calibration]
    return {
        "temperature": f"{temperature:.4g}" if temperature else "",
        "rows": [_row(files.name_of(split), calibration[split]) for split in splits],
        "num_bins": NUM_BINS,
        "split": files.split_name,
        "chart": _chart(files),
        "sets": _sets(sets) if sets else None,
    }


def _row(name: str, numbers: dict[str, Any]) -> dict[str, Any]:
    before, after = numbers["before"], numbers.get("after") or numbers["before"]
    cells = [before["ece"], after["ece"], before["nll"], after["nll"]]
    return {"name": name, "cells": [wording.score(number) for number in cells]}


def _sets(sets: dict[str, Any]) -> str:
    return (
        f"Prediction sets hold the right class for {wording.percent(sets['coverage'])} of "
        f"{wording.plain(sets['measured_on'], 40)} ({wording.percent(1 - sets['alpha'])} were "
        f"requested), with {sets['mean_size']:.2f} classes on average; "
        f"{wording.percent(sets['empty'])} are empty. A class is in the set where its probability "
        f"is at least {sets['threshold']:.6f}."
    )


def _chart(files: RunFiles) -> dict[str, Any] | None:
    """Lay out a bar for each bin of confidence; None where an example has not one label."""
    # of several labels, each has its own probability
    if files.table is None or files.table.classes() is None:
        return None
    confidence, correct = map(files.table.numbers, ("confidence", "correct"))
    if confidence is None or correct is None:
        return None
    is_known = ~np.isnan(confidence) & ~np.isnan(correct)
    # bins are closed above, as those of the calibration error
    numbers = np.clip(np.ceil(confidence[is_known] * NUM_BINS) - 1, 0, NUM_BINS - 1).astype(int)
    counts = np.bincount(numbers, minlength=NUM_BINS)
    # an empty bin is 0 / 1, not NaN
    confidences, accuracies = (
        np.bincount(numbers, each[is_known], NUM_BINS) / np.maximum(counts, 1)
        for each in (confidence, correct)
    )
    bins = [
        _bar(int(i), int(counts[i]), float(confidences[i]), float(accuracies[i]))
        for i in np.flatnonzero(counts)
    ]
    return {
        **frame.lay_out(
            f"Accuracy at each confidence, on {files.split_name}",
            f"Accuracy over confidence on {files.split_name}, {len(bins)} bars; a table with all "
            "numbers follows.",
            (LEFT + SIZE + 12, TOP + SIZE + BOTTOM),
            X_AXIS,
            y_axis=Y_AXIS,
            bottom=TOP + SIZE,
            x_label="confidence",
        ),
        "top": TOP,
        "bins": bins,
    }


def _bar(number: int, count: int, confidence: float, accuracy: float) -> dict[str, Any]:
    """Lay out accuracy as a bar, and its distance from the confidence as another one."""
    low, high = sorted((confidence, accuracy))
    return {
        "x": round(X_AXIS.at(number / NUM_BINS) + 1, 1),
        "width": round(SIZE / NUM_BINS - 2, 1),
        "y": Y_AXIS.at(accuracy),
        "height": round(SIZE * accuracy, 1),
        "gap_y": Y_AXIS.at(high),
        "gap_height": round(SIZE * (high - low), 1),
        "kind": "over" if confidence > accuracy else "under",
        "range": f"{number / NUM_BINS:.2f} to {(number + 1) / NUM_BINS:.2f}",
        "count": wording.count(count),
        "confidence": wording.percent(confidence),
        "accuracy": wording.percent(accuracy),
    }
