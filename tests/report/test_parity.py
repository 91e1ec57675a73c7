"""Whether a reloaded model counts as the one that was trained."""

import numpy as np
import pytest
from datasets import Dataset

from pipelines.report import parity

ROWS = Dataset.from_dict({"text": [str(i) for i in range(300)]})
TRAINED = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)


@pytest.mark.parametrize(("drift", "ok"), [(0.0, True), (1e-5, True), (1e-2, False)])
def test_a_model_that_drifted_is_another_model(drift: float, ok: bool) -> None:
    """One logit of one of the first rows is enough."""

    def predict(rows: Dataset) -> dict[str, np.ndarray]:
        logits = TRAINED[: len(rows)].copy()
        logits[7, 1] += drift
        return {"logits": logits}

    compared = parity.compare(predict, ROWS, {"logits": TRAINED}, num_examples=64)
    assert compared.examples == 64
    assert compared.ok is ok
    assert compared.max_difference == pytest.approx(drift, abs=1e-6)


@pytest.mark.parametrize(("drift", "ok"), [(3e-3, True), (6e-3, False), (5.0, False)])
def test_what_batches_alone_change_is_no_other_model(drift: float, ok: bool) -> None:
    """A deep model rounds by the size of the batch: here by 1e-3, of logits as large as 170.

    The drift is in the weights, whatever the batch.
    """
    steep = 50 * TRAINED

    def predict(rows: Dataset) -> dict[str, np.ndarray]:
        first = int(rows[0]["text"])
        logits = steep[first : first + len(rows)].copy()
        logits += drift - 1e-3 * (len(rows) == 1)
        return {"logits": logits}

    assert parity.compare(predict, ROWS, {"logits": steep}, num_examples=64).ok is ok


def test_a_split_smaller_than_the_limit_is_compared_whole() -> None:
    outputs = {"logits": TRAINED}
    assert parity.compare(lambda rows: outputs, ROWS, outputs, num_examples=1000).examples == 300


@pytest.mark.parametrize(("drift", "ok"), [(0.05, True), (50.0, False)])
def test_numbers_in_the_hundred_thousands_may_differ_by_the_rounding_of_float32(
    drift: float, ok: bool
) -> None:
    prices = {"logits": 120_000 + 9_000 * TRAINED[:, :1]}
    assert parity.compare(lambda rows: {"logits": prices["logits"] + drift}, ROWS, prices).ok is ok
