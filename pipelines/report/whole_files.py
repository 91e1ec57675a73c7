"""`examples/whole-test-7.png`: the image or sound of row 7 as its table holds it, for `graft demo`.

A few rows of a split have one. Rows that are files of their own are not copied.
"""

from pathlib import Path

import numpy as np

from pipelines.report.run_folder import RunFolder

PREFIX = "whole-"
NUM_EXAMPLES = 8
NUM_TRIED = 64  # some rows may be cut off, or their files gone
MAX_BYTES = 2_000_000  # of a file


def order(num_rows: int) -> np.ndarray:
    """Return numbers of rows to try, of which the first few are from all over a split, too."""
    numbers = np.unique(np.linspace(0, max(num_rows - 1, 0), min(num_rows, NUM_TRIED)).astype(int))
    return numbers[np.argsort(np.arange(len(numbers)) % NUM_EXAMPLES, kind="stable")]


def path_of(folder: RunFolder, split: str, row: int, suffix: str) -> Path:
    """Return where the file of a row lies."""
    return folder.examples / f"{PREFIX}{split}-{row}{suffix}"


def find(folder: RunFolder, split: str, row: int) -> str | None:
    """Find the file of a row; None where there is none."""
    files = folder.examples.glob(path_of(folder, split, row, ".*").name)
    # a link may lead out of the folder
    return next((str(file) for file in files if file.is_file() and not file.is_symlink()), None)
