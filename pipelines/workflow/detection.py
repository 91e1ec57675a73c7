"""A trained model and rows of another source -> whether it tells them from those of test."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache
from pipelines.core.console import say
from pipelines.data import unlabeled
from pipelines.data.renamed_keys import named
from pipelines.evaluation.detection import Passed
from pipelines.evaluation.detection.result import Detection, detect
from pipelines.evaluation.robustness import draw_rows
from pipelines.training import arguments as training_arguments
from pipelines.workflow import other_rows
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.data import Data
    from pipelines.models.load import Checkpoint
    from pipelines.recipe import Recipe
    from pipelines.training.fitted import Fitted

MAX_TRAIN_ROWS = 5_000  # that features are compared with
KEY = "evaluation.out_of_distribution"


def load(recipe: "Recipe", loaded: "Data", checkpoint: "Checkpoint") -> "Dataset | None":
    """Load at most 1,000 rows of the other source that this model can take.

    Returns:
        Raw rows, all of which have the first class, since encoding needs one; None where the
        recipe names no other source.

    Raises:
        DataError: they cannot be read, or none of them can be used.
    """
    section = recipe.evaluation.out_of_distribution
    if section is None:
        return None
    with named(KEY):
        rows = unlabeled.load(section.data, recipe.task, loaded.train, section.split, say)
    first = loaded.labels.values[0]
    drawn, _ = other_rows.draw(KEY, section.path, rows, first, recipe, checkpoint)
    return drawn


def measure(prepared: Prepared, fitted: "Fitted") -> Detection | None:
    """Pass the other rows, those of the last split and some of train through the model.

    Returns:
        None, with a line that says so, where no single layer gives the logits.
    """
    assert prepared.others is not None
    section = prepared.recipe.evaluation.out_of_distribution
    assert section
    seed, split = prepared.recipe.seed, [*prepared.data.splits][-1]
    inside, train = prepared.data.datasets[split], prepared.data.train
    drawn_train = np.random.default_rng(seed).permutation(len(train))[:MAX_TRAIN_ROWS]
    with cache.paused():  # of the drawn rows nobody will ask again
        passed = [
            _passed(prepared, fitted, rows)
            for rows in (
                inside.select(draw_rows(len(inside), seed)),
                prepared.others,
                train.select(np.sort(drawn_train)),
            )
        ]
    present = [each for each in passed if each is not None]
    if len(present) < len(passed):
        say(f"{KEY}: skipped: no single layer gives the logits, so there are no features")
        return None
    rows, others, known = present
    return Detection(
        Path(section.path).name,
        split,
        num_rows=len(rows.logits),
        num_others=len(others.logits),
        num_train=len(known.logits),
        areas=detect(rows, others, known, seed),
    )


def _passed(prepared: Prepared, fitted: "Fitted", dataset: "Dataset") -> Passed | None:
    """Compute logits and features of raw rows; None where there are no features."""
    task, labels = prepared.recipe.task, prepared.data.labels
    rows: Any = task.encode(dataset, prepared.checkpoint.processor, labels)
    options = training_arguments.forward_options(prepared.arguments())
    features = fitted.output.features(rows, prepared.collate, **options)
    if features is None:
        return None
    logits = fitted.output.run(rows, prepared.collate, task.collect, **options)["logits"]
    targets = np.asarray(task.targets(dataset, rows, labels))
    return Passed(np.asarray(logits), features, targets)
