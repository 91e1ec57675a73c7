"""A finished run to write, draw, describe and push, without training anything."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines import recipe
from pipelines.core import registry
from pipelines.core.labels import SINGLE, Labels
from pipelines.report import card, lock, pictures, results
from pipelines.report.evidence import Evidence, SplitPredictions
from pipelines.report.run_folder import RunFolder
from pipelines.report.saved_model_checks import Parity

TWO = Labels(SINGLE, ("negative", "positive"), (0, 1))
LOGITS = np.array([[2.0, -2.0], [-1.0, 1.0], [0.5, 0.0]], dtype=np.float32)

RECIPE = """
task: text_classification
model: google-bert/bert-base-uncased
data: {source: hub, path: nyu-mll/glue, name: sst2}
strategy: {name: lora, r: 8}
training: {learning_rate: 2e-5, num_train_epochs: 3}
"""

STEPS = [
    {"loss": 0.69, "epoch": 0.5, "step": 50, "learning_rate": 2e-5},
    {"loss": 0.52, "epoch": 1.0, "step": 100, "learning_rate": 1e-5},
    {"eval_loss": 0.55, "eval_accuracy": 0.71, "epoch": 1.0, "step": 100},
    {"loss": 0.31, "epoch": 2.0, "step": 200, "learning_rate": 5e-6},
    {"eval_loss": 0.42, "eval_accuracy": 0.83, "epoch": 2.0, "step": 200},
    {"loss": 0.12, "epoch": 3.0, "step": 300, "learning_rate": 0.0},
    {"eval_loss": float("nan"), "eval_accuracy": 0.81, "epoch": 3.0, "step": 300},
    {"train_runtime": 12.5, "train_loss": 0.4, "epoch": 3.0, "step": 300},
]
TRIALS = [
    {"pooling": pooling, "C": strength, "validation_accuracy": score - abs(np.log10(strength)) / 40}
    for pooling, score in (("head", 0.74), ("mean", 0.81), ("cls", 0.75))
    for strength in (0.001, 0.01, 0.1, 1.0, 10.0)
]


def predicted(labels: Labels, logits: np.ndarray, targets: list[Any]) -> SplitPredictions:
    """What a model with these logits says."""
    return SplitPredictions({"logits": logits}, labels.predict(logits), targets)


def evidence(**changes: Any) -> Evidence:
    """The evidence of a run that went well."""
    facts: dict[str, Any] = {
        "task": registry.find("tasks", "text_classification")(),
        "labels": TWO,
        "checkpoint": "google-bert/bert-base-uncased",
        "strategy": "lora",
        "library": "transformers",
        "parameters": 109_483_778,
        "trainable": 296_450,
        "seconds": 12.5,
        "examples": {"train": 67_349, "validation": 872, "test": 1_821},
        "main_metric": "accuracy",
        "validation": {"accuracy": np.float64(0.83), "f1": 0.84, "ece": float("nan")},
        "test": {"accuracy": 0.80, "f1": 0.81},
        "baseline": {"validation": {"accuracy": 0.51}, "test": {"accuracy": 0.50, "f1": 0.0}},
        "parity": Parity(2.4e-7, 64, ok=True),
        "history": STEPS,
        "chosen": {"step": 200},
        "predictions": {"validation": predicted(TWO, LOGITS, [0, 1, 1])},
    }
    return Evidence(**{**facts, **changes})


def load_recipe(folder: Path, text: str = RECIPE, name: str = "bert_sst2") -> recipe.Recipe:
    """A recipe that stands in a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return recipe.load(path)


def lock_of(loaded: recipe.Recipe, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The recipe's lock, with the data's identity given: nothing is downloaded."""
    identity = {"source": "hub", "path": "nyu-mll/glue", "name": "sst2", "commit": "b" * 40}
    source = loaded.data.model_copy()
    object.__setattr__(source, "identity", lambda: data or identity)
    return lock.collect(loaded.model_copy(update={"data": source}), commit="a" * 40)


def finished(root: Path, **changes: Any) -> RunFolder:
    """A whole run folder; its model is only a config."""
    loaded, shown = load_recipe(root), evidence(**changes)
    folder = RunFolder.create(root / "runs", loaded.name)
    locked = lock_of(loaded)
    lock.write(folder, loaded, locked)
    folder.model.mkdir()
    (folder.model / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    pictures.draw(folder, shown)
    card.write(folder, shown, loaded, locked)
    results.write(folder, shown)
    return folder
