"""Metrics that are not ours: Python code, imported from its own file, and called with care."""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.core import process_state, python_source, standard_streams
from pipelines.core.errors import RecipeError, StreamError
from pipelines.core.hub_client import first_line
from pipelines.core.upstream import exit_at_once, exits_raise


def load(path: Path, config_name: str | None) -> Any:
    """Import a metric's file, and make the metric that is defined in it.

    Files beside it can be imported as `from .name import …`. Not by `evaluate.load`: that downloads
    what a comment behind an import names (`# From: URL`), at no commit, takes `import a, b` for one
    package, and copies files to a cache, which may be read-only.

    Raises:
        ValueError: no class in it is an `evaluate` metric.
        BaseException: whatever the file does.
    """
    import evaluate

    module = _import(path)
    kinds = [each for each in vars(module).values() if _is_own_class(each, module)]
    metrics = [kind for kind in kinds if issubclass(kind, evaluate.EvaluationModule)]
    if not metrics:
        raise ValueError("no class in it is an `evaluate.Metric`")
    metric = metrics[0](config_name=config_name, keep_in_memory=True)  # processes share no files
    metric.download_and_prepare()
    return metric


def files_beside(path: Path) -> list[Path]:
    """List the files that a metric's imports as `from .name import …`, and those that they do.

    Raises:
        RecipeError: one cannot be read, or is not Python.
    """
    files, waiting = [path], [path]
    while waiting:
        tree = python_source.parse(waiting[0], str(waiting.pop(0)))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        for name in [name for node in imports if node.level == 1 for name in _imported(node)]:
            file = path.parent / f"{name}.py"
            if file.is_file() and file not in files:
                files.append(file)
                waiting.append(file)
    return sorted(files[1:])


@contextmanager
def contained(problem: str) -> Iterator[None]:
    """Turn whatever code of others does inside the block into one message.

    Ctrl-C passes. A process that the code forks does not go on as a second run. The standard
    streams, and what else a run relies on in its process, are the same after the block.

    Args:
        problem: begins the message.

    Raises:
        RecipeError: the code raises something, or ends the program.
    """
    owner = os.getpid()
    try:
        with standard_streams.restored(), process_state.preserved(), exits_raise():
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise RecipeError(f"{problem}: {describe(error)}") from error
    finally:
        if os.getpid() != owner:
            exit_at_once(1)


def describe(error: BaseException) -> str:
    """Return the first line of an error's text, and its class where the text alone says little."""
    text = first_line(error)
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({text})"
    is_clear = isinstance(error, TypeError | ValueError | ImportError | StreamError) and text
    return text if is_clear else f"{type(error).__name__}: {text}".removesuffix(": ")


def _import(path: Path) -> ModuleType:
    """Run the source of a file as a module of a package that is its folder."""
    # a file of another folder may have the same name
    folder = path.parent.absolute()
    package = ModuleType(f"graft_metric_{sha256(os.fsencode(folder)).hexdigest()[:16]}")
    package.__path__ = [str(folder)]
    module = ModuleType(f"{package.__name__}.{path.stem}")
    module.__file__, module.__package__ = str(path), package.__name__
    sys.modules |= {package.__name__: package, module.__name__: module}
    # never compiled code that lies beside it: the source is what the lock identifies
    exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    return module


def _is_own_class(value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _imported(node: ast.ImportFrom) -> list[str]:
    """Return `a` of `from .a import b` and of `from . import a`."""
    return [node.module.partition(".")[0]] if node.module else [each.name for each in node.names]
