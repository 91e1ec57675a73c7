"""What people type instead of a key or a value of a recipe -> what is meant.

A spelling that is near is found by `errors.suggest`; this file is for words of other tools, and for
keys that stand in another section.
"""

import os
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from pipelines.core import registry
from pipelines.core.errors import suggest
from pipelines.recipe.foreign_words import (
    ELSEWHERE,
    IN_SECTION,
    KIND_WORDS,
    OF_OTHER_SECTIONS,
    TRAINING,
    WITHOUT_KEY,
)


def of_top_level_key(word: str, sections: dict[str, type[BaseModel]]) -> str | None:
    """Say what is meant by a key that is no section; None where nobody knows.

    Args:
        sections: the sections of this recipe, and the class that checks each.
    """
    if word in WITHOUT_KEY:
        return WITHOUT_KEY[word]
    section, dot, key = word.partition(".")
    if dot and section in (*sections, "strategy"):
        return f"dots are for the command line: write '{key}' below '{section}:'"
    keys = [ELSEWHERE[word]] if word in ELSEWHERE else [*_keys(word, sections)]
    if keys:
        return f"did you mean {' or '.join(map(repr, keys))}?"
    others = _kinds_with("strategy", word)
    return f"'{word}' is a key of strategy={', '.join(others)}" if others else None


def of_key(section: str, word: str, known: set[str]) -> str:
    """Say what is meant by a key that the section does not have, and which it has."""
    elsewhere = OF_OTHER_SECTIONS.get(word)
    if elsewhere and not elsewhere.startswith(f"{section}."):
        return f"did you mean '{elsewhere}'?"
    meant = IN_SECTION.get(section, {}).get(word)
    if section == "training":
        if word in WITHOUT_KEY and word not in known:
            return WITHOUT_KEY[word]
        meant = meant or TRAINING.get(word) or ELSEWHERE.get(word)
    if meant and ("." in meant or meant.partition("=")[0] in known):
        return f"did you mean '{meant}'?"
    others = _kinds_with(section, word)
    hint = f"; '{word}' is a key of {section}={', '.join(others)}" if others else ""
    return suggest(word, known) + hint


def of_missing_kind(section: str, key: str, values: object, known: Sequence[str]) -> str:
    """Say what a section lacks that does not name its kind; the place is the caller's to name.

    Args:
        key: the key that names the kind.
        values: the section, or the single word that stands in its place.
    """
    if section != "data" or not isinstance(values, str):
        return f"missing key '{section}.{key}'; known: {', '.join(known)}"
    kind = "hub" if "/" in values and not os.path.exists(values) else "files"
    example = f"data: {{source: {kind}, path: {values}}}"
    return f"data: {values!r}: should be keys and values, such as '{example}'"


def of_kind(section: str, word: str) -> str | None:
    """Say which kind is meant by a word of another tool; None where nobody knows."""
    kind, words = KIND_WORDS.get(section, ("", {}))
    meant = words.get(word.lower().replace("-", "_"))
    return f"unknown {kind} '{word}'; did you mean {meant}?" if meant else None


def _keys(word: str, sections: dict[str, type[BaseModel]]) -> Iterator[str]:
    """Yield the dotted keys of all sections that have such a key."""
    for section, kind in sections.items():
        name = TRAINING.get(word, word) if section == "training" else word
        if name in kind.model_fields:
            yield f"{section}.{name}"


def _kinds_with(section: str, word: str) -> list[str]:
    """List the strategies that have a key."""
    if section != "strategy":
        return []
    kinds = registry.find_all("strategies")
    return [name for name, kind in kinds.items() if word in kind.model_fields]
