"""Other takes of a sound: gain, noise, shift and speed; masked bands of a spectrogram."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field, field_validator

from pipelines.tasks.augmentations import Augmentation

Range = tuple[float, float]


class Audio(Augmentation):
    """Changes of a waveform, in this order: speed, shift, gain, noise; all off by default.

    Masks are SpecAugment (arXiv 1904.08779) for models that read spectrograms (AST, Whisper).
    Models that read samples (wav2vec2, HuBERT) mask frames themselves in training, by fields of
    their config such as `model.config.mask_time_prob`.
    """

    modality: str = "audio"
    speed: Range | None = Field(
        None,
        description="range of the factor; changes pitch and length (Ko et al. 2015: [0.9, 1.1])",
    )
    shift: float = Field(
        0, ge=0, le=1, description="share of the clip by which it starts earlier or later, at most"
    )
    gain: Range | None = Field(None, description="range in decibels; usual: [-6, 6]")
    noise: Range | None = Field(
        None, description="range of the signal-to-noise ratio of white noise, decibels: [10, 40]"
    )
    mask_time: float = Field(
        0, ge=0, le=1, description="longest masked share of a spectrogram's frames; usual: 0.1"
    )
    mask_frequency: float = Field(
        0, ge=0, le=1, description="widest masked share of its frequency bins; usual: 0.2"
    )
    num_masks: int = Field(2, ge=1, description="of each kind")

    @field_validator("speed", "gain", "noise")
    @classmethod
    def _is_range(cls, range: Range | None) -> Range | None:
        if range and range[0] > range[1]:
            raise ValueError(f"{list(range)} is no range; expected [minimum, maximum]")
        return range

    @field_validator("speed")
    @classmethod
    def _is_factor(cls, speed: Range | None) -> Range | None:
        if speed and not 0.1 <= speed[0] <= speed[1] <= 10:
            raise ValueError(f"{list(speed)}: expected factors from 0.1 to 10, such as [0.9, 1.1]")
        return speed

    def example(self) -> "RandomWaveform | None":
        """Return the transform of (samples,) float32; None where all are off."""
        if not (self.speed or self.shift or self.gain or self.noise):
            return None
        return RandomWaveform(self.speed, self.shift, self.gain, self.noise)

    def encoded(self) -> "Masks | None":
        """Return the masking of a (frames, bins) spectrogram; None where it is off."""
        if not (self.mask_time or self.mask_frequency):
            return None
        return Masks(self.mask_time, self.mask_frequency, self.num_masks)


@dataclass(frozen=True)
class RandomWaveform:
    """A random change of a clip; the fields are those of `Audio`."""

    speed: Range | None
    shift: float
    gain: Range | None
    noise: Range | None

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Transform (samples,) float32; the length changes with the speed."""
        if self.speed:
            samples = _change_speed(samples, _draw(self.speed))
        if self.shift:
            samples = _shift(samples, round(_draw((-self.shift, self.shift)) * len(samples)))
        if self.gain:
            samples = samples * _amplitude_ratio(_draw(self.gain))
        # last, so that gain leaves the signal-to-noise ratio as it is
        if self.noise:
            samples = samples + _noise(samples, _draw(self.noise))
        return samples.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Masks:
    """Bands of frames and of frequency bins set to the mean; the fields are those of `Audio`."""

    time: float
    frequency: float
    num_masks: int

    def __call__(self, spectrogram: np.ndarray) -> np.ndarray:
        """Return a masked copy of (frames, bins)."""
        # a copy, since the stored spectrogram is masked anew at the next access
        masked, mean = spectrogram.copy(), spectrogram.mean()
        for axis, widest in ((0, self.time), (1, self.frequency)):
            length = spectrogram.shape[axis]
            for _ in range(self.num_masks):
                width = round(_draw((0, widest)) * length)
                start = round(_draw((0, length - width)))
                masked.swapaxes(0, axis)[start : start + width] = mean
        return masked


def _draw(range: Range) -> float:
    import torch

    # from torch's generator, which the Trainer seeds in every process and worker
    return float(torch.empty(1).uniform_(*range)) if range[0] < range[1] else range[0]


def _change_speed(samples: np.ndarray, factor: float) -> np.ndarray:
    import soxr

    # as if recorded at `factor` times the rate: pitch and tempo change together
    return soxr.resample(samples, factor, 1.0) if len(samples) > 1 else samples


def _shift(samples: np.ndarray, by: int) -> np.ndarray:
    """Move a clip `by` samples later, or earlier if negative, and fill up with silence."""
    silence = np.zeros(abs(by), samples.dtype)
    if by > 0:
        return np.concatenate([silence, samples[: len(samples) - by]])
    return np.concatenate([samples[-by:], silence])


def _amplitude_ratio(decibels: float) -> float:
    """Turn decibels into a ratio of amplitudes."""
    return 10 ** (decibels / 20)


def _noise(samples: np.ndarray, ratio: float) -> np.ndarray:
    """Draw white noise `ratio` decibels below the signal."""
    import torch

    level = float(np.sqrt(np.mean(samples**2))) / _amplitude_ratio(ratio)
    return level * torch.randn(len(samples)).numpy()
