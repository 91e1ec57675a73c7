"""A scorer and scored examples -> every score of every draw, and the intervals."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.core.errors import RecipeError
from pipelines.core.labels import CHOICE, PROBLEM_TYPES
from pipelines.evaluation.intervals import sums
from pipelines.evaluation.intervals.draws import NUM_DRAWS, RowDraws
from pipelines.evaluation.intervals.result import Interval, ScoreDraws
from pipelines.evaluation.intervals.scored_rows import ScoredRows, Sums
from pipelines.evaluation.merged_scores import merge
from pipelines.evaluation.metric import Metric
from pipelines.evaluation.scorer import Scorer, take

ACCURACY = "accuracy"  # a share of rows
MIN_UNITS = 10  # of rows, or groups: draws of fewer say nothing
MIN_DRAWS = 200  # whose percentiles say something
MAX_SCORED_ROWS = 4_000_000  # of all draws of a metric that is computed for each: a second or two
ROWS_OF_A_CALL = 1_000  # whose scoring takes as long as to call a metric
TOLERANCE = 1e-6  # between a score and what its sums give


def draw(
    scorer: Scorer, rows: ScoredRows, scores: Mapping[str, float], draws: RowDraws
) -> ScoreDraws:
    """Compute every score of every draw.

    Args:
        scores: those of all rows, as `scorer` gives them.
    """
    if draws.num_units < MIN_UNITS:
        units = "groups" if draws.groups is not None else "rows"
        few = f"{draws.num_units} {units}, and to draw them anew takes at least {MIN_UNITS}"
        reasons = dict.fromkeys(scores, few)
        return ScoreDraws(reasons=reasons, of_groups=draws.groups is not None)
    by_sums = {metric: sums.of(metric, rows) for metric in scorer.metrics}
    drawn = _draw_sums([s for forms in by_sums.values() for s in forms.values()], draws)
    computed: list[tuple[Metric, dict[str, np.ndarray]]] = []
    slow: dict[str, str] = {}
    for metric, forms in by_sums.items():
        values = {key: drawn[id(form)] for key, form in forms.items()}
        if not values:
            slow[metric.name], values = _draw_scores(metric, rows, draws)
        computed.append((metric, values))
    named = {key: values for key, (values, _) in merge(computed).items()}
    of_all = merge([(m, _of_all_rows(forms)) for m, forms in by_sums.items()])
    for key, (score, _) in of_all.items():
        # an option that the sums do not know: no interval is better than that of another score
        if key in scores and not np.isclose(score, scores[key], rtol=TOLERANCE, atol=TOLERANCE):
            named.pop(key, None)
    shown = "; ".join(filter(None, slow.values())) or "options whose draws are not known"
    missing = {key: shown for key in scores if key not in named}
    values = {key: named[key] for key in scores if key in named}
    return ScoreDraws(values, missing, draws.groups is not None)


def intervals(scorer: Scorer, drawn: ScoreDraws, rows: ScoredRows) -> dict[str, Interval]:
    """Compute the interval of every score that was drawn; accuracy of single rows: exactly."""
    results = {key: Interval.of_draws(v, drawn.of_groups) for key, v in drawn.values.items()}
    is_scored = any(m.name == ACCURACY and m.is_ours for m in scorer.metrics)
    if is_scored and rows.have_classes and not drawn.of_groups:
        right = np.asarray(rows.predictions) == np.asarray(rows.references)
        right = right.reshape(len(rows), -1).all(axis=1)
        results[ACCURACY] = Interval.of_share(int(right.sum()), len(rows))
    return results


def _draw_sums(forms: list[Sums], draws: RowDraws) -> dict[int, np.ndarray]:
    """Compute the scores of all draws: id of the sums -> (draws,)."""
    if not forms:
        return {}
    # scores of one metric, and those of classes, have their sums in common
    shared = {id(form.rows): form.rows for form in forms}
    by_unit = {key: draws.sum_by_unit(rows) for key, rows in shared.items()}
    chunks: dict[int, list[np.ndarray]] = {id(form): [] for form in forms}
    for weights in draws.weights():
        totals = {key: _product(weights, rows) for key, rows in by_unit.items()}
        for form in forms:
            chunks[id(form)].append(form.score(totals[id(form.rows)]))
    return {key: np.concatenate(values) for key, values in chunks.items()}


def _product(weights: np.ndarray, rows: Any) -> np.ndarray:
    """Multiply dense weights by dense or sparse rows."""
    return np.asarray(weights @ rows if isinstance(rows, np.ndarray) else (rows.T @ weights.T).T)


def _of_all_rows(forms: Mapping[str, Sums]) -> dict[str, float]:
    """Compute the score of all rows from its sums."""
    scores = {}
    for key, form in forms.items():
        total = np.asarray(form.rows.sum(axis=0)).reshape(1, -1)
        scores[key] = float(form.score(total)[0])
    return scores


def _draw_scores(
    metric: Metric, rows: ScoredRows, draws: RowDraws
) -> tuple[str, dict[str, np.ndarray]]:
    """Compute a metric for each draw: (why not, key -> (draws,)).

    As many draws as are quick, and none where these would be too few.
    """
    if not metric.is_ours:
        return f"{metric.name}: a metric of others would have to score each draw", {}
    takes_scores = metric.declaration.takes_scores
    cost = (len(rows) + ROWS_OF_A_CALL) * (rows.labels.num_labels if takes_scores else 1)
    num_draws = min(NUM_DRAWS, MAX_SCORED_ROWS // cost)
    if num_draws < MIN_DRAWS:
        return f"{metric.name}: takes too long to compute for each of {MIN_DRAWS} draws", {}
    # a draw may lack a class, of which some metrics warn
    with warnings.catch_warnings(action="ignore"):
        try:
            scored = [*_scores_of_draws(metric, rows, draws, num_draws)]
        except RecipeError as error:
            return f"{error}, of a draw of the rows", {}
    columns = zip(*(each.values() for each in scored), strict=True)
    values = dict(zip(scored[0], map(np.array, columns), strict=True))
    finite = {key: column for key, column in values.items() if np.isfinite(column).all()}
    return "" if finite else f"{metric.name}: not finite in a draw", finite


def _scores_of_draws(
    metric: Metric, rows: ScoredRows, draws: RowDraws, num_draws: int
) -> Iterator[dict[str, float]]:
    takes_scores = metric.declaration.takes_scores
    sides: list[Any] = [rows.predictions, rows.references]
    if rows.labels.problem_type in (*PROBLEM_TYPES, CHOICE):  # others are lists and texts
        sides = [np.asarray(side) for side in sides]
    for drawn in draws.rows(num_draws):
        predictions, references = (take(side, drawn) for side in sides)
        probabilities = rows.probabilities[drawn] if takes_scores else None
        yield metric.compute(predictions, references, probabilities)
