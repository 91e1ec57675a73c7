"""What peft and bitsandbytes remark on, and nobody here can change."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_peft_warnings() -> Iterator[None]:
    """Without a word on a name of transformers' that peft still uses, on how GPT-2's layers are
    turned, on norms having no inputs to count, and on kernels that BOFT and bitsandbytes could
    have."""
    logger = logging.getLogger("bitsandbytes")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
            )
            warnings.filterwarnings("ignore", "fan_in_fan_out is set to")
            warnings.filterwarnings("ignore", "Unsupported layer type .* encountered")
            warnings.filterwarnings("ignore", "Failed to load the CUDA extension")
            yield
    finally:
        logger.setLevel(level)
