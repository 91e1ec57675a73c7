"""Adaptation after training: what `adabn` and `tent` gain on a target, and cost on the source.

    python benchmarks/after_training.py SHARED RESULTS [--pair NAME …] [--seed N …]

`SHARED` holds `data/<name>/…parquet` and `checkpoints/<name>/`. Each seed trains once on the source
alone; copies of that model are adapted, so that arms differ by nothing else. Every arm is a line of
the file RESULTS; a pair and seed that are there already are not run again. Then prints a table:
accuracy on target and validation in per cent, mean and deviation over seeds, and the difference to
the model as it was trained, paired by seed. The last checkpoint counts, and nothing is chosen by
the target, whose labels nothing but this score has seen.

Digits: a ResNet of four convolutions from scratch, and MobileNetV2 from ImageNet, at 64 pixels.
Corruptions: MobileNetV2 on 1,000 pictures of CIFAR-10; targets are 400 others under one kind of
corruption each, of severity 3. Reviews: MiniLM, 1,000 reviews of books.
"""

import copy
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from adaptation_pairs import (
    DIGITS,
    FULL,
    IMAGE,
    MINILM,
    MNIST,
    MOBILENET,
    PICTURES,
    REVIEWS,
    TEXT,
    USPS,
    data_of,
    reviews,
)
from adaptation_tables import resnet
from bare_recipe import LAST
from spread import mean_and_deviation
from sweep import Sweep

ARMS = ("source only", "adabn", "tent")
SEEDS = (1, 2, 3)
CIFAR = {"path": "cifar10_small", "splits": {"train": "train.parquet"}}
KINDS = ("gaussian_noise", "defocus_blur", "contrast", "jpeg")  # of noise, blur, light, compression
SEVERITY, ROWS_OF_A_KIND = 3, 400
FEW_MNIST = {**MNIST, "limit": {"train": 1000}}
Pair = tuple[dict[str, Any], str, dict[str, Any], dict[str, Any], dict[str, Any] | None]
# sections, checkpoint, training, source, target; None: pictures that are corrupted
PAIRS: dict[str, Pair] = {
    "usps to mnist": (IMAGE, "", DIGITS, USPS, FEW_MNIST),
    "mnist to usps": (IMAGE, "", DIGITS, FEW_MNIST, USPS),
    "usps to mnist, MobileNetV2": (FULL, MOBILENET, PICTURES, USPS, FEW_MNIST),
    "mnist to usps, MobileNetV2": (FULL, MOBILENET, PICTURES, FEW_MNIST, USPS),
    "cifar10 to corrupted, MobileNetV2": (FULL, MOBILENET, PICTURES, CIFAR, None),
    "books to kitchen, MiniLM": (TEXT, MINILM, REVIEWS, reviews("books"), reviews("kitchen")),
}


def recipe_of(shared: Path, pair: str, seed: int, work: Path) -> dict[str, Any]:
    """Return the recipe of the training that all arms have in common."""
    sections, name, training, source, target = PAIRS[pair]
    data = data_of(shared, source)
    data["splits"] = {**data.get("splits", {}), "validation": 0.1, "test": None}
    data["limit"] = {"train": 1000, "validation": 100, **data.get("limit", {})}
    model: dict[str, Any] = {"checkpoint": str(resnet(work / "resnet"))}
    if name:
        model = {"checkpoint": str(shared / "checkpoints" / name)}
    if name == MOBILENET:
        model["image_size"] = 64
    other = data_of(shared, target) if target else {"source": "files", "path": str(work / "target")}
    return {
        **LAST,
        **sections,
        "name": "benchmark",
        "model": model,
        "data": {**data, "target": other},
        "training": {**training, "seed": seed, "eval_strategy": "no", "output_dir": str(work)},
    }


