"""Pairs of texts for a probe: in one sequence, or compared by the vector of each."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.features.pair_extractor import PairExtractor, template_of
from pipelines.strategies.probing import POOLINGS_APART

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.training.job import Job


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
    extractor = conflict or _apart(job, together, pooling)
    if isinstance(extractor, PairExtractor):
        return extractor if wanted == "auto" else extractor.alone
    if wanted == "apart":
        reason = extractor or "examples are no pairs of texts"
        raise RecipeError(f"strategy.pairs: 'apart': {reason}; expected 'auto' or 'together'")
    if extractor and extractor != conflict:
        say(f"texts of a pair are read in one sequence: {extractor}")
    return together


def _apart(job: "Job", together: "Extractor", pooling: str) -> "PairExtractor | str | None":
    """Build the extractor; returns the reason where there is none, None of single texts."""
    from pipelines.features.candidates import pooled_extractor
    from pipelines.features.pair_rows import PairRows, TextRows
    from pipelines.models.anatomy import dissect

    if job.task.modality != "text" or job.task.prediction_unit != "example" or together.by_token:
        return None
    splits = [rows for rows in (job.train, job.validation) if len(rows)]
    template = template_of(splits, job.checkpoint.processor)
    if template is None or isinstance(template, str):
        return template
    model, new = together.model, job.checkpoint.newly_initialized
    first = TextRows(PairRows(job.train, template), 0)
    apart = pooled_extractor(
        model, dissect(model, new), "auto", first, job.collate, new, plain=False
    )
    poolings = tuple(p for p in apart.poolings if p in POOLINGS_APART and pooling in ("auto", p))
    return PairExtractor(together, replace(apart, poolings=poolings), template)
