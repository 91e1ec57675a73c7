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


def test_a_split_smaller_than_the_limit_is_compared_whole() -> None:
    outputs = {"logits": TRAINED}
    assert parity.compare(lambda rows: outputs, ROWS, outputs, num_examples=1000).examples == 300


@pytest.mark.parametrize(("drift", "ok"), [(0.05, True), (50.0, False)])
def test_numbers_in_the_hundred_thousands_may_differ_by_the_rounding_of_float32(
    drift: float, ok: bool
) -> None:
    prices = {"logits": 120_000 + 9_000 * TRAINED[:, :1]}
    assert parity.compare(lambda rows: {"logits": prices["logits"] + drift}, ROWS, prices).ok is ok
