"""Removal of what must stay on this machine: tokens, and the paths of its folders."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HIDDEN = "***"
# a Hugging Face token, or user:password in an address
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}|(?<=://)[^/@\s]+(?=@)")


def without_tokens(value: Any) -> Any:
    """Hide tokens in text or a tree of values: every Hugging Face token, and the one in use."""
    return _map_texts(value, _hide_tokens)


def without_paths(value: Any) -> Any:
    """Replace every absolute path in a tree of values by its last component."""
    return _map_texts(value, _base_name)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_map_texts(k, change): _map_texts(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_map_texts(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def _hide_tokens(text: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    if token:
        # the pattern below misses a token of another form, such as an enterprise hub's
        text = re.sub(rf"(?<!\w){re.escape(token)}(?!\w)", HIDDEN, text)
    return TOKEN.sub(HIDDEN, text)


def _base_name(text: str) -> str:
    return Path(text).name if Path(text).is_absolute() or text.startswith("~") else text
