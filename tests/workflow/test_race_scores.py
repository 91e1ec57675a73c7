"""What the best of several strategies is worth, on rows that had no part in the choice."""

import numpy as np
import pytest

from pipelines.workflow.race_scores import Entrant, nested_score, reason


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
