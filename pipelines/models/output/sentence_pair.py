"""A sentence-transformers folder for pairs: each text has a vector of its own, a head reads both.

0_Transformer/ 1_Pooling/   the encoder of one text: `SentenceTransformer` loads it
pair_head.safetensors       weight (num_labels, 4 dim + 1), bias (num_labels,) on `pair_features`

An encoder that was trained to compare texts by their vectors (arXiv 1908.10084) has seen no two of
them in one sequence. There is no config.json beside modules.json: `pipeline()` and
`from_pretrained` refuse the folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.core.errors import ModelError
from pipelines.models.output import sentence
from pipelines.models.output.head_layers import Linear

if TYPE_CHECKING:
    from datasets import Dataset

    from pipelines.models.output import Library
    from pipelines.tasks import ModelOutputs

FILE = "pair_head.safetensors"


def pair_features(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compare the vectors of two texts: (rows, dim) twice -> (rows, 4 dim + 1).

    Both, their distance and product by coordinate (InferSent, arXiv 1705.02364), and their cosine.
    """
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    # no less than torch divides by in the printed lines
    cosine = (first * second).sum(axis=1) / lengths.clip(1e-8)
    blocks = [first, second, np.abs(first - second), first * second, cosine[:, None]]
    return np.concatenate(blocks, axis=1)


@dataclass(frozen=True)
class SentencePairModel(sentence.SentenceModel):
    """An encoder of single texts, a pooling, and a linear head on `pair_features` of two.

    Attributes:
        pooling: of the vectors of texts.
    """

    library: ClassVar["Library"] = "sentence-pairs"
    pooling: str

    def save(self, folder: Path, processor: Any) -> None:
        """Write the encoder with sentence-transformers itself, and the head beside it."""
        from safetensors.numpy import save_file

        linear = self.head.layers[0].linear
        dim = (linear.weight.shape[1] - 1) // 4
        poolings = sentence.poolings(self.model.config, self.pooling, self.extractor.layer, dim)
        sentence.write(self.model.base_model, poolings, (), folder, processor)
        tensors = {"weight": linear.weight, "bias": linear.bias}
        arrays = {name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}
        save_file(arrays, folder / FILE)


def reload(folder: Path) -> Callable[["Dataset"], "ModelOutputs"]:
    """Load a saved folder; returns a function from raw pairs to (rows, num_labels) logits.

    Raises:
        ModelError: its tokenizer has no vocabulary, or the head is damaged.
    """
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder))
    sentence.check_words(model.tokenizer, str(folder))
    tensors = load_file(folder / FILE)
    expected = 4 * int(model.get_embedding_dimension() or 0) + 1
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes.keys() != {"weight", "bias"} or shapes["weight"][1:] != (expected,):
        raise ModelError(
            f"{folder / FILE}: damaged: expected a weight (num_labels, {expected}) and a bias, "
            f"but it holds {shapes}"
        )
    head = Linear(tensors["weight"], tensors["bias"])

    def predict(rows: "Dataset") -> "ModelOutputs":
        first, second = (
            model.encode(list(rows[name]), show_progress_bar=False)
            for name in ("text", "text_pair")
        )
        return {"logits": head(pair_features(first, second))}

    return predict
