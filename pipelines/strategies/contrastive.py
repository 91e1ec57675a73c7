"""SetFit: texts of a class become similar, then a head is solved (arXiv 2209.11055)."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.core import processes
from pipelines.core.console import say
from pipelines.core.errors import DIVERGED, DivergedError, RecipeError
from pipelines.core.labels import SINGLE
from pipelines.strategies import Resolution, Strategy
from pipelines.training.contrast.job import (
    FIXED_ARGUMENTS,
    MAX_STEPS,
    MIN_STEPS,
    num_pairs,
    on_pairs,
    plan,
)
from pipelines.training.length import Length

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.models.output.sentence import SentenceModel
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job
    from pipelines.training.setup import Setup

UNUSED_KEYS = (*FIXED_ARGUMENTS, "eval_steps", "eval_delay", "metric_for_best_model")
POOLING = "mean"  # what is compared


class Contrastive(Strategy):
    """For few examples: the encoder learns from pairs of texts, of which few examples make many.

    Pairs are drawn when they are needed, evenly by class, and all texts of a batch are compared
    with each other. Then a linear head is solved on the means of the tokens, as by `linear_probe`.
    """

    trains_on_task_loss: ClassVar[bool] = False
    min_steps: ClassVar[int | None] = MIN_STEPS

    draws: int = Field(
        20,
        ge=1,
        description=f"how many times an epoch draws each example (at least {MIN_STEPS} steps, at "
        f"most {MAX_STEPS:,})",
    )

    @property
    def why_no_streaming(self) -> str | None:
        """Pairs are drawn from all examples of a class."""
        return "its pairs, and its head, need all examples at hand"

    def incompatibility(self, task: "Task") -> str | None:
        """Refuse what is no classification of texts."""
        if task.name == "text_classification":
            return None
        return f"it compares texts by their classes, and {task.name} has no such; use full or lora"

    def resolve(self, context: "AutoContext") -> Resolution:
        """Refuse labels by which texts cannot be compared, and pairs of texts.

        Raises:
            RecipeError: what there is instead, and what to use.
        """
        reason = None
        if context.labels.problem_type != SINGLE:
            reason = f"compares texts of one class each; this is {context.labels.problem_type}"
        elif context.has_pairs:
            reason = "compares texts with each other; here an example is a pair of texts"
        if reason:
            raise RecipeError(f"strategy.name: 'contrastive': {reason}; use lp_ft, full or lora")
        return super().resolve(context)

    def ignored_training_keys(self, training: dict[str, Any]) -> tuple[str, ...]:
        """List what is about scores during training, and the order of rows."""
        return tuple(key for key in training if key in UNUSED_KEYS)

    def length(self, context: "AutoContext", arguments: Mapping[str, Any]) -> Length:
        """Return how long training is: an epoch reads pairs, and has the steps that it needs."""
        accumulated = arguments.get("gradient_accumulation_steps") or 1
        batch = arguments["per_device_train_batch_size"] * processes.num_processes()
        return Length(
            num_rows=num_pairs(len(context.targets), self.draws, batch * accumulated),
            num_classes=context.labels.num_labels,
            arguments=arguments,
            explicit=frozenset(context.training),
            needed=self.min_steps,
        )

    def training_minutes(self, context: "AutoContext") -> float:
        """Estimate one training by the texts that its pairs have, of as many as `full` reads."""
        defaults = self.training_defaults("text", context.anatomy)
        length = self.length(context, {**defaults, **context.training})
        return context.minutes * 2 * length.examples_seen / context.length.examples_seen

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return SetFit's rate, whatever the width of the encoder, and one epoch of pairs.

        A checkpoint is saved when a signal stops the run; before the head is solved there is
        nothing to choose between.
        """
        return {
            **super().training_defaults(modality, anatomy),
            "learning_rate": 2e-5,
            "num_train_epochs": 1,
            "per_device_train_batch_size": 16,  # pairs
            "eval_strategy": "no",
        }

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> "PreTrainedModel":
        """Leave out the head, and what makes a vector of the states in another way."""
        from pipelines.models.anatomy import inside

        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not inside(name, (*anatomy.head, *anatomy.pooling)))
        return model

    def check_switches(self, job: "Job") -> None:
        """Try the switches that are `on`, on pairs."""
        super().check_switches(on_pairs(job, self.draws))

    def setup(self, job: "Job") -> "Setup":
        """Collect how the encoder trains."""
        from pipelines.models.anatomy import dissect
        from pipelines.models.output.plain import PlainModel
        from pipelines.training.contrast.embedder import Embedder
        from pipelines.training.setup import Setup

        checkpoint = job.checkpoint
        anatomy = dissect(checkpoint.model, checkpoint.newly_initialized)
        model = self.apply(checkpoint.model, anatomy)
        return Setup(
            strategy=self.name,
            model=Embedder(model, anatomy),
            anatomy=anatomy,
            frozen=(),
            stages=(),
            lr_multiplier=lambda _: 1.0,
            evaluating=lambda _: nullcontext(),
            output=lambda _: PlainModel(model),  # whose encoder was trained
        )

    def fit(self, job: "Job") -> "Fitted":
        """Train the encoder on pairs, then solve a head on what it gives.

        Raises:
            DivergedError: there is nothing to solve a head on.
        """
        from pipelines.features.candidates import pooled_extractor
        from pipelines.models.anatomy import dissect
        from pipelines.models.output.sentence import SentenceModel
        from pipelines.training.contrast.head import STRENGTH, solve
        from pipelines.training.fit import fit

        pair_job = on_pairs(job, self.draws)
        say(plan(pair_job))
        trained = fit(pair_job, self.setup(pair_job))
        checkpoint = job.checkpoint
        model, new = checkpoint.model.eval(), checkpoint.newly_initialized
        if not all(parameter.isfinite().all() for parameter in model.parameters()):
            raise DivergedError(
                f"contrastive: the encoder came to weights that are not finite: {DIVERGED}"
            )
        # features are looked up by the weights as they are now
        extractor = pooled_extractor(
            model, dissect(model, new), POOLING, job.train, job.collate, new, plain=False
        )
        extractor = replace(extractor, chosen=POOLING)
        output = SentenceModel(model, extractor, solve(job, extractor))
        chosen = {**trained.chosen, "pooling": POOLING, "C": STRENGTH}
        last = output.head.layers[-1].linear
        return replace(
            trained,
            output=output,
            history=[*trained.history, *_scores(job, output, trained.history, chosen)],
            trainable=trained.trainable + last.weight.size + last.bias.size,
            chosen=chosen,
        )


def _scores(
    job: "Job", output: "SentenceModel", history: list[dict[str, Any]], chosen: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the entry of the history with the score on validation; none where train is that."""
    if job.folds is not None:
        return []
    outputs = output.run(job.validation, job.collate, job.task.collect, **job.forward_options)
    epoch = max((entry["epoch"] for entry in history if "epoch" in entry), default=0.0)
    return [{**chosen, f"eval_{job.scorer.main}": job.main_score(outputs), "epoch": epoch}]
