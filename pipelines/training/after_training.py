"""A trained model -> the same model, adapted to rows of the target; what that gained and cost.

validation, target    -> scores of the trained model
rows of the target    -> the model, changed in place
validation, target    -> its scores, which stand beside in the history
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.core.console import say
from pipelines.core.errors import RecipeError
from pipelines.core.sharding import sharding_key

if TYPE_CHECKING:
    from pipelines.models.output import Output
    from pipelines.training.adaptation import AfterTraining
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job

MIN_ROWS = 2  # of the target: a single one has no variance
INFORMATION = "target_information"


def check(section: "AfterTraining", job: "Job") -> None:
    """Refuse what could not be adapted when it is trained; nothing is computed.

    Raises:
        ModelError: the model has nothing to adapt.
        RecipeError: there are too few rows of the target, or weights are spread over processes.
    """
    key = f"adaptation.name: '{section.name}'"
    num_rows = 0 if job.target is None else len(job.target)
    if num_rows < MIN_ROWS:
        raise RecipeError(
            f"{key}: {num_rows} rows of the target; expected {MIN_ROWS} or more in data.target"
        )
    if sharding_key(job.arguments):
        raise RecipeError(
            f"{key}: changes a whole model, and its weights are spread over processes; train "
            "without FSDP and DeepSpeed, or leave adaptation out"
        )
    section.check_model(job.checkpoint.model)


def adapt(section: "AfterTraining", fitted: "Fitted", job: "Job") -> "Fitted":
    """Adapt the model that was trained, in place.

    Validation is of the source, and shows what that costs there. Labels of the target are not
    read: what is known of it is how sure and how many its predictions are.

    Returns:
        The result with an entry of the history: the scores before and after.
    """
    from pipelines.training.target_batches import TargetBatches

    check(section, job)
    output = fitted.output
    model = output.model.to(job.arguments.device)
    before = _measure(output, job)
    done = section.adapt(model, TargetBatches(job.target, job.collate, job.arguments.seed))
    after = _measure(output, job)
    model.eval()
    say(f"adaptation: {section.name}: {done}")
    if after[INFORMATION] < before[INFORMATION]:
        say(
            f"adaptation: {section.name}: predictions for the target tell less than before "
            f"({before[INFORMATION]:.3f} -> {after[INFORMATION]:.3f} nats): they are less sure, or "
            "fall into fewer classes, and may be worse; compare with adaptation=null"
        )
    entry = {"adaptation": section.name, "before": before, "after": after}
    return replace(fitted, history=[*fitted.history, entry])


def _measure(output: "Output", job: "Job") -> dict[str, float]:
    """Score validation, and measure what predictions tell of the target."""
    from pipelines.training.target_information import measure

    def run(rows: Any) -> Any:
        # in eval mode it would be a pass in inference mode: what a model keeps then has no gradient
        output.model.train()
        return output.run(rows, job.collate, job.task.collect, **job.forward_options)

    key = f"validation_{job.scorer.main}"
    scores = {key: job.main_score(run(job.validation))}
    return {**scores, INFORMATION: measure(lambda rows: run(rows)["logits"], job.target)}
