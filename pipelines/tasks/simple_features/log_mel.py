"""How loud each band of frequencies is in a clip, on average."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.tasks.simple_features import SimpleFeatures

if TYPE_CHECKING:
    from datasets import Dataset

NUM_BANDS = 40
WINDOW_SECONDS = 0.025
MAX_SECONDS = 10  # of a clip that are read
SILENCE = 1e-10  # power that is added, so that silence has a logarithm


class LogMel(SimpleFeatures):
    """Mean and standard deviation over time of the logarithm of 40 mel bands."""

    name: ClassVar[str] = "mean log-mel"
    max_train_rows: ClassVar[int] = 1_000
    max_scored_rows: ClassVar[int] = 2_000

    def read(self, dataset: "Dataset", rows: Any, chosen: Sequence[int]) -> np.ndarray:
        """Read (examples, 2 x bands) of the clips before augmentation."""
        # libsndfile and numpy's transforms leave the GIL to others
        with ThreadPoolExecutor() as pool:
            return np.stack([*pool.map(lambda row: _bands(rows.read(row), rows.rate), chosen)])

    def transformer(self, max_features: int) -> Any:
        """Return scikit-learn's StandardScaler."""
        from sklearn.preprocessing import StandardScaler

        return StandardScaler()


def _bands(samples: np.ndarray, rate: int) -> np.ndarray:
    size = round(WINDOW_SECONDS * rate)
    samples = samples[: MAX_SECONDS * rate]
    samples = np.pad(samples, (0, max(0, size - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    power = np.abs(np.fft.rfft(windows * np.hanning(size))) ** 2
    bands = np.log(power @ _filters(rate, size) + SILENCE)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


@cache
def _filters(rate: int, size: int) -> np.ndarray:
    """Build the (frequencies, bands) filters of a window."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        num_frequency_bins=size // 2 + 1,
        num_mel_filters=NUM_BANDS,
        min_frequency=0.0,
        max_frequency=rate / 2,
        sampling_rate=rate,
    )
