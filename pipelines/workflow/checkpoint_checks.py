"""Whether training can go on from a checkpoint, before anything of it is loaded."""

import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from pipelines.core import processes, regular_files
from pipelines.core.console import say
from pipelines.core.errors import RunError, listed
from pipelines.core.sharding import NAMES, saved_sharding, sharding_key
from pipelines.report import strict_json
from pipelines.training import checkpoint_files
from pipelines.training.checkpoint_files import NAME

ARCHIVES = frozenset({".bin", ".pt", ".pth"})  # as torch saves them


def refuse_damaged(checkpoint: Path) -> None:
    """Open every file of a checkpoint: a full disk or a copy that broke off cuts files short.

    Each is compared with what was saved. Without a list of that, all parts have to be there.

    Raises:
        RunError: names the file, and what to do without it.
    """
    remedy = "resume from an older one of the run, if there is one, or start it anew"
    for file in sorted(checkpoint.rglob("*")):
        if problem := regular_files.problem(file, or_folder=True):
            raise RunError(f"{file}: {problem}; {remedy}")
        if file.suffix == ".json":
            strict_json.read(file, remedy)
        elif file.suffix == ".safetensors":
            _open_tensors(file, remedy)
        elif file.suffix in ARCHIVES:
            _check_archive(file, remedy)
    noted = checkpoint / NAME
    if noted.is_file():
        problems = [*checkpoint_files.problems(checkpoint, strict_json.read(noted, remedy))]
    else:
        problems = [*checkpoint_files.missing_parts(checkpoint)]
    if problems:
        raise RunError(f"{checkpoint}: damaged: {listed(problems)}; {remedy}")
    if not noted.is_file():
        say(
            f"note: {checkpoint.name} has no {NAME}: its run was killed right before that was "
            "written, or an older version of Graft saved it; its files are not compared"
        )


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


def _check_archive(file: Path, remedy: str) -> None:
    """Read a zip archive, which is what torch saves, and compare its checksums."""
    damage = "cut short or not written by torch"
    with suppress(BadZipFile, OSError, EOFError, zlib.error), ZipFile(file) as archive:
        name = archive.testzip()  # the first entry that differs
        if name is None:
            return
        damage = f"{name} in it has another checksum"
    raise RunError(f"{file}: damaged: {damage}; {remedy}")


def _open_tensors(file: Path, remedy: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        # its header states where each tensor ends, which is compared with the size of the file
        with safe_open(file, "numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise RunError(f"{file}: damaged: {error}; {remedy}") from None
