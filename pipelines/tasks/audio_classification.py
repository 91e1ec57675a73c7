"""One clip of sound -> one label, several labels or a number."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.core.labels import MULTI, REGRESSION
from pipelines.tasks import FILES, Targets
from pipelines.tasks._classification import Classification
from pipelines.tasks.audio.base import AudioTask

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation
    from pipelines.tasks.simple_features import SimpleFeatures


class AudioClassification(AudioTask, Classification):
    """Audio classification or regression; the problem type follows from the label column."""

    auto_class: ClassVar[str] = "AutoModelForAudioClassification"
    pipeline: ClassVar[str] = "audio-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "audio": ("audio", "sound", "clip", "speech", "recording", *FILES),
        "label": ("label", "labels", "class", "target", "score"),
    }

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode clips with the feature extractor; a small split stays in memory."""
        targets = labels.encode(dataset["label"][:], "data")
        return self.encode_clips(dataset, processor, targets, augmentation)

    def loss(self, train: Targets, labels: "Labels") -> Callable[..., Any] | None:
        """Return the loss of the problem type."""
        from pipelines.core.losses import BinaryCrossEntropy, squared_error

        # most speech models compute cross-entropy, whatever `config.problem_type` is
        losses: dict[str, Callable[..., Any]] = {
            MULTI: BinaryCrossEntropy(),
            REGRESSION: squared_error,
        }
        return super().loss(train, labels) or losses.get(labels.problem_type)

    def simple_features(self) -> "SimpleFeatures":
        """Return the loudness of bands of frequencies."""
        from pipelines.tasks.simple_features.log_mel import LogMel

        return LogMel()
