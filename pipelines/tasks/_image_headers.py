"""What the headers of image files say: sizes and modes, without decoding a pixel."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.tasks import Measure

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 1000


def measures(dataset: "Dataset") -> dict[str, Measure]:
    """Width and height as they are stored, and the mode (RGB, L, P…) of each image."""
    from datasets import Image

    raw = dataset.select_columns(["image"]).cast_column("image", Image(decode=False))
    images = (image for batch in raw.iter(BATCH) for image in batch["image"])
    with ThreadPoolExecutor() as pool:  # disks are waited for in parallel; parsing is not faster so
        on_disk = len(raw) and raw[0]["image"]["bytes"] is None
        headers = list(pool.map(_header, images) if on_disk else map(_header, images))
    if not headers:
        return {}
    widths, heights, modes = zip(*headers, strict=True)
    return {
        "pixels wide": Measure(np.array(widths)),
        "pixels high": Measure(np.array(heights)),
        "modes": Measure(np.array(modes)),
    }


def _header(image: dict[str, Any]) -> tuple[int, int, str]:
    from PIL import Image

    source = image["path"] if image.get("bytes") is None else io.BytesIO(image["bytes"])
    with Image.open(source) as opened:
        return *opened.size, opened.mode
