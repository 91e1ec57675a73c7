"""Of few rows: `auto` cross-validates strategies, and the best one becomes the run's.

entrants, simple first ── each fold in turn ── behind, or no time left? ──▶ left out
                                            │   └─ clearly ahead of the best? the other folds, too
                                            └─ all folds ──▶ score on all rows ──▶ the best

A run of the winner finds its folds in the cache.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipelines.core.console import duration, say
from pipelines.recipe import Recipe
from pipelines.strategies.auto import RACE_MINUTES, Auto
from pipelines.workflow import race_scores, simple_model
from pipelines.workflow.prepare import on_rows_of
from pipelines.workflow.prepared import Prepared
from pipelines.workflow.race_course import Course, with_strategy


def race(recipe: Recipe, prepared: Prepared) -> Prepared:
    """Let the entrants of `auto` compete, and prepare the best; what is no race stays as it is.

    Args:
        recipe: as the user wrote it.

    Raises:
        GraftError: as `prepare` does; ModelError where no entrant can be trained.
        Interrupted: on a signal; finished folds are kept.
    """
    strategy = prepared.recipe.strategy
    if not isinstance(strategy, Auto):
        return prepared
    assert prepared.folds is not None
    names, seconds = strategy.entrants or (), 60 * (strategy.minutes or RACE_MINUTES)
    say(
        f"auto: compares {', '.join(names)} on {len(np.unique(prepared.folds))} folds of "
        f"{len(prepared.data.train):,} rows, for about {duration(seconds)} (strategy.minutes), "
        "and then trains the best on all rows"
    )
    course, metric = Course(recipe, prepared, seconds), prepared.scorer.main
    for name in names:
        course.enter(name)
    course.give_time()
    best = course.leader
    say(f"auto: out of fold, {metric}:")
    for line in (*race_scores.table(course.entrants, best), *_simple_line(prepared)):
        say(line)
    if not best:  # whatever time it takes, an entrant runs to its end if none did before
        assert course.failure
        raise course.failure
    reason = race_scores.reason(course.entrants, best, metric, course.sign)
    say(f"auto: {best.name}; reason: {reason}")
    winner = with_strategy(recipe, best.name, prepared.data.num_folds)
    chosen = on_rows_of(prepared, winner, test=True)
    compared = tuple(entrant.name for entrant in course.entrants if entrant.answers)
    return replace(chosen, reason=reason, compared=compared)


def _simple_line(prepared: Prepared) -> Iterator[str]:
    """Write how good a bag of words is, or what is as simple: it warns, and does not compete."""
    simple = simple_model.measure(prepared)
    scores = simple.scores.get("validation") if simple else None
    if simple and scores:
        score = f"{scores[prepared.scorer.main]:.4f}"
        yield f"  {simple.name:<14} {score:<16} {duration(simple.seconds):>8}, to compare with"
