"""Features of several frozen encoders side by side, and one head that is solved on all of them.

1. solve         each encoder alone            -> its best pooling, and how good it is alone
2. HeadSearch    all features side by side     -> how much each block counts, and the penalty
3. _output       the head, cut at the blocks   -> each encoder with its part of the logits

Few labels choose poorly between encoders, and need not choose where the head reads all of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.console import say
from pipelines.strategies.probing.solved_head import output_of, solve

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.features.heads import Head, Linear
    from pipelines.models.output.side_by_side import SideBySideModel
    from pipelines.strategies.probing.head_dataset import HeadDataset
    from pipelines.strategies.probing.search import HeadSearch
    from pipelines.strategies.probing.trial import HeadTrial, SolvedTrial
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job

# of the standardized features of one encoder beside those of the others: the penalty on their
# weights is a quarter
EMPHASIS = 2.0


@dataclass(frozen=True)
class Block:
    """The features of one encoder.

    Attributes:
        job: of this encoder alone.
        best: its own best head; all of them read features of the same rows.
        trials: all that were tried.
    """

    job: "Job"
    extractor: "Extractor"
    search: "HeadSearch"
    best: "SolvedTrial"
    trials: "list[HeadTrial]"

    @property
    def dim(self) -> int:
        """The width of its features."""
        return int(self.search.train.features[self.best.pooling].shape[1])


def fit(job: "Job", head: "Head", extractor_of: "Callable[[Job], Extractor]") -> "Fitted":
    """Solve one head on the features of all encoders of `job`.

    Args:
        extractor_of: the job of an encoder alone -> what computes its features.
    """
    from pipelines.training.fitted import Fitted

    blocks = [_block(each, head, extractor_of(each)) for each in _alone(job)]
    search = _search(job, head, blocks)
    best, trials = search.run()
    _say_scores(job, blocks, best)
    return Fitted(
        output=_output(job, blocks, best),
        history=[*_records(blocks), *map(search.record, trials)],
        trainable=best.num_parameters,
        chosen={"pooling": best.pooling, head.hyperparameter: best.strength},
        out_of_fold=None
        if job.folds is None or best.out_of_fold is None
        else search.train.by_example(best.out_of_fold),
    )


def _alone(job: "Job") -> "Iterator[Job]":
    """Yield the job of each encoder alone."""
    checkpoints = (replace(job.checkpoint, beside=()), *job.checkpoint.beside)
    # rows for each model: `training.parallel_rows`
    splits = zip(job.train.parts, job.validation.parts, strict=True)
    for checkpoint, (train, validation) in zip(checkpoints, splits, strict=True):
        yield replace(
            job,
            checkpoint=checkpoint,
            train=train,
            validation=validation,
            collate=job.task.collator(checkpoint.processor),
        )


def _block(job: "Job", head: "Head", extractor: "Extractor") -> Block:
    search, best, trials = solve(job, head, extractor)
    return Block(job, extractor, search, best, trials)


def _say_scores(job: "Job", blocks: Sequence[Block], best: "SolvedTrial") -> None:
    """Print how good each encoder is alone, and all of them."""
    metric, sign = job.scorer.main, 1 if job.scorer.greater_is_better else -1
    for number, block in enumerate(blocks, 1):
        name, alone = block.job.checkpoint.model.name_or_path, block.best
        is_enough = sign * alone.score >= sign * best.score
        say(
            f"model {number} alone ({name}), pooling {alone.pooling}: {metric} {alone.score:.4f}"
            + f", as good as all, and {len(blocks)} times as fast" * is_enough
        )
    say(f"side by side, {best.pooling}: {metric} {best.score:.4f}")


def _search(job: "Job", head: "Head", blocks: Sequence[Block]) -> "HeadSearch":
    """Search for how much each encoder counts as for a pooling."""
    from pipelines.strategies.probing.search import HeadSearch

    first, factors = blocks[0].search, dict(_weightings(blocks))
    train = _joined([block.search.train for block in blocks], blocks, factors)
    validation = train
    if first.validation is not first.train:
        validation = _joined([block.search.validation for block in blocks], blocks, factors)
    return HeadSearch(job.of_choice, head, train, validation, bias=True, factors=factors)


def _joined(
    datasets: "Sequence[HeadDataset]", blocks: Sequence[Block], names: "dict[str, Any]"
) -> "HeadDataset":
    """Put the chosen features of all encoders side by side, under each of the names."""
    pairs = zip(datasets, blocks, strict=True)
    features = np.concatenate([data.features[block.best.pooling] for data, block in pairs], axis=1)
    return replace(datasets[0], features=dict.fromkeys(names, features))


def _weightings(blocks: Sequence[Block]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and (sum of dims,) factors of features: all encoders alike, then each favored.

    Alike means that the features of an encoder vary as much in all as those of another: a wide one
    would drown a narrow one.
    """
    dims = np.array([block.dim for block in blocks])
    alike = np.sqrt(dims.mean() / dims)
    for favored in range(len(blocks) + 1):  # 0: none
        emphasis = np.where(np.arange(1, len(blocks) + 1) == favored, EMPHASIS, 1.0)
        yield _title(blocks, favored), np.repeat(emphasis * alike, dims)


def _title(blocks: Sequence[Block], favored: int) -> str:
    """Name a weighting, such as `1:mean + 2:head x2`."""
    words = [
        f"{number}:{block.best.pooling}" + f" x{EMPHASIS:g}" * (number == favored)
        for number, block in enumerate(blocks, 1)
    ]
    return " + ".join(words)


def _records(blocks: Sequence[Block]) -> "Iterator[dict[str, Any]]":
    """Describe what was tried of each encoder alone."""
    for number, block in enumerate(blocks, 1):
        for trial in block.trials:
            yield block.search.record(replace(trial, pooling=f"{number}:{trial.pooling}"))


def _output(job: "Job", blocks: Sequence[Block], best: "SolvedTrial") -> "SideBySideModel":
    """Give each encoder its part of the head."""
    from pipelines.features.heads import Linear
    from pipelines.models.output.side_by_side import Part, SideBySideModel

    assert isinstance(best.head, Linear)  # others are refused
    parts = []
    for block, columns in zip(blocks, _columns(best.head, blocks), strict=True):
        part = Linear(columns, np.zeros(len(columns)))
        output = output_of(block.extractor, replace(block.best, head=part))
        parts.append(Part(output, block.job.checkpoint.processor, block.job.collate))
    return SideBySideModel(tuple(parts), np.asarray(best.head.bias), tuple(job.labels.names))


def _columns(head: "Linear", blocks: Sequence[Block]) -> list[np.ndarray]:
    """Cut (num_labels, sum of dims) weights at the blocks."""
    ends = np.cumsum([block.dim for block in blocks])[:-1]
    return np.split(head.weight, ends, axis=1)
