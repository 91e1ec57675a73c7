"""Words that were split already -> sub-words, and which of them answers for which word."""

from functools import partial
from typing import Any

from pipelines.core.labels import IGNORED


def reads_words(tokenizer: Any) -> bool:
    """Whether words that were split are the tokens that they would be in a text."""
    split = tokenizer(["a", "a"], is_split_into_words=True)
    return split["input_ids"] == tokenizer("a a")["input_ids"]


def prepend_space(backend: Any) -> None:
    """Let a tokenizer of `tokenizers` begin each word, and each text, with a space."""
    from tokenizers.normalizers import Prepend, Sequence

    before = [backend.normalizer] if backend.normalizer else []
    backend.normalizer = Sequence([*before, Prepend(" ")])


def in_windows(texts: list[list[str]], processor: Any) -> Any:
    """The tokens of each text, in one window or more, with at least one token for every word."""
    split = partial(
        processor,
        is_split_into_words=True,
        truncation=True,
        return_overflowing_tokens=True,
        return_attention_mask=False,
    )
    windows = split(texts)
    there: list[set[int | None]] = [set() for _ in texts]
    for row, source in enumerate(windows["overflow_to_sample_mapping"]):
        there[source].update(windows.word_ids(row))
    if all(len(found - {None}) == len(words) for found, words in zip(there, texts, strict=True)):
        return windows
    unknown = processor.unk_token or processor.pad_token
    return split(
        [
            [word if i in found else unknown for i, word in enumerate(words)]
            for words, found in zip(texts, there, strict=True)
        ]
    )


def where_words_begin(windows: Any, tags: list[list[int]]) -> list[list[int]]:
    """For each window the id of a word's tag at its first sub-word, -100 elsewhere."""
    rows: list[list[int]] = []
    last = dict.fromkeys(range(len(tags)), -1)  # example -> its last word that has begun
    for row, source in enumerate(windows["overflow_to_sample_mapping"]):
        rows.append([])
        for word in windows.word_ids(row):
            begins = word is not None and word > last[source]
            rows[-1].append(tags[source][word] if begins else IGNORED)
            last[source] = word if begins else last[source]
    return rows
