"""How close the features of a pretrained encoder are to a task, before anything is trained.

The better a linear head does on frozen features, the better is the transfer, and the less has to
be adapted (arXiv 1805.08974, 2201.03529).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import Task

NUM_FOLDS = 5
MAX_ANSWERS = 2_000  # examples or tokens; more hardly change the estimate


def measure(
    task: "Task",
    checkpoint: "Checkpoint",
    anatomy: "Anatomy",
    labels: "Labels",
    train: Any,
    *,
    bf16: bool,
    groups: np.ndarray | None = None,
) -> float:
    """Cross-validate a linear head on frozen features of train; validation has no part in it.

    Args:
        groups: (examples,) equal in examples that folds keep together.

    Returns:
        1 where the head on the best pooling makes no mistakes, 0 where it makes as many as a
        baseline that ignores its input.
    """
    features, targets, examples = features_of(task, checkpoint, anatomy, train, bf16=bf16)
    rows = np.random.default_rng(0).permutation(len(targets))[:MAX_ANSWERS]
    together = rows if groups is None else groups[examples[rows]]
    samples = (values[rows] for values in features.values())
    return max(_gain(sample, targets[rows], labels, together) for sample in samples)


def features_of(
    task: "Task", checkpoint: "Checkpoint", anatomy: "Anatomy", train: Any, *, bf16: bool
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Compute features of train in one pass, kept on disk.

    Returns:
        ({pooling: (answers, dim)}, (answers, …) targets, (answers,) the example of each).
    """
    from pipelines.features.candidates import pooled_extractor, token_extractor

    model = checkpoint.model.eval()
    collate = task.collator(checkpoint.processor)
    if task.prediction_unit == "token":
        source = token_extractor(model, anatomy)
    else:
        new = checkpoint.newly_initialized
        # every pooling, as a probe and lp_ft take them: the key on disk is the same, so that the
        # chosen strategy finds this pass done
        source = pooled_extractor(model, anatomy, "auto", train, collate, new)
    features, targets = source.extract(train, collate, title="features of train", bf16=bf16)
    examples = np.arange(len(targets))
    if not source.by_token:
        return features, targets, examples
    flat = {pooling: np.concatenate([*rows]) for pooling, rows in features.items()}
    return flat, np.concatenate([*targets]), np.repeat(examples, [*map(len, targets)])


def _gain(features: np.ndarray, targets: np.ndarray, labels: "Labels", groups: np.ndarray) -> float:
    """Share of the baseline's mistakes that ridge regression avoids, 0 to 1."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    is_squared = labels.problem_type in (MULTI, REGRESSION)
    expected: Any = targets if is_squared else np.eye(labels.num_labels)[targets.astype(int)]
    # a penalty that grows with the width keeps wide encoders from fitting noise
    solver = make_pipeline(StandardScaler(), Ridge(alpha=features.shape[1]))
    num_groups = len(np.unique(groups))
    folds: Any = KFold(min(NUM_FOLDS, len(targets)), shuffle=True, random_state=0)
    if 1 < num_groups < len(groups):
        folds = GroupKFold(min(NUM_FOLDS, num_groups), shuffle=True, random_state=0)
        folds = [*folds.split(features, groups=groups)]
    predicted = cross_val_predict(solver, features, expected, cv=folds)
    # with several labels, or a number, an answer is not right or wrong: its squared error counts
    if is_squared:
        error = ((predicted - expected) ** 2).mean()
        baseline = expected.var(axis=0).mean()
    else:
        error = (predicted.argmax(1) != targets).mean()
        baseline = 1 - expected.mean(axis=0).max()
    # a baseline without mistakes: targets are constant, and there is nothing to learn
    return float(np.clip(1 - error / baseline, 0, 1)) if baseline else 1.0
