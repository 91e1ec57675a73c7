"""A sentence-transformers folder: encoder, pooling, dense layers.

It holds a head that the plain class cannot express, such as a linear one on mean-pooled BERT
features, or one of several layers.

0_Transformer/   the encoder with the labels in its config, and the tokenizer: a checkpoint
1_Pooling/ …     what makes one vector of hidden states, then the layers of the head

There is no config.json beside modules.json: `pipeline()` and `from_pretrained` refuse the folder.
With the encoder at the top they would load it, and answer by a new head of random weights.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.models.output.head_layers import Linear
from pipelines.models.output.plain import PlainModel
from pipelines.tasks.text.base import check_words

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.models.forward import Collect
    from pipelines.models.output import Library, Output
    from pipelines.models.output.frozen_features import FrozenFeatures
    from pipelines.models.output.head_layers import Layer, SolvedHead
    from pipelines.tasks import ModelOutputs


@dataclass(frozen=True)
class SentenceModel:
    """An encoder, a pooling and a head: `encode(texts)` gives the logits."""

    library: ClassVar["Library"] = "sentence-transformers"
    model: Any
    extractor: "FrozenFeatures"
    head: "SolvedHead"

    def run(self, rows: Any, collate: Any, collect: "Collect", **options: Any) -> "ModelOutputs":
        """Apply the head to pooled features: (rows, num_labels) logits."""
        return {"logits": self.extractor.logits(self.head, rows, collate, **options)}

    def features(self, rows: Any, collate: Any, **options: Any) -> np.ndarray:
        """Compute the features that the head was solved on."""
        features, _ = self.extractor.extract(rows, collate, **options)
        return np.asarray(features[self.extractor.chosen])

    def with_temperature(self, temperature: float, batch: Any) -> "Output":
        """Divide the head's logits: nothing else gives any."""
        return replace(self, head=self.head.with_temperature(temperature))

    def save(self, folder: Path, processor: Any) -> None:
        """Write encoder, pooling and dense layers with sentence-transformers itself."""
        dim = self.head.layers[0].linear.weight.shape[1]
        modules = poolings(self.model.config, self.extractor.chosen, self.extractor.layer, dim)
        # the encoder alone: the head is in the dense layers that follow
        write(self.model.base_model, modules, self.head.layers, folder, processor)


@dataclass(frozen=True)
class PooledModel(PlainModel):
    """A module of `encoder`, the name of a `pooling`, and a linear `head`, trained together."""

    library: ClassVar["Library"] = "sentence-transformers"

    def save(self, folder: Path, processor: Any) -> None:
        """Write encoder, pooling and head with sentence-transformers itself."""
        weight, bias = (p.detach().float().cpu().numpy() for p in self.model.head.parameters())
        modules = poolings(self.model.config, self.model.pooling, "last", weight.shape[1])
        write(self.model.encoder, modules, Linear(weight, bias).layers, folder, processor)


def poolings(config: Any, pooling: str, layer: str, dim: int) -> list[Any]:
    """Build what makes one vector of hidden states: over layers, then over tokens.

    Args:
        dim: the size of the vector that the head reads.
    """
    from sentence_transformers.sentence_transformer.modules import Pooling, WeightedLayerPooling

    modes = {"last": ["lasttoken"], "mean_max": ["mean", "max"]}.get(pooling, [pooling])
    # modes stand side by side: of two, a head reads vectors twice as wide
    dim //= len(modes)
    over_tokens = Pooling(dim, pooling_mode=modes)
    if layer == "last":
        return [over_tokens]
    # equal weights are its default: a mean over the blocks, without the embeddings
    return [WeightedLayerPooling(dim, config.num_hidden_layers, layer_start=1), over_tokens]


def write(
    encoder: Any,
    pooling_modules: list[Any],
    layers: "Sequence[Layer]",
    folder: Path,
    processor: Any,
) -> None:
    """Save an encoder, and the modules that follow it."""
    import tempfile

    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

    # its Transformer module loads an encoder from a folder
    with tempfile.TemporaryDirectory() as saved:
        encoder.save_pretrained(saved)
        processor.save_pretrained(saved)
        transformer = Transformer(saved, max_seq_length=processor.model_max_length)
        transformer.save_in_root = False
        modules = [transformer, *pooling_modules, *chain.from_iterable(map(_modules, layers))]
        # a card would have an example, which it computes
        model = SentenceTransformer(modules=modules, device="cpu")
        model.save_pretrained(str(folder), create_model_card=False)


@contextmanager
def _implicit_dimension() -> Iterator[None]:
    """Silence torch about a softmax without a dimension.

    sentence-transformers saves an activation without its arguments; of two dimensions, torch's
    softmax takes the last, which is the right one.
    """
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Implicit dimension choice for softmax")
        yield


def _modules(layer: "Layer") -> Iterator[Any]:
    """Build the sentence-transformers modules that compute a layer."""
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    if layer.linear.is_identity and layer.activation == "normalize":
        yield Normalize()
        return
    kinds = {"relu": torch.nn.ReLU, "softmax": torch.nn.Softmax}
    activation = kinds.get(layer.activation, torch.nn.Identity)()
    outputs, inputs = layer.linear.weight.shape
    dense = Dense(inputs, outputs, activation_function=activation)
    with torch.no_grad():
        dense.linear.weight.copy_(torch.from_numpy(layer.linear.weight))
        dense.linear.bias.copy_(torch.from_numpy(layer.linear.bias))
    yield dense
    if layer.activation == "normalize":
        yield Normalize()


def reload(folder: Path) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load a saved folder; returns a function from raw rows to (rows, num_labels) logits.

    Raises:
        ModelError: its tokenizer has no vocabulary.
    """
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder))
    check_words(model.tokenizer, str(folder))

    def predict(rows: "Dataset") -> "ModelOutputs":
        texts = list(rows["text"])
        if "text_pair" in rows.column_names:
            texts = [list(pair) for pair in zip(texts, rows["text_pair"], strict=True)]
        with _implicit_dimension():
            return {"logits": model.encode(texts, show_progress_bar=False)}

    return predict
