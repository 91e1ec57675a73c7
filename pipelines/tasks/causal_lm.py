"""Text -> its next token: what GPT-2 was pretrained on, on texts of your own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.core.labels import IGNORED, Labels
from pipelines.core.losses import CrossEntropy
from pipelines.tasks import Targets
from pipelines.tasks.text.blocks import Ids
from pipelines.tasks.text.language_modeling import LanguageModeling

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig


class CausalLm(LanguageModeling):
    """Causal language modeling, with the checkpoint's own output layer.

    A block's first token follows nothing, so it is not predicted.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    pipeline: ClassVar[str] = "text-generation"

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """Make an encoder such as BERT a decoder, which sees no token that it is to predict."""
        super().configure(config, processor, labels)
        if hasattr(config, "is_decoder"):
            config.is_decoder = True

    def mask_labels(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """Return the block, and as labels every token but the first."""
        return block, [IGNORED, *block[1:]]

    def align_labels(self, labels: "torch.Tensor") -> "torch.Tensor":
        """Shift (rows, tokens) labels: the logits at a token predict the next one."""
        return _shift_left(labels)

    def loss(self, train: Targets, labels: Labels) -> Callable[..., Any]:
        """Return cross-entropy of the next token, in which each token of a step weighs the same."""
        # the model's own loss would shift by itself: one of ours has to
        return NextTokenLoss()


@dataclass(frozen=True)
class NextTokenLoss(CrossEntropy):
    """Cross-entropy of (rows, tokens, vocabulary) logits with the tokens one further on."""

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """Compute the loss of a batch, or its share in the loss of a step, as a scalar."""
        return super().__call__(outputs, _shift_left(labels), num_items_in_batch)


def _shift_left(labels: "torch.Tensor") -> "torch.Tensor":
    """Move labels one token to the left; the last token has none then."""
    from torch.nn.functional import pad

    return pad(labels[:, 1:], (0, 1), value=IGNORED)
