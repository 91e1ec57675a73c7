"""What the machine can do fast, as far as results stay the same within noise."""

import os
import sys
from collections.abc import Mapping
from typing import Any

MOST_WORKERS = 8
# malloc.h: M_TRIM_THRESHOLD, never; M_TOP_PAD; M_MMAP_THRESHOLD, so that large tensors count, too
MALLOPT = {-1: -1, -2: 2**26, -3: 2**30}
AMPERE = (8, 0)  # the compute capability from which on GPUs multiply bfloat16 and tf32


def defaults(training: Mapping[str, Any], *, decodes: bool = False) -> dict[str, Any]:
    """TrainingArguments that fit this machine; what the recipe says in `training` wins.

    Weights, gradients and optimizer stay float32: bfloat16 is for what is multiplied (mixed
    precision, arXiv 1905.12322). What is kept as evidence is computed in float32. Loaders get
    processes of their own where examples `decodes` anew each time and there are cores for them.
    """
    fields: dict[str, Any] = {}
    if not training.keys() & {"bf16", "fp16"} and bfloat16(training):
        fields["bf16"] = True
    workers = min(MOST_WORKERS, _cores() - 1) if decodes else 0
    if workers > 1:  # one alone hands over as slowly as it reads
        fields |= {"dataloader_num_workers": workers, "dataloader_persistent_workers": True}
    return fields


def set_memory_format(model: Any, *, channels_last: bool) -> None:
    """Channels last in memory is how convolutions are fastest: 1.2 to 2 times, on CPUs as well.

    What is scored is as it will be loaded: in another order sums differ in their last digits.
    """
    import torch

    order = torch.channels_last if channels_last else torch.contiguous_format
    model.to(memory_format=order)


def keep_memory() -> None:
    """glibc gives the memory of a step back, and the next one has to have its pages cleared again:
    what this process has taken it keeps. 1.1 times faster steps on a CPU, 1.2 times in bf16."""
    import ctypes

    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc's
        for option, value in MALLOPT.items():
            libc.mallopt(option, value)


def share_cores() -> None:
    """Launchers give each process on a CPU one thread unless told otherwise: share the cores."""
    import torch

    launched = os.environ.keys() & {"ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"}
    if launched and os.environ.get("OMP_NUM_THREADS") == "1" and not torch.cuda.is_available():
        torch.set_num_threads(_cores())


def trains_on_cpu(training: Mapping[str, Any]) -> bool:
    """Return whether the recipe asks for the CPU, or there is nothing else."""
    import torch

    return bool(training.get("use_cpu", not torch.accelerator.is_available()))


def _cores() -> int:
    """That this process may use: its share of the machine's."""
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def bfloat16(training: Mapping[str, Any]) -> str | None:
    """What makes bfloat16 faster than float32 here; None where it is not."""
    import torch

    if not trains_on_cpu(training):
        is_new = torch.cuda.is_available() and torch.cuda.get_device_capability() >= AMPERE
        return "tensor cores" if is_new else None
    has = torch.cpu.get_capabilities()
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    return next((name for key, name in names.items() if has.get(key)), None)


def memory(training: Mapping[str, Any]) -> float:
    """Bytes that are free where this process trains."""
    import psutil
    import torch

    if not trains_on_cpu(training) and torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0])
    return psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def describe(arguments: Any) -> str:
    """Devices, threads and precision, in a few words: `1 x cpu, 2 threads, bf16`."""
    import torch

    kind = arguments.device.type
    told = [f"{max(1, arguments.world_size)} x {kind}"]
    if kind == "cpu":
        told.append(f"{torch.get_num_threads()} threads")
    precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "float32"
    return ", ".join([*told, precision])
