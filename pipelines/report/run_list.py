"""Run folders below a root: found, filtered, sorted, and as a table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines.core.console import duration, printable
from pipelines.core.errors import RunError, suggest
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_paths import COMPARISON
from pipelines.report.run_row import RunRow, read
from pipelines.report.tables import align

MAX_DEPTH = 6  # folders below the root; runs are two below it
HEADER = ("run", "task", "checkpoint", "strategy", "metric", "validation", "test", "time", "state")
UNKNOWN = "-"

# the name of a column -> what rows are sorted by; None: unknown, which comes last
SORTS: dict[str, Callable[[RunRow], Any]] = {
    "run": lambda row: None,  # they are found in this order
    "task": lambda row: row.task or None,
    "checkpoint": lambda row: row.checkpoint or None,
    "strategy": lambda row: row.strategy or None,
    "metric": lambda row: row.metric or None,
    "validation": lambda row: _rank(row, row.validation),
    "test": lambda row: _rank(row, row.test),
    "time": lambda row: row.seconds,
    "date": lambda row: row.date or None,
    "state": lambda row: row.state,
}


def find(root: Path) -> list[RunRow]:
    """Read every run below a folder, by recipe and number; links are not followed.

    Runs of a comparison are listed where the root is, or lies in, its folder.

    Raises:
        RunError: there is no such folder, or it cannot be read.
    """
    if not root.is_dir():
        raise RunError(f"{root}: no such folder; runs are written to runs/ (training.output_dir)")
    if RunFolder(root).lock.is_file():
        return [read(root)]
    return [read(path) for path in _runs(root, MAX_DEPTH)]


def comparisons(root: Path) -> list[Path]:
    """List the folders of comparisons below a folder, whose runs are not listed there."""
    if (root / COMPARISON).is_file() or RunFolder(root).lock.is_file():
        return []
    return [*_comparisons(root, MAX_DEPTH)]


def _comparisons(folder: Path, depth: int) -> Iterator[Path]:
    for path in _subfolders(folder):
        if (path / COMPARISON).is_file():
            yield path
        elif depth and not RunFolder(path).lock.is_file():
            yield from _comparisons(path, depth - 1)


def _runs(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the run folders below a folder, and numbered ones that hold nothing of a run."""
    for path in _subfolders(folder):
        if RunFolder(path).lock.is_file():
            yield path
            continue
        if (path / COMPARISON).is_file():
            continue
        below = [*_runs(path, depth - 1)] if depth else []
        yield from below
        # a run that was stopped at once, or something foreign: its number is taken
        if not below and path.name.isdecimal():
            yield path


def _subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder, numbers by their size; links are left out."""
    try:
        entries = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise RunError(f"{folder}: cannot be read ({error.strerror or error})") from None
    return sorted(entries, key=lambda path: (int(path.name) if _is_number(path) else 0, path.name))


def _is_number(path: Path) -> bool:
    # int() refuses numbers of thousands of digits
    return path.name.isdecimal() and len(path.name) < 20


def select(rows: Iterable[RunRow], **wanted: str | None) -> list[RunRow]:
    """Select the rows with these values, such as `task="text_classification"`.

    Raises:
        RunError: no run has one of them; says which there are.
    """
    selected = [*rows]
    for name, word in wanted.items():
        if word is None:
            continue
        known = {getattr(row, name) for row in selected} - {""}
        if word not in known:
            raise RunError(f"--{name} {printable(word)}: no run has it; {suggest(word, known)}")
        selected = [row for row in selected if getattr(row, name) == word]
    return selected


def order(rows: Sequence[RunRow], key: str) -> list[RunRow]:
    """Sort rows by a column: scores with the best first, what is unknown last.

    Raises:
        RunError: there is no such column.
    """
    if key not in SORTS:
        raise RunError(f"--sort {printable(key)}: unknown column; {suggest(key, SORTS)}")
    values = [SORTS[key](row) for row in rows]
    known = [(value, number) for number, value in enumerate(values) if value is not None]
    unknown = [row for row, value in zip(rows, values, strict=True) if value is None]
    return [*(rows[number] for _, number in sorted(known)), *unknown]


def best(rows: Iterable[RunRow]) -> list[RunRow]:
    """Select the best run of each recipe by validation, the first of equals; test never chooses."""
    chosen: dict[tuple[Path, str], RunRow] = {}
    for row in rows:
        rank = _rank(row, row.validation)
        if row.state != "done" or rank is None:
            continue
        group = (row.recipe, row.metric)
        before = chosen.get(group)
        if before is None or rank < _rank(before, before.validation):
            chosen[group] = row
    return [*chosen.values()]


def _rank(row: RunRow, score: float | None) -> Any:
    """Return what is less for a better score; None where there is none."""
    return None if score is None else -score if row.greater_is_better else score


def lines(rows: Sequence[RunRow], compared: Sequence[Path] = ()) -> Iterator[str]:
    """Yield a table, and a line for each folder that cannot be read, or is a comparison."""
    readable = [row for row in rows if row.state != "broken"]
    if readable:
        cells = [[*HEADER], *map(_cells, readable)]
        if any(row.comparison for row in readable):
            names = (printable(row.comparison or UNKNOWN) for row in readable)
            pairs = zip(cells, ["comparison", *names], strict=True)
            cells = [[*each, name] for each, name in pairs]
        yield from map(str.rstrip, align(cells))
    for row in rows:
        if row.state == "broken":
            yield f"{printable(row.path.as_posix())}: {row.problem}"
    for path in map(Path.as_posix, compared):
        shown = printable(path)
        yield f"{shown}: a comparison (graft runs {shown} lists its runs)"
    if not rows and not compared:
        yield "no runs"


def _cells(row: RunRow) -> list[str]:
    test = _score(row.test)
    if row.interval and row.test is not None:
        low, high = row.interval
        test += f" ({low:.4f} to {high:.4f})"
    return [
        printable(row.path.as_posix()),
        row.task or UNKNOWN,
        row.checkpoint or UNKNOWN,
        row.strategy or UNKNOWN,
        row.metric or UNKNOWN,
        _score(row.validation),
        test,
        UNKNOWN if row.seconds is None else duration(row.seconds),
        row.state,
    ]


def _score(score: float | None) -> str:
    return UNKNOWN if score is None else f"{score:.4f}"
