"""Frames that a model makes of a clip: their number, the fewest it takes, the longest it reads."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MAX_PROBED_SECONDS = 40  # an extractor that reads this much reads clips of any length


def num_frames(extractor: Any, config: "PretrainedConfig", num_samples: int) -> int:
    """Count the frames that a model makes of `num_samples` samples."""
    if hasattr(config, "conv_kernel"):  # models that read samples: wav2vec2 and its relatives
        length = num_samples
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            # convolutions without padding
            length = max(0, (length - kernel) // stride + 1)
        return length
    # spectrograms: no attribute says how long they are, so one of silence is made
    try:
        frames = len(_features(extractor, np.zeros(num_samples, np.float32)))
    except ValueError:  # shorter than a window of the spectrogram
        return 0
    # FastConformers make one frame of several
    factor = getattr(getattr(config, "encoder_config", config), "subsampling_factor", 1)
    return -(-frames // factor)


def min_frames(config: "PretrainedConfig") -> int:
    """Return the fewest frames that a model takes in training.

    1, or the length of a mask where the model applies SpecAugment itself.
    """
    masks = getattr(config, "apply_spec_augment", False) and config.mask_time_prob > 0
    return max(1, config.mask_time_length if masks else 1)


@cache
def max_input_seconds(extractor: Any) -> float | None:
    """Measure how many seconds of a clip its features depend on; None: all of it.

    AST and Whisper silently cut what is longer (10 and 30 s). No attribute says so: the features
    of silence are compared with those of silence that ends in noise, to a tenth of a second.
    """
    rate = extractor.sampling_rate
    num_samples = (MAX_PROBED_SECONDS + 1) * rate
    noise = np.random.default_rng(0).normal(0, 0.1, num_samples).astype(np.float32)
    silence = _features(extractor, np.zeros_like(noise))

    def is_ignored(tenths: int) -> bool:
        """Tell whether noise after so many tenths of a second changes no feature."""
        sound = noise.copy()
        sound[: tenths * rate // 10] = 0
        return np.array_equal(_features(extractor, sound), silence)

    if not is_ignored(MAX_PROBED_SECONDS * 10):
        return None
    return bisect_left(range(MAX_PROBED_SECONDS * 10 + 1), True, key=is_ignored) / 10 or None


def _features(extractor: Any, samples: np.ndarray) -> np.ndarray:
    rate = extractor.sampling_rate
    features = extractor(samples, sampling_rate=rate, return_tensors="np")
    return features[extractor.model_input_names[0]][0]


def num_needed(ids: Sequence[int]) -> int:
    """Count the frames that CTC needs for a transcript: with fewer the loss is infinite.

    It aligns one with each character, and a blank between two that are the same.
    """
    return len(ids) + sum(one == other for one, other in pairwise(ids))
