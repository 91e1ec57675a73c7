"""What the classes of train look like, before they are learned: spellings and single examples."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from pipelines.core.labels import TOKENS, Labels
from pipelines.data.finding import Finding

SEPARATORS = ",;|"  # between the labels of one cell
MAX_SHOWN = 5  # groups of spellings, or classes, in a warning


def warnings(classes: Mapping[str, int]) -> Iterator[str]:
    """Yield what is odd about `classes`: name -> number of examples in train."""
    groups = [group for group in same_spellings(classes) if len(group) > 1]
    if groups:
        shown = "; ".join(_counts(group, classes) for group in groups[:MAX_SHOWN])
        more = "; …" * (len(groups) > MAX_SHOWN)
        yield (
            f"labels of train differ only by case or white space: {shown}{more}; each spelling is "
            "a class of its own: give them one"
        )
    single = [name for name, count in classes.items() if count == 1]
    if single:
        shown = ", ".join(map(repr, single[:MAX_SHOWN])) + ", …" * (len(single) > MAX_SHOWN)
        yield (
            f"{len(single):,} of {len(classes):,} classes have one example in train: {shown}; "
            "one is seldom enough to learn from: add examples, or merge classes"
        )


def combinations(classes: Mapping[str, int]) -> Iterator[str]:
    """Yield a warning where a class is several others in one cell: `anger,joy`."""
    made = {name: parts for name in classes if len(parts := _parts(name, classes)) > 1}
    if made:
        name, parts = next(iter(made.items()))
        names = ", ".join(sorted({*chain.from_iterable(made.values())})[:MAX_SHOWN])
        yield (
            f"{len(made):,} of {len(classes):,} classes are made of others: {name!r} of "
            f"{' and '.join(map(repr, parts))}; each is a class of its own: for several labels of "
            f"an example, write a column of 0 and 1 for each, data.columns.label=[{names}], or "
            "lists in JSON Lines"
        )


def of_tags(train: Iterable[Iterable[str]], labels: Labels) -> Iterator[Finding]:
    """Yield what is odd about the tags of the words of train."""
    if labels.problem_type == TOKENS:
        counts = Counter(chain.from_iterable(train))
        yield from (Finding("warning", line, "train") for line in warnings(counts))


def same_spellings(names: Iterable[str]) -> list[list[str]]:
    """Group the names that are equal but for case and white space."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[" ".join(name.split()).casefold()].append(name)
    return list(groups.values())


def _parts(name: str, classes: Mapping[str, int]) -> list[str]:
    """Return the classes that a name lists; empty where it lists none."""
    for separator in SEPARATORS:
        parts = [part.strip() for part in name.split(separator)]
        if len(parts) > 1 and all(part in classes for part in parts):
            return parts
    return []


def _counts(group: list[str], classes: Mapping[str, int]) -> str:
    return " and ".join(f"{name!r} ({classes[name]:,})" for name in group)
