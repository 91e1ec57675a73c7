"""The memory that a process may have: of the machine, of `ulimit -v`, of its cgroups.

A container and a job of Slurm, systemd or Kubernetes are cgroups. One of them has its own limit and
those of all above it; whoever needs more is killed by the kernel, without an error to explain.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.core.hardware import trains_on_cpu

NO_LIMIT = 2**60  # bytes: version 1 of cgroups writes a huge number for none
# of version 1 and 2: limit, use, and the line of memory.stat with what can be dropped at once
FILES = (
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ("memory.max", "memory.current", "inactive_file"),
)


@dataclass(frozen=True)
class Limit:
    """A number of bytes that may be used, and how many are."""

    num_bytes: int
    used: int

    @property
    def free(self) -> int:
        """Bytes that may still be used."""
        return max(0, self.num_bytes - self.used)


def limit(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process may have, if a limit says so.

    Args:
        root: of the file system that the kernel describes processes and cgroups in.
    """
    known = [each.num_bytes for each in (*_of_process(), *of_cgroups(root))]
    return min(known, default=None)


def free(training: Mapping[str, Any], root: Path = Path("/")) -> float:
    """Return the bytes that are free where this process trains."""
    import psutil
    import torch

    if not trains_on_cpu(training) and torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0])
    # processes of a machine share its memory and their cgroup's; a GPU is a process's own
    shared = (psutil.virtual_memory().available, *(each.free for each in of_cgroups(root)))
    num_sharing = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(min(shared) / num_sharing, *(each.free for each in _of_process()), float("inf"))


def _of_process() -> Iterator[Limit]:
    """Yield the limit of `ulimit -v`, if there is one."""
    import psutil

    with suppress(ImportError):  # of Unix
        import resource

        num_bytes = resource.getrlimit(resource.RLIMIT_AS)[0]
        if 0 < num_bytes < NO_LIMIT:
            yield Limit(num_bytes, psutil.Process().memory_info().vms)


def of_cgroups(root: Path = Path("/")) -> Iterator[Limit]:
    """Yield the limits of the cgroup of this process, and of those above it."""
    for folder, top, names in _cgroups(root):
        for place in (folder, *folder.parents):
            with suppress(OSError, ValueError):  # "max": none
                known = _read(place, *names)
                if 0 < known.num_bytes < NO_LIMIT:
                    yield known
            if place == top:
                break


def _cgroups(root: Path) -> Iterator[tuple[Path, Path, tuple[str, str, str]]]:
    """Yield the cgroup of this process, the top of its tree, and the names of its files."""
    tree = root / "sys" / "fs" / "cgroup"
    text = ""
    with suppress(OSError, ValueError):
        text = (root / "proc" / "self" / "cgroup").read_text(encoding="utf-8")
    for line in text.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        top, names = (tree / "memory", FILES[0]) if controllers else (tree, FILES[1])
        # a container sees its own cgroup at the top, and may know the path that its host sees
        parts = [part for part in path.split("/") if part]
        yield (top if ".." in parts else top.joinpath(*parts)), top, names


def _read(folder: Path, limit: str, usage: str, droppable: str) -> Limit:
    """Read the files of a cgroup.

    Raises:
        OSError, ValueError: there are none, or no limit.
    """
    num_bytes = int((folder / limit).read_text(encoding="ascii"))
    used = 0
    with suppress(OSError, ValueError):
        used = int((folder / usage).read_text(encoding="ascii"))
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        used -= sum(int(line.split()[1]) for line in lines if line.startswith(f"{droppable} "))
    return Limit(num_bytes, max(0, used))
