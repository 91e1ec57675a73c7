"""The energy that a part of a run takes, where the machine counts it.

Processors count in RAPL (`/sys/class/powercap`, which many systems let only root read), GPUs in
NVML (package `nvidia-ml-py`). Both count whatever runs on them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pipelines.core.hardware import trains_on_cpu

POWERCAP = Path("/sys/class/powercap")
# a counter of 65 kJ, as older processors have it, begins again after four minutes at 270 W
SECONDS_BETWEEN_READINGS = 30.0
MICRO, MILLI = 1e-6, 1e-3
JOULES_PER_WATT_HOUR = 3600


def watt_hours(joules: float) -> str:
    """Write joules as `1.25 Wh`."""
    return f"{joules / JOULES_PER_WATT_HOUR:,.3g} Wh"


@dataclass(frozen=True)
class EnergyCounter:
    """A counter of the machine.

    Attributes:
        read: gives joules since some moment.
        period: the joules after which it begins again at 0.
    """

    read: Callable[[], float]
    period: float = inf


@dataclass
class EnergyMeter:
    """The joules that counters went on by; None where there is none, or one cannot be read."""

    counters: Sequence[EnergyCounter]
    joules: float | None = field(init=False, default=None)
    _last: list[float] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._last = [counter.read() for counter in self.counters]
        self.joules = 0.0 if self.counters else None

    def update(self) -> None:
        """Add what counters went on by since the last time; a counter begins again at its end."""
        if self.joules is None:
            return
        try:
            values = [counter.read() for counter in self.counters]
        except (OSError, ValueError):
            self.joules = None
            return
        for counter, last, value in zip(self.counters, self._last, values, strict=True):
            self.joules += value - last if value >= last else value - last + counter.period
        self._last = values


@contextmanager
def measuring(training: Mapping[str, Any], powercap: Path = POWERCAP) -> Iterator[EnergyMeter]:
    """Measure the energy of a block; the meter has all of it when the block has ended.

    Args:
        training: the recipe's `training:`, which may ask for the CPU.
    """
    meter = EnergyMeter([*_counters(training, powercap)])
    done = Event()

    def watch() -> None:
        while not done.wait(SECONDS_BETWEEN_READINGS):
            meter.update()

    thread = Thread(target=watch, daemon=True)
    if meter.counters:
        thread.start()
    try:
        yield meter
    finally:
        done.set()
        if meter.counters:
            thread.join()
        meter.update()


def _counters(training: Mapping[str, Any], powercap: Path) -> Iterator[EnergyCounter]:
    """Yield processors and GPUs; none where a run trains on GPUs that do not count."""
    import torch

    gpus: list[EnergyCounter] = []
    if torch.cuda.is_available() and not trains_on_cpu(training):
        gpus = _gpus(torch.cuda.device_count())
        if not gpus:
            return
    yield from gpus
    try:
        yield from [*_packages(powercap)]
    except (OSError, ValueError):  # only root may read them
        return


def _packages(powercap: Path) -> Iterator[EnergyCounter]:
    """Yield the sockets; their cores and memory are zones below them."""
    for zone in sorted(powercap.glob("intel-rapl:*")):  # of AMD, too
        if not (zone / "name").read_text(encoding="ascii").startswith("package"):
            continue

        def read(file: Path = zone / "energy_uj") -> float:
            return MICRO * int(file.read_text(encoding="ascii"))

        read()
        period = MICRO * int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
        yield EnergyCounter(read, period)


def _gpus(count: int) -> list[EnergyCounter]:
    """List the GPUs that the process sees; none where one of them does not count."""
    import torch

    try:
        import pynvml
    except ImportError:
        return []
    counters = []
    try:
        pynvml.nvmlInit()
        for number in range(count):
            name = f"GPU-{torch.cuda.get_device_properties(number).uuid}"
            handle = pynvml.nvmlDeviceGetHandleByUUID(name)

            def read(handle: Any = handle) -> float:
                try:
                    return MILLI * float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
                except pynvml.NVMLError as error:
                    raise OSError(str(error)) from error

            read()
            counters.append(EnergyCounter(read))
    except (pynvml.NVMLError, OSError):  # older than Volta, or a slice of one
        return []
    return counters
