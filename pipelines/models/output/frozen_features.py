"""What outputs with a solved head need of the features that the head reads."""

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pipelines.models.output.head_layers import Linear, SolvedHead


class FrozenFeatures(Protocol):
    """Features of a frozen encoder; `features.extractor.Extractor` is what computes them."""

    @property
    def chosen(self) -> str:
        """The pooling that the head was solved on: `head`, or one of `features.pooling`."""

    @property
    def layer(self) -> str:
        """The hidden states that are pooled: "last", or the "mean" of all blocks'."""

    def logits(self, head: "SolvedHead", rows: Any, collate: Any, **options: Any) -> Any:
        """Apply the head to the features of encoded rows: (rows, num_labels)."""

    def extract(self, rows: Any, collate: Any, **options: Any) -> tuple[dict[str, Any], Any]:
        """Compute ({pooling: (rows, dim)}, labels) of encoded rows."""

    def graft(self, head: "Linear") -> None:
        """Write the head into the model's output layer."""
