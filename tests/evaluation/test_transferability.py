"""Estimates of transfer against what they are defined as, and against noise."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pipelines.evaluation.transferability.h_score import h_score
from pipelines.evaluation.transferability.log_evidence import log_evidence, marginal
from pipelines.evaluation.transferability.neighbors import neighbor_accuracy

RANDOM = np.random.default_rng(0)


def separated(dim, distance, num_rows=60):
    """Two classes whose means are so far apart in every dimension, in units of their spread."""
    classes = np.arange(num_rows) % 2
    return RANDOM.normal(size=(num_rows, dim)) + distance * classes[:, None], classes


@pytest.mark.parametrize(("num_rows", "dim"), [(60, 20), (60, 200)])
def test_the_evidence_is_the_density_of_the_targets(num_rows, dim):
    features, alpha, beta = RANDOM.normal(size=(num_rows, dim)), 3.0, 0.5
    target = RANDOM.normal(size=num_rows)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    covariance = np.eye(num_rows) / beta + features @ features.T / alpha
    exact = multivariate_normal(np.zeros(num_rows), covariance).logpdf(target)
    assert marginal(left, singular, target, dim, alpha, beta) == pytest.approx(exact)


@pytest.mark.parametrize("dim", [20, 200])
def test_no_other_precisions_have_more_evidence(dim):
    features = RANDOM.normal(size=(60, dim))
    target = features[:, :5] @ RANDOM.normal(size=5) + RANDOM.normal(size=60)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    others = [
        marginal(left, singular, target, dim, alpha, beta) / 60
        for alpha in np.geomspace(1e-3, 1e3, 13)
        for beta in np.geomspace(1e-3, 1e3, 13)
    ]
    assert log_evidence(features, target) >= max(others) - 1e-3


@pytest.mark.parametrize("dim", [20, 200])
def test_classes_that_are_apart_score_above_noise(dim):
    features, classes = separated(dim, distance=2.0)
    noise = RANDOM.normal(size=features.shape)
    one_hot = np.eye(2)[classes]
    assert h_score(features, classes) > 2 * h_score(noise, classes)
    assert log_evidence(features, one_hot) > log_evidence(noise, one_hot)
    assert neighbor_accuracy(features, classes) > 0.95
    assert 0.2 < neighbor_accuracy(noise, classes) < 0.8


def test_more_dimensions_than_examples_do_not_make_noise_look_good():
    classes = np.arange(60) % 3
    wide = h_score(RANDOM.normal(size=(60, 500)), classes)
    assert wide < 1  # without shrinkage it is 2, the highest score of three classes


def test_a_feature_without_variance_changes_nothing():
    features, classes = separated(10, distance=1.0)
    constant = np.hstack([features, np.ones((60, 1))])
    assert h_score(constant, classes) == pytest.approx(h_score(features, classes), rel=0.1)
    assert np.isfinite(log_evidence(constant, np.eye(2)[classes]))
    assert neighbor_accuracy(np.ones((6, 3)), np.arange(6) % 2) <= 1
