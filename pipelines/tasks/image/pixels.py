"""Images -> tensors before augmentation, decoded once on all cores and stored where they fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pipelines.core import cache
from pipelines.core.errors import DataError, ModelError
from pipelines.core.upstream import dataset_fingerprint
from pipelines.tasks.encoding.dataset_map import fingerprint
from pipelines.tasks.encoding.stored_rows import StoredRows
from pipelines.tasks.image.colors import Colors
from pipelines.tasks.image.files import ImageFiles

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from PIL.Image import Image as Picture

    from pipelines.tasks.augmentations.image import Image

KIND = "corrupt_rows"
MAX_STORED_BYTES = 2**30  # of pixels, per split
NUM_SAMPLED = 32  # images from whose sizes that of all others is estimated
NUM_SAMPLED_COLORS = 256  # images that are searched for constant ones where none are stored
CHUNK_IMAGES = 16  # that a thread takes at once: more are slower, their floats leave its cache
DECODED, RESIZED, NORMALIZED = "decoded", "resized", "normalized"


class Pixels:
    """Tensors (channels, height, width), one for each image, in one of three forms.

        decoded      bytes, in the image's own size, for random crops
        resized      bytes, as the processor resizes them: a quarter of the memory of floats
        normalized   float32, as the processor makes them, where bytes would lose precision

    Attributes:
        key: the cache key under which they are stored.
        decodes: whether there are too many to store, so that every access decodes them again.
    """

    def __init__(
        self, dataset: "Dataset", processor: Any, form: str, colors: Colors | None
    ) -> None:
        self.files, self.processor = ImageFiles(dataset), processor
        self.form, self.colors = form, colors
        kind = type(processor).__name__  # `to_dict` is the same for both of its backends
        self.key = fingerprint(dataset_fingerprint(dataset), kind, processor.to_dict(), form)
        self.decodes = not (StoredRows.is_stored(self.key) or self._fits())
        self._stored = (
            None if self.decodes else StoredRows.load_or_encode(self.key, self._encode_all)
        )

    @classmethod
    def of(
        cls, dataset: "Dataset", processor: Any, augmentation: "Image | None" = None
    ) -> "Pixels":
        """Choose the form that training augments.

        Raises:
            DataError: an image cannot be read; noticed only when all are stored for the first time.
            ModelError: the processor allows no augmentation.
        """
        try:
            colors = Colors.of(processor)
        except ModelError:
            if augmentation is not None:
                raise
            return cls(dataset, processor, NORMALIZED, None)
        if augmentation is None:
            return cls(dataset, processor, RESIZED if colors.exact else NORMALIZED, colors)
        return cls(dataset, processor, DECODED if augmentation.crop else RESIZED, colors)

    def __getitem__(self, rows: Sequence[int]) -> "Sequence[torch.Tensor]":
        """Return images in their form: (channels, height, width) each."""
        if self._stored is None:
            return self._encode(rows)
        return [self._stored[row]["pixels"] for row in rows]

    def values(self, images: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Turn images of one size into (images, channels, height, width) float32 for the model."""
        import torch

        if self.form == NORMALIZED:
            return torch.stack(list(images))
        assert self.colors
        return self.colors(images)

    def constant_rows(self) -> tuple[list[int], int]:
        """Find images of a single color: (their rows, how many images were looked at).

        All that are stored, otherwise NUM_SAMPLED_COLORS of them.
        """
        count = len(self.files)
        step = max(1, count // NUM_SAMPLED_COLORS) if self.decodes else 1
        looked_at = range(0, count, step)
        return [row for row in looked_at if _is_constant(self[[row]][0])], len(looked_at)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first image as the model sees it."""
        height, width = self._processed(_blank(self.files.sizes([0]))).shape[2:]
        return height, width

    def _encode(self, rows: Sequence[int]) -> "Sequence[torch.Tensor]":
        return self._to_form(self.files.read(rows))

    def _to_form(self, images: "list[Picture]") -> "Sequence[torch.Tensor]":
        from torchvision.transforms.v2.functional import pil_to_tensor

        if self.form == DECODED:
            return [pil_to_tensor(image) for image in images]
        pixels = self._processed(images)
        if self.form == NORMALIZED:
            return pixels.unbind()
        assert self.colors
        return self.colors.invert(pixels).unbind()

    def _processed(self, images: "list[Picture]") -> "torch.Tensor":
        return self.processor(images, return_tensors="pt")["pixel_values"]

    def _fits(self) -> bool:
        """Estimate from some headers whether all fit in memory; nothing is decoded."""
        rows = range(0, len(self.files), max(1, len(self.files) // NUM_SAMPLED))
        sizes = Counter(self.files.sizes(rows))
        num_bytes = (n * self._to_form(_blank([size]))[0].nbytes for size, n in sizes.items())
        # every image in the sample stands for as many as were passed over
        return sum(num_bytes) * rows.step <= MAX_STORED_BYTES

    def _encode_all(self) -> "Iterator[dict[str, torch.Tensor]]":
        from tqdm.auto import tqdm

        from pipelines.core.console import shows_bars

        rows = range(len(self.files))
        chunks = [rows[start : start + CHUNK_IMAGES] for start in rows[::CHUNK_IMAGES]]
        with ThreadPoolExecutor() as pool:
            encoded = pool.map(self._encode, chunks)
            for images in tqdm(
                encoded, desc="encoding images", total=len(chunks), disable=not shows_bars()
            ):
                yield from ({"pixels": image} for image in images)


def corrupt_rows(
    dataset: "Dataset", processor: Any, augmentation: "Image | None"
) -> Iterator[tuple[int, str]]:
    """Yield (row, reason) for every image that cannot be decoded to its last pixel.

    The decoded images are stored as `Pixels` where they fit, and so are the rows: later runs decode
    only the images that could not be read.
    """
    import torch

    files = ImageFiles(dataset)

    def decode_all() -> list[int]:
        """Return the rows that cannot be decoded."""
        try:
            if not Pixels.of(dataset, processor, augmentation).decodes:
                return []
        except DataError:  # at least one cannot be read: find out which
            pass
        return files.corrupt_rows()

    key = fingerprint(dataset_fingerprint(dataset))
    stored = cache.tensors(
        KIND, key, lambda: {"rows": torch.tensor(decode_all(), dtype=torch.long)}
    )
    for row in stored["rows"].tolist():
        if problem := files.problem(row):
            yield row, problem


def _is_constant(image: "torch.Tensor") -> bool:
    """Return whether an image (channels, height, width) has a single color."""
    low, high = image.flatten(1).aminmax(dim=1)
    return low.equal(high)


def _blank(sizes: list[tuple[int, int]]) -> "list[Picture]":
    from PIL.Image import new

    return [new("RGB", size) for size in sizes]
