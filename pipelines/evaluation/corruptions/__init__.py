"""Inputs made worse on purpose, in five degrees, without a change of their labels.

texts.py      typos, case, words and ends that are missing, white space
pictures.py   noise, blur, light, resolution and compression, as in ImageNet-C (arXiv 1903.12261)
sounds.py     noise, speed, bands of frequencies

What is drawn depends on a seed and on the content alone: neither the order of the rows nor the
number of processes changes it. The draws of a row are the same at every severity, so that a higher
one adds to what a lower one did.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

SEVERITIES = (1, 2, 3, 4, 5)
MODULES = {"text": "texts", "image": "pictures", "audio": "sounds"}

# (content, severity, draws) -> content of the same form
Corrupt = Callable[[Any, int, np.random.Generator], Any]


class Corruptions(ABC):
    """What can be done to examples of one modality; `kinds` has a function for each name."""

    kinds: ClassVar[Mapping[str, Corrupt]]

    @abstractmethod
    def read(self, dataset: "Dataset", rows: Sequence[int], processor: Any) -> list[Any]:
        """Read the contents of raw rows, in a form that `kinds` take.

        Args:
            processor: the model's tokenizer, image processor or feature extractor.
        """

    @abstractmethod
    def write(self, dataset: "Dataset", contents: Sequence[Any]) -> "Dataset":
        """Return the same raw rows with other contents."""

    @abstractmethod
    def digest(self, content: Any) -> int:
        """Reduce a content to a number, to draw by."""

    def corrupt(self, contents: Sequence[Any], kind: str, severity: int, seed: int) -> list[Any]:
        """Change every content; shapes stay, except for the lengths of texts and sounds."""

        def change(content: Any) -> Any:
            draws = np.random.default_rng([seed, self.digest(content)])
            return self.kinds[kind](content, severity, draws)

        with ThreadPoolExecutor() as pool:  # numpy, torch and codecs leave Python to others
            return list(pool.map(change, contents))


def of_modality(modality: str) -> Corruptions:
    """Return the corruptions of "text", "image" or "audio"."""
    module = import_module(f"{__name__}.{MODULES[modality]}")
    corruptions: Corruptions = getattr(module, f"{modality.capitalize()}Corruptions")()
    return corruptions
