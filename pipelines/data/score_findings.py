"""What makes a score say little, before there is one: split sizes, classes, kinds of label."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.core.labels import SINGLE, Labels
from pipelines.data.finding import Finding

if TYPE_CHECKING:
    from pipelines.data.split_statistics import SplitStatistics

MIN_ROWS = 30  # of a split that scores: one of fewer is worth more than three points of accuracy
MAX_MAJORITY = 0.95  # share of one class beyond which accuracy shows nothing else
MAX_DIGIT_CLASSES = 20  # more classes that are all numbers look like quantities
MAX_SHOWN = 5
FOLDED = "validation by folds of train"


def of_scores(
    splits: Mapping[str, "SplitStatistics"], labels: Labels, main_metric: str, *, is_folded: bool
) -> Iterator[Finding]:
    """Yield what makes `main_metric` say little on a split that scores.

    Args:
        is_folded: folds of train stand in for a validation split, so that train scores.
    """
    if labels.problem_type == SINGLE:
        yield from _of_names(labels)
    for name, split in splits.items():
        if name == "train" and not is_folded:
            continue
        shown = FOLDED if name == "train" else name
        if split.num_examples < MIN_ROWS:
            points = 100 / split.num_examples
            yield Finding(
                "note",
                f"{shown} has {split.num_examples:,} examples: each is {points:.1f} points of a "
                "score, so small differences are chance",
                name,
            )
        if labels.problem_type == SINGLE:
            # limits and filters may have left no row of others; train always has two classes
            if name != "train":
                yield from _of_few_classes(name, split)
            if main_metric == "accuracy":
                yield from _of_majority(shown, name, split)


def _of_few_classes(name: str, split: "SplitStatistics") -> Iterator[Finding]:
    """Yield the classes that a split lacks."""
    largest = max(split.classes, key=lambda each: split.classes[each])
    absent = [each for each, count in split.classes.items() if not count]
    if len(split.classes) - len(absent) == 1:
        yield Finding(
            "error",
            f"all {split.num_examples:,} {name} examples are '{largest}': no metric on {name} "
            f"shows whether the classes are told apart; shuffle the rows, or take {name} out of "
            f"train (data.splits.{name}=0.2)",
            name,
        )
    elif absent:
        shown = ", ".join(map(repr, absent[:MAX_SHOWN])) + ", …" * (len(absent) > MAX_SHOWN)
        yield Finding(
            "note", f"{name} has no example of {shown}: its scores say nothing about them", name
        )


def _of_majority(shown: str, name: str, split: "SplitStatistics") -> Iterator[Finding]:
    """Yield whether accuracy shows nothing but the largest of the classes."""
    largest = max(split.classes, key=lambda each: split.classes[each])
    share = split.classes[largest] / max(1, split.num_examples)
    if MAX_MAJORITY <= share < 1:
        yield Finding(
            "warning",
            f"{share:.1%} of {shown} is '{largest}', so always answering that has an accuracy of "
            f"{share:.3f}; choose by another metric, such as metrics=[f1]",
            name,
        )


def _of_names(labels: Labels) -> Iterator[Finding]:
    """Yield whether classes look like quantities."""
    try:
        numbers = sorted(map(float, labels.names))
    except ValueError:
        return
    # ids are numbers without gaps, of whatever there are many
    is_whole = all(number.is_integer() for number in numbers)
    is_range = is_whole and numbers[-1] - numbers[0] == len(numbers) - 1
    if (len(numbers) > MAX_DIGIT_CLASSES or not is_whole) and not is_range:
        shown = ", ".join(labels.names[:MAX_SHOWN])
        yield Finding(
            "warning",
            f"all {len(numbers):,} labels are numbers ({shown}, …) and taken for classes, of which "
            "none is near another; to predict a number set task.problem_type=regression",
        )
