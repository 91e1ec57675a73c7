"""As many rows of each domain, so that chance is a half."""

import numpy as np


def balanced(
    source: np.ndarray, target: np.ndarray, random: np.random.Generator, max_rows: int | None = None
) -> list[np.ndarray]:
    """Draw as many rows of both, at most `max_rows` of each: two (rows, dim) arrays."""
    count = min(len(source), len(target), max_rows or len(source))
    return [rows[random.permutation(len(rows))[:count]] for rows in (source, target)]
