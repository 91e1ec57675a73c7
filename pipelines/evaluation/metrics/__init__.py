"""Metrics: one file each, an ordinary `evaluate` metric that works offline.

A metric file holds one class, a direct subclass of `evaluate.Metric`:

    greater_is_better    False if less is better
    problem_types        those that it can score, in quotes; without it, whatever fits _info()
    _info()              types of predictions and references; `info` below makes it
    _compute()           {file name: float}; it takes `predictions`, `prediction_scores`
                         (probabilities) or both, and `references`. Its further arguments are the
                         metric's options in a recipe, but `num_labels` and `label_names` come from
                         the labels

`evaluate.load("pipelines/evaluation/metrics/f1.py")` works too. It takes the first class that it
finds in the file, so a metric does `import evaluate` (never `from evaluate import Metric`) and
shares code through functions, not through a base class.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluate import MetricInfo

# the config_names by which `evaluate` metrics distinguish 0/1 rows from class ids, and a score for
# each class from the one score of two classes
MULTILABEL, MULTICLASS = "multilabel", "multiclass"


def info(summary: str | None, dtype: str, config_name: str = "default") -> "MetricInfo":
    """Describe what a metric takes: one `dtype` per example, or a list if it is multi-label.

    Args:
        summary: the metric's description, usually its file's `__doc__`.
        dtype: of a prediction and a reference, as `datasets.Value` names it.
    """
    from datasets import Features, List, Value
    from evaluate import MetricInfo

    value = List(Value(dtype)) if config_name == MULTILABEL else Value(dtype)
    features = Features({"predictions": value, "references": value})
    return MetricInfo(description=summary or "", citation="", features=features)


def averaging(
    average: str, pos_label: int | None, num_labels: int, config_name: str
) -> dict[str, Any]:
    """Make the options of scikit-learn's f1, precision, recall and jaccard.

    With `pos_label` it is the score of that label. Else `auto` is micro for multi-label, binary
    for two classes (as in GLUE) and macro for more.

    Args:
        pos_label: a class id; None for the second of two classes, or an average of all.
        num_labels: the number of classes of the labels; one batch need not hold them all.
    """
    if pos_label is not None:
        # scikit-learn itself heeds its pos_label with two classes only
        return {"average": "macro", "labels": [pos_label], "zero_division": 0}
    # scikit-learn's own default, "binary", fails on more than two classes
    if average == "auto":
        two_or_more = "binary" if num_labels == 2 else "macro"
        average = "micro" if config_name == MULTILABEL else two_or_more
    return {"average": average, "zero_division": 0}


def correlation(coefficient: Callable[..., Any], predictions: Any, references: Any) -> float:
    """Compute a correlation coefficient of scipy; 0 if one side is constant."""
    # undefined there. Constant predictions carry no information about the order, so 0 is fair
    # (scikit-learn decides so for Matthews), and with NaN the Trainer would find no best checkpoint
    if any(min(side) == max(side) for side in (predictions, references)):
        return 0.0
    return float(coefficient(predictions, references).statistic)


def error_rate(aligned: Any) -> float:
    """Divide the edits of all texts by the length of all references, from jiwer's alignment.

    Empty references count: whatever is predicted for them is wrong. If all are empty, the rate
    is the number of insertions.
    """
    edits = aligned.substitutions + aligned.deletions + aligned.insertions
    length = aligned.substitutions + aligned.deletions + aligned.hits
    # over all texts, not a mean of their rates, which short texts would dominate
    return edits / max(length, 1)
