"""How much each token or pixel of an input speaks for an answer: integrated gradients.

Captum computes them (arXiv 1703.01365): the sum over an input is what the model's output gains
beside an input that says nothing, which is an empty text or a gray picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from pipelines.core.errors import ModelError

INSTALL = "captum: not installed: pip install 'graft-finetune[explain]'"
NUM_STEPS = 50  # between the empty input and the real one
ROWS_PER_BATCH = 10  # of those steps, that are computed together


@dataclass(frozen=True)
class Attribution:
    """What an answer rests on.

    Attributes:
        values: (tokens,), or (height, width) of a picture: what speaks for it is positive.
        gap: how far their sum is from the output's gain, which it should equal.
    """

    values: np.ndarray
    gap: float


def check_installed() -> None:
    """Refuse before anything is loaded.

    Raises:
        ModelError: captum is missing; says how to install it.
    """
    if find_spec("captum") is None:
        raise ModelError(INSTALL)


def of_tokens(
    output: Callable[..., Any], table: Any, ids: Any, blank: Any, others: tuple[Any, ...]
) -> Attribution:
    """Attribute an output to the tokens of a text.

    Args:
        output: (ids, *others) -> (rows,) the output to explain.
        table: the module that embeds tokens.
        ids: (1, tokens).
        blank: (1, tokens) the ids of an empty text as long as this one.
        others: the model's other inputs, such as the attention mask.
    """
    from captum.attr import LayerIntegratedGradients

    method = LayerIntegratedGradients(output, table)
    values, gap = method.attribute(ids, blank, additional_forward_args=others, **_options())
    return Attribution(_array(values).sum(axis=-1)[0], abs(float(gap[0])))


def of_pixels(output: Callable[..., Any], pixels: Any) -> Attribution:
    """Attribute an output to the pixels of a picture, beside one of mean color.

    Args:
        output: (rows, channels, height, width) -> (rows,) the output to explain.
        pixels: (1, channels, height, width), normalized: the mean color is zero.
    """
    from captum.attr import IntegratedGradients

    values, gap = IntegratedGradients(output).attribute(pixels, **_options())
    return Attribution(_array(values).sum(axis=1)[0], abs(float(gap[0])))


def _options() -> dict[str, Any]:
    return {
        "n_steps": NUM_STEPS,
        "internal_batch_size": ROWS_PER_BATCH,
        "return_convergence_delta": True,
    }


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu(), float)
