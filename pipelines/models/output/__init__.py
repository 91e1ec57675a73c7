"""What comes out: a standard checkpoint, in one of five forms, that loads without our code.

plain.py         an ordinary `AutoModelFor…`
sentence.py      a sentence-transformers folder, for a head that the plain class cannot express
sentence_pair.py an encoder of single texts, and a head on the vectors of two
adapter.py       a peft folder: what was learned, without the checkpoint it was learned on
side_by_side.py  a folder of several models, whose logits are added
reload.py        a saved folder -> predictions, by its library alone
head_layers.py   the solved heads that plain.py and sentence.py hold
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from pipelines.models.forward import Collect
    from pipelines.tasks import ModelOutputs

Library = Literal["transformers", "sentence-transformers", "peft", "side-by-side", "sentence-pairs"]


class Output(Protocol):
    """A trained model of any form."""

    library: ClassVar[Library]

    @property
    def model(self) -> Any:
        """The module that holds the weights."""

    def run(self, rows: Any, collate: Any, collect: "Collect", **options: Any) -> "ModelOutputs":
        """Collect the outputs of a pass over encoded rows.

        `options` are those of `forward.iter_batches`.
        """

    def with_temperature(self, temperature: float, batch: Any) -> "Output | None":
        """Divide the logits by `temperature`, in the model's own weights (arXiv 1706.04599).

        Returns:
            None where no weights can do that, which is tried on `batch`, a batch without labels.
        """

    def features(self, rows: Any, collate: Any, **options: Any) -> "np.ndarray | None":
        """Compute what the output layer reads, in a pass over encoded rows: (rows, dim).

        Returns:
            None where no single layer gives the logits.
        """

    def save(self, folder: Path, processor: Any) -> None:
        """Write a folder that the library's `from_pretrained` or constructor loads."""
