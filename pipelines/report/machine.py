"""What a run is made with: Graft's commit, packages, processors. No user and no host name."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.core.version import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = (
    "graft-finetune",
    "torch",
    "torchvision",
    "transformers",
    "tokenizers",
    "huggingface_hub",
    "datasets",
    "accelerate",
    "peft",
    "timm",
    "evaluate",
    "sentence-transformers",
    "scikit-learn",
    "numpy",
    "safetensors",
)


def describe() -> dict[str, Any]:
    """Describe code, versions and hardware, without importing any of the packages."""
    return {
        "graft": dict(_graft()),
        "python": platform.python_version(),
        "packages": dict(_packages()),
        "hardware": {
            "platform": f"{platform.system()} {platform.machine()}",
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "gpus": _gpus(),
        },
    }


@cache  # a process goes on with the code and the packages that it has loaded
def _graft() -> Mapping[str, Any]:
    """Identify Graft by its version and its working tree's commit: null in a wheel."""
    top = _git("rev-parse", "--show-toplevel")
    # inside another repository, git would report the commit of that one
    if not top or Path(top).resolve() != ROOT:
        return {"version": __version__, "commit": None, "modified": None}
    changes = _git("status", "--porcelain", "--", "pipelines")
    return {
        "version": __version__,
        "commit": _git("rev-parse", "HEAD"),
        "modified": bool(changes),
    }


def _git(*command: str) -> str | None:
    try:
        finished = subprocess.run(
            ["git", "-C", str(ROOT), *command], capture_output=True, text=True, timeout=10
        )
    # no git, or a file system that hangs: the lock is written without a commit
    except (OSError, subprocess.TimeoutExpired):
        return None
    return finished.stdout.strip() if finished.returncode == 0 else None


@cache
def _packages() -> Mapping[str, str]:
    versions = {}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _cpu() -> str:
    try:
        # platform.processor() is empty on Linux
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _gpus() -> dict[str, int]:
    """Count the GPUs by name."""
    # importing torch takes seconds; a process that has not imported it uses no GPU
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return dict(Counter(map(torch.cuda.get_device_name, range(torch.cuda.device_count()))))
