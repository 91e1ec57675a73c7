"""Which weights train, when and how fast: one file per strategy.

A strategy sees the module tree only through `Anatomy`. Most are trained by the Trainer: `apply`
decides what trains, `merge` returns a plain model. A strategy that takes no gradient steps
overrides `fit`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pipelines.core.section import Named
from pipelines.strategies._published_defaults import published_defaults

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task
    from pipelines.training.fitted import Fitted
    from pipelines.training.job import Job
    from pipelines.training.length import Length
    from pipelines.training.setup import Setup
    from pipelines.training.stages import Stage


class Resolution(NamedTuple):
    """What a strategy leaves in the recipe, once data and model are known.

    Attributes:
        sections: replacements for sections of the recipe, "strategy" among them.
        reason: why `auto` chose the strategy; empty where there was no choice.
    """

    sections: dict[str, Any]
    reason: str = ""


class Strategy(Named):
    """Base of all strategies: every weight trains."""

    # False: the architecture only, with random weights
    pretrained: ClassVar[bool] = True
    # False: each example is read once, so augmentation has no effect
    augments: ClassVar[bool] = True
    # True: the frozen weights may be stored in 4 or 8 bits
    quantizes: ClassVar[bool] = False
    # False: pretrained weights stay as they are, or there are none
    changes_pretrained_weights: ClassVar[bool] = True
    # True: frozen blocks below those that train may run once (`speed.frozen_blocks`)
    caches_frozen_blocks: ClassVar[bool] = False
    # False: steps follow a loss of the strategy's own, and scores come once, at the end
    trains_on_task_loss: ClassVar[bool] = True
    # True: features of several checkpoints may stand side by side (`model.beside`)
    stands_beside: ClassVar[bool] = False
    # True: `fit` scores each row of train out of fold by itself, at next to no cost
    cross_validates: ClassVar[bool] = False
    # steps that are needed to learn something; None: as many as the classes ask for
    min_steps: ClassVar[int | None] = None
    # why there are no gradient steps; None where there are
    no_gradient_reason: ClassVar[str | None] = None

    def solves_head(self, task: "Task") -> bool:
        """Return whether training starts from a head solved on the encoder's features."""
        return False

    def has_solved_head(self, task: "Task") -> bool:
        """Return whether a head is solved at any time, and the checkpoint's own is lost."""
        is_last = self.no_gradient_reason is not None or not self.trains_on_task_loss
        return is_last or self.solves_head(task)

    @property
    def why_no_streaming(self) -> str | None:
        """The reason why train cannot be a stream; None where it can."""
        return None

    @property
    def weighs_labels(self) -> bool:
        """Whether each of several labels of an example may have a weight of its own."""
        return True

    def incompatibility(self, task: "Task") -> str | None:
        """Return the reason why this strategy does not go with `task`; None where it does."""
        return None

    def resolve(self, context: "AutoContext") -> Resolution:
        """Replace what the recipe left to this strategy by values; the run folder records them.

        Raises:
            RecipeError: nothing fits the rest of the recipe.
        """
        return Resolution({"strategy": self})

    def ignored_training_keys(self, training: dict[str, Any]) -> tuple[str, ...]:
        """List the keys of the recipe's `training:` that have no effect on this strategy."""
        return ()

    def length(self, context: "AutoContext", arguments: Mapping[str, Any]) -> "Length | None":
        """Return how long training is by fields of TrainingArguments; None without steps."""
        return None if self.no_gradient_reason else replace(context.length, arguments=arguments)

    def training_minutes(self, context: "AutoContext") -> float:
        """Estimate how long one training takes on this machine: as long as full fine-tuning."""
        return context.minutes

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Return published TrainingArguments for this strategy; the recipe's `training:` wins."""
        return published_defaults(modality, anatomy)

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """Name the modules whose dropout and normalization stay in eval mode throughout."""
        return ()

    def stages(self, anatomy: "Anatomy", epochs: float) -> tuple["Stage", ...]:
        """Return what trains when, with learning-rate schedules that replace the Trainer's.

        Args:
            epochs: the length of training; nan where it is given in steps.

        Returns:
            Stages with lengths in epochs; empty: what `apply` left trainable trains throughout.
        """
        return ()

    @property
    def has_stages(self) -> bool:
        """Whether stages may follow from the length of training, which then cannot change."""
        return type(self).stages is not Strategy.stages

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Any:
        """Make `model` ready to train (freeze, add adapters) and return what the Trainer trains.

        Raises:
            ModelError: the strategy does not fit this model; gives the reason.
        """
        return model

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """Return the learning-rate multiplier of a parameter, relative to `learning_rate`."""
        return 1.0

    def evaluating(self, model: Any) -> AbstractContextManager[None]:
        """Make `model` as fast as it can be for an evaluation during training."""
        return nullcontext()

    def merge(self, model: Any) -> "PreTrainedModel":
        """Return the trained model as its plain class, without anything that `apply` added."""
        return model

    def output(self, model: Any, checkpoint: "Checkpoint") -> "Output":
        """Wrap the trained model as what will be saved: the plain class, where that can hold it."""
        from pipelines.training.pooled_classifier import trained_output

        return trained_output(self.merge(model))

    def saves(self, module: str, model: Any, anatomy: "Anatomy") -> bool:
        """Return whether what is saved holds the weights of a module."""
        return True

    def fit(self, job: "Job") -> "Fitted":
        """Train on `job` and return the result with the best validation score."""
        return self.train(self.start(job))

    def start(self, job: "Job") -> "Job":
        """Bring the model of `job` to where gradient steps start: as it is, by default."""
        return job

    def train(self, job: "Job") -> "Fitted":
        """Train from `start` on; several trainings of a soup have it in common."""
        from pipelines.training.fit import fit

        return fit(job, self.setup(job))

    def check_switches(self, job: "Job") -> None:
        """Refuse what `fit` would refuse of `speed:`, before anything is trained or written.

        Raises:
            RecipeError: a switch says `on`, and it cannot be done.
        """
        from pipelines.models.anatomy import dissect
        from pipelines.training import preconditions

        if self.no_gradient_reason is None:
            anatomy = dissect(job.checkpoint.model, job.checkpoint.newly_initialized)
            preconditions.check(job, anatomy)

    def setup(self, job: "Job") -> "Setup":
        """Apply this strategy to the checkpoint of `job` and collect how the result trains."""
        from pipelines.models.anatomy import dissect
        from pipelines.training.setup import Setup

        checkpoint, arguments = job.checkpoint, job.arguments
        # before `apply`, which may put adapters around the layers that this looks for
        anatomy = dissect(checkpoint.model, checkpoint.newly_initialized)
        scale = job.target_scale
        if scale and anatomy.output and self.saves(anatomy.output, checkpoint.model, anatomy):
            # before adapters wrap the layer, and copy it
            scale.unfold(checkpoint.model.get_submodule(anatomy.output))
        else:
            scale = None
        model = self.apply(checkpoint.model, anatomy)
        epochs = nan if arguments.max_steps > 0 else arguments.num_train_epochs
        return Setup(
            strategy=self.name,
            model=model,
            anatomy=anatomy,
            frozen=self.frozen(model, anatomy),
            stages=self.stages(anatomy, epochs),
            lr_multiplier=lambda parameter: self.lr_multiplier(parameter, anatomy),
            evaluating=self.evaluating,
            output=lambda trained: self.output(trained, checkpoint),
            target_scale=scale,
        )
