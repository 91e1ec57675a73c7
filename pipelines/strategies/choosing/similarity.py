"""How close the features of a pretrained encoder are to a task, before anything is trained.

The better a linear head does on frozen features, the better is the transfer, and the less has to
be adapted (arXiv 1805.08974, 2201.03529).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.labels import MULTI, REGRESSION
from pipelines.features.pair_extractor import PairExtractor
from pipelines.strategies.probing import pairs as pair_texts

if TYPE_CHECKING:
    from pipelines.core.labels import Labels
    from pipelines.features.extractor import Extractor
    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import Task

NUM_FOLDS = 5
MAX_ANSWERS = 2_000  # examples or tokens; more hardly change the estimate


@dataclass(frozen=True)
class Similarity:
    """Shares of a baseline's mistakes that a linear head on frozen features avoids.

    1 where the head on the best pooling makes no mistakes, 0 where it makes as many as a baseline
    that ignores its input.

    Attributes:
        together: on the features of an example; of a pair of texts, in one sequence.
        apart: on the vectors of both texts of a pair; None where they cannot be read apart.
    """

    together: float
    apart: float | None = None

    @property
    def best(self) -> float:
        """The share on the features that avoid more."""
        return max(self.together, self.apart or 0.0)

    def __str__(self) -> str:
        avoids = f"a linear head on frozen features avoids {self.together:.0%} of the baseline's"
        if self.apart is None:
            return f"{avoids} mistakes"
        return f"{avoids} mistakes with the texts of a pair in one sequence, {self.apart:.0%} apart"


def measure(
    task: "Task",
    checkpoint: "Checkpoint",
    anatomy: "Anatomy",
    labels: "Labels",
    train: Any,
    *,
    bf16: bool,
    groups: np.ndarray | None = None,
    validation: Any = (),
) -> Similarity:
    """Cross-validate a linear head on frozen features of train.

    Args:
        groups: (examples,) equal in examples that folds keep together.
        validation: encoded rows, which have no part in it, but that texts are read apart only
            where those of all rows can be.
    """
    collate = task.collator(checkpoint.processor)
    source = _extractor(task, checkpoint, anatomy, train, collate)
    features, targets, examples = _extracted(source, train, collate, bf16=bf16)
    rows = np.random.default_rng(0).permutation(len(targets))[:MAX_ANSWERS]
    together = rows if groups is None else groups[examples[rows]]

    def gain(features: dict[str, np.ndarray]) -> float:
        return max(_gain(each, targets[rows], labels, together) for each in features.values())

    of_one = gain(_rows(features, rows))
    pairs = pair_texts.extractor_of(task, checkpoint, source, (train, validation), collate)
    if not isinstance(pairs, PairExtractor):
        return Similarity(of_one)
    vectors, _ = pairs.vectors(train, collate, title="features of single texts", bf16=bf16)
    # compared after the sample is drawn: what is compared is four times as wide
    return Similarity(of_one, gain(pairs.compare([_rows(of_side, rows) for of_side in vectors])))


def _rows(features: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Select rows of each pooling."""
    return {pooling: values[rows] for pooling, values in features.items()}


def features_of(
    task: "Task", checkpoint: "Checkpoint", anatomy: "Anatomy", train: Any, *, bf16: bool
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Compute features of train in one pass, kept on disk.

    Returns:
        ({pooling: (answers, dim)}, (answers, …) targets, (answers,) the example of each).
    """
    collate = task.collator(checkpoint.processor)
    source = _extractor(task, checkpoint, anatomy, train, collate)
    return _extracted(source, train, collate, bf16=bf16)


def _extractor(
    task: "Task", checkpoint: "Checkpoint", anatomy: "Anatomy", train: Any, collate: Any
) -> "Extractor":
    """Build the extractor of examples as the model reads them."""
    from pipelines.features.candidates import pooled_extractor, token_extractor

    model = checkpoint.model.eval()
    if task.prediction_unit == "token":
        return token_extractor(model, anatomy)
    # every pooling, as a probe and lp_ft take them: the key on disk is the same, so that the
    # chosen strategy finds this pass done
    new = checkpoint.newly_initialized
    return pooled_extractor(model, anatomy, "auto", train, collate, new)


def _extracted(
    source: "Extractor", train: Any, collate: Any, *, bf16: bool
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return what `features_of` returns."""
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
