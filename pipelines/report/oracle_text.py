"""The oracle of a target in words: what choosing a checkpoint by its labels would have given."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.evaluation.robustness import MAX_ROWS
from pipelines.report.evidence import Evidence, is_number


def entry(evidence: Evidence) -> dict[str, Any] | None:
    """Return the step that the labels of the target would have chosen, and its score on it.

    Scores are those of evaluations while training: in its precision, of at most MAX_ROWS rows, and
    before calibration and thresholds.

    Returns:
        The step and the score of the saved checkpoint under `saved`, None where no evaluation was
        at its step; `evaluations` that scored the target, `of` all. None where none did.
    """
    metric, history = evidence.main_metric, evidence.history
    key = f"eval_target_{metric}"
    scores = {each["step"]: each[key] for each in history if is_number(each.get(key))}
    if not scores:
        return None
    sign = -1 if metric in evidence.lower_is_better else 1
    best = max(scores, key=lambda step: sign * scores[step])  # the first of equals
    # a mean of weights is none of the checkpoints that were scored
    saved = evidence.chosen["step"] if [*evidence.chosen] == ["step"] else None
    return {
        "step": best,
        metric: scores[best],
        "saved": {"step": saved, metric: scores[saved]} if saved in scores else None,
        "rows": min(MAX_ROWS, evidence.examples["target"]),
        "evaluations": len(scores),
        "of": sum(f"eval_{metric}" in each for each in history),
    }


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line for the summary; none where it was not asked for."""
    oracle = entry(evidence)
    if oracle:
        yield f"oracle: {words(oracle, evidence.main_metric)}"


def card_sentence(evidence: Evidence) -> str:
    """Write the sentence of the model card, after another one; empty where nothing was measured."""
    oracle = entry(evidence)
    return f" For an oracle, {words(oracle, evidence.main_metric)}." if oracle else ""


def words(oracle: Mapping[str, Any], metric: str) -> str:
    """Say which checkpoint the labels would have chosen, and what the saved one has there."""
    count, total, saved = oracle["evaluations"], oracle["of"], oracle["saved"]
    part = f"the last {count} of {total}" if count < total else f"{total}"
    place = f"{part} evaluations while training scored {oracle['rows']:,} rows of the target"
    if saved and saved[metric] == oracle[metric]:
        return (
            f"{place}: by its labels no checkpoint is better than that of step {saved['step']:,}, "
            f"which is saved, {metric} {saved[metric]:.4f}"
        )
    best = (
        f"{place}: its labels would choose step {oracle['step']:,}, {metric} {oracle[metric]:.4f}"
    )
    if not saved:
        return best
    return f"{best}; step {saved['step']:,}, which is saved, had {saved[metric]:.4f}"
