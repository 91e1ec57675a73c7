"""Sounds in noise, slowed down, or with few of their frequencies."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

import numpy as np

from pipelines.evaluation.corruptions import Corrupt, Corruptions

if TYPE_CHECKING:
    from datasets import Dataset

# by severity
SIGNAL_TO_NOISE = (20, 15, 10, 5, 0)  # decibels
SPEEDS = (0.95, 0.9, 0.8, 0.7, 0.6)  # slower only: a shorter clip may be too short for a model
# hertz that pass; the third is that of a telephone
BANDS = ((50, 7000), (150, 5000), (300, 3400), (500, 2500), (800, 2000))
BAND_ORDER = 2  # of the Butterworth filter, which runs forward and backward
MAX_PADDING = 15  # samples, mirrored at each end while a filter starts
MAX_NYQUIST_SHARE = 0.95  # of half the sampling rate, which a filter's edge has to stay below


@dataclass(frozen=True, eq=False)
class Sound:
    """One channel: (samples,) float32, and samples for each second."""

    samples: np.ndarray
    rate: int


def white_noise(sound: Sound, severity: int, draws: np.random.Generator) -> Sound:
    """Add noise of all frequencies."""
    loudness = float(np.sqrt(np.mean(sound.samples**2)))
    level = loudness / 10 ** (SIGNAL_TO_NOISE[severity - 1] / 20)
    noise = draws.standard_normal(len(sound.samples), np.float32)
    return replace(sound, samples=sound.samples + level * noise)


def speed(sound: Sound, severity: int, draws: np.random.Generator) -> Sound:
    """Play a recording slower, and so lower."""
    import soxr

    samples = soxr.resample(sound.samples, SPEEDS[severity - 1], 1.0)
    return replace(sound, samples=samples)


def band_pass(sound: Sound, severity: int, draws: np.random.Generator) -> Sound:
    """Let only a band of frequencies through."""
    from scipy.signal import butter, sosfiltfilt

    low, high = BANDS[severity - 1]
    highest = MAX_NYQUIST_SHARE * sound.rate / 2
    band = min(low, highest / 2), min(high, highest)
    sections = butter(BAND_ORDER, band, "bandpass", fs=sound.rate, output="sos")
    # both ways, so that nothing is delayed; a very short clip has little to be mirrored
    padding = min(MAX_PADDING, len(sound.samples) - 1)
    passed = sosfiltfilt(sections, sound.samples, padlen=padding)
    return replace(sound, samples=passed.astype(np.float32))


class AudioCorruptions(Corruptions):
    """Corruptions of samples at the rate that the model hears."""

    kinds: ClassVar[Mapping[str, Corrupt]] = {
        "white_noise": white_noise,
        "speed": speed,
        "band_pass": band_pass,
    }

    def read(self, dataset: "Dataset", rows: Sequence[int], processor: Any) -> list[Sound]:
        """Decode clips in one channel."""
        from pipelines.tasks.audio import files

        rate = getattr(processor, "feature_extractor", processor).sampling_rate
        return [Sound(files.read(dataset[row]["audio"], rate), rate) for row in rows]

    def write(self, dataset: "Dataset", contents: Sequence[Sound]) -> "Dataset":
        """Replace the clips by others, without loss."""
        import soundfile
        from datasets import Audio

        clips = []
        for content in contents:
            file = io.BytesIO()
            # as floats: noise may exceed what integers hold
            soundfile.write(file, content.samples, content.rate, subtype="FLOAT", format="WAV")
            clips.append({"bytes": file.getvalue(), "path": None})
        others = dataset.remove_columns(["audio"])
        return others.add_column("audio", clips, feature=Audio(decode=False))

    def digest(self, content: Sound) -> int:
        """Reduce a clip to a number."""
        return crc32(content.samples.tobytes())
