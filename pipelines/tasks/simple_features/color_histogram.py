"""Which colors are in an image, whatever their place."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.tasks.simple_features import SimpleFeatures

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.tasks.image.pixels import Pixels

NUM_LEVELS = 6  # of each channel
MAX_SIDE = 64  # pixels that are looked at in each direction, evenly spread


class ColorHistogram(SimpleFeatures):
    """The share of each color, of six levels a channel, as its square root: shares of few pixels
    count, too."""

    name: ClassVar[str] = "color histogram"
    max_train_rows: ClassVar[int] = 5_000
    max_scored_rows: ClassVar[int] = 20_000

    def obstacle(self, rows: Any) -> str | None:
        """Return a reason where every access decodes an image."""
        return "the images do not fit in memory" if rows.decodes else None

    def read(self, dataset: "Dataset", rows: Any, chosen: Sequence[int]) -> np.ndarray:
        """Read (examples, colors) of the images before augmentation."""
        pixels = rows.pixels
        return np.stack([_histogram(_spread(pixels, row)) for row in chosen])

    def transformer(self, max_features: int) -> Any:
        """Return scikit-learn's StandardScaler without its division: shares have one scale."""
        from sklearn.preprocessing import StandardScaler

        return StandardScaler(with_std=False)


def _spread(pixels: "Pixels", row: int) -> np.ndarray:
    """Take pixels of an image that are evenly spread: (channels, pixels), from 0 to below 1."""
    image = pixels[[row]][0]
    height, width = image.shape[1:]
    image = image[:, :: max(1, height // MAX_SIDE), :: max(1, width // MAX_SIDE)]
    # as bytes, which an augmented train is stored as
    if pixels.colors and image.is_floating_point():
        image = pixels.colors.invert(image[None])[0]
    values = image.flatten(1).numpy()
    # a processor's mean and deviation bring colors between about -2.5 and 2.5
    return (values + 2.5) / 5 if image.is_floating_point() else values / 256


def _histogram(values: np.ndarray) -> np.ndarray:
    channels = len(values)
    levels = (values * NUM_LEVELS).astype(int).clip(0, NUM_LEVELS - 1)
    counts = np.bincount(NUM_LEVELS ** np.arange(channels) @ levels, minlength=NUM_LEVELS**channels)
    return np.sqrt(counts / counts.sum())
