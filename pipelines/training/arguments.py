"""What a recipe and its strategy say, over defaults of our own -> TrainingArguments."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.console import shows_bars
from pipelines.core.hardware import trains_on_cpu
from pipelines.core.processes import num_processes
from pipelines.core.errors import RecipeError
from pipelines.core.labels import MULTI, REGRESSION

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.evaluation.scorer import Scorer

# of a train split that flows by: no epochs to count in; each process reads for itself, since the
# main one could not put batches of different lengths together for the others
STREAMED: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "accelerator_config": {"dispatch_batches": False},
}


def forward_options(arguments: "TrainingArguments") -> dict[str, Any]:
    """What `forward.run` needs to know of a run's arguments."""
    return {
        "batch_size": arguments.per_device_eval_batch_size,
        "num_workers": arguments.dataloader_num_workers,
    }


def arguments(said: dict[str, Any], scorer: "Scorer", checkpoints: Path) -> "TrainingArguments":
    """TrainingArguments from what the recipe and its strategy `said`, over defaults of our own.

    Raises:
        RecipeError: TrainingArguments refuses a value; says which and why.
    """
    import torch
    from transformers import TrainingArguments

    fields = {
        "eval_strategy": "epoch",
        "logging_steps": 0.05,  # below 1: a share of all steps
        "save_total_limit": 1,
        "per_device_eval_batch_size": 64,
        "restore_callback_states_from_checkpoint": True,  # early stopping counts on
        "report_to": "none",
        "disable_tqdm": not shows_bars(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": trains_on_cpu(said),
        "ddp_find_unused_parameters": False,
        "label_names": ["labels"],
        "remove_unused_columns": False,  # encoded rows hold nothing else
        **said,
        "output_dir": str(checkpoints),
        "resume_from_checkpoint": None,
    }
    if fields.get("label_smoothing_factor") and scorer.labels.problem_type in (MULTI, REGRESSION):
        raise RecipeError(
            f"training.label_smoothing_factor: a {scorer.labels.problem_type} has no one label to "
            "smooth"
        )
    if num_processes() == 1:
        fields.pop("ddp_backend", None)  # accelerate would look for the others
    _choose(fields, scorer)
    try:
        return TrainingArguments(**fields)
    except (TypeError, ValueError, ImportError) as error:
        told = str(error).strip()  # "foo is not a valid SchedulerType", but not what said foo
        keys = (f".{name}" for name, value in said.items() if told.startswith(f"{value} "))
        raise RecipeError(f"training{next(keys, '')}: {told}") from error


def _choose(fields: dict[str, Any], scorer: "Scorer") -> None:
    """Complete what says which checkpoint is kept: it can only be one that was evaluated, so that
    it is saved when evaluating."""
    fields.setdefault("save_strategy", fields["eval_strategy"])
    if str(fields["eval_strategy"]) == "steps":
        fields.setdefault("eval_steps", fields["logging_steps"])
        fields.setdefault("save_steps", fields["eval_steps"])
    chooses = "no" not in (str(fields["eval_strategy"]), str(fields["save_strategy"]))
    fields.setdefault("load_best_model_at_end", chooses)
    fields.setdefault("metric_for_best_model", scorer.main)
    if "greater_is_better" not in fields:
        fields["greater_is_better"] = _greater_is_better(fields["metric_for_best_model"], scorer)


def _greater_is_better(metric: str, scorer: "Scorer") -> bool:
    """Whether more is better in the metric that chooses the checkpoint."""
    metric = metric.removeprefix("eval_")
    if metric not in (scorer.main, "loss"):
        raise RecipeError(
            f"training.metric_for_best_model: is more of '{metric}' better? say "
            f"training.greater_is_better, or name '{metric}' first in metrics"
        )
    return metric != "loss" and scorer.greater_is_better
