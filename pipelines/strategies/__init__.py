"""Which weights train, when and how fast: one file per strategy.

A strategy sees the module tree only through `Anatomy`. Most are trained by the Trainer: `apply`
says what trains, `merge` gives back a plain model. A strategy that needs no gradient steps
overrides `fit`.
"""

from contextlib import AbstractContextManager, nullcontext
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.core.section import Named

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pipelines.models.anatomy import Anatomy
    from pipelines.models.load import Checkpoint
    from pipelines.models.output import Output
    from pipelines.strategies.choosing.context import AutoContext
    from pipelines.tasks import Task
    from pipelines.training.job import Fitted, Job, Setup
    from pipelines.training.stages import Stage


class Strategy(Named):
    """Base of all strategies: everything trains."""

    pretrained: ClassVar[bool] = True  # False: the architecture only, with random weights
    augments: ClassVar[bool] = True  # False: each example is seen once, and cannot vary
    quantizes: ClassVar[bool] = False  # True: what is frozen may be kept in 4 or 8 bits
    changes_pretrained_weights: ClassVar[bool] = (
        True  # False: learns beside what was pretrained, or without
    )
    no_gradient_reason: ClassVar[str | None] = None  # what is done instead, where no gradient is

    reason: str = Field("", description="why it was chosen; `auto` writes it")

    def solves_head(self, task: "Task") -> bool:
        """Whether steps start from a head that was solved on the features of the encoder."""
        return False

    @property
    def why_no_streaming(self) -> str | None:
        """Why train cannot flow by; None where it can."""
        return None

    def incompatibility(self, task: "Task") -> str | None:
        """Why this strategy does not go with `task`; None where it does."""
        return None

    def resolve(self, context: "AutoContext") -> dict[str, Any]:
        """Sections of the recipe with numbers for what was left to this strategy; the run folder
        records them."""
        return {"strategy": self}

    def ignored_training_keys(self, training: dict[str, Any]) -> tuple[str, ...]:
        """The keys of the recipe's `training:` that mean nothing to this strategy."""
        return ()

    def training_defaults(self, modality: str, anatomy: "Anatomy") -> dict[str, Any]:
        """Published TrainingArguments for this strategy; the recipe's `training:` wins.

        BERT's grid (arXiv 1810.04805, A.3), and up to 3e-4 for narrower encoders of texts (arXiv
        1908.08962; ELECTRA's small model has three times the rate of its base, 2003.10555); ViT's
        fine-tuning cards; AdamW 1e-3 for convnets. Where nothing normalizes (VGG), a tenth of that,
        as in torchvision's reference training.
        """
        learning_rate = {"text": 2e-5, "image": 5e-5, "audio": 3e-5}[modality]
        if modality == "text" and anatomy.width:
            learning_rate = max(
                learning_rate, min(3e-4, learning_rate * (768 / anatomy.width) ** 2)
            )
        if anatomy.is_convolutional:
            learning_rate = 1e-3 if anatomy.norms else 1e-4
        return {
            "learning_rate": learning_rate,
            "num_train_epochs": 3 if modality == "text" else 5,
            "per_device_train_batch_size": 32,
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.1,  # below 1: a share of all steps
            "weight_decay": 0.01,
        }

    def frozen(self, model: Any, anatomy: "Anatomy") -> tuple[str, ...]:
        """Modules whose dropout and normalization stay in eval mode, in all stages."""
        return ()

    def stages(self, anatomy: "Anatomy", epochs: float) -> tuple["Stage", ...]:
        """What trains when, with courses of the rate instead of the Trainer's; none: all the time
        what `apply` says. Lengths are in epochs; nan: training counts in steps."""
        return ()

    def apply(self, model: "PreTrainedModel", anatomy: "Anatomy") -> Any:
        """Make `model` ready to train: freeze, add adapters. Gives back what the Trainer trains.

        Raises:
            ModelError: the strategy does not fit this model; says why.
        """
        return model

    def lr_multiplier(self, parameter: str, anatomy: "Anatomy") -> float:
        """By how much the learning rate of one parameter, by its name in what trains, is larger
        than `training.learning_rate`."""
        return 1.0

    def evaluating(self, model: Any) -> AbstractContextManager[None]:
        """Around a pass over validation during training: `model` as it runs quickest."""
        return nullcontext()

    def merge(self, model: Any) -> "PreTrainedModel":
        """The trained model as its plain class, without anything that `apply` added."""
        return model

    def output(self, model: Any, checkpoint: "Checkpoint") -> "Output":
        """What comes out of training on `checkpoint`: the plain model, unless a recipe asks for
        something else."""
        from pipelines.models.output.plain import PlainModel

        return PlainModel(self.merge(model))

    def fit(self, job: "Job") -> "Fitted":
        """Train on `job` and give back the result with the best validation score."""
        from pipelines.training.fit import fit

        return fit(job, self.setup(job))

    def setup(self, job: "Job") -> "Setup":
        """Apply this strategy to the checkpoint of `job` and collect how the result trains."""
        from pipelines.models.anatomy import dissect
        from pipelines.training.job import Setup

        checkpoint, arguments = job.checkpoint, job.arguments
        anatomy = dissect(checkpoint.model, checkpoint.newly_initialized)
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
        )
