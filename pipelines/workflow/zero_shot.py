"""Class names as texts (CLIP, SigLIP): scores beside the model's, and a head to start at."""

import time
from typing import TYPE_CHECKING

import numpy as np

from pipelines.evaluation.simple_model import SimpleScores
from pipelines.models import load as models
from pipelines.models.output.plain import PlainModel
from pipelines.training import arguments as training_arguments
from pipelines.training.row_subset import RowSubset

if TYPE_CHECKING:
    from pipelines.models.load import Checkpoint
    from pipelines.workflow.prepared import Prepared

MAX_MEASURED_ROWS = 256  # of train, for the mean length of vectors


def measure(prepared: "Prepared") -> SimpleScores | None:
    """Score validation and test without training; None where no text tower read the classes."""
    head = prepared.checkpoint.text_head
    if head is None:
        return None
    started, recipe, labels = time.monotonic(), prepared.recipe, prepared.data.labels
    # anew: training has changed the model that was loaded first
    checkpoint = models.load(recipe.model, recipe.task, labels)
    scores: dict[str, dict[str, float]] = {}
    for split in ("validation", "test"):
        if split not in prepared.encoded:
            continue
        logits = head.logits(_features(prepared, checkpoint, prepared.encoded[split]))
        predictions = labels.predict(logits)
        scores[split] = prepared.scorer(predictions, prepared.targets[split], {"logits": logits})
    return SimpleScores("zero-shot", scores, time.monotonic() - started)


def start(prepared: "Prepared") -> None:
    """Make texts of the classes the output layer, if `model.head` says so."""
    import torch

    checkpoint = prepared.checkpoint
    if prepared.recipe.model.head != "zero_shot":
        return
    assert checkpoint.text_head  # checked while loading
    rows = prepared.encoded["train"]
    sample = RowSubset(rows, np.arange(min(len(rows), MAX_MEASURED_ROWS)))
    head = checkpoint.text_head.linear(_features(prepared, checkpoint, sample))
    layer = PlainModel(checkpoint.model).output_layer
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weight))
        layer.bias.copy_(torch.from_numpy(head.bias))


def _features(prepared: "Prepared", checkpoint: "Checkpoint", rows: object) -> np.ndarray:
    """Compute (rows, width) vectors that the output layer reads."""
    options = training_arguments.forward_options(prepared.arguments())
    features = PlainModel(checkpoint.model.eval()).features(rows, prepared.collate, **options)
    assert features is not None  # an image tower has an output layer
    return features
