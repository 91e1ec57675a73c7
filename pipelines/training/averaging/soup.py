"""A greedy soup: the mean of those runs that make validation better (arXiv 2203.05482)."""

import copy
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.core import machines, processes
from pipelines.core.console import say
from pipelines.training.averaging import Soup
from pipelines.training.fitted import Fitted
from pipelines.training.job import Job
from pipelines.training.speed import SpeedDecision

Train = Callable[[Job], Fitted]


def fit(train: Train, job: Job, soup: Soup) -> Fitted:
    """Train each ingredient from the same start, then mix them greedily.

    The mix starts from the best one. The others are tried in order of their scores, and each joins
    if the mean with it is at least as good on validation. Weights lie on disk until then, so that
    a resumed run continues with the ingredient that was not done.
    """
    from pipelines.training.pooled_classifier import trained_output  # imports torch

    folder, key = Path(str(job.arguments.output_dir)) / "soup", f"validation_{job.scorer.main}"
    machines.require_shared(folder.parent, "a soup")
    ingredients, resume_from, seconds_before = [], job.resume_from, 0.0
    for number, settings in enumerate(soup.ingredients):
        ingredient = Ingredient(folder / f"{number}.safetensors", settings)
        if ingredient.file.exists():
            seconds_before += ingredient.seconds
        else:
            fitted = ingredient.train(train, replace(job, resume_from=resume_from))
            seconds_before += fitted.seconds_before
            resume_from = None  # only the ingredient that was not done has a checkpoint
        score = f"{job.scorer.main} {ingredient.score:.4f} on validation"
        say(f"ingredient {number}, {settings}: {score}")
        ingredients.append(ingredient)
    model = job.checkpoint.model
    mixed, best = _mix(model, ingredients, job)
    names = ", ".join(str(ingredients.index(ingredient)) for ingredient in mixed)
    say(f"the soup of {names}: {job.scorer.main} {best:.4f} on validation")
    return Fitted(
        trained_output(model),
        history=[{**i.settings, key: i.score} for i in ingredients],
        trainable=int(ingredients[0].metadata["trainable"]),
        chosen={"soup": names, key: best},
        seconds_before=seconds_before,
        speed=ingredients[0].speed,  # the same for all
    )


@dataclass(frozen=True)
class Ingredient:
    """A run of a soup, and the file with its weights, score and decisions once it is done."""

    file: Path
    settings: dict[str, Any]

    def train(self, train: Train, job: Job) -> Fitted:
        """Train a copy of the model under the ingredient's own settings."""
        started = time.monotonic()
        arguments = copy.copy(job.arguments)
        for name, value in self.settings.items():
            setattr(arguments, name, value)
        # every ingredient starts from the same weights, the new head's included
        checkpoint = replace(job.checkpoint, model=copy.deepcopy(job.checkpoint.model))
        job = replace(job, arguments=arguments, checkpoint=checkpoint)
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

        self.file.parent.mkdir(exist_ok=True)
        unfinished = self.file.with_suffix(".tmp")
        # cloned: tied weights share memory, which safetensors refuses
        tensors = {name: t.contiguous().clone() for name, t in model.state_dict().items()}
        save_file(tensors, unfinished, metadata)
        # before the file has its name: the next ingredient must not resume from these
        for folder in self.file.parent.parent.glob("checkpoint-*"):
            shutil.rmtree(folder)
        unfinished.rename(self.file)

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


def _mix(model: Any, ingredients: list[Ingredient], job: Job) -> tuple[list[Ingredient], float]:
    """Leave `model` with the best mean; (the ingredients in it, its score on validation)."""
    from safetensors.torch import load_file

    from pipelines.models import forward

    sign = 1 if job.scorer.greater_is_better else -1
    first, *others = sorted(ingredients, key=lambda ingredient: -sign * ingredient.score)
    mixed, mean, best = [first], load_file(first.file), first.score
    for ingredient in others:
        candidate = _mean(mean, load_file(ingredient.file), len(mixed))
        model.load_state_dict(candidate)
        outputs = forward.run(
            model, job.validation, job.collate, job.task.collect, **job.forward_options
        )
        score = job.main_score(outputs)
        if sign * score >= sign * best:
            mixed, mean, best = [*mixed, ingredient], candidate, score
    model.load_state_dict(mean)
    return mixed, best


def _mean(mean: dict[str, Any], state: dict[str, Any], num_states: int) -> dict[str, Any]:
    """Add a state to the mean of `num_states`; integers stay those of the first."""
    import torch

    return {
        # mean + (state - mean) / (n + 1) is the mean of n + 1
        name: torch.lerp(tensor, state[name], 1 / (num_states + 1))
        if tensor.is_floating_point()
        else tensor
        for name, tensor in mean.items()
    }
