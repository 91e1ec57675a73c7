"""Results that are no better than those of what is simpler: a constant answer, a simple model."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.core import registry
from pipelines.core.labels import HALF
from pipelines.report.evidence import Evidence, Scores, is_number
from pipelines.training.length import min_steps

Comparison = tuple[str, str, float, float]  # split, metric, score, the score to be better than


def warnings(evidence: Evidence) -> Iterator[str]:
    """Yield a line for each score at or below its baseline, then one that says what to change.

    So does each score below that of the simple model. The main score counts, and every error such
    as mse: correlations do not show that numbers are of another size. Of other scores a constant
    may have high ones (F1 of the class that it names).
    """
    yield from _undefined(evidence)
    below = [*_comparisons(evidence, evidence.baseline)]
    for split, metric, score, baseline in below:
        relation = "no better than" if _reads_alike(score, baseline) else "worse than"
        yield (
            f"WARNING: {split} {metric} {score:,.4f} is {relation} the baseline's {baseline:,.4f}, "
            "which does not look at the input"
        )
    worse = [*_worse_than_simple_model(evidence)]
    yield from worse
    yield from _worse_than_zero_shot(evidence)
    if below or worse:
        yield f"what to change: {_advice(evidence, below)}"


def others(evidence: Evidence) -> Iterator[str]:
    """Yield a sentence for the simple model and one for zero-shot, where there are any."""
    yield from filter(None, [_simple_model(evidence), _zero_shot(evidence)])


def _undefined(evidence: Evidence) -> Iterator[str]:
    """Yield a line for each split whose main score a metric of somebody left undefined."""
    for split, scores in evidence.splits.items():
        score = scores.get(evidence.main_metric)
        if not is_number(score):
            yield (
                f"WARNING: {split} {evidence.main_metric} is {score}: nothing can be chosen or "
                "compared by it; let its metric give a number, or list another one first"
            )


def _simple_model(evidence: Evidence) -> str:
    """Describe the simple model in a sentence; empty where there is none."""
    simple = evidence.simple_model
    if simple is None:
        return ""
    if simple.skipped:
        return f"{simple.name} skipped: {simple.skipped}"
    return f"{simple.name}: a linear model of it alone, fitted on train in {simple.seconds:.1f} s"


def _zero_shot(evidence: Evidence) -> str:
    """Describe zero-shot classification in a sentence; empty where there is none."""
    scores = evidence.zero_shot
    if scores is None:
        return ""
    return (
        f"{scores.name}: the class whose name is nearest as a text, nothing trained, in "
        f"{scores.seconds:.1f} s"
    )


def _worse_than_zero_shot(evidence: Evidence) -> Iterator[str]:
    if evidence.zero_shot is None:
        return
    for split, metric, score, other in _comparisons(evidence, evidence.zero_shot.scores):
        if not _reads_alike(score, other):
            yield (
                f"WARNING: {split} {metric} {score:,.4f} is worse than the {other:,.4f} of "
                "zero-shot classification, which needs no training: strategy=full with "
                "model.head=zero_shot starts there, and averaging.wise_ft=true goes back as far as "
                "validation says"
            )


def _worse_than_simple_model(evidence: Evidence) -> Iterator[str]:
    simple = evidence.simple_model
    if simple is None:
        return
    for split, metric, score, other in _comparisons(evidence, simple.scores):
        # both may be perfect, or one model: then it is no worse
        if not _reads_alike(score, other):
            yield (
                f"WARNING: {split} {metric} {score:,.4f} is worse than the {other:,.4f} of a "
                f"linear model of {simple.name}, which needs seconds and no checkpoint"
            )


def _comparisons(evidence: Evidence, others: Mapping[str, Scores]) -> Iterator[Comparison]:
    """Yield the scores that count and are no better than those of `others`."""
    for split, scores in evidence.splits.items():
        for metric, score in scores.items():
            other = others.get(split, {}).get(metric)
            if metric != evidence.main_metric and metric not in evidence.lower_is_better:
                continue
            if not is_number(score) or other is None or not is_number(other):
                continue
            if _is_no_better(evidence, metric, score, other):
                yield split, metric, score, other


def _reads_alike(score: float, other: float) -> bool:
    """Return whether two scores are equal in the digits that are printed."""
    return f"{score:.4f}" == f"{other:.4f}"


def _is_no_better(evidence: Evidence, metric: str, score: float, other: float) -> bool:
    return score >= other if metric in evidence.lower_is_better else score <= other


def _thresholds_caused(evidence: Evidence, below: Sequence[Comparison]) -> bool:
    """Return whether every score that is below its baseline is above it without thresholds."""
    if not evidence.at_half:
        return False
    return bool(below) and not any(
        _is_no_better(evidence, metric, evidence.at_half[split][metric], other)
        for split, metric, _, other in below
    )


def _advice(evidence: Evidence, below: Sequence[Comparison]) -> str:
    if _thresholds_caused(evidence, below):
        return (
            f"with {HALF} for every label the score is above the baseline, so the thresholds that "
            "were chosen on validation do not suit these rows: calibration.thresholds=false, or "
            "validate on more rows"
        )
    strategy = registry.find("strategies", evidence.strategy)
    num_steps = _num_steps(evidence)
    needed = strategy.min_steps or min_steps(evidence.labels.num_labels)
    if 0 < num_steps < needed:
        return (
            f"training took {num_steps:,} steps, and at least {needed:,} are needed to learn "
            "something: leave out training.num_train_epochs and training.max_steps, or raise them"
        )
    if {split for split, *_ in below} == {"test"}:
        return (
            "validation is above its baseline, so test is unlike train: compare their rows (graft "
            "check), or let data.splits take both from one shuffled source"
        )
    look = "look at the examples as the model sees them (graft check)"
    if evidence.waited is None:  # no gradient steps
        return (
            f"{look}: is the label in what it reads? If so, another model.checkpoint, or "
            f"{_untried_training(evidence)}"
        )
    probe = "strategy=linear_probe, which has no rate"
    if "linear_probe" in evidence.compared:
        probe = "more examples (linear_probe was compared, too)"
    return (
        f"{look}; then the rate (graft lr-find suggests training.learning_rate), more "
        f"training.num_train_epochs, or {probe}"
    )


def _untried_training(evidence: Evidence) -> str:
    """Name strategies that train, or what is left where `auto` has compared such with a probe."""
    kinds = {name: registry.find("strategies", name) for name in evidence.compared}
    trained = [
        name
        for name, kind in kinds.items()
        if kind.no_gradient_reason is None and kind.trains_on_task_loss
    ]
    if not trained:
        return "weights that train: strategy=lora or strategy=full"
    return f"more examples: weights that train were compared, too ({', '.join(trained)})"


def _num_steps(evidence: Evidence) -> int:
    """Count the steps that were trained; 0 where the history has none, as that of a soup."""
    return max((entry.get("step", 0) for entry in evidence.history), default=0)
