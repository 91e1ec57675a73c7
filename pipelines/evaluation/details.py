"""What stands behind the scores of a split: intervals, classes, confusions, the largest losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import tag_schemes
from pipelines.core.labels import CHOICE, SINGLE, TOKENS
from pipelines.evaluation import examples
from pipelines.evaluation import intervals as resampling
from pipelines.evaluation.intervals import Interval, RowDraws, ScoreDraws, ScoredRows
from pipelines.evaluation.intervals.class_sums import PAIRS, ClassCounts, count, ratio

if TYPE_CHECKING:
    from pipelines.evaluation.scorer import Scorer
    from pipelines.tasks import ModelOutputs

MAX_CONFUSION_CLASSES = 300  # of more, the matrix is larger than all other files
NUM_TOP_LOSSES = 20


@dataclass(frozen=True)
class ClassResult:
    """How good one class is.

    Attributes:
        count: how many examples have it; of entities, how many there are.
    """

    label: str
    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True, eq=False)
class SplitDetails:
    """What stands behind the scores of a split.

    Attributes:
        intervals: key of a score -> its interval of 95 % over rows.
        without_interval: key of a score -> why it has none.
        per_class: of each class, or kind of entity; empty where there are none.
        confusion: (classes, classes) examples of each class that are predicted as each, or words;
            None where an example has several labels, or classes are too many.
        top_losses: the rows with the largest losses, the largest first; empty without losses.
        draws: all scores of all draws, to be compared with those of other models.
    """

    intervals: Mapping[str, Interval] = field(default_factory=dict)
    without_interval: Mapping[str, str] = field(default_factory=dict)
    per_class: Sequence[ClassResult] = ()
    confusion: np.ndarray | None = None
    top_losses: Sequence[int] = ()
    draws: ScoreDraws = field(default_factory=ScoreDraws)


def measure(
    scorer: "Scorer",
    predictions: Any,
    targets: Any,
    outputs: "ModelOutputs",
    scores: Mapping[str, float],
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> SplitDetails:
    """Look behind the scores of a split.

    Args:
        outputs: what the predictions follow from.
        scores: of the predictions, as `scorer` gives them.
        groups: (rows,) equal in rows that belong together, which are drawn together then.
        seed: of the draws.
    """
    labels = scorer.labels
    rows = ScoredRows(predictions, targets, scorer.probabilities(outputs), labels)
    draws = resampling.draw(scorer, rows, scores, RowDraws(len(rows), groups, seed))
    intervals = resampling.intervals(scorer, draws, rows)
    reasons = {key: why for key, why in draws.reasons.items() if key not in intervals}
    losses = examples.losses(outputs, predictions, targets, labels)
    return SplitDetails(
        intervals=intervals,
        without_interval=reasons,
        per_class=per_class(rows),
        confusion=confusion(rows),
        top_losses=() if losses is None else largest(losses),
        draws=draws,
    )


def per_class(rows: ScoredRows) -> tuple[ClassResult, ...]:
    """Score each class by itself; of tags, each kind of entity, or each tag."""
    names: Sequence[str] = rows.labels.names
    if rows.have_classes:
        counts = rows.class_counts
    elif rows.labels.problem_type != TOKENS:
        return ()
    elif tag_schemes.are_entities(names):
        counts, names = rows.entities
    else:
        counts = count(*_tag_ids(rows), len(names))
    total = ClassCounts.of(np.asarray(counts.sum(axis=0)).reshape(1, -1))
    columns = {name: ratio(*PAIRS[name](total))[0] for name in ("precision", "recall", "f1")}
    return tuple(
        ClassResult(
            label=name,
            precision=float(columns["precision"][i]),
            recall=float(columns["recall"][i]),
            f1=float(columns["f1"][i]),
            count=int(total.actual[0, i]),
        )
        for i, name in enumerate(names)
    )


def confusion(rows: ScoredRows) -> np.ndarray | None:
    """Count the examples (or words) of each class, in rows, that are predicted as each."""
    num_classes = rows.labels.num_labels
    if rows.labels.problem_type not in (SINGLE, CHOICE, TOKENS):
        return None
    if num_classes > MAX_CONFUSION_CLASSES:
        return None
    predicted, actual = rows.predictions, rows.references
    if rows.labels.problem_type == TOKENS:
        predicted, actual = _tag_ids(rows)
    cells = np.asarray(actual).astype(int) * num_classes + np.asarray(predicted).astype(int)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def _tag_ids(rows: ScoredRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of all words' tags: (predicted, right)."""
    ids = {name: i for i, name in enumerate(rows.labels.names)}
    sides = map(chain.from_iterable, (rows.predictions, rows.references))
    predicted, actual = (np.array([*map(ids.__getitem__, tags)], int) for tags in sides)
    return predicted, actual


def largest(losses: np.ndarray) -> tuple[int, ...]:
    """Return the positions of the largest (rows,) losses, the largest first."""
    # stable, so that equals have the order of the rows
    order = np.argsort(-losses, kind="stable")[:NUM_TOP_LOSSES]
    return tuple(map(int, order))
