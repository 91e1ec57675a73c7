"""A head solved on frozen features: a probe's result, or where gradient steps start from."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core import registry
from pipelines.core.console import say
from pipelines.core.labels import REGRESSION, SINGLE
from pipelines.features.extractor import HEAD
from pipelines.strategies.probing.head_scale import with_largest_gradient

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.features.heads import Head
    from pipelines.features.pair_extractor import PairExtractor
    from pipelines.models.output import Output
    from pipelines.strategies.probing.head_dataset import HeadDataset
    from pipelines.strategies.probing.search import HeadSearch
    from pipelines.strategies.probing.trial import HeadTrial, SolvedTrial
    from pipelines.training.job import Job

    Solution = tuple[HeadSearch, SolvedTrial, list[HeadTrial]]

MAX_EXACT_ROWS = 1_000  # of train; the pass over more takes half the time in bf16


def default_head(job: "Job") -> "Head":
    """Return logistic regression for classes, ridge regression for numbers."""
    name = "ridge" if problem_type(job) == REGRESSION else "logistic_regression"
    return registry.find("heads", name)()


def problem_type(job: "Job") -> str:
    """Return the problem that a head solves; for token tasks, that of a single token."""
    return SINGLE if job.task.prediction_unit == "token" else job.labels.problem_type


def solve(
    job: "Job", head: "Head", extractor: "Extractor | PairExtractor", *, plain: bool = False
) -> "Solution":
    """Extract features of train and validation and choose the best head.

    Where folds of train choose, validation is train, whose features are extracted once.

    Args:
        plain: consider only what the model's own head reads, not other poolings.

    Returns:
        The search, the best trial, and all trials.
    """
    from pipelines.strategies.probing.search import HeadSearch

    # what is scored is evidence: features in the precision that the saved model will have, but of
    # so many rows that the last digits are far below the spread over folds
    is_scored = job.folds is not None and len(job.train) <= MAX_EXACT_ROWS
    options = job.forward_options if is_scored else job.fast_options
    train = _dataset(job, extractor, job.train, "features of train", plain, options)
    validation, choice = train, job.of_choice
    if choice.folds is not None and job.folds is None:
        num_folds, num_rows = len(np.unique(choice.folds)), len(job.validation_targets)
        say(f"{num_folds} folds of train choose the head: validation has {num_rows} rows only")
    if choice.folds is None:
        validation = _dataset(
            job, extractor, job.validation, "features of validation", plain, job.forward_options
        )
    search = HeadSearch(choice, head, train, validation, extractor.has_bias)
    return search, *search.run()


def start_from_solved_head(job: "Job", pooling: str = HEAD) -> "Job":
    """Solve the best linear head, let training start from it, and print its score.

    Args:
        pooling: what the head reads; `auto`: what validation, or folds of train, choose.

    Returns:
        The job, its model with the solved head; for another pooling than the one of the plain
        class, the encoder with that pooling in its place.
    """
    from pipelines.features.candidates import pooled_extractor, token_extractor
    from pipelines.features.heads import Linear
    from pipelines.models.anatomy import dissect
    from pipelines.training.pooled_classifier import with_pooling

    model, new = job.checkpoint.model.eval(), job.checkpoint.newly_initialized
    anatomy, is_plain = dissect(model, new), pooling == HEAD
    if job.task.prediction_unit == "token":
        extractor = token_extractor(model, anatomy)
    else:
        # all poolings, like a probe and `auto`: the key on disk is the same, one pass serves all
        candidates = "auto" if is_plain else pooling
        extractor = pooled_extractor(model, anatomy, candidates, job.train, job.collate, new)
    search, best, _ = solve(job, default_head(job), extractor, plain=is_plain)
    assert isinstance(best.head, Linear)
    head = best.head
    # of numbers a smaller head would predict others
    if problem_type(job) != REGRESSION:
        train = search.train
        head = with_largest_gradient(head, train.features[best.pooling], train.targets)
    rows = "validation" if search.folds is None else "rows out of fold"
    score = f"{job.scorer.main} {best.score:.4f} on {rows}"
    say(f"the head was solved on frozen features, pooling {best.pooling}: {score}")
    if best.pooling != HEAD:
        return with_pooling(job, best.pooling, head)
    scale = job.target_scale
    # standardized: a head of several layers then has weights of one size, from which it can learn
    extractor.graft(scale.standardize(head) if scale else head)
    if scale and anatomy.output:
        scale.fold(model.get_submodule(anatomy.output))
    return job


def output_of(extractor: "Extractor | PairExtractor", best: "SolvedTrial") -> "Output":
    """Put the solved head into the plain class, or beside its pooling where that cannot hold it."""
    from pipelines.features.heads import Linear
    from pipelines.features.pair_extractor import PairExtractor
    from pipelines.models.output.plain import ProbedModel
    from pipelines.models.output.sentence import SentenceModel
    from pipelines.models.output.sentence_pair import SentencePairModel

    if isinstance(extractor, PairExtractor):
        if extractor.together and best.pooling in extractor.together.poolings:
            return output_of(extractor.together, best)
        assert isinstance(best.head, Linear)  # with another head texts stay together
        pair = replace(extractor, chosen=best.pooling)
        return SentencePairModel(pair.model, pair, pair.widened(best.head), pair.pooling)
    chosen = replace(extractor, chosen=best.pooling)
    if best.pooling != HEAD:
        return SentenceModel(extractor.model, chosen, best.head)
    assert isinstance(best.head, Linear)  # others are solved on poolings only
    extractor.graft(best.head)
    return ProbedModel(extractor.model, chosen, best.head)


def _dataset(
    job: "Job",
    extractor: "Extractor | PairExtractor",
    rows: Any,
    title: str,
    plain: bool,
    options: dict[str, Any],
) -> "HeadDataset":
    """Extract the features of a split."""
    from pipelines.strategies.probing.head_dataset import HeadDataset

    features, labels = extractor.extract(rows, job.collate, title=title, **options)
    if plain:
        # what is solved on another pooling could not be written into the model's output layer
        features = {HEAD: features[HEAD]}
    is_regression = problem_type(job) == REGRESSION
    return HeadDataset.of(features, labels, extractor.by_token, is_regression)
