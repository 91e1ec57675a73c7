"""A Python file that somebody contributed -> its syntax tree, or one message with file and line."""

import ast
import traceback
from pathlib import Path

from pipelines.core.errors import RecipeError


def parse(file: Path, name: str) -> ast.Module:
    """Parse a file without importing it.

    Args:
        name: what messages call the file, such as `pipelines/strategies/lora.py`.

    Raises:
        RecipeError: it cannot be read, is not UTF-8 text or not Python; names the line.
    """
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{name}:{line}: is not UTF-8 text; save it as UTF-8") from None
    except SyntaxError as error:
        place = f"{name}:{error.lineno}" if error.lineno else name
        raise RecipeError(f"{place}: {type(error).__name__}: {error.msg}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(f"{name}: cannot be read ({reason})") from None


def import_problem(error: Exception, file: Path, name: str) -> str:
    """Describe what was raised while `file` was imported, with the line of the file, in one line.

    Args:
        name: what messages call the file.
    """
    # the innermost line of this file: the error itself may be raised in a library
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    place = f"{name}:{frames[-1].lineno}" if frames else name
    reason = str(error).partition("\n")[0]
    return f"{place}: cannot be imported: {type(error).__name__}: {reason}".removesuffix(": ")
