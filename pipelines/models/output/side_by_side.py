"""Several encoders and one head on their features side by side, saved as a folder of models.

A linear head on features side by side is a sum: each encoder with the columns of the head that are
for it gives a part of the logits, and is a model that a library has.

1-transformers/             the first encoder and its part of the head: a standard checkpoint
2-sentence-transformers/    another one, in the form that can hold its pooling; and so on
side_by_side.json           their names, the classes in the order of the logits, and the bias

There is no config.json: `pipeline()` and `from_pretrained` refuse the folder.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    from pipelines.models.forward import Collate, Collect
    from pipelines.models.output import Library, Output
    from pipelines.tasks import ModelOutputs

FILE = "side_by_side.json"


@dataclass(frozen=True)
class Part:
    """An encoder with its part of the head.

    Attributes:
        processor: what encodes examples for it.
        collate: joins rows that are encoded so.
    """

    output: "Output"
    processor: Any
    collate: "Collate"


@dataclass(frozen=True)
class SideBySideModel:
    """Encoders whose parts of the logits are added.

    Attributes:
        bias: (num_labels,) of the whole head; its parts have none.
        names: the classes in the order of the logits.
    """

    library: ClassVar["Library"] = "side-by-side"
    parts: tuple[Part, ...]
    bias: np.ndarray
    names: tuple[str, ...]

    @cached_property
    def model(self) -> Any:
        """All encoders in one module, with the config of the first."""
        from torch.nn import ModuleList

        modules: Any = ModuleList([part.output.model for part in self.parts])
        modules.config = modules[0].config
        return modules

    @property
    def libraries(self) -> "tuple[Library, ...]":
        """What loads each of the encoders."""
        return tuple(part.output.library for part in self.parts)

    def run(self, rows: Any, collate: Any, collect: "Collect", **options: Any) -> "ModelOutputs":
        """Add the parts of the logits: (rows, num_labels).

        Args:
            rows: with the rows that each encoder reads as `parts`.
        """
        logits = [
            part.output.run(encoded, part.collate, collect, **options)["logits"]
            for part, encoded in zip(self.parts, rows.parts, strict=True)
        ]
        return {"logits": total(logits, self.bias)}

    def with_temperature(self, temperature: float, batch: Any) -> "SideBySideModel":
        """Divide all parts of the logits, and the bias."""
        parts = []
        for part in self.parts:
            output = part.output.with_temperature(temperature, batch)
            assert output  # of a solved head
            parts.append(replace(part, output=output))
        return replace(self, parts=tuple(parts), bias=self.bias / temperature)

    def features(self, rows: Any, collate: Any, **options: Any) -> np.ndarray:
        """Compute the features that the head reads, side by side: (rows, sum of dims)."""
        pairs = zip(self.parts, rows.parts, strict=True)
        blocks = [part.output.features(each, part.collate, **options) for part, each in pairs]
        return np.concatenate([np.asarray(block) for block in blocks], axis=1)

    def save(self, folder: Path, processor: Any) -> None:
        """Write each encoder with its part of the head, then what adds the parts."""
        names = [f"{number}-{library}" for number, library in enumerate(self.libraries, 1)]
        for name, part in zip(names, self.parts, strict=True):
            part.output.save(folder / name, part.processor)
        values = {"models": names, "labels": self.names, "bias": self.bias.tolist()}
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, indent=2)
        (folder / FILE).write_text(text, encoding="utf-8")


def total(logits: "list[Any]", bias: np.ndarray) -> np.ndarray:
    """Add (rows, num_labels) parts of logits and the bias, float32."""
    return (sum(np.asarray(part, np.float64) for part in logits) + bias).astype(np.float32)


def read(folder: Path) -> tuple[list[Path], np.ndarray]:
    """Read which models a saved folder holds, and the bias: (their folders, (num_labels,)).

    Raises:
        ModelError: the file that says so is damaged, or names what is not in the folder.
    """
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        names, bias = [*_names(folder, values["models"])], np.asarray(values["bias"], np.float64)
        whole = bool(names) and bias.shape == (len(values["labels"]),)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / FILE}: damaged: {type(error).__name__}: {error}") from None
    if not whole:
        raise ModelError(f"{folder / FILE}: damaged: expected models, and a bias for each label")
    return names, bias


def _names(folder: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        # nothing is loaded from elsewhere
        if Path(name).name != name or not (folder / name).is_dir():
            raise ValueError(f"no model {name!r} in the folder")
        yield folder / name
