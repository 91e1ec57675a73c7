"""Classes as the text tower of CLIP or SigLIP reads their names: zero-shot classification.

An image gets the class whose text is nearest in angle (arXiv 2103.00020, 3.1; several templates
are averaged, 3.1.4). As a linear head the texts are a start for training (arXiv 2109.01903).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.core.hub_client import first_line
from pipelines.core.labels import SINGLE
from pipelines.models.output.head_layers import Linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.core.labels import Labels
    from pipelines.models.section import Model

TEMPLATES = ("a photo of a {}.",)
PLACE = "{}"
TEXTS_PER_BATCH = 64


@dataclass(frozen=True, eq=False)
class TextHead:
    """Texts of the classes, to be compared with vectors of images.

    Attributes:
        texts: (num_labels, dim) of length 1.
        projection: (dim, width) from what the image tower gives to what is compared; or None.
        scale, bias: what becomes of a cosine: a logit.
        templates: that the texts were made with.
    """

    texts: "NDArray"
    projection: "NDArray | None"
    scale: float
    bias: float
    templates: tuple[str, ...]

    def logits(self, features: "NDArray") -> "NDArray":
        """Compute (rows, num_labels) zero-shot logits of (rows, width) features."""
        projected = self._project(features)
        cosines = projected @ self.texts.T / self._lengths(projected)
        return self.scale * cosines + self.bias

    def linear(self, features: "NDArray") -> Linear:
        """Return a linear layer that gives the same classes.

        It cannot divide by the length of each vector, and takes the mean over `features`: the
        logits of an image are larger or smaller as a whole, and in the same order.
        """
        scale = self.scale / self._lengths(self._project(features)).mean()
        weight = self.texts if self.projection is None else self.texts @ self.projection
        return Linear(scale * weight, np.full(len(self.texts), self.bias))

    def _project(self, features: "NDArray") -> "NDArray":
        return features if self.projection is None else features @ self.projection.T

    def _lengths(self, vectors: "NDArray") -> "NDArray":
        return np.linalg.norm(vectors, axis=1, keepdims=True)


def read_classes(
    pair: Any, missing: list[str], section: "Model", labels: "Labels", options: dict[str, Any]
) -> tuple[TextHead | None, str]:
    """Read the names of the classes by the text tower of a loaded pair.

    Args:
        missing: names of the parameters that the checkpoint did not hold.
        options: of `from_pretrained`.

    Returns:
        The head and "", or None and why there is none.
    """
    from transformers import AutoTokenizer

    if section.templates == ():
        return None, "model.templates is empty"
    if labels.problem_type != SINGLE:
        return None, "class names are compared where an image has one of several classes"
    if missing:
        return None, f"the checkpoint lacks {missing[0]}"
    try:
        tokenizer = AutoTokenizer.from_pretrained(section.checkpoint, **options)
    except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
        return None, f"the checkpoint has no tokenizer ({first_line(error)})"
    num_rows = pair.config.text_config.vocab_size
    if len(tokenizer) > num_rows:
        return None, f"the tokenizer knows {len(tokenizer):,} words, the text tower {num_rows:,}"
    names = [" ".join(name.replace("_", " ").split()) for name in labels.names]
    if unknown := _unknown(tokenizer, names):
        return None, f"the tokenizer knows no part of {unknown!r}; are its files in the checkpoint?"
    return _head(pair, tokenizer, names, section.templates or TEMPLATES), ""


def _head(pair: Any, tokenizer: Any, names: list[str], templates: tuple[str, ...]) -> TextHead:
    """Read each name in each template, and average the vectors of a name."""
    read = []
    for template in templates:
        texts = [template.replace(PLACE, name) for name in names]
        read.append(_read(pair, tokenizer, texts))
    mean = np.mean(read, axis=0)
    projection, bias = getattr(pair, "visual_projection", None), getattr(pair, "logit_bias", None)
    return TextHead(
        texts=mean / np.linalg.norm(mean, axis=1, keepdims=True),
        projection=None if projection is None else projection.weight.detach().numpy(),
        scale=float(pair.logit_scale.detach().exp()),
        bias=0.0 if bias is None else float(bias.detach()),
        templates=templates,
    )


def _unknown(tokenizer: Any, names: list[str]) -> str | None:
    """Return a name of which a tokenizer knows nothing: without its files it has no words."""
    special, num_words = set(tokenizer.all_special_ids), len(tokenizer)
    for name in names:
        ids = tokenizer(name, add_special_tokens=False)["input_ids"]
        if not any(i < num_words and i not in special for i in ids):
            return name
    return None


def _read(pair: Any, tokenizer: Any, texts: list[str]) -> "NDArray":
    """Compute (texts, dim) vectors of length 1."""
    import torch

    is_clip = pair.config.model_type == "clip"
    vectors = []
    for start in range(0, len(texts), TEXTS_PER_BATCH):
        encoded = tokenizer(
            texts[start : start + TEXTS_PER_BATCH],
            # SigLIP was trained on texts of one length, whose padding it reads
            padding=True if is_clip else "max_length",
            truncation=True,
            max_length=pair.config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        names = ("input_ids", "attention_mask") if is_clip else ("input_ids",)
        with torch.inference_mode():
            output = pair.get_text_features(**{name: encoded[name] for name in names})
        vectors.append(torch.nn.functional.normalize(output.pooler_output, dim=-1))
    return torch.cat(vectors).numpy()
