"""A perceptron with one hidden layer, by Adam."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION, SINGLE
from pipelines.features.heads import Head, Layer, Linear, MLPHead, Problem
from pipelines.features.heads._classes import placed

HIDDEN = 256
BATCH, EPOCHS, STEPS = 128, 12, 400  # of few examples more epochs, until there were enough steps


class Mlp(Head):
    """scikit-learn's: 256 rectified units, with its L2 penalty alpha."""

    problem_types: ClassVar[tuple[str, ...]] = (SINGLE, MULTI, REGRESSION)
    strength: ClassVar[str] = "alpha"
    grid: ClassVar[tuple[float, ...]] = (0.03, 0.3, 1.0, 3.0)
    is_deep: ClassVar[bool] = True

    def path(self, problem: Problem, strengths: Iterable[float]) -> Iterator[MLPHead]:
        """One network for each strength; none starts from another."""
        for alpha in strengths:
            yield _layers(_fitted(problem, alpha), problem)


def _fitted(problem: Problem, alpha: float) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if problem.problem_type == REGRESSION else MLPClassifier
    size = min(BATCH, len(problem.features))
    epochs = max(EPOCHS, STEPS * size // len(problem.features))
    model = kind(
        hidden_layer_sizes=(HIDDEN,),
        alpha=alpha,
        batch_size=size,
        max_iter=epochs,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations")
        return model.fit(problem.features, problem.targets, problem.weights)


def _layers(model: Any, problem: Problem) -> MLPHead:
    """scikit-learn keeps (inputs, outputs), and one output for two classes."""
    hidden, last = (
        (weight.T.astype(np.float32), bias.astype(np.float32))
        for weight, bias in zip(model.coefs_, model.intercepts_, strict=True)
    )
    classes = np.asarray(getattr(model, "classes_", [0]))
    return MLPHead(
        (Layer(Linear(*hidden), "relu"), Layer(placed(*last, classes, problem), "identity"))
    )
