"""A tiny training for each feature, to be compared between one process and two.

write(folder)                       the checkpoints and data of all of them
train("lora", folder, num_rows=16)  one of them in this process, or in all that a launcher started
torchrun … tiny_features.py FOLDER  all of them; the results go to FOLDER/several.json

What is drawn at random differs by construction, and is switched off.
"""

import csv
import hashlib
import json
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import small_memory
import tiny
import tiny_tasks
import torch
from grafting import job, state, write_recipe
from torch import nn

from pipelines import recipe
from pipelines.core import processes, startup
from pipelines.training.speed import length_buckets
from pipelines.workflow.prepare import prepare
from pipelines.workflow.train import train as run_training

CALM = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
NUM_RARE = 16  # rows of train that are positive; twice as many are negative
STEADY = {
    "warmup_steps": 0,
    "lr_scheduler_type": "linear",
    "learning_rate": 1e-3,
    "max_steps": 3,
    "logging_steps": 1,
    "eval_strategy": "steps",
    "eval_steps": 1,
    "per_device_eval_batch_size": 8,  # several batches, which the processes share
    "save_strategy": "no",
    "load_best_model_at_end": False,
    "ddp_backend": "gloo",
}
TEXT = {"model": "bert", "data": "text", "task": "text_classification", "metrics": ["log_loss"]}
IMAGE = {**TEXT, "model": "vit", "data": "image", "task": "image_classification"}
WORDS = {**TEXT, "data": "words", "task": "token_classification", "metrics": ["token_accuracy"]}
WEIGHTED = {"name": "text_classification", "class_weights": "balanced"}
STREAM = ("data.streaming=true", "data.shuffle_buffer=16")
FINDS = ("training.auto_find_batch_size=true",)
# feature -> sections of its recipe
FEATURES: dict[str, dict[str, Any]] = {
    "full, ema": {**TEXT, "averaging": {"ema": 0.5}},
    "lora": {**TEXT, "strategy": "lora"},
    "linear_probe": {**TEXT, "strategy": {"name": "linear_probe", "pooling": "head"}},
    "lp_ft, wise_ft": {
        **TEXT,
        "strategy": {"name": "lp_ft", "pooling": "head"},
        "averaging": {"wise_ft": True},
    },
    # what waits for its stage gets no gradient
    "gradual_unfreezing, length_buckets": {
        **TEXT,
        "strategy": "gradual_unfreezing",
        "max_steps": 6,
        "speed": {"packing": "off", "length_buckets": "on"},
    },
    "tokens": WORDS,
    "streaming": {**TEXT, "overrides": STREAM},
    "soup": {**TEXT, "averaging": {"soup": {"seed": [1, 2]}}},
    "class_weights, r_drop": {**TEXT, "task": WEIGHTED, "regularization": {"r_drop": 2.0}},
    "focal, accumulation": {**TEXT, "regularization": {"focal": 2.0}, "accumulation": 2},
    "mixup": {**IMAGE, "augmentation": {"mixup": 1.0}},
    # one process runs out of memory, in the middle of a backward pass, and others follow it
    "auto_find_batch_size": {**TEXT, "overrides": FINDS, "max_rows": 3, "accumulation": 2},
}
# each process normalizes its own rows, so that one process gives something else
NORMALIZED: dict[str, dict[str, Any]] = {
    "batch_norm": {**IMAGE, "model": "resnet"},
    "batch_norm, ema": {**IMAGE, "model": "resnet", "averaging": {"ema": 0.5}},
}


class AlternateDropout(nn.Dropout):
    """Drops every other feature, those of even numbers first: passes differ, whatever the batch."""

    num_passes = 0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p:
            return features
        self.num_passes += 1
        is_dropped = torch.arange(features.shape[-1]) % 2 == self.num_passes % 2
        return features.masked_fill(is_dropped, 0.0) * 2


