"""A run of a soup, what is saved of it, and the checkpoint that it goes on from."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.core import processes
from pipelines.core.disk import replacing_folder
from pipelines.core.errors import RunError, listed
from pipelines.training import checkpoint_files
from pipelines.training.fitted import Fitted
from pipelines.training.job import Job
from pipelines.training.progress import Progress
from pipelines.training.speed import SpeedDecision

Train = Callable[[Job], Fitted]


@dataclass(frozen=True)
class Ingredient:
    """A run of a soup; its folder has weights, score and decisions, once it is done.

    Attributes:
        soup: the folder of all.
        number: counted from 0.
        settings: keys of `training` that are its own.
    """

    soup: Path
    number: int
    settings: dict[str, Any]

    def train(self, train: Train, job: Job) -> Fitted:
        """Train a copy of the model under the ingredient's own settings."""
        from pipelines.training.going_on import NoteIngredient

        started = time.monotonic()
        arguments = copy.copy(job.arguments)
        for name, value in self.settings.items():
            setattr(arguments, name, value)
        # every ingredient starts from the same weights, the new head's included
        checkpoint = replace(job.checkpoint, model=copy.deepcopy(job.checkpoint.model))
        callbacks = (*job.callbacks, NoteIngredient(self.number))
        job = replace(job, arguments=arguments, checkpoint=checkpoint, callbacks=callbacks)
        fitted = train(job)
        outputs = fitted.output.run(
            job.validation, job.collate, job.task.collect, **job.forward_options
        )
        metadata = {
            # metadata is text; repr gives the same number back
            "score": repr(job.main_score(outputs)),
            "trainable": str(fitted.trainable),
            "seconds": repr(time.monotonic() - started + fitted.seconds_before),
            "speed": json.dumps([asdict(decision) for decision in fitted.speed]),
        }
        if processes.is_main():
            self._save(fitted.output.model, metadata)
        processes.wait()
        return fitted

    def _save(self, model: Any, metadata: dict[str, str]) -> None:
        from safetensors.torch import save_file

        # cloned: tied weights share memory, which safetensors refuses
        tensors = {name: t.contiguous().clone() for name, t in model.state_dict().items()}
        with replacing_folder(self.folder) as unfinished:
            unfinished.mkdir(parents=True)
            save_file(tensors, unfinished / self.file.name, metadata)
            checkpoint_files.note(unfinished)
        # not before the folder has its name: a run that is killed goes on from one or the other
        checkpoint_files.remove_all(self.soup.parent)

    @property
    def folder(self) -> Path:
        """Where it is saved."""
        return self.soup / str(self.number)

    @property
    def file(self) -> Path:
        """Its weights, and what is stored beside them."""
        return self.folder / "model.safetensors"

    @property
    def is_done(self) -> bool:
        """Whether it was trained; its folder has its name once all is in it."""
        return self.folder.exists()

    @property
    def metadata(self) -> dict[str, str]:
        """What is stored beside the weights."""
        from safetensors import safe_open

        with safe_open(self.file, "pt") as opened:
            return dict(opened.metadata())

    @property
    def score(self) -> float:
        """The score on validation, by the metric that chooses."""
        return float(self.metadata["score"])

    @property
    def seconds(self) -> float:
        """How long it was trained; those of an older version do not say."""
        return float(self.metadata.get("seconds", 0.0))

    @property
    def speed(self) -> tuple[SpeedDecision, ...]:
        """What was decided about each switch of `speed`."""
        return tuple(SpeedDecision(**entry) for entry in json.loads(self.metadata["speed"]))


def resumed_from(ingredients: list[Ingredient], checkpoint: Path | None) -> Path | None:
    """Return the checkpoint if it is of the first ingredient that is not done; remove others.

    A run that was killed right after an ingredient may have left that one's checkpoints.

    Raises:
        RunError: what was saved of an ingredient is damaged, or the checkpoint is of another one.
    """
    todo = [each.number for each in ingredients if not each.is_done]
    for each in ingredients:
        problems = checkpoint_files.damage(each.folder) if each.is_done else []
        if problems:
            raise RunError(
                f"{each.folder}: ingredient {each.number} of the soup is damaged: "
                f"{listed(problems)}; put back what was saved, or begin a new run"
            )
    number = Progress.at(checkpoint).ingredient
    if checkpoint and todo and number == todo[0]:
        return checkpoint
    if checkpoint and todo and number is None:
        raise RunError(
            f"{checkpoint}: does not name its ingredient of the soup: an older version of Graft "
            "saved it; begin a new run"
        )
    if checkpoint and number in todo:
        raise RunError(
            f"{ingredients[todo[0]].folder}: is gone, and {checkpoint} is of ingredient {number} "
            f"of the soup, which comes after {todo[0]}; put it back, or begin a new run"
        )
    checkpoint_files.remove_all(ingredients[0].soup.parent)
    return None
