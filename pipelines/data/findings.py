"""What the data look like before the first training step: sizes, classes, repeats, leaks.

Nothing here stops a run: real data sets leak. Warnings are printed when it starts, everything by
`graft check`, and all of it is written to the run folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pipelines.core.labels import MULTI, SINGLE
from pipelines.data import (
    group_findings,
    label_findings,
    score_findings,
    unlearned_classes,
    unused_texts,
)
from pipelines.data.duplicates import Repeats, RowHashes
from pipelines.data.finding import MAX_LEAK, Finding, Severity
from pipelines.data.split_statistics import SplitStatistics, Spread, class_counts, summarize
from pipelines.data.wording import contradictions, counts, extremes, pairs, percent

if TYPE_CHECKING:
    from pipelines.data.dataset import Data
    from pipelines.tasks import Task

TARGET = "target"  # rows of another domain, which are no split
MIN_WARNING_SHARE = 0.01  # of a split that truncation or contradictions must affect
MIN_IMBALANCE = 10  # at 10:1, a model that always predicts the larger class is right in 91 %
WEIGHTS_IN_WORDS = {
    SINGLE: "gives all classes the same weight",
    MULTI: "gives having a label the weight of not having it",
}
DRAWS = "draws as many rows of each"
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")  # in the order of printing


@dataclass(frozen=True)
class Findings:
    """Statistics of all splits, and the examples that they share.

    Attributes:
        splits: split -> its statistics.
        shared: (split, other split) -> examples of the other that also occur in the first.
        near: the same for texts that differ from one there by case, spaces or punctuation only.
        more: what else was found.
        advice: what the task offers against imbalanced classes, to complete a warning.
    """

    splits: Mapping[str, SplitStatistics]
    shared: Mapping[tuple[str, str], Repeats] = field(default_factory=dict)
    near: Mapping[tuple[str, str], Repeats] = field(default_factory=dict)
    more: tuple[Finding, ...] = ()
    advice: str = ""

    def json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        splits = {
            name: {**asdict(split), "imbalance": split.imbalance}
            for name, split in self.splits.items()
        }
        return {
            "splits": splits,
            "shared": _json(self.shared),
            "near": _json(self.near),
            "findings": [asdict(finding) for finding in self.findings()],
        }

    def findings(self) -> list[Finding]:
        """List what needs attention, errors first."""
        findings = [*self._leaks(), *self.more]
        for name, split in self.splits.items():
            findings += (Finding("warning", line, name) for line in _split_warnings(name, split))
        findings += (Finding("warning", line, "train") for line in self._train_warnings())
        return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))

    def warnings(self) -> Iterator[str]:
        """Yield the findings that are more than notes, in words."""
        return (each.message for each in self.findings() if each.severity != "note")

    def _leaks(self) -> Iterator[Finding]:
        """Yield the examples that two splits share."""
        for shared, suffix in (
            (self.shared, ""),
            (self.near, ", but for case, spaces or punctuation"),
        ):
            for (first, other), repeats in shared.items():
                if not repeats.count:
                    continue
                affected = f"{repeats.count:,} of {repeats.of:,} {other} examples"
                message = (
                    f"{affected} ({percent(repeats.share)}) also occur in {first}{suffix}"
                    f"{contradictions(repeats)}{pairs(repeats, ' there')}"
                )
                rows = tuple(here for _, here in repeats.rows)
                # what is nearly equal may be another example, such as -5 and 5
                is_error = repeats.share > MAX_LEAK and not suffix
                severity: Severity = "error" if is_error else "warning"
                yield Finding(severity, message, other, rows)

    def _train_warnings(self) -> Iterator[str]:
        """Yield what is odd about the classes of train."""
        train = self.splits["train"]
        yield from label_findings.warnings(train.classes)
        yield from label_findings.combinations(train.classes)
        if train.imbalance >= MIN_IMBALANCE:
            present = {name: count for name, count in train.classes.items() if count}
            small, large = extremes(present)
            yield (
                f"train has {train.imbalance:,.0f} times as many examples of '{large}' "
                f"({present[large]:,}) as of '{small}' ({present[small]:,}){self.advice}"
            )

    def lines(self) -> Iterator[str]:
        """Yield a table of everything, line by line."""
        for name, split in self.splits.items():
            yield f"{name:10} {split.num_examples:,} examples  {counts(split.classes)}".rstrip()
            for unit, summary in split.measures.items():
                shown = summary if isinstance(summary, Spread) else counts(summary)
                yield f"{'':10} {unit}: {shown}"
            repeats = split.repeats
            if repeats.count:
                others = repeats.with_other_label
                yield (
                    f"{'':10} {repeats.count:,} ({percent(repeats.share)}) repeat an earlier one"
                    f"{pairs(repeats)}{f'; {others:,} occur with several labels' * bool(others)}"
                )


def collect(
    data: "Data",
    task: "Task",
    encoded: Mapping[str, Any],
    targets: Mapping[str, Any],
    processor: Any,
    main_metric: str,
) -> Findings:
    """Examine every split.

    Args:
        encoded: split -> rows of model inputs.
        targets: split -> what predictions are compared with, one for each example.
        main_metric: the score by which validation chooses.
    """
    # hashed once, compared within each split and between all pairs of them
    hashes = {split: RowHashes.of(rows, task.target) for split, rows in data.splits.items()}
    splits = {
        split: SplitStatistics(
            num_examples=len(targets[split]),
            classes=class_counts(targets[split], data.labels),
            measures=summarize(task.measures(rows.dataset, encoded[split], processor)),
            repeats=hashes[split].repeats_within(),
            remarks=tuple(task.remarks(rows.dataset, encoded[split])),
        )
        for split, rows in data.splits.items()
    }
    pairs_of_rows = [*combinations(hashes, 2)]
    if data.target and data.target.labeled is not None:
        # what was learned by heart is no score of another domain
        hashes[TARGET] = RowHashes.of(data.target.labeled, task.target)
        pairs_of_rows.append(("train", TARGET))
    shared, near = {}, {}
    for split, other in pairs_of_rows:
        shared[split, other] = hashes[other].repeats_of(hashes[split])
        near[split, other] = hashes[other].near_repeats_of(hashes[split])
    more = (
        *group_findings.shared(data.splits),
        *label_findings.of_tags(targets["train"], data.labels),
        *unused_texts.findings(data.unused_texts),
        *score_findings.of_scores(splits, data.labels, main_metric, is_folded=data.is_folded),
        *unlearned_classes.findings(data, splits, targets["train"], hashes["train"].inputs),
    )
    return Findings(splits, shared, near, more, _advice(data.labels.problem_type, task))


def _advice(problem_type: str, task: "Task") -> str:
    """Return what the recipe leaves unused of what the task offers against unequal classes."""
    # True as the default: a task without the fields has nothing to offer
    if getattr(task, "class_weights", True) or getattr(task, "sampler", True):
        return ""
    weights = WEIGHTS_IN_WORDS.get(problem_type)
    return (
        f"; task.class_weights=balanced {weights}, task.sampler=balanced {DRAWS}" if weights else ""
    )


def _json(shared: Mapping[tuple[str, str], Repeats]) -> list[dict[str, Any]]:
    return [
        {"split": other, "stands_in": split, **asdict(repeats)}
        for (split, other), repeats in shared.items()
    ]


def _split_warnings(name: str, split: SplitStatistics) -> Iterator[str]:
    """Warn of contradicting labels and truncation, where they affect enough examples."""
    threshold = MIN_WARNING_SHARE * split.num_examples
    with_other_label = split.repeats.with_other_label
    if with_other_label >= threshold:
        yield (
            f"{with_other_label:,} of {split.num_examples:,} {name} examples occur more than once, "
            "with different labels"
        )
    yield from (f"{name}: {remark}" for remark in split.remarks)
    for unit, summary in split.measures.items():
        if isinstance(summary, Spread) and summary.truncated >= threshold:
            share = percent(summary.truncated / split.num_examples)
            yield (
                f"{summary.truncated:,} of {split.num_examples:,} {name} examples ({share}) have "
                f"more than {summary.limit:,.6g} {unit}: the rest of them is cut off"
            )
