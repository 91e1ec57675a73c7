"""A checkpoint and a sample of train -> scores of its frozen features."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import GraftError, RecipeError
from pipelines.core.labels import CHOICE, LANGUAGE, REGRESSION
from pipelines.evaluation.transferability.h_score import h_score
from pipelines.evaluation.transferability.log_evidence import log_evidence
from pipelines.evaluation.transferability.neighbors import neighbor_accuracy
from pipelines.strategies.choosing import similarity

if TYPE_CHECKING:
    from pipelines.workflow.prepared import Prepared

NUM_FOLDS = 5
MAX_ANSWERS = 1_000  # examples or tokens, the same ones for every checkpoint


@dataclass(frozen=True)
class Estimate:
    """What one pass says of a checkpoint.

    Attributes:
        fold_scores: of a linear probe on its best pooling, on each fold: accuracy, or R² where
            an answer is a number or several labels.
        neighbors: accuracy of the nearest neighbors; None without classes, as the next one.
        h_score: regularized H-score.
        log_evidence: LogME, in nats per example.
        millions: of parameters.
        seconds: for loading, the pass (features that lie on disk take none) and all scores.
        pooling: the features that are best for the probe; the other scores are of them.
        problem: why there are no scores; empty where there are.
    """

    checkpoint: str
    fold_scores: tuple[float, ...] = ()
    neighbors: float | None = None
    h_score: float | None = None
    log_evidence: float | None = None
    millions: float = 0.0
    seconds: float = 0.0
    pooling: str = ""
    problem: str = ""

    @property
    def score(self) -> float:
        """The mean over folds."""
        return float(np.mean(self.fold_scores)) if self.fold_scores else -np.inf


def refuse_unfit(prepared: "Prepared") -> None:
    """Refuse tasks without frozen features that a linear probe reads.

    Raises:
        RecipeError: the task is one of them.
    """
    kind = prepared.data.labels.problem_type
    if not prepared.recipe.task.prediction_unit or kind in (CHOICE, LANGUAGE):
        raise RecipeError(
            f"task: {prepared.recipe.task.name}: checkpoints are ranked by a linear head on frozen "
            "features, which this task does not have; compare them by graft search "
            "--space model.checkpoint=A,B"
        )


def measure(checkpoint: str, prepared: "Prepared", started: float) -> Estimate:
    """Score the features of a checkpoint that is loaded."""
    from pipelines.models.anatomy import dissect

    loaded, recipe = prepared.checkpoint, prepared.recipe
    anatomy = dissect(loaded.model, loaded.newly_initialized)
    bf16 = prepared.arguments().bf16
    features, targets, examples = similarity.features_of(
        recipe.task, loaded, anatomy, prepared.encoded["train"], bf16=bf16
    )
    rows = np.random.default_rng(0).permutation(len(targets))[:MAX_ANSWERS]
    groups, answers = examples[rows], targets[rows]
    is_class = answers.ndim == 1 and prepared.data.labels.problem_type != REGRESSION
    probed = {
        pooling: _fold_scores(values[rows], answers, groups, is_class=is_class)
        for pooling, values in features.items()
    }
    pooling = max(probed, key=lambda name: float(np.mean(probed[name])))
    chosen = np.asarray(features[pooling][rows], float)
    classes = answers.astype(int) if is_class else None
    shown = np.eye(int(classes.max()) + 1)[classes] if classes is not None else answers
    return Estimate(
        checkpoint=checkpoint,
        fold_scores=probed[pooling],
        neighbors=None if classes is None else neighbor_accuracy(chosen, classes),
        h_score=None if classes is None else h_score(chosen, classes),
        log_evidence=log_evidence(chosen, shown),
        millions=loaded.model.num_parameters() / 1e6,
        seconds=time.monotonic() - started,
        pooling=pooling,
    )


def failed(checkpoint: str, error: GraftError, started: float) -> Estimate:
    """Say why a checkpoint has no scores; the others are ranked all the same."""
    # the line that shows it begins with the checkpoint
    problem = str(error).partition("\n")[0].removeprefix(f"{checkpoint}: ")
    return Estimate(checkpoint, problem=problem, seconds=time.monotonic() - started)


def _fold_scores(
    features: np.ndarray, answers: np.ndarray, groups: np.ndarray, *, is_class: bool
) -> tuple[float, ...]:
    """Cross-validate a linear probe; answers of one example stay in one fold."""
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.model_selection import GroupKFold, KFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # a penalty that grows with the width keeps wide encoders from fitting noise
    linear: Any = (RidgeClassifier if is_class else Ridge)(alpha=features.shape[1])
    solver = make_pipeline(StandardScaler(), linear)
    num_groups = len(np.unique(groups))
    together: Any = groups if num_groups < len(groups) else None
    kind = KFold if together is None else GroupKFold
    folds = kind(min(NUM_FOLDS, num_groups), shuffle=True, random_state=0)
    scoring = "accuracy" if is_class else "r2"
    scores = cross_val_score(solver, features, answers, cv=folds, groups=together, scoring=scoring)
    return tuple(map(float, scores))
