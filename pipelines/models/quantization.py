"""Frozen weights in 4 or 8 bits by bitsandbytes (QLoRA, arXiv 2305.14314)."""

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PretrainedConfig

Bits = Literal["4bit", "8bit"]
INSTALL = "bitsandbytes is not installed: pip install 'graft-finetune[quantization]'"
# as in the paper: 4-bit normal floats, whose scales are quantized once more
ARGUMENTS: dict[Bits, dict[str, Any]] = {
    "4bit": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    },
    "8bit": {"load_in_8bit": True},
}


def is_installed() -> bool:
    """Return whether bitsandbytes could be imported."""
    return find_spec("bitsandbytes") is not None


def settings(
    bits: Bits, auto: Any, config: "PretrainedConfig", *, trusts_code: bool
) -> "BitsAndBytesConfig":
    """Build the `quantization_config` for `auto.from_pretrained`.

    It covers all linear layers but those of the head, which trains.

    Args:
        trusts_code: run Python code that comes with the checkpoint; else it is an error.

    Raises:
        ModelError: bitsandbytes is missing or knows no device of this machine.
    """
    import torch
    from transformers import BitsAndBytesConfig
    from transformers.integrations import validate_bnb_backend_availability

    from pipelines.models.anatomy import dissect

    if not is_installed():
        raise ModelError(f"model.quantization: '{bits}': {INSTALL}")
    # it would report at each step which type it casts to
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        validate_bnb_backend_availability(raise_exception=True)
    except (ImportError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"model.quantization: '{bits}': {reason}") from None
    # the head's names are needed before there is a model; on "meta" one costs nothing
    with torch.device("meta"):
        head = dissect(auto.from_config(config, trust_remote_code=trusts_code)).head
    return BitsAndBytesConfig(llm_int8_skip_modules=list(head) or None, **ARGUMENTS[bits])


def disable_avx512_packing(model: Any) -> None:
    """Keep bitsandbytes from packing 4-bit weights for its AVX-512 inference.

    It does so at the first evaluation and leaves them packed: from then on no gradient would pass.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def usage(bits: Bits) -> str:
    """Write the same settings as Python, where `adapter` is the adapter's configuration."""
    options = "".join(f", {name}={value!r}" for name, value in ARGUMENTS[bits].items())
    return f"BitsAndBytesConfig(llm_int8_skip_modules=adapter.modules_to_save or None{options})"
