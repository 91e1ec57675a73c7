"""The most memory that a part of a run has in use."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.core.hardware import trains_on_cpu

PROCESS = Path("/proc/self")
RESET_PEAK = "5"  # what clear_refs takes for it (proc(5))
KIB = 1024


class PeakMemory:
    """The most memory in use since this was made: of the GPU, else of the whole process.

    Args:
        training: the recipe's `training:`, which may ask for the CPU.
    """

    def __init__(self, training: Mapping[str, Any]) -> None:
        import torch

        self.is_of_gpu = not trains_on_cpu(training) and torch.cuda.is_available()
        if self.is_of_gpu:
            torch.cuda.reset_peak_memory_stats()
        with suppress(OSError):  # of another system, or in a container that forbids it
            (PROCESS / "clear_refs").write_text(RESET_PEAK)

    @property
    def num_bytes(self) -> int | None:
        """Bytes; None where the system does not say."""
        if self.is_of_gpu:
            import torch

            return torch.cuda.max_memory_allocated()
        try:
            lines = (PROCESS / "status").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        peaks = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return next((int(peak) * KIB for peak in peaks), None)
