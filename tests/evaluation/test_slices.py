"""Accuracy by the length of texts."""

import numpy as np
import pytest

from pipelines.evaluation.slices import MIN_ROWS, by_length


def test_quartiles_of_length_have_their_own_accuracy_and_interval():
    lengths = np.arange(200)[::-1]
    is_right = lengths < 150  # the longest quarter is wrong
    slices = by_length(lengths, is_right.astype(int), np.ones(200, int))
    assert [(each.shortest, each.longest) for each in slices] == [
        (0, 49),
        (50, 99),
        (100, 149),
        (150, 199),
    ]
    assert [each.accuracy for each in slices] == [1, 1, 1, 0]
    assert {each.num_rows for each in slices} == {50}
    # Wilson: z² / (n + z²) of a share of 0 or 1
    width = 1.96**2 / (50 + 1.96**2)
    assert slices[0].low == pytest.approx(1 - width, abs=1e-4)
    assert slices[3].high == pytest.approx(width, abs=1e-4)


def test_rows_of_one_length_stay_together_and_few_rows_are_not_divided():
    lengths = np.array([5] * 150 + [9] * 50)
    slices = by_length(lengths, np.ones(200), np.ones(200))
    assert [(each.shortest, each.longest, each.num_rows) for each in slices] == [
        (5, 5, 150),
        (9, 9, 50),
    ]
    few = np.arange(MIN_ROWS - 1)
    assert by_length(few, few, few) == ()
