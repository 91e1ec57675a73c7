"""Images -> what is the same of them each time, made once on all cores and kept where it fits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pipelines.core import cache
from pipelines.core.errors import DataError, ModelError
from pipelines.tasks.encoding.dataset_map import fingerprint
from pipelines.tasks.encoding.packed import Packed
from pipelines.tasks.image.colors import Colors
from pipelines.tasks.image.files import ImageFiles

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from PIL.Image import Image as Picture

    from pipelines.tasks.augmentations.image import Image

KIND = "corrupt_rows"
IN_MEMORY = 2**30  # bytes of pixels, per split
SAMPLE = 32  # images whose sizes tell how large the others are
CHUNK = 16  # images that a thread takes at once: more are slower, their floats leave its cache
DECODED, RESIZED, NORMALISED = "decoded", "resized", "normalized"


class Pixels:
    """Tensors (channels, height, width), one for each image, in one of three forms.

        decoded      as large as they are, to be cropped another way each time; bytes
        resized      as the processor makes them, but bytes: four times as many fit in memory
        normalized   as the processor makes them, float32; where bytes would lose something

    Attributes:
        key: what they are kept by.
        decodes: whether there are too many to be kept: every access decodes them again.
    """

    def __init__(
        self, dataset: "Dataset", processor: Any, form: str, colors: Colors | None
    ) -> None:
        self.files, self.processor = ImageFiles(dataset), processor
        self.form, self.colors = form, colors
        kind = type(processor).__name__  # `to_dict` is the same for both of its backends
        self.key = fingerprint(dataset._fingerprint, kind, processor.to_dict(), form)
        self.decodes = not (Packed.is_kept(self.key) or self._fits())
        self._kept = None if self.decodes else Packed.kept(self.key, self._encode_all)

    @classmethod
    def of(
        cls, dataset: "Dataset", processor: Any, augmentation: "Image | None" = None
    ) -> "Pixels":
        """In the form from which training goes on.

        Raises:
            DataError: an image cannot be read; found only where all are kept, and were not before.
            ModelError: the processor allows no augmentation.
        """
        try:
            colors = Colors.of(processor)
        except ModelError:
            if augmentation is not None:
                raise
            return cls(dataset, processor, NORMALISED, None)
        if augmentation is None:
            return cls(dataset, processor, RESIZED if colors.exact else NORMALISED, colors)
        return cls(dataset, processor, DECODED if augmentation.crop else RESIZED, colors)

    def __getitem__(self, rows: Sequence[int]) -> "Sequence[torch.Tensor]":
        """Some images in their form."""
        if self._kept is None:
            return self._encode(rows)
        return [self._kept[row]["pixels"] for row in rows]

    def values(self, images: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Images of one size -> (images, channels, height, width) float32 for the model."""
        import torch

        if self.form == NORMALISED:
            return torch.stack(list(images))
        assert self.colors
        return self.colors(images)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what the model sees of the first image."""
        height, width = self._processed(_blank(self.files.sizes([0]))).shape[2:]
        return height, width

    def _encode(self, rows: Sequence[int]) -> "Sequence[torch.Tensor]":
        return self._formed(self.files.read(rows))

    def _formed(self, images: "list[Picture]") -> "Sequence[torch.Tensor]":
        from torchvision.transforms.v2.functional import pil_to_tensor

        if self.form == DECODED:
            return [pil_to_tensor(image) for image in images]
        pixels = self._processed(images)
        if self.form == NORMALISED:
            return pixels.unbind()
        assert self.colors
        return self.colors.invert(pixels).unbind()

    def _processed(self, images: "list[Picture]") -> "torch.Tensor":
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def _fits(self) -> bool:
        """As estimated from the headers of some; nothing is decoded."""
        rows = range(0, len(self.files), max(1, len(self.files) // SAMPLE))
        sizes = Counter(self.files.sizes(rows))
        num_bytes = (n * self._formed(_blank([size]))[0].nbytes for size, n in sizes.items())
        return sum(num_bytes) * rows.step <= IN_MEMORY

    def _encode_all(self) -> "Iterator[dict[str, torch.Tensor]]":
        from tqdm.auto import tqdm

        from pipelines.core.console import shows_bars

        rows = range(len(self.files))
        chunks = [rows[start : start + CHUNK] for start in rows[::CHUNK]]
        with ThreadPoolExecutor() as pool:
            encoded = pool.map(self._encode, chunks)
            for images in tqdm(
                encoded, desc="encoding images", total=len(chunks), disable=not shows_bars()
            ):
                yield from ({"pixels": image} for image in images)


def corrupt_rows(
    dataset: "Dataset", processor: Any, augmentation: "Image | None"
) -> Iterator[tuple[int, str]]:
    """(row, why) of every image that cannot be decoded to its last pixel.

    What is decoded for that is kept as `Pixels`, where it fits, and so is what was found: later
    runs decode nothing, and look again only at what could not be read.
    """
    import torch

    files = ImageFiles(dataset)

    def find() -> list[int]:
        try:
            if not Pixels.of(dataset, processor, augmentation).decodes:
                return []
        except DataError:  # there is one: look at each
            pass
        return files.corrupt_rows()

    key = fingerprint(dataset._fingerprint)
    found = cache.tensors(KIND, key, lambda: {"rows": torch.tensor(find(), dtype=torch.long)})
    for row in found["rows"].tolist():
        if problem := files.problem(row):
            yield row, problem


def _blank(sizes: list[tuple[int, int]]) -> "list[Picture]":
    from PIL.Image import new

    return [new("RGB", size) for size in sizes]
