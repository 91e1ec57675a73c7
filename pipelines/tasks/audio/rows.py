"""Clips -> what a feature extractor makes of them, read once where they fit in memory."""

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
from pipelines.tasks.encoding.packed import Packed

if TYPE_CHECKING:
    import torch

Vary = Callable[[np.ndarray], np.ndarray]
Features = dict[str, np.ndarray]

IN_MEMORY = 2**30  # bytes of samples or features, per split


class EncodedClips:
    """Rows of what the extractor gives for one clip (`input_values` or `input_features`; float32)
    and `labels`.

    Reading, resampling and extracting are deterministic, so a split that fits is encoded once,
    in threads, and not once an epoch, and kept as `key` for later runs. Where `take` varies the
    samples, only they are kept.

        samples ── take ── extract ── mask ──▶ input_values

    Attributes:
        samples: of each clip, at the extractor's rate, before they are varied.
        lengths: the same; None where the extractor makes all clips equally long, as AST's does.
        mixes_lengths: whether evaluation may pad clips of several lengths to one batch. Models
            that were trained without an attention mask answer otherwise when padded, and a saved
            one is asked about a clip at a time.
        texts: the transcripts behind the labels, where there are any.
        fingerprint: the same in all runs in which the rows are; None where they are varied.
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
        take: Vary | None = None,
        mask: Vary | None = None,
    ) -> None:
        self.labels, self.samples = labels, samples
        self._read, self._extractor = read, extractor
        self._take, self._mask = take, mask
        self.fingerprint = None if take or mask else fingerprint(key, list(labels))
        keeps = Packed.is_kept(key) or self._fits()
        self._kept = Packed.kept(key, self._encode_all) if keeps else None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict[str, Any]:
        settled = self._settled(row) if self._kept is None else self._from_memory(row)
        features = self._extract(self._take(settled["samples"])) if self._take else settled
        if self._mask:
            name = self._extractor.model_input_names[0]
            features = {**features, name: _masked(features[name], self._mask, self._extractor)}
        return {**features, "labels": self.labels[row]}

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """What batches are made by."""
        name = self._extractor.model_input_names[0]
        ends = (
            self[int(row)][name].shape for row in (self.samples.argmin(), self.samples.argmax())
        )
        return self.samples if len(set(ends)) > 1 else None

    def _settled(self, row: int) -> Features:
        """What is the same each time: samples, or what the extractor makes of them."""
        samples = self._read(row)
        return {"samples": samples} if self._take else self._extract(samples)

    def _from_memory(self, row: int) -> Features:
        assert self._kept
        return {name: tensor.numpy() for name, tensor in self._kept[row].items()}

    def _extract(self, samples: np.ndarray) -> Features:
        rate = self._extractor.sampling_rate
        features = self._extractor(samples, sampling_rate=rate, return_tensors="np")
        return {name: values[0] for name, values in features.items()}

    def _fits(self) -> bool:
        """As estimated from a clip of about the mean length."""
        if not len(self):
            return False
        settled = self._settled(int(np.abs(self.samples - self.samples.mean()).argmin()))
        return len(self) * sum(array.nbytes for array in settled.values()) <= IN_MEMORY

    def _encode_all(self) -> "Iterator[dict[str, torch.Tensor]]":
        import torch
        from tqdm.auto import tqdm

        from pipelines.core.console import shows_bars

        with ThreadPoolExecutor() as pool:
            settled = pool.map(self._settled, range(len(self)))
            bar = tqdm(settled, desc="reading clips", total=len(self), disable=not shows_bars())
            for features in bar:
                yield {name: torch.from_numpy(array) for name, array in features.items()}


@dataclass(frozen=True)
class Padded:
    """Rows -> batch, padded to its longest clip as the extractor was made to: with an attention
    mask or without. Labels that are sequences are padded with -100.

    With `tells_lengths`, what no mask says the batch does: to whom trains on it.
    """

    extractor: Any
    tells_lengths: bool = False

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, "torch.Tensor"]:
        """Rows of an `EncodedClips` -> tensors."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        inputs = [{k: v for k, v in row.items() if k != "labels"} for row in rows]
        batch = dict(self.extractor.pad(inputs, padding=True, return_tensors="pt"))
        lengths = [len(row["input_values"]) for row in rows if "input_values" in row]
        if self.tells_lengths and "attention_mask" not in batch and len({*lengths}) > 1:
            batch[LENGTHS] = torch.tensor(lengths)
        labels = [torch.as_tensor(row["labels"]) for row in rows]
        if labels[0].dim():
            return {**batch, "labels": pad_sequence(labels, True, IGNORED)}
        return {**batch, "labels": torch.stack(labels)}


def _masked(features: np.ndarray, mask: Vary, extractor: Any) -> np.ndarray:
    """A spectrogram that is masked as (frames, bins); Whisper's stands the other way round.

    Raises:
        RecipeError: these are samples.
    """
    if features.ndim == 1:
        raise RecipeError(
            "augmentation: mask_time and mask_frequency are for spectrograms; this model reads "
            "samples and masks frames of its own: model.config.mask_time_prob, mask_feature_prob"
        )
    if features.shape[0] in (extractor.feature_size, getattr(extractor, "num_mel_bins", None)):
        return mask(features.T).T
    return mask(features)
