"""Pairs of texts for a probe: in one sequence, or compared by the vector of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.features.pair_extractor import PairExtractor, template_of
from pipelines.strategies.probing import POOLINGS_APART

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.models.load import Checkpoint
    from pipelines.tasks import Task
    from pipelines.training.job import Collate, Job


def beside(
    job: "Job", together: "Extractor", wanted: str, pooling: str, conflict: str | None
) -> "Extractor | PairExtractor":
    """Add features of both texts apart to those of `together`, where examples are pairs.

    Args:
        wanted: `auto`, `together` or `apart`.
        pooling: of the vectors of single texts; `auto`: all that compare texts well.
        conflict: what the recipe asks for, and no head on two vectors has; None: nothing.

    Raises:
        RecipeError: `apart` is asked for, and cannot be.
    """
    if wanted == "together":
        return together
    splits = (job.train, job.validation)
    extractor = conflict or extractor_of(
        job.task, job.checkpoint, together, splits, job.collate, pooling
    )
    if isinstance(extractor, PairExtractor):
        return extractor if wanted == "auto" else extractor.alone
    if wanted == "apart":
        reason = extractor or "examples are no pairs of texts"
        raise RecipeError(f"strategy.pairs: 'apart': {reason}; expected 'auto' or 'together'")
    if extractor and extractor != conflict:
        say(f"texts of a pair are read in one sequence: {extractor}")
    return together


def extractor_of(
    task: "Task",
    checkpoint: "Checkpoint",
    together: "Extractor",
    splits: Sequence[Any],
    collate: "Collate",
    pooling: str = "auto",
) -> "PairExtractor | str | None":
    """Build the extractor of pairs whose texts are read apart, too.

    Args:
        together: of both texts in one sequence.
        splits: encoded rows of train, then of validation.

    Returns:
        The reason where texts cannot be read apart; None where examples are no pairs of texts.
    """
    from pipelines.features.candidates import pooled_extractor
    from pipelines.features.pair_rows import PairRows, TextRows
    from pipelines.models.anatomy import dissect

    if task.modality != "text" or task.prediction_unit != "example" or together.by_token:
        return None
    template = template_of([rows for rows in splits if len(rows)], checkpoint.processor)
    if template is None or isinstance(template, str):
        return template
    model, new = together.model, checkpoint.newly_initialized
    first = TextRows(PairRows(splits[0], template), 0)
    apart = pooled_extractor(model, dissect(model, new), "auto", first, collate, new, plain=False)
    poolings = tuple(p for p in apart.poolings if p in POOLINGS_APART and pooling in ("auto", p))
    return PairExtractor(together, replace(apart, poolings=poolings), template)
