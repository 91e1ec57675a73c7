"""`runs/<recipe>/<n>/`: where everything that a run leaves behind lies.

recipe.yaml          the recipe, resolved
lock.json            what it meant: revisions, packages, seed, hardware
data.json            sizes, classes, repeats and leaks; the rows that were left out
checkpoints/         the Trainer's, to resume from
model/               a standard checkpoint and its card
predictions/         <split>.csv, one row per example
history.jsonl        what was logged on the way
learning_curve.png
reliability.png      accuracy over confidence, before and after calibration
metrics.json         validation and test apart; written last: a run with it is done
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from pipelines.core.errors import RunError


@dataclass(frozen=True)
class RunFolder:
    """One run's folder; its properties name the things in it, there or not."""

    path: Path

    @classmethod
    def create(cls, root: str | Path, name: str) -> Self:
        """Make `root/name/<n>` with the next number, also when others do so at the same time.

        Raises:
            RunError: the folder cannot be written, or `name` cannot name a folder.
        """
        if name in {"", ".."} or Path(name).name != name:
            raise RunError(f"'{name}' cannot name a run folder; expected a word such as bert_sst2")
        runs = Path(root) / name
        with writing(runs):
            runs.mkdir(parents=True, exist_ok=True)
            for number in count(max(_numbers(runs), default=0) + 1):
                try:
                    (runs / str(number)).mkdir()
                except FileExistsError:
                    continue
                return cls(runs / str(number))
        raise AssertionError("numbers do not run out")

    @classmethod
    def latest_resumable(cls, root: str | Path, name: str) -> Self:
        """The newest run of `name` that holds a checkpoint and is not done.

        Raises:
            RunError: there is none.
        """
        runs = Path(root) / name
        for number in sorted(_numbers(runs), reverse=True):
            run = cls(runs / str(number))
            if run.checkpoint and not run.done:
                return run
        raise RunError(
            f"nothing to resume: {runs} holds no run with a checkpoint and without metrics.json"
        )

    @classmethod
    def resumable(cls, path: str | Path) -> Self:
        """The run that `path` is, or one of whose checkpoints it is, to go on with.

        Raises:
            RunError: `path` belongs to no run, the run is done, or there is no whole checkpoint.
        """
        run = cls.of(path)
        state = (run.checkpoint_at(path) or Path(path)) / "trainer_state.json"
        if run.done or not state.is_file():
            why = "the run is done" if run.done else "there is no whole checkpoint"
            raise RunError(f"{path}: nothing to resume: {why}")
        return run

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """The run that `path` is, or lies in (`runs/x/3/checkpoints/checkpoint-500`).

        Raises:
            RunError: `path` belongs to no run.
        """
        for folder in (Path(path), *Path(path).parents):
            if cls(folder).lock.is_file():  # a recipe.yaml may lie anywhere
                return cls(folder)
        raise RunError(f"{path}: not in a run folder; expected one such as runs/bert_sst2/1")

    def __str__(self) -> str:
        return self.path.as_posix()

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def lock(self) -> Path:
        return self.path / "lock.json"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def curve(self) -> Path:
        return self.path / "learning_curve.png"

    @property
    def reliability(self) -> Path:
        return self.path / "reliability.png"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def card(self) -> Path:
        return self.model / "README.md"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def checkpoint(self) -> Path | None:
        """The newest complete checkpoint: the Trainer writes trainer_state.json last."""
        states = self.checkpoints.glob("checkpoint-*/trainer_state.json")
        folders = [state.parent for state in states]
        return max(folders, key=lambda folder: int(folder.name.split("-")[1]), default=None)

    def checkpoint_at(self, path: str | Path) -> Path | None:
        """`path` where it names one of the checkpoints, else the newest complete one."""
        return Path(path) if Path(path).name.startswith("checkpoint-") else self.checkpoint

    @property
    def done(self) -> bool:
        return self.metrics.is_file()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk or a forbidden folder into one clear message.

    Raises:
        RunError: something below `path` cannot be written; says why.
    """
    try:
        yield
    except OSError as error:
        place = error.filename or path
        raise RunError(f"{place}: cannot be written ({error.strerror or error})") from None


def _numbers(runs: Path) -> Iterator[int]:
    return (int(run.name) for run in runs.glob("[0-9]*") if run.name.isdecimal())
