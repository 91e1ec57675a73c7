"""The scores of several metrics -> one table, each by a key of its own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pipelines.core.errors import RecipeError
from pipelines.evaluation.metric import Metric

T = TypeVar("T")


def merge(results: Sequence[tuple[Metric, Mapping[str, T]]]) -> dict[str, tuple[T, Metric]]:
    """Merge the scores of all metrics, or what stands for them: key -> (score, its metric).

    Raises:
        RecipeError: two metrics give a score of one key.
    """
    shared = Counter(key for _, computed in results for key in computed)
    merged: dict[str, tuple[T, Metric]] = {}
    for metric, computed in results:
        for key, score in computed.items():
            # a key that only one metric gives stays as it is: `f1`, unless it says `f1_macro`
            is_tagged = metric.is_word or (shared[key] > 1 and metric.tag)
            name = f"{key}_{metric.tag}" if is_tagged else key
            if name in merged:
                raise RecipeError(
                    f"metric '{metric.name}': another one gives the score '{name}' already; "
                    "remove one of them from `metrics:`"
                )
            merged[name] = (score, metric)
    return merged
