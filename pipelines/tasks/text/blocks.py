"""Texts -> blocks of tokens, with the special tokens that belong around and between them."""

from collections.abc import Iterable, Iterator
from typing import Any

Ids = list[int]


def end_token(processor: Any) -> int | None:
    """Return the id to put after a text: the separator where there is no end token (BERT)."""
    return processor.sep_token_id if processor.eos_token_id is None else processor.eos_token_id


def special_tokens(processor: Any) -> tuple[Ids, Ids]:
    """Return the special tokens that the tokenizer puts before and after a text."""
    bare = processor("a", add_special_tokens=False)["input_ids"]
    whole = processor("a", add_special_tokens=True)["input_ids"]
    start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def chunks(documents: Iterable[Ids], size: int) -> Iterator[Ids]:
    """Cut each document into chunks of `size` tokens; the last one may be shorter."""
    for ids in documents:
        for start in range(0, len(ids), size):
            yield ids[start : start + size]
