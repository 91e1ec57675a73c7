"""What the machine can do fast, as far as results stay the same within noise."""

from collections.abc import Mapping
from typing import Any

AMPERE = (8, 0)  # the compute capability from which on GPUs multiply bfloat16 and tf32


def defaults(training: Mapping[str, Any]) -> dict[str, Any]:
    """TrainingArguments that fit this machine; what the recipe says in `training` wins.

    Weights, gradients and optimizer stay float32: bfloat16 is for what is multiplied (mixed
    precision, arXiv 1905.12322). What is kept as evidence is computed in float32.
    """
    if training.keys() & {"bf16", "fp16"} or not bfloat16(training):
        return {}
    return {"bf16": True}


def bfloat16(training: Mapping[str, Any]) -> str | None:
    """What makes bfloat16 faster than float32 here; None where it is not."""
    import torch

    from pipelines.console import trains_on_cpu

    if not trains_on_cpu(training):
        is_new = torch.cuda.is_available() and torch.cuda.get_device_capability() >= AMPERE
        return "tensor cores" if is_new else None
    has = torch.cpu.get_capabilities()
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    return next((name for key, name in names.items() if has.get(key)), None)


def describe(arguments: Any) -> str:
    """Devices, threads and precision, in a few words: `1 x cpu, 2 threads, bf16`."""
    import torch

    kind = arguments.device.type
    told = [f"{max(1, arguments.world_size)} x {kind}"]
    if kind == "cpu":
        told.append(f"{torch.get_num_threads()} threads")
    precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "float32"
    return ", ".join([*told, precision])
