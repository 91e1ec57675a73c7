"""Tiny checkpoints, data sets and finished runs that cases start from, made once in a folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import isolated
import tiny
import tiny_audio
import tiny_tasks

# name of a data set -> what writes it
DATA: dict[str, Callable[[Path], Path]] = {
    "choices": tiny_tasks.choice_data,
    "entities": tiny_tasks.entity_data,
    "questions": tiny_tasks.question_data,
    "reviews": tiny.text_data,
    "shades": tiny.image_data,
    "speech": tiny_audio.speech_data,
    "tones": tiny_audio.audio_data,
}
# task -> families of checkpoints, data set
TASKS: dict[str, tuple[tuple[str, ...], str]] = {
    "audio_classification": (("wav2vec2", "audio-spectrogram-transformer"), "tones"),
    "causal_lm": (("gpt2",), "reviews"),
    "image_classification": (("resnet", "vit"), "shades"),
    "masked_lm": (("bert",), "reviews"),
    "multiple_choice": (("bert",), "choices"),
    "question_answering": (("bert",), "questions"),
    "speech_recognition": (("wav2vec2",), "speech"),
    "text_classification": (("bert", "gpt2", "distilbert"), "reviews"),
    "token_classification": (("bert",), "entities"),
}
RUNS = ("text_classification", "image_classification", "audio_classification")


@dataclass(frozen=True)
class Case:
    """One call of the command line, and the files that it reads, below the folder that it is in.

    Attributes:
        files: name and content.
        given: name of a folder, and the folder of fixtures whose files are linked into it.
    """

    arguments: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...]
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, *arguments: str, files: Mapping[str, bytes], given: Mapping[str, str] | None = None
    ) -> Self:
        """Make a case."""
        return cls(arguments, tuple(files.items()), tuple((given or {}).items()))

    @property
    def size(self) -> int:
        """Characters of the arguments and bytes of the files: of two cases the smaller is shown."""
        return sum(map(len, self.arguments)) + sum(len(content) for _, content in self.files)

    def write(self, folder: Path, fixtures: Path) -> None:
        """Write its files; `given` is a link to the fixtures, so that no case holds a path."""
        (folder / "given").symlink_to(fixtures)
        for name, source in self.given:
            (folder / name).mkdir(parents=True, exist_ok=True)
            for file in (fixtures / source).iterdir():
                (folder / name / file.name).symlink_to(file)
        for name, content in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def checkpoint(folder: Path, family: str) -> Path:
    """Make a checkpoint, or return the one that is there."""
    path = folder / "checkpoints" / family
    if not path.exists():
        if family in tiny_audio.AUDIO_FAMILIES:
            return tiny_audio.audio_checkpoint(path, family)
        is_text = family in tiny.TEXT_FAMILIES
        return (tiny.text_checkpoint if is_text else tiny.image_checkpoint)(path, family)
    return path


def data(folder: Path, name: str) -> Path:
    """Make a data set, or return the one that is there."""
    path = folder / "data" / name
    return path if path.exists() else DATA[name](path)


def finished_run(folder: Path, task: str) -> Path:
    """Return a finished run of a task, trained if there is none.

    Raises:
        RuntimeError: it could not be trained.
    """
    path = folder / "runs" / task / "1"
    if not (path / "metrics.json").exists():
        (folder / "runs").mkdir(exist_ok=True)
        recipe = folder / f"{task}.yaml"
        families, name = TASKS[task]
        recipe.write_text(
            f"task: {task}\nmodel: {checkpoint(folder, families[0])}\n"
            f"data: {{source: files, path: {data(folder, name)}}}\nstrategy: linear_probe\n"
            "training: {use_cpu: true}\nprinted_lines: false\n",
            encoding="utf-8",
        )
        run = isolated.graft(("run", str(recipe)), folder)
        outcome = isolated.call(run, folder / f"{task}.log", isolated.Limits(seconds=300))
        if outcome.code != 0:
            raise RuntimeError(outcome.text)
    return path


def make(folder: Path) -> None:
    """Make everything that a case may name."""
    folder.mkdir(parents=True, exist_ok=True)
    for families, name in TASKS.values():
        for family in families:
            checkpoint(folder, family)
        data(folder, name)
    for task in RUNS:
        finished_run(folder, task)
