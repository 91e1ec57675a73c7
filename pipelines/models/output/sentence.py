"""A sentence-transformers folder: encoder, pooling, dense layers.

It holds a head that the plain class cannot express, such as a linear one on mean-pooled BERT
features, or one of several layers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

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

    def with_temperature(self, temperature: float, batch: Any) -> "Output":
        """Divide the head's logits: nothing else gives any."""
        return replace(self, head=self.head.with_temperature(temperature))

    def save(self, folder: Path, processor: Any) -> None:
        """Write encoder, pooling and dense layers with sentence-transformers itself."""
        import tempfile

        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Transformer

        layers: list[Any] = []
        for layer in self.head.layers:
            layers += _modules(layer)
        # its Transformer module loads an encoder from a folder
        with tempfile.TemporaryDirectory() as encoder:
            # the encoder alone: the head is in the dense layers that follow
            self.model.base_model.save_pretrained(encoder)
            processor.save_pretrained(encoder)
            transformer = Transformer(encoder, max_seq_length=processor.model_max_length)
            modules = [transformer, *self._poolings(), *layers]
            with _implicit_dimension():  # saving writes a card with an example, which it computes
                SentenceTransformer(modules=modules, device="cpu").save(str(folder))

    def _poolings(self) -> list[Any]:
        """Build what makes one vector of hidden states: over layers, then over tokens."""
        from sentence_transformers.sentence_transformer.modules import Pooling, WeightedLayerPooling

        pooling = self.extractor.chosen
        modes = {"last": ["lasttoken"], "mean_max": ["mean", "max"]}.get(pooling, [pooling])
        # modes stand side by side: of two, a head reads vectors twice as wide
        dim = self.head.layers[0].linear.weight.shape[1] // len(modes)
        over_tokens = Pooling(dim, pooling_mode=modes)
        if self.extractor.layer == "last":
            return [over_tokens]
        # equal weights are its default: a mean over the blocks, without the embeddings
        num_layers = self.model.config.num_hidden_layers
        return [WeightedLayerPooling(dim, num_layers, layer_start=1), over_tokens]


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
    """Load a saved folder; returns a function from raw rows to (rows, num_labels) logits."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder))

    def predict(rows: "Dataset") -> "ModelOutputs":
        texts = list(rows["text"])
        if "text_pair" in rows.column_names:
            texts = [list(pair) for pair in zip(texts, rows["text_pair"], strict=True)]
        with _implicit_dimension():
            return {"logits": model.encode(texts, show_progress_bar=False)}

    return predict
