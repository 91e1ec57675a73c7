"""Loaded rows -> rows of model inputs, and what predictions are compared with."""

from typing import TYPE_CHECKING, Any

from pipelines.core import processes
from pipelines.recipe import Recipe

if TYPE_CHECKING:
    from pipelines.data import Data


def splits(
    recipe: Recipe, loaded: "Data", processor: Any
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Encode every split, augmenting train only: (split -> model inputs, split -> targets)."""
    task, labels = recipe.task, loaded.labels
    encoded, targets = {}, {}
    # the main process encodes and fills the caches, from which the others read
    with processes.main_first():
        for split, rows in loaded.datasets.items():
            augmentation = recipe.augmentation if split == "train" else None
            encoded[split] = task.encode(rows, processor, labels, augmentation)
            targets[split] = task.targets(rows, encoded[split], labels)
        if loaded.is_folded:
            plain = encoded["train"]
            if recipe.augmentation:  # what is scored is not augmented
                plain = task.encode(loaded.train, processor, labels, None)
            encoded["validation"], targets["validation"] = plain, targets["train"]
        if loaded.target and loaded.target.labeled:
            rows = loaded.target.labeled.dataset
            encoded["target"] = task.encode(rows, processor, labels, None)
            targets["target"] = task.targets(rows, encoded["target"], labels)
    return encoded, targets


def target(recipe: Recipe, loaded: "Data", processor: Any) -> Any | None:
    """Encode the rows of the target domain without their labels; None where there is none."""
    if not loaded.target:
        return None
    with processes.main_first():
        rows, labels = loaded.target.to_encode, loaded.labels.unlabeled
        return recipe.task.encode(rows, processor, labels, None)
