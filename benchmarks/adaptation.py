"""Adaptation to an unlabeled target beside training on the source alone.

    python benchmarks/adaptation.py SHARED RESULTS [--pair NAME …] [--arm NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Every run is a line of the file
RESULTS; what is there already is not run again. Then prints a table: accuracy on the target in per
cent, mean and deviation over seeds, whose labels nothing but this score has seen. The last
checkpoint counts, and nothing is chosen by the target. The oracle is what labels of the target
would be worth: the same training on as many of its rows, scored on others.

Texts: MiniLM, `full`, `lora` or frozen, 1,000 reviews of one kind of product, of at most 64 tokens,
90 steps of 16. Digits: a ResNet of four convolutions from scratch, 1,000 steps of 32. Sounds: a
small AST from scratch, spoken digits of five people, 1,000 steps of 32; the sixth is the target.
Pictures: MobileNetV2 at 64 pixels, `full`, 1,000 of CIFAR-10, 90 steps of 16; the target are 1,000
others whose colors are dealt out anew.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import adaptation_tables as tables
from adaptation_pairs import FROZEN, MOBILENET, PAIRS, SOUND, data_of
from bare_recipe import LAST, measure
from spread import mean_and_deviation
from sweep import Sweep

METHODS = ("deep_coral", "mmd", "mcc", "dann", "cdan")
SOURCE_ONLY, ORACLE = "source only", "target oracle"
# an arm that is augmented trains on other views of the source's pictures
ARMS = (SOURCE_ONLY, *METHODS, "source only, augmented", "deep_coral, augmented", ORACLE)
AUGMENTATION = {"policy": "rand_augment", "erasing": 0.5}
SEEDS = (1, 2, 3)


def labeled(shared: Path, section: dict[str, Any], test: float | None = None) -> dict[str, Any]:
    """Return a section of data that is trained on; `test`: a share, where it has no such split."""
    data = data_of(shared, section)
    splits, limit = data.get("splits", {}), data.get("limit", {})
    if test is not None:
        test = splits.get("test", test)
    data["splits"] = {**splits, "validation": 0.1, "test": test}
    data["limit"] = {"train": 1000, "validation": 100, **limit}
    return data


def recipe_of(shared: Path, pair: str, arm: str, seed: int, runs: Path) -> dict[str, Any]:
    """Return the recipe of one run."""
    sections, checkpoint, training, source, target, write = PAIRS[pair]
    if write:
        write(shared / "data", runs)
        source, target = ({**each, "path": str(runs / each["path"])} for each in (source, target))
    method, _, augmented = arm.partition(", ")
    data = labeled(shared, source)
    if arm == ORACLE:
        data = labeled(shared, target, test=0.4)
    else:
        data["target"] = data_of(shared, target)
    return {
        **LAST,
        **sections,
        "name": "benchmark",
        "model": model_of(shared, sections, checkpoint, runs),
        "data": data,
        "adaptation": method if method in METHODS else None,
        "augmentation": AUGMENTATION if augmented else None,
        "training": {**training, "seed": seed, "eval_strategy": "no", "output_dir": str(runs)},
    }


def model_of(
    shared: Path, sections: dict[str, Any], checkpoint: str | None, runs: Path
) -> dict[str, Any]:
    """Return the section of the model."""
    if checkpoint is None:
        make = tables.small_ast if sections is SOUND else tables.resnet
        return {"checkpoint": str(make(runs / "network"))}
    size = {"image_size": 64} if checkpoint == MOBILENET else {}
    return {"checkpoint": str(shared / "checkpoints" / checkpoint), **size}


def run(shared: Path, pair: str, arm: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train and score once; with a frozen encoder, what has no term of the loss."""
    if PAIRS[pair].sections.get("strategy") == FROZEN and arm not in (SOURCE_ONLY, ORACLE):
        return
    with tempfile.TemporaryDirectory() as folder:
        metrics = measure(recipe_of(shared, pair, arm, seed, Path(folder)))
    scored = metrics["test" if arm == ORACLE else "target"]
    scores = {"validation": metrics["validation"]["accuracy"], "target": scored["accuracy"]}
    yield {"pair": pair, "arm": arm, "seed": seed, **scores}


def table(results: list[dict[str, Any]]) -> str:
    """Format mean and deviation over seeds, and what each method adds to the source alone.

    The last row has the differences of all runs, each paired with that of its pair and seed, and
    how many are above 0.
    """
    scores = {(r["pair"], r["arm"], r["seed"]): 100 * r["target"] for r in results}
    arms = [arm for arm in ARMS if any(arm == key[1] for key in scores)]
    lines = [f"| | {' | '.join(arms)} |", f"|---{'|--:' * len(arms)}|"]
    for pair in PAIRS:
        cells = [[s for (p, a, _), s in scores.items() if (p, a) == (pair, arm)] for arm in arms]
        if any(cells):
            lines.append(f"| {pair} | {' | '.join(map(mean_and_deviation, cells))} |")
    sums = []
    for arm in arms[1:]:
        pairs = {(p, ARMS[0], n): s for (p, a, n), s in scores.items() if a == arm}
        gains = [score - scores[key] for key, score in pairs.items() if key in scores]
        sums.append(
            f"{mean_and_deviation(gains)}, {sum(gain > 0 for gain in gains)} of {len(gains)}"
        )
    return "\n".join([*lines, f"| difference | | {' | '.join(sums)} |"])


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, pair=PAIRS, arm=ARMS)
    print(table(sweep.complete(partial(run, sweep.shared))))


if __name__ == "__main__":
    main()
