"""How near two computations of the same numbers must be.

A CPU's instructions, the number of its threads and the shape of a batch decide in which order a
sum is added up, and so do the last digits of everything that follows from it. What is allowed here
follows from that: each of `roundings` operations, one after the other, moves a number by at most
half a unit in the last place of the largest one around it.

    close(actual, expected)                  one pass of a tiny model, in float32
    close(actual, expected, torch.bfloat16)  the same where every operation rounds to eight bits
    close(actual, expected, scale=100)       where larger numbers canceled on the way
    tolerance(expected)                      the allowed difference itself, for inequalities
"""

from typing import Any

import numpy as np
import torch

# A tiny model has two blocks; in each a dozen operations follow one another, some of them sums of
# 32 to 64 terms.
ONE_PASS = 1024


def tolerance(
    expected: Any = 1.0,
    dtype: Any = torch.float32,
    *,
    roundings: int = ONE_PASS,
    scale: float = 1.0,
) -> float:
    """Return the largest difference that rounding explains.

    Args:
        expected: numbers of one kind (logits, losses), in any shape.
        dtype: the type that they were computed in, of torch or numpy.
        roundings: how many operations follow one another between the inputs and these numbers.
        scale: the size of the numbers on the way, where those are larger than the result; 1 is
            what normalization leaves.
    """
    largest = float(np.abs(_array(expected)).max(initial=scale))
    return roundings * _epsilon(dtype) / 2 * largest


def close(actual: Any, expected: Any, dtype: Any = torch.float32, **options: Any) -> None:
    """Assert that two arrays are equal up to rounding; `options` are those of `tolerance`."""
    ours, theirs = _array(actual), _array(expected)
    allowed = tolerance(theirs, dtype, **options)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=allowed)


def _array(numbers: Any) -> np.ndarray:
    if isinstance(numbers, torch.Tensor):
        numbers = numbers.detach().cpu().double().numpy()
    return np.asarray(numbers, dtype=np.float64)


def _epsilon(dtype: Any) -> float:
    if isinstance(dtype, torch.dtype):
        return torch.finfo(dtype).eps
    return float(np.finfo(dtype).eps)
