"""`graft check --shift`: how far the target is from the source, before anything is trained.

1. _drawn     rows of both, at most MAX_ROWS each      RowSubset
2. _features  what the frozen encoder makes of them    (rows, dim) features
3. lines      what `evaluation.shift` measures         lines
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.errors import DataError, RecipeError
from pipelines.core.labels import SINGLE
from pipelines.evaluation.shift.domain_classifier import DomainClassifier
from pipelines.evaluation.shift.frechet import FrechetDistance
from pipelines.evaluation.shift.label_shift import LabelShift
from pipelines.evaluation.shift.mmd import MeanDiscrepancy
from pipelines.models.anatomy import dissect
from pipelines.training.arguments import forward_options
from pipelines.training.row_subset import RowSubset
from pipelines.workflow.prepared import Prepared

if TYPE_CHECKING:
    from pipelines.recipe import Recipe

MAX_ROWS = 1_000  # of each domain: the figures do not become clearer with more, and cost a pass
MIN_ROWS = 8  # of each domain, half of which a classifier is fitted on


def check(recipe: "Recipe") -> None:
    """Refuse a recipe that has no other domain, before anything is loaded.

    Raises:
        RecipeError: names the key.
    """
    if recipe.data.other_domain is None:
        raise RecipeError(
            "--shift compares data with another domain, and the recipe names none; expected "
            "data.target, such as data.target.source=files data.target.path=other.csv"
        )


def lines(prepared: Prepared) -> Iterator[str]:
    """Yield the diagnostics between train and target, each with what it may mean.

    Raises:
        DataError: a domain has too few rows.
    """
    assert prepared.target is not None
    seed, labels = prepared.recipe.seed, prepared.data.labels
    train = _drawn(prepared.encoded["train"], seed, "train")
    target = _drawn(prepared.target, seed, prepared.recipe.data.other_domain_key)
    source, pooling = _features(prepared, train)
    elsewhere, _ = _features(prepared, target)
    yield (
        f"\nshift      train against target, {len(source):,} and {len(elsewhere):,} rows, features "
        f"'{pooling}' of the frozen encoder ({source.shape[1]:,} dimensions), seed {seed}"
    )
    yield from DomainClassifier.fit(source, elsewhere, seed).lines()
    yield from MeanDiscrepancy.estimate(source, elsewhere, seed).lines()
    yield from FrechetDistance.between(source, elsewhere, seed).lines()
    if labels.problem_type == SINGLE:
        ids = np.asarray(prepared.targets["train"])[train.numbers]
        yield from LabelShift.estimate(source, ids, elsewhere, labels.names, seed).lines()


def _drawn(rows: Any, seed: int, name: str) -> RowSubset:
    """Draw at most MAX_ROWS of the rows, in their order."""
    if len(rows) < MIN_ROWS:
        raise DataError(f"{name}: {len(rows)} rows; --shift compares {MIN_ROWS} or more of each")
    drawn = np.random.default_rng(seed).permutation(len(rows))[:MAX_ROWS]
    return RowSubset(rows, np.sort(drawn))


def _features(prepared: Prepared, rows: RowSubset) -> tuple[np.ndarray, str]:
    """Compute or load the features of rows: ((rows, dim), their pooling)."""
    from pipelines.features.candidates import pooled_extractor

    model, new = prepared.checkpoint.model, prepared.checkpoint.newly_initialized
    # of texts the mean of all tokens: what a new head reads may be a layer that is new itself
    pooling = "mean" if prepared.recipe.task.modality == "text" else "head"
    collate = prepared.collate
    extractor = pooled_extractor(model, dissect(model, new), pooling, rows, collate, new)
    options = forward_options(prepared.arguments())
    features, _ = extractor.extract(rows, collate, title="features", **options)
    (name,) = features
    return np.asarray(features[name], dtype=np.float64), pooling
