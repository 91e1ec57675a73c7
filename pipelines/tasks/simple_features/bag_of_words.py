"""Which words are in a text: TF-IDF, whatever their order."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.tasks.simple_features import SimpleFeatures

if TYPE_CHECKING:
    from datasets import Dataset

MAX_CHARACTERS = 1_000  # of a text that are read
# Thai, kana and Chinese characters, which no spaces divide into words
UNDIVIDED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{UNDIVIDED}]|[^\W{UNDIVIDED}]+|[^\w\s]")


class BagOfWords(SimpleFeatures):
    """TF-IDF of words and marks; those of a second text are other features."""

    name: ClassVar[str] = "bag of words"
    max_train_rows: ClassVar[int] = 5_000
    max_scored_rows: ClassVar[int] = 30_000

    def read(self, dataset: "Dataset", rows: Any, chosen: Sequence[int]) -> list[tuple[str, ...]]:
        """Read the texts of each chosen example."""
        columns = [name for name in ("text", "text_pair") if name in dataset.column_names]
        texts = dataset.select(chosen)
        return list(zip(*(texts[name][:] for name in columns), strict=True))

    def transformer(self, max_features: int) -> Any:
        """Return scikit-learn's TfidfVectorizer."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer=_words, max_features=max_features)


def _words(texts: tuple[str, ...]) -> list[str]:
    words = []
    for number, text in enumerate(texts):
        words += [f"{number} {word}" for word in WORD.findall(text[:MAX_CHARACTERS].lower())]
    # scikit-learn refuses a vocabulary without words
    return words or [""]
