"""Removal of tokens and passwords from what people read: messages, logs, files of a run."""

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial

HIDDEN = "***"
# of Hugging Face; a whole one behind other letters, too, as in run_hf_…
TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{30,}")
# user:password of an address, of which a path keeps one slash; a password may hold an @ itself,
# or a slash where what is before it is no port
PASSWORD = re.compile(r"(:/{1,2})(?:[^/\s'\"]+|[^/\s'\"@:]*:[^/\s'\"]*[^/\s'\"\d][^\s'\"]*)(?=@)")
# ?token=… of an address, and what storage signs its addresses with
QUERY = re.compile(
    r"(?i)([?&][\w.-]*(?:token|secret|password|passwd|signature|credential|api[_-]?key)=)"
    r"[^&\s'\"]+"
)


def redact(text: str) -> str:
    """Hide passwords in addresses, every Hugging Face token, and the token in use."""
    return _redact(text, _token_in_use())


def redactor() -> Callable[[str], str]:
    """Return a `redact` for many texts: it looks for the token in use, in a file, only now."""
    return partial(_redact, token=_token_in_use())


def _redact(text: str, token: str | None) -> str:
    if token:
        # a token may have another form, such as that of an enterprise hub
        text = re.sub(rf"(?<!\w){re.escape(token)}(?!\w)", HIDDEN, text)
    text = TOKEN.sub(HIDDEN, text)
    return QUERY.sub(rf"\1{HIDDEN}", PASSWORD.sub(rf"\1{HIDDEN}", text))


def holds_secret(text: str) -> bool:
    """Return whether a text holds what `redact` would hide."""
    return redact(text) != text


def _token_in_use() -> str | None:
    # a message about a recipe does not wait for the library: the variable is what it reads first
    library = sys.modules.get("huggingface_hub")
    # it reads files and may ask a server: whatever stops it stops no message
    with suppress(Exception):
        return library.get_token() if library else os.environ.get("HF_TOKEN")
    return None
