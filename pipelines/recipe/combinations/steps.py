"""Conflicts about gradient steps: what changes them, counts them, or averages their results."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.recipe.combinations.sections import Problem, Sections

UNSET = ("auto", "off")  # values of a switch that ask for nothing


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what has no effect on the steps of the strategy, or contradicts their precision."""
    yield from _step_problems(recipe)
    yield from _precision_problems(recipe.training)
    if recipe.early_stopping and "early_stopping" in recipe.model_fields_set:
        yield from _early_stopping_problems(recipe)


def _step_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield conflicts of what changes gradient steps, or averages their results."""
    strategy = recipe.strategy
    if strategy.no_gradient_reason:
        sections = ("regularization", "averaging", "speed")
        yield from _useless(recipe, sections, "takes no gradient steps")
        return
    # `auto` may choose a strategy that does
    if recipe.speed.frozen_blocks == "on" and not (
        strategy.caches_frozen_blocks or strategy.name == "auto"
    ):
        yield (
            ("speed", "frozen_blocks"),
            f"'on': strategy '{strategy.name}' has no frozen blocks whose activations could be "
            "kept on disk; use top_layers, or say auto or off",
        )
    if not strategy.trains_on_task_loss:
        reason = "has a loss of its own, and its head is solved after the last step"
        yield from _useless(recipe, ("regularization", "averaging"), reason)
        return
    if recipe.regularization.l2_sp and not strategy.changes_pretrained_weights:
        yield (
            ("regularization", "l2_sp"),
            f"strategy '{strategy.name}' changes no pretrained weights that this could hold back; "
            "use full",
        )
    # adapters give the weights that it starts from other names
    is_zero_shot = recipe.model.head == "zero_shot" and not hasattr(strategy, "save")
    if recipe.averaging.wise_ft and not (strategy.solves_head(recipe.task) or is_zero_shot):
        yield (
            ("averaging", "wise_ft"),
            f"strategy '{strategy.name}' does not start from a probe; use lp_ft",
        )


def _useless(recipe: Sections, sections: tuple[str, ...], reason: str) -> Iterator[Problem]:
    """Yield what is set in sections that have no effect on the strategy."""
    for section in sections:
        # merged before anything is trained, or solved
        values = {n: v for n, v in dict(getattr(recipe, section)).items() if n != "merge"}
        for name in (n for n, value in values.items() if value and value not in UNSET):
            yield (
                (section, name),
                f"strategy '{recipe.strategy.name}' {reason}, so {section}.{name} has no effect; "
                "use for example lp_ft",
            )


def _precision_problems(training: Mapping[str, Any]) -> Iterator[Problem]:
    for precise in ("fp16", "bf16"), ("fp16_full_eval", "bf16_full_eval"):
        if all(training.get(name) for name in precise):
            yield (
                ("training", precise[0]),
                f"{' and '.join(precise)} are two ways to compute in 16 bits; set one of them "
                "(bf16 where the accelerator has it)",
            )


def _early_stopping_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why there are no evaluations that early stopping could count."""
    if not recipe.strategy.trains_on_task_loss:
        yield (
            ("early_stopping",),
            f"counts evaluations, and strategy '{recipe.strategy.name}' has none before its head "
            "is solved; leave it out",
        )
    elif recipe.training.get("eval_strategy") == "no":
        yield (
            ("early_stopping",),
            "counts evaluations, and training.eval_strategy is 'no'; write early_stopping: null, "
            "or evaluate by epoch or steps",
        )
