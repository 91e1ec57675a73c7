"""WiSE-FT: a point on the line from the probe to the fine-tuned weights (arXiv 2109.01903)."""

from typing import Any

from pipelines.core.console import say
from pipelines.models import forward
from pipelines.training.job import Job, LabeledRows

ALPHAS = [step / 10 for step in range(11)]  # 0: the probe, 1: the fine-tuned weights

State = dict[str, Any]


def state(model: Any) -> State:
    """Copy every floating-point tensor of a model's state."""
    return {n: t.clone() for n, t in model.state_dict().items() if t.is_floating_point()}


def interpolate(model: Any, start: State, job: Job) -> tuple[float, list[dict[str, Any]]]:
    """Leave `model` at the point on the line from `start` that is best on validation.

    Ties go to the larger alpha, closer to the fine-tuned weights. Points are scored on rows that
    are unlike train as well, where the job has some: that is to be looked at, and chooses nothing.

    Returns:
        The alpha of the point, and an entry of the history for each that was tried.
    """
    end, key = state(model), f"validation_{job.scorer.main}"
    sign = 1 if job.scorer.greater_is_better else -1
    entries: list[dict[str, Any]] = []
    for alpha in ALPHAS:
        _load_between(model, start, end, alpha)
        score = _score(model, job, job.labeled_validation)
        shifted = {
            f"{name}_{job.scorer.main}": _score(model, job, rows)
            for name, rows in job.shifted.items()
        }
        entries.append({"alpha": alpha, key: score, **shifted})
    best = max(entries, key=lambda entry: (sign * entry[key], entry["alpha"]))
    _load_between(model, start, end, best["alpha"])
    scores = f"{job.scorer.main} {best[key]:.4f} on validation, {entries[-1][key]:.4f} at alpha 1"
    say(f"wise_ft: alpha {best['alpha']:g}, {scores}")
    return best["alpha"], entries


def _score(model: Any, job: Job, data: LabeledRows) -> float:
    """Compute the main score on these rows."""
    outputs = forward.run(model, data.rows, job.collate, job.task.collect, **job.forward_options)
    return job.main_score(outputs, data)


def _load_between(model: Any, start: State, end: State, alpha: float) -> None:
    """Load start + alpha * (end - start); exact at 0 and 1."""
    import torch

    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in end:
                # the start was copied before training moved the model to its device
                tensor.copy_(torch.lerp(start[name].to(tensor), end[name], alpha))
