"""Features of pairs whose texts are encoded apart, beside those of both in one sequence.

Sentence encoders were trained to compare two vectors (arXiv 1908.10084), not to read two texts in
one sequence, of which their poolings know little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from pipelines.features.extractor import HEAD
from pipelines.features.pair_rows import PairRows, PairTemplate, TextRows
from pipelines.models.output.sentence_pair import pair_features

if TYPE_CHECKING:
    from pipelines.features.extractor import Extractor
    from pipelines.models.output.head_layers import Linear, SolvedHead

SIMILARITY, APART = "similarity", "apart"
Rows = dict[str, Any]


@dataclass(frozen=True)
class PairExtractor:
    """Reads features of pairs out of passes over both texts, together and apart.

    Features are named by what is compared and the pooling: `similarity:mean` is the cosine alone,
    which a few rows suffice for; `apart:mean` is all of `pair_features`.

    Attributes:
        together: of both texts in one sequence; None: they are not considered.
        apart: of single texts.
        template: how an encoded pair is cut.
        chosen: the features that a head was solved on.
    """

    together: "Extractor | None"
    apart: "Extractor"
    template: PairTemplate
    chosen: str = HEAD
    by_token: ClassVar[bool] = False
    layer: ClassVar[Literal["last"]] = "last"

    @property
    def model(self) -> Any:
        """The frozen model."""
        return self.apart.model

    @property
    def alone(self) -> "PairExtractor":
        """Without the features of both texts in one sequence."""
        return replace(self, together=None)

    @property
    def has_bias(self) -> bool:
        """Whether the model has a place for the bias of a head on its own features."""
        return self.together is None or self.together.has_bias

    @property
    def pooling(self) -> str:
        """The pooling of single texts that was chosen."""
        return self.chosen.partition(":")[2]

    def extract(self, rows: Any, collate: Any, **options: Any) -> tuple[Rows, Any]:
        """Compute all features and the labels of encoded pairs: ({name: (rows, dim)}, labels)."""
        features: Rows = {}
        if self.together:
            features, _ = self.together.extract(rows, collate, **options)
        vectors, labels = self.vectors(rows, collate, **options)
        return {**features, **self.compare(vectors)}, labels

    def vectors(self, rows: Any, collate: Any, **options: Any) -> tuple[list[Rows], Any]:
        """Compute ({pooling: (rows, dim)} of the first texts and of the second, labels)."""
        pairs, vectors, labels = PairRows(rows, self.template), [], None
        for side in (0, 1):
            of_side, labels = self.apart.extract(TextRows(pairs, side), collate, **options)
            vectors.append(of_side)
        return vectors, labels

    def compare(self, vectors: Sequence[Rows]) -> Rows:
        """Compute the features of pairs from the vectors of both texts: {name: (rows, dim)}."""
        features: Rows = {}
        for pooling in self.apart.poolings:
            both = pair_features(*(of_side[pooling] for of_side in vectors))
            features |= {f"{SIMILARITY}:{pooling}": both[:, -1:], f"{APART}:{pooling}": both}
        return features

    def logits(self, head: "SolvedHead", rows: Any, collate: Any, **options: Any) -> np.ndarray:
        """Apply a head to the chosen features: (rows, num_labels) float32."""
        features, _ = self.extract(rows, collate, **options)
        return head(features[f"{APART}:{self.pooling}"]).astype(np.float32)

    def graft(self, head: "Linear") -> None:
        """Refuse: no layer of the model reads what the head was solved on."""
        raise NotImplementedError

    def widened(self, head: "Linear") -> "Linear":
        """Return a head on the chosen features as one on all of `pair_features`."""
        if not self.chosen.startswith(SIMILARITY):
            return head
        num_labels, dim = len(head.bias), 4 * self.model.config.hidden_size + 1
        weight = np.zeros((num_labels, dim), head.weight.dtype)
        weight[:, -1:] = head.weight
        return replace(head, weight=weight)


def template_of(splits: Sequence[Any], tokenizer: Any) -> PairTemplate | str | None:
    """Find how the encoded rows of `splits` are cut into texts.

    Returns:
        The reason where they cannot be cut; None where they are no pairs.
    """
    template = PairTemplate.of(tokenizer)
    if template is None:
        return None
    if not all(PairRows(rows, template).are_pairs for rows in splits):
        return None
    if any(max(rows.lengths) >= tokenizer.model_max_length for rows in splits):
        return f"pairs were cut off at {tokenizer.model_max_length} tokens"
    return template
