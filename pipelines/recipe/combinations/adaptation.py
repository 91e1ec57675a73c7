"""Conflicts about adaptation to a target domain while training."""

from collections.abc import Iterator

from pipelines.recipe.combinations.sections import Problem, Sections

TASKS = ("text_classification", "image_classification", "audio_classification")


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why there is nothing to adapt to, or no step in which to adapt."""
    section, strategy = recipe.adaptation, recipe.strategy
    if section is None:
        return
    key = ("adaptation", "name")
    if recipe.task.name not in TASKS:
        yield key, f"'{section.name}': is for {', '.join(TASKS)}; {recipe.task.name} is none"
    if recipe.data.target is None:
        yield (
            key,
            f"'{section.name}': needs rows of the target domain, labeled or not; name them as "
            "data.target: {source: files, path: …}, or leave adaptation out",
        )
    if strategy.no_gradient_reason or not strategy.trains_on_task_loss:
        reason = "takes no gradient steps" if strategy.no_gradient_reason else "has its own loss"
        yield (
            key,
            f"'{section.name}': strategy '{strategy.name}' {reason}, so no term can be added; use "
            "for example full or lora",
        )
    if recipe.training.get("torch_compile"):
        yield (
            ("training", "torch_compile"),
            "adaptation reads what is inside of the model, which a compiled one does not show; "
            "leave one of them out",
        )
