"""What needs attention about the images of a split."""

from collections.abc import Iterator, Mapping
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


def unscaled(files: "ImageFiles", modes: Mapping[str, int]) -> Iterator[str]:
    """State what `pipeline()` does with images of more than 8 bits, and code that scales them.

    Args:
        modes: Pillow's mode -> how many images of the split have it.
    """
    kinds = [kind for mode in modes if (kind := depth.numbers(mode))]
    for kind in dict.fromkeys(kinds):
        black, white = files.scales()[kind]
        count = sum(modes[mode] for mode in modes if depth.numbers(mode) == kind)
        yield (
            f"{count:,} of {sum(modes.values()):,} training images have more than 8 bits ({kind}); "
            f"{black:g} was turned black and {white:g} white. `pipeline()` cuts such values off at "
            "0 and 255 instead, and sees nearly black or nearly white: scale an image first, "
            f"`values = (numpy.asarray(image, float) - {black:g}) * 255 / {white - black:g}`, and "
            "give it `PIL.Image.fromarray(values.round().clip(0, 255).astype(numpy.uint8))`."
        )
