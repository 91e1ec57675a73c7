"""How near the features of a pretrained encoder lie to a task, before anything is trained.

Transfer is the better, and adaptation needs the less, the better a linear head does on frozen
features (arXiv 1805.08974, 2201.03529).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.strategies.choosing.context import AutoContext

FOLDS, MOST = 5, 2_000  # answers are enough to tell how well a linear head does


def measure(context: "AutoContext") -> float:
    """1 where a linear head on the best pooling makes no mistakes, 0 where it makes as many as one
    that never looks. Cross-validated on train: validation has no part in it."""
    features, answers = _features(context)
    rows = np.random.default_rng(0).permutation(len(answers))[:MOST]
    some = (values[rows] for values in features.values())
    return max(_gain(values, answers[rows], context.labels) for values in some)


def _features(context: "AutoContext") -> tuple[dict[str, np.ndarray], np.ndarray]:
    """({pooling: (answers, dim)}, answers) of train, in one pass, which is kept on disk."""
    from pipelines.features.candidates import by_token, extractor

    model, train = context.checkpoint.model.eval(), context.train
    collate = context.task.collator(context.checkpoint.processor)
    if context.task.prediction_unit == "token":
        found = by_token(model, context.anatomy)
    else:
        newly_initialized = context.checkpoint.newly_initialized
        found = extractor(model, context.anatomy, "auto", train, collate, newly_initialized)
    how = {"title": "features of train", "bf16": context.fast.get("bf16", False)}
    features, answers = found.extract(train, collate, **how)
    if not found.by_token:
        return features, answers
    return {k: np.concatenate([*rows]) for k, rows in features.items()}, np.concatenate([*answers])


def _gain(features: np.ndarray, answers: np.ndarray, labels: "Labels") -> float:
    """The share of what guessing gets wrong that ridge regression gets right."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    squared = labels.problem_type in (MULTI, REGRESSION)
    wanted: Any = answers if squared else np.eye(labels.num_labels)[answers.astype(int)]
    solver = make_pipeline(StandardScaler(), Ridge(alpha=features.shape[1]))
    folds = KFold(min(FOLDS, len(answers)), shuffle=True, random_state=0)
    found = cross_val_predict(solver, features, wanted, cv=folds)
    if squared:
        wrong, blind = ((found - wanted) ** 2).mean(), wanted.var(axis=0).mean()
    else:
        wrong, blind = (found.argmax(1) != answers).mean(), 1 - wanted.mean(axis=0).max()
    return float(np.clip(1 - wrong / blind, 0, 1)) if blind else 1.0
