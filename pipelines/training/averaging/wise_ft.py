"""WiSE-FT: a point on the line from the probe to the fine-tuned weights (arXiv 2109.01903)."""

from typing import TYPE_CHECKING, Any

from pipelines.core.console import say
from pipelines.models import forward

if TYPE_CHECKING:
    from pipelines.training.job import Job

ALPHAS = [step / 10 for step in range(11)]  # 0: the probe, 1: what training came to

State = dict[str, Any]


def state(model: Any) -> State:
    """A copy of all that is a number with a fraction."""
    return {n: t.clone() for n, t in model.state_dict().items() if t.is_floating_point()}


def interpolate(model: Any, start: State, job: "Job") -> tuple[float, list[dict[str, Any]]]:
    """Leave `model` where on the line from `start` it is best on validation.

    Of equals the one that is nearest to what training came to. Gives back its alpha, and an entry
    of the history for each.
    """
    end, key = state(model), f"validation_{job.scorer.main}"
    sign = 1 if job.scorer.greater_is_better else -1
    entries = []
    for alpha in ALPHAS:
        _place(model, start, end, alpha)
        kept = forward.run(
            model, job.validation, job.collate, job.task.collect, **job.forward_options
        )
        entries.append({"alpha": alpha, key: job.main_score(kept)})
    best = max(entries, key=lambda entry: (sign * entry[key], entry["alpha"]))
    _place(model, start, end, best["alpha"])
    told = f"{job.scorer.main} {best[key]:.4f} on validation, {entries[-1][key]:.4f} at 1"
    say(f"wise_ft: alpha {best['alpha']:g}, {told}")
    return best["alpha"], entries


def _place(model: Any, start: State, end: State, alpha: float) -> None:
    """Exactly at the ends, where it is at one."""
    import torch

    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in end:
                tensor.copy_(torch.lerp(start[name].to(tensor), end[name], alpha))
