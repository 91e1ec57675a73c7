"""Errors that mean that no memory is left, as the system and the libraries report them."""

import errno

from pipelines.core.errors import text_of

# of torch, by device; of Python, whose threads need a stack each; of the system's loader
WORDS = (
    "out of memory",
    "can't allocate memory",
    "Cannot allocate memory",
    "not enough memory",
    "can't start new thread",
    "std::bad_alloc",
    "failed to map segment from shared object",
    "STATUS_ALLOC_FAILED",  # of cuBLAS and cuDNN
)
# of oneDNN, whole: it tells no reason, and lacks an operation with other words
TEXTS = ("could not create a primitive", "could not execute a primitive")
MAX_LETTERS = 200  # of a library's own explanation


def memory_reason(error: BaseException) -> str | None:
    """Return what was asked for, if an error says that there is no memory for it; else None."""
    text = " ".join(text_of(error).split())
    is_refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or is_refused:
        return text[:MAX_LETTERS] or "the system gave none"
    is_memory = text in TEXTS or any(words in text for words in WORDS)
    return text[:MAX_LETTERS] if is_memory else None
