"""Clips -> rows of features, computed once where a split fits in memory, and their batches."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import RecipeError
from pipelines.core.labels import IGNORED
from pipelines.tasks.encoding import LENGTHS
from pipelines.tasks.encoding.dataset_map import fingerprint
from pipelines.tasks.encoding.stored_rows import StoredRows

if TYPE_CHECKING:
    import torch

Transform = Callable[[np.ndarray], np.ndarray]
Features = dict[str, np.ndarray]

MAX_HEARD = 256  # clips of a split that are searched for silent ones
MAX_STORED_BYTES = 2**30  # of samples or features, per split


class EncodedClips:
    """Rows of an extractor's features for one clip (`input_values` or `input_features`; float32)
    and `labels`.

    Reading, resampling and extracting are deterministic, so a split that fits is encoded once, in
    threads, and stored under `key` for later runs. Where samples are augmented, the samples are
    stored and features extracted at every access.

        samples ── augment_samples ── extract ── augment_features ──▶ input_values

    Attributes:
        read: row -> (samples,) float32 at the extractor's rate, before augmentation.
        samples: (clips,) number of samples at the extractor's rate, before augmentation.
        lengths: the same; None where the extractor makes all clips equally long, as AST's does.
        mixes_lengths: whether evaluation may pad clips of several lengths to one batch. Models
            that were trained without an attention mask predict otherwise for padded clips, and a
            saved model gets one clip at a time.
        texts: the transcripts behind the labels, where there are any.
        fingerprint: a key that is the same in all runs in which the rows are; None where they are
            augmented.
    """

    mixes_lengths = False
    texts: Sequence[str] = ()

    def __init__(
        self,
        read: Callable[[int], np.ndarray],
        extractor: Any,
        labels: Sequence[Any],
        samples: np.ndarray,
        key: str,
        augment_samples: Transform | None = None,
        augment_features: Transform | None = None,
    ) -> None:
        self.labels, self.samples = labels, samples
        self.read, self._extractor = read, extractor
        self._augment_samples, self._augment_features = augment_samples, augment_features
        is_augmented = augment_samples or augment_features
        self.fingerprint = None if is_augmented else fingerprint(key, list(labels))
        # in this order: an estimate has to encode a clip
        stores = StoredRows.is_stored(key) or self._fits()
        self._stored = StoredRows.load_or_encode(key, self._encode_all) if stores else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        # only what comes before the first augmentation is stored
        features = self._encode(row) if self._stored is None else self._load(row)
        if self._augment_samples:
            features = self._extract(self._augment_samples(features["samples"]))
        if self._augment_features:
            name = self._extractor.model_input_names[0]
            masked = _masked(features[name], self._augment_features, self._extractor)
            features = {**features, name: masked}
        return {**features, "labels": self.labels[row]}

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """(clips,) lengths by which batches are made; None where all are equal."""
        name = self._extractor.model_input_names[0]
        # an extractor that pads or cuts gives both the same shape
        shortest, longest = int(self.samples.argmin()), int(self.samples.argmax())
        is_equal = self[shortest][name].shape == self[longest][name].shape
        return None if is_equal else self.samples

    @property
    def rate(self) -> int:
        """Samples of a second, as the extractor takes them."""
        return self._extractor.sampling_rate

    def silent_rows(self) -> tuple[list[int], int]:
        """Find clips whose samples are all the same: (their rows, how many clips were looked at).

        Of more than MAX_HEARD clips, as many are looked at, evenly spread.
        """
        looked_at = range(0, len(self), max(1, len(self) // MAX_HEARD))
        with ThreadPoolExecutor() as pool:
            spreads = pool.map(lambda row: np.ptp(self.read(row)), looked_at)
            rows = [row for row, spread in zip(looked_at, spreads, strict=True) if not spread]
        return rows, len(looked_at)

    def _encode(self, row: int) -> Features:
        """Compute what is the same at each access: features, or samples if they are augmented."""
        samples = self.read(row)
        return {"samples": samples} if self._augment_samples else self._extract(samples)

    def _load(self, row: int) -> Features:
        assert self._stored
        return {name: tensor.numpy() for name, tensor in self._stored[row].items()}

    def _extract(self, samples: np.ndarray) -> Features:
        features = self._extractor(samples, sampling_rate=self.rate, return_tensors="np")
        return {name: values[0] for name, values in features.items()}

    def _fits(self) -> bool:
        """Estimate from a clip of about the mean length whether the split fits in memory."""
        if not len(self):
            return False
        row = int(np.abs(self.samples - self.samples.mean()).argmin())
        num_bytes = sum(array.nbytes for array in self._encode(row).values())
        return len(self) * num_bytes <= MAX_STORED_BYTES

    def _encode_all(self) -> "Iterator[dict[str, torch.Tensor]]":
        import torch
        from tqdm.auto import tqdm

        from pipelines.core.console import shows_bars

        with ThreadPoolExecutor() as pool:
            encoded = pool.map(self._encode, range(len(self)))
            bar = tqdm(encoded, desc="reading clips", total=len(self), disable=not shows_bars())
            for features in bar:
                yield {name: torch.from_numpy(array) for name, array in features.items()}


@dataclass(frozen=True)
class ClipCollator:
    """Pads clips to the longest of the batch, and labels that are sequences with -100.

    Attributes:
        extractor: pads, with an attention mask if its checkpoint was trained with one.
        with_lengths: add `LENGTHS` to batches without an attention mask, from which training knows
            what is padding.
    """

    extractor: Any
    with_lengths: bool = False

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, "torch.Tensor"]:
        """Turn rows of an `EncodedClips` into tensors (rows, …)."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        labels = [torch.as_tensor(row["labels"]) for row in rows]
        inputs = [{**row} for row in rows]
        for row in inputs:
            del row["labels"]
        batch = dict(self.extractor.pad(inputs, padding=True, return_tensors="pt"))
        lengths = [len(row["input_values"]) for row in rows if "input_values" in row]
        if self.with_lengths and "attention_mask" not in batch and len({*lengths}) > 1:
            batch[LENGTHS] = torch.tensor(lengths)
        if labels[0].dim():
            # transformers' CTC loss leaves -100 out
            return {**batch, "labels": pad_sequence(labels, True, IGNORED)}
        return {**batch, "labels": torch.stack(labels)}


def _masked(features: np.ndarray, mask: Transform, extractor: Any) -> np.ndarray:
    """Mask a spectrogram as (frames, bins), whichever way round it is.

    Raises:
        RecipeError: these are samples.
    """
    if features.ndim == 1:
        raise RecipeError(
            "augmentation: mask_time and mask_frequency need spectrograms, and this model reads "
            "samples; it masks frames itself: set model.config.mask_time_prob or mask_feature_prob"
        )
    # Whisper's have the bins first
    if features.shape[0] in (extractor.feature_size, getattr(extractor, "num_mel_bins", None)):
        return mask(features.T).T
    return mask(features)
