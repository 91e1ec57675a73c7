"""Examples that vary each time they are seen, in training only: one file per modality.

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
    """Base of all augmentations. Everything is drawn from torch's generator, which the Trainer
    seeds, and every worker from that."""

    modality: str = ""

    def example(self) -> Callable[[Any], Any] | None:
        """What varies one raw example (a PIL image, a waveform); None where nothing is."""
        raise NotImplementedError

    def encoded(self) -> Callable[[Any], Any] | None:
        """What varies one encoded example (normalized pixels, a spectrogram); or None."""
        return None

    def batch(self, labels: "Labels") -> Callable[[Batch], Batch] | None:
        """What varies a whole collated batch (mixup, cutmix), `labels` included; or None.

        Labels that were mixed are probabilities (rows, classes).

        Raises:
            RecipeError: such labels cannot be mixed.
        """
        return None


@dataclass(frozen=True)
class AugmentedCollator:
    """A collator, and what varies the batches that it makes; workers can pickle it."""

    collate: Callable[[list[Any]], Batch]
    augment: Callable[[Batch], Batch]

    def __call__(self, rows: list[Any]) -> Batch:
        """Rows -> varied batch."""
        return self.augment(self.collate(rows))
