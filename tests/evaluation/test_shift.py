"""Diagnostics of a shift between domains: on features that are alike, and on some that are not."""

import numpy as np
import pytest

from pipelines.evaluation.shift.domain_classifier import DomainClassifier
from pipelines.evaluation.shift.frechet import FrechetDistance
from pipelines.evaluation.shift.label_shift import LabelShift
from pipelines.evaluation.shift.mmd import MeanDiscrepancy

CALM = range(12)  # seeds of draws without a shift


def features(seed, num_rows=120, dims=6, mean=0.0, scale=1.0):
    # another stream than that of the same seed in what is tested
    return np.random.default_rng([1, seed]).normal(mean, scale, (num_rows, dims))


@pytest.mark.parametrize("kind", [DomainClassifier.fit, MeanDiscrepancy.estimate])
def test_p_values_are_spread_without_a_shift_and_small_with_one(kind):
    calm = [kind(features(2 * i), features(2 * i + 1), seed=i).p_value for i in CALM]
    # uniform: of twelve, most are above 0.1, and none is below 0.001
    assert np.mean(np.array(calm) > 0.1) > 0.6
    assert min(calm) > 0.002
    assert kind(features(0), features(1, mean=1.0), seed=0).p_value < 0.01


def test_mmd_sees_a_spread_that_a_linear_classifier_does_not():
    wide = features(1, num_rows=200, scale=2.0)
    assert MeanDiscrepancy.estimate(features(0, num_rows=200), wide, seed=0).p_value < 0.01
    assert DomainClassifier.fit(features(0, num_rows=200), wide, seed=0).error > 0.3


def test_proxy_a_distance_is_2_where_domains_are_told_apart_and_never_below_0():
    assert DomainClassifier.fit(features(0), features(1, mean=5.0), seed=0).distance == 2.0
    assert DomainClassifier(error=0.6, p_value=0.9, num_rows=10).distance == 0.0


def test_as_many_rows_of_each_domain_are_compared():
    few = features(1, num_rows=20)
    assert DomainClassifier.fit(features(0), few, seed=0).num_rows == 20
    assert MeanDiscrepancy.estimate(features(0), few, seed=0).num_rows == 20
    assert FrechetDistance.between(features(0), few, seed=0).num_rows == 20


def test_mmd_of_many_samples_without_a_shift_is_0_on_average():
    squared = [MeanDiscrepancy.estimate(features(2 * i), features(2 * i + 1), i) for i in CALM]
    values = np.array([each.squared for each in squared])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))


def test_frechet_distance_is_that_of_the_gaussians():
    distance = FrechetDistance.between(
        features(0, num_rows=8000, dims=2), features(1, num_rows=4000, dims=2, mean=3, scale=2), 0
    )
    # |m|² + tr(S1 + S2 - 2 (S1 S2)^½) = 2 * 9 + 2 * (1 + 4 - 4)
    assert distance.squared == pytest.approx(20, rel=0.05)
    assert distance.within < 0.01
    assert not distance.shrunk


def test_covariances_of_few_rows_are_shrunk_and_a_line_says_so():
    distance = FrechetDistance.between(features(0, dims=80), features(1, dims=80), seed=0)
    assert distance.shrunk
    assert "shrunk (Ledoit-Wolf): 60 rows are few for 80 dimensions" in next(distance.lines())


def classes(seed, share, num_rows=600):
    """Features of two classes, of which the second has this share."""
    random = np.random.default_rng([1, seed])
    labels = (random.random(num_rows) < share).astype(int)
    return random.normal(0, 1, (num_rows, 3)) + 2 * labels[:, None], labels


def test_shares_of_classes_are_estimated_from_predictions():
    source, labels = classes(0, 0.5)
    target, _ = classes(1, 0.2)
    shift = LabelShift.estimate(source, labels, target, ("no", "yes"), seed=0)
    assert shift.target == pytest.approx([0.8, 0.2], abs=0.05)
    assert shift.low[1] < 0.2 < shift.high[1] < 0.5
    assert "may be more or less frequent" in list(shift.lines())[1]


def test_no_change_of_shares_is_not_called_one():
    source, labels = classes(0, 0.5)
    target, _ = classes(1, 0.5)
    shift = LabelShift.estimate(source, labels, target, ("no", "yes"), seed=0)
    assert "no change of the shares is seen" in list(shift.lines())[1]


def test_what_a_probe_cannot_tell_apart_has_no_estimate():
    source, labels = features(0), np.arange(120) % 2  # features that know nothing of the label
    constant = LabelShift.estimate(0 * source, labels, source, ("no", "yes"), seed=0)
    assert list(constant.lines()) == [
        "label shift: not estimated: the probe confuses classes: its matrix is singular"
    ]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([0] * 120, "no row of class 'yes' was drawn"), ([1] + [0] * 119, "a class has too few rows")],
)
def test_a_class_without_rows_has_no_estimate(labels, reason):
    # the one row of the second class falls into one half by the seed
    seeds = range(8)
    shifts = [
        LabelShift.estimate(features(0), np.array(labels), features(1), ("no", "yes"), seed)
        for seed in seeds
    ]
    assert reason in {shift.reason for shift in shifts}
    assert all(shift.target is None for shift in shifts)


def test_every_line_says_what_it_does_not_prove():
    alike, apart = (features(1), features(2, mean=3.0))
    for kind in (DomainClassifier.fit, MeanDiscrepancy.estimate, FrechetDistance.between):
        texts = [list(kind(features(0), other, seed=0).lines()) for other in (alike, apart)]
        assert all(len(text) == 2 for text in texts)
    calm, far = (DomainClassifier(0.4, p, num_rows=100).lines() for p in (0.2, 0.01))
    assert "does not prove" in [*calm][1]
    assert "need not" in [*far][1]


@pytest.mark.parametrize("seed", [9, 40, 46])  # estimates at 0, which spread too little
def test_a_probe_that_learns_nothing_shows_no_change(seed):
    labels = np.arange(60) % 2
    shift = LabelShift.estimate(
        features(2 * seed, num_rows=60), labels, features(2 * seed + 1, 20), ("no", "yes"), seed
    )
    assert not shift.is_seen
