"""Which rows of the predictions a report shows: the surest mistakes, and some of each confusion."""

from collections.abc import Iterator

import numpy as np

from pipelines.report.page.run_files import RunFiles

MAX_MISTAKES = 24
MAX_MISTAKES_OF_CELL, MAX_RIGHT_OF_CELL = 12, 3
MAX_ROWS_OF_CELLS = 480
Cell = tuple[str, str]  # label, prediction


def mistakes(files: RunFiles) -> list[int]:
    """Return positions of wrong rows, the surest first; without right and wrong, the worst."""
    table = files.table
    if table is None:
        return []
    correct, confidence, loss = map(table.numbers, ("correct", "confidence", "loss"))
    if correct is None:
        top_losses = files.evidence.get("top_losses") or []
        worst = [row for row in top_losses if isinstance(row, int) and 0 <= row < len(table)]
        return worst[:MAX_MISTAKES] or _largest(loss, np.arange(len(table)))
    wrong = np.flatnonzero(correct == 0)
    ranking = loss if confidence is None else confidence
    return wrong[:MAX_MISTAKES].tolist() if ranking is None else _largest(ranking, wrong)


def cells(files: RunFiles) -> dict[Cell, list[int]]:
    """Return positions of rows for pairs of label and prediction: frequent confusions first.

    Mistakes go before right rows, so that those are left out where there are too many.
    """
    classes = files.table.classes() if files.table else None
    if classes is None:
        return {}
    label, predicted, names = classes
    is_valid = (label >= 0) & (predicted >= 0)
    pairs = np.where(is_valid, label.astype(np.int64) * len(names) + predicted, -1)
    values, counts = np.unique(pairs[is_valid], return_counts=True)
    is_right = values // max(1, len(names)) == values % max(1, len(names))
    shown: dict[Cell, list[int]] = {}
    budget = MAX_ROWS_OF_CELLS
    for number in np.lexsort((-counts, is_right)):
        limit = MAX_RIGHT_OF_CELL if is_right[number] else MAX_MISTAKES_OF_CELL
        rows = np.flatnonzero(pairs == values[number])[: min(limit, budget)].tolist()
        if not rows:
            break
        budget -= len(rows)
        row, column = divmod(int(values[number]), len(names))
        shown[names[row], names[column]] = rows
    return shown


def all_rows(files: RunFiles) -> Iterator[int]:
    """Yield the positions of all rows that are shown, the first one first, each once."""
    of_cells = (row for rows in cells(files).values() for row in rows)
    yield from dict.fromkeys((*mistakes(files), *of_cells))


def _largest(values: np.ndarray | None, positions: np.ndarray) -> list[int]:
    if values is None:
        return []
    ranked = np.nan_to_num(values[positions], nan=-np.inf)
    return positions[np.argsort(-ranked, kind="stable")[:MAX_MISTAKES]].tolist()
