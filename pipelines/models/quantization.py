"""Frozen weights kept in 4 or 8 bits by bitsandbytes (QLoRA, arXiv 2305.14314)."""

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pipelines.core.errors import ModelError

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PretrainedConfig

Bits = Literal["4bit", "8bit"]
INSTALL = "bitsandbytes is not installed: pip install 'graft-finetune[quantization]'"
# as the paper has it: normal floats, and their constants quantized once more
ARGUMENTS: dict[Bits, dict[str, Any]] = {
    "4bit": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
    },
    "8bit": {"load_in_8bit": True},
}


def is_installed() -> bool:
    """Whether bitsandbytes could be imported."""
    return find_spec("bitsandbytes") is not None


def settings(bits: Bits, auto: Any, config: "PretrainedConfig") -> "BitsAndBytesConfig":
    """What `auto.from_pretrained` is told: all linear layers but those of the head, which trains.

    What is multiplied is of the precision of training, float32 where nothing is said.

    Raises:
        ModelError: bitsandbytes is missing or knows no device of this machine.
    """
    import torch
    from transformers import BitsAndBytesConfig
    from transformers.integrations import validate_bnb_backend_availability

    from pipelines.models.anatomy import dissect

    if not is_installed():
        raise ModelError(f"model.quantization: '{bits}': {INSTALL}")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # says at each step what it casts
    try:
        validate_bnb_backend_availability(raise_exception=True)
    except (ImportError, RuntimeError) as error:
        told = str(error).strip().partition("\n")[0]
        raise ModelError(f"model.quantization: '{bits}': {told}") from None
    with torch.device("meta"):
        head = dissect(auto.from_config(config)).head
    return BitsAndBytesConfig(llm_int8_skip_modules=list(head) or None, **ARGUMENTS[bits])


def disable_avx512_packing(model: Any) -> None:
    """On CPUs with AVX-512 bitsandbytes packs the 4 bits that it evaluates for its own inference,
    and leaves them so: from the first evaluation on, no gradient would pass them."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def usage(bits: Bits) -> str:
    """Write the same configuration as Python, where `adapter` is the adapter's configuration."""
    arguments = "".join(f", {name}={value!r}" for name, value in ARGUMENTS[bits].items())
    return f"BitsAndBytesConfig(llm_int8_skip_modules=adapter.modules_to_save or None{arguments})"
