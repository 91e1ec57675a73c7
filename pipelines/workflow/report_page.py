"""The report of a finished run: thumbnails or clips of the rows that it shows, then the page."""

from typing import TYPE_CHECKING, Any

from pipelines.core.console import warn
from pipelines.core.hub_client import first_line
from pipelines.report.page import document, media, shown_rows
from pipelines.report.page.run_files import RunFiles
from pipelines.report.run_folder import RunFolder
from pipelines.report.writing import writing
from pipelines.workflow import whole_examples

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from PIL.Image import Image

    from pipelines.workflow.prepared import Prepared

MAX_EXAMPLES = 150  # thumbnails or clips of a run
SIDE = 160  # pixels of a thumbnail
SMALL_SIDE = 64  # pixels below which an image is enlarged, and stored without loss
CLIP_SECONDS, CLIP_RATE = 4, 16_000  # samples of a second, at most


def draw(folder: RunFolder, prepared: "Prepared") -> None:
    """Draw report.html; where that fails a line says so, and the run is as good as without it."""
    try:
        _save_examples(folder, prepared)
        document.write(folder)
    except Exception as error:  # whatever it is: hours of training are worth more than a page
        warn(
            f"{folder}: no report.html ({type(error).__name__}: {first_line(error)}); "
            f"graft report {folder} tries again"
        )


def _save_examples(folder: RunFolder, prepared: "Prepared") -> None:
    """Save what the rows look or sound like: data may be elsewhere when the page is drawn again."""
    files, modality = RunFiles(folder), prepared.recipe.task.modality
    if modality not in {"image", "audio"}:
        return
    rows = [row for row, _ in zip(shown_rows.all_rows(files), range(MAX_EXAMPLES), strict=False)]
    dataset = prepared.data.test if files.split == "test" else prepared.data.validation
    save = _save_images if modality == "image" else _save_clips
    with writing(folder.path):
        folder.examples.mkdir(exist_ok=True)
        save(folder, files.split, dataset, rows)
        whole_examples.save(folder, files.split, dataset, modality)


def _save_images(folder: RunFolder, split: str, dataset: Any, rows: list[int]) -> None:
    from pipelines.tasks.image.files import ImageFiles

    images = ImageFiles(dataset)
    for row in rows:
        _save_image(images.read([row])[0], folder, split, row)


def _save_image(image: "Image", folder: RunFolder, split: str, row: int) -> None:
    from PIL.Image import Resampling

    if max(image.size) < SMALL_SIDE:
        factor = SIDE // max(image.size)
        size = image.width * factor, image.height * factor
        path = media.path_of(folder, split, row, ".png")
        image.resize(size, Resampling.NEAREST).save(path, optimize=True)
    else:
        image.thumbnail((SIDE, SIDE))
        image.save(media.path_of(folder, split, row, ".jpg"), quality=80)


def _save_clips(folder: RunFolder, split: str, dataset: "Dataset", rows: list[int]) -> None:
    for row in rows:
        _save_clip(dataset[row]["audio"], media.path_of(folder, split, row, ".flac"))


def _save_clip(clip: dict[str, Any], path: "Path") -> None:
    """Save the beginning of a clip as what every browser plays."""
    import soundfile

    from pipelines.tasks.audio import files

    rate = min(files.header(clip)[1], CLIP_RATE)
    samples = files.read(clip, rate)[: CLIP_SECONDS * rate]
    soundfile.write(path, samples, rate, format="FLAC", subtype="PCM_16")
