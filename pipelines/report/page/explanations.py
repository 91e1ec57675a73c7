"""What answers rest on: the pictures that `graft explain` has drawn into the run folder."""

from typing import Any

from pipelines.report.page.media import Media
from pipelines.report.page.run_files import RunFiles

TITLE = "What answers rest on"
MAX_PICTURES = 12
MAX_BYTES = 800_000
MAX_DIGITS = 9  # of the number of a picture


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the latest pictures, the last one first; None where nothing was explained."""
    media, folder = Media(files.folder, files.split, MAX_BYTES), files.folder.explanations
    names = [path.stem for path in folder.glob("*.png") if not path.is_symlink()]
    numbers = sorted(int(name) for name in names if name.isdecimal() and len(name) <= MAX_DIGITS)
    paths = [folder / f"{number}.png" for number in reversed(numbers[-MAX_PICTURES:])]
    shown = [picture for picture in map(media.at, paths) if picture]
    return {"pictures": shown, "num_more": len(numbers) - len(shown)} if shown else None
