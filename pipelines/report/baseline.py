"""Results that are no better than those of a predictor that ignores the input."""

from collections.abc import Iterator

from pipelines.report.evidence import Evidence, is_number


def warnings(evidence: Evidence) -> Iterator[str]:
    """Yield a line for each score at or below its baseline, then one that says what to change.

    The main score counts, and every error such as mse: correlations do not show that numbers are
    of another size. Of other scores a constant may have high ones (F1 of the class that it names).
    """
    below = list(_below(evidence))
    if not below:
        return
    for split, metric, score, baseline in below:
        relation = "no better than" if score == baseline else "worse than"
        yield (
            f"WARNING: {split} {metric} {score:,.4f} is {relation} the baseline's {baseline:,.4f}, "
            "which does not look at the input"
        )
    yield f"what to change: {_advice(evidence, {split for split, *_ in below})}"


def _below(evidence: Evidence) -> Iterator[tuple[str, str, float, float]]:
    """Yield (split, metric, score, baseline) where a constant answer is as good, or better."""
    for split, scores in evidence.splits.items():
        for metric, score in scores.items():
            baseline = evidence.baseline.get(split, {}).get(metric)
            is_error = metric in evidence.lower_is_better
            if metric != evidence.main_metric and not is_error:
                continue
            if not is_number(score) or baseline is None or not is_number(baseline):
                continue
            if score >= baseline if is_error else score <= baseline:
                yield split, metric, score, baseline


def _advice(evidence: Evidence, splits: set[str]) -> str:
    if splits == {"test"}:
        return (
            "validation is above its baseline, so test is unlike train: compare their rows (graft "
            "check), or let data.splits take both from one shuffled source"
        )
    look = "look at the examples as the model sees them (graft check)"
    if evidence.waited is None:  # no gradient steps
        return (
            f"{look}: is the label in what it reads? If so, another model.checkpoint, or weights "
            "that train: strategy=lora or strategy=full"
        )
    return (
        f"{look}; then the rate (graft lr-find suggests training.learning_rate), more "
        "training.num_train_epochs, or strategy=linear_probe, which has no rate"
    )
