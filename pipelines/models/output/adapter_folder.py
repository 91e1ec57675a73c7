"""An adapter's folder: written by peft, and read back on the checkpoint that it names.

adapter_model.safetensors   the updates and the new head
adapter_config.json         which method, which modules, which checkpoint and commit
config.json                 the model's config with its labels, which the checkpoint does not know
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.models import quantization
from pipelines.models.library_warnings import silence_transformers, suppress_peft_warnings

if TYPE_CHECKING:
    import torch

    from pipelines.models.quantization import Bits

WEIGHTS = "adapter_model.safetensors"


def write(model: Any, folder: Path, revision: str | None) -> None:
    """Save a PeftModel as an adapter of the checkpoint that it was made from.

    A PiSSA or OLoRA model has an attribute `start`: the updates that it started from.

    Args:
        revision: the commit of the checkpoint; None for a folder.
    """
    adapter, config = model.active_peft_config, model.config
    adapter.base_model_name_or_path, adapter.revision = config.name_or_path, revision
    with suppress_peft_warnings():
        # by default peft looks the base model up, to see whether its vocabulary grew
        model.save_pretrained(folder, save_embedding_layers=False)
    if start := getattr(model, "start", None):
        _as_lora(folder, start)
    (folder / "README.md").unlink()  # peft writes an empty form of a card
    fields = config.to_dict()
    fields.pop("quantization_config", None)  # readers choose: the checkpoint has none
    type(config).from_dict(fields).save_pretrained(folder)


def folder_below(folder: Path) -> str | None:
    """Get the folder on this machine that holds the checkpoint of the adapter in `folder`.

    Returns:
        None where the checkpoint is a Hub id, or where `folder` holds a whole model.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    checkpoint = json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"]
    return checkpoint if Path(checkpoint).exists() else None


def read(folder: Path, auto: Any, bits: "Bits | None", *, trusts_code: bool = False) -> Any:
    """Load the checkpoint that the adapter names, with the saved config, and the adapter on it.

    Args:
        auto: the auto class.
        bits: of the checkpoint's weights; None for float32.
        trusts_code: run Python code that comes with the checkpoint; else it is an error.
    """
    import torch
    from transformers import AutoConfig

    with suppress_peft_warnings():
        from peft import PeftConfig, PeftModel

    trust = {"trust_remote_code": trusts_code}
    adapter = PeftConfig.from_pretrained(str(folder))
    config = AutoConfig.from_pretrained(folder, **trust)
    options: dict[str, Any] = {}
    if bits:
        settings = quantization.settings(bits, auto, config, trusts_code=trusts_code)
        options["quantization_config"] = settings
    with silence_transformers():  # a new head is missing from the checkpoint: the adapter brings it
        # the saved config brings the labels; the checkpoint's own head may be of another size
        base = auto.from_pretrained(
            adapter.base_model_name_or_path,
            revision=adapter.revision,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            **trust,
            **options,
        )
    quantization.disable_avx512_packing(base)
    with suppress_peft_warnings():
        return PeftModel.from_pretrained(base, folder)


def _as_lora(folder: Path, start: "dict[str, torch.Tensor]") -> None:
    """Rewrite a saved adapter as plain LoRA of the checkpoint.

    PiSSA and OLoRA take an update B0 A0 off the checkpoint's W and train B A from there. The result
    W - B0 A0 + B A is W plus an update of twice the rank: [B, -B0] [A; A0].
    """
    # peft's conversion (`path_initial_model_for_weight_conversion`) forgets the head
    import torch
    from peft import LoraConfig
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    for name, first in start.items():
        if ".lora_A." in name:
            weights[name] = torch.cat([weights[name], first])
        elif ".lora_B." in name:
            weights[name] = torch.cat([weights[name], -first], dim=1)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    config: Any = LoraConfig.from_pretrained(str(folder))
    config.r, config.init_lora_weights = 2 * config.r, True
    # updates are scaled by alpha / r, with rslora by alpha / sqrt(r): the scale has to stay
    config.lora_alpha *= 2**0.5 if config.use_rslora else 2
    config.save_pretrained(folder, auto_mapping_dict=config.auto_mapping)
