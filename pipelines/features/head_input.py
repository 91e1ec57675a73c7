"""The smallest part of an encoder's output from which the model's own head gives the same logits.

Found by trying, not by a table of families: the encoder is replaced by one vector for each example,
as a sequence of one token, and the head has to give the logits of before. What a head reads of an
encoder can then be kept while the head itself is new with every seed (RoBERTa's has two layers).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.features.pooling import mask_of, pool

if TYPE_CHECKING:
    import torch

    from pipelines.models.anatomy import Anatomy

# in the order of trying; the encoder's own pooler is a layer that no pooling of states replaces
KINDS = ("pooled", "cls", "last", "mean")


@dataclass(frozen=True)
class HeadInput:
    """One vector of what an encoder returns, which can stand in for the encoder.

    Attributes:
        encoder: the name of its module.
        kind: `pooled` is the encoder's own pooler; the others are poolings of its last state.
        outputs: the class of what the encoder returns.
    """

    encoder: str
    kind: str
    outputs: type

    def read(self, outputs: Any, batch: dict[str, Any]) -> "torch.Tensor":
        """Select (rows, dim) vectors of what the encoder returned for a batch."""
        if self.kind == "pooled":
            return outputs.pooler_output
        hidden = outputs.last_hidden_state
        return pool(hidden, mask_of(hidden, batch), self.kind)

    @contextmanager
    def replace_encoder(self, model: Any, vectors: "torch.Tensor") -> Iterator[dict[str, Any]]:
        """Let the encoder return (rows, dim) `vectors` inside the block.

        Yields:
            The inputs to call `model` with: they pass through heads that look at them for padding.
        """
        import torch

        outputs = self._outputs(vectors)

        class ConstantEncoder(torch.nn.Module):
            def forward(self, *_: Any, **__: Any) -> Any:
                return outputs

        encoder = model.get_submodule(self.encoder)
        # the shape of a batch of one token each: heads compare it with what the encoder returns
        ones = torch.ones(len(vectors), 1, dtype=torch.long, device=vectors.device)
        inputs = {model.main_input_name: vectors}
        if model.main_input_name == "input_ids":
            inputs = {"input_ids": ones * _content_token(model), "attention_mask": ones}
        try:
            model.set_submodule(self.encoder, ConstantEncoder())
            yield inputs
        finally:
            model.set_submodule(self.encoder, encoder)

    def _outputs(self, vectors: "torch.Tensor") -> Any:
        tokens = vectors.unsqueeze(1)
        if self.kind == "pooled":
            return self.outputs(last_hidden_state=tokens, pooler_output=vectors)
        return self.outputs(last_hidden_state=tokens)


def find(model: Any, anatomy: "Anatomy", batch: dict[str, Any]) -> HeadInput | None:
    """Find the first kind from which the head gives the model's logits on `batch`.

    Returns:
        None where no single vector is enough, or where encoder and head are not apart.
    """
    import torch

    if not anatomy.encoder or anatomy.encoder == anatomy.output:
        return None
    caught: list[Any] = []
    encoder = model.get_submodule(anatomy.encoder)
    hook = encoder.register_forward_hook(lambda _, __, outputs: caught.append(outputs))
    with torch.inference_mode():
        logits = model.eval()(**batch).logits
        hook.remove()
        for kind in KINDS:
            head_input = HeadInput(anatomy.encoder, kind, type(caught[0]))
            if _gives(head_input, model, caught[0], batch, logits):
                return head_input
    return None


def _gives(
    head_input: HeadInput, model: Any, outputs: Any, batch: dict[str, Any], logits: "torch.Tensor"
) -> bool:
    """Return whether the head gives `logits` from this input."""
    import torch

    try:
        vectors = head_input.read(outputs, batch)
        with head_input.replace_encoder(model, vectors) as inputs:
            result = model(**inputs).logits
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return False  # the head reads something else of the encoder
    return result.shape == logits.shape and torch.allclose(result, logits, rtol=1e-4, atol=1e-5)


def _content_token(model: Any) -> int:
    """Choose a token id that is not padding: some heads look for the last one that is none."""
    return 1 if model.config.pad_token_id == 0 else 0
