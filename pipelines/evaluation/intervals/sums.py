"""A metric and scored examples -> sums over rows from which its scores follow.

What resampling does to such a score, it does to the sums: all draws are one matrix product. A
metric without an entry here, or with options that its entry does not know, is computed draw by
draw.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from pipelines.core import tag_schemes
from pipelines.core.labels import CHOICE, MULTI, SINGLE
from pipelines.evaluation.intervals import class_sums, text_sums
from pipelines.evaluation.intervals.class_sums import ClassCounts
from pipelines.evaluation.intervals.moment_sums import moments, pearson, r2, sides
from pipelines.evaluation.intervals.scored_rows import ScoredRows, Sums
from pipelines.evaluation.metric import Metric

EPSILON = np.finfo(np.float64).eps  # of scikit-learn's log loss and mape
MAX_NATS = 700.0  # as of the metric perplexity


Form = Callable[[Metric, ScoredRows], Mapping[str, Sums]]


def of(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    """Return the sums of each score of a metric, by its key; none where it has none."""
    form = FORMS.get(metric.name) if metric.is_ours else None
    return form(metric, rows) if form else {}


def _of_classes(key: str, score: Callable[[ClassCounts], np.ndarray], rows: ScoredRows) -> Any:
    return {key: Sums(rows.class_counts, partial(_with_counts, score))}


def _with_counts(score: Callable[[ClassCounts], np.ndarray], sums: np.ndarray) -> np.ndarray:
    return score(ClassCounts.of(sums))


def _accuracy(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    if not rows.have_classes:
        return {}
    return _of_classes("accuracy", lambda counts: counts.right / counts.total, rows)


def _averaged(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    """Average F1, precision, recall or Jaccard as the options say."""
    is_multi = rows.labels.problem_type == MULTI
    label: Any = metric.options.get("pos_label")
    average = metric.options.get("average", "auto")
    if average == "auto":
        two_or_more = "binary" if rows.labels.num_labels == 2 else "macro"
        average = "micro" if is_multi else two_or_more
    if average == "samples" or not rows.have_classes:
        return {}
    score = partial(
        class_sums.averaged, metric.name, average=average, label=label, all_count=is_multi
    )
    return _of_classes(metric.name, score, rows)


def _unless_weighted(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    if metric.options.get("weights") or rows.labels.problem_type != SINGLE:
        return {}
    return _of_classes("cohen_kappa", class_sums.cohen_kappa, rows)


def _balanced_accuracy(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    if rows.labels.problem_type not in (SINGLE, CHOICE):
        return {}
    return _of_classes("balanced_accuracy", class_sums.balanced_accuracy, rows)


def _matthews_correlation(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    is_multi = rows.labels.problem_type == MULTI
    of_one, of_several = (
        class_sums.matthews_correlation,
        class_sums.matthews_correlation_of_labels,
    )
    score = of_several if is_multi else of_one
    return _of_classes(metric.name, score, rows) if rows.have_classes else {}


def _hamming(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    if rows.labels.problem_type == MULTI:
        return _of_classes("hamming", class_sums.hamming_of_labels, rows)
    return _of_classes("hamming", lambda counts: 1 - counts.right / counts.total, rows)


def _mean(key: str, values: Any) -> Mapping[str, Sums]:
    """Average (rows,) values."""
    return {key: _quotient(np.stack([values, np.ones(len(values))], axis=1))}


def _quotient(pairs: np.ndarray) -> Sums:
    """Divide what rows have in the first column by what they have in the second."""
    # of empty references the rate is the number of insertions
    return Sums(pairs, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1))


def _log_loss(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    nats = -np.log(np.clip(rows.probability_of_right, EPSILON, 1 - EPSILON))
    return _mean("log_loss", nats.reshape(len(rows), -1).mean(axis=1))


def _brier_score(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    wrong = (1 - rows.probability_of_right) ** 2
    if rows.labels.problem_type == SINGLE and rows.labels.num_labels > 2:
        right = rows.probability_of_right
        wrong = wrong + (rows.probabilities**2).sum(axis=1) - right**2
    return _mean("brier_score", wrong.reshape(len(rows), -1).mean(axis=1))


def _top_k_accuracy(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    if rows.labels.problem_type != SINGLE or rows.labels.num_labels == 2:
        return {}
    num_better = (rows.probabilities > rows.probability_of_right[:, None]).sum(axis=1)
    return _mean("top_k_accuracy", num_better < metric.options.get("k", 2))


def _error(of_row: Callable[[Any, Any], Any], metric: Metric, rows: ScoredRows) -> Any:
    """Average an error of each row."""
    return _mean(metric.name, of_row(*sides(rows)))


def _by_example(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    """Average the scores that each text has by itself."""
    pairs = zip(rows.predictions, rows.references, strict=True)
    scores = [metric.compute([predicted], [actual]) for predicted, actual in pairs]
    columns: dict[str, Sums] = {}
    for key in scores[0]:
        columns |= _mean(key, np.array([score[key] for score in scores]))
    return columns


def _edits(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    import jiwer

    align = jiwer.process_words if metric.name == "wer" else jiwer.process_characters
    return {metric.name: _quotient(text_sums.edits(align(rows.references, rows.predictions)))}


def _token_accuracy(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    return {"token_accuracy": _quotient(text_sums.words(rows.predictions, rows.references))}


def _perplexity(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    nats = _quotient(text_sums.tokens(rows.predictions, rows.references))
    exponential = Sums(nats.rows, lambda sums: np.exp(np.minimum(nats.score(sums), MAX_NATS)))
    return {"perplexity": exponential}


def _seqeval(metric: Metric, rows: ScoredRows) -> Mapping[str, Sums]:
    is_strict = bool(metric.options.get("scheme"))
    if is_strict or not tag_schemes.are_entities(rows.labels.names):
        return {}
    counts, average = rows.entities[0], metric.options.get("average", "micro")
    columns: dict[str, Sums] = {}
    for name in ("f1", "precision", "recall"):
        score = partial(class_sums.averaged, name, average=average, all_count=False)
        columns[name] = Sums(counts, partial(_with_counts, score))
    accuracy = _quotient(text_sums.words(rows.predictions, rows.references))
    return {**columns, "accuracy": accuracy}


def _absolute_share(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(x - y) / np.maximum(np.abs(y), EPSILON))


FORMS: Mapping[str, Form] = {
    "accuracy": _accuracy,
    **dict.fromkeys(("f1", "precision", "recall", "jaccard"), _averaged),
    "balanced_accuracy": _balanced_accuracy,
    "cohen_kappa": _unless_weighted,
    "matthews_correlation": _matthews_correlation,
    "hamming": _hamming,
    "log_loss": _log_loss,
    "brier_score": _brier_score,
    "top_k_accuracy": _top_k_accuracy,
    "mae": partial(_error, lambda x, y: np.abs(x - y)),
    "mse": partial(_error, lambda x, y: (x - y) ** 2),
    "mape": partial(_error, _absolute_share),
    "pearson": partial(moments, pearson),
    "r2": partial(moments, r2),
    **dict.fromkeys(("squad", "exact_match"), _by_example),
    **dict.fromkeys(("wer", "cer"), _edits),
    "token_accuracy": _token_accuracy,
    "perplexity": _perplexity,
    "seqeval": _seqeval,
}
