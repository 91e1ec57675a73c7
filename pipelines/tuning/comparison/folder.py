"""`runs/compare/<recipe>/<n>/`: the folder of a comparison.

comparison.json        what was asked, and every number; written after each run
cells/1-scratch/42/    a run folder for each arm and seed, without its model
cells/1-scratch_0.1/42 the same, on a tenth of train
report.html            a page on all of it; graft report draws it again
curves.png             scores on validation over steps, with bands over seeds
efficiency.png         scores over the number of examples, where shares of train are compared
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipelines.core import processes
from pipelines.core.console import warn
from pipelines.core.errors import RunError
from pipelines.report import strict_json
from pipelines.report.ownership import owning
from pipelines.report.run_folder import RunFolder
from pipelines.report.run_paths import COMPARISON
from pipelines.report.run_row import document
from pipelines.report.writing import writing
from pipelines.tuning.comparison.arms import ComparisonArm


@dataclass(frozen=True)
class ComparisonFolder:
    """The folder of one comparison."""

    path: Path

    @classmethod
    def of(cls, root: Path, name: str, identity: Mapping[str, Any]) -> Self:
        """Return the newest folder of the same comparison; a new one where there is none.

        Raises:
            RunError: the folder cannot be written.
        """
        wanted = json.loads(json.dumps(strict_json.plain(identity)))

        def find() -> Path:
            folders = [path for path in (root / name).glob("[0-9]*") if path.name.isdecimal()]
            for path in sorted(folders, key=lambda path: int(path.name), reverse=True):
                if (path / COMPARISON).is_file() and not cls(path).state:
                    warn(f"{path / COMPARISON}: damaged; what it compared is compared anew")
                if cls(path).state.get("identity") == wanted:
                    return path
            folder = RunFolder.create(root, name).path
            with writing(folder):
                strict_json.write(folder / COMPARISON, {"identity": wanted})
            return folder

        return cls(processes.from_main(find))

    @property
    def state(self) -> dict[str, Any]:
        """What comparison.json holds; nothing where it is missing or damaged."""
        try:
            return document(self.path / COMPARISON)
        except RunError:
            return {}

    def write(self, values: Mapping[str, Any]) -> None:
        """Replace what comparison.json holds, but for the identity.

        Raises:
            RunError: it cannot be written.
        """
        with writing(self.path):
            identity = {"identity": self.state.get("identity")}
            strict_json.write(self.path / COMPARISON, {**identity, **values})

    def run(self, arm: ComparisonArm, seed: int, fraction: float) -> RunFolder:
        """Return the folder of a run, whether it exists or not."""
        share = "" if fraction == 1 else f"_{fraction:g}"
        return RunFolder(self.path / "cells" / f"{arm.folder}{share}" / str(seed))

    def begin(self, run: RunFolder) -> None:
        """Make the folder of a run anew: what a run that was stopped left there is removed.

        Raises:
            RunError: another process is at work in it, or it cannot be written.
        """
        is_left = processes.from_main(run.path.is_dir)
        with owning(run) if is_left else nullcontext(), writing(run.path):
            if is_left and processes.is_main():
                shutil.rmtree(run.path)
        if processes.is_main():
            with writing(run.path):
                run.path.mkdir(parents=True)
        processes.wait()
