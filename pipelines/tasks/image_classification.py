"""One image -> one label, several labels or a number."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks import Measure
from pipelines.tasks._classification import Classification

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.augmentations import Augmentation
    from pipelines.labels import Labels


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
        from pipelines.timm_checkpoint import image_processor

        return image_processor(checkpoint, **options)

    def unreadable(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Images that cannot be decoded to their last pixel."""
        from datasets import Image

        raw = dataset.cast_column("image", Image(decode=False))
        with ThreadPoolExecutor() as pool:
            for row, problem in enumerate(pool.map(_unreadable, (r["image"] for r in raw))):
                if problem:
                    yield row, problem

    def encode(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: "Labels",
        augmentation: "Augmentation | None" = None,
    ) -> Any:
        """Images as the processor wants them, kept in memory when small; and `labels`."""
        from pipelines.augmentations.image import Image
        from pipelines.tasks._images import EncodedImages, VariedImages

        targets = labels.encode(dataset["label"][:], "data")
        if augmentation is None:
            return EncodedImages(dataset, processor, targets)
        assert isinstance(augmentation, Image)
        return VariedImages(dataset, processor, targets, augmentation)

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Stacks pixel values and labels."""
        from transformers import default_data_collator

        return default_data_collator

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Sizes and modes of the images."""
        from pipelines.tasks import _image_headers as headers

        return headers.measures(dataset)

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Shape and range of the pixels as the model sees them."""
        pixels = rows[row]["pixel_values"]
        shape = " x ".join(map(str, pixels.shape))
        return [f"{shape} pixels from {pixels.min():.2f} to {pixels.max():.2f}"]


def _unreadable(image: dict[str, Any] | None) -> str | None:
    """Why an image cannot be decoded; None when it can."""
    from PIL import Image

    if image is None:
        return "no image"
    name = image.get("path") or "image"
    try:
        source = image["path"] if image.get("bytes") is None else io.BytesIO(image["bytes"])
        with Image.open(source) as opened:
            opened.load()
    except Exception as error:  # Pillow raises many kinds for damaged files
        return f"{name} cannot be read as an image ({type(error).__name__})"
    return None
