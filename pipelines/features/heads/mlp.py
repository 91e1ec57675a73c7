"""A perceptron with one hidden layer, by Adam."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Layer, Linear, MLPHead, Problem
from pipelines.features.heads._classes import expand_to_all_classes

HIDDEN_UNITS = 256
BATCH_SIZE = 128
# few examples are seen in more epochs, until there were enough steps
MIN_EPOCHS, MIN_STEPS = 12, 400


class Mlp(Head):
    """scikit-learn's MLPClassifier or MLPRegressor: 256 rectified units, with L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI, REGRESSION)
    hyperparameter: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.03, 0.3, 1.0, 3.0)
    is_deep: ClassVar[bool] = True

    def solve(self, problem: Problem, values: Iterable[float]) -> Iterator[MLPHead]:
        """Train one network for each value; none starts from another."""
        for alpha in values:
            yield _layers(_fitted(problem, alpha), problem)


def _fitted(problem: Problem, alpha: float) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if problem.problem_type == REGRESSION else MLPClassifier
    size = min(BATCH_SIZE, len(problem.features))
    epochs = max(MIN_EPOCHS, MIN_STEPS * size // len(problem.features))
    model = kind(
        hidden_layer_sizes=(HIDDEN_UNITS,),
        alpha=alpha,
        batch_size=size,
        max_iter=epochs,
        random_state=0,
    )
    # epochs are given, so that it never converges by scikit-learn's rule
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations")
        return model.fit(problem.features, problem.targets, problem.weights)


def _layers(model: Any, problem: Problem) -> MLPHead:
    """Convert scikit-learn's weights: (inputs, outputs), with a single output for two classes."""
    hidden, last = (
        (weight.T.astype(np.float32), bias.astype(np.float32))
        for weight, bias in zip(model.coefs_, model.intercepts_, strict=True)
    )
    classes = np.asarray(getattr(model, "classes_", [0]))
    output = expand_to_all_classes(*last, classes, problem)
    return MLPHead((Layer(Linear(*hidden), "relu"), Layer(output, "identity")))
