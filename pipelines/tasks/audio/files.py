"""Sound files -> one channel of samples at a model's rate, without a system library.

soundfile brings libsndfile along (wav, flac, ogg, mp3…), soxr resamples. A clip is a row of a
`datasets.Audio(decode=False)` column: `{"bytes": …, "path": …}`, one of which may be None.
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core import regular_files
from pipelines.tasks import _content as content

if TYPE_CHECKING:
    import numpy as np

Clip = dict[str, Any]


def read(clip: Clip, sampling_rate: int) -> "np.ndarray":
    """Decode a clip: (samples,) float32 between -1 and 1, the mean of its channels.

    Raises:
        soundfile.SoundFileError: it cannot be decoded.
    """
    import soundfile
    import soxr

    samples, rate = soundfile.read(_source(clip), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate == sampling_rate else soxr.resample(mono, rate, sampling_rate)


def num_samples(clip: Clip, sampling_rate: int) -> int:
    """Count the samples that `read` returns, from the file's header."""
    import soundfile

    info = soundfile.info(_source(clip))
    return round(info.frames * sampling_rate / info.samplerate)


def header(clip: Clip) -> tuple[float, int]:
    """Read (seconds, sampling rate in Hz) from the file's header."""
    import soundfile

    info = soundfile.info(_source(clip))
    return info.duration, info.samplerate


def problem(clip: Clip | None) -> str | None:
    """Describe why a clip cannot be read to its last sample; None when it can."""
    import numpy as np
    import soundfile

    if not isinstance(clip, dict):
        return f"no sound, but a {type(clip).__name__}" if clip else "no sound"
    try:
        samples = read(clip, soundfile.info(_source(clip)).samplerate)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        return f"{name(clip)} cannot be read as sound ({_reason(clip, error)})"
    if not len(samples):
        return f"{name(clip)} holds no samples"
    if not np.isfinite(samples).all():
        return f"{name(clip)} holds samples that are not finite numbers"
    return None


def name(clip: Clip) -> str:
    """Return the name of a clip in messages."""
    return clip.get("path") or "sound"


def _reason(clip: Clip, error: Exception) -> str:
    """Say what stands in the file instead, or what libsndfile has to say."""
    # the text before the last colon repeats the path, or the repr of an open file
    reason = str(error).rpartition(": ")[2].rstrip(".")
    if regular_files.problem(clip.get("path") or ""):
        return reason
    try:
        start = clip.get("bytes")
        if start is None:
            with Path(clip["path"]).open("rb") as opened:
                start = opened.read(content.MAX_BYTES)
    except FileNotFoundError:
        return "no such file"
    except (OSError, TypeError):
        return reason
    description = content.describe(start[: content.MAX_BYTES])
    return f"{reason}; {description}" if description else reason


def _source(clip: Clip) -> Any:
    """Return the clip's path, or an open file on its bytes."""
    # bytes win: a path beside them often names a file on the machine that wrote the data
    if clip.get("bytes") is not None:
        return io.BytesIO(clip["bytes"])
    # opening a pipe would wait forever, and reading a device would not end
    if reason := regular_files.problem(clip["path"] or ""):
        raise OSError(f"it {reason}")
    return clip["path"]
