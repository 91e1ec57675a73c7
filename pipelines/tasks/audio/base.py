"""What all tasks on sound share: the feature extractor, its rate, and columns of clips."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.core.upstream import dataset_fingerprint
from pipelines.tasks import Measure, Task
from pipelines.tasks.audio.frames import max_input_seconds, min_frames, num_frames

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PretrainedConfig

    from pipelines.tasks.audio.rows import EncodedClips
    from pipelines.tasks.augmentations import Augmentation

MAX_ROWS_SHOWN = 3
MAX_SHORTEST_CLIP = 10  # seconds; no model needs more of every clip


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
        """Load the feature extractor: sampling rate, normalization and padding."""
        from transformers import AutoFeatureExtractor

        return AutoFeatureExtractor.from_pretrained(checkpoint, **options)

    def corrupt_rows(self, dataset: "Dataset") -> Iterator[tuple[int, str]]:
        """Yield clips that cannot be decoded to their last sample."""
        from pipelines.tasks.audio import files

        # libsndfile decodes without the GIL, so threads use all cores
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
        """Yield clips of which the model makes too few frames, or in training too few to mask."""
        from pipelines.tasks.audio import files

        extractor = _extractor(processor)
        needed = min_frames(config)
        frames = partial(num_frames, extractor, config)
        rate = extractor.sampling_rate
        # the number of frames grows with that of samples: bisect for the fewest samples
        shortest = bisect_left(range(MAX_SHORTEST_CLIP * rate), needed, lo=1, key=frames)
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
        """Encode clips with the feature extractor; a small split stays in memory.

        Raises:
            RecipeError: the augmentation masks spectrograms, and the model reads samples.
        """
        from pipelines.tasks.audio.rows import EncodedClips
        from pipelines.tasks.encoding.dataset_map import fingerprint

        extractor = _extractor(processor)
        rate = extractor.sampling_rate
        augment_samples = augmentation.example() if augmentation else None
        augment_features = augmentation.encoded() if augmentation else None
        key = fingerprint(
            self.model_dump(),
            dataset_fingerprint(dataset),
            extractor.to_dict(),
            augment_samples is not None,
        )
        rows = EncodedClips(
            partial(self._read, dataset, rate),
            extractor,
            labels,
            self._lengths(dataset, rate),
            key,
            augment_samples,
            augment_features,
        )
        if augment_features and len(rows):
            rows[0]  # raises now, and not in training, where features cannot be masked
        return rows

    def collator(
        self, processor: Any, *, training: bool = False
    ) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
        """Return a collator that pads each batch to its longest clip."""
        from pipelines.tasks.audio.rows import ClipCollator

        return ClipCollator(_extractor(processor), with_lengths=training)

    def measures(self, dataset: "Dataset", rows: Any, processor: Any) -> dict[str, Measure]:
        """Read the seconds and the sampling rate of each stored clip from the headers."""
        from pipelines.tasks.audio import files

        with ThreadPoolExecutor() as pool:
            headers = list(
                pool.map(lambda row: files.header(dataset[row]["audio"]), _rows(dataset))
            )
        seconds, rates = map(np.array, zip(*headers, strict=True))
        # whichever cuts first: the recipe, or the extractor, which does so silently
        limits = self.max_seconds, max_input_seconds(_extractor(processor))
        limit = min(filter(None, limits), default=None)
        return {"seconds": Measure(seconds, limit), "hertz": Measure(rates)}

    def remarks(self, dataset: "Dataset", rows: Any) -> Iterator[str]:
        """Yield silent clips, of which nothing can be learned."""
        silent, num_clips = rows.silent_rows()
        if silent:
            shown = ", ".join(map(str, silent[:MAX_ROWS_SHOWN]))
            more = ", …" * (len(silent) > MAX_ROWS_SHOWN)
            yield f"{len(silent):,} of {num_clips:,} clips are silent (row {shown}{more})"

    def usage(self, model: str) -> str:
        """Return code that reads the file without ffmpeg, which the pipeline needs for paths."""
        cut = f"[: round({self.max_seconds:g} * wanted)]" if self.max_seconds else ""
        lines = [
            f"import {'numpy, ' * bool(self.min_seconds)}soundfile, soxr",
            "from transformers import pipeline",
            f'listen = pipeline("{self.pipeline}", model="{model}")',
            'samples, rate = soundfile.read("clip.wav", dtype="float32", always_2d=True)',
            "wanted = listen.feature_extractor.sampling_rate",
            f"sound = soxr.resample(samples.mean(axis=1), rate, wanted){cut}",
        ]
        if self.min_seconds:
            silence = f"max(0, round({self.min_seconds:g} * wanted) - len(sound))"
            lines.append(f"sound = numpy.pad(sound, (0, {silence}))")
        return "\n".join([*lines, "listen(sound)"])

    def show(self, rows: Any, row: int, processor: Any) -> list[str]:
        """Describe a clip: its seconds, and shape and range of what the model sees."""
        extractor = _extractor(processor)
        values = rows[row][extractor.model_input_names[0]]
        shape = " x ".join(map(str, values.shape))
        seconds = rows.samples[row] / extractor.sampling_rate
        return [f"{seconds:.2f} s, {shape} values from {values.min():.2f} to {values.max():.2f}"]

    def _read(self, dataset: "Dataset", rate: int, row: int) -> np.ndarray:
        """Read (samples,) float32 of one row, cut and padded to the recipe's limits."""
        from pipelines.tasks.audio import files

        samples = files.read(dataset[row]["audio"], rate)
        length = self._adjust_length(len(samples), rate)
        return np.pad(samples[:length], (0, max(0, length - len(samples))))

    def _lengths(self, dataset: "Dataset", rate: int) -> np.ndarray:
        """Count the samples of each row as `_read` returns it, from the headers."""
        from pipelines.tasks.audio import files

        def num_samples(row: int) -> int:
            """Count the samples of one row."""
            return self._adjust_length(files.num_samples(dataset[row]["audio"], rate), rate)

        with ThreadPoolExecutor() as pool:
            return np.fromiter(pool.map(num_samples, _rows(dataset)), int, len(dataset))

    def _adjust_length(self, length: int, rate: int) -> int:
        """Apply `max_seconds` and `min_seconds` to a number of samples."""
        if self.max_seconds:
            length = min(length, round(self.max_seconds * rate))
        return max(length, round((self.min_seconds or 0) * rate))


def _extractor(processor: Any) -> Any:
    return getattr(processor, "feature_extractor", processor)


def _rows(dataset: "Dataset") -> range:
    return range(len(dataset))
