"""Detectors of rows that are unlike train, on arrays whose answers are known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.detection import DETECTORS, Passed, energy, mahalanobis, max_probability
from pipelines.evaluation.detection import nearest_neighbors as neighbors
from pipelines.evaluation.detection.result import area, detect

NOBODY = np.array([], dtype=int)


def passed(features: list[list[float]], logits: list[list[float]] | None = None) -> Passed:
    """Rows without labels."""
    return Passed(np.array(logits or [[0.0, 0.0]] * len(features)), np.array(features), NOBODY)


def test_the_area_is_that_of_scikit_learn_with_an_interval_around_it():
    draws = np.random.default_rng(0)
    inside = draws.normal(0, 1, 300).round(1)  # rounded: some are equal
    outside = draws.normal(1, 1, 200).round(1)
    measured = area(inside, outside, seed=42)
    expected = roc_auc_score([0] * 300 + [1] * 200, [*inside, *outside])
    assert measured.value == pytest.approx(expected)
    assert measured.low < expected < measured.high
    # 1.96 standard errors by Hanley and McNeil (1982), of this area and these sizes
    q1, q2 = expected / (2 - expected), 2 * expected**2 / (1 + expected)
    variance = expected * (1 - expected) + 199 * (q1 - expected**2) + 299 * (q2 - expected**2)
    width = 2 * 1.96 * np.sqrt(variance / (300 * 200))
    assert measured.high - measured.low == pytest.approx(width, rel=0.15)
    assert area(inside, outside, seed=42) == measured
    assert area(np.zeros(3), np.ones(4), seed=1).low == 1


def test_what_is_less_sure_scores_higher_by_probability_and_smaller_logits_by_energy():
    rows = passed([[0.0]] * 3, [[4.0, 0.0], [1.0, 0.0], [9.0, 8.0]])
    sure, weak, split = max_probability.score(rows, rows)
    assert sure < weak == pytest.approx(split)
    assert -np.log(1 / (1 + np.exp(-4.0))) == pytest.approx(sure)
    strong, weak, both = energy.score(rows, rows)
    assert both < strong < weak == pytest.approx(-np.log(np.exp(1.0) + 1))


def test_distances_are_to_the_nearest_class_and_to_neighbors_by_direction():
    draws = np.random.default_rng(0)
    targets = np.repeat([0, 1], 2000)
    # wide along the first axis, narrow along the second
    spread = draws.normal(0, [1, 0.5], (4000, 2))
    train = Passed(np.zeros((4000, 2)), spread + np.array([[0, 10], [0, -10]])[targets], targets)
    rows = passed([[0, 10], [1, 10], [0, 11], [0, 0]])
    center, along, across, between = mahalanobis.score(rows, train)
    assert center < along < across < between
    # in deviations, squared
    assert along == pytest.approx(1, rel=0.2)
    assert across == pytest.approx((1 / 0.5) ** 2, rel=0.2)
    up, far_up, aside = neighbors.score(passed([[0, 10], [0, 1000], [10, 0]]), train)
    assert up == pytest.approx(far_up)  # only the direction counts
    assert aside > 10 * up


def test_every_detector_tells_rows_apart_that_lie_elsewhere():
    draws = np.random.default_rng(0)
    weights = np.array([[3.0, 0], [-3.0, 0]])

    def rows(center: float, count: int) -> Passed:
        """Two classes at the sides, or, of another source, one between them."""
        targets = draws.integers(0, 2, count)
        means = np.array([[center, 0], [-center, 0]])[targets] + [0, 3 * (center == 0)]
        features = means + draws.normal(0, 0.3, (count, 2))
        return Passed(features @ weights.T, features, targets)

    areas = detect(rows(2, 100), rows(0, 80), rows(2, 200), seed=1)
    assert [*areas] == [*DETECTORS]
    assert all(area.low > 0.95 for area in areas.values())
