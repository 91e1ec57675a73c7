"""The ranking as lines: scores, size and time of each checkpoint, and how sure it is."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from pipelines.core.jackknife import standard_error
from pipelines.report.tables import align
from pipelines.tuning.ranking.estimate import Estimate

LEVEL = 0.95


def lines(ranked: Sequence[Estimate]) -> Iterator[str]:
    """Write a line for each checkpoint: its scores, its size, its seconds."""
    header = ["checkpoint", "probe", "±", "neighbors", "H-score", "LogME", "millions", "seconds"]
    rows = [header, *([*_cells(each)] for each in ranked if each.fold_scores)]
    yield from align(rows)
    yield from (f"{each.checkpoint}: {each.problem}" for each in ranked if each.problem)


def _cells(each: Estimate) -> Iterator[str]:
    yield each.checkpoint
    yield f"{each.score:.4f}"
    yield f"{standard_error(each.fold_scores):.4f}"
    for score in (each.neighbors, each.h_score, each.log_evidence):
        yield "-" if score is None else f"{score:.4f}"
    yield f"{each.millions:,.1f}"
    yield f"{each.seconds:,.1f}"


def verdict(ranked: Sequence[Estimate]) -> str:
    """Say how sure the first place is: by the same folds, whether the second is behind."""
    scored = [each for each in ranked if each.fold_scores]
    if len(scored) == 1:
        return f"rank: {scored[0].checkpoint} is the only one with scores"
    from scipy.stats import sem, t

    first, second = scored[:2]
    gains = [a - b for a, b in zip(first.fold_scores, second.fold_scores, strict=True)]
    half = float(t.ppf((1 + LEVEL) / 2, len(gains) - 1) * sem(gains))
    low, high = fmean(gains) - half, fmean(gains) + half
    gain = f"{fmean(gains):+.4f} (95 % interval {low:+.4f} to {high:+.4f}, paired over folds)"
    if low > 0:
        return f"rank: {first.checkpoint} is ahead of {second.checkpoint} by {gain}"
    return f"rank: not sure: {first.checkpoint} beside {second.checkpoint}: {gain}"
