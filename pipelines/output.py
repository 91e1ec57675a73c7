"""What comes out: a standard checkpoint, in one of three forms, that loads without our code.

A `PlainModel` is an ordinary `AutoModelFor…`. A `SentenceModel` is a sentence-transformers
folder (encoder, pooling, dense): it holds a head that the plain class cannot express, such as a
linear one on mean-pooled BERT features, or one of several layers. An `AdapterModel` is a peft
folder: what was learned, without the checkpoint that it was learned on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pipelines import adapter_folder, forward

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.features import Extractor
    from pipelines.forward import Read
    from pipelines.heads import Layer, Linear, Solved
    from pipelines.labels import Labels
    from pipelines.quantization import Bits
    from pipelines.tasks import Kept, Task


Library = Literal["transformers", "sentence-transformers", "peft"]


class Output(Protocol):
    """A trained model of any form."""

    library: ClassVar[Library]

    @property
    def model(self) -> Any:
        """The module that holds the weights."""

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "Kept":
        """What `read` keeps of a pass over encoded rows."""

    def divided(self, temperature: float, batch: Any) -> "Output | None":
        """The same, with logits that are divided by `temperature` in its own weights; None where
        no weights can do that, which is tried on `batch`."""

    def save(self, folder: Path, processor: Any) -> None:
        """Write a folder that the library's `from_pretrained` or constructor loads."""


@dataclass(frozen=True)
class PlainModel:
    """The auto class's own model."""

    library: ClassVar[Library] = "transformers"
    model: Any

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "Kept":
        """What `read` keeps of a pass over encoded rows."""
        return forward.run(self.model, rows, collate, read, **options)

    def divided(self, temperature: float, batch: Any) -> "Output | None":
        """The output layer's weights change in place."""
        import torch

        from pipelines.anatomy.last_word import has_last_word

        name = self._output_layer
        if name is None or not has_last_word(self.model, name, batch):
            return None
        with torch.no_grad():
            for parameter in self.model.get_submodule(name).parameters():
                parameter /= temperature
        return self

    @property
    def _output_layer(self) -> str | None:
        from pipelines.anatomy import dissect

        return dissect(self.model).output

    def save(self, folder: Path, processor: Any) -> None:
        """Weights as safetensors, config, and the processor."""
        self.model.save_pretrained(folder)
        processor.save_pretrained(folder)


@dataclass(frozen=True)
class ProbedModel(PlainModel):
    """A model whose output layer was solved for: what it says follows from features on disk."""

    extractor: "Extractor"
    head: "Linear"

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "Kept":
        """Logits of the head on what the output layer reads."""
        return {"logits": self.extractor.logits(self.head, rows, collate, **options)}

    def divided(self, temperature: float, batch: Any) -> "Output":
        """The head, and the layer that it was written into."""
        head = self.head.divided(temperature)
        self.extractor.graft(head)
        return replace(self, head=head)


@dataclass(frozen=True)
class SentenceModel:
    """An encoder, a pooling and a head: `encode(texts)` gives the logits."""

    library: ClassVar[Library] = "sentence-transformers"
    model: Any
    extractor: "Extractor"
    head: "Solved"

    def run(self, rows: Any, collate: Any, read: "Read", **options: Any) -> "Kept":
        """(rows, num_labels) logits of the head on pooled features."""
        return {"logits": self.extractor.logits(self.head, rows, collate, **options)}

    def divided(self, temperature: float, batch: Any) -> "Output":
        """The head is all that gives logits."""
        return replace(self, head=self.head.divided(temperature))

    def save(self, folder: Path, processor: Any) -> None:
        """Write encoder, pooling and dense layers with sentence-transformers itself."""
        import tempfile

        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Transformer

        layers = [module for layer in self.head.layers for module in _modules(layer)]
        with tempfile.TemporaryDirectory() as encoder:
            self.model.base_model.save_pretrained(encoder)
            processor.save_pretrained(encoder)
            transformer = Transformer(encoder, max_seq_length=processor.model_max_length)
            modules = [transformer, *self._poolings(), *layers]
            with _implicit_dimension():  # its card has an example that it computes
                SentenceTransformer(modules=modules, device="cpu").save(str(folder))

    def _poolings(self) -> list[Any]:
        """What makes one vector of what the encoder gives: over layers, over tokens."""
        from sentence_transformers.sentence_transformer.modules import Pooling, WeightedLayerPooling

        pooling = self.extractor.chosen
        modes = {"last": ["lasttoken"], "mean_max": ["mean", "max"]}.get(pooling, [pooling])
        dim = self.head.layers[0].linear.weight.shape[1] // len(modes)
        over_tokens = Pooling(dim, pooling_mode=modes)
        if self.extractor.layer == "last":
            return [over_tokens]
        num_layers = self.model.config.num_hidden_layers
        return [WeightedLayerPooling(dim, num_layers, layer_start=1), over_tokens]


@contextmanager
def _implicit_dimension() -> Iterator[None]:
    """A saved activation has no arguments: of two dimensions, torch's softmax takes the last."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Implicit dimension choice for softmax")
        yield


def _modules(layer: "Layer") -> Iterator[Any]:
    """A layer in the words of sentence-transformers."""
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


@dataclass(frozen=True)
class AdapterModel(PlainModel):
    """A PeftModel: its folder holds adapters and head, and names the checkpoint.

    Attributes:
        revision: the commit of the checkpoint; None for a folder.
    """

    library: ClassVar[Library] = "peft"
    revision: str | None

    @property
    def prompts(self) -> bool:
        """Whether it is tokens before the input, and no layers in the checkpoint."""
        return self.model.active_peft_config.is_prompt_learning

    @property
    def _output_layer(self) -> str | None:
        """The trained copy of it: others are the checkpoint's, and not saved."""
        from pipelines.anatomy import dissect

        base = self.model.get_base_model()
        layer = base.get_submodule(dissect(base).output or "")
        names = (name for name, module in self.model.named_modules() if module is layer)
        return next((name for name in names if ".modules_to_save." in name), None)

    def save(self, folder: Path, processor: Any) -> None:
        """Adapters, head, config, and the processor."""
        adapter_folder.write(self.model, folder, self.revision)
        processor.save_pretrained(folder)


def reload(
    folder: Path,
    library: str,
    task: "Task",
    labels: "Labels",
    quantization: "Bits | None" = None,
    **options: Any,
) -> Callable[["Dataset"], "Kept"]:
    """Load a saved folder by its library alone; gives back raw rows -> what the task reads."""
    if library == "sentence-transformers":
        return _reload_sentences(folder)
    import torch
    import transformers

    auto = getattr(transformers, task.auto_class)
    if library == "peft":
        model = adapter_folder.read(folder, auto, quantization)
    else:
        model = auto.from_pretrained(folder, dtype=torch.float32)
    processor = task.load_processor(str(folder), labels)

    def predict(rows: "Dataset") -> "Kept":
        encoded = task.encode(rows, processor, labels)
        return forward.run(model, encoded, task.collator(processor), task.read, **options)

    return predict


def _reload_sentences(folder: Path) -> Callable[["Dataset"], "Kept"]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder))

    def predict(rows: "Dataset") -> "Kept":
        texts = list(rows["text"])
        if "text_pair" in rows.column_names:
            texts = [list(pair) for pair in zip(texts, rows["text_pair"], strict=True)]
        with _implicit_dimension():
            return {"logits": model.encode(texts, show_progress_bar=False)}

    return predict
