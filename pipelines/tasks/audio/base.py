"""What all tasks on sound share: the feature extractor, its rate, and columns of clips."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.tasks import Measure, Task
from pipelines.tasks.audio.frames import num_frames, num_frames_needed, seconds_heard

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.audio.rows import EncodedClips
    from pipelines.tasks.augmentations import Augmentation

LONGEST_MINIMUM = 10  # seconds; no model wants more of every clip


class AudioTask(Task):
    """A task whose examples are clips; the processor is a feature extractor, or holds one.

    Clips are resampled to the rate that the checkpoint was trained with, in one channel.
    """

    modality: ClassVar[str] = "audio"

    max_seconds: float | None = Field(
        None, gt=0, description="longer clips are cut to their beginning, in every split"
    )
    min_seconds: float | None = Field(
        None, gt=0, description="shorter clips end in silence, in every split"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_seconds and self.max_seconds and self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds {self.min_seconds} > max_seconds {self.max_seconds}")
        return self

    def load_processor(self, checkpoint: str, labels: Any, **options: Any) -> Any:
        """The feature extractor: sampling rate, normalization and padding of the checkpoint."""
        from transformers import AutoFeatureExtractor

        return AutoFeatureExtractor.from_pretrained(checkpoint, **options)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Clips that cannot be decoded to their last sample."""
        from pipelines.tasks.audio import files

        with ThreadPoolExecutor() as pool:
            problems = pool.map(lambda row: files.problem(dataset[row]["audio"]), _rows(dataset))
            yield from ((row, problem) for row, problem in enumerate(problems) if problem)

    def unsupported_rows(
        self,
        dataset: "Dataset",
        processor: Any,
        config: "PretrainedConfig",
        augmentation: "Augmentation | None" = None,
    ) -> Iterator[tuple[int, str]]:
        """Clips of which the model makes too few frames, or, in training, too few to mask."""
        from pipelines.tasks.audio import files

        extractor = _extractor(processor)
        needed = num_frames_needed(config)
        frames = partial(num_frames, extractor, config)
        rate = extractor.sampling_rate
        shortest = bisect_left(range(LONGEST_MINIMUM * rate), needed, lo=1, key=frames)
        for row, length in enumerate(self._lengths(dataset, rate)):
            if length < shortest:
                yield (
                    row,
                    f"{files.name(dataset[row]['audio'])} lasts {length / rate:.3f} s; this "
                    f"{config.model_type} needs {shortest / rate:.3f} s ({needed} frames"
                    f"{', which it masks in training' if needed > 1 else ''}): "
                    f"task.min_seconds={np.ceil(100 * shortest / rate) / 100} pads with silence",
                )

    def encode_clips(
        self,
        dataset: "Dataset",
        processor: Any,
        labels: Sequence[Any],
        augmentation: "Augmentation | None",
    ) -> "EncodedClips":
        """Clips as the extractor wants them, kept in memory when small; and `labels`."""
        from pipelines.tasks.audio.rows import EncodedClips
        from pipelines.tasks.encoding.dataset_map import fingerprint

        extractor = _extractor(processor)
        rate = extractor.sampling_rate
        take, mask = (
            (augmentation.example(), augmentation.encoded()) if augmentation else (None,) * 2
        )
        read = partial(self._read, dataset, rate)
        lengths = self._lengths(dataset, rate)
        said = self.model_dump(), dataset._fingerprint, extractor.to_dict()
        key = fingerprint(*said, take is not None)
        rows = EncodedClips(read, extractor, labels, lengths, key, take, mask)
        if mask and len(rows):
            rows[0]  # what cannot be masked is refused before training
        return rows

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Pads each batch to its own longest clip, with a mask where the extractor gives one."""
        from pipelines.tasks.audio.rows import Padded

        return Padded(_extractor(processor), tells_lengths=training)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Seconds and sampling rate of each clip as it is stored, from the headers."""
        from pipelines.tasks.audio import files

        with ThreadPoolExecutor() as pool:
            headers = list(
                pool.map(lambda row: files.header(dataset[row]["audio"]), _rows(dataset))
            )
        seconds, rates = map(np.array, zip(*headers, strict=True))
        heard = seconds_heard(_extractor(processor))
        most = min(filter(None, (self.max_seconds, heard)), default=None)
        return {"seconds": Measure(seconds, most), "hertz": Measure(rates)}

    def usage(self, model: str) -> str:
        """Reads the file without ffmpeg, which the pipeline would ask for."""
        return (
            "import soundfile, soxr\n"
            "from transformers import pipeline\n"
            f'listen = pipeline("{self.pipeline}", model="{model}")\n'
            'samples, rate = soundfile.read("clip.wav", dtype="float32", always_2d=True)\n'
            "wanted = listen.feature_extractor.sampling_rate\n"
            "listen(soxr.resample(samples.mean(axis=1), rate, wanted))"
        )

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Seconds, and shape and range of what the model sees."""
        extractor = _extractor(processor)
        values = rows[row][extractor.model_input_names[0]]
        shape = " x ".join(map(str, values.shape))
        seconds = rows.samples[row] / extractor.sampling_rate
        return [f"{seconds:.2f} s, {shape} values from {values.min():.2f} to {values.max():.2f}"]

    def _read(self, dataset: "Dataset", rate: int, row: int) -> np.ndarray:
        """(samples,) float32 of one row, cut and padded as the recipe says."""
        from pipelines.tasks.audio import files

        samples = files.read(dataset[row]["audio"], rate)
        length = self._cut_and_padded(len(samples), rate)
        return np.pad(samples[:length], (0, max(0, length - len(samples))))

    def _lengths(self, dataset: "Dataset", rate: int) -> np.ndarray:
        """Samples of each row as `_read` gives it, from the headers."""
        from pipelines.tasks.audio import files

        def length(row: int) -> int:
            return self._cut_and_padded(files.num_samples(dataset[row]["audio"], rate), rate)

        with ThreadPoolExecutor() as pool:
            return np.fromiter(pool.map(length, _rows(dataset)), int, len(dataset))

    def _cut_and_padded(self, length: int, rate: int) -> int:
        if self.max_seconds:
            length = min(length, round(self.max_seconds * rate))
        return max(length, round((self.min_seconds or 0) * rate))


def _extractor(processor: Any) -> Any:
    return getattr(processor, "feature_extractor", processor)


def _rows(dataset: "Dataset") -> range:
    return range(len(dataset))
