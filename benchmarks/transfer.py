"""What a checkpoint is worth beside random weights: paired differences over seeds, with a verdict.

    python benchmarks/transfer.py SHARED RESULTS [--case NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Each pair of runs is a line of the
file RESULTS; what is there already is not run again. Prints a table: the main score on validation
in per cent with pretrained weights and with random ones, the mean of the paired difference with
its interval of 95 %, and the verdict.

Two checkpoints are trained on the wrong thing first: pictures of MNIST, and texts of AG News, with
labels that are dealt out at random. The digits are USPS's, 300 of train and 1,000 of its other
file; the sentences SST-2's, 1,000 of train and 500 to validate on. All defaults are kept.
"""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import bare_recipe
from bare_recipe import BARE, LAST
from sweep import Sweep

SEEDS = (1, 2, 3, 4, 5)
RESNET = Path(__file__).parent.parent / "recipes" / "embedded" / "letters_resnet"
MINILM = "all-MiniLM-L6-v2"
TEXT = {"name": "text_classification", "max_length": 64}
# the data of a target, of which `validation` scores
TARGETS: dict[str, dict[str, Any]] = {
    "usps": {
        "path": "usps_small",
        "splits": {"train": "train.parquet", "validation": "test.parquet", "test": None},
        "limit": {"train": 300, "validation": 1000},
    },
    "sst2": {
        "path": "sst2",
        "columns": {"text": "sentence"},
        "splits": {"train": "train.parquet", "validation": "validation.parquet", "test": None},
        "limit": {"train": 1000, "validation": 500},
    },
}
# checkpoint, target, strategy
CASES: dict[str, tuple[str, str, str]] = {
    "letters": ("letters", "usps", "full"),
    "letters, probe": ("letters", "usps", "linear_probe"),
    "shuffled digits": ("shuffled digits", "usps", "full"),
    "shuffled digits, probe": ("shuffled digits", "usps", "linear_probe"),
    "MiniLM": (MINILM, "sst2", "full"),
    "shuffled news": ("shuffled news", "sst2", "full"),
    "shuffled news, probe": ("shuffled news", "sst2", "linear_probe"),
}


@cache
def checkpoint(shared: Path, name: str, work: Path) -> Path:
    """Return the folder of a checkpoint; one with shuffled labels is trained."""
    if name == "letters":
        return RESNET
    if name == MINILM:
        return shared / "checkpoints" / MINILM
    if name == "shuffled digits":
        rows = _shuffled(shared / "data" / "mnist_t10k" / "test.parquet", 2000, work / name)
        training = {"num_train_epochs": 10, "learning_rate": 2e-3}
        return _train("image_classification", RESNET, rows, "scratch", training, work)
    rows = _shuffled(shared / "data" / "ag_news_small" / "train.parquet", 1000, work / name)
    start = shared / "checkpoints" / MINILM
    training = {"num_train_epochs": 8, "learning_rate": 3e-4}
    return _train(TEXT, start, rows, "full", training, work)


def _shuffled(source: Path, num_rows: int, folder: Path) -> Path:
    """Write rows with the labels of others."""
    import numpy as np
    from datasets import load_dataset

    folder.mkdir(parents=True, exist_ok=True)
    rows = load_dataset("parquet", data_files=str(source), split="train").shuffle(seed=0)
    rows = rows.select(range(min(num_rows, len(rows))))
    dealt = np.random.default_rng(0).permutation(rows["label"][:]).tolist()
    feature = rows.features["label"]
    rows.remove_columns("label").add_column("label", dealt, feature=feature).to_parquet(
        folder / "train.parquet"
    )
    return folder


def _train(
    task: Any, model: Path, rows: Path, strategy: str, training: dict[str, Any], work: Path
) -> Path:
    """Train on all of these rows and return the model's folder."""
    values = {
        **LAST,
        "name": "wrong",
        "task": task,
        "model": str(model),
        "data": {"source": "files", "path": str(rows), "splits": {"validation": 0.1, "test": None}},
        "strategy": strategy,
        "training": {**training, "output_dir": str(work), "seed": 0, "eval_strategy": "no"},
    }
    return Path(shutil.move(bare_recipe.run(values).model, work / f"{rows.name} model"))


def run(shared: Path, work: Path, case: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train and score both with one seed."""
    from pipelines import recipe
    from pipelines.workflow import transfer

    name, target, strategy = CASES[case]
    data = TARGETS[target]
    values = {
        **BARE,
        "task": TEXT if target == "sst2" else "image_classification",
        "model": str(checkpoint(shared, name, work)),
        "data": {"source": "files", **data, "path": str(shared / "data" / data["path"])},
        "strategy": strategy,
        "calibration": None,
    }
    measured = transfer.measure(recipe.Recipe.from_dict(values), seed, work)
    pair = vars(measured.pairs[0])
    yield {"case": case, "rows": measured.num_rows, "budget": measured.budget, **pair}


def table(results: list[dict[str, Any]]) -> str:
    """Format what each case gave."""
    lines = ["| checkpoint, strategy | target | pretrained | scratch | difference | verdict |"]
    lines += ["|---|---|---:|---:|---:|---|"]
    for case, (name, target, strategy) in CASES.items():
        chosen = [result for result in results if result["case"] == case]
        if len(chosen) > 1:
            lines.append(f"| {name}, `{strategy}` | {target} | {_cells(chosen)} |")
    return "\n".join(lines)


def _cells(results: list[dict[str, Any]]) -> str:
    from pipelines.evaluation.transfer import ScorePair, Transfer

    fields = ("seed", "pretrained", "scratch", "baseline")
    pairs = tuple(ScorePair(**{field: each[field] for field in fields}) for each in results)
    measured = Transfer("", "", "accuracy", True, results[0]["rows"], "", pairs)
    low, high = (100 * bound for bound in measured.difference.interval)
    means = [f"{100 * measured.mean(name):.1f}" for name in ("pretrained", "scratch")]
    difference = f"{100 * measured.difference.mean:+.1f} ({low:+.1f} to {high:+.1f})"
    return " | ".join([*means, difference, measured.verdict])


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, case=CASES, seed=SEEDS)
    with tempfile.TemporaryDirectory() as work:
        results = sweep.complete(partial(run, sweep.shared, Path(work)))
    print(table(results))


if __name__ == "__main__":
    main()
