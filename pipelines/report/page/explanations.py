"""What answers rest on: the pictures that `graft explain` has drawn into the run folder."""

from typing import Any

from pipelines.report.page.media import Media
from pipelines.report.page.run_files import RunFiles

TITLE = "What answers rest on"
MAX_PICTURES = 12
MAX_BYTES = 800_000


def view(files: RunFiles) -> dict[str, Any] | None:
    """Return the first pictures; None where nothing was explained."""
    media = Media(files.folder, files.split, MAX_BYTES)
    paths = [files.folder.explanations / f"{i + 1}.png" for i in range(MAX_PICTURES)]
    shown = [picture for picture in map(media.at, paths) if picture]
    return {"pictures": shown} if shown else None
