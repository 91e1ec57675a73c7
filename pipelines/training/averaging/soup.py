"""A greedy soup: the mean of those runs that make validation better (arXiv 2203.05482)."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.training.averaging import Soup
from pipelines.training.job import Fitted, Job

Train = Callable[[Job], Fitted]


def fit(train: Train, job: Job, soup: Soup) -> Fitted:
    """Train each ingredient from the same start, then mix: the best one, and of the others, in
    order, each with which the mean is at least as good on validation.

    What is trained lies on disk until then: a run that was stopped goes on where it was.
    """
    from pipelines.models.output.plain import PlainModel

    folder, key = Path(str(job.arguments.output_dir)) / "soup", f"validation_{job.scorer.main}"
    tried, resume_from = [], job.resume_from
    for number, said in enumerate(soup.ingredients):
        ingredient = Ingredient(folder / f"{number}.safetensors", said)
        if not ingredient.file.exists():
            ingredient.train(train, replace(job, resume_from=resume_from))
            resume_from = None  # it was about the one that was not done
        say(f"ingredient {number}, {said}: {job.scorer.main} {ingredient.score:.4f} on validation")
        tried.append(ingredient)
    model = job.checkpoint.model
    used, score = _mix(model, tried, job)
    names = ", ".join(str(tried.index(ingredient)) for ingredient in used)
    say(f"the soup of {names}: {job.scorer.main} {score:.4f} on validation")
    history = [{**i.said, key: i.score} for i in tried]
    trainable = int(tried[0].metadata["trainable"])
    chosen = {"soup": names, key: score}
    return Fitted(PlainModel(model), history, trainable, chosen)


@dataclass(frozen=True)
class Ingredient:
    """A run, and where its weights lie once it is done; what else is known of it is with them."""

    file: Path
    said: dict[str, Any]

    def train(self, train: Train, job: Job) -> None:
        """From a copy of the model, with settings of its own."""
        arguments = copy.copy(job.arguments)
        for name, value in self.said.items():
            setattr(arguments, name, value)
        checkpoint = replace(job.checkpoint, model=copy.deepcopy(job.checkpoint.model))
        job = replace(job, arguments=arguments, checkpoint=checkpoint)
        fitted = train(job)
        kept = fitted.output.run(
            job.validation, job.collate, job.task.collect, **job.forward_options
        )
        known = {"score": job.main_score(kept), "trainable": fitted.trainable}
        if processes.is_main():
            self._keep(fitted.output.model, known)
        processes.wait()

    def _keep(self, model: Any, known: dict[str, Any]) -> None:
        """Its checkpoints go first: the next one is not to resume from them."""
        from safetensors.torch import save_file

        self.file.parent.mkdir(exist_ok=True)
        unfinished = self.file.with_suffix(".tmp")
        tensors = {name: t.contiguous().clone() for name, t in model.state_dict().items()}
        save_file(tensors, unfinished, {name: repr(value) for name, value in known.items()})
        for folder in self.file.parent.parent.glob("checkpoint-*"):
            shutil.rmtree(folder)
        unfinished.rename(self.file)

    @property
    def metadata(self) -> dict[str, str]:
        from safetensors import safe_open

        with safe_open(self.file, "pt") as opened:
            return dict(opened.metadata())

    @property
    def score(self) -> float:
        return float(self.metadata["score"])


def _mix(model: Any, tried: list[Ingredient], job: Job) -> tuple[list[Ingredient], float]:
    """Leave `model` with the best mean; (the ingredients in it, its score on validation)."""
    from safetensors.torch import load_file

    from pipelines.models import forward

    sign = 1 if job.scorer.greater_is_better else -1
    first, *others = sorted(tried, key=lambda ingredient: -sign * ingredient.score)
    used, mean, best = [first], load_file(first.file), first.score
    for ingredient in others:
        mixed = _mean(mean, load_file(ingredient.file), len(used))
        model.load_state_dict(mixed)
        kept = forward.run(
            model, job.validation, job.collate, job.task.collect, **job.forward_options
        )
        score = job.main_score(kept)
        if sign * score >= sign * best:
            used, mean, best = [*used, ingredient], mixed, score
    model.load_state_dict(mean)
    return used, best


def _mean(mean: dict[str, Any], other: dict[str, Any], number: int) -> dict[str, Any]:
    """The mean of `number` states, and one more; what counts is that of the first."""
    import torch

    return {
        name: torch.lerp(tensor, other[name], 1 / (number + 1))
        if tensor.is_floating_point()
        else tensor
        for name, tensor in mean.items()
    }
