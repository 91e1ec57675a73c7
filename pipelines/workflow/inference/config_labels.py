"""The config of a trained checkpoint -> what its outputs mean."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import ModelError
from pipelines.core.labels import REGRESSION, SINGLE, THRESHOLDS, TOKENS, Labels
from pipelines.tasks.text.answerability import ANSWERABLE

if TYPE_CHECKING:
    from pipelines.tasks import Task


def labels_of(config: Any, task: "Task", name: str) -> Labels:
    """Read off a config what its outputs mean, with the thresholds that a run chose for labels.

    Raises:
        ModelError: it does not say, as of choices.
    """
    if task.target == "answers":
        return Labels(ANSWERABLE)
    if task.target == "text":
        return Labels(task.name)
    names = tuple(str(config.id2label[i]) for i in sorted(config.id2label))
    if task.name == "multiple_choice":
        raise ModelError(f"{name}: does not say how many choices there are; predict with a run")
    if task.prediction_unit == "token":
        return Labels(TOKENS, names, names)
    kind = config.problem_type or (REGRESSION if len(names) == 1 else SINGLE)
    if kind == REGRESSION:
        return Labels(kind)
    return Labels(kind, names, names, thresholds=_thresholds(config, names))


def _thresholds(config: Any, names: tuple[str, ...]) -> tuple[float, ...]:
    """Return the threshold of each label; empty where there are none for all."""
    chosen = getattr(config, THRESHOLDS, None)
    if not isinstance(chosen, Mapping) or not {*names} <= {*chosen}:
        return ()
    values = [chosen[name] for name in names]
    are_shares = all(isinstance(value, float) and 0 < value < 1 for value in values)
    return tuple(values) if are_shares else ()
