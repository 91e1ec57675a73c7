"""A comparison in words: a table, what is best, what pretrained weights are worth."""

from collections.abc import Iterator

from pipelines.core.console import duration
from pipelines.core.energy import watt_hours
from pipelines.evaluation.compared import MIN_SEEDS, ArmDifference, ComparedArm
from pipelines.evaluation.comparison import Comparison
from pipelines.evaluation.paired import CONFIDENCE
from pipelines.report import transfer_text
from pipelines.report.tables import align

MIB = 2**20
UNKNOWN = "-"


def lines(compared: Comparison) -> Iterator[str]:
    """Yield a table for each share of train, failures, what is best, and a verdict on transfer."""
    seeds = ", ".join(map(str, compared.seeds))
    budget = f"; {compared.budget}" if compared.budget else ""
    yield f"{compared.metric} on validation, seeds {seeds}{budget}"
    for fraction in compared.fractions:
        yield ""
        if compared.fractions != (1.0,):
            count = compared.num_examples(fraction)
            examples = "" if count is None else f", {count:,} examples"
            yield f"{100 * fraction:g} % of train{examples}"
        yield from map(str.rstrip, align([*table(compared, fraction)]))
    yield ""
    for run in compared.runs:
        if run.problem:
            yield f"{label_of(run.arm, run.fraction)}, seed {run.seed}: {run.problem}"
    yield from method(compared)
    yield from best(compared)
    for fraction in compared.fractions:
        yield from _transfer(compared, fraction)


def table(compared: Comparison, fraction: float) -> Iterator[list[str]]:
    """Yield a header, a row for each arm, and one for each floor."""
    header = [
        "",
        compared.metric,
        "deviation",
        f"difference ({CONFIDENCE:.0%})",
        "test",
        "trained parameters",
        "time",
        "memory",
    ]
    has_energy = any(run.energy is not None for run in compared.runs)
    yield [*header, "energy"] if has_energy else header
    for arm in compared.arms:
        cells = _cells(compared, arm, fraction)
        yield [*cells, _energy(compared, arm, fraction)] if has_energy else cells
    for name, score in compared.floors(fraction).items():
        yield [name, _score(score), *[""] * (len(header) - 2 + has_energy)]


def _energy(compared: Comparison, arm: ComparedArm, fraction: float) -> str:
    joules = compared.mean(arm.name, fraction, "energy")
    return UNKNOWN if joules is None else watt_hours(joules)


def _cells(compared: Comparison, arm: ComparedArm, fraction: float) -> list[str]:
    def mean(name: str) -> float | None:
        return compared.mean(arm.name, fraction, name)

    trainable, seconds, memory = map(mean, ("trainable", "seconds", "peak_memory"))
    difference = "reference"
    if arm.reference is not None:
        difference = difference_of(compared.difference(arm.name, arm.reference, fraction))
    return [
        arm.name,
        _score(mean("validation")),
        _score(compared.deviation(arm.name, fraction)),
        difference,
        _score(mean("test")),
        UNKNOWN if trainable is None else f"{trainable:,.0f}",
        UNKNOWN if seconds is None else duration(seconds),
        UNKNOWN if memory is None else f"{memory / MIB:,.0f} MiB",
    ]


def difference_of(difference: ArmDifference | None) -> str:
    """Write a mean difference with its interval."""
    if difference is None:
        return UNKNOWN
    mean = f"{difference.paired.mean:+.4f}"
    if difference.interval is None:
        return mean
    low, high = difference.interval
    return f"{mean} ({low:+.4f} to {high:+.4f})"


def _score(score: float | None) -> str:
    return UNKNOWN if score is None else f"{score:.4f}"


def method(compared: Comparison) -> Iterator[str]:
    """Yield what intervals are made of, and what is missing for a verdict."""
    fraction = compared.fractions[-1]
    pairs = [(arm.name, arm.reference) for arm in compared.arms if arm.reference is not None]
    made = [compared.difference(arm, other, fraction) for arm, other in pairs]
    differences = [difference for difference in made if difference]
    for over in dict.fromkeys(each.over for each in differences if each.interval):
        rest = "" if over == "seeds" else " of one seed, which say nothing about other seeds"
        method = f"Student's t over differences paired by {over[:-1]}{rest}"
        yield f"intervals: {method}; above 0 is better"
    if any(each.over == "seeds" and each.is_constant for each in differences if _is_enough(each)):
        yield "no interval where every seed gave the same difference: seeds changed nothing there"
    if len(compared.seeds) < MIN_SEEDS:
        yield (
            f"no verdict: it takes {MIN_SEEDS} seeds or more (--seeds {MIN_SEEDS}), and there "
            f"{'is' if len(compared.seeds) == 1 else 'are'} {len(compared.seeds)}"
        )
    if any(run.test is not None for run in compared.runs):
        yield "test was scored once for each run, and chose nothing"


def _is_enough(difference: ArmDifference) -> bool:
    return len(difference.paired.differences) >= MIN_SEEDS


def best(compared: Comparison) -> Iterator[str]:
    """Yield what is best on validation, and what it is not shown to be better than."""
    fraction = compared.fractions[-1]
    name = compared.best(fraction)
    if name is None:
        return
    close = []
    for arm in compared.arms:
        other = compared.difference(name, arm.name, fraction) if arm.name != name else None
        if other and other.verdict == "ambiguous":
            close.append(arm.name)
    rest = f"; not shown to be better than {', '.join(close)}" if close else ""
    score = compared.mean(name, fraction)
    yield f"best on validation: {name}, {_score(score)}{rest}"
    for floor, limit in compared.floors(fraction).items():
        if score is not None and (score <= limit if compared.greater_is_better else score >= limit):
            yield f"WARNING: it is no better than {floor} ({limit:.4f})"


def _transfer(compared: Comparison, fraction: float) -> Iterator[str]:
    """Yield for each arm what its pretrained weights are worth, and what to do next."""
    for arm in compared.arms:
        measured = compared.transfer(arm, fraction)
        if measured:
            label = label_of(arm.name, fraction)
            yield f"transfer, {label}: {transfer_text.verdict(measured)}"
            yield f"next: {transfer_text.advice(measured)}"


def label_of(arm: str, fraction: float) -> str:
    """Name an arm on a share of train."""
    return arm if fraction == 1 else f"{arm} on {100 * fraction:g} % of train"
