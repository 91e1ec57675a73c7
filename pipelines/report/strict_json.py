"""JSON that every reader accepts: plain types only, and null where a number is not finite."""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from pipelines.core import regular_files
from pipelines.core.disk import replacing
from pipelines.core.errors import RunError


def read(path: Path, remedy: str) -> dict[str, Any]:
    """Read a document of a run folder.

    Args:
        remedy: what to do about a file that is missing or damaged.

    Raises:
        RunError: the file is missing, cannot be read, or holds no JSON object.
    """
    if problem := regular_files.problem(path):
        raise RunError(f"{path}: {problem}; {remedy}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except ValueError as error:  # of Unicode, too
        raise RunError(f"{path}: damaged: not JSON ({error}); {remedy}") from None
    except RecursionError:
        raise RunError(f"{path}: damaged: nested too deep; {remedy}") from None
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise RunError(f"{path}: damaged: expected a JSON object, not {kind}; {remedy}")
    return value


def write(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Write `value` as one document, atomically: a reader sees the old file or the new one.

    Args:
        indent: spaces of each level; None for a single line.
    """
    text = json.dumps(plain(value), indent=indent, allow_nan=False) + "\n"
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_lines(path: Path, values: Iterable[Any]) -> None:
    """Write one value per line (JSON Lines)."""
    lines = (json.dumps(plain(value), allow_nan=False) + "\n" for value in values)
    path.write_text("".join(lines), encoding="utf-8")


def plain(value: Any) -> Any:
    """Convert `value` to the types of JSON: numpy and torch numbers unwrapped, NaN and inf None."""
    # numpy arrays and scalars, and torch tensors, all have it; none need be imported
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    # Python would write NaN, which is not JSON: browsers and jq refuse the whole file
    if isinstance(value, float) and not isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
