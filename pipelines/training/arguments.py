"""TrainingArguments from a recipe and its strategy, over defaults of our own."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.console import shows_bars
from pipelines.core.errors import RecipeError, suggest
from pipelines.core.hardware import trains_on_cpu
from pipelines.core.labels import MULTI, REGRESSION
from pipelines.core.processes import num_processes

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.evaluation.scorer import Scorer

# fields whose old name only warns
RENAMED = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}
OPTIMIZERS = dict.fromkeys(("adam", "Adam", "adamw", "AdamW"), "adamw_torch")
# of a train split that is streamed: there are no epochs to count in, and each process reads for
# itself, since the main one could not put batches of different lengths together for the others
STREAMED: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "accelerator_config": {"dispatch_batches": False},
}


def forward_options(arguments: "TrainingArguments") -> dict[str, Any]:
    """Take what `forward.run` needs from the arguments of a run."""
    return {
        "batch_size": arguments.per_device_eval_batch_size,
        "num_workers": arguments.dataloader_num_workers,
    }


def arguments(training: dict[str, Any], scorer: "Scorer", checkpoints: Path) -> "TrainingArguments":
    """Lay the fields of `training` over our defaults and build TrainingArguments.

    Args:
        training: of the recipe, over the defaults of its strategy.
        checkpoints: the folder that the Trainer saves to.

    Raises:
        RecipeError: TrainingArguments refuses a value; names it and why.
    """
    from transformers import TrainingArguments

    _check_names(training, TrainingArguments)
    _check_choices(training, TrainingArguments)
    fields = {
        **_defaults(training),
        **_with_new_names(training, TrainingArguments),
        "output_dir": str(checkpoints),
        # upstream would begin anew with a smaller batch: `batch_parts` computes the same step
        "auto_find_batch_size": False,
        # Trainer.train gets it, as the checkpoint of the run folder that it resolves to
        "resume_from_checkpoint": None,
    }
    if fields.get("label_smoothing_factor") and scorer.labels.problem_type in (MULTI, REGRESSION):
        raise RecipeError(
            f"training.label_smoothing_factor: {fields['label_smoothing_factor']}: a "
            f"{scorer.labels.problem_type} has no one label to smooth; leave it out"
        )
    if num_processes() == 1:
        fields.pop("ddp_backend", None)  # accelerate would look for the others
    _complete_choice(fields, scorer)
    try:
        return TrainingArguments(**fields)
    except (TypeError, ValueError, ImportError) as error:
        raise RecipeError(f"training{_explain(error, training)}") from error


def _explain(error: Exception, training: dict[str, Any]) -> str:
    """Name the key that TrainingArguments refuses, as `.optim: …`, if its message shows it."""
    message = " ".join(str(error).split())
    value, _, others = message.partition(" is not a valid ")
    names = re.findall(r"'(.*?)'", others)
    for key, given in training.items():
        if names and given == value:
            meant = OPTIMIZERS.get(value) if key == "optim" else None
            hint = f"did you mean '{meant}'?" if meant else suggest(value, names)
            return f".{key}: '{value}': unknown; {hint}"
    plain = _letters(message)
    # the longest: `accelerator_config` before a key that is part of another word
    near = [key for key in sorted(training, key=len, reverse=True) if _letters(key) in plain]
    return f"{f'.{near[0]}: {training[near[0]]}' if near else ''}: {message}"


def _letters(text: str) -> str:
    """Leave out what flags, fields and classes of one name differ in."""
    return text.lower().replace("_", "")


def _check_names(training: dict[str, Any], arguments_type: type) -> None:
    """Refuse what is no field: the recipe's keys are checked already, so a strategy named it.

    Raises:
        RecipeError: names the key and the nearest field.
    """
    known = {field.name for field in dataclasses.fields(arguments_type)}
    for name in training.keys() - known:
        raise RecipeError(
            f"training_defaults of the strategy: '{name}' is no field of TrainingArguments; "
            f"{suggest(name, known)}"
        )


def _check_choices(training: dict[str, Any], arguments_type: type) -> None:
    """Refuse what is no choice of its field: only upstream's own command line would look.

    Raises:
        RecipeError: names the key, the value and the choices.
    """
    for field in dataclasses.fields(arguments_type):
        value, choices = training.get(field.name), field.metadata.get("choices")
        if choices and value is not None and value not in choices:
            raise RecipeError(f"training.{field.name}: '{value}': {suggest(value, choices)}")


def _with_new_names(training: dict[str, Any], arguments_type: type) -> dict[str, Any]:
    """Take a field that upstream renames by its new name, where the installed version has it."""
    known = {field.name for field in dataclasses.fields(arguments_type)}
    new = {name: RENAMED[name] for name in training if RENAMED.get(name) in known}
    return {new.get(name, name): value for name, value in training.items()}


def _defaults(training: dict[str, Any]) -> dict[str, Any]:
    import torch

    return {
        "eval_strategy": "epoch",
        "logging_steps": 0.05,  # below 1: a share of all steps
        "logging_nan_inf_filter": False,  # `FiniteSteps` looks at each loss
        "log_level_replica": "error",  # what upstream has to say, the main process may say
        "save_total_limit": 1,
        "per_device_eval_batch_size": 64,
        "report_to": "none",
        "disable_tqdm": not shows_bars(),
        # without a GPU it only warns
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": trains_on_cpu(training),
        # looking for them costs a walk over the graph at each step; strategies with stages need it
        "ddp_find_unused_parameters": False,
        # upstream guesses it from the signature of `forward`, which peft's wrappers hide
        "label_names": ["labels"],
        "remove_unused_columns": False,  # encoded rows hold nothing else
    }


def _complete_choice(fields: dict[str, Any], scorer: "Scorer") -> None:
    """Fill in which checkpoint is kept.

    Only one that was evaluated can be chosen, so checkpoints are saved when evaluating.
    """
    fields.setdefault("save_strategy", fields["eval_strategy"])
    if str(fields["eval_strategy"]) == "steps":
        fields.setdefault("eval_steps", fields["logging_steps"])
        fields.setdefault("save_steps", fields["eval_steps"])
    chooses = "no" not in (str(fields["eval_strategy"]), str(fields["save_strategy"]))
    fields.setdefault("load_best_model_at_end", chooses)
    fields["metric_for_best_model"] = fields.get("metric_for_best_model") or scorer.main
    greater_is_better = _greater_is_better(fields["metric_for_best_model"], scorer)
    given = fields.get("greater_is_better")
    # the Trainer would keep the worst checkpoint
    if given is not None and given != greater_is_better:
        raise RecipeError(_direction_problem(fields["metric_for_best_model"], scorer, given))
    fields["greater_is_better"] = greater_is_better


def _direction_problem(metric: str, scorer: "Scorer", given: bool) -> str:
    """Say whether more or less is better, and where a metric of the user's own declares it."""
    known = "less" if given else "more"
    problem = (
        f"training.greater_is_better: {str(given).lower()}: {known} is better, as is known of "
        f"{metric}; leave it out"
    )
    foreign = [other.name for other in scorer.metrics if not other.is_ours]
    if foreign:
        problem += f", or say so in metrics: [{{name: {foreign[0]}, greater_is_better: …}}]"
    return problem


def _greater_is_better(metric: str, scorer: "Scorer") -> bool:
    """Return whether more is better in the metric that chooses the checkpoint.

    Raises:
        RecipeError: the metric is not computed.
    """
    metric = metric.removeprefix("eval_")
    if metric in (scorer.main, "loss"):  # known without computing an example
        return metric != "loss" and scorer.greater_is_better
    if metric not in scorer.directions:
        raise RecipeError(
            f"training.metric_for_best_model: '{metric}' is not computed; "
            f"{suggest(metric, [*scorer.directions, 'loss'])}; add it to metrics"
        )
    return scorer.directions[metric]
