"""Files that the Hub keeps in Xet storage: what its client fails with, and doing without it.

Its client, written in Rust, sends requests of its own, which are not `hub_session`'s to try again.
Its failures look like any other error, and transformers takes them for a file that does not exist.
The Hub gives every file of the storage over HTTP, too.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from pipelines.core.console import warn

T = TypeVar("T")

# of the client: by default it tries for six minutes to reach a storage that a firewall hides
LIMITS = {
    "HF_XET_CLIENT_CONNECT_TIMEOUT": "10s",
    "HF_XET_CLIENT_RETRY_MAX_DURATION": "30s",
}
# in its RuntimeErrors and OSErrors
WORDS = ("CAS Client Error", "reconstruction error", "Xet", ", domain: ")
MAX_LETTERS = 200


def limit_waiting() -> None:
    """Let the client give up sooner, unless the environment says how long; before it is loaded."""
    for name, value in LIMITS.items():
        os.environ.setdefault(name, value)


def failure(error: BaseException | None) -> str | None:
    """Return what the client says, if it is among the causes of an error; else None."""
    while error:
        is_its_own = type(error).__module__.startswith("hf_xet")
        text = " ".join(str(error).split())
        is_of_kind = isinstance(error, RuntimeError | OSError)
        if is_its_own or (is_of_kind and any(words in text for words in WORDS)):
            return text[:MAX_LETTERS]
        error = error.__cause__ or error.__context__
    return None


def avoiding(name: str, request: Callable[[], T]) -> T:
    """Send a request that may use the storage, and over HTTP if that fails.

    Args:
        name: of the repository, for the message.
    """
    try:
        return request()
    except Exception as error:
        reason = failure(error)
        if reason is None:
            raise
    leave_out(name, reason)
    return request()


def leave_out(name: str, reason: str) -> None:
    """Do without the storage from here on, and say so."""
    from huggingface_hub import constants

    warn(f"{name}: the Hub's Xet storage fails ({reason}); over HTTP from here on")
    constants.HF_HUB_DISABLE_XET = True
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # of processes that are started from here
