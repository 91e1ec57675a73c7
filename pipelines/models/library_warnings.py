"""Silences warnings of transformers, peft and bitsandbytes that no user can act on."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence_transformers() -> Iterator[None]:
    """Show only errors of transformers inside the block.

    Loading a checkpoint for a task reports its new head as missing weights, which it should be.
    """
    with _only_errors("transformers"):
        yield


@contextmanager
def suppress_peft_warnings() -> Iterator[None]:
    """Ignore warnings of peft and bitsandbytes inside the block, which nothing here can change.

    They are about a deprecated name of transformers that peft uses, about the transposed layers of
    GPT-2, about normalization layers having no inputs to count, and about CUDA kernels that BOFT
    could have.
    """
    # by message, not by module: other warnings of peft are about a user's choices, and stay
    with _only_errors("bitsandbytes"), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
        warnings.filterwarnings("ignore", "Unsupported layer type .* encountered")
        warnings.filterwarnings("ignore", "Failed to load the CUDA extension")
        yield


@contextmanager
def _only_errors(library: str) -> Iterator[None]:
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
