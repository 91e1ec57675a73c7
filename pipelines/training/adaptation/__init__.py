"""Domain adaptation: one file per method, each without labels of the target.

While training, a method adds a term to the loss of a step: the step reads a batch of labeled rows
of the source, and as many rows of the target. The term compares what the output layer reads, and
the logits, of both.

deep_coral.py   covariances of the features agree
mmd.py          the features' means in a space of kernels agree
mcc.py          few classes of the target are taken for each other
dann.py         no discriminator can know source from target by the features
cdan.py         nor by features and classes

After training, a method changes the trained model by rows of the target alone.

adabn.py        means and variances that batch normalization divides by
tent.py         weights of normalization, until predictions are sure
"""

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from pipelines.core.errors import RecipeError
from pipelines.core.labels import SINGLE
from pipelines.core.section import Named

if TYPE_CHECKING:
    import torch

    from pipelines.core.labels import Labels
    from pipelines.training.target_batches import TargetBatches


class Domain(NamedTuple):
    """What a model makes of the rows of one domain.

    Attributes:
        features: (rows, dim) float32, what the output layer reads.
        logits: (rows, classes) float32.
    """

    features: "torch.Tensor"
    logits: "torch.Tensor"


class Adaptation(Named):
    """Base class of all methods; each derives from one of the two classes below.

    Attributes:
        measured: what it was worth beside training on the source alone (benchmarks/README.md).
        min_steps: steps of training that it needs to gain anything.
    """

    measured: ClassVar[str] = "not measured"
    min_steps: ClassVar[int] = 0

    # False: a term of the loss while training; True: a change of the trained model
    after_training: ClassVar[bool]

    def check(self, labels: "Labels") -> None:
        """Refuse what is no classification with one class for each example.

        Raises:
            RecipeError: names the key.
        """
        if labels.problem_type != SINGLE:
            raise RecipeError(
                f"adaptation.name: '{self.name}': expected one class for each example; this is a "
                f"{labels.problem_type}; leave adaptation out"
            )


class WhileTraining(Adaptation):
    """Source and target are brought together by a term of the loss."""

    after_training: ClassVar[bool] = False

    weight: float = Field(1.0, gt=0, description="of the term, relative to the task's loss")

    def network(self, dim: int, num_classes: int) -> "torch.nn.Module | None":
        """Build what trains beside the model and is never saved with it; None: nothing does."""
        return None

    def optimizer_groups(self, network: Any) -> list[dict[str, Any]]:
        """Return groups of parameters of `network` with their learning rates."""
        return []

    def loss(self, source: Domain, target: Domain, network: Any, progress: float) -> "torch.Tensor":
        """Compute the term, before `weight`; a scalar.

        Args:
            source, target: of as many rows each; the last batch of an epoch may have one.
            network: what `network` built.
            progress: of the training, 0 to 1.
        """
        raise NotImplementedError


class AfterTraining(Adaptation):
    """A trained model is changed by rows of the target, before it is scored and saved."""

    after_training: ClassVar[bool] = True

    def check_model(self, model: Any) -> None:
        """Refuse a model that has nothing to adapt.

        Raises:
            ModelError: names the key, and what the model has instead.
        """
        raise NotImplementedError

    def adapt(self, model: Any, batches: "TargetBatches") -> str:
        """Change `model` in place, and leave it in eval mode.

        Args:
            batches: rows of the target, without labels.

        Returns:
            What was changed, and by how many rows, as a log shows it.
        """
        raise NotImplementedError
