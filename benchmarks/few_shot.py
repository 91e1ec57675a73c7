"""Numbers that others published for all-MiniLM-L6-v2 and eight examples of a class, beside ours.

    python benchmarks/few_shot.py SHARED RESULTS [--case NAME …] [--draw N …]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. A draw is eight rows of each
class; the rows of test are the same for all. Every default is kept. `contrastive` has 24 other rows
to validate on, of test and not scored, by which nothing but a temperature is chosen: so it trains
once, as SetFit does, and not once more for each fold. Every run is a line of the file RESULTS; what
is there already is not run again. Prints accuracy on test in per cent: what is published, the mean
with its deviation over draws, the lowest and the highest of them, and CPU seconds of a draw.
"""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import defaults_data as data_sets
from bare_recipe import BARE, measure
from spread import mean_and_deviation
from sweep import Sweep

MINILM = "all-MiniLM-L6-v2"
NUM_VALIDATION = 24
DRAWS = range(1, 11)


class Case(NamedTuple):
    """What is run, and what was published of it.

    Attributes:
        validates: whether rows of test, which are then not scored, stand in for folds.
    """

    data: str
    strategy: str
    published: str
    test_rows: int | None
    validates: bool


CASES = {
    "AG News": Case("ag_news_small", "contrastive", "83.1 ± 2.4 (SetFit)", 1024, True),
    "Banking77": Case("banking77", "linear_probe", "80.0 (78.9 to 81.3, MTEB)", None, False),
}


def run(shared: Path, case: str, draw: int) -> Iterator[dict[str, Any]]:
    """Train on one draw, and score."""
    what = CASES[case]
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        data_sets.write_draw(shared, what.data, "8", draw, what.test_rows, rows)
        if what.validates:
            set_aside(rows, NUM_VALIDATION)
        started = time.process_time()
        metrics = measure(
            {
                **BARE,
                "task": data_sets.DATA[what.data].task,
                "model": str(shared / "checkpoints" / MINILM),
                "data": {"source": "files", "path": str(rows)},
                "strategy": what.strategy,
                "training": {"output_dir": folder, "seed": draw},
            }
        )
    cost = {"cpu": round(time.process_time() - started, 1)}
    yield {"case": case, "draw": draw, "accuracy": metrics["test"]["accuracy"], **cost}


def set_aside(folder: Path, count: int) -> None:
    """Move the first rows of test to a split to validate on."""
    test = data_sets.table(folder / "test.parquet")
    test.select(range(count)).to_parquet(str(folder / "validation.parquet"))
    test.select(range(count, len(test))).to_parquet(str(folder / "test.parquet"))


def table(results: list[dict[str, Any]]) -> str:
    """Format a row for each case."""
    lines = [
        "| | published | draws | mean | lowest - highest | CPU seconds |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name, case in CASES.items():
        mine = [line for line in results if line["case"] == name]
        if not mine:
            continue
        scores = [100 * line["accuracy"] for line in mine]
        cells = [
            f"{name}, `{case.strategy}`",
            case.published,
            str(len(scores)),
            mean_and_deviation(scores),
            f"{min(scores):.1f} - {max(scores):.1f}",
            f"{fmean(line['cpu'] for line in mine):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, case=CASES, draw=DRAWS)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()
