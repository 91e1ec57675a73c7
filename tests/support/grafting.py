"""A recipe, and its training without the rest of a run: for tests of what training does.

write_recipe(folder, …)   a recipe file for a tiny checkpoint and a tiny data set
prepare(folder, …)        the same, with data and checkpoint loaded
fit(prepared, folder)     train it, as a run would
problem(folder, kind)     texts whose labels are single, several or numbers, or pairs of texts
"""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import tiny
import yaml

from pipelines import recipe
from pipelines.training.fitted import Fitted
from pipelines.training.job import Job
from pipelines.workflow import run as pipeline
from pipelines.workflow.run import Prepared
from pipelines.workflow.train import job_of

PROBLEMS = ("single", "pairs", "several", "number")
AUTO_CLASSES = {
    "text": "AutoModelForSequenceClassification",
    "image": "AutoModelForImageClassification",
}


def write_recipe(
    folder: Path, checkpoint: Path, data: Path, *, task: Any = "text", **sections: Any
) -> Path:
    """Write `recipe.yaml`; `sections` (strategy, training, metrics…) stand in it as they are."""
    kind = f"{task}_classification" if task in ("text", "image", "audio") else task
    values = {
        "task": kind,
        "model": str(checkpoint),
        "data": {"source": "files", "path": str(data)},
        "strategy": "full",
        **sections,
    }
    # what is compared to the last digits is computed in float32
    quick = {"per_device_train_batch_size": 16, "use_cpu": True, "bf16": False}
    quick |= {"output_dir": str(folder / "runs")}
    training = values.get("training", {})
    # without a length there would be as many epochs as it takes to learn something
    if not training.keys() & {"num_train_epochs", "max_steps"}:
        quick["num_train_epochs"] = 3
    values["training"] = {**quick, **training}
    if values["training"].get("num_train_epochs", 3) is None:  # left open
        del values["training"]["num_train_epochs"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def prepare(folder: Path, checkpoint: Path, data: Path, **sections: Any) -> Prepared:
    """A recipe with its data and checkpoint loaded."""
    return pipeline.prepare(recipe.load(write_recipe(folder, checkpoint, data, **sections)))


def fit(prepared: Prepared, folder: Path, **changes: Any) -> Fitted:
    """Train what was prepared; `changes` are fields of the job."""
    return prepared.recipe.strategy.fit(job(prepared, folder, **changes))


def job(prepared: Prepared, folder: Path, **changes: Any) -> Job:
    """What a run would give to the strategy; checkpoints go to `folder`.

    The few rows of validation choose, as many would.
    """
    return replace(job_of(prepared, folder), **{"choosing_folds": None, **changes})


def logits(prepared: Prepared, fitted: Fitted, split: str = "validation", **options: Any) -> Any:
    """What a trained model says about a split."""
    rows, read = prepared.rows(split), prepared.recipe.task.collect
    return fitted.output.run(rows, prepared.collate, read, **options)["logits"]


def state(model: Any) -> dict[str, Any]:
    """A copy of every parameter and buffer."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The names of the tensors that differ in a bit."""
    assert before.keys() == after.keys()
    return {name for name, tensor in before.items() if not tensor.equal(after[name])}


def problem(folder: Path, kind: str) -> Path:
    """Write `<split>.parquet` with the labels, or the pairs, of one of PROBLEMS."""
    from datasets import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    for split, num_rows in tiny.NUM_ROWS.items():
        random = Random(split)
        rows = [_row(random, kind) for _ in range(num_rows)]
        Dataset.from_list(rows).to_parquet(folder / f"{split}.parquet")
    return folder


def _row(random: Random, kind: str) -> dict[str, Any]:
    """A sentence of fillers with some words of each class in it."""
    words = random.choices(tiny.FILLERS, k=random.randint(1, 8))
    counts = {name: random.randint(0, 2) for name in tiny.CLASSES}
    for name, number in counts.items():
        words += random.choices(tiny.CLASSES[name], k=number)
    random.shuffle(words)
    text, other = " ".join(words), random.choice(tiny.WORDS)
    present = [name for name, number in counts.items() if number]
    return {
        "single": {"text": text, "label": max(counts, key=lambda name: counts[name])},
        "pairs": {"sentence1": text, "sentence2": other, "label": int(other in words)},
        "several": {"text": text, "label": present},
        "number": {"text": text, "label": counts["positive"] - counts["negative"] + 0.5},
    }[kind]


@dataclass(frozen=True)
class Graft:
    """A checkpoint, trained and saved."""

    prepared: Prepared
    before: dict[str, Any]  # every tensor as it was when the checkpoint had been loaded
    fitted: Fitted
    folder: Path

    @property
    def model(self) -> Any:
        return self.fitted.output.model

    @property
    def changed(self) -> set[str]:
        return changed(self.before, self.model.state_dict())

    def logits(self, split: str = "validation") -> Any:
        """What the trained model says."""
        return logits(self.prepared, self.fitted, split)


def graft(folder: Path, checkpoint: Path, data: Path, **sections: Any) -> Graft:
    """Prepare, train and save."""
    prepared = prepare(folder, checkpoint, data, **sections)
    before = state(prepared.checkpoint.model)
    fitted = fit(prepared, folder / "checkpoints")
    fitted.output.save(folder / "model", prepared.checkpoint.processor)
    return Graft(prepared, before, fitted, folder / "model")
