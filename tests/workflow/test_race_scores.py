"""What the best of several strategies is worth, on rows that had no part in the choice."""

import numpy as np
import pytest

from pipelines.workflow.race_scores import (
    NO_TIME,
    Entrant,
    clearly_ahead,
    is_behind,
    nested_score,
    reason,
    table,
)


def entrants_of(*scores: tuple[float, ...]) -> list[Entrant]:
    return [Entrant(f"strategy{i}", each, float(np.mean(each))) for i, each in enumerate(scores)]


def test_the_best_of_equals_is_too_good_by_chance_and_the_nested_score_is_not() -> None:
    random = np.random.default_rng(0)
    best, nested = [], []
    for _ in range(300):  # four strategies that guess two classes, on five folds of 4 rows
        entrants = entrants_of(*map(tuple, random.binomial(4, 0.5, (4, 5)) / 4))
        best.append(max(entrant.score or 0.0 for entrant in entrants))
        nested.append(nested_score(entrants, 1))
    assert np.mean(best) > 0.58
    assert np.mean(nested) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.75), (-1, 0.25)])
def test_one_that_is_better_on_every_fold_is_worth_its_score(sign: int, expected: float) -> None:
    entrants = entrants_of((0.25, 0.25, 0.25), (0.75, 0.75, 0.75))
    assert nested_score(entrants, sign) == expected
    best = entrants[1 if sign == 1 else 0]
    assert reason(entrants, best, "accuracy", sign) == (
        f"accuracy {expected:.4f} out of fold, the best of strategy0, strategy1; "
        f"{expected:.4f} on folds that have no part in the choice"
    )


def test_without_a_choice_there_is_no_nested_score() -> None:
    (finished,) = entrants_of((0.5, 1.0))
    stopped = Entrant("full", (0.5,), reason="behind strategy0")
    assert nested_score([finished, stopped], 1) is None
    assert reason([finished, stopped], finished, "f1", 1) == (
        "f1 0.7500 out of fold, the best of strategy0, full"
    )


LEADER = Entrant("linear_probe", (0.6, 0.7, 0.8, 0.6, 0.7), 0.68)


def test_one_that_is_clearly_ahead_when_time_is_over_wins_by_the_folds_of_both() -> None:
    stopped = Entrant("lp_ft", (0.7, 0.82), reason=NO_TIME)
    ahead = clearly_ahead(stopped, LEADER, 1)
    assert ahead is not None
    assert ahead.score == pytest.approx(0.68 + 0.11)
    _, line = table([LEADER, ahead])
    assert line.endswith("; stopped after 2 folds: ahead of linear_probe, and no time is left")
    assert nested_score([LEADER, ahead], 1) == pytest.approx(0.76)
    assert reason([LEADER, ahead], ahead, "accuracy", 1).startswith(
        "accuracy 0.7900 out of fold, by 2 folds, the best of linear_probe, lp_ft"
    )
    errors = Entrant("linear_probe", (0.4, 0.3, 0.2), 0.3)
    better = clearly_ahead(Entrant("lp_ft", (0.3, 0.18), reason=NO_TIME), errors, -1)
    assert better is not None
    assert better.score == pytest.approx(0.19)


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ((0.9,), NO_TIME),  # one fold tells nothing
        ((0.59, 0.8), NO_TIME),  # by less than the standard error
        ((0.5, 0.6), NO_TIME),
        ((0.7, 0.82), "the model's outputs are not finite"),
    ],
)
def test_one_that_may_be_ahead_by_chance_is_left_out(scores: tuple[float, ...], why: str) -> None:
    assert clearly_ahead(Entrant("lp_ft", scores, reason=why), LEADER, 1) is None


def test_behind_is_by_more_than_chance_or_by_anything_where_both_train() -> None:
    assert is_behind((0.5, 0.61), LEADER, 1, any_lead=False)
    assert not is_behind((0.59, 0.7), LEADER, 1, any_lead=False)
    assert is_behind((0.59, 0.7), LEADER, 1, any_lead=True)
    assert not is_behind((0.1,), LEADER, 1, any_lead=True)
