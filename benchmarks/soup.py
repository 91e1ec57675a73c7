"""A soup beside its ingredients: is the mean of several runs at least as good as the best of them?

    python benchmarks/soup.py SHARED RESULTS [--case NAME …] [--draw N …]

`SHARED` holds `data/<name>/<split>.parquet` and `checkpoints/<name>/`. A draw is 32 rows of each
class to train on; 200 rows validate, and others are scored. `lp_ft` trains from the same solved
head with three seeds: each by itself, and as `averaging.soup`, where validation decides what is
mixed (2203.05482). Every run is a line of the file RESULTS; what is there already is not run again.
Prints accuracy on test in per cent, mean and deviation over draws: the mean of the ingredients, the
one that validation would choose, the best one by test, the soup, and the difference of the soup to
what validation would choose, paired by draw.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import defaults_data as data_sets
from bare_recipe import LAST, measure
from few_shot import set_aside
from spread import mean_and_deviation
from sweep import Sweep
from transfer import RESNET

SEEDS = (1, 2, 3)
DRAWS = (1, 2, 3, 4, 5)
SOUP = "soup"
NUM_VALIDATION, NUM_TEST = 200, 1000
# data set -> the checkpoint, of SHARED where it is a name, and more of the section of the model
CASES: dict[str, dict[str, Any]] = {
    "usps_small": {"checkpoint": RESNET},
    "flowers5_128px": {"checkpoint": "mobilenetv2_100-in1k", "image_size": 96},
    "sst2": {"checkpoint": "all-MiniLM-L6-v2"},
}


def run(shared: Path, case: str, draw: int) -> Iterator[dict[str, Any]]:
    """Train the ingredients, and the soup, on one draw."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        data_sets.write_draw(shared, case, "32", draw, NUM_VALIDATION + NUM_TEST, rows)
        set_aside(rows, NUM_VALIDATION)
        for arm in (*SEEDS, SOUP):
            metrics = measure(recipe_of(shared, case, rows, arm))
            scores = {split: metrics[split]["accuracy"] for split in ("validation", "test")}
            yield {"case": case, "draw": draw, "arm": arm, **scores}


def recipe_of(shared: Path, case: str, rows: Path, arm: int | str) -> dict[str, Any]:
    """Return the recipe of an ingredient, by its seed, or of the soup."""
    model = {**CASES[case], "checkpoint": str(shared / "checkpoints" / CASES[case]["checkpoint"])}
    seed = SEEDS[0] if arm == SOUP else arm
    return {
        **LAST,
        "task": data_sets.DATA[case].task,
        "model": model,
        "data": {"source": "files", "path": str(rows)},
        "strategy": "lp_ft",
        "averaging": {"soup": {"seed": [*SEEDS]}} if arm == SOUP else {},
        "training": {"output_dir": str(rows.parent), "seed": seed},
    }


def table(results: list[dict[str, Any]]) -> str:
    """Format a row for each case."""
    draws: dict[tuple[str, int], dict[Any, dict[str, float]]] = defaultdict(dict)
    for line in results:
        scores = {split: 100 * line[split] for split in ("validation", "test")}
        draws[line["case"], line["draw"]][line["arm"]] = scores
    lines = [
        "| | draws | ingredients | chosen by validation | best by test | soup | difference |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for case in CASES:
        rows = [_row(arms) for (name, _), arms in draws.items() if name == case]
        if rows:
            cells = [mean_and_deviation([*column]) for column in zip(*rows, strict=True)]
            lines.append(f"| {case} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _row(arms: dict[Any, dict[str, float]]) -> tuple[float, ...]:
    """Return the numbers of one draw."""
    ingredients = [scores for arm, scores in arms.items() if arm != SOUP]
    tests = [scores["test"] for scores in ingredients]
    chosen = max(ingredients, key=lambda scores: scores["validation"])["test"]
    soup = arms[SOUP]["test"]
    return fmean(tests), chosen, max(tests), soup, soup - chosen


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, case=CASES, draw=DRAWS)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()
