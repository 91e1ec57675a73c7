"""Pictures of runs are laid out, and their files left empty: pixels take a quarter of a short run.

patch.setattr(Figure, "savefig", lay_out)       in this process, for as long as the patch holds
WarmPython(("undrawn_pictures:apply", …))       in each process that the interpreter forks
"""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def lay_out(figure: Figure, path: Path, **_options: Any) -> None:
    """Write an empty file where `Figure.savefig` draws one."""
    assert figure.axes
    path.write_bytes(b"")


def apply() -> None:
    """Leave out the pixels from here on."""
    Figure.savefig = lay_out  # type: ignore[method-assign, assignment]
