"""A trained model -> what its encoder still knows of another task, and how far it moved.

the other task's rows -> the checkpoint, loaded again -> states  -> probe, before
                      -> the trained model            -> states  -> probe, after
weights of both       -> distances by depth
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import cache
from pipelines.core.console import say
from pipelines.core.errors import DataError
from pipelines.core.labels import IGNORED
from pipelines.data import source_rows
from pipelines.data.renamed_keys import named
from pipelines.evaluation.forgetting import (
    MIN_CLASS_ROWS,
    MIN_ROWS,
    Forgetting,
    ProbeRows,
    compare,
)
from pipelines.models import load as models
from pipelines.training import arguments as training_arguments
from pipelines.workflow import other_rows

if TYPE_CHECKING:
    from pipelines.data import Data
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output
    from pipelines.recipe import Recipe
    from pipelines.training.fitted import Fitted
    from pipelines.workflow.prepared import Prepared

KEY = "evaluation.forgetting"


def load(recipe: "Recipe", loaded: "Data", checkpoint: "Checkpoint") -> ProbeRows | None:
    """Load at most 1,000 rows of the other task; None where the recipe names none.

    Raises:
        DataError: they cannot be read, or are too few, or their labels are no classes.
    """
    section = recipe.evaluation.forgetting
    if section is None:
        return None
    with named(KEY):
        rows, labels = source_rows.load(section.data, recipe.task, loaded.train, section.split, say)
    drawn, numbers = other_rows.draw(KEY, section.path, rows, IGNORED, recipe, checkpoint)
    values = labels.select(numbers)["label"][:]
    has_label = [row for row, value in enumerate(values) if value not in (None, "")]
    shown = np.array([str(values[row]) for row in has_label])
    names, classes = np.unique(shown, return_inverse=True)
    _check(len(has_label), np.bincount(classes) if len(names) else np.zeros(0, int))
    return ProbeRows(drawn.select(has_label), classes)


def _check(num_rows: int, counts: np.ndarray) -> None:
    """Refuse what no probe can be fitted on."""
    large = int((counts >= MIN_CLASS_ROWS).sum())
    if num_rows < MIN_ROWS or large < 2 or 2 * len(counts) > num_rows:
        raise DataError(
            f"{KEY}: {num_rows:,} rows with {len(counts):,} different labels; expected {MIN_ROWS} "
            f"rows or more, and classes: two or more of {MIN_CLASS_ROWS} rows; "
            f"{KEY}.columns.label=… names their column"
        )


def measure(prepared: "Prepared", fitted: "Fitted") -> Forgetting | None:
    """Load the checkpoint again, and compare its encoder with the trained one.

    Returns:
        None, with a line that says so, where the states of the encoder are not to be seen.
    """
    from pipelines.models.anatomy import dissect
    from pipelines.models.anatomy.distances import relative_distances

    rows, recipe = prepared.probe_rows, prepared.recipe
    section = recipe.evaluation.forgetting
    assert rows is not None
    assert section
    start = models.load(recipe.model, recipe.task, prepared.data.labels)
    anatomy = dissect(start.model, start.newly_initialized)
    with cache.paused():  # nobody will ask for these states again
        processor, labels = prepared.checkpoint.processor, prepared.data.labels.unlabeled
        encoded = recipe.task.encode(rows.dataset, processor, labels)
        before = _states(prepared, start.model, start.model, anatomy, encoded)
        trained, inner = fitted.output.model, _without_adapter(fitted.output)
        after = _states(prepared, trained, inner, dissect(inner), encoded)
    if before is None or after is None:
        say(f"{KEY}: skipped: the states of {type(inner).__name__} are not to be seen")
        return None
    distances = {}
    if trained is inner:
        encoder = inner.get_submodule(dissect(inner).encoder)
        distances = relative_distances(start.model, anatomy, encoder)
    name = Path(section.path).name
    return compare(name, rows.classes, before, after, distances, recipe.seed)


def _states(
    prepared: "Prepared", model: Any, inner: Any, anatomy: Any, rows: Any
) -> np.ndarray | None:
    from pipelines.features.encoder_states import mean_states

    options = training_arguments.forward_options(prepared.arguments())
    return mean_states(model, inner, anatomy, rows, prepared.collate, **options)


def _without_adapter(output: "Output") -> Any:
    """Return the model that an adapter is laid over; the model itself where there is none."""
    model = output.model
    return model.get_base_model() if output.library == "peft" else model
