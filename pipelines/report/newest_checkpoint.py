"""The checkpoint that a run goes on from: the newest whole one.

A run that is killed leaves half of what it was writing, or half of what it was removing: the
Trainer removes older checkpoints file by file, in no order, and at its end all but the best one.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.core import regular_files
from pipelines.training.checkpoint_files import NAME
from pipelines.training.progress import STATE


def newest(folder: Path) -> Path | None:
    """Return the newest whole one of the checkpoints in a folder; None if there is none.

    One that lists its files comes before one that does not: a run may have been killed right before
    it wrote the list, or right after it removed it. One that lacks files comes last, and whoever
    loads it says which.
    """
    steps = {path: path.name.partition("-")[2] for path in folder.glob("checkpoint-*")}
    numbered = [path for path, step in steps.items() if step.isdecimal()]  # no copy of the user
    numbered.sort(key=lambda path: int(steps[path]), reverse=True)
    # the Trainer writes its state last: without it a checkpoint is not whole
    ended = [path for path in numbered if _has_end(path / STATE)]
    listed = [path for path in ended if (path / NAME).exists() and _has_files(path)]
    unlisted = [path for path in ended if not (path / NAME).exists()]
    return next(iter([*listed, *unlisted, *ended]), None)


def _has_end(file: Path) -> bool:
    """Return whether a JSON object was written to its end."""
    if regular_files.problem(file):  # a pipe, say, which would never be read to its end
        return False
    with suppress(OSError), file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - 8))
        return stream.read().rstrip().endswith(b"}")
    return False


def _has_files(checkpoint: Path) -> bool:
    """Return whether all files that a checkpoint lists are there, as large as they were.

    What is in them is compared before training goes on (`workflow/checkpoint_checks.py`).
    """
    file = checkpoint / NAME
    if regular_files.problem(file):
        return True  # which is refused, with its reason
    with suppress(OSError, ValueError):
        noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return all((checkpoint / name).is_file() for name in noted)
    return False
