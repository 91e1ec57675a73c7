"""The oracle of a target in words: what choosing a checkpoint by its labels would have given."""

from collections.abc import Iterator
from typing import Any

from pipelines.report.evidence import Evidence, is_number


def entry(evidence: Evidence) -> dict[str, Any] | None:
    """Return the step that the labels of the target would have chosen, and its score on it.

    Returns:
        The score of the saved checkpoint under `saved`, None where no evaluation was at its step.
        None where no evaluation scored the target.
    """
    key, metric = f"eval_target_{evidence.main_metric}", evidence.main_metric
    scores = {e["step"]: e[key] for e in evidence.history if is_number(e.get(key))}
    if not scores:
        return None
    sign = -1 if metric in evidence.lower_is_better else 1
    best = max(scores, key=lambda step: sign * scores[step])  # the first of equals
    # a mean of weights is none of the checkpoints that were scored
    is_checkpoint = [*evidence.chosen] == ["step"]
    saved = scores.get(evidence.chosen["step"]) if is_checkpoint else None
    return {"step": best, metric: scores[best], "saved": saved}


def lines(evidence: Evidence) -> Iterator[str]:
    """Yield a line for the summary; none where it was not asked for."""
    best = entry(evidence)
    if best is not None:
        yield f"oracle: {_words(evidence, best)}"


def card_sentence(evidence: Evidence) -> str:
    """Write the sentence of the model card, after another one; empty where nothing was measured."""
    best = entry(evidence)
    if best is None:
        return ""
    return f" Evaluations while training scored them, too, for an oracle: {_words(evidence, best)}."


def _words(evidence: Evidence, best: dict[str, Any]) -> str:
    """Say what each checkpoint has on the same rows of the target."""
    metric = evidence.main_metric
    words = (
        f"by the labels of the target step {best['step']:,} would be chosen, {metric} "
        f"{best[metric]:.4f} on it"
    )
    if best["saved"] is None:
        return words
    return f"{words}; step {evidence.chosen['step']:,}, which is saved, has {best['saved']:.4f}"
