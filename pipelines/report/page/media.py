"""Thumbnails and clips of rows: written while a run has its data, shown by its report.

`examples/test-7.jpg` belongs to row 7 of test. A report reads no other picture and no other sound:
a path in the predictions may lead anywhere.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any

from pipelines.report.run_folder import RunFolder

KINDS = {".jpg": "image/jpeg", ".png": "image/png", ".flac": "audio/flac"}


def path_of(folder: RunFolder, split: str, row: int, suffix: str) -> Path:
    """Return where the thumbnail or the clip of a row lies."""
    return folder.examples / f"{split}-{row}{suffix}"


class Media:
    """The pictures and clips of one section, as long as they fit into so many bytes."""

    def __init__(self, folder: RunFolder, split: str, max_bytes: int) -> None:
        self._folder, self._split, self._bytes_left = folder, split, max_bytes

    def of(self, row: int) -> dict[str, Any] | None:
        """Return `{"kind": "image", "address": "data:…"}` of a row; None where there is none."""
        shown = (self.at(path_of(self._folder, self._split, row, suffix)) for suffix in KINDS)
        return next(filter(None, shown), None)

    def at(self, path: Path) -> dict[str, Any] | None:
        """Return the same of a file; None where there is none, or no room for it."""
        # a link may lead out of the folder
        if path.is_symlink() or not path.is_file() or path.stat().st_size > self._bytes_left:
            return None
        content, kind = path.read_bytes(), KINDS[path.suffix]
        self._bytes_left -= len(content)
        address = f"data:{kind};base64,{b64encode(content).decode('ascii')}"
        return {"kind": kind.partition("/")[0], "address": address}
