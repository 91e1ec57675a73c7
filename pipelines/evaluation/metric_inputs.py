"""Predictions and references -> what the `_compute` of a metric of this project takes.

`evaluate` would make a table of all examples, hash it and make Python objects of it, for each
score anew. Numbers stay arrays here, and what the metric does not take is refused as there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def convert(features: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Convert each input to the type that the metric declares for it.

    Args:
        features: `evaluate`'s, or a list of them where a metric takes several forms.
        inputs: name -> one entry for each example.

    Raises:
        TypeError, ValueError: an input is of another type.
    """
    forms = features if isinstance(features, list) else [features]
    converted = {}
    for name, values in inputs.items():
        converted[name] = _column(values, [form[name] for form in forms])
    return converted


def _column(values: Any, forms: Sequence[Any]) -> Any:
    """Make an array of one number for each example; check whether the rest are texts or lists."""
    dtypes = {getattr(form, "dtype", "list") for form in forms}  # a list of values has none
    if dtypes <= {"int64", "float64"}:
        column = np.asarray(values, dtypes.pop())
        if column.ndim != 1:
            raise ValueError(f"expected one number for each example, not {column.shape[1:]}")
        return column
    for value in values[:1]:
        kind = "string" if isinstance(value, str) else "list"
        if kind not in dtypes or not np.iterable(value):
            raise TypeError(f"expected a {' or a '.join(sorted(dtypes))}, not {value!r}")
    return values
