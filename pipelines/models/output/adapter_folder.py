"""An adapter's folder: written by peft, and read back on the checkpoint that it names.

adapter_model.safetensors   the updates and the new head
adapter_config.json         which method, which modules, which checkpoint and commit
config.json                 the model's config with its labels, which the checkpoint does not know
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.models import quantization
from pipelines.models.peft_warnings import suppress_peft_warnings

if TYPE_CHECKING:
    import torch

    from pipelines.models.quantization import Bits

WEIGHTS = "adapter_model.safetensors"


def write(model: Any, folder: Path, revision: str | None) -> None:
    """Save a PeftModel as an adapter of the checkpoint that it was made from, as that was named.

    A PiSSA or OLoRA model brings along `start`, the updates that it started from.
    """
    adapter, config = model.active_peft_config, model.config
    adapter.base_model_name_or_path, adapter.revision = config.name_or_path, revision
    with suppress_peft_warnings():
        model.save_pretrained(folder, save_embedding_layers=False)
    if start := getattr(model, "start", None):
        _as_lora(folder, start)
    (folder / "README.md").unlink()  # peft's form of a card, without any content
    fields = config.to_dict()
    fields.pop("quantization_config", None)  # the checkpoint is not; a reader may quantize it
    type(config).from_dict(fields).save_pretrained(folder)


def folder_below(folder: Path) -> str | None:
    """The folder of this machine that the adapter in `folder` is for; None of a Hub id or of a
    whole model."""
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    said = json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"]
    return said if Path(said).exists() else None


def read(folder: Path, auto: Any, bits: "Bits | None") -> Any:
    """The checkpoint that the adapter names, with the saved config, and the adapter on it."""
    import torch
    from transformers import AutoConfig

    from pipelines.models.load import silence_transformers

    with suppress_peft_warnings():
        from peft import PeftConfig, PeftModel

    said, config = PeftConfig.from_pretrained(str(folder)), AutoConfig.from_pretrained(folder)
    more = {"quantization_config": quantization.settings(bits, auto, config)} if bits else {}
    with silence_transformers():  # a new head is missing from the checkpoint: the adapter brings it
        base = auto.from_pretrained(
            said.base_model_name_or_path,
            revision=said.revision,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            **more,
        )
    quantization.disable_avx512_packing(base)
    with suppress_peft_warnings():
        return PeftModel.from_pretrained(base, folder)


def _as_lora(folder: Path, start: "dict[str, torch.Tensor]") -> None:
    """W - B0 A0 + B A, which is what was trained, as an update of W of twice the rank.

    peft's own conversion (`path_initial_model_for_weight_conversion`) forgets the head.
    """
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
    config.lora_alpha *= 2**0.5 if config.use_rslora else 2
    config.save_pretrained(folder, auto_mapping_dict=config.auto_mapping)
