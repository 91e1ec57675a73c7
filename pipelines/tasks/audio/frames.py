"""How a model cuts sound into frames: how many they are, how few it takes, how much it hears."""

from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LONG = 40  # seconds; what is heard to here is heard without end


def num_frames(extractor: Any, config: "PretrainedConfig", num_samples: int) -> int:
    """How many frames a model makes of so many samples.

    Models that read samples say it by their convolutions; for the others it is found out by
    giving silence to the extractor. Some (FastConformers) then make one frame of several.
    """
    if hasattr(config, "conv_kernel"):
        length = num_samples
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            length = max(0, (length - kernel) // stride + 1)
        return length
    try:
        frames = len(_features(extractor, np.zeros(num_samples, np.float32)))
    except ValueError:  # shorter than a window of the spectrogram
        return 0
    factor = getattr(getattr(config, "encoder_config", config), "subsampling_factor", 1)
    return -(-frames // factor)


def num_frames_needed(config: "PretrainedConfig") -> int:
    """One, or as many as SpecAugment masks at once where the model brings its own."""
    masks = getattr(config, "apply_spec_augment", False) and config.mask_time_prob > 0
    return max(1, config.mask_time_length if masks else 1)


@cache
def seconds_heard(extractor: Any) -> float | None:
    """How much of a clip gets into its features, to a tenth of a second; None: all of it.

    AST and Whisper cut what is longer (10 and 30 s) without a word. Found out by giving silence
    and then noise to the extractor.
    """
    rate = extractor.sampling_rate
    noise = np.random.default_rng(0).normal(0, 0.1, (LONG + 1) * rate).astype(np.float32)

    def is_deaf(tenths: int) -> bool:
        sound = noise.copy()
        sound[: tenths * rate // 10] = 0
        return np.array_equal(_features(extractor, sound), silence)

    silence = _features(extractor, np.zeros_like(noise))
    tenths = bisect_left(range(LONG * 10 + 1), True, key=is_deaf) if is_deaf(LONG * 10) else 0
    return tenths / 10 or None


def _features(extractor: Any, samples: np.ndarray) -> np.ndarray:
    rate = extractor.sampling_rate
    features = extractor(samples, sampling_rate=rate, return_tensors="np")
    return features[extractor.model_input_names[0]][0]
