"""Removal of what must stay on this machine: tokens, and the paths of its folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.core.redaction import redactor


def without_tokens(value: Any) -> Any:
    """Hide tokens and passwords in text or a tree of values, also a token that a login stored."""
    import huggingface_hub  # noqa: F401  (it knows of logins)

    return _map_texts(value, redactor())


def without_paths(value: Any) -> Any:
    """Replace every absolute path in a tree of values by its last component."""
    return _map_texts(value, _base_name)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_map_texts(k, change): _map_texts(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _base_name(text: str) -> str:
    return Path(text).name if Path(text).is_absolute() or text.startswith("~") else text
