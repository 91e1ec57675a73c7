"""What the classes of train look like, before they are learned: spellings and single examples."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from pipelines.core.labels import TOKENS, Labels
from pipelines.data.finding import Finding

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


def _counts(group: list[str], classes: Mapping[str, int]) -> str:
    return " and ".join(f"{name!r} ({classes[name]:,})" for name in group)
