"""Sums over texts from which scores of corpora follow: entities, words, edits, tokens."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.core import tag_schemes
from pipelines.evaluation.intervals.class_sums import sparse_counts


def entities(
    predictions: Iterable[Sequence[str]], references: Iterable[Sequence[str]], names: Sequence[str]
) -> tuple[Any, tuple[str, ...]]:
    """Count the entities of each kind in each text, as seqeval finds them.

    Args:
        names: all the tags there are.

    Returns:
        (sparse counts as of `class_sums.count`, a text being right whose entities all are; kinds).
    """
    tagging = tag_schemes.read(names)
    numbers = {kind.casefold(): i for i, kind in enumerate(tagging.kinds)}
    cells: list[list[tuple[int, int]]] = [[], [], []]
    right = []
    for row, pair in enumerate(zip(predictions, references, strict=True)):
        predicted, actual = (set(_entities(tagging.in_iobes(tags))) for tags in pair)
        right.append(predicted == actual)
        for place, of_text in enumerate((predicted & actual, predicted, actual)):
            cells[place] += [(row, numbers[kind]) for kind, *_ in of_text]
    pairs = [np.array(each, int).reshape(-1, 2).T for each in cells]
    counts = sparse_counts([(rows, ids) for rows, ids in pairs], np.array(right), len(numbers))
    return counts, tagging.kinds


def _entities(tags: list[str]) -> list[tuple[str, int, int]]:
    from seqeval.metrics.sequence_labeling import get_entities

    entities: list[tuple[str, int, int]] = get_entities(tags)
    return entities


def words(predictions: Iterable[Any], references: Iterable[Any]) -> np.ndarray:
    """Count right words and words of each text: (texts, 2)."""
    rows = []
    for predicted, actual in zip(predictions, references, strict=True):
        right = sum(mine == theirs for mine, theirs in zip(predicted, actual, strict=True))
        rows.append((right, len(actual)))
    return np.array(rows, float).reshape(-1, 2)


def edits(aligned: Any) -> np.ndarray:
    """Count the edits and the length of each text, from jiwer's alignment: (texts, 2)."""
    rows = []
    for reference, chunks in zip(aligned.references, aligned.alignments, strict=True):
        wrong = [chunk for chunk in chunks if chunk.type != "equal"]
        # of a substitution both are equal; of an insertion one is 0, of a deletion the other
        sizes = (
            max(each.ref_end_idx - each.ref_start_idx, each.hyp_end_idx - each.hyp_start_idx)
            for each in wrong
        )
        rows.append((sum(sizes), len(reference)))
    return np.array(rows, float).reshape(-1, 2)


def tokens(nats: Any, references: Sequence[Any]) -> np.ndarray:
    """Return the nats of each block, and its number of tokens: (blocks, 2)."""
    lengths = np.array([len(ids) for ids in references], float)
    return np.stack([np.asarray(nats, float) * lengths, lengths], axis=1)
