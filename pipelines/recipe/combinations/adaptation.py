"""Conflicts about adaptation to a target domain, while training or after it."""

from collections.abc import Iterator

from pipelines.recipe.combinations.sections import Problem, Sections

TASKS = ("text_classification", "image_classification", "audio_classification")


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why there is nothing to adapt to, or nothing that could be adapted."""
    section = recipe.adaptation
    if section is None:
        return
    key = ("adaptation", "name")
    if recipe.task.name not in TASKS:
        yield key, f"'{section.name}': is for {', '.join(TASKS)}; {recipe.task.name} is none"
    if recipe.data.other_domain is None:
        yield (
            key,
            f"'{section.name}': needs rows of the target domain, labeled or not; name them as "
            "data.target: {source: files, path: …}, hold one of data.sources out, or leave "
            "adaptation out",
        )
    if section.after_training:
        yield from _problems_after(recipe, section.name)
    else:
        yield from _problems_while(recipe, section.name)


def _problems_while(recipe: Sections, name: str) -> Iterator[Problem]:
    """Yield why there is no step to which a term of the loss could be added."""
    strategy = recipe.strategy
    if strategy.no_gradient_reason or not strategy.trains_on_task_loss:
        reason = "takes no gradient steps" if strategy.no_gradient_reason else "has its own loss"
        yield (
            ("adaptation", "name"),
            f"'{name}': strategy '{strategy.name}' {reason}, so no term can be added; use "
            "for example full or lora",
        )
    if recipe.training.get("torch_compile"):
        yield (
            ("training", "torch_compile"),
            "adaptation reads what is inside of the model, which a compiled one does not show; "
            "leave one of them out",
        )


def _problems_after(recipe: Sections, name: str) -> Iterator[Problem]:
    """Yield why the trained model is not whole, so that it cannot be changed."""
    strategy = recipe.strategy
    # of images and sounds the head is solved inside of the model
    has_head_beside = strategy.no_gradient_reason or not strategy.trains_on_task_loss
    if has_head_beside and recipe.task.modality == "text":
        yield (
            ("adaptation", "name"),
            f"'{name}': strategy '{strategy.name}' solves a head beside the encoder, through "
            "which no gradient passes; use for example lp_ft, full or lora",
        )
    if recipe.model.beside:
        yield (
            ("adaptation", "name"),
            f"'{name}': changes one model, and features of several are read by one head "
            "(model.beside); name one checkpoint, or leave adaptation out",
        )
    if getattr(strategy, "save", None) == "adapter":
        yield (
            ("strategy", "save"),
            f"'adapter': its folder holds no normalization, which adaptation '{name}' changes; use "
            "merged",
        )
