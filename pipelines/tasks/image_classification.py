"""One image -> one label, several labels or a number."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks import Measure
from pipelines.tasks._classification import Classification

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation
    from pipelines.tasks.augmentations.image import Image


class ImageClassification(Classification):
    """Image classification or regression; the problem type follows from the label column."""

    modality: ClassVar[str] = "image"
    auto_class: ClassVar[str] = "AutoModelForImageClassification"
    pipeline: ClassVar[str] = "image-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "image": ("image", "img", "picture", "pixel_values"),
        "label": ("label", "labels", "fine_label", "target", "score"),
    }

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """The image processor: size, mean and deviation that the checkpoint was trained with."""
        from pipelines.tasks.image.timm_config import image_processor

        return image_processor(checkpoint, **options)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Nothing yet: images are decoded once, by `unsupported_rows`."""
        return iter(())

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Images that cannot be decoded to their last pixel; the others are kept for `encode`."""
        from pipelines.tasks.image import pixels as _pixels

        return _pixels.corrupt_rows(dataset, processor, _of_images(augmentation))

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Images as the processor wants them, kept in memory when small; and `labels`."""
        from pipelines.tasks.image.rows import EncodedImages, VariedImages

        targets = labels.encode(dataset["label"][:], "data")
        varied = _of_images(augmentation)
        if varied is None:
            return EncodedImages(dataset, processor, targets)
        return VariedImages(dataset, processor, targets, varied)

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Stacks pixel values and labels."""
        from pipelines.tasks.image.rows import collate

        return collate

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Sizes and modes of the images."""
        from pipelines.tasks.image import headers

        return headers.measures(dataset)

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Shape and range of the pixels as the model sees them."""
        pixels = rows[row]["pixel_values"]
        shape = " x ".join(map(str, pixels.shape))
        return [f"{shape} pixels from {pixels.min():.2f} to {pixels.max():.2f}"]


def _of_images(augmentation: "Augmentation | None") -> "Image | None":
    from pipelines.tasks.augmentations.image import Image

    assert augmentation is None or isinstance(augmentation, Image)
    return augmentation
