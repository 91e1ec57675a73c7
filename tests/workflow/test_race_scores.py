"""What the best of several strategies is worth, on rows that had no part in the choice."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.core.jackknife import pseudo_values
from pipelines.training.fold_cache import Logits
from pipelines.workflow.out_of_fold import OutOfFold
from pipelines.workflow.race_scores import (
    NO_TIME,
    Entrant,
    is_behind,
    nested_score,
    reason,
    table,
    worth_the_time,
)


def mean(logits: Logits) -> float:
    return float(np.mean([*logits.values()]))


def answers_of(scores: Sequence[float]) -> OutOfFold:
    """One row a fold, whose score is its logit."""
    return OutOfFold(mean, tuple({fold: np.array(score)} for fold, score in enumerate(scores)))


def entrant(name: str, *scores: float, reason: str = "") -> Entrant:
    return Entrant(name, answers_of(scores), reason=reason)


def entrants_of(*scores: Sequence[float]) -> list[Entrant]:
    return [entrant(f"strategy{i}", *each) for i, each in enumerate(scores)]


LEADER = entrant("linear_probe", 0.6, 0.7, 0.8, 0.6, 0.7)


def test_the_best_of_equals_is_too_good_by_chance_and_the_nested_score_is_not() -> None:
    random = np.random.default_rng(0)
    best, nested = [], []
    for _ in range(300):  # four strategies that guess two classes, on five folds of 4 rows
        entrants = entrants_of(*map(tuple, random.binomial(4, 0.5, (4, 5)) / 4))
        best.append(max(each.score or 0.0 for each in entrants))
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


def test_the_nested_score_is_of_all_rows_together_as_the_score_is() -> None:
    """Folds of one row and of three: a mean over folds would be another number."""
    folds = ({0: np.array(0.0)}, {1: np.array(1.0), 2: np.array(1.0), 3: np.array(1.0)})
    entrants = [Entrant(name, OutOfFold(mean, folds)) for name in ("linear_probe", "full")]
    assert nested_score(entrants, 1) == entrants[0].score == 0.75


def test_without_a_choice_there_is_no_nested_score() -> None:
    (finished,) = entrants_of((0.5, 1.0))
    stopped = entrant("full", 0.5, reason="behind strategy0")
    assert nested_score([finished, stopped], 1) is None
    assert reason([finished, stopped], finished, "f1", 1) == (
        "f1 0.7500 out of fold, the best of strategy0, full"
    )
    assert reason([finished], finished, "f1", 1) == "f1 0.7500 out of fold, and no other was scored"


def test_one_that_time_did_not_suffice_for_has_no_score_and_may_go_on() -> None:
    stopped = entrant("lp_ft", 0.7, 0.82, reason=NO_TIME)
    better = entrant("full", 0.9, 0.98, reason=NO_TIME)
    behind = entrant("lora", 0.9, 0.98, reason="behind full")
    assert stopped.score is None
    assert worth_the_time([LEADER, stopped], LEADER, 1) is stopped
    assert worth_the_time([LEADER, stopped, better, behind], LEADER, 1) is better
    errors = entrant("linear_probe", 0.4, 0.3, 0.2)
    fewer = entrant("lp_ft", 0.3, 0.18, reason=NO_TIME)
    assert worth_the_time([errors, fewer], errors, -1) is fewer


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ((0.9,), NO_TIME),  # one fold tells nothing
        ((0.59, 0.8), NO_TIME),  # by less than the standard error
        ((0.5, 0.6), NO_TIME),
        ((0.7, 0.82), "the model's outputs are not finite"),
    ],
)
def test_one_that_may_be_ahead_by_chance_does_not_go_on(scores: list[float], why: str) -> None:
    assert worth_the_time([LEADER, entrant("lp_ft", *scores, reason=why)], LEADER, 1) is None


def test_behind_is_by_more_than_chance_or_by_anything_where_both_train() -> None:
    assert is_behind(answers_of((0.5, 0.61)), LEADER, 1, any_lead=False)
    assert not is_behind(answers_of((0.59, 0.7)), LEADER, 1, any_lead=False)
    assert is_behind(answers_of((0.59, 0.7)), LEADER, 1, any_lead=True)
    assert not is_behind(answers_of((0.1,)), LEADER, 1, any_lead=True)


def test_the_table_has_the_deciding_score_and_the_best_on_the_folds_of_those_left_out() -> None:
    stopped, none = entrant("lp_ft", 0.5, 0.6, reason=NO_TIME), Entrant("full", reason=NO_TIME)
    lines = [*table([LEADER, stopped, none], LEADER)]
    assert lines[0].split()[:4] == ["linear_probe", f"{LEADER.score:.4f}", "±", "0.0374"]
    assert lines[1].endswith(
        "; left out after 2 folds, of which linear_probe has 0.6500: no time is left"
    )
    assert lines[2].split()[:2] == ["full", "-"]


def test_pseudo_values_are_those_of_the_folds_where_a_score_is_a_mean() -> None:
    scores = [0.25, 0.5, 1.0]
    values = pseudo_values(lambda folds: float(np.mean([scores[fold] for fold in folds])), range(3))
    assert values == pytest.approx(scores)
    assert pseudo_values(lambda folds: 0.5, [0]) == (0.5,)


def test_a_correlation_varies_though_a_single_row_has_none() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=30)
    answers = numbers + random.normal(size=30)

    def pearson(rows: list[int]) -> float:
        return float(np.corrcoef(numbers[rows], answers[rows])[0, 1])

    values = pseudo_values(pearson, range(30))
    assert np.mean(values) == pytest.approx(pearson([*range(30)]), abs=0.01)
    # of 30 rows it is (1 - r²) / sqrt(29)
    expected = (1 - pearson([*range(30)]) ** 2) / 29**0.5
    assert np.std(values, ddof=1) / 30**0.5 == pytest.approx(expected, rel=0.35)
