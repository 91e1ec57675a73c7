"""Settings that suit the machine: faster, with results that are the same within noise."""

import os
import sys
from collections.abc import Mapping
from typing import Any

MAX_WORKERS = 8  # of a data loader
# malloc.h: M_TRIM_THRESHOLD never; M_TOP_PAD; M_MMAP_THRESHOLD, so that large tensors count too
MALLOC_OPTIONS = {-1: -1, -2: 2**26, -3: 2**30}
AMPERE = (8, 0)  # the first compute capability whose tensor cores multiply bfloat16 and tf32


def defaults(training: Mapping[str, Any], *, decodes: bool = False) -> dict[str, Any]:
    """Return TrainingArguments that suit this machine; the recipe's `training` wins.

    Weights, gradients and optimizer stay float32, products are bfloat16 (mixed precision, arXiv
    1905.12322). Evidence is computed in float32.

    Args:
        training: the recipe's `training:`.
        decodes: whether examples are decoded again in each epoch: the data loader then gets
            worker processes, if there are cores for them.
    """
    fields: dict[str, Any] = {}
    if not training.keys() & {"bf16", "fp16"} and bfloat16(training):
        fields["bf16"] = True
    workers = min(MAX_WORKERS, _cores() - 1) if decodes else 0
    if workers > 1:  # a single one hands over as slowly as it reads
        fields |= {"dataloader_num_workers": workers, "dataloader_persistent_workers": True}
    return fields


def set_memory_format(model: Any, *, channels_last: bool) -> None:
    """Set the memory order of weights: channels last makes convolutions 1.2 to 2 times faster.

    A model that is scored has the default order, as it will have when it is loaded: in another
    order sums differ in their last digits.
    """
    import torch

    order = torch.channels_last if channels_last else torch.contiguous_format
    model.to(memory_format=order)


def keep_memory() -> None:
    """Keep memory in the process that glibc would return after each step.

    The next step would get it back as pages that have to be cleared first. Makes steps on a CPU 1.1
    times faster, 1.2 times in bf16.
    """
    import ctypes

    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has no mallopt
        for option, value in MALLOC_OPTIONS.items():
            libc.mallopt(option, value)


def free_memory() -> None:
    """Free the memory of a model before the next one is loaded."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


def share_cores() -> None:
    """Share the cores among processes: launchers give each one thread on a CPU by default."""
    import torch

    launched = os.environ.keys() & {"ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"}
    # only the 1 that launchers set: another number is the user's
    if launched and os.environ.get("OMP_NUM_THREADS") == "1" and not torch.cuda.is_available():
        torch.set_num_threads(_cores())


def trains_on_cpu(training: Mapping[str, Any]) -> bool:
    """Return whether the recipe asks for the CPU, or there is nothing else."""
    import torch

    return bool(training.get("use_cpu", not torch.accelerator.is_available()))


def _cores() -> int:
    """Count the cores that this process may use: its share of the machine's."""
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def bfloat16(training: Mapping[str, Any]) -> str | None:
    """Name what makes bfloat16 faster than float32 here; None where it is not."""
    import torch

    if not trains_on_cpu(training):
        is_new = torch.cuda.is_available() and torch.cuda.get_device_capability() >= AMPERE
        return "tensor cores" if is_new else None
    capabilities = torch.cpu.get_capabilities()
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}
    return next((name for key, name in names.items() if capabilities.get(key)), None)


def describe(arguments: Any) -> str:
    """Describe devices, threads and precision: `1 x cpu, 2 threads, bf16`."""
    import torch

    kind = arguments.device.type
    words = [f"{max(1, arguments.world_size)} x {kind}"]
    if kind == "cpu":
        words.append(f"{torch.get_num_threads()} threads")
    precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "float32"
    return ", ".join([*words, precision])
