"""One image -> one label, several labels or a number."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks import FILES, Measure
from pipelines.tasks._classification import Classification

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.core.labels import Labels
    from pipelines.tasks.augmentations import Augmentation
    from pipelines.tasks.augmentations.image import Image
    from pipelines.tasks.simple_features import SimpleFeatures


class ImageClassification(Classification):
    """Image classification or regression; the problem type follows from the label column."""

    modality: ClassVar[str] = "image"
    auto_class: ClassVar[str] = "AutoModelForImageClassification"
    pipeline: ClassVar[str] = "image-classification"
    roles: ClassVar[dict[str, tuple[str, ...]]] = {
        "image": ("image", "img", "picture", "pixel_values", "image_path", *FILES),
        "label": ("label", "labels", "fine_label", "target", "score"),
    }

    def load_processor(self, checkpoint: str, labels: "Labels", **options: Any) -> Any:
        """Load the image processor: size, mean and deviation of the pretraining images."""
        from pipelines.tasks.image.timm_config import image_processor

        return image_processor(checkpoint, **options)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield nothing: images are decoded once, by `unsupported_rows`."""
        return iter(())

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Yield images that cannot be decoded; the others are stored for `encode`."""
        from pipelines.tasks.image import files, pixels
        from pipelines.tasks.image.processor import check_one_size

        check_one_size(files.ImageFiles(dataset), processor)
        return pixels.corrupt_rows(dataset, processor, _image_augmentation(augmentation))

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Encode images with the image processor; a small split stays in memory."""
        from pipelines.tasks.image.rows import AugmentedImages, EncodedImages

        targets = labels.encode(dataset["label"][:], "data")
        image_augmentation = _image_augmentation(augmentation)
        if image_augmentation is None:
            return EncodedImages(dataset, processor, targets)
        return AugmentedImages(dataset, processor, targets, image_augmentation)

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Return a collator that stacks pixel values and labels."""
        from pipelines.tasks.image.rows import collate

        return collate

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Measure sizes (pixels) and modes of the images."""
        from pipelines.tasks.image import headers

        return headers.measures(rows.pixels.files)

    def remarks(self, dataset: "Dataset", rows: Any) -> Iterator[str]:
        """Yield images of a single color, and how more than 8 bits were scaled to 8."""
        from pipelines.tasks.image import remarks

        yield from remarks.constant(rows.pixels)
        yield from remarks.scaled(rows.pixels.files)

    def limits(self, rows: Any, measures: Mapping[str, Any]) -> Iterator[str]:
        """Yield what `pipeline()` does with images of more than 8 bits, and how to scale them."""
        from pipelines.tasks.image import remarks

        yield from remarks.unscaled(rows.pixels.files, measures.get("modes", {}))

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Describe shape and range of the pixels as the model sees them."""
        pixels = rows[row]["pixel_values"]
        shape = " x ".join(map(str, pixels.shape))
        return [f"{shape} pixels from {pixels.min():.2f} to {pixels.max():.2f}"]

    def simple_features(self) -> "SimpleFeatures":
        """Return the colors of the images."""
        from pipelines.tasks.simple_features.color_histogram import ColorHistogram

        return ColorHistogram()


def _image_augmentation(augmentation: "Augmentation | None") -> "Image | None":
    from pipelines.tasks.augmentations.image import Image

    assert augmentation is None or isinstance(augmentation, Image)
    return augmentation
