"""Conflicts about rows: those of folds, in what order they come, and whether they are a stream."""

from collections.abc import Iterator

from pipelines.data.sources import StreamedSource
from pipelines.recipe.combinations import folds
from pipelines.recipe.combinations.sections import Problem, Sections


def problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what the strategy, the sampler or a stream cannot do with the rows."""
    reason = folds.why_not(recipe)
    if recipe.data.folds not in ("auto", 0) and reason:
        yield (("data", "folds"), f"{recipe.data.folds}: {reason}; leave one of them out")
    if recipe.data.other_domain and recipe.task.prediction_unit != "example":
        yield (
            ("data", "target" if recipe.data.target else "held_out"),
            f"{recipe.task.name} does not predict one thing for an example, and only such tasks "
            "(text_classification, image_classification, audio_classification) have a target "
            "domain; leave it out",
        )
    yield from _sampler_problems(recipe)
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        yield from _streaming_problems(recipe)


def _sampler_problems(recipe: Sections) -> Iterator[Problem]:
    """Yield what else decides the order of rows, where `task.sampler` does."""
    sampler = getattr(recipe.task, "sampler", None)
    if not sampler:
        return
    if isinstance(recipe.data, StreamedSource) and recipe.data.streaming:
        yield (
            ("task", "sampler"),
            f"'{sampler}': the rows of a stream cannot be drawn by their classes; leave it out, or "
            "use task.class_weights=balanced",
        )
    strategy = recipe.training.get("train_sampling_strategy") or "random"
    if strategy != "random":
        yield (
            ("training", "train_sampling_strategy"),
            f"'{strategy}': task.sampler '{sampler}' orders the rows already; leave one of them "
            "out (speed.length_buckets saves padding in batches of any rows)",
        )


def _streaming_problems(recipe: Sections) -> Iterator[Problem]:
    training = recipe.training
    if recipe.data.limit_per_class:
        yield (
            ("data", "limit_per_class"),
            f"{recipe.data.limit_per_class}: the classes of a stream are not counted; leave out "
            "data.streaming, or use data.limit.train",
        )
    if recipe.data.group:
        yield (
            ("data", "group"),
            f"'{recipe.data.group}': nothing is cut from a stream, and its groups are not compared "
            "with those of other splits; leave one of group and streaming out",
        )
    # null and -1 mean that epochs decide
    if (training.get("max_steps") or 0) <= 0:
        yield (
            ("training", "max_steps"),
            "data.streaming needs it: a stream has no known length; set the number of steps",
        )
    if training.get("eval_strategy") == "epoch":
        yield (
            ("training", "eval_strategy"),
            "'epoch': processes reach the end of a stream at different steps; expected steps or no",
        )
    if not recipe.task.streams:
        yield ("task", "name"), f"{recipe.task.name} cannot be streamed: leave out data.streaming"
    if recipe.strategy.why_no_streaming:
        yield (
            ("strategy", "name"),
            f"{recipe.strategy.name} cannot be streamed: {recipe.strategy.why_no_streaming}",
        )
