"""`files.json` in a checkpoint: the size and the checksum of each of its files, as it was saved.

Copies break off or leave files out, and people edit: the Trainer goes on from what is there, with a
new optimizer, say, and prints nothing of it.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.core import regular_files
from pipelines.core.disk import replacing
from pipelines.core.errors import RunError, listed

NAME = "files.json"
BLOCK_BYTES = 1 << 20
# a gigabyte takes about a second; what torch saves is an archive with checksums of its own
MAX_CHECKED_BYTES = 1 << 30
ARCHIVES = frozenset({".bin", ".pt", ".pth"})


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
        elif _state(file) != state:
            yield f"{name} is not what was saved"


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
    noted = best / NAME
    damage = ["it is gone"] if not best.is_dir() else []
    if noted.is_file():
        damage = [*problems(best, json.loads(noted.read_text(encoding="utf-8")))]
    if damage:
        raise RunError(
            f"{best}: has the weights with the best score so far, which a run ends with, and "
            f"{listed(damage)}; put it back, or begin a new run"
        )


def _state(file: Path) -> dict[str, int]:
    size = file.stat().st_size
    if size > MAX_CHECKED_BYTES or file.suffix in ARCHIVES:
        return {"bytes": size}
    crc = 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return {"bytes": size, "crc32": crc}