def write(folder: Path) -> Path:
    """Write all checkpoints and data; of the texts to train on, few are positive."""
    tiny.text_checkpoint(folder / "bert", "bert")
    for family in ("vit", "resnet"):
        tiny.image_checkpoint(folder / family, family)
    tiny.image_data(folder / "image")
    tiny_tasks.entity_data(folder / "words")
    train_file = tiny.text_data(folder / "text") / "train.csv"
    with train_file.open(newline="") as file:
        head, *rows = csv.reader(file)
    negative, positive = ([r for r in rows if r[1] == label] for label in ("negative", "positive"))
    with train_file.open("w", newline="") as file:
        csv.writer(file).writerows([head, *negative, *positive[:NUM_RARE]])
    for test in folder.glob("*/test*"):  # which each training would read and encode in vain
        shutil.rmtree(test) if test.is_dir() else test.unlink()
    return folder


def train(name: str, folder: Path, *, num_rows: int) -> dict[str, Any]:
    """Train a feature, and return what came of it as plain values.

    Args:
        num_rows: of a step, on this process.
    """
    from accelerate.utils import gather_object
    from transformers import set_seed

    sections = {**FEATURES, **NORMALIZED}[name].copy()
    place = folder / f"{name} on {processes.num_processes()}"
    max_rows = sections.pop("max_rows", None)
    overrides, data = sections.pop("overrides", ()), folder / sections.pop("data")
    path = write_recipe(
        place / os.environ.get("RANK", "0"), Path(), data, **_sections(sections, folder, num_rows)
    )
    set_seed(0)
    prepared = prepare(recipe.load(path, overrides))
    model: Any = prepared.checkpoint.model
    if max_rows and os.environ.get("RANK", "1") == "1":
        small_memory.limit(model.get_input_embeddings(), max_rows, backward=True)
    if "r_drop" in sections.get("regularization", {}):
        model.dropout = AlternateDropout(0.5)
    set_seed(0)
    (place / "checkpoints").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # texts of a few words are cut into buckets, too
        stack.enter_context(patch.dict(length_buckets.OVERHEAD_TOKENS, {"cpu": 1}))
        if "augmentation" in sections:  # labels are shares of classes, of which one has all
            drawn = patch.object(torch.distributions.Beta, "sample", lambda *_: torch.ones(1))
            stack.enter_context(drawn)
        made = job(prepared, place / "checkpoints")
        fitted = run_training(prepared.recipe, made)
    outputs = fitted.output.run(
        made.validation, made.collate, made.task.collect, **made.forward_options
    )
    return {
        "history": fitted.history,
        "chosen": fitted.chosen,
        "logits": [row.tolist() for row in outputs["logits"]],
        "targets": list(prepared.targets["validation"]),
        "digests": gather_object([_digest(fitted.output.model)]),
    }


def _sections(sections: dict[str, Any], folder: Path, num_rows: int) -> dict[str, Any]:
    """Write a feature as sections of a recipe."""
    accumulation = sections.pop("accumulation", 1)
    config = CALM if sections["model"] == "bert" else {}
    training = {
        **STEADY,
        "max_steps": sections.pop("max_steps", STEADY["max_steps"]),
        "gradient_accumulation_steps": accumulation,
        "per_device_train_batch_size": num_rows // accumulation,
    }
    return {
        **sections,
        "model": {"checkpoint": str(folder / sections["model"]), "config": config},
        "training": training,
    }


def _digest(model: nn.Module) -> str:
    """Hash every parameter and buffer."""
    digest = hashlib.sha256()
    for tensor in state(model).values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    startup.initialize({"use_cpu": True, "ddp_backend": "gloo", "ddp_timeout": 120})
    SEVERAL = {name: train(name, FOLDER, num_rows=8) for name in (*FEATURES, *NORMALIZED)}
    if processes.is_main():
        (FOLDER / "several.json").write_text(json.dumps(SEVERAL, default=float), encoding="utf-8")
