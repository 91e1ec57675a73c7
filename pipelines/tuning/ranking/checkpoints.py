"""The checkpoints to rank: from the command line, or one per line of a file."""

from pathlib import Path

from pipelines.core.errors import RecipeError

MIN_CHECKPOINTS = 2


def collect(named: list[str], file: str | None) -> tuple[str, ...]:
    """Return each checkpoint once, in the order in which they are named.

    In a file a `#` begins a remark, and empty lines count for nothing.

    Raises:
        RecipeError: the file cannot be read, or there are fewer than two checkpoints.
    """
    names = [*named, *(_read(Path(file)) if file else ())]
    unique = tuple(dict.fromkeys(names))
    if len(unique) < MIN_CHECKPOINTS:
        given = ", ".join(unique) or "none"
        raise RecipeError(
            f"command line: --checkpoints: {given}: expected two or more to rank, as Hub ids or "
            "folders, or --from FILE with one on each line"
        )
    return unique


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"command line: --from {path}: cannot be read ({error})") from None
    names = (line.partition("#")[0].strip() for line in lines)
    return [name for name in names if name]
