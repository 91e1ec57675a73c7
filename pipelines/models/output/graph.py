"""A saved model as a function of tensors, whichever library loaded it."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

OUTPUTS = ("logits", "start_logits", "end_logits")  # of a model, what tasks read
OF_SENTENCES = ("input_ids", "attention_mask", "token_type_ids")


class Graph(nn.Module):
    """A model as a function of tensors, in a fixed order, to the tensors that a task reads.

    Args:
        model: a model of transformers, or a SentenceTransformer, whose vectors are logits.
        inputs: names of its inputs.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.inputs = model, tuple(inputs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the outputs."""
        named = dict(zip(self.inputs, tensors, strict=True))
        if hasattr(self.model, "tokenize"):  # what sentence-transformers calls with one mapping
            return (self.model(named)["sentence_embedding"],)
        outputs = self.model(**named)
        return tuple(outputs[name] for name in OUTPUTS if name in outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the outputs."""
        is_span = type(self.model).__name__.endswith("ForQuestionAnswering")
        return OUTPUTS[1:] if is_span else OUTPUTS[:1]

    @classmethod
    def of(cls, model: Any, batch: Mapping[str, Any]) -> "Graph":
        """Wrap a model with those inputs of a batch that it takes.

        Collators add what packing needs.
        """
        is_of_sentences = hasattr(model, "tokenize")
        # peft passes on whatever it is given, and names nothing
        below = model.get_base_model() if hasattr(model, "get_base_model") else model
        known = OF_SENTENCES if is_of_sentences else inspect.signature(below.forward).parameters
        return cls(model, [name for name in batch if name in known])

    def select(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Select the inputs from a batch, in their order."""
        return {name: batch[name] for name in self.inputs}
