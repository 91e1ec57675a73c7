"""Text -> its next token: what GPT-2 was pretrained on, on texts of your own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.core.labels import IGNORED, Labels
from pipelines.core.losses import CrossEntropy
from pipelines.tasks import Targets
from pipelines.tasks.text.language_modeling import Ids, LanguageModeling

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig


class CausalLm(LanguageModeling):
    """Causal language modeling, with the checkpoint's own output layer.

    A block's first token has nothing before it and is not asked for.
    """

    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    pipeline: ClassVar[str] = "text-generation"

    def configure(self, config: "PretrainedConfig", processor: Any, labels: Labels) -> None:
        """An encoder such as BERT's must not look at the tokens that it is to predict."""
        super().configure(config, processor, labels)
        if hasattr(config, "is_decoder"):
            config.is_decoder = True

    def ask(self, block: Ids, processor: Any) -> tuple[Ids, Ids]:
        """Every token but the first."""
        return block, [IGNORED, *block[1:]]

    def asked_at(self, labels: "torch.Tensor") -> "torch.Tensor":
        """The logits of a token are about the next one."""
        return _next(labels)

    def loss(self, train: Targets, labels: Labels) -> Callable[..., Any]:
        """As for all language models, of the next token."""
        return NextToken()


@dataclass(frozen=True)
class NextToken(CrossEntropy):
    """Cross-entropy of (rows, tokens, vocabulary) logits with the tokens one further on."""

    def __call__(
        self, outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None
    ) -> "torch.Tensor":
        """The loss of a batch, or its share in that of a step, as a scalar."""
        return super().__call__(outputs, _next(labels), num_items_in_batch)


def _next(labels: "torch.Tensor") -> "torch.Tensor":
    """Labels one to the left; after the last token nothing is asked."""
    from torch.nn.functional import pad

    return pad(labels[:, 1:], (0, 1), value=IGNORED)
