"""A greedy soup: the mean of those runs that make validation better (arXiv 2203.05482)."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.core import machines, processes
from pipelines.core.console import say
from pipelines.training.averaging import Soup
from pipelines.training.averaging.ingredient import Ingredient, Train, resumed_from
from pipelines.training.fitted import Fitted
from pipelines.training.job import Job


def fit(train: Train, job: Job, soup: Soup) -> Fitted:
    """Train each ingredient from the same start, then mix them greedily.

    The mix starts from the best one. The others are tried in order of their scores, and each joins
    if the mean with it is at least as good on validation. Weights lie on disk until then, so that
    a resumed run continues with the ingredient that was not done.

    Raises:
        RunError: what was saved of an ingredient is damaged, or the checkpoint is of another one.
    """
    from pipelines.training.pooled_classifier import trained_output  # imports torch

    folder, key = Path(str(job.arguments.output_dir)) / "soup", f"validation_{job.scorer.main}"
    machines.require_shared(folder.parent, "a soup")
    ingredients = [Ingredient(folder, *each) for each in enumerate(soup.ingredients)]
    resume_from = processes.from_main(partial(resumed_from, ingredients, job.resume_from))
    seconds_before = 0.0
    for ingredient in ingredients:
        if ingredient.is_done:
            seconds_before += ingredient.seconds
        else:
            fitted = ingredient.train(train, replace(job, resume_from=resume_from))
            seconds_before += fitted.seconds_before
            resume_from = None  # only the ingredient that was not done has a checkpoint
        score = f"{job.scorer.main} {ingredient.score:.4f} on validation"
        say(f"ingredient {ingredient.number}, {ingredient.settings}: {score}")
    model = job.checkpoint.model
    mixed, best = _mix(model, ingredients, job)
    names = ", ".join(str(ingredient.number) for ingredient in mixed)
    say(f"the soup of {names}: {job.scorer.main} {best:.4f} on validation")
    return Fitted(
        trained_output(model),
        history=[{**i.settings, key: i.score} for i in ingredients],
        trainable=int(ingredients[0].metadata["trainable"]),
        chosen={"soup": names, key: best},
        seconds_before=seconds_before,
        speed=ingredients[0].speed,  # the same for all
    )


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
