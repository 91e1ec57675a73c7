"""`files.json` in a checkpoint: the size and the checksum of each of its files, as it was saved.

Copies break off or leave files out, and people edit: the Trainer goes on from what is there, with a
new optimizer, say, and prints nothing of it.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.core import regular_files
from pipelines.core.disk import replacing
from pipelines.core.errors import RunError, listed

NAME = "files.json"
BLOCK_BYTES = 1 << 20
HASH = "xxh3_64"  # against accidents and mix-ups; several times as fast as a disk
MAX_CHECKED_BYTES = 1 << 30
# what training goes on from, and files or folders that have it; DeepSpeed's has all but the last
PARTS = {
    "weights": ("*.safetensors", "pytorch_model*", "global_step*"),
    "the optimizer's state": ("optimizer*", "global_step*"),
    "the scheduler's state": ("scheduler.pt", "global_step*"),
    "the random state": ("rng_state*.pth",),
}


def note(checkpoint: Path) -> None:
    """Write down which files a checkpoint has.

    Raises:
        OSError: it cannot be written or read.
    """
    files = {
        path.relative_to(checkpoint).as_posix(): _state(path)
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != NAME
    }
    with replacing(checkpoint / NAME) as partial:
        partial.write_text(json.dumps(files, indent=1), encoding="utf-8")


def problems(checkpoint: Path, noted: Mapping[str, Any]) -> Iterator[str]:
    """Yield how files differ from what was noted of them, such as "optimizer.pt is missing".

    Args:
        noted: what `files.json` holds.
    """
    for name, state in noted.items():
        file = checkpoint / name
        if problem := regular_files.problem(file):
            yield f"{name} {problem}"
        elif not file.is_file():
            yield f"{name} is missing"
        elif not _is_same(_state(file), state):
            yield f"{name} is not what was saved"


def damage(folder: Path) -> list[str]:
    """List how the files of a folder differ from what its `files.json` says."""
    file = folder / NAME
    if problem := regular_files.problem(file):
        return [f"{NAME} {problem}"]
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        noted = None
    if not isinstance(noted, dict):
        return [f"{NAME} is missing or damaged"]
    return [*problems(folder, noted)]


def missing_parts(checkpoint: Path) -> Iterator[str]:
    """Yield what a checkpoint without a `files.json` lacks, such as "the random state is missing".

    A run may have been killed right before it wrote the list, and an older version wrote none. The
    same is left of a checkpoint that was being removed, but not with all of its parts.
    """
    for part, patterns in PARTS.items():
        if not any(any(checkpoint.glob(pattern)) for pattern in patterns):
            verb = "are" if part.endswith("weights") else "is"
            yield f"{part} {verb} missing"


def remove_all(folder: Path) -> None:
    """Remove all checkpoints in a folder, each at once: a run that is killed leaves no half."""
    for checkpoint in folder.glob("checkpoint-*"):
        if checkpoint.is_symlink():
            checkpoint.unlink()
        elif checkpoint.name.partition("-")[2].isdecimal():  # no copy of the user
            removed = checkpoint.with_name(f"removed-{checkpoint.name}")
            shutil.rmtree(removed, ignore_errors=True)
            checkpoint.rename(removed)
    for removed in folder.glob("removed-checkpoint-*"):  # of a run that was killed, too
        shutil.rmtree(removed)


def require_best(folder: Path, step: int | None) -> None:
    """Refuse to go on, or to end, without the weights that were the best so far.

    The Trainer would take the last ones in their place, with a line in a log.

    Args:
        folder: of all checkpoints.
        step: at which they were saved; None where none were chosen yet.

    Raises:
        RunError: their checkpoint is gone, or not what was saved.
    """
    if step is None:
        return
    best = folder / f"checkpoint-{step}"
    differences = ["it is gone"] if not best.is_dir() else []
    if (best / NAME).exists():
        differences = damage(best)
    if differences:
        raise RunError(
            f"{best}: has the weights with the best score so far, which a run ends with, and "
            f"{listed(differences)}; put it back, or begin a new run"
        )


def _state(file: Path) -> dict[str, int | str]:
    from xxhash import xxh3_64

    size = file.stat().st_size
    if size > MAX_CHECKED_BYTES:
        return {"bytes": size}
    digest = xxh3_64()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return {"bytes": size, HASH: digest.hexdigest()}


def _is_same(now: Mapping[str, Any], noted: Any) -> bool:
    """Return whether a file is what was noted; an older version noted another checksum, or none."""
    if not isinstance(noted, Mapping):
        return False
    return now["bytes"] == noted.get("bytes") and now.get(HASH) == noted.get(HASH, now.get(HASH))
