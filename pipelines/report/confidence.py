"""What calibration found, in words: for the summary and for the model card."""

from collections.abc import Iterator

from pipelines.evaluation.calibration.calibrated import Calibrated
from pipelines.evaluation.calibration.conformal import PredictionSets
from pipelines.evaluation.calibration.reliability import BINS
from pipelines.report.evidence import Evidence

FITTED = """\
Its logits have been divided by {temperature:.4g}, the temperature that suits validation best
(arXiv 1706.04599); the division is in the weights of the output layer, so that what loads the model
gives calibrated probabilities. No prediction changes by it."""
AS_TRAINED = "Its probabilities are as training left them."

TEXT = """\
## Calibration

{what}

{table}

ECE is the expected calibration error: how far confidence (the highest probability) is from
accuracy, averaged over {bins} bins of equal width. NLL is the mean negative log-likelihood in nats.
{caveat}
"""

SETS = """\
### Prediction sets

A class belongs to the set of an example where its probability is at least **{threshold:.6f}**
(split conformal prediction, alpha = {alpha:g}, from {examples:,} rows of validation;
arXiv 1609.00451, 2107.07511):

```python
{usage}
```

{measured}.
The promise of {promised:.4g} % holds on average, not for each class, and for examples that come as
those of validation did; validation also chose the model, which weakens it a little. A set can be
empty: no class is likely enough.
"""


def lines(calibrated: Calibrated) -> Iterator[str]:
    """One for the summary, and one more for prediction sets."""
    split, temperature = calibrated.judge, calibrated.temperature
    before, after = calibrated.before[split], calibrated.after[split]
    numbers = f"ECE {before.ece:.4f}, NLL {before.nll:.4f} on {split}"
    if temperature is None:
        yield f"calibration: {numbers}, as trained"
    else:
        fitted = ", where it was fitted" if split == "validation" else ""
        yield (
            f"calibration: temperature {temperature:.4g}; on {split}{fitted}: "
            f"ECE {before.ece:.4f} -> {after.ece:.4f}, NLL {before.nll:.4f} -> {after.nll:.4f}"
        )
    if calibrated.sets:
        yield f"prediction sets: {_measured(calibrated.sets)}"


def section(evidence: Evidence, model: str) -> str:
    """The part of the card; nothing where there are no probabilities."""
    found = evidence.calibration
    if found is None:
        return ""
    tested = "test" in found.after
    fitted = " Validation fitted the temperature, so that its numbers flatter." if tested else ""
    if found.temperature and not tested:
        fitted = " There was no test split: these are the numbers of the split that fitted it."
    text = TEXT.format(
        what=FITTED.format(temperature=found.temperature) if found.temperature else AS_TRAINED,
        table="\n".join(_table(found)),
        bins=BINS,
        caveat=f"Both hold for data like these.{fitted}",
    )
    return text + (f"\n{_sets(found.sets, evidence, model)}" if found.sets else "")


def _table(found: Calibrated) -> Iterator[str]:
    yield "| | ECE as trained | ECE | NLL as trained | NLL |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for split, after in found.after.items():
        before = found.before[split]
        numbers = before.ece, after.ece, before.nll, after.nll
        yield f"| {split} | {' | '.join(f'{number:.4f}' for number in numbers)} |"


def _sets(sets: PredictionSets, evidence: Evidence, model: str) -> str:
    return SETS.format(
        threshold=sets.threshold,
        alpha=sets.alpha,
        examples=sets.examples,
        usage=evidence.usage_of_sets(model, sets.threshold),
        measured=f"Measured: {_measured(sets)}",
        promised=100 * (1 - sets.alpha),
    )


def _measured(sets: PredictionSets) -> str:
    every = "; too few rows of validation: every set holds all classes" * (sets.threshold == 0)
    return (
        f"{sets.coverage:.1%} of {sets.measured_on} covered ({1 - sets.alpha:.4g} asked for), "
        f"{sets.mean_size:.2f} classes each, {sets.empty:.1%} empty{every}"
    )
