"""A picture of augmented examples as the model sees them, for a person to judge."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pipelines.core.labels import Labels
    from pipelines.workflow.run import Prepared

ROWS, VIEWS = 5, 6
INCHES = 1.5


def lines(prepared: "Prepared") -> Iterator[str]:
    """Draw the sheet into a folder for temporary files, and say where; only where the recipe
    augments."""
    if prepared.recipe.augmentation is not None:
        folder = mkdtemp(prefix=f"graft-{prepared.recipe.name}-")
        yield f"\naugmented  as the model sees them: {draw(prepared, Path(folder))}"


def draw(prepared: "Prepared", folder: Path) -> Path:
    """Some examples of train, from all over it: each as it is, then other views of it."""
    from matplotlib.figure import Figure

    count = len(prepared.targets["train"])
    rows = range(0, count, max(1, -(-count // ROWS)))
    batches = list(_batches(prepared, rows))
    figure = Figure(figsize=(INCHES * len(batches), INCHES * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(batches), squeeze=False)
    name = prepared.checkpoint.model.main_input_name
    for column, batch in enumerate(batches):
        pictures = _pictures(batch[name], prepared.checkpoint.processor)
        for axes, picture, label in zip(grid[:, column], pictures, batch["labels"], strict=True):
            _show(axes, picture)
            axes.set_axis_off()
            axes.set_title(_told(label, prepared.data.labels), fontsize=7)
    path = folder / "augmented.png"
    figure.savefig(path, dpi=100)
    return path


def _batches(prepared: "Prepared", rows: range) -> Iterator[dict[str, Any]]:
    """The rows without augmentation, then again and again with it."""
    task, labels = prepared.recipe.task, prepared.data.labels
    chosen = prepared.data.splits["train"].select(rows)
    plain = task.encode(chosen, prepared.checkpoint.processor, labels)
    yield prepared.collate([plain[i] for i in range(len(rows))])
    varied = prepared.encoded["train"]
    for _ in range(VIEWS):
        yield prepared.collate_train([varied[row] for row in rows])


def _pictures(inputs: Any, processor: Any) -> Any:
    """Pixels are turned into colors again; sound stays what it is."""
    from pipelines.tasks.image.colors import Colors

    return Colors.of(processor).invert(inputs).movedim(1, -1) if inputs.ndim == 4 else inputs


def _show(axes: "Axes", picture: Any) -> None:
    """Samples (length,), a spectrogram (frames, bands) or colors (height, width, 3)."""
    import numpy as np

    if picture.ndim == 1:
        with np.errstate(divide="ignore"):  # silence
            axes.specgram(picture.numpy())
    elif picture.ndim == 2:
        axes.imshow(picture.numpy().T, aspect="auto", origin="lower")
    else:
        axes.imshow(picture.numpy())


def _told(label: Any, labels: "Labels") -> str:
    """The class, or the shares of the classes that were mixed."""
    if not labels.names or label.numel() not in (1, len(labels.names)):
        return ""
    if label.ndim == 0:
        return labels.names[int(label)]
    shares = sorted(((float(share), i) for i, share in enumerate(label)), reverse=True)
    return "\n".join(f"{labels.names[i]} {share:.2f}" for share, i in shares[:2] if share)
