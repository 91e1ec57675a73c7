"""Two locks side by side: whether the same was read, and what it was computed with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.recipe.differences import LEFT_OUT, Difference, of_values

# sections of a lock that identify what a run read
TRAINED = ("model", "beside", "merged", "data", "target", "metrics")
CONTENTS = (*TRAINED, "evaluation")
# a branch, of which the commit is compared; what the card of a checkpoint says of its license
UNREAD = ("revision", "card")
HASHES = ("files", "sha256")
DOWNLOADED = (
    "weights",
    "tables",
)  # of files of a commit, whose hashes are known once they are here
NAMES = ("checkpoint", "path")  # of files, which may lie elsewhere now
ENVIRONMENT = ("num_processes", "graft", "python", "packages", "hardware")


def contents(
    before: Mapping[str, Any], now: Mapping[str, Any], sections: Sequence[str] = CONTENTS
) -> Iterator[Difference]:
    """Yield where what was read is not what it was: a commit, or the hash of a file.

    What a lock of an older version does not identify is not compared.
    """
    for section in sections:
        if section in before:
            yield from _of_identity(before[section], now.get(section, LEFT_OUT), "lock", section)


def environment(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the packages, processors and numbers of processes that are others."""
    for key in ENVIRONMENT:
        if key in before:
            yield from of_values(before[key], now.get(key), key)


def _of_identity(before: Any, now: Any, *key: str) -> Iterator[Difference]:
    """Yield the differences of what identifies one thing, or each of several."""
    before, now = _by_number(before), _by_number(now)
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield from of_values(before, now, *key)
        return
    both = before.keys() & now.keys()
    ignored = {*UNREAD, *(NAMES if both & {*HASHES} else ())}
    if "sha256" in before:  # the hash of all files says no more than those of each
        ignored.add("sha256" if "files" in both else "files")
    for name, value in before.items():
        if name in ignored or value is None:
            continue
        if name in DOWNLOADED:
            here = now.get(name, {})
            value = {file: digest for file, digest in value.items() if file in here}
            yield from of_values(value, {file: here[file] for file in value}, *key, name)
            continue
        compare = of_values if name == "files" else _of_identity
        yield from compare(value, now.get(name, LEFT_OUT), *key, name)


def _by_number(value: Any) -> Any:
    """Number what a list holds, so that the one that differs is named."""
    if isinstance(value, list | tuple):
        return {str(number): each for number, each in enumerate(value)}
    return value
