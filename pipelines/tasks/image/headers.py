"""Sizes and modes of images from the headers of their files, without decoding a pixel."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from pipelines.tasks import Measure
from pipelines.tasks.image.files import ImageFiles, header

BATCH_FILES = 1000


def measures(files: ImageFiles) -> dict[str, Measure]:
    """Measure the stored width and height (pixels) and the mode (RGB, L, P…) of each image."""
    if not len(files):
        return {}
    widths, heights, modes = zip(*read(files), strict=True)
    return {
        "pixels wide": Measure(np.array(widths)),
        "pixels high": Measure(np.array(heights)),
        "modes": Measure(np.array(modes)),
    }


@lru_cache(maxsize=1)  # a split is described and remarked upon, one after the other
def read(files: ImageFiles) -> list[tuple[int, int, str]]:
    """Read (width, height, mode) of each image."""
    images = (image for batch in files.batches(BATCH_FILES) for image in batch)
    # threads wait for a disk in parallel; they parse headers in memory no faster
    with ThreadPoolExecutor() as pool:
        on_disk = len(files) and files.raw[0]["image"]["bytes"] is None
        return list(pool.map(header, images) if on_disk else map(header, images))
