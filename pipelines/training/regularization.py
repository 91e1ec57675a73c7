"""Terms of the loss besides that of the task, for every strategy that trains by steps."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.core.errors import ModelError, RecipeError
from pipelines.core.labels import IGNORED, SINGLE, TOKENS
from pipelines.core.section import Section
from pipelines.core.upstream import subtract_each

if TYPE_CHECKING:
    import torch

    from pipelines.core.labels import Labels


class Regularization(Section):
    """Terms of the loss besides that of the task; 0 is without."""

    l2_sp: float = Field(
        0.0, ge=0, description="pulls weights to where they started (arXiv 1802.01483: 1e-3 to 0.1)"
    )
    r_drop: float = Field(
        0.0, ge=0, description="passes with different dropout agree (arXiv 2106.14448: 1 to 5)"
    )
    focal: float = Field(
        0.0, ge=0, description="the exponent by which what is sure counts less (1708.02002: 2)"
    )

    def check(self, labels: "Labels") -> None:
        """Refuse terms that need one class for each answer, where `labels` are something else.

        Raises:
            RecipeError: names the key.
        """
        for name in ("r_drop", "focal"):
            if getattr(self, name) and labels.problem_type not in (SINGLE, TOKENS):
                raise RecipeError(
                    f"regularization.{name}: expected one class for each example or token; this "
                    f"is a {labels.problem_type}"
                )


class Anchor:
    """L2-SP (arXiv 1802.01483): half the squared distance of pretrained weights from their start.

    Only weights that train are counted.

    Raises:
        ModelError: nothing that was pretrained trains.
    """

    def __init__(self, pretrained: Iterable["torch.nn.Parameter"]) -> None:
        self.parameters = [parameter for parameter in pretrained if parameter.requires_grad]
        if not self.parameters:
            raise ModelError("regularization.l2_sp: no pretrained weight trains: use strategy=full")
        self.start: list[torch.Tensor] = [p.detach().clone() for p in self.parameters]

    def __call__(self) -> "torch.Tensor":
        """Compute the term; a scalar."""
        import torch

        # in one call: a loop over hundreds of small tensors is mostly the time of starting kernels
        differences = subtract_each(self.parameters, self.start)
        # half of it, so that the gradient is the difference itself
        return torch.stack([(difference**2).sum() for difference in differences]).sum() / 2


def require_dropout(model: Any) -> None:
    """Refuse R-Drop for a model in which two passes are the same.

    Raises:
        ModelError: it has no dropout.
    """
    from torch import nn

    dropout = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout)
    if not any(module.p > 0 for module in model.modules() if isinstance(module, dropout)):
        raise ModelError(
            f"regularization.r_drop: {type(model).__name__} has no dropout, so that two passes are "
            "the same; leave it out, or set the dropout of its config in model.config"
        )


def symmetric_kl(
    one: "torch.Tensor", other: "torch.Tensor", labels: "torch.Tensor"
) -> "torch.Tensor":
    """Compute the symmetric Kullback-Leibler divergence of R-Drop (arXiv 2106.14448).

    Args:
        one, other: (…, classes) logits of two passes.
        labels: (…,) classes, IGNORED where there is none; or (…, classes) shares of a mixed label.

    Returns:
        Half the sum of both directions, the mean over the answers that have a label; a scalar.
    """
    from torch.nn.functional import kl_div, log_softmax

    labeled = slice(None) if labels.is_floating_point() else labels != IGNORED  # mixed: all are
    # mixed precision leaves logits in bfloat16, too coarse for differences of logarithms
    p, q = (log_softmax(logits[labeled].float(), -1) for logits in (one, other))
    forward, backward = (
        kl_div(a, b, reduction="batchmean", log_target=True) for a, b in ((p, q), (q, p))
    )
    return (forward + backward) / 2
