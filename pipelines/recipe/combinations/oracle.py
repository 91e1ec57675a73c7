"""Conflicts about `evaluation.target_oracle`."""

from collections.abc import Iterator

from pipelines.recipe.combinations.sections import Problem, Sections

KEY = ("evaluation", "target_oracle")


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield why no checkpoint could be chosen by the labels of a target."""
    if not recipe.evaluation.target_oracle:
        return
    strategy = recipe.strategy
    if recipe.data.other_domain is None:
        yield (
            KEY,
            "needs labeled rows of a target domain; name them as data.target: {source: files, "
            "path: …}, hold one of data.sources out, or leave it out",
        )
    if strategy.no_gradient_reason or not strategy.trains_on_task_loss:
        yield KEY, f"strategy '{strategy.name}' has no checkpoints to choose from; leave it out"
    elif recipe.training.get("eval_strategy") == "no":
        yield (
            KEY,
            "looks at evaluations while training, and training.eval_strategy is 'no'; evaluate by "
            "epoch or steps, or leave it out",
        )
    if recipe.averaging.soup:
        yield KEY, "the ingredients of averaging.soup have evaluations of their own; leave one out"
    if recipe.adaptation and recipe.adaptation.after_training:
        yield (
            KEY,
            f"adaptation '{recipe.adaptation.name}' changes the model after the last evaluation; "
            "leave one of them out",
        )
