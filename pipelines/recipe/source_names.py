"""`data.sources`, a list of sources -> name -> source, since keys, scores and notes name each.

A name is that of the file, folder or data set, with the folder above it or the configuration where
several would be the same.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.core.errors import RecipeError
from pipelines.recipe.document import Document

SECTION = ("data", "sources")
SEVERAL = "several"  # the kind of source that has this key


def name_sources(document: Document) -> bool:
    """Name the sources of a list, and choose their kind; returns whether there was a list.

    Raises:
        RecipeError: two sources would have one name.
    """
    data = document.values.get("data")
    if not isinstance(data, dict) or "sources" not in data:
        return False
    data.setdefault("source", SEVERAL)
    sources = data["sources"]
    # what is no list of sections is refused when they are checked, with its place
    if not isinstance(sources, list) or not all(isinstance(each, dict) for each in sources):
        return False
    names = _names(sources)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise RecipeError(
            f"{document.place(SECTION)}: data.sources: several would be called '{twice[0]}'; give "
            "each a name: sources: {NAME: {source: …}, OTHER: {source: …}}"
        )
    data["sources"] = dict(zip(names, sources, strict=True))
    depth = len(SECTION)
    below = [key for key in document.places if key[:depth] == SECTION and len(key) > depth]
    places = {key: document.places.pop(key) for key in below}
    for key, place in places.items():
        document.places[(*SECTION, names[int(key[depth])], *key[depth + 1 :])] = place
    return True


def _names(sources: list[dict[str, Any]]) -> list[str]:
    """Return the shortest names that tell sources apart, or the longest where none do."""
    candidates = [[*_candidates(source)] for source in sources]
    longest = max(map(len, candidates), default=1)
    names: list[str] = []
    for length in range(longest):
        names = [each[min(length, len(each) - 1)] for each in candidates]
        if len({*names}) == len(names):
            break
    return names


def _candidates(source: dict[str, Any]) -> Iterator[str]:
    """Yield names of a source, the shortest first."""
    path = Path(str(source.get("path") or source.get("source") or "source"))
    # of books.csv.gz all endings, of a folder or an id none
    is_file = source.get("source") == "files"
    name = path.name.partition(".")[0] if is_file else path.name
    name = name or path.name or "source"
    yield name
    if source.get("name"):
        yield f"{name}-{source['name']}"
    elif path.parent.name:
        yield f"{path.parent.name}-{name}"
