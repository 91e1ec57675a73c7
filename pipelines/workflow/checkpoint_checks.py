"""Whether training can go on from a checkpoint, before anything of it is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from pipelines.core import processes
from pipelines.core.errors import RunError
from pipelines.core.sharding import NAMES, saved_sharding, sharding_key
from pipelines.report import strict_json


def refuse_damaged(checkpoint: Path) -> None:
    """Open every file of a checkpoint: a full disk or a copy that broke off cuts files short.

    Raises:
        RunError: names the file, and what to do without it.
    """
    remedy = "resume from an older checkpoint of the run, if there is one, or start it anew"
    for file in sorted(checkpoint.rglob("*")):
        if file.suffix == ".json":
            strict_json.read(file, remedy)
        elif file.suffix == ".safetensors":
            _open_tensors(file, remedy)
        # what torch saves is a zip archive, whose table of contents stands at its end
        elif file.suffix in {".bin", ".pt", ".pth"} and not is_zipfile(file):
            raise RunError(f"{file}: damaged: cut short or not written by torch; {remedy}")


def refuse_other_sharding(checkpoint: Path, training: Mapping[str, Any]) -> None:
    """Refuse to load what an optimizer saved whose state was spread in another way.

    Raises:
        RunError: names both ways.
    """
    # without a launcher nothing is spread, whatever is asked for
    now = sharding_key(training) if processes.is_launched() else None
    before = saved_sharding(checkpoint)
    has_optimizer = before or (checkpoint / "optimizer.pt").is_file()
    if has_optimizer and before != now:
        raise RunError(
            f"{checkpoint}: was saved by a training with {NAMES[before]}, which keeps its "
            f"optimizer in files of its own, and now there is {NAMES[now]}; launch it as before, "
            "or begin a new run"
        )


def _open_tensors(file: Path, remedy: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        # its header states where each tensor ends, which is compared with the size of the file
        with safe_open(file, "numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise RunError(f"{file}: damaged: {error}; {remedy}") from None
