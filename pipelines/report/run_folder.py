"""The folder of one run: made, found again, and what there is to go on from."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from pipelines.core.errors import RunError, suggest
from pipelines.report import newest_checkpoint
from pipelines.report.run_paths import RunPaths
from pipelines.report.writing import writing


@dataclass(frozen=True)
class RunFolder(RunPaths):
    """The folder of one run."""

    @classmethod
    def create(cls, root: str | Path, name: str) -> Self:
        """Make `root/name/<n>` with the next number, safely when several runs start at once.

        Raises:
            RunError: the folder cannot be written, or `name` cannot name a folder.
        """
        # a path in the name would put the run outside of `root`
        if name in {"", ".."} or Path(name).name != name:
            raise RunError(f"'{name}' cannot name a run folder; expected a word such as bert_sst2")
        runs = Path(root) / name
        with writing(runs):
            runs.mkdir(parents=True, exist_ok=True)
            # not the first gap: a number must not come to mean another run than before
            for number in count(max(_numbers(runs), default=0) + 1):
                try:
                    (runs / str(number)).mkdir()
                # mkdir is atomic: of two runs that start at once, one comes here
                except FileExistsError:
                    continue
                return cls(runs / str(number))
        raise AssertionError("numbers do not run out")

    @classmethod
    def unfinished(cls, root: str | Path, name: str) -> list[Self]:
        """List the runs of `name` that can be resumed, the likeliest first.

        These are the runs that are begun and not done, the newest first; then the newest run of
        all, if it was stopped before its first checkpoint.

        Raises:
            RunError: there is none.
        """
        runs = Path(root) / name
        present = [cls(runs / str(number)) for number in sorted(_numbers(runs), reverse=True)]
        begun = [run for run in present if run.is_begun and not run.done]
        others = [run for run in present[:1] if not run.is_begun and not run.done]
        if begun or others:
            return [*begun, *others]
        newest = f" (the newest, {present[0]}, is done)" if present else ""
        raise RunError(
            f"nothing to resume: {runs} holds no unfinished run{newest}; to begin one, "
            "leave --resume (training.resume_from_checkpoint) out"
        )

    @classmethod
    def resumable(cls, path: str | Path) -> Self:
        """Return the run to resume that `path` names, by its folder or by one of its checkpoints.

        Raises:
            RunError: `path` belongs to no run, the run is done, or there is no whole checkpoint,
                and half of one.
        """
        run = cls.of(path)
        if run.done:
            raise RunError(f"{path}: nothing to resume: {run.done_advice}")
        is_at_its_begin = run.has_ingredients or not [*run.checkpoints.glob("checkpoint-*")]
        if is_at_its_begin and run.path == Path(path):
            return run
        state = (run.checkpoint_at(path) or Path(path)) / "trainer_state.json"
        if not state.is_file():
            raise RunError(
                f"{path}: nothing to resume: there is no whole checkpoint; to begin a new run, "
                "leave --resume (training.resume_from_checkpoint) out"
            )
        return run

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """Return the run that holds `path`, such as `runs/x/3/checkpoints/checkpoint-500`.

        Raises:
            RunError: `path` belongs to no run.
        """
        for folder in (Path(path), *Path(path).parents):
            if cls(folder).lock.is_file():  # a recipe.yaml may lie anywhere
                return cls(folder)
        nearest = _nearest(Path(path))
        raise RunError(f"{path}: not in a run folder; expected one such as {nearest}")

    @classmethod
    def newest_in(cls, folder: str | Path) -> Self | None:
        """Return the newest run of a folder of runs, such as `runs/bert_sst2`; None in another."""
        numbers = _numbers(Path(folder)) if Path(folder).is_dir() else ()
        runs = (cls(Path(folder) / str(number)) for number in sorted(numbers, reverse=True))
        return next((run for run in runs if run.lock.is_file()), None)

    @property
    def checkpoint(self) -> Path | None:
        """The newest complete checkpoint; None if there is none."""
        return newest_checkpoint.newest(self.checkpoints)

    def checkpoint_at(self, path: str | Path) -> Path | None:
        """Return `path` if it names one of the checkpoints, else the newest complete one."""
        return Path(path) if Path(path).name.startswith("checkpoint-") else self.checkpoint

    @property
    def done(self) -> bool:
        """Whether the run has finished."""
        return self.metrics.is_file()

    @property
    def done_advice(self) -> str:
        """What to do with a run that has finished, instead of resuming it."""
        model = self.model.as_posix()
        return f"the run is done; to train on from its model, run a recipe with model={model}"

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on from, of this stage or one before."""
        stages = self.stages_before
        return self.is_trained or any(each.is_trained or each.done for each in stages)

    @property
    def is_trained(self) -> bool:
        """Whether steps were saved: a checkpoint, or a finished run of a soup."""
        return bool(self.checkpoint) or self.has_ingredients

    @property
    def has_ingredients(self) -> bool:
        """Whether a run of its soup has finished."""
        return any(self.checkpoints.glob("soup/*/files.json"))

    @property
    def whole(self) -> Self:
        """The run that this stage is part of; the run itself if it is not part of another."""
        above = type(self)(self.path.parent)
        return above if above.staged_recipe.is_file() else self

    @property
    def stages_before(self) -> list[Self]:
        """The stages from whose models this one comes, the first one first."""
        whole = self.whole
        if not whole.staged_recipe.is_file():  # then such folders are the user's
            return []
        numbered = ((path.name.partition("-")[0], path) for path in whole.path.glob("[0-9]*-*/"))
        stages = {int(number): path for number, path in numbered if number.isdecimal()}
        numbers = {path: number for number, path in stages.items()}
        end = numbers.get(self.path, len(stages) + 1)
        return [type(self)(stages[number]) for number in sorted(stages) if number < end]

    def stage(self, number: int, task: str) -> Self:
        """Return the folder of the stage of this number, counted from 0, if it is not the last."""
        return type(self)(self.path / f"{number + 1}-{task}")


def _numbers(runs: Path) -> Iterator[int]:
    return (int(run.name) for run in runs.glob("[0-9]*") if run.name.isdecimal())


def _nearest(path: Path) -> str:
    """Write an example of a run folder, and which one may have been meant."""
    if run := RunFolder.newest_in(path):
        return str(run)
    example = "runs/bert_sst2/1"
    if path.exists() or not path.parent.is_dir():
        return example
    present = [folder.name for folder in path.parent.iterdir() if folder.is_dir()]
    return (
        f"{example}; no folder '{path.name}': {suggest(path.name, present)}" if present else example
    )
