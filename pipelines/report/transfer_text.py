"""What a checkpoint is worth beside random weights, in words: a table, a verdict, what to do."""

from collections.abc import Iterator

from pipelines.evaluation.paired import CONFIDENCE
from pipelines.evaluation.transfer import Transfer
from pipelines.report.tables import align


def lines(measured: Transfer) -> Iterator[str]:
    """Yield the scores of each seed, their paired difference, the verdict and what follows."""
    yield (
        f"{measured.checkpoint}, strategy {measured.strategy}, against scratch: {measured.metric} "
        f"on {measured.num_rows:,} rows of validation; {measured.budget}"
    )
    yield from align([*_table(measured)])
    yield verdict(measured)
    yield f"next: {advice(measured)}"


def verdict(measured: Transfer) -> str:
    """Say in a line whether pretrained weights help."""
    difference = measured.difference
    low, high = difference.interval
    means = {
        "positive": "pretrained weights are better than random ones",
        "negative": "negative transfer: random weights are better than pretrained ones",
        "ambiguous": "the interval holds 0, so that neither is shown to be better",
    }
    return (
        f"{measured.verdict}: better by {difference.mean:+.4f} ({low:+.4f} to {high:+.4f}, "
        f"{CONFIDENCE:.0%} over {len(measured.pairs)} seeds); {means[measured.verdict]}"
    )


def advice(measured: Transfer) -> str:
    """Say what to do next."""
    if not measured.has_learned:
        return (
            f"neither is above the baseline ({measured.mean('baseline'):.4f}), so that nothing is "
            "compared: train longer (training.num_train_epochs), on more rows, or look at the "
            "examples (graft check)"
        )
    if measured.verdict == "positive":
        return f"keep {measured.checkpoint}"
    if measured.verdict == "ambiguous":
        return (
            f"{_more_seeds(measured)}; until then the cheaper of both does as well: a strategy "
            "that trains less, or a smaller model"
        )
    loosened = (
        "let the weights train (strategy=lp_ft or full)"
        if measured.strategy == "linear_probe"
        else "a rate at which they train (graft lr-find), strategy=reinit_top"
    )
    return (
        "a checkpoint that was trained on what is more like these rows (model); with this one, "
        f"{loosened}; or else strategy=scratch"
    )


def _more_seeds(measured: Transfer) -> str:
    """Say how many seeds would tell a difference of this size."""
    needed = measured.difference.seeds_needed
    if needed is None or not measured.difference.mean:
        return "the difference is too small to be worth more seeds"
    return f"about {needed} seeds would tell a difference of this size, or more rows to validate on"


def _table(measured: Transfer) -> Iterator[list[str]]:
    yield ["seed", measured.strategy, "scratch", "difference"]
    for pair, difference in zip(measured.pairs, measured.difference.differences, strict=True):
        yield [
            str(pair.seed),
            f"{pair.pretrained:.4f}",
            f"{pair.scratch:.4f}",
            f"{difference:+.4f}",
        ]
    means = (measured.mean(name) for name in ("pretrained", "scratch"))
    yield ["mean", *(f"{mean:.4f}" for mean in means), f"{measured.difference.mean:+.4f}"]
