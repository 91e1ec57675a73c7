"""Calibration in words, for the summary and the model card."""

from collections.abc import Iterator

from pipelines.evaluation.calibration.conformal import PredictionSets
from pipelines.evaluation.calibration.reliability import NUM_BINS
from pipelines.evaluation.calibration.result import CalibrationResult
from pipelines.evaluation.calibration.temperature import MAX_DOUBTFUL
from pipelines.report.evidence import Evidence
from pipelines.report.tables import markdown
from pipelines.report.usage import prediction_set_usage

FITTED = """\
The logits are divided by a temperature of {temperature:.4g},
{which}.
The division is part of the output layer's weights, so whatever loads the model gets calibrated
probabilities. It changes no prediction."""
LIKELIEST = """\
at which the labels of validation are likeliest (arXiv 1706.04599), with a weak prior around 1"""
IN_DOUBT = """\
which was fitted on validation (arXiv 1706.04599). Of {count:,} decisions there, many temperatures
fit about as well: this is the one with their mean confidence, each of them weighted by its
posterior probability, and not the one that fits these few best"""
AS_TRAINED = "The probabilities are as training left them."

# of the negative log-likelihood of test, beyond which a temperature is worse than none: by less it
# moves with the draw of the rows
MIN_RISE_SHARE, MIN_RISE_NATS = 0.1, 0.01

TEXT = """\
## Calibration

{what}

{table}

ECE is the expected calibration error: the difference between confidence (the highest probability)
and accuracy, averaged over {bins} bins of equal width. NLL is the mean negative log-likelihood in
nats. {caveat}
"""

SETS = """\
### Prediction sets

A class belongs to the set of an example if its probability is at least **{threshold:.6f}**
(split conformal prediction, alpha = {alpha:g}, from {examples:,} rows of validation;
arXiv 1609.00451, 2107.07511):

```python
{usage}
```

Measured: {measured}.
The guarantee of {promised:.4g} % holds on average, not for each class, and for examples that are
distributed like those of validation. Validation also chose the model, which weakens the guarantee a
little. A set can be empty if no class is probable enough.
"""


def lines(calibrated: CalibrationResult) -> Iterator[str]:
    """Yield lines on calibration for the summary, and one on prediction sets if there are any."""
    split, temperature = calibrated.reported_split, calibrated.temperature
    before, after = calibrated.before[split], calibrated.after[split]
    if temperature is None:
        yield f"calibration: ECE {before.ece:.4f}, NLL {before.nll:.4f} on {split}, as trained"
    else:
        fitted = ", where it was fitted" if split == "validation" else ""
        yield (
            f"calibration: temperature {temperature:.4g}; on {split}{fitted}: "
            f"ECE {before.ece:.4f} -> {after.ece:.4f}, NLL {before.nll:.4f} -> {after.nll:.4f}"
        )
        yield from _warnings(calibrated)
    if calibrated.sets:
        yield f"prediction sets: {_coverage(calibrated.sets)}"


def card_section(evidence: Evidence, model: str) -> str:
    """Write the section of the model card; empty if the model gives no probabilities.

    Args:
        model: the folder or Hub id that the example loads.
    """
    calibrated = evidence.calibration
    if calibrated is None:
        return ""
    temperature = calibrated.temperature
    what = AS_TRAINED
    if temperature:
        count = calibrated.num_fitted
        which = IN_DOUBT.format(count=count) if count <= MAX_DOUBTFUL else LIKELIEST
        what = FITTED.format(temperature=temperature, which=which)
    text = TEXT.format(
        what="\n\n".join([what, *(f"**{line}.**" for line in _warnings(calibrated))]),
        table=markdown(list(_rows(calibrated))),
        bins=NUM_BINS,
        caveat=f"Both hold for data like these.{_fitted_on(calibrated)}",
    )
    sets = f"\n{_set_section(calibrated.sets, evidence, model)}" if calibrated.sets else ""
    return f"{text}{sets}\n"


def _warnings(calibrated: CalibrationResult) -> Iterator[str]:
    """Yield a line for each split whose probabilities are worse with the temperature."""
    if not calibrated.temperature:
        return
    yield from _worse_where_fitted(calibrated)
    if "test" not in calibrated.after:
        return
    # nothing was fitted there, so that only much worse says something
    before, after = calibrated.before["test"].nll, calibrated.after["test"].nll
    if after - before > max(MIN_RISE_NATS, MIN_RISE_SHARE * before):
        yield (
            f"WARNING: the temperature makes the probabilities of test worse (NLL {before:.4f} -> "
            f"{after:.4f}): validation, where it was fitted, is too small or unlike test; "
            "calibration.temperature=false keeps them as trained"
        )


def _worse_where_fitted(calibrated: CalibrationResult) -> Iterator[str]:
    """Yield a line where validation is worse, as it may be by a temperature for new rows."""
    before, after = calibrated.before["validation"], calibrated.after["validation"]
    pairs = {"ECE": (before.ece, after.ece), "NLL": (before.nll, after.nll)}
    worse = [
        f"{name} {low:.4f} -> {high:.4f}"
        for name, (low, high) in pairs.items()
        if round(low, 4) < round(high, 4)
    ]
    if worse and calibrated.num_fitted <= MAX_DOUBTFUL:
        yield (
            f"NOTE: on validation itself the temperature raises {' and '.join(worse)}, which may "
            "be right: few rows leave doubt about it, and this one is meant for new rows, not for "
            "these; calibration.temperature=false keeps the probabilities as trained"
        )


def _fitted_on(calibrated: CalibrationResult) -> str:
    """Say which numbers are too optimistic: those of the split that fitted the temperature."""
    if not calibrated.temperature:
        return ""
    if "test" in calibrated.after:
        return (
            " The temperature was fitted on validation, so those of validation are too optimistic."
        )
    return " There is no test split: the numbers are those of the split that fitted it."


def _rows(calibrated: CalibrationResult) -> Iterator[list[str]]:
    yield ["", "ECE as trained", "ECE", "NLL as trained", "NLL"]
    for split, after in calibrated.after.items():
        before = calibrated.before[split]
        numbers = before.ece, after.ece, before.nll, after.nll
        yield [split, *(f"{number:.4f}" for number in numbers)]


def _set_section(sets: PredictionSets, evidence: Evidence, model: str) -> str:
    return SETS.format(
        # rounded down to six digits already, so that the printed example keeps the coverage
        threshold=sets.threshold,
        alpha=sets.alpha,
        examples=sets.examples,
        usage=prediction_set_usage(evidence, model, sets.threshold),
        measured=_coverage(sets),
        promised=100 * (1 - sets.alpha),
    )


def _coverage(sets: PredictionSets) -> str:
    # a threshold of 0 admits every class: too few rows support the requested coverage
    every = "; too few rows of validation: every set holds all classes" * (sets.threshold == 0)
    return (
        f"{sets.coverage:.1%} of {sets.measured_on} covered ({1 - sets.alpha:.4g} requested), "
        f"{sets.mean_size:.2f} classes per set, {sets.empty:.1%} empty{every}"
    )
