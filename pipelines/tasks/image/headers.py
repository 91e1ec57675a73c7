"""Sizes and modes of images from the headers of their files, without decoding a pixel."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from pipelines.tasks import Measure
from pipelines.tasks.image.files import ImageFiles, header

if TYPE_CHECKING:
    from datasets import Dataset

BATCH_FILES = 1000


def measures(dataset: "Dataset") -> dict[str, Measure]:
    """Measure the stored width and height (pixels) and the mode (RGB, L, P…) of each image."""
    files = ImageFiles(dataset)
    images = (image for batch in files.batches(BATCH_FILES) for image in batch)
    # threads wait for a disk in parallel; they parse headers in memory no faster
    with ThreadPoolExecutor() as pool:
        on_disk = len(files) and files.raw[0]["image"]["bytes"] is None
        headers = list(pool.map(header, images) if on_disk else map(header, images))
    if not headers:
        return {}
    widths, heights, modes = zip(*headers, strict=True)
    return {
        "pixels wide": Measure(np.array(widths)),
        "pixels high": Measure(np.array(heights)),
        "modes": Measure(np.array(modes)),
    }
