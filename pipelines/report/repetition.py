"""Two runs of one recipe: whether weights and scores are equal, and how far they are apart."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.errors import RunError
from pipelines.models.output import side_by_side
from pipelines.report import strict_json
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing

if TYPE_CHECKING:
    import torch

SPLITS = ("validation", "test", "target")


@dataclass(frozen=True)
class Agreement:
    """Whether numbers of two runs are equal.

    Attributes:
        what: weights or scores.
        count: how many tensors or scores were compared.
        max_difference: the largest one.
        place: where that is, or what has no counterpart; empty where all are equal.
        problem: why nothing was compared; empty where it was.
    """

    what: str
    count: int = 0
    max_difference: float = 0.0
    place: str = ""
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether all numbers were compared, and are the same."""
        return not (self.place or self.problem)

    def __str__(self) -> str:
        if self.problem:
            return f"{self.what} not compared: {self.problem}"
        if self.is_equal:
            unit = "tensors, bit for bit" if self.what == "weights" else "scores"
            return f"{self.what} equal ({self.count:,} {unit})"
        size = f"largest difference {self.max_difference:.2g}: " * (self.max_difference > 0)
        return f"{self.what} NOT equal: {size}{self.place}"


@dataclass(frozen=True)
class Repetition:
    """What came of a run, or of a stage, and of its repetition.

    Attributes:
        stage: the folder of a stage; empty for the run itself.
    """

    stage: str
    weights: Agreement
    scores: Agreement

    @property
    def lines(self) -> Iterator[str]:
        """What a run prints of it."""
        for each in (self.weights, self.scores):
            yield f"{self.stage}: {each}" if self.stage else str(each)

    @property
    def is_equal(self) -> bool:
        """Whether weights and scores are the same."""
        return self.weights.is_equal and self.scores.is_equal


def compare(before: RunFolder, now: RunFolder) -> Repetition:
    """Compare the models and the scores of two runs."""
    stage = now.path.name if now.whole != now else ""
    return Repetition(stage, _weights(before.model, now.model), _scores(before, now))


def write(folder: RunFolder, run: str, compared: Sequence[Repetition]) -> None:
    """Write replay.json into the folder of the repetition.

    Args:
        run: which one is repeated.

    Raises:
        RunError: the folder cannot be written.
    """
    stages = [
        {"stage": each.stage, "weights": _as_json(each.weights), "scores": _as_json(each.scores)}
        for each in compared
    ]
    equal = all(each.is_equal for each in compared)
    with writing(folder.path):
        strict_json.write(folder.replay, {"run": run, "equal": equal, "compared": stages})


def _as_json(agreement: Agreement) -> dict[str, Any]:
    return {"equal": agreement.is_equal, **vars(agreement)}


def _weights(before: Path, now: Path) -> Agreement:
    """Compare every tensor of two saved models."""
    from safetensors import SafetensorError

    if not before.is_dir():
        return Agreement("weights", problem=f"there is no {before}")
    names = _tensor_files(before)
    if names != _tensor_files(now):
        files = ", ".join(sorted({*names} ^ {*_tensor_files(now)}))
        return Agreement("weights", place=f"only one of both has {files}")
    try:
        pairs = [pair for name in names for pair in _differences(before / name, now / name)]
        pairs += _bias(before, now)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        return Agreement("weights", problem=f"{before}: cannot be read ({error})")
    return _worst("weights", pairs)


def _worst(what: str, pairs: Sequence[tuple[str, float | None]]) -> Agreement:
    """Summarize differences: (place, size), which is None for what cannot be compared."""
    alone = [place for place, size in pairs if size is None]
    if alone:
        return Agreement(what, len(pairs), place=alone[0])
    place, largest = max(pairs, key=lambda pair: pair[1] or 0.0, default=("", 0.0))
    return Agreement(what, len(pairs), largest or 0.0, place if largest else "")


def _tensor_files(folder: Path) -> list[str]:
    files = folder.rglob("*.safetensors")
    return sorted(file.relative_to(folder).as_posix() for file in files)


def _differences(before: Path, now: Path) -> Iterator[tuple[str, float | None]]:
    """Yield (name, largest difference) for each tensor of two files."""
    from safetensors import safe_open

    with safe_open(before, "pt") as old, safe_open(now, "pt") as new:
        names, others = {*old.keys()}, {*new.keys()}
        for name in sorted(names ^ others):
            yield f"only one of both has {name}", None
        for name in sorted(names & others):
            yield _difference(name, old.get_tensor(name), new.get_tensor(name))


def _difference(name: str, before: "torch.Tensor", now: "torch.Tensor") -> tuple[str, float | None]:
    import torch

    if (before.shape, before.dtype) != (now.shape, now.dtype):
        kinds = [f"{[*each.shape]} of {each.dtype}" for each in (before, now)]
        return f"{name}: {kinds[0]} -> {kinds[1]}", None
    # as bytes: NaN equals itself, and 0.0 is not -0.0
    if torch.equal(*(each.reshape(-1).view(torch.uint8) for each in (before, now))):
        return name, 0.0
    largest = (before.double() - now.double()).abs().max().item()
    # -0.0, or what is not a number: not equal, however small the difference
    return (name, largest) if largest > 0 else (f"{name}: other bits", None)


def _bias(before: Path, now: Path) -> Iterator[tuple[str, float | None]]:
    """Yield how far the bias of several encoders side by side is apart; nothing for one."""
    files = [folder / side_by_side.FILE for folder in (before, now)]
    if not all(file.is_file() for file in files):
        return
    old, new = (json.loads(file.read_text(encoding="utf-8"))["bias"] for file in files)
    if len(old) != len(new):
        yield f"{side_by_side.FILE}: {len(old)} -> {len(new)} biases", None
    else:
        yield side_by_side.FILE, max(abs(a - b) for a, b in zip(old, new, strict=True))


def _scores(before: RunFolder, now: RunFolder) -> Agreement:
    """Compare the scores of all splits."""
    if not before.done:
        return Agreement("scores", problem=f"{before} is not finished")
    try:
        old, new = (dict(_flat(_metrics(each))) for each in (before, now))
    except RunError as error:
        return Agreement("scores", problem=str(error))
    pairs: list[tuple[str, float | None]] = [
        (f"only one of both has {name}", None) for name in sorted(old.keys() ^ new.keys())
    ]
    for name in sorted(old.keys() & new.keys()):
        size = abs(old[name] - new[name])
        pairs.append((f"{name}: {old[name]} -> {new[name]}", size))
    return _worst("scores", pairs)


def _metrics(run: RunFolder) -> dict[str, Any]:
    return strict_json.read(run.metrics, "it is not compared")


def _flat(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield (split and metric, score); what is no number is left out."""
    for split in SPLITS:
        scores = metrics.get(split)
        for name, score in scores.items() if isinstance(scores, dict) else ():
            if isinstance(score, int | float):
                yield f"{split} {name}", float(score)
