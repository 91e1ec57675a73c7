"""Augmentations, which vary an example each time it is trained on: one file per modality.

The recipe's section `augmentation:` has the keys of the class in the file of the task's modality.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.core.section import Section

if TYPE_CHECKING:
    from pipelines.core.labels import Labels

Batch = dict[str, Any]


class Augmentation(Section):
    """Base class of all augmentations.

    They draw from torch's generator, which the Trainer seeds in every process and worker.
    """

    modality: str = ""

    def example(self) -> Callable[[Any], Any] | None:
        """Return the transform of one raw example (a PIL image, a waveform); None: no change."""
        raise NotImplementedError

    def encoded(self) -> Callable[[Any], Any] | None:
        """Return the transform of one encoded example (pixels, a spectrogram), or None."""
        return None

    def batch(self, labels: "Labels") -> Callable[[Batch], Batch] | None:
        """Return the transform of a batch and its labels (mixup, cutmix), or None.

        Mixed labels are probabilities (rows, classes).

        Raises:
            RecipeError: such labels cannot be mixed.
        """
        return None


@dataclass(frozen=True)
class AugmentedCollator:
    """A collator followed by the transform of its batches; workers can pickle it."""

    collate: Callable[[list[Any]], Batch]
    augment: Callable[[Batch], Batch]

    def __call__(self, rows: list[Any]) -> Batch:
        """Collate rows and augment the batch."""
        return self.augment(self.collate(rows))