def write_corrupted(shared: Path, folder: Path, seed: int) -> None:
    """Write pictures of the test split, a block for each kind of corruption."""
    import numpy as np
    from datasets import Image, concatenate_datasets, load_dataset
    from torchvision.transforms.v2.functional import pil_to_tensor

    from pipelines.evaluation import corruptions

    file = str(shared / "data" / "cifar10_small" / "test.parquet")
    rows = load_dataset("parquet", data_files=file, split="train").cast_column("image", Image())
    drawn = np.random.default_rng(seed).permutation(len(rows))[: ROWS_OF_A_KIND * len(KINDS)]
    family, blocks = corruptions.of_modality("image"), []
    for number, kind in enumerate(KINDS):
        first = number * ROWS_OF_A_KIND
        block = rows.select(drawn[first : first + ROWS_OF_A_KIND])
        contents = [pil_to_tensor(picture.convert("RGB")) for picture in block["image"]]
        blocks.append(family.write(block, family.corrupt(contents, kind, SEVERITY, seed)))
    folder.mkdir()
    concatenate_datasets(blocks).to_parquet(folder / "train.parquet")


def run(shared: Path, pair: str, seed: int) -> Iterator[dict[str, Any]]:
    """Train once, and score every arm."""
    from pipelines.recipe import Recipe
    from pipelines.training.row_subset import RowSubset
    from pipelines.workflow.prepare import prepare
    from pipelines.workflow.train import job_of, train

    with tempfile.TemporaryDirectory() as folder:
        is_corrupted = PAIRS[pair][-1] is None
        if is_corrupted:
            write_corrupted(shared, Path(folder) / "target", seed)
        prepared = prepare(Recipe.from_dict(recipe_of(shared, pair, seed, Path(folder))))
        job = job_of(prepared, Path(folder))
        fitted = train(prepared.recipe, job)
        rows, targets = prepared.encoded["target"], prepared.targets["target"]
        if not is_corrupted:
            yield from arms(pair, seed, fitted, job, (rows, targets))
            return
        import numpy as np

        for number, kind in enumerate(KINDS):
            block = np.arange(ROWS_OF_A_KIND) + number * ROWS_OF_A_KIND
            one_kind = replace(job, target=RowSubset(prepared.target, block))
            part = RowSubset(rows, block), [targets[row] for row in block]
            yield from arms(f"cifar10 to {kind}, MobileNetV2", seed, fitted, one_kind, part)


def first_line(seed: int, pair: str) -> tuple[int, str]:
    """Return what the first line of a run holds: corruptions have a pair of their own each."""
    return seed, pair.replace("corrupted", KINDS[0])


def arms(pair: str, seed: int, fitted: Any, job: Any, scored: tuple[Any, Any]) -> Iterator[Any]:
    """Adapt copies of a trained model, and score each."""
    from pipelines.core import registry
    from pipelines.core.errors import ModelError
    from pipelines.training import after_training
    from pipelines.training.job import LabeledRows

    labeled = LabeledRows(*scored)
    for arm in ARMS:
        result = replace(fitted, output=copy.deepcopy(fitted.output))
        if arm != "source only":
            try:
                result = after_training.adapt(registry.find("adaptations", arm)(), result, job)
            except ModelError:  # MiniLM has no batch normalization
                continue
        scores = {}
        for name, data in (("validation", job.labeled_validation), ("target", labeled)):
            outputs = result.output.run(
                data.rows, job.collate, job.task.collect, **job.forward_options
            )
            scores[name] = job.main_score(outputs, data)
        yield {"pair": pair, "arm": arm, "seed": seed, **scores}


def table(results: list[dict[str, Any]]) -> str:
    """Format a row for each pair and arm."""
    scores: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(dict)
    for result in results:
        scores[result["pair"], result["arm"]][result["seed"]] = result
    lines = ["| | | target | validation | target, difference |", "|---|---|--:|--:|--:|"]
    for (pair, arm), by_seed in scores.items():
        alone = scores[pair, ARMS[0]]
        gains = [by_seed[seed]["target"] - alone[seed]["target"] for seed in by_seed]
        columns = [[each[name] for each in by_seed.values()] for name in ("target", "validation")]
        cells = [mean_and_deviation([100 * s for s in column]) for column in (*columns, gains)]
        lines.append(f"| {pair} | {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what RESULTS lacks, and print the table."""
    sweep = Sweep.parsed(__doc__, seed=SEEDS, pair=PAIRS)
    print(table(sweep.complete(partial(run, sweep.shared), first=first_line)))


if __name__ == "__main__":
    main()
