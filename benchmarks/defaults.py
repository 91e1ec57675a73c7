"""Every default, and no validation file: Graft beside what others get from the same rows.

    python benchmarks/defaults.py SHARED RESULTS [--data NAME …] [--arms NAME …] [--sizes 8 …]
        [--draws 1 …] [--test-rows N] [--minutes 10] [--environments FOLDER] [--table]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. A run is an arm on a draw of
a data set: a new process in an empty folder with empty caches, Graft by its command line with five
lines of recipe. It is a line of RESULTS, and what is there already is not run again: a killed
benchmark goes on. Remove a line to run it once more.

Prints the task's metric in per cent, with the deviation over draws; expected calibration error;
seconds of the whole process and CPU seconds; mean rank and regret; where `auto` is behind a peer;
what was not run. The halves of the data sets, those that decide settings and those that report, are
apart (`defaults_data.py`).
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import defaults_data as data_sets
import defaults_scores as scoring
import defaults_table as tables
from datasets import Dataset, Features, disable_progress_bars
from defaults_arms import ARMS, ROOT, Cell, NoResultError, misfit

Line = dict[str, Any]


def plan(parsed: argparse.Namespace) -> list[Line]:
    """List every run that the command line selects; those that cannot be have a `reason`."""
    runs = []
    for name in parsed.data:
        for size in (size for size in data_sets.sizes(parsed.shared, name) if size in parsed.sizes):
            for draw in (draw for draw in data_sets.draws(size) if draw in parsed.draws):
                key = {"data": name, "size": size, "draw": draw, "test_rows": parsed.test_rows}
                runs += [{**key, "arm": arm, **_reason(arm, name)} for arm in parsed.arms]
    return runs


def _reason(arm: str, name: str) -> dict[str, str]:
    reason = misfit(arm, name)
    return {"reason": reason} if reason else {}


def results(path: Path) -> list[Line]:
    """Read the lines of finished runs."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_all(
    parsed: argparse.Namespace,
    planned: list[Line],
    run: Callable[[Cell, str, Path], tuple[dict[str, Any], dict[str, float]]] = Cell.run,
) -> None:
    """Run what is lacking, one after the other, and append a line for each."""
    finished = {tables.key_of(line) for line in results(parsed.results)}
    todo = [
        line for line in planned if "reason" not in line and tables.key_of(line) not in finished
    ]
    with parsed.results.open("a", encoding="utf-8") as file:
        for _, lines in groupby(todo, key=lambda line: tables.key_of({**line, "arm": None})):
            for line in _run_cell(parsed, [*lines], run):
                file.write(json.dumps(line) + "\n")
                file.flush()
                print(json.dumps(line), flush=True)


def _run_cell(parsed: argparse.Namespace, lines: list[Line], run: Any) -> Iterator[Line]:
    """Draw the rows once and yield a finished line for each arm."""
    name = lines[0]["data"]
    data = data_sets.DATA[name]
    with tempfile.TemporaryDirectory() as temporary:
        rows = Path(temporary) / "rows"
        where = (parsed.shared, name, lines[0]["size"], lines[0]["draw"], parsed.test_rows, rows)
        num_rows = data_sets.write_draw(*where)
        test = data_sets.table(rows / "test.parquet")
        names = label_names(test.features, data.label)
        checkpoint = parsed.shared / "checkpoints" / str(data.checkpoint)
        cell = Cell(name, rows, checkpoint, names, parsed.environments, parsed.minutes)
        for line in lines:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    answer, cost = run(cell, line["arm"], Path(folder))
                except NoResultError as error:
                    yield {**line, "reason": str(error)}
                    continue
            yield {**line, "rows": num_rows, **cost, **_scored(test, answer, name, names)}


def _scored(test: Dataset, answer: dict[str, Any], name: str, names: Any) -> dict[str, Any]:
    """Score one arm's answer."""
    data = data_sets.DATA[name]
    targets, given = list(test[data.label]), answer["predictions"]
    chosen = {"strategy": answer["strategy"]} if "strategy" in answer else {}
    return {
        **chosen,
        "score": scoring.score(data.metric, targets, given, names),
        "ece": scoring.calibration_error(targets, given, answer["confidence"]),
    }


def label_names(features: Features, label: str) -> tuple[str, ...]:
    """Return the names of the classes, in the order of their numbers; of numbers, none."""
    feature = features[label]
    feature = getattr(feature, "feature", feature)
    return tuple(getattr(feature, "names", ()))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("shared", type=lambda text: Path(text).resolve())
    parser.add_argument("results", type=Path)
    every = (*data_sets.DECIDING, *data_sets.REPORTED)
    parser.add_argument("--data", nargs="+", choices=every, default=every)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--sizes", nargs="+", choices=data_sets.SIZES, default=data_sets.SIZES)
    draws = data_sets.DRAWS
    parser.add_argument("--draws", nargs="+", type=int, choices=draws, default=draws)
    parser.add_argument("--test-rows", type=int, help="at most so many rows of test")
    parser.add_argument("--minutes", type=float, default=10, help="a run is ended after so many")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--table", action="store_true", help="run nothing, print the tables")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run what is lacking and print the tables."""
    parsed = parse(arguments)
    planned = plan(parsed)
    if not parsed.table:
        disable_progress_bars()
        run_all(parsed, planned)
    print("\n".join(tables.report(results(parsed.results), planned)))


if __name__ == "__main__":
    main()
