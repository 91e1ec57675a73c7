"""Texts that were split into words already -> sub-words, and the sub-word that bears each label."""

from functools import partial
from typing import Any

from pipelines.core.labels import IGNORED


def reads_words_as_text(tokenizer: Any) -> bool:
    """Tell whether words that were split get the token ids that they get within a text."""
    split = tokenizer(["a", "a"], is_split_into_words=True)
    return split["input_ids"] == tokenizer("a a")["input_ids"]


def prepend_space(backend: Any) -> None:
    """Make a tokenizer of `tokenizers` begin each word, and each text, with a space."""
    from tokenizers.normalizers import Prepend, Sequence

    before = [backend.normalizer] if backend.normalizer else []
    backend.normalizer = Sequence([*before, Prepend(" ")])


def encode_words(texts: list[list[str]], processor: Any) -> Any:
    """Encode each text in one window or more, with at least one token for every word.

    Returns the tokenizer's encoding, with `overflow_to_sample_mapping`: the text of each window.
    """
    encode = partial(
        processor,
        is_split_into_words=True,
        truncation=True,
        return_overflowing_tokens=True,
        return_attention_mask=False,
    )
    windows = encode(texts)
    encoded: list[set[int | None]] = [set() for _ in texts]  # the words of each that have a token
    for row, source in enumerate(windows["overflow_to_sample_mapping"]):
        encoded[source].update(windows.word_ids(row))
    # a tokenizer may drop a word, such as a control character: it is then read as unknown
    unknown = processor.unk_token or processor.pad_token
    readable = []
    for words, known in zip(texts, encoded, strict=True):
        readable.append([word if i in known else unknown for i, word in enumerate(words)])
    return windows if readable == texts else encode(readable)


def label_first_subwords(windows: Any, tags: list[list[int]]) -> list[list[int]]:
    """Return labels for each window: a word's tag at its first sub-word, -100 elsewhere.

    A word that goes on in the next window has its label in the first of them only.
    """
    rows: list[list[int]] = []
    last = dict.fromkeys(range(len(tags)), -1)  # example -> its last word that has begun
    for row, source in enumerate(windows["overflow_to_sample_mapping"]):
        rows.append([])
        for word in windows.word_ids(row):
            begins = word is not None and word > last[source]
            rows[-1].append(tags[source][word] if begins else IGNORED)
            last[source] = word if begins else last[source]
    return rows
