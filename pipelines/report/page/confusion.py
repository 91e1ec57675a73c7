"""Which classes are taken for which: a matrix whose cells show their rows.

Of many classes the pairs that are confused most often stand in a table instead.
"""

from collections.abc import Iterator
from itertools import islice
from math import ceil, sqrt
from typing import Any

from pipelines.report.page import example_rows, shown_rows, wording
from pipelines.report.page.media import Media
from pipelines.report.page.run_files import RunFiles
from pipelines.report.page.shown_rows import Cell

TITLE = "Confusion"
MAX_CLASSES, MAX_PAIRS = 30, 40
NUM_LEVELS = 10  # of shading
MAX_CHARACTERS = 240
MAX_BYTES = 1_200_000  # of pictures and clips


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return a matrix, or a table of pairs, and the rows behind each cell."""
    confusion = files.evidence.get("confusion")
    if not confusion:
        return None
    labels, counts = [str(name) for name in confusion["labels"]], confusion["counts"]
    is_matrix = len(labels) <= MAX_CLASSES
    pairs = [] if is_matrix else [*_pairs(labels, counts)]
    cells = shown_rows.cells(files)
    if not is_matrix:
        cells = {pair: cells[pair] for pair, _, _ in pairs[:MAX_PAIRS] if pair in cells}
    anchors = {pair: f"cell-{number}" for number, pair in enumerate(cells)}
    return {
        "split": files.split_name,
        "labels": [wording.plain(name, 40) for name in labels] if is_matrix else [],
        "matrix": _matrix(labels, counts, anchors) if is_matrix else [],
        "num_classes": len(labels),
        "pairs": [_pair(*pair, anchors) for pair in pairs[:MAX_PAIRS]],
        "num_more_pairs": max(0, len(pairs) - MAX_PAIRS),
        "panels": [*_panels(files, cells, anchors)],
    }


def _panels(
    files: RunFiles, cells: dict[Cell, list[int]], anchors: dict[Cell, str]
) -> Iterator[dict[str, Any]]:
    """Read the rows of all cells at once, since each reading goes through the file."""
    if files.table is None:
        return
    media = Media(files.folder, files.split, MAX_BYTES)
    positions = [row for rows in cells.values() for row in rows]
    shown = iter(example_rows.read(files.table, positions, media, MAX_CHARACTERS))
    for pair, rows in cells.items():
        label, predicted = (wording.plain(name, 60) for name in pair)
        yield {
            "anchor": anchors[pair],
            "label": label,
            "prediction": predicted,
            "rows": [*islice(shown, len(rows))],
        }


def _matrix(
    labels: list[str], counts: list[list[int]], anchors: dict[Cell, str]
) -> list[dict[str, Any]]:
    return [
        {
            "name": wording.plain(label, 40),
            "cells": [*_row(label, labels, row, anchors)],
            "total": wording.count(sum(row)),
        }
        for label, row in zip(labels, counts, strict=True)
    ]


def _row(
    label: str, labels: list[str], row: list[int], anchors: dict[Cell, str]
) -> Iterator[dict[str, Any]]:
    """Yield the cells of a label, shaded by their share of its rows."""
    total = max(1, sum(row))
    for predicted, number in zip(labels, row, strict=True):
        yield {
            "count": wording.count(number),
            # by the root, so that rare confusions are seen, too
            "level": ceil((NUM_LEVELS - 1) * sqrt(number / total)),
            "is_right": label == predicted,
            "anchor": anchors.get((label, predicted), "") if number else "",
            "words": f"{number:,} labeled {wording.plain(label, 40)}, predicted "
            f"{wording.plain(predicted, 40)}",
        }


def _pairs(labels: list[str], counts: list[list[int]]) -> Iterator[tuple[Cell, int, float]]:
    """Yield each pair of classes, how often it is confused, and the share of the label's rows."""
    numbers = {
        (row, column): count
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    }
    for row, column in sorted(numbers, key=lambda pair: (-numbers[pair], pair)):
        count = numbers[row, column]
        yield (labels[row], labels[column]), count, count / sum(counts[row])


def _pair(pair: Cell, count: int, share: float, anchors: dict[Cell, str]) -> dict[str, Any]:
    return {
        "label": wording.plain(pair[0], 60),
        "prediction": wording.plain(pair[1], 60),
        "count": wording.count(count),
        "share": wording.percent(share),
        "anchor": anchors.get(pair, ""),
    }
