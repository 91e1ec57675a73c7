"""What needs attention about the images of a split."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.tasks.image import depth
from pipelines.tasks.image.headers import read

if TYPE_CHECKING:
    from pipelines.tasks.image.files import ImageFiles
    from pipelines.tasks.image.pixels import Pixels

MAX_ROWS_SHOWN = 3


def constant(pixels: "Pixels") -> Iterator[str]:
    """Name images of a single color, of which nothing can be learned."""
    rows, num_images = pixels.constant_rows()
    if rows:
        shown = ", ".join(map(str, rows[:MAX_ROWS_SHOWN])) + ", …" * (len(rows) > MAX_ROWS_SHOWN)
        yield f"{len(rows):,} of {num_images:,} images have a single color (row {shown})"


def scaled(files: "ImageFiles") -> Iterator[str]:
    """State the scale on which images of more than 8 bits were turned into bytes."""
    kinds = [depth.numbers(mode) for _, _, mode in read(files)]
    for kind in dict.fromkeys(filter(None, kinds)):
        black, white = files.scales()[kind]
        yield (
            f"{kinds.count(kind):,} of {len(kinds):,} images have more than 8 bits ({kind}): "
            f"{black:g} turns black and {white:g} white; pipeline() of transformers cuts them off "
            "at 255, so give it images that were scaled to 8 bits"
        )
