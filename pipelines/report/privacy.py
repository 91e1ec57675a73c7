"""What stays on this machine: tokens, and where its folders lie."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HIDDEN = "***"
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}|(?<=://)[^/@\s]+(?=@)")  # or user:password in an address


def without_tokens(value: Any) -> Any:
    """Text, or a tree of values, with tokens hidden: any Hugging Face one, and the one in use."""
    return _each_text(value, _hide_tokens)


def without_paths(value: Any) -> Any:
    """A tree of values in which a local folder or file is called by its own name only."""
    return _each_text(value, _base_name)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_each_text(k, change): _each_text(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _hide_tokens(text: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = re.sub(rf"(?<!\w){re.escape(token)}(?!\w)", HIDDEN, text)
    return TOKEN.sub(HIDDEN, text)


def _base_name(text: str) -> str:
    return Path(text).name if Path(text).is_absolute() or text.startswith("~") else text
