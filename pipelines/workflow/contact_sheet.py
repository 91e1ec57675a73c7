"""A picture of augmented examples as the model sees them, for a person to judge."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pipelines.core.labels import Labels
    from pipelines.workflow.prepared import Prepared

NUM_ROWS = 5
NUM_VIEWS = 6  # of each example, beside itself
INCHES_PER_PICTURE = 1.5


def lines(prepared: "Prepared") -> Iterator[str]:
    """Draw the sheet into a temporary folder and yield its path, if the recipe augments."""
    if prepared.recipe.augmentation is not None:
        # a check has no run folder to draw into
        folder = mkdtemp(prefix=f"graft-{prepared.recipe.name}-")
        yield f"\naugmented  as the model sees them: {draw(prepared, Path(folder))}"


def draw(prepared: "Prepared", folder: Path) -> Path:
    """Draw examples from all over train: each as it is, then augmented views of it."""
    from matplotlib.figure import Figure

    count = len(prepared.targets["train"])
    # from all over train, since files are often sorted by class; rounded up to NUM_ROWS at most
    rows = range(0, count, max(1, -(-count // NUM_ROWS)))
    batches = list(_batches(prepared, rows))
    # not by pyplot, which holds on to its figures and may look for a display
    figure = Figure(
        figsize=(INCHES_PER_PICTURE * len(batches), INCHES_PER_PICTURE * len(rows)),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), len(batches), squeeze=False)
    name = prepared.checkpoint.model.main_input_name
    for column, batch in enumerate(batches):
        pictures = _pictures(batch[name], prepared.checkpoint.processor)
        for axes, picture, label in zip(grid[:, column], pictures, batch["labels"], strict=True):
            _show(axes, picture)
            axes.set_axis_off()
            axes.set_title(_title(label, prepared.data.labels), fontsize=7)
    path = folder / "augmented.png"
    figure.savefig(path, dpi=100)
    return path


def _batches(prepared: "Prepared", rows: range) -> Iterator[dict[str, Any]]:
    """Yield the rows without augmentation, then repeatedly with it."""
    task, labels = prepared.recipe.task, prepared.data.labels
    chosen = prepared.data.train.select(rows)
    plain = task.encode(chosen, prepared.checkpoint.processor, labels)
    yield prepared.collate([plain[i] for i in range(len(rows))])
    varied = prepared.encoded["train"]
    # rows are augmented when they are read: each time is another view
    for _ in range(NUM_VIEWS):
        yield prepared.collate_train([varied[row] for row in rows])


def _pictures(inputs: Any, processor: Any) -> Any:
    """Turn normalized pixels back into colors; sound stays as it is."""
    from pipelines.tasks.image.colors import Colors

    return Colors.of(processor).invert(inputs).movedim(1, -1) if inputs.ndim == 4 else inputs


def _show(axes: "Axes", picture: Any) -> None:
    """Draw samples (length,), a spectrogram (frames, bands) or colors (height, width, 3)."""
    import numpy as np

    if picture.ndim == 1:
        with np.errstate(divide="ignore"):  # silence
            axes.specgram(picture.numpy())
    elif picture.ndim == 2:
        axes.imshow(picture.numpy().T, aspect="auto", origin="lower")
    else:
        axes.imshow(picture.numpy())


def _title(label: Any, labels: "Labels") -> str:
    """Name the class, or the shares of the classes that were mixed."""
    if not labels.names or label.numel() not in (1, len(labels.names)):
        return ""
    if label.ndim == 0:
        return labels.names[int(label)]
    shares = sorted(((float(share), i) for i, share in enumerate(label)), reverse=True)
    return "\n".join(f"{labels.names[i]} {share:.2f}" for share, i in shares[:2] if share)
